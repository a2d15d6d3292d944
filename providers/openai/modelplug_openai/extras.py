"""What comes beside an answer, and the contract has no place for: ``extra`` by the wire's names."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from modelplug_openai.chunks import Choice, Chunk, Detail, Piece
from modelplug_openai.remarks import cleaned

__all__ = ["Extras"]

_SHOWN = 4096
"""Characters of a refusal that each piece repeats. A longer one is whole at the end only: to
repeat it in each piece would cost the square of its length."""


class Extras:
    """Whatever else a service sends.

    With the pieces: ``refusal``, all of it so far; ``logprobs`` and ``audio``, those of the piece.
    At the end: the whole ``refusal``; ``reasoning_details``, all of them, to be given back in the
    next question; Azure's ``prompt_filter_results`` and ``content_filter_results``;
    ``system_fingerprint`` and ``service_tier``.

    Args:
        scrub: takes secrets out of what isn't the model's, but the service's.
    """

    __slots__ = ("_details", "_kept", "_refusal", "_refusal_size", "_scrub")

    def __init__(self, scrub: Callable[[str], str]) -> None:
        self._scrub = scrub
        self._kept: dict[str, object] = {}
        self._details: list[Detail] = []
        self._refusal: list[str] = []
        self._refusal_size = 0

    @property
    def refused(self) -> bool:
        """Whether the model refused, by OpenAI's field for that."""
        return bool(self._refusal)

    def of_chunk(self, chunk: Chunk) -> None:
        """Keep what a chunk has beside its choices."""
        if chunk.system_fingerprint is not None:
            self.keep("system_fingerprint", chunk.system_fingerprint)
        if chunk.service_tier is not None:
            self.keep("service_tier", chunk.service_tier)
        if chunk.prompt_filter_results is not None:
            self.keep("prompt_filter_results", chunk.prompt_filter_results)

    def keep(self, name: str, value: object) -> None:
        """Keep something until the end; what comes last counts."""
        self._kept[name] = value

    def of_piece(self, piece: Piece, choice: Choice) -> Mapping[str, object] | None:
        """What goes with a piece."""
        if piece.reasoning_details:
            self._details += piece.reasoning_details
        if not (piece.refusal or piece.audio or choice.logprobs):
            return None
        found: dict[str, object] = {}
        if piece.refusal:
            self._refusal.append(piece.refusal)
            self._refusal_size += len(piece.refusal)
            if self._refusal_size <= _SHOWN:
                found["refusal"] = "".join(self._refusal)
        if piece.audio:
            found["audio"] = piece.audio
        if choice.logprobs:
            found["logprobs"] = choice.logprobs
        return found

    def at_end(self) -> Mapping[str, object] | None:
        """What goes with the end; None for nothing."""
        told = {name: cleaned(value, self._scrub) for name, value in self._kept.items()}
        if self._refusal:
            told["refusal"] = "".join(self._refusal)
        if self._details:
            told["reasoning_details"] = [msgspec.to_builtins(each) for each in self._details]
        return told or None
