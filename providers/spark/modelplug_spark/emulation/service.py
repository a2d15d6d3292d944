"""The service's side of a Spark conversation, for local use: verify, validate, answer. No I/O.

It stands in for the real one as the protocol notes describe it, in the places where clients go
wrong: signatures and clocks (section 2), schema, ranges and domains (sections 3 and 5), frames
(section 4), licences, limits and audits (section 5). Its answers are made from the question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from modelplug_spark.emulation.engine import Frame, failure, outcome
from modelplug_spark.emulation.faults import Fault, fault, misfit
from modelplug_spark.emulation.gateway import Account, Refused, Upgrade, refusal
from modelplug_spark.emulation.inquiry import Inquiry, is_hosted, is_served, model_at, sid_of
from modelplug_spark.emulation.limits import Limits, Wish
from modelplug_spark.emulation.ranges import clamped
from modelplug_spark.emulation.settings import EmulatorSettings
from modelplug_spark.emulation.validation import faults
from modelplug_spark.frames import Misfit, decode_request

__all__ = ["Answer", "Ending", "Frame", "Settings", "SparkService"]

Ending: TypeAlias = Literal["frame", "cut", "stay"]
"""What becomes of a connection after an answer: close frame 1000, cut, or open (section 4.6)."""


class Settings(EmulatorSettings):
    """Everything that a service is made of: the switches, and whom it lets in."""

    account: Account


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the service does after a message.

    Attributes:
        frames: what it sends, in order.
        close: what it does then.
        number: by which the limits know the answer; None if it uses nothing up.
    """

    frames: Sequence[Frame]
    close: Ending
    number: int | None = None


class SparkService:
    """One service for one account; the limits are all that it remembers.

    For one loop: it is not safe between threads.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._limits = Limits(settings)

    @property
    def running(self) -> int:
        """How many answers are under way: given by ``ask`` and not yet ``done``."""
        return self._limits.running

    def authorize(self, path: str, query: str, host_header: str, now: float) -> Refused | None:
        """What is answered instead of an upgrade to WebSocket; None if the client is let in.

        Args:
            path: the URL's path.
            query: its query, still escaped.
            host_header: the Host header.
            now: seconds since the epoch.
        """
        if not is_served(path):
            # Not seen on a WebSocket host; the text is the HTTP host's (L-oba107).
            return Refused(404, "404 page not found")
        return refusal(
            Upgrade(
                path=path,
                query=query,
                host_header=host_header,
                now=now,
                account=self._settings.account,
                settings=self._settings,
            )
        )

    def ask(self, path: str, message: bytes, now: float) -> Answer:
        """What is answered to a message, all of it; ``done`` is to be told of its end.

        Args:
            path: that of the connection; it must be served.
            message: what the client sent.
            now: seconds since the epoch.
        """
        request = decode_request(message)
        if isinstance(request, Misfit):
            frame = self._refused(misfit(request, now), message, now)
            return Answer(frames=[frame], close=self._ending(hosted=False))
        model = model_at(path, request.parameter.chat.domain, self._settings)
        if self._settings.out_of_range == "clamp":
            request = clamped(request, model)
        inquiry = Inquiry(
            message=message,
            request=request,
            model=model,
            app_id=self._settings.account.app_id,
            now=now,
            settings=self._settings,
        )
        return self._answer(inquiry)

    def _answer(self, inquiry: Inquiry) -> Answer:
        message, now = inquiry.message, inquiry.now
        ending = self._ending(hosted=is_hosted(inquiry.model))
        wish = Wish(inquiry.domain, inquiry.request.header.uid or None, now)
        wrong = next(faults(inquiry), None) or self._limits.refusal(wish)
        if wrong is not None:
            return Answer(frames=[self._refused(wrong, message, now)], close=ending)
        answered = outcome(inquiry)
        number = self._limits.enter(wish)
        self._limits.spend(wish.domain, answered.tokens)
        return Answer(frames=answered.frames, close=ending, number=number)

    def done(self, answer: Answer) -> None:
        """The answer's last frame is out, or nobody waits for it; telling it twice is no harm."""
        if answer.number is not None:
            self._limits.release(answer.number)

    def busy(self, message: bytes, now: float) -> Frame:
        """What is said to a message while the one before it is answered on the same connection.

        Args:
            message: what the client sent.
            now: seconds since the epoch.
        """
        return self._refused(fault(10007, now), message, now)

    def _refused(self, wrong: Fault, message: bytes, now: float) -> Frame:
        return failure(wrong, sid_of(message, now), self._settings)

    def _ending(self, *, hosted: bool) -> Ending:
        stays = hosted or self._settings.second_question
        return "stay" if stays else self._settings.close
