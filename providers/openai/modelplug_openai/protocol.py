"""The client's side of one answer: events in, deltas and one end out.

No I/O, no clock, nothing async: whoever owns the connection passes on the events that it found,
and when the body was over. The theory:

- An answer is chunks, each with at most one choice, then a chunk with a ``finish_reason``, then
  maybe one without choices that has the usage, then ``[DONE]``
  (https://platform.openai.com/docs/api-reference/chat-streaming).
- The finish reason makes the answer whole; ``[DONE]`` alone doesn't, but where a service is
  documented to send no reason (``Preset.ending``). The end of the body does nothing by itself.
- The end is told when no usage can come any more: at ``[DONE]``, or at the end of a body whose
  answer is whole. Usage in any chunk counts, the last that comes.
- A failure may come in the place of any chunk, though the status was 200, and in
  ``finish_reason``. It wins over an end that hasn't been told yet.
- What comes after the end is nobody's answer, and is ignored.
- ``<think>`` in the text is text, unless it is to be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from modelplug import (
    ContentFilterError,
    Delta,
    Finish,
    FinishReason,
    ProtocolError,
    ProxyLLMError,
    SequenceError,
    TruncatedStreamError,
    Usage,
)
from modelplug_openai.chunks import Choice, Chunk, Piece, decode_chunk
from modelplug_openai.codes import failure_of, has_odd, look_for_failure, misshapen_failure
from modelplug_openai.content import Content, is_empty
from modelplug_openai.preset import Preset
from modelplug_openai.reasons import reason_of
from modelplug_openai.remarks import plain
from modelplug_openai.states import TRANSITIONS, State
from modelplug_openai.usage import usage_of

__all__ = ["OpenAIProtocol"]

_NAME_LIMIT = 128
"""Characters of an id, a model's name, or a reason."""


