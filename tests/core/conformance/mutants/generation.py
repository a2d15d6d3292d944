"""Mutants that get questions and answers wrong."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any

from modelplug import (
    Call,
    Delta,
    Finish,
    MessageConverter,
    ModelOutput,
    ModelRequest,
    ModelStream,
    SchemaError,
    SyncModelStream,
)
from modelplug.request import RequestLike
from tests.core.conformance.mutants import mutant
from tests.core.conformance.reference import ReferenceClient


@mutant(kills="GEN-01", words="the text: expected")
class StripsText(ReferenceClient):
    """Takes blanks away from both ends of each piece."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """Without blanks."""
        async for piece in super().stream_deltas(request, call):
            yield Delta(piece.text.strip()) if isinstance(piece, Delta) else piece


@mutant(kills="GEN-01", words="the text: expected")
class LosesFirstBlank(ReferenceClient):
    """Takes blanks away from the beginning, as tokenizers' do."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """Without the first blank."""
        first = True
        async for piece in super().stream_deltas(request, call):
            if first and isinstance(piece, Delta) and piece.text:
                first = False
                yield Delta(piece.text.removeprefix(" "))
            else:
                yield piece


@mutant(kills="GEN-02", words="usage of sync, beside async")
class SyncForgetsUsage(ReferenceClient):
    """Has code of its own for sync calls, which knows less."""

    def sync_generate(
        self, request: RequestLike, message_converter: MessageConverter | None = None
    ) -> ModelOutput:
        """The text alone."""
        whole = super().sync_generate(request, message_converter)
        return ModelOutput(
            whole.text,
            finish_reason=whole.finish_reason,
            raw_finish_reason=whole.raw_finish_reason,
            reasoning=whole.reasoning,
            model=whole.model,
            backend=whole.backend,
        )


@mutant(kills="GEN-03", words="reasoning of async, beside async-stream")
class WholeForgetsReasoning(ReferenceClient):
    """Has code of its own for whole answers, sync and async."""

    async def generate(
        self, request: RequestLike, message_converter: MessageConverter | None = None
    ) -> ModelOutput:
        """Without the thinking."""
        return _unthinking(await super().generate(request, message_converter))

    def sync_generate(
        self, request: RequestLike, message_converter: MessageConverter | None = None
    ) -> ModelOutput:
        """Without the thinking."""
        return _unthinking(super().sync_generate(request, message_converter))


def _unthinking(whole: ModelOutput) -> ModelOutput:
    return ModelOutput(
        whole.text,
        finish_reason=whole.finish_reason,
        raw_finish_reason=whole.raw_finish_reason,
        usage=whole.usage,
        model=whole.model,
        backend=whole.backend,
    )


@mutant(kills="GEN-04", words="IndexError")
class WantsText(ReferenceClient):
    """Takes it for granted that there is a piece of text."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """The last piece counts."""
        pieces = []
        async for piece in super().stream_deltas(request, call):
            if isinstance(piece, Delta):
                pieces.append(piece)
                yield piece
            else:
                pieces[-1].text.strip()
                yield piece


@mutant(kills="GEN-04", words="no output")
class GivesNoneForNothing(ReferenceClient):
    """Returns the last output that it saw, and there was none."""

    def sync_generate(
        self, request: RequestLike, message_converter: MessageConverter | None = None
    ) -> ModelOutput:
        """None, for an empty answer."""
        output = super().sync_generate(request, message_converter)
        return output if output.text else None  # type: ignore[return-value]  # which is the fault


@mutant(kills="GEN-05", words="a request without messages")
class AsksSomethingElse(ReferenceClient):
    """Makes up a question where there is none."""

    def generate_stream(
        self, request: RequestLike, message_converter: MessageConverter | None = None
    ) -> ModelStream:
        """A greeting for nothing."""
        return super().generate_stream(request or "hello", message_converter)


@mutant(kills="GEN-05", words="an empty question")
class SyncAsksForMore(ReferenceClient):
    """Fills in empty questions, in one of the four ways."""

    def sync_generate(
        self, request: RequestLike, message_converter: MessageConverter | None = None
    ) -> ModelOutput:
        """A greeting for nothing."""
        asked = "hello" if request == "" else request
        return super().sync_generate(asked, message_converter)


@mutant(kills="GEN-06", words="the request after the calls")
class PrependsInPlace(ReferenceClient):
    """Puts the instructions before the question, in the caller's own request."""

    def local_convert_message(
        self, request: ModelRequest, message_converter: MessageConverter | None = None
    ) -> ModelRequest:
        """Changes what isn't its own."""
        last = request.messages[-1]
        object.__setattr__(last, "content", f"be brief\n{last.text}")
        return super().local_convert_message(request, message_converter)


