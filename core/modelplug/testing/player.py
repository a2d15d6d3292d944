"""Plays a script on one connection."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Protocol

from modelplug.delta import Delta
from modelplug.testing.codec import Encoder, said
from modelplug.testing.gates import Gates
from modelplug.testing.steps import (
    CloseCode,
    CutFrame,
    Drip,
    Fragment,
    Garbage,
    GarbageKind,
    Gate,
    HangUp,
    KeepAlive,
    Lines,
    Message,
    RawBytes,
    Reset,
    Silence,
    Split,
    Step,
)

__all__ = ["Played", "Player"]

_GARBAGE: dict[GarbageKind, Message | RawBytes] = {
    "text": Message(b"{not json"),
    "shape": Message(b'["no", "such", "shape"]'),
    "utf8": Message(b'{"\xff\xfe": 1}'),
    "binary": Message(b"\x00\x01\x02", binary=True),
    "opcode": RawBytes(b"\x83\x02{}"),
    "reserved": RawBytes(b"\xc1\x02{}"),
    "masked": RawBytes(b"\x81\x82\x00\x00\x00\x00{}"),
    "length": RawBytes(b"\x81\x7f\x40\x00\x00\x00\x00\x00\x00\x00"),
    "continuation": RawBytes(b"\x80\x02{}"),
    "chunk": RawBytes(b"length\r\n{}\r\n"),
}
"""Messages, and what stands on the wire: frames (RFC 6455, section 5.2), or a chunk of HTTP's."""


class Played(Protocol):
    """What a player asks of a connection."""

    def message_frames(
        self, data: bytes, *, binary: bool = False, frames: int = 1, ping_between: bool = False
    ) -> list[bytes]:
        """A message as the bytes of its frames, to be written."""
        ...  # pragma: no cover

    def part(self, data: bytes, share: float) -> bytes:
        """So much of a message as the bytes that stand on the wire; less than all of it."""
        ...  # pragma: no cover

    async def write(self, *pieces: bytes) -> None:
        """Write bytes, each piece in a write of its own."""
        ...  # pragma: no cover

    async def ping(self) -> None:
        """Send what keeps a connection alive and says nothing."""
        ...  # pragma: no cover

    async def change(self, step: Step) -> None:
        """Do a step that is for this kind of wire alone."""
        ...  # pragma: no cover

    async def hang_up(self) -> None:
        """End politely."""
        ...  # pragma: no cover

    def finish(self) -> None:
        """End the connection from this side."""
        ...  # pragma: no cover

    def reset(self) -> None:
        """Reset the connection."""
        ...  # pragma: no cover


class Player:
    """Plays steps on a connection, in the words of an encoder."""

    def __init__(self, connection: Played, encoder: Encoder, gates: Gates) -> None:
        self._connection = connection
        self._encoder = encoder
        self._gates = gates
        self._pause = 0.0
        self._size = 0
        self._frames = Fragment(1)
        self._share: float | None = None

    async def play(self, steps: Iterable[Step]) -> None:
        """Do one step after the other."""
        for each in steps:
            step = _GARBAGE[each.kind] if isinstance(each, Garbage) else each
            for message in self._messages(step):
                await self._send(message)
            await self._act(step)

    def _messages(self, step: Step) -> Sequence[Message]:
        """What is to be sent for a step that is content."""
        if isinstance(step, Message):
            return [step]
        return [Message(each) for each in said(step, self._encoder)]

    async def _send(self, message: Message) -> None:
        if self._pause:
            await asyncio.sleep(self._pause)
        frames = self._connection.message_frames(
            message.data,
            binary=message.binary,
            frames=self._frames.frames,
            ping_between=self._frames.ping_between,
        )
        await self._connection.write(*in_pieces(frames, self._size))

    async def _act(self, step: Step) -> None:
        """Do a step that isn't content."""
        match step:
            case Gate():
                await self._gates.wait(step.name)
            case Drip() | Split() | Fragment():
                self._change(step)
            case Silence():
                await asyncio.Future()
            case KeepAlive():
                await self._keep_alive(step.seconds)
            case RawBytes():
                await self._connection.write(*in_pieces([step.data], self._size))
            case Lines() | CloseCode():
                await self._connection.change(step)
            case HangUp() | CutFrame() | Reset():
                await self._end(step)

    def _change(self, step: Drip | Split | Fragment) -> None:
        match step:
            case Drip():
                self._pause = step.seconds
            case Split():
                self._size = step.size
            case Fragment():
                self._frames = step

    async def _end(self, step: HangUp | CutFrame | Reset) -> None:
        match step:
            case HangUp():
                await self._connection.hang_up()
            case CutFrame():
                await self._cut(step.share)
            case Reset():
                self._connection.reset()

    async def _cut(self, share: float) -> None:
        """Part of a message that would be right, and the end."""
        messages = [*self._encoder.delta(Delta("cut")), b"cut"]
        await self._connection.write(self._connection.part(messages[0], share))
        self._connection.finish()

    async def _keep_alive(self, seconds: float) -> None:
        while True:
            await self._connection.ping()
            await asyncio.sleep(seconds)


def in_pieces(data: Iterable[bytes], size: int) -> list[bytes]:
    """Bytes in pieces of ``size`` at the most; 0 leaves them as they are."""
    whole = list(data)
    if not size:
        return whole
    return [each[at : at + size] for each in whole for at in range(0, len(each), size)]
