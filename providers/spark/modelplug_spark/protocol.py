"""The client's side of one Spark conversation: frames in, deltas and one end out.

No I/O, no clock, nothing async: whoever owns the connection passes on what it received, and
when it was closed. The theory (sections 0 and 4 of the protocol notes):

- One connection carries one question and one answer; we enter when the question is sent.
- An answer is frames with ``header.code`` 0, numbered from 0, each with a piece of text. The
  one whose status is 2 is the last and brings the usage (D-Web, L-HMOS; 4.1). Only that makes
  an answer whole: a close proves nothing, not even a polite one (4.6).
- The status that counts is the one in ``choices``; old servers have it in the header (4.1).
- A frame may be empty: no text yet, or a list of sources without ``choices`` (4.1, 4.3).
  Sources are handed out, and are no piece of the answer: a notice after them alone fails.
- Any other code ends the conversation, in whatever frame it comes, at the start or in the
  middle of the answer, mostly without a payload (D-MaaS-WS; 4.5).
- But 10019 is a notice that comes after all of the answer, which it doesn't take back
  (D-MaaS-WS; 5.1). Before any of the answer it is a failure like the others.
- What comes after the end is nobody's answer, and is ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal, TypeAlias, TypeGuard

from msgspec import UNSET, UnsetType

from modelplug import (
    Delta,
    Finish,
    FinishReason,
    ProxyLLMError,
    SchemaError,
    SequenceError,
    ToolCallDelta,
    TruncatedStreamError,
    Usage,
)
from modelplug.transport.faults import printable
from modelplug_spark.codes import NOTICE, error_of
from modelplug_spark.frames import (
    Choices,
    FunctionCall,
    Response,
    ResponseHeader,
    ResponsePayload,
    decode_response,
)
from modelplug_spark.sources import sources_of

__all__ = ["TRANSITIONS", "Event", "SparkProtocol", "State"]

State: TypeAlias = Literal["asked", "answering", "finished", "failed"]
Event: TypeAlias = Literal["empty", "piece", "last", "notice", "error", "closed"]

TRANSITIONS: Final[dict[State, dict[Event, State]]] = {
    "asked": {
        "empty": "asked",
        "piece": "answering",
        "last": "finished",
        "notice": "failed",
        "error": "failed",
        "closed": "failed",
    },
    "answering": {
        "empty": "answering",
        "piece": "answering",
        "last": "finished",
        "notice": "finished",
        "error": "failed",
        "closed": "failed",
    },
    "finished": dict.fromkeys(("empty", "piece", "last", "notice", "error", "closed"), "finished"),
    "failed": dict.fromkeys(("empty", "piece", "last", "notice", "error", "closed"), "failed"),
}
"""What each event makes of each state. The two ends are kept whatever comes."""

_NOTHING = ResponsePayload()

_SAID_LIMIT = 2000
"""Characters of a message of the service's that are kept."""

_SID_LIMIT = 64
"""Characters of a session's name; real ones have about 32 (4.4)."""

_COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")


