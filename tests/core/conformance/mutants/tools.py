"""Mutants that handle tools as they like."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from modelplug import Delta, Finish, ToolCallDelta
from tests.core.conformance.mutants import mutant
from tests.core.conformance.mutants.features import Changes, Misasks


@mutant(kills="FEA-10", words="the tools that were offered")
class OffersOneTool(Misasks):
    """Takes one tool."""

    def spoil(self, payload: dict[str, Any]) -> None:
        """The first."""
        payload["tools"] = payload["tools"][:1]


@mutant(kills="FEA-10", words="wasn't sent as it was")
class SimplifiesSchemas(Misasks):
    """Leaves out of schemas what it doesn't know."""

    def spoil(self, payload: dict[str, Any]) -> None:
        """Without enumerations."""
        for tool in payload["tools"]:
            places = {"place": {"type": "string"}}
            function = {**tool["function"], "parameters": {"type": "object", "properties": places}}
            tool_of_its_own = {**tool, "function": function}
            payload["tools"] = [tool_of_its_own, *payload["tools"][1:]]
            return


@mutant(kills="FEA-11", words="the tool calls")
class NumbersPieces(Changes):
    """Takes each piece for a call of its own."""

    number = 0

    def changed(self, piece: Any) -> Any:
        """With the next number."""
        if isinstance(piece, Delta) and piece.tool_call:
            self.number += 1
            return Delta(tool_call=replace(piece.tool_call, index=self.number))
        return piece


@mutant(kills="FEA-12", words="the tool calls")
class DropsOddCalls(Changes):
    """Passes on calls that look right."""

    def changed(self, piece: Any) -> Any:
        """None for one that doesn't end."""
        call: ToolCallDelta | None = getattr(piece, "tool_call", None)
        return None if call and call.arguments.endswith(" ") else piece


@mutant(kills="FEA-12", words="has 'null' for them")
class WritesNull(Changes):
    """Writes null where there is nothing."""

    def changed(self, piece: Any) -> Any:
        """As JSON has it."""
        call: ToolCallDelta | None = getattr(piece, "tool_call", None)
        if call and not call.arguments:
            return Delta(tool_call=replace(call, arguments="null"))
        return piece


@mutant(kills="FEA-13", words="the turns that were sent")
class HidesResults(Misasks):
    """Calls a tool a user."""

    def spoil(self, payload: dict[str, Any]) -> None:
        """Another role."""
        for message in payload["messages"]:
            message["role"] = message["role"].replace("tool", "user")


@mutant(kills="FEA-14", words="the finish reason of a tool call")
class StopsForTools(Changes):
    """Says that it is done where it waits for a tool."""

    def changed(self, piece: Any) -> Any:
        """Stop."""
        is_call = isinstance(piece, Finish) and piece.reason == "tool_calls"
        return replace(piece, reason="stop") if is_call else piece


@mutant(kills="FEA-13", words="the turns that were sent")
class HidesFailures(Misasks):
    """Leaves out what a tool couldn't do."""

    def spoil(self, payload: dict[str, Any]) -> None:
        """The results that are none."""
        payload["messages"] = [
            each for each in payload["messages"] if not str(each["content"]).startswith("error")
        ]
