"""Mutants that promise what they don't do, or do what they weren't asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from modelplug import (
    Call,
    Capabilities,
    Delta,
    Finish,
    MessageConverter,
    ModelRequest,
    Usage,
)
from tests.core.conformance.mutants import mutant
from tests.core.conformance.plugin import REFERENCE
from tests.core.conformance.reference import ReferenceClient


class Changes(ReferenceClient):
    """Changes the pieces of answers."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """Other pieces."""
        async for piece in super().stream_deltas(request, call):
            changed = self.changed(piece)
            if changed is not None:
                yield changed

    def changed(self, piece: Any) -> Any:
        """The piece instead."""
        return piece


class Misasks(ReferenceClient):
    """Changes what is asked."""

    def payload(self, request: ModelRequest) -> dict[str, Any]:
        """Another question."""
        payload = super().payload(request)
        self.spoil(payload)
        return payload

    def spoil(self, payload: dict[str, Any]) -> None:
        """Change it."""


@mutant(kills="FEA-01", words="where None belongs")
class CountsNothing(Changes):
    """Says 0 where the service said nothing."""

    def changed(self, piece: Any) -> Any:
        """With a usage, always."""
        if isinstance(piece, Finish) and piece.usage is None:
            return replace(piece, usage=Usage(prompt_tokens=0, completion_tokens=0))
        return piece


@mutant(kills="FEA-01", words="prompt, completion and total tokens")
class SwapsCounts(Changes):
    """Takes the one for the other."""

    def changed(self, piece: Any) -> Any:
        """Swapped."""
        if isinstance(piece, Finish) and (usage := piece.usage):
            swapped = Usage(
                prompt_tokens=usage.completion_tokens, completion_tokens=usage.prompt_tokens
            )
            return replace(piece, usage=swapped)
        return piece


@mutant(kills="FEA-01", words="expected (11, 7, 18), got (7, 11, 18)")
class SwapsUnclaimed(Changes):
    """Mistakes what went in for what came out, of a usage that it doesn't even claim."""

    def capabilities(self, model: str | None = None) -> Capabilities:
        """All but the usage."""
        able = super().capabilities(model)
        return replace(able, native={*able.native} - {"usage"})

    def changed(self, piece: Any) -> Any:
        """With the two swapped."""
        if isinstance(piece, Finish) and piece.usage is not None:
            told = piece.usage
            swapped = Usage(
                prompt_tokens=told.completion_tokens, completion_tokens=told.prompt_tokens
            )
            return replace(piece, usage=swapped)
        return piece


@mutant(kills="FEA-02", words="where the service said length")
class AlwaysStops(Changes):
    """Knows one reason."""

    def changed(self, piece: Any) -> Any:
        """Stop."""
        return replace(piece, reason="stop") if isinstance(piece, Finish) else piece


@mutant(kills="FEA-02", words="PluginContractError")
class PassesReasonsOn(Changes):
    """Takes the service's words for the contract's."""

    def changed(self, piece: Any) -> Any:
        """As it came."""
        if isinstance(piece, Finish):
            return Finish(piece.raw, raw=piece.raw)  # type: ignore[arg-type]  # the fault
        return piece


@mutant(kills="FEA-03", words="the stop sequences")
class IgnoresStop(Misasks):
    """Claims stop sequences and sends none."""

    def spoil(self, payload: dict[str, Any]) -> None:
        """Without."""
        payload["params"].pop("stop", None)


@mutant(kills="FEA-03", words="the text before the stop sequence")
class CutsWithinPieces(Misasks):
    """Cuts answers itself, and doesn't see what two pieces hold together."""

    def capabilities(self, model: str | None = None) -> Capabilities:
        """Stop sequences by itself."""
        told = super().capabilities(model)
        return Capabilities(
            native=told.native - {"stop"},  # type: ignore[operator]  # a frozenset
            emulated=["stop"],
            unsupported=told.unsupported,
        )

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """Piece by piece."""
        async for piece in super().stream_deltas(request, call):
            if isinstance(piece, Delta) and any(stop in piece.text for stop in request.stop or ()):
                yield Finish("stop")
                return
            yield piece


@mutant(kills="FEA-04", words="the limit that was sent")
class KnowsBetter(Misasks):
    """Sends at least what it thinks is good."""

    def spoil(self, payload: dict[str, Any]) -> None:
        """More than was asked for."""
        if "max_new_tokens" in payload["params"]:
            payload["params"]["max_new_tokens"] = max(64, payload["params"]["max_new_tokens"])


@mutant(kills="FEA-04", words="though the request doesn't set it")
class LimitsAlways(Misasks):
    """Sends a limit of its own."""

    def spoil(self, payload: dict[str, Any]) -> None:
        """Where there is none."""
        payload["params"].setdefault("max_new_tokens", 2048)


@mutant(kills="FEA-05", words="temperature=0 wasn't sent")
class DropsZero(Misasks):
    """Writes ``if temperature``."""

    def spoil(self, payload: dict[str, Any]) -> None:
        """Without what is 0."""
        payload["params"] = {name: value for name, value in payload["params"].items() if value}


@mutant(kills="FEA-05", words="the temperature that was sent")
class TurnsZeroIntoOne(Misasks):
    """Takes 0 for a mistake."""

    def spoil(self, payload: dict[str, Any]) -> None:
        """1 for 0."""
        if payload["params"].get("temperature") == 0:
            payload["params"]["temperature"] = 1.0


