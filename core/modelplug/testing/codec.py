"""How a provider says things: what the author of a provider writes to have it tested.

A script says ``Delta``, ``Finish`` or ``Fail``; a codec turns each into the messages that the
provider's service would send. It has nothing to do with sockets, gates or faults.

On a wire messages are bytes. In process (``modelplug.testing.inprocess``) they are whatever the
library gives its users: objects of any kind, and exceptions, which are raised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from modelplug.delta import Delta, Finish
from modelplug.testing.steps import Fail, Noise, Status, Step

__all__ = ["Called", "Codec", "Encoder", "RawRequest", "said"]


@dataclass(frozen=True, slots=True)
class Called:
    """With what a library was called; nothing of it is shown by repr."""

    args: Sequence[Any] = field(repr=False, default=())
    kwargs: Mapping[str, Any] = field(repr=False, default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class RawRequest:
    """What a client asked, as it came.

    Attributes:
        target: path and query of the request line, still escaped. It may hold credentials, as
            the headers may: neither is shown by repr.
        method: HTTP's, of the request or of the handshake; empty where there is no HTTP.
        headers: by lower-case name; the last one of a name.
        body: the message; empty while there is only a handshake.
        called: the call itself, where a library was called in process; ``body`` is its repr.
    """

    target: str = field(repr=False)
    method: str = ""
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)
    body: bytes = b""
    called: Called = field(repr=False, default_factory=Called)

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """What follows the question mark, still escaped."""
        return self.target.partition("?")[2]


class Encoder(Protocol):
    """The messages of one answer; it may count them, so each answer has its own.

    Bytes where there is a wire, anything in process.
    """

    def delta(self, delta: Delta) -> Sequence[Any]:
        """The messages for a piece of the answer; none where the wire has them later."""
        ...  # pragma: no cover

    def finish(self, finish: Finish) -> Sequence[Any]:
        """The messages of the end."""
        ...  # pragma: no cover

    def fail(self, fail: Fail) -> Sequence[Any]:
        """The messages of a failure."""
        ...  # pragma: no cover

    def noise(self) -> Sequence[Any]:
        """Messages that are right and mean nothing."""
        ...  # pragma: no cover


def said(step: Step, encoder: Encoder) -> Sequence[Any]:
    """What an encoder says for a step that the codec has words for; nothing for any other."""
    match step:
        case str():
            return encoder.delta(Delta(step))
        case Delta():
            return encoder.delta(step)
        case Finish():
            return encoder.finish(step)
        case Fail():
            return encoder.fail(step)
        case Noise():
            return encoder.noise()
    return ()


class Codec(Protocol):
    """One provider's way of saying things."""

    def encoder(self, request: RawRequest) -> Encoder:
        """The encoder of the answer to a request."""
        ...  # pragma: no cover

    def refusal(self, fail: Fail) -> Status | None:
        """The HTTP answer for a failure that the provider tells before it takes a question."""
        ...  # pragma: no cover
