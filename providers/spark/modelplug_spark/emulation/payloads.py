"""The frames of an answer, in section 4's form: what each says, and where it stands."""

from __future__ import annotations

from collections.abc import Sequence

from modelplug_spark.emulation.answers import chunks
from modelplug_spark.emulation.faults import INVENTED, Fault
from modelplug_spark.emulation.replies import Reply
from modelplug_spark.emulation.settings import EmulatorSettings
from modelplug_spark.frames import (
    Choices,
    ChoicesText,
    Response,
    ResponseHeader,
    ResponsePayload,
    UsageBlock,
)
from modelplug_spark.sources import plugins_of

__all__ = ["numbered", "payloads", "refused"]


def payloads(answer: Reply, settings: EmulatorSettings) -> list[ResponsePayload]:
    """What the frames say, in order: the sources, then the pieces; the usage comes last."""
    pieces = _pieces(answer, empty_last=settings.empty_last)
    bare = []
    if answer.sources and settings.bare_sources:
        bare = [ResponsePayload()]
    elif answer.sources:
        pieces.insert(0, ChoicesText(content="", role="assistant", index=0))
    said = bare + [
        ResponsePayload(choices=Choices(seq=seq, text=[piece])) for seq, piece in enumerate(pieces)
    ]
    if answer.sources:
        said[0].plugins = plugins_of(answer.sources)
    said[-1].usage = UsageBlock(text={**answer.usage})
    return said


def _pieces(answer: Reply, *, empty_last: bool) -> list[ChoicesText]:
    """Thinking, whose content is empty, and then text; or a call alone (sections 4.1, 4.2)."""
    if answer.call is not None:
        return [ChoicesText(content="", role="assistant", index=0, function_call=answer.call)]
    thinking = [
        ChoicesText(content="", role="assistant", index=0, reasoning_content=piece)
        for piece in chunks(answer.thinking)
    ]
    contents = [*chunks(answer.text), *([""] if empty_last else [])]
    return thinking + [
        ChoicesText(content=content, role="assistant", index=0) for content in contents
    ]


def numbered(said: Sequence[ResponsePayload], sid: str) -> list[Response]:
    """The frames; their status is 0 first, 1 then, 2 last, in both places (section 4.1)."""
    frames = []
    for number, payload in enumerate(said):
        status = 2 if payload.usage else min(number, 1)
        if payload.choices:
            payload.choices.status = status
        header = ResponseHeader(code=0, message="Success", sid=sid, status=status)
        frames.append(Response(header=header, payload=payload))
    return frames


def refused(fault: Fault, sid: str, settings: EmulatorSettings) -> Response:
    """The frame of a failure, without a payload (section 4.5)."""
    silent = fault.code in INVENTED and not settings.invented_texts
    text = "" if silent else fault.text
    return Response(header=ResponseHeader(code=fault.code, message=text, sid=sid, status=2))
