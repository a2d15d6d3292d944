"""What a scripted upstream does, step by step: the vocabulary of scripts.

::

    "Hel", Gate("more"), "lo", Finish("stop")

The content of an answer is said in the contract's own values, and a text alone stands for a
``Delta``. The rest are steps of three kinds:

==================  ==============================================================================
pace                what it does to whatever comes after it
==================  ==============================================================================
Gate, Drip          wait for the test to release it; so long a pause before each message
Split, Fragment     the bytes in small writes; each message in several frames or chunks
Lines               events of SSE in the other ways that its standard allows
==================  ==============================================================================

==================  ==============================================================================
fault               how the answer, or the connection, ends
==================  ==============================================================================
Refuse              nobody listens at the address
Hang                the connection is taken, and the handshake, or the request, never answered
Status              an HTTP answer instead of the handshake, or to the request
EarlyStatus         one that doesn't wait for the request's body, and the end
Fail                a failure in the provider's own words
Silence, KeepAlive  nothing comes any more; nothing but pings, comments or blank lines
HangUp, CloseCode   a polite end without a terminal sign; one with a close code
CutFrame, Reset     the connection ends inside a message; it is reset
Garbage, RawBytes   what no client can read; bytes as they are
==================  ==============================================================================

Refuse, Hang, Status and EarlyStatus come before an answer, so each of them is a script by itself.
After its last step an upstream waits for the client to leave: it never closes of its own accord.
Over HTTP a script with a Finish or a Fail in it ends the response, and the connection stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Literal, TypeAlias, get_args

from modelplug.delta import Delta, Finish

__all__ = [
    "CloseCode",
    "CutFrame",
    "Drip",
    "EarlyStatus",
    "Fail",
    "FailKind",
    "Fragment",
    "Garbage",
    "GarbageKind",
    "Gate",
    "Hang",
    "HangUp",
    "KeepAlive",
    "LineEnd",
    "Lines",
    "Message",
    "Noise",
    "RawBytes",
    "Refuse",
    "Reset",
    "Silence",
    "Split",
    "Status",
    "Step",
    "check",
]

FailKind: TypeAlias = Literal[
    "auth",
    "permission",
    "quota",
    "rate_limit",
    "concurrency",
    "context_length",
    "content_filter_input",
    "content_filter_output",
    "bad_request",
    "unknown_model",
    "server",
    "overloaded",
    "unknown_code",
]
"""Failures that every service has in some form; ``unknown_code`` is one that nobody documented."""

GarbageKind: TypeAlias = Literal[
    "text",
    "shape",
    "utf8",
    "binary",
    "opcode",
    "reserved",
    "masked",
    "length",
    "continuation",
    "chunk",
]
"""``text`` isn't JSON, ``shape`` is JSON of another shape, ``utf8`` is a text that isn't UTF-8,
``binary`` a message of bytes. The next five break WebSocket's own rules (RFC 6455, section 5): an
unknown opcode, a reserved bit, a masked frame from a server, a length of 2^62, a continuation of
nothing. ``chunk`` breaks HTTP's (RFC 9112, section 7.1): a chunk whose length is no number."""

LineEnd: TypeAlias = Literal["\n", "\r\n", "\r"]
"""How a line of SSE may end."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it is, past the codec: for what only this provider says."""

    data: bytes
    _: KW_ONLY
    binary: bool = False

    def __post_init__(self) -> None:
        _require(isinstance(self.data, bytes), self)


@dataclass(frozen=True, slots=True)
class Noise:
    """Something that the provider may say and that means nothing: clients pass over it."""


@dataclass(frozen=True, slots=True)
class Fail:
    """The failure ``kind``, in the provider's own words.

    Attributes:
        kind: what went wrong.
        message: the provider's text; empty for its usual one.
        retry_after: seconds to wait, where the provider can say so.
    """

    kind: FailKind
    _: KW_ONLY
    message: str = ""
    retry_after: float | None = None

    def __post_init__(self) -> None:
        _require(self.kind in get_args(FailKind), self)


@dataclass(frozen=True, slots=True)
class Gate:
    """Wait until the test releases the gate of this name."""

    name: str


@dataclass(frozen=True, slots=True)
class Drip:
    """From here on, wait so many seconds before each message."""

    seconds: float

    def __post_init__(self) -> None:
        _require(self.seconds >= 0, self)


@dataclass(frozen=True, slots=True)
class Split:
    """From here on, write at most so many bytes at once; 0 stands for no limit."""

    size: int = 1

    def __post_init__(self) -> None:
        _require(self.size >= 0, self)


