"""Whatever a Spark service sends, its client ends once, in one of the ways that it promises.

An input is the frames of one answer, a line each.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from fuzz.mutation import json_lines as mutate
from modelplug import BackendError, Delta, Finish, ProtocolError, ProxyLLMError
from modelplug_spark.protocol import SparkProtocol

__all__ = ["check", "mutate"]


def check(data: bytes) -> None:
    """Fail if the client's side of the conversation does anything but what it promises."""
    frames = data.split(b"\n")
    for strict in (True, False):
        pieces = one_by_one(frames, strict=strict)
        # How many frames one read brings is chance, and changes nothing.
        assert all_at_once(frames, strict=strict) == pieces


def one_by_one(frames: Sequence[bytes], *, strict: bool) -> list[Delta | Finish]:
    """What a conversation hands out, frame by frame, up to its one end."""
    protocol = SparkProtocol(strict_sequence=strict)
    pieces: list[Delta | Finish] = []
    for frame in frames:
        if protocol.failure is not None:
            break
        was_done = protocol.done
        new = protocol.receive([frame])
        assert not (was_done and new), "something came after the end"
        text = "".join(piece.text for piece in new if isinstance(piece, Delta))
        assert not text or text == text_of(frame), "a frame's text isn't what was handed out"
        pieces += new
    check_end(protocol, pieces)
    return pieces


def all_at_once(frames: Sequence[bytes], *, strict: bool) -> list[Delta | Finish]:
    """What a conversation hands out when all of it comes in one read."""
    protocol = SparkProtocol(strict_sequence=strict)
    pieces = protocol.receive(frames)
    check_end(protocol, pieces)
    return pieces


def check_end(protocol: SparkProtocol, pieces: Sequence[Delta | Finish]) -> None:
    """The connection is closed: fail unless the answer is whole, or typed as a failure."""
    failure = closing(protocol)
    assert failure is protocol.failure
    assert failure is None or isinstance(failure, (ProtocolError, BackendError)), repr(failure)
    assert protocol.done == (failure is None)
    finishes = [place for place, piece in enumerate(pieces) if isinstance(piece, Finish)]
    assert finishes == ([len(pieces) - 1] if protocol.done else []), "not one end, at the end"


def closing(protocol: SparkProtocol) -> ProxyLLMError | None:
    """How the conversation takes the service's close."""
    try:
        protocol.closed(1000, "close this ws conn")
    except ProxyLLMError as error:
        return error
    return None


def text_of(frame: bytes) -> str:
    """A frame's text by the standard library."""
    # Numbers as text: it refuses those of many digits, and they are nothing to us.
    told = json.loads(frame.decode(errors="replace"), parse_int=str, parse_float=str)
    return "".join(item.get("content") or "" for item in told["payload"]["choices"]["text"])