class OpenAIProtocol:
    """One answer, from the first event to its end.

    The end is told in one of two ways: the pieces end with a ``Finish``, or ``failure`` is set,
    and every later call raises it. So what came before a failure is never lost, and a failure
    that nobody looked for isn't either.

    Args:
        preset: what is particular to the service.
        scrub: takes secrets out of what the service says, which may repeat what it was sent.
        request_id: the service's name for the request from the response's headers, if any; it
            goes before the answer's own.
        think_tags: whether ``<think>`` at the start of the text begins the model's thinking.

    Attributes:
        state: where the answer is.
        failure: why it failed.
        request_id: the service's name for the request, once known.
        model: which model answers, as the service says, once known.
        warnings: what looked odd and failed nothing; the reader may take them out.
    """

    def __init__(
        self,
        *,
        preset: Preset,
        scrub: Callable[[str], str],
        request_id: str | None = None,
        think_tags: bool = False,
    ) -> None:
        self.state: State = "asked"
        self.failure: ProxyLLMError | None = None
        self.request_id = request_id or ""
        self.model = ""
        self.warnings: list[str] = []
        self._failures = preset.failures
        self._transitions = TRANSITIONS[preset.ending]
        self._scrub = scrub
        self._id: object = None
        self._content = Content(scrub=scrub, think_tags=think_tags)
        self._reason: str | None = None
        self._counts: object = None
        self._warned: set[str] = set()

    @property
    def is_whole(self) -> bool:
        """Whether nothing of the answer can come any more but its usage."""
        return self.state == "ended"

    @property
    def done(self) -> bool:
        """Whether the answer is whole, and its end has been told."""
        return self.state == "finished"

    def receive(self, events: Iterable[bytes]) -> list[Delta | Finish]:
        """Take in the data of events; the pieces of the answer that are in it.

        Raises:
            ProxyLLMError: the answer had failed before.
        """
        self._check()
        pieces: list[Delta | Finish] = []
        for data in events:
            try:
                self._take(data, pieces)
            except ProxyLLMError as error:
                self.fail(error)
                break
        return pieces

    def completion(self, body: bytes) -> list[Delta | Finish]:
        """Take in a whole answer, as a service sends it that doesn't stream.

        Raises:
            ProxyLLMError: the answer had failed before.
        """
        self._check()
        pieces: list[Delta | Finish] = []
        try:
            self._read(self._chunk(body), body, pieces)
            self._end("done", pieces)
        except ProxyLLMError as error:
            self.fail(error)
        return pieces

    def closed(self) -> list[Delta | Finish]:
        """Take in that the body is over, and was not cut off: the end, where one has come.

        Raises:
            ProxyLLMError: the answer had failed before.
        """
        self._check()
        pieces: list[Delta | Finish] = []
        try:
            self._end("closed", pieces)
        except ProxyLLMError as error:
            self.fail(error)
        return pieces

    def fail(self, cause: ProxyLLMError) -> None:
        """Take in that nothing more can be read: that is a failure, unless the answer is over."""
        if isinstance(cause, ContentFilterError):
            cause.stage = cause.stage or ("input" if self.state == "asked" else "output")
        self.state = self._transitions[self.state]["error"]
        if self.state != "failed":
            self._warn("the service went on after the end of the answer")
            return
        cause.complete(request_id=self.request_id or None)
        # Without the traceback, whose frames hold this object: no cycle, and no message of the
        # service's in anybody's locals.
        self.failure = cause.with_traceback(None)

    def _check(self) -> None:
        if self.failure is not None:
            raise self.failure

    def _take(self, data: bytes, pieces: list[Delta | Finish]) -> None:
        if data[:1] != b"{":
            word = data.strip()
            if word == b"[DONE]":
                self._end("done", pieces)
                return
            if not word:  # some keep a connection alive by it
                return
        self._read(self._chunk(data), data, pieces)

    def _chunk(self, data: bytes) -> Chunk:
        try:
            return decode_chunk(data)
        except ProtocolError as error:
            fault = error
        raise misshapen_failure(data, failures=self._failures, scrub=self._scrub) or fault

    def _read(self, chunk: Chunk, data: bytes, pieces: list[Delta | Finish]) -> None:
        """See to all that can be wrong with a chunk, or odd, before it counts."""
        choices = chunk.choices
        if not choices or has_odd(chunk):
            look_for_failure(chunk, data, failures=self._failures, scrub=self._scrub)
        if self.state == "finished":
            self._warn("the service went on after the end of the answer")
            return
        if chunk.id != self._id or not self.model:
            self._identify(chunk)
        if chunk.usage is not None or chunk.x_groq is not None:
            self._counts = chunk.usage or _of(chunk.x_groq, "usage") or self._counts
        self._content.extras.of_chunk(chunk)
        if not choices:
            return
        choice = choices[0]
        if len(choices) > 1 or choice.index:
            raise SequenceError("the service sent more answers than the one that was asked for")
        self._advance(choice, pieces)

    def _advance(self, choice: Choice, pieces: list[Delta | Finish]) -> None:
        """Follow the table for a choice, and hand out what is in it."""
        piece, message = choice.delta, choice.message
        if piece is not None and not (message is not None and is_empty(piece)):
            self._say(piece, choice, pieces)
        if message is not None:
            if self._content.is_denied_by(message):
                self._warn("the whole message isn't what its pieces said")
            self._say(self._content.unsaid(message), choice, pieces)
        self._counts = choice.usage or self._counts
        if choice.content_filter_results:
            self._content.extras.keep("content_filter_results", choice.content_filter_results)
        # Older services of Qwen's write "null" as text.
        word = "" if choice.finish_reason == "null" else choice.finish_reason or ""
        if word or choice.error is not None:
            failure = failure_of(choice, word, failures=self._failures, scrub=self._scrub)
            if failure is not None:
                raise failure
        if not word:
            self.state = self._transitions[self.state]["piece"]
            return
        if self.state != "ended":
            self._reason = word
        self.state = self._transitions[self.state]["reason"]

    def _say(self, piece: Piece, choice: Choice, pieces: list[Delta | Finish]) -> None:
        if self.state != "ended":
            self._content.take(piece, choice, pieces)
        elif not is_empty(piece):
            self._warn("the service went on after the end of the answer")

    def _end(self, event: Literal["done", "closed"], pieces: list[Delta | Finish]) -> None:
        """Follow the table for what ends a stream; it is the answer's end only where that came."""
        if self.state == "finished":
            return
        state = self._transitions[self.state][event]
        if state == "failed":
            raise TruncatedStreamError(
                "the stream was over before the answer was: no finish reason has come"
            )
        self.state = state
        self._content.end(pieces)
        extra = self._content.extras.at_end()
        raw = None if self._reason is None else self._plain(self._reason)
        pieces.append(Finish(self._why(), raw=raw, usage=self._usage(), extra=extra))

    def _why(self) -> FinishReason:
        """Ours for the service's word, which may be too little, or not be there."""
        raw = self._reason
        reason: FinishReason = "stop" if raw is None else reason_of(raw)
        if reason == "stop" and self._content.extras.refused:
            return "content_filter"
        # OpenAI says stop where the call was forced, others always.
        return "tool_calls" if reason == "stop" and self._content.calls else reason

    def _identify(self, chunk: Chunk) -> None:
        if isinstance(chunk.id, str) and chunk.id and chunk.id != self._id:
            if self._id is not None:
                self._warn("the service gave the answer more than one id")
            self._id = chunk.id
            self.request_id = self.request_id or self._plain(chunk.id)
        if not self.model and isinstance(chunk.model, str):
            self.model = self._plain(chunk.model)

    def _usage(self) -> Usage | None:
        """The last counts; a bill that can't be read is no reason to lose the answer."""
        counts = self._counts
        if not counts:
            return None
        usage = usage_of(counts, self._scrub) if isinstance(counts, Mapping) else None
        if usage is None:
            self._warn("the service's usage can't be read")
        return usage

    def _plain(self, said: str) -> str:
        return plain(said, self._scrub, limit=_NAME_LIMIT)

    def _warn(self, told: str) -> None:
        # Once each: a hostile service must not fill the memory.
        if told not in self._warned:
            self._warned.add(told)
            self.warnings.append(told)


def _of(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, Mapping) else None
