"""Mutants of counting tokens."""

from __future__ import annotations

import hashlib
import socket
import time
from typing import Any

from modelplug import TokenCount
from tests.core.conformance.mutants import mutant
from tests.core.conformance.reference import ReferenceClient


def words(text: str) -> int:
    """What most of these count."""
    return len(text.split())


@mutant(kills="TOK-01", words="gave None")
class NoCount(ReferenceClient):
    """Says None where it can't count."""

    async def count_token(self, model: str, prompt: str) -> int:
        """Of its own models alone."""
        known = model in self.model_names
        return words(prompt) if known else None  # type: ignore[return-value]  # that's the fault


@mutant(kills="TOK-01", words="UnicodeEncodeError")
class HashesPrompts(ReferenceClient):
    """Looks a prompt up by its hash, for which a lone surrogate can't be encoded."""

    async def count_token(self, model: str, prompt: str) -> int:
        """A hash is of bytes."""
        hashlib.sha256(prompt.encode())
        return words(prompt)


@mutant(kills="TOK-02", words="and counts for others")
class SometimesCounts(ReferenceClient):
    """Can't count what isn't ASCII."""

    async def count_token(self, model: str, prompt: str) -> int:
        """-1 for some."""
        return words(prompt) if prompt.isascii() else -1


@mutant(kills="TOK-02", words="count_tokens of")
class TwoTokenizers(ReferenceClient):
    """Counts one way for texts and another way for messages."""

    async def count_token(self, model: str, prompt: str) -> int:
        """Characters."""
        return len(prompt)


@mutant(kills="TOK-03", words="socket.getaddrinfo")
class LoadsVocabulary(ReferenceClient):
    """Would load its vocabulary from somewhere at the first count."""

    async def count_token(self, model: str, prompt: str) -> int:
        """After looking for a machine."""
        socket.getaddrinfo("localhost", 9)
        return words(prompt)


@mutant(kills="TOK-04", words="tokens of an empty text")
class AddsOne(ReferenceClient):
    """Counts a mark that it sends before each text."""

    async def count_token(self, model: str, prompt: str) -> int:
        """One more."""
        return words(prompt) + 1


@mutant(kills="TOK-04", words="of the same text again")
class CountsCalls(ReferenceClient):
    """Its counts grow."""

    counted = 0

    async def count_token(self, model: str, prompt: str) -> int:
        """By what was counted before."""
        self.counted += words(prompt)
        return self.counted if prompt else 0


@mutant(kills="TOK-05", words="count_token of a megabyte")
class GivesUp(ReferenceClient):
    """Takes what is long for nothing."""

    async def count_token(self, model: str, prompt: str) -> int:
        """0 for it."""
        return words(prompt) if len(prompt) < 500_000 else 0


@mutant(kills="TOK-05", words="didn't end in time")
class Quadratic(ReferenceClient):
    """Looks at all that came before for each character."""

    async def count_token(self, model: str, prompt: str) -> int:
        """So slow that it might as well sleep."""
        time.sleep(4 if len(prompt) > 200_000 else 0)  # noqa: ASYNC251  # that's the fault
        return words(prompt)


@mutant(kills="TOK-06", words="the event loop stood still")
class CountsOnTheLoop(ReferenceClient):
    """Counts where it is asked."""

    async def count_token(self, model: str, prompt: str) -> int:
        """Which takes its time."""
        time.sleep(0.4)  # noqa: ASYNC251  # that's the fault
        return words(prompt)


@mutant(kills="TOK-07", words="doesn't say what counted")
class Anonymous(ReferenceClient):
    """Doesn't say what counted."""

    async def count_tokens(self, messages: Any, model: str | None = None) -> TokenCount:
        """Nobody did."""
        return TokenCount(n=3, exact=True, method="")


@mutant(kills="TOK-08", words="are kept after")
class KeepsPrompts(ReferenceClient):
    """Remembers every prompt, to count it once."""

    seen: dict[str, int] = {}  # that's the fault

    async def count_token(self, model: str, prompt: str) -> int:
        """By heart."""
        return self.seen.setdefault(prompt, words(prompt))
