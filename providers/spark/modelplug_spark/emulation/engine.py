"""What becomes of a question that licence and limits let through: frames, or a failure's.

The order is section 5.3's of the protocol notes: the audit of the input, the count of its tokens,
the engine, the answer and its audit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from msgspec import UNSET

from modelplug_spark.emulation.audits import has_word, output_of, passed
from modelplug_spark.emulation.faults import Fault, fault
from modelplug_spark.emulation.inquiry import Inquiry, is_hosted
from modelplug_spark.emulation.payloads import numbered, payloads, refused
from modelplug_spark.emulation.replies import reply
from modelplug_spark.emulation.settings import EmulatorSettings
from modelplug_spark.frames import Response, ResponsePayload, encode_response
from modelplug_spark.tokens import tokens

__all__ = ["Frame", "Outcome", "failure", "outcome"]

_SHARED: Final = 32_767
"""Tokens that prompt and answer of a hosted model may have together (D-MaaS-WS)."""

_HOSTED_ANSWER: Final = 2048
"""A hosted model's ``max_tokens`` where none is asked for (D-MaaS-WS)."""


class Frame(NamedTuple):
    """A message of the service's.

    Attributes:
        message: the message.
        after: seconds that the service lets pass before it.
        paced: whether it comes at an answer's pace; what follows the last frame comes at once.
    """

    message: bytes
    after: float = 0.0
    paced: bool = True


class Outcome(NamedTuple):
    """The frames that answer a question, and the tokens that are billed for it."""

    frames: Sequence[Frame]
    tokens: int


def failure(wrong: Fault, sid: str, settings: EmulatorSettings, *, after: float = 0.0) -> Frame:
    """The frame of a failure, which comes after so many seconds."""
    return Frame(encode_response(refused(wrong, sid, settings)), after)


def outcome(inquiry: Inquiry) -> Outcome:
    """What is answered to a question with nothing wrong in it."""
    settings, now = inquiry.settings, inquiry.now
    objection = _objection(inquiry)
    if objection is not None:
        return Outcome([failure(objection, inquiry.sid, settings)], 0)
    if settings.busy:
        busy = failure(fault(10110, now), inquiry.sid, settings, after=settings.busy_seconds)
        return Outcome([busy], 0)
    answer = reply(inquiry.request, inquiry.model)
    frames = _audited(payloads(answer, settings), inquiry)
    return Outcome(_until_stuck(frames, inquiry), answer.usage["total_tokens"])


def _objection(inquiry: Inquiry) -> Fault | None:
    """What is wrong with what is said: forbidden words, or too many."""
    if has_word(inquiry.texts, inquiry.settings.forbidden_input):
        return fault(10013, inquiry.now)
    prompt = tokens(*inquiry.texts)
    if prompt > inquiry.model.context_length or prompt > _room(inquiry):
        return fault(10907, inquiry.now)
    return None


def _room(inquiry: Inquiry) -> float:
    """What a hosted model's answer leaves; nobody documents as much for the others (section 1.1).

    That 10907 is the code for it is reasoned.
    """
    if not is_hosted(inquiry.model):
        return float("inf")
    wanted = inquiry.request.parameter.chat.max_tokens
    return _SHARED - (_HOSTED_ANSWER if wanted is UNSET else wanted)


def _audited(said: list[ResponsePayload], inquiry: Inquiry) -> list[Frame]:
    """The frames as far as the audit lets them through, and its notice if it has one."""
    settings, now, sid = inquiry.settings, inquiry.now, inquiry.sid
    suspect = has_word([*inquiry.texts, *output_of(said).values()], settings.suspect)
    responses = numbered(said, sid)
    through = passed(said, settings.forbidden_output)
    if through < len(said):
        responses = [*responses[:through], refused(fault(10014, now), sid, settings)]
    elif suspect:
        responses = _noticed(responses, refused(fault(10019, now), sid, settings), inquiry)
    ends = [number for number, each in enumerate(responses) if each.header.status == 2]
    return [
        Frame(encode_response(each), paced=number <= ends[0])
        for number, each in enumerate(responses)
    ]


def _noticed(responses: list[Response], notice: Response, inquiry: Inquiry) -> list[Response]:
    """The notice behind the answer; whether it has content is open (section 11.9)."""
    if inquiry.settings.notice_content:
        notice.payload = responses.pop().payload
    return [*responses, notice]


def _until_stuck(frames: list[Frame], inquiry: Inquiry) -> list[Frame]:
    """What comes before the engine falls silent, and what the service says then (section 4.4)."""
    settings = inquiry.settings
    if settings.engine_stuck is None or settings.engine_stuck >= len(frames):
        return frames
    wrong = fault(10010, inquiry.now)
    late = failure(wrong, inquiry.sid, settings, after=settings.engine_seconds)
    return [*frames[: settings.engine_stuck], late]