@dataclass(frozen=True, slots=True)
class Fragment:
    """From here on, send each message in so many frames, with pings between them if asked.

    Over HTTP the pieces are chunks, and instead of pings there is what may stand among lines: a
    comment among those of an SSE event, a blank line before one of NDJSON.
    """

    frames: int = 2
    _: KW_ONLY
    ping_between: bool = False

    def __post_init__(self) -> None:
        _require(self.frames >= 1, self)


@dataclass(frozen=True, slots=True)
class Lines:
    """From here on, write SSE's events so; what they say stays the same.

    As the standard has it (https://html.spec.whatwg.org/multipage/server-sent-events.html,
    sections 9.2.5 and 9.2.6). Without arguments they are written as ever.

    Attributes:
        end: how lines end.
        comments: comments, before events and in them.
        fields: ``id``, ``event``, ``retry`` and an unknown field, and events without data.
        blank: whether there is one after a colon.
        several: the data over several lines, where a message is JSON that can be cut.
        bom: begin with a byte order mark, if nothing of the answer was said before.
    """

    end: LineEnd = "\n"
    _: KW_ONLY
    comments: bool = False
    fields: bool = False
    blank: bool = True
    several: bool = False
    bom: bool = False

    def __post_init__(self) -> None:
        _require(self.end in get_args(LineEnd), self)


@dataclass(frozen=True, slots=True)
class Refuse:
    """From when it is played until something else is, nobody listens at the address."""


@dataclass(frozen=True, slots=True)
class Hang:
    """Take the connection and never answer the handshake, or the request."""


@dataclass(frozen=True, slots=True)
class Status:
    """Answer the handshake with this HTTP status and body instead; over HTTP, the request."""

    status: int
    body: str = ""
    _: KW_ONLY
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _require(200 <= self.status <= 999, self)


@dataclass(frozen=True, slots=True)
class EarlyStatus(Status):
    """Answer as soon as the head of the request is there, and end this half of the connection.

    So do services that won't take what is being uploaded; what still comes is thrown away.
    """


@dataclass(frozen=True, slots=True)
class Silence:
    """Say nothing more, and stay: what every script ends with, said in so many words."""


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """Say nothing more, but ping every so many seconds: SSE has comments, NDJSON blank lines."""

    seconds: float = 0.05

    def __post_init__(self) -> None:
        _require(self.seconds > 0, self)


@dataclass(frozen=True, slots=True)
class HangUp:
    """End politely, without any terminal sign: a WebSocket is closed with 1000, a response ends."""


@dataclass(frozen=True, slots=True)
class CloseCode:
    """Close the WebSocket with this code and reason."""

    code: int
    reason: str = ""

    def __post_init__(self) -> None:
        # As RFC 6455 has it: section 7.4 for the codes, 5.5 for the length of a control frame.
        sendable = 1000 <= self.code <= 4999 and self.code not in (1004, 1005, 1006, 1015)
        _require(sendable and len(self.reason.encode()) <= 123, self)


@dataclass(frozen=True, slots=True)
class CutFrame:
    """Send this share of a message, from 0 to less than 1, and end the connection there.

    The message is one that a codec makes of a delta of ours: no step of the script is used up.
    """

    share: float = 0.5

    def __post_init__(self) -> None:
        _require(0 <= self.share < 1, self)


@dataclass(frozen=True, slots=True)
class Reset:
    """Reset the connection, as a machine does that has forgotten it."""


@dataclass(frozen=True, slots=True)
class Garbage:
    """Send what no client can read."""

    kind: GarbageKind = "text"

    def __post_init__(self) -> None:
        _require(self.kind in get_args(GarbageKind), self)


@dataclass(frozen=True, slots=True)
class RawBytes:
    """Write these bytes on the socket."""

    data: bytes


Step: TypeAlias = (
    str
    | Delta
    | Finish
    | Message
    | Noise
    | Fail
    | Gate
    | Drip
    | Split
    | Fragment
    | Lines
    | Refuse
    | Hang
    | Status
    | EarlyStatus
    | Silence
    | KeepAlive
    | HangUp
    | CloseCode
    | CutFrame
    | Reset
    | Garbage
    | RawBytes
)
"""One step of a script; a string is a Delta with that text."""


def check(steps: Iterable[object]) -> None:
    """Refuse what can't be played.

    Raises:
        TypeError: one of the steps is none.
        ValueError: a step that comes before an answer isn't alone.
    """
    steps = list(steps)
    for step in steps:
        if not isinstance(step, get_args(Step)):
            raise TypeError(f"{step!r} is no step of a script")
        if isinstance(step, Refuse | Hang | Status) and len(steps) > 1:
            raise ValueError(f"{step!r} comes before any answer: play it alone")


def _require(holds: bool, step: object) -> None:
    if not holds:
        raise ValueError(f"{step!r} can't be played")
