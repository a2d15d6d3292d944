"""The service's side of a Spark conversation, for local use: verify, validate, answer. No I/O.

It stands in for the real one as the protocol notes describe it, in the places where clients go
wrong: signatures and clocks (section 2), schema, ranges and domains (sections 3 and 5), frames
(section 4). Its answers are made from the question.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from msgspec import UNSET

from modelplug_spark.answers import chunks, compose, cut, tokens
from modelplug_spark.frames import (
    Choices,
    ChoicesText,
    Misfit,
    Request,
    Response,
    ResponseHeader,
    ResponsePayload,
    UsageBlock,
    decode_request,
    encode_response,
)
from modelplug_spark.gateway import Account, Refused, Upgrade, refusal
from modelplug_spark.models import MODELS, SparkModel
from modelplug_spark.validation import Fault, faults, misfit

__all__ = ["Settings", "SparkService", "sid_of"]

_BY_PATH = {model.path: model for model in MODELS}


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How the service behaves where the real one does both, or nobody knows.

    Attributes:
        account: who is let in.
        empty_last: whether the last frame has no text but the usage alone. Both were recorded;
            a text there catches clients that drop it (section 4.1).
        strict_host: see gateway.Upgrade.
        strict_uid: see validation.faults.
    """

    account: Account
    empty_last: bool = False
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
        sid, model = sid_of(message, now), _BY_PATH[path]
        request = decode_request(message)
        if isinstance(request, Misfit):
            return _refused(misfit(request, now), sid)
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
        text = _answer(request, model)
        pieces = [*chunks(text), *([""] if settings.empty_last else [])]
        return _frames(pieces, sid, _usage(request, text))


def sid_of(message: bytes, now: float) -> str:
    """A session's name as the service makes them: the 11 digits after ``@dx`` are milliseconds.

    ``cht000b0c24@dx1916602ea10b808550`` began at 0x1916602ea10 ms since the epoch (section 4.4).
    The rest is derived from the message here.
    """
    digest = hashlib.sha256(message).hexdigest()
    return f"cht{digest[:8]}@dx{round(now * 1000):011x}b8{digest[8:13]}"


def _answer(request: Request, model: SparkModel) -> str:
    chat = request.parameter.chat
    told = {"temperature": chat.temperature, "top_k": chat.top_k, "max_tokens": chat.max_tokens}
    settings = {name: value for name, value in told.items() if isinstance(value, int | float)}
    turns = request.payload.message.text
    text = compose(turns, product=model.product, domain=model.domain, settings=settings)
    return text if chat.max_tokens is UNSET else cut(text, chat.max_tokens)


def _usage(request: Request, answer: str) -> UsageBlock:
    """The counts of the last frame; ``total`` is what is billed (section 4.1)."""
    texts = [turn.content or "" for turn in request.payload.message.text]
    prompt, completion = tokens(*texts), tokens(answer)
    return UsageBlock(
        text={
            "question_tokens": tokens(texts[-1]),
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        }
    )


def _frames(pieces: Iterable[str], sid: str, usage: UsageBlock) -> list[bytes]:
    contents = [*pieces]
    last = len(contents) - 1
    return [
        _frame(content, sid, seq=seq, usage=usage if seq == last else None)
        for seq, content in enumerate(contents)
    ]


def _frame(content: str, sid: str, *, seq: int, usage: UsageBlock | None) -> bytes:
    """One frame; its status is 0 first, 1 then, 2 last, in both places (section 4.1)."""
    status = 2 if usage else min(seq, 1)
    text = ChoicesText(content=content, role="assistant", index=0)
    choices = Choices(status=status, seq=seq, text=[text])
    payload = ResponsePayload(choices=choices, usage=usage or UNSET)
    header = ResponseHeader(code=0, message="Success", sid=sid, status=status)
    return encode_response(Response(header=header, payload=payload))


def _refused(fault: Fault, sid: str) -> list[bytes]:
    """The one frame of a failure, without a payload (section 4.5)."""
    header = ResponseHeader(code=fault.code, message=fault.text, sid=sid, status=2)
    return [encode_response(Response(header=header))]
