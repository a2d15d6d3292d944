"""The service's side of a Spark conversation, for local use: verify, validate, answer. No I/O.

It stands in for the real one as the protocol notes describe it, in the places where clients go
wrong: signatures and clocks (section 2), schema, ranges and domains (sections 3 and 5), frames
(section 4). Its answers are made from the question.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modelplug_spark.answers import chunks
from modelplug_spark.frames import (
    Choices,
    ChoicesText,
    Misfit,
    Response,
    ResponseHeader,
    ResponsePayload,
    decode_request,
    encode_response,
)
from modelplug_spark.gateway import Account, Refused, Upgrade, refusal
from modelplug_spark.models import MODELS, SparkModel
from modelplug_spark.replies import Reply, reply
from modelplug_spark.sources import plugins_of
from modelplug_spark.validation import Fault, faults, misfit

__all__ = ["Settings", "SparkService", "sid_of"]

# Several models may share a path: their domains tell them apart (section 1.1).
_BY_PATH: Mapping[str, Sequence[SparkModel]] = {
    model.path: [each for each in MODELS if each.path == model.path] for model in MODELS
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How the service behaves where the real one does both, or nobody knows.

    Attributes:
        account: who is let in.
        empty_last: whether the last frame has no text but the usage alone. Both were recorded;
            a text there catches clients that drop it (section 4.1).
        bare_sources: whether the frame with the sources of a search comes without ``choices``.
            It may (G; section 4.3), and other SDKs crash on it.
        strict_host: see gateway.Upgrade.
        strict_uid: see validation.faults.
    """

    account: Account
    empty_last: bool = False
    bare_sources: bool = False
    strict_host: bool = False
    strict_uid: bool = False


class SparkService:
    """One service for one account. Pure: the same question at the same time, the same answer."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def authorize(self, path: str, query: str, host_header: str, now: float) -> Refused | None:
        """What is answered instead of an upgrade to WebSocket; None if the client is let in.

        Args:
            path: the URL's path.
            query: its query, still escaped.
            host_header: the Host header.
            now: seconds since the epoch.
        """
        if path not in _BY_PATH:
            # Not seen on a WebSocket host; the text is the HTTP host's (L-oba107).
            return Refused(404, "404 page not found")
        return refusal(
            Upgrade(
                path=path,
                query=query,
                host_header=host_header,
                now=now,
                account=self._settings.account,
                strict_host=self._settings.strict_host,
            )
        )

    def answer(self, path: str, message: bytes, now: float) -> list[bytes]:
        """The frames that answer a message, all of them: the service closes after the last.

        Args:
            path: that of the connection; it must be served.
            message: what the client sent.
            now: seconds since the epoch.
        """
        sid = sid_of(message, now)
        request = decode_request(message)
        if isinstance(request, Misfit):
            return _refused(misfit(request, now), sid)
        domain, models = request.parameter.chat.domain, _BY_PATH[path]
        model = next((each for each in models if each.domain == domain), models[0])
        settings = self._settings
        fault = next(
            faults(
                request,
                model,
                app_id=settings.account.app_id,
                now=now,
                strict_uid=settings.strict_uid,
            ),
            None,
        )
        if fault is not None:
            return _refused(fault, sid)
        return _frames(_payloads(reply(request, model), settings), sid)


def sid_of(message: bytes, now: float) -> str:
    """A session's name as the service makes them: the 11 digits after ``@dx`` are milliseconds.

    ``cht000b0c24@dx1916602ea10b808550`` began at 0x1916602ea10 ms since the epoch (section 4.4).
    The rest is derived from the message here.
    """
    digest = hashlib.sha256(message).hexdigest()
    return f"cht{digest[:8]}@dx{round(now * 1000):011x}b8{digest[8:13]}"


def _payloads(answer: Reply, settings: Settings) -> list[ResponsePayload]:
    """What the frames say, in order: the sources, then the pieces; the usage comes last."""
    pieces = _pieces(answer, empty_last=settings.empty_last)
    bare = []
    if answer.sources and settings.bare_sources:
        bare = [ResponsePayload()]
    elif answer.sources:
        pieces.insert(0, ChoicesText(content="", role="assistant", index=0))
    payloads = bare + [
        ResponsePayload(choices=Choices(seq=seq, text=[piece])) for seq, piece in enumerate(pieces)
    ]
    if answer.sources:
        payloads[0].plugins = plugins_of(answer.sources)
    payloads[-1].usage = answer.usage
    return payloads


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


def _frames(payloads: Sequence[ResponsePayload], sid: str) -> list[bytes]:
    """The frames; their status is 0 first, 1 then, 2 last, in both places (section 4.1)."""
    frames = []
    for number, payload in enumerate(payloads):
        status = 2 if payload.usage else min(number, 1)
        if payload.choices:
            payload.choices.status = status
        header = ResponseHeader(code=0, message="Success", sid=sid, status=status)
        frames.append(encode_response(Response(header=header, payload=payload)))
    return frames


def _refused(fault: Fault, sid: str) -> list[bytes]:
    """The one frame of a failure, without a payload (section 4.5)."""
    header = ResponseHeader(code=fault.code, message=fault.text, sid=sid, status=2)
    return [encode_response(Response(header=header))]
