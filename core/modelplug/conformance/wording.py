"""What a service says, byte by byte: a codec whose messages a check may change on their way out.

In process they are objects, and go out as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from modelplug.conformance.harness import Asked, ServiceCodec
from modelplug.conformance.messagevalues import differ
from modelplug.delta import Delta, Finish
from modelplug.testing.codec import Encoder, RawRequest
from modelplug.testing.steps import Fail, Status

__all__ = ["MARK", "Wording", "escaped"]

MARK = "~mark~"
"""A text that any format has as it is: a check puts something else in its place."""


class Wording:
    """A harness's codec, but for what ``rewrite`` makes of each message; by default nothing.

    Attributes:
        rewrite: gets each message that the service says in bytes, and gives what goes out.
    """

    def __init__(self, codec: ServiceCodec) -> None:
        self._codec = codec
        self.rewrite: Callable[[bytes], bytes] = bytes

    def encoder(self, request: RawRequest) -> Encoder:
        """The codec's encoder, with its messages rewritten."""
        return _Rewritten(self._codec.encoder(request), self)

    def refusal(self, fail: Fail) -> Status | None:
        """As the codec has it."""
        return self._codec.refusal(fail)

    def asked(self, request: RawRequest) -> Asked:
        """As the codec has it."""
        return self._codec.asked(request)

    def says(self, piece: Delta | Finish) -> list[Any]:
        """The messages of an answer that is this piece, and then ends if it isn't the end."""
        encoder = self._codec.encoder(RawRequest(target="/"))
        if isinstance(piece, Finish):
            return [*encoder.finish(piece)]
        return [*encoder.delta(piece), *encoder.finish(Finish())]

    def can_say(self, delta: Delta) -> bool:
        """Whether the service has a place for a piece, which holds MARK somewhere."""
        return any(MARK in _text(message) for message in self.says(delta))

    def tells_apart(self, one: Finish, other: Finish) -> bool:
        """Whether the service says two ends in different words, whatever its sessions' names."""
        return differ(lambda: self.says(one), lambda: self.says(other))


def _text(message: object) -> str:
    """What can be read in a message, or in an object's repr."""
    return message.decode(errors="replace") if isinstance(message, bytes) else repr(message)


class _Rewritten:
    def __init__(self, encoder: Encoder, wording: Wording) -> None:
        self._encoder = encoder
        self._wording = wording

    def _changed(self, messages: Sequence[Any]) -> Sequence[Any]:
        rewrite = self._wording.rewrite
        return [rewrite(each) if isinstance(each, bytes) else each for each in messages]

    def delta(self, delta: Delta) -> Sequence[Any]:
        return self._changed(self._encoder.delta(delta))

    def finish(self, finish: Finish) -> Sequence[Any]:
        return self._changed(self._encoder.finish(finish))

    def fail(self, fail: Fail) -> Sequence[Any]:
        return self._changed(self._encoder.fail(fail))

    def noise(self) -> Sequence[Any]:
        return self._changed(self._encoder.noise())


def escaped(message: bytes) -> bytes:
    r"""The same JSON in ASCII: whatever else there is becomes ``\uXXXX``, in pairs if need be."""
    return "".join(map(_ascii, message.decode())).encode()


def _ascii(character: str) -> str:
    if character.isascii():
        return character
    units = character.encode("utf-16-be").hex()
    return "".join(rf"\u{units[at : at + 4]}" for at in range(0, len(units), 4))