@mutant(kills="FEA-05", words="though the request doesn't set it")
class SendsDefaults(Misasks):
    """Sends what the service would take anyhow."""

    def spoil(self, payload: dict[str, Any]) -> None:
        """With a default."""
        payload["params"].setdefault("top_p", 1.0)


class Drops(ReferenceClient):
    """Leaves out what it can't do, whatever the caller wants."""

    policy = "drop"

    def local_convert_message(
        self, request: ModelRequest, message_converter: MessageConverter | None = None
    ) -> ModelRequest:
        """With a policy of its own."""
        fitting = super().local_convert_message(request, message_converter)
        return fitting.copy(on_unsupported=self.policy)


@mutant(kills="FEA-06", words="which isn't claimed")
class DropsSilently(Drops):
    """And says nothing of it."""


@mutant(kills="FEA-06", words="no warning says")
class WarnsNobody(Drops):
    """Refuses, or is silent."""

    def local_convert_message(
        self, request: ModelRequest, message_converter: MessageConverter | None = None
    ) -> ModelRequest:
        """Silent where it should warn."""
        fitting = ReferenceClient.local_convert_message(self, request, message_converter)
        return fitting.copy(on_unsupported="drop") if request.on_unsupported == "warn" else fitting


@mutant(kills="FEA-16", words="the thinking")
class ThinksAloud(Changes):
    """Puts what a model thinks into what it says."""

    def changed(self, piece: Any) -> Any:
        """As text."""
        is_thought = isinstance(piece, Delta) and piece.reasoning
        return Delta(f"<think>{piece.reasoning}</think>") if is_thought else piece


@mutant(kills="FEA-17", words="the thinking")
class ForgetsThoughts(Changes):
    """Keeps thoughts only if something is said."""

    def changed(self, piece: Any) -> Any:
        """Without what is no text."""
        return None if isinstance(piece, Delta) and not piece.text else piece


@mutant(kills="FEA-18", words="a response_format of json_object wasn't sent")
class AnyForm(Misasks):
    """Claims formats, and sends none."""

    def spoil(self, payload: dict[str, Any]) -> None:
        """Without."""
        payload["params"].pop("response_format", None)


@mutant(kills="FEA-18", words="the response_format that was sent")
class LoosensSchemas(Misasks):
    """Asks for JSON where a schema was asked for."""

    def spoil(self, payload: dict[str, Any]) -> None:
        """Of any form."""
        if "response_format" in payload["params"]:
            payload["params"]["response_format"] = {"type": "json_object"}


@mutant(kills="FEA-06", words="response_format, which isn't claimed")
class PassesOverFormats(ReferenceClient):
    """Doesn't claim formats, and leaves them out in silence."""

    def capabilities(self, model: str | None = None) -> Capabilities:
        """All but that."""
        told = super().capabilities(model)
        return replace(told, native=told.native - {"response_format"})  # type: ignore[operator]  # sets

    def local_convert_message(
        self, request: ModelRequest, message_converter: MessageConverter | None = None
    ) -> ModelRequest:
        """Without it."""
        return super().local_convert_message(request.copy(response_format=None), message_converter)


@mutant(kills="FEA-21", words="the cached_tokens")
class ForgetsTheCache(Changes):
    """Tells the totals alone."""

    def changed(self, piece: Any) -> Any:
        """Without its parts."""
        if isinstance(piece, Finish) and piece.usage:
            return replace(piece, usage=replace(piece.usage, cached_tokens=None))
        return piece


@mutant(kills="FEA-21", words="the prompt_tokens")
class CachedIsFree(Changes):
    """Doesn't count what came from a cache."""

    def changed(self, piece: Any) -> Any:
        """Less of a prompt."""
        if isinstance(piece, Finish) and (usage := piece.usage):
            fewer = usage.prompt_tokens - (usage.cached_tokens or 0)
            return replace(piece, usage=replace(usage, prompt_tokens=fewer))
        return piece


@mutant(
    kills="FEA-02",
    words="the finish reason where the service said length",
    change=lambda backend: replace(backend, harness=f"{REFERENCE}:SILENT"),
)
class GuessesReasons(Changes):
    """Thinks that a short answer was cut, though its service says nothing of the kind."""

    calls = 0

    def changed(self, piece: Any) -> Any:
        """Too long, says who? Every other time, as chance has it."""
        GuessesReasons.calls += isinstance(piece, Finish)
        cut = isinstance(piece, Finish) and self.calls % 2 == 0
        return replace(piece, reason="length") if cut else piece


@mutant(kills="FEA-02", words="the service's own word")
class LosesTheWord(Changes):
    """Translates a finish reason, and forgets what it was."""

    def changed(self, piece: Any) -> Any:
        """Without the service's own."""
        return replace(piece, raw=None) if isinstance(piece, Finish) else piece


@mutant(kills="FEA-19", words="an image, not claimed")
class LooksAway(ReferenceClient):
    """Leaves images out."""

    def local_convert_message(
        self, request: ModelRequest, message_converter: MessageConverter | None = None
    ) -> ModelRequest:
        """The text alone."""
        fitting = super().local_convert_message(request, message_converter)
        texts = [{"role": each.role, "content": each.text} for each in fitting.messages]
        return fitting.copy(messages=texts)
