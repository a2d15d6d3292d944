"""Mutants that don't say to the model what they were told to say."""

from __future__ import annotations

from typing import Any

from tests.core.conformance.mutants import mutant
from tests.core.conformance.mutants.features import Misasks
from tests.core.conformance.reference import ReferenceClient


@mutant(kills="FEA-07", words="how often")
class RepeatsInstructions(Misasks):
    """Puts the instructions before the question as well."""

    def spoil(self, payload: dict[str, Any]) -> None:
        """Twice."""
        first, last = payload["messages"][0], payload["messages"][-1]
        if first["role"] == "system" and last is not first:
            last["content"] = f"{first['content']}\n{last['content']}"


@mutant(kills="FEA-07", words="how often")
class KeepsOneInstruction(Misasks):
    """Sends the last of several instructions."""

    def spoil(self, payload: dict[str, Any]) -> None:
        """One of them."""
        roles = [message["role"] for message in payload["messages"]]
        if roles.count("system") > 1:
            payload["messages"].pop(roles.index("system"))


@mutant(kills="FEA-07", words="after the last question")
class InstructsTooLate(Misasks):
    """Puts the instructions behind the question."""

    def spoil(self, payload: dict[str, Any]) -> None:
        """At the end."""
        if payload["messages"][0]["role"] == "system":
            payload["messages"].append(payload["messages"].pop(0))


@mutant(kills="FEA-08", words="the turns that were sent")
class AsksTheLastOnly(Misasks):
    """Sends the question and nothing before it."""

    def spoil(self, payload: dict[str, Any]) -> None:
        """The last."""
        payload["messages"] = payload["messages"][-1:]


@mutant(kills="FEA-08", words="the order in which")
class MovesQuestions(Misasks):
    """Moves the last question to the end."""

    def spoil(self, payload: dict[str, Any]) -> None:
        """Question last."""
        payload["messages"].sort(key=lambda message: message["content"] == "one?")
        if payload["messages"][-1]["content"] == "one?" and len(payload["messages"]) > 2:
            payload["messages"].insert(0, payload["messages"].pop())


@mutant(kills="FEA-08", words="the turns that were sent")
class MistakesRoles(Misasks):
    """Calls whoever isn't the system a user."""

    def spoil(self, payload: dict[str, Any]) -> None:
        """One role."""
        for message in payload["messages"]:
            message["role"] = "system" if message["role"] == "system" else "user"


@mutant(kills="FEA-09", words="how many of 201 turns")
class TrimsHistories(Misasks):
    """Keeps the last hundred turns."""

    def spoil(self, payload: dict[str, Any]) -> None:
        """The end."""
        payload["messages"] = payload["messages"][-100:]


@mutant(kills="FEA-09", words="how many of 201 turns")
class TrimsByCharacters(Misasks):
    """Keeps what it takes for the size of a context, the oldest going first."""

    def spoil(self, payload: dict[str, Any]) -> None:
        """Until it fits."""
        while sum(len(each["content"]) for each in payload["messages"]) > 8192:
            del payload["messages"][0]


@mutant(kills="FEA-09", words="the turns that were sent otherwise")
class ShortensTurns(Misasks):
    """Keeps all turns, and of each what it takes for enough."""

    def spoil(self, payload: dict[str, Any]) -> None:
        """A hundred characters."""
        if len(payload["messages"]) > 1:
            for each in payload["messages"]:
                each["content"] = each["content"][:100]


@mutant(kills="FEA-09", words="the service can't read what it was asked")
class AsksNothing(ReferenceClient):
    """Sends what is no question."""

    @staticmethod
    def encoded(payload: object) -> bytes:
        """Half of one."""
        return b'{"model": '