@mutant(kills="GEN-06", words="the messages after the calls")
class PopsMessages(ReferenceClient):
    """Takes the instructions out of the caller's list."""

    def generate_stream(
        self, request: RequestLike, message_converter: MessageConverter | None = None
    ) -> ModelStream:
        """One message less."""
        if isinstance(request, list) and len(request) > 1:
            request.pop(0)
        return super().generate_stream(request, message_converter)


@mutant(kills="GEN-07", words="the messages that were sent")
class IgnoresConverter(ReferenceClient):
    """Converts as it pleases."""

    def local_convert_message(
        self, request: ModelRequest, message_converter: MessageConverter | None = None
    ) -> ModelRequest:
        """Without the caller's converter."""
        return super().local_convert_message(request)


@mutant(kills="GEN-07", words="calls of the converter")
class ConvertsTwice(ReferenceClient):
    """Converts once to look and once to send."""

    def local_convert_message(
        self, request: ModelRequest, message_converter: MessageConverter | None = None
    ) -> ModelRequest:
        """Twice."""
        super().local_convert_message(request, message_converter)
        return super().local_convert_message(request, message_converter)


@mutant(kills="GEN-09", words="went to 'small' all the same")
class KeepsItsModel(ReferenceClient):
    """Asks the model that it was made for."""

    def payload(self, request: ModelRequest) -> dict[str, Any]:
        """Always the same model."""
        return super().payload(request) | {"model": self.default_model}


@mutant(kills="GEN-10", words="no request id")
class ThrowsIdsAway(ReferenceClient):
    """Doesn't look at the service's ids."""

    def read(self, message: bytes, call: Call) -> list[Delta | Finish]:
        """As for a message without one."""
        return super().read(message.replace(b'"id"', b'"di"'), call)


@mutant(kills="GEN-11", words="SchemaError")
class WantsToKnowAll(ReferenceClient):
    """Refuses fields that it doesn't know."""

    def said(self, told: Mapping[str, Any]) -> list[Delta | Finish]:
        """Strict."""
        if set(told) - {"id", "text", "think", "tool", "sources", "done", "usage"}:
            raise SchemaError("a message has a field too many")
        return super().said(told)


@mutant(kills="GEN-12", words="arrived, or others")
class CutsPrompts(ReferenceClient):
    """Sends no more than fits in a buffer."""

    def payload(self, request: ModelRequest) -> dict[str, Any]:
        """The beginning of each message."""
        payload = super().payload(request)
        for message in payload["messages"]:
            message["content"] = message["content"][:65536]
        return payload


@mutant(kills="GEN-12", words="stands in the log")
class LogsPrompts(ReferenceClient):
    """Logs what it sends."""

    def payload(self, request: ModelRequest) -> dict[str, Any]:
        """As it is, and logged."""
        payload = super().payload(request)
        logging.getLogger(__name__).info("sending %s", payload)
        return payload


@mutant(kills="GEN-13", words="stood still")
class BlocksTheLoop(ReferenceClient):
    """Waits for the service on the loop's own thread."""

    def generate_stream(
        self, request: RequestLike, message_converter: MessageConverter | None = None
    ) -> ModelStream:
        """A sync stream behind an async face."""
        return _Blocking(super().sync_generate_stream(request, message_converter))  # type: ignore[return-value]  # the fault


class _Blocking:
    """Reads a sync stream from coroutines."""

    def __init__(self, stream: SyncModelStream) -> None:
        self._stream = stream

    def __aiter__(self) -> _Blocking:
        return self

    async def __anext__(self) -> ModelOutput:
        output = next(self._stream, None)
        if output is None:
            raise StopAsyncIteration
        return output

    async def final(self) -> ModelOutput:
        return [output async for output in self][-1]

    async def aclose(self) -> None:
        self._stream.close()


@mutant(kills="GEN-08", words="who asked before stands in what the next request sent")
class RemembersWhoAsks(ReferenceClient):
    """Sends who asks, and takes the first for everybody."""

    user: str | None = None

    def payload(self, request: ModelRequest) -> dict[str, Any]:
        """With a name."""
        self.user = self.user or request.context.user_name
        return super().payload(request) | {"user": self.user}