class SparkProtocol:
    """One conversation, from the question's going out to its end.

    The end is told in one of two ways: ``receive`` returns a ``Finish``, last, or ``failure``
    is set, and every later call raises it. So what came before a failure is never lost, and a
    failure that nobody looked for isn't either.

    Args:
        strict_sequence: whether a gap in the numbering, or another session's frame, is an
            error; else it is a warning, and the frame is taken as it comes.
        scrub: takes secrets out of what the service says, which may repeat what it was sent.

    Attributes:
        state: where the conversation is.
        failure: why it failed.
        sid: the service's name for the session, once known.
        warnings: what looked odd and failed nothing; the reader may take them out.
    """

    __slots__ = (
        "_calls",
        "_extra",
        "_has_odd_sources",
        "_is_miscounted",
        "_is_unordered",
        "_next_seq",
        "_previous",
        "_scrub",
        "_session",
        "_strict",
        "_usage",
        "failure",
        "sid",
        "state",
        "warnings",
    )

    def __init__(
        self, *, strict_sequence: bool = True, scrub: Callable[[str], str] = lambda said: said
    ) -> None:
        self.state: State = "asked"
        self.failure: ProxyLLMError | None = None
        self.sid = ""
        self.warnings: list[str] = []
        self._strict = strict_sequence
        self._scrub = scrub
        self._session = ""  # as it is told, where ``sid`` is fit to be shown
        self._next_seq = 0
        self._previous = b""  # as it came: one object for each stream that is open, and no dozen
        self._is_unordered = False
        self._is_miscounted = False
        self._has_odd_sources = False
        self._calls = 0
        self._usage: Usage | None = None
        self._extra: Mapping[str, object] | None = None

    @property
    def done(self) -> bool:
        """Whether the answer is whole."""
        return self.state == "finished"

    def receive(self, messages: Iterable[bytes]) -> list[Delta | Finish]:
        """Take in what the service sent; the pieces of the answer that are in it.

        Raises:
            ProxyLLMError: the conversation had failed before.
        """
        self._check()
        pieces: list[Delta | Finish] = []
        for message in messages:
            try:
                self._take(message, pieces)
            except ProxyLLMError as error:
                self._meet("error", error)
            if self.failure is not None:
                break
        return pieces

    def closed(self, code: int | None = None, reason: str = "") -> None:
        """Take in that the service closed the connection, with whatever code.

        Raises:
            TruncatedStreamError: the answer isn't whole.
            ProxyLLMError: the conversation had failed before.
        """
        self._check()
        told = f"the service closed the connection (code {code}) before the answer's last frame"
        error = TruncatedStreamError(told, provider_message=reason or None)
        # RFC 6455 section 7.4.1: 1003, 1008 and 1009 refuse what we sent, and would again.
        error.retryable = code not in (1003, 1008, 1009)
        self._meet("closed", error)
        self._check()

    def _check(self) -> None:
        if self.failure is not None:
            raise self.failure

    def _meet(self, event: Event, cause: ProxyLLMError) -> None:
        """Follow the table for an event that fails whatever isn't over."""
        self.state = TRANSITIONS[self.state][event]
        if self.state == "failed":
            cause.complete(request_id=self.sid or None)
            # Without the traceback, whose frames hold this object: no cycle, and no message of the
            # service's in anybody's locals.
            self.failure = cause.with_traceback(None)

    def _take(self, message: bytes, pieces: list[Delta | Finish]) -> None:
        """See to all that can be wrong with a frame, or odd, before it counts."""
        frame = decode_response(message)
        header, payload = frame.header, frame.payload or _NOTHING
        if not self._session:
            self._session = header.sid
            self.sid = self._plain(header.sid)[:_SID_LIMIT]
        if header.code and header.code != NOTICE:
            raise error_of(header.code, self._plain(header.message), self.sid)
        if self.state == "finished":
            self._note(header)  # a notice may still come; all else is nobody's
            return
        choices = payload.choices or None
        if choices is not None:
            if not self._is_new(frame, choices):
                return
            self._previous = message
        if payload.usage:
            self._usage = self._counted(payload.usage.text)
        if payload.plugins is not UNSET and payload.plugins is not None:
            pieces += self._sources(payload.plugins)
        if isinstance(payload.question_type, str):
            self._extra = {"question_type": self._plain(payload.question_type)}
        self._advance(header, choices, pieces)

    def _advance(
        self, header: ResponseHeader, choices: Choices | None, pieces: list[Delta | Finish]
    ) -> None:
        """Follow the table for a frame of the answer, and hand out what is in it."""
        deltas = self._deltas(choices) if choices is not None else ()
        event = _event(header, choices, has_text=bool(deltas))
        state = self.state = TRANSITIONS[self.state][event]
        if header.code:
            if state == "failed":
                raise error_of(header.code, self._plain(header.message), self.sid)
            self._note(header)
        pieces += deltas
        if state == "finished":
            reason: FinishReason = "tool_calls" if self._calls else "stop"
            pieces.append(Finish(reason, usage=self._usage, extra=self._extra))

    def _is_new(self, frame: Response, choices: Choices) -> bool:
        """Whether the frame is the next one; False for the last one once more."""
        sid = frame.header.sid
        is_ours = not sid or sid == self._session
        if is_ours and choices.seq == self._next_seq:
            self._next_seq += 1
            return True
        if self._previous and frame == decode_response(self._previous):
            return False
        fault = f"frame {choices.seq} came where {self._next_seq} belongs"
        if not is_ours:
            fault = "a frame of another session came"
        if self._strict:
            raise SequenceError(fault)
        # One warning, however disorderly the answer: a hostile one must not fill the memory.
        if not self._is_unordered:
            self._is_unordered = True
            self.warnings.append(fault)
        self._next_seq = max(self._next_seq, choices.seq + 1)
        return True

    def _deltas(self, choices: Choices) -> list[Delta]:
        deltas = []
        for item in choices.text or ():
            if item.function_call:
                deltas.append(Delta(tool_call=self._tool_call(item.function_call)))
            if item.content or item.reasoning_content:
                deltas.append(Delta(item.content or "", reasoning=item.reasoning_content or ""))
        return deltas

    def _sources(self, plugins: object) -> list[Delta]:
        """What a search found; one that can't be read is no reason to lose the answer (4.3)."""
        sources, readable = sources_of(plugins)
        # One warning, as for disorder.
        if not readable and not self._has_odd_sources:
            self._has_odd_sources = True
            self.warnings.append("the service's list of sources can't be read")
        return [Delta(sources=sources)] if sources else []

    def _tool_call(self, call: FunctionCall) -> ToolCallDelta:
        """A whole call in one piece, without an id; one an answer at the most (4.2)."""
        self._calls += 1
        return ToolCallDelta(self._calls - 1, name=call.name, arguments=call.arguments)

    def _counted(self, counts: Mapping[str, object]) -> Usage | None:
        """The service's counts; a bill that can't be read is no reason to lose the answer."""
        raw = {name: value for name, value in counts.items() if _is_count(value)}
        prompt, completion, total = map(raw.get, _COUNTS)
        is_total_odd = total is None and counts.get("total_tokens") is not None
        if not (prompt is None or completion is None or is_total_odd):
            return Usage(
                prompt_tokens=prompt, completion_tokens=completion, total_tokens=total, raw=raw
            )
        if not self._is_miscounted:  # one warning, however often it comes
            self._is_miscounted = True
            self.warnings.append("the service's usage can't be read")
        return None

    def _plain(self, said: str) -> str:
        """What the service said: first without secrets, then in one line, and only then cut."""
        return printable(self._scrub(said), limit=_SAID_LIMIT)

    def _note(self, header: ResponseHeader) -> None:
        if header.code == NOTICE:
            self.warnings.append(
                f"the service warns of this dialogue ({NOTICE}): {self._plain(header.message)}"
            )


def _event(header: ResponseHeader, choices: Choices | None, *, has_text: bool) -> Event:
    """What a frame without a failure is, by the theory above."""
    if header.code == NOTICE and not has_text:
        return "notice"
    own: int | UnsetType = UNSET if choices is None else choices.status
    if own == 2 or header.status == 2:
        return "last"
    told = own if own is not UNSET else header.status
    if told not in (0, 1) and (choices is not None or told is not UNSET):
        raise SchemaError(f"a frame has the status {told}")
    return "piece" if has_text else "empty"


def _is_count(value: object) -> TypeGuard[int]:
    # Not isinstance: True is an int to Python, and no number of tokens.
    return type(value) is int and 0 <= value < 2**53  # above, it is no count of anything
