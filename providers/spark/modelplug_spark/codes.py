"""What the service's codes and refusals mean: each an error class, with what to do next.

The table is section 5.1 of the protocol notes: D-Web and D-MaaS-WS, with S-Java's and the
codes that were only ever seen live (L). Two codes say too little by themselves: 10012 and 11200
are told apart by their text, and so is 10010. The texts' grammar is section 5.2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Literal, Protocol

import msgspec

from modelplug import (
    AuthenticationError,
    BackendError,
    BadRequestError,
    ConcurrencyLimitError,
    ContentFilterError,
    ContextLengthError,
    HandshakeError,
    ModelNotFoundError,
    OverloadedError,
    PermissionDeniedError,
    ProxyLLMError,
    QuotaError,
    RateLimitError,
    ServerError,
)
from modelplug.transport.faults import printable
from modelplug_spark.signing import TOLERANCE, seconds_of

__all__ = ["MEANINGS", "NOTICE", "SPLIT", "Meaning", "Refusal", "error_of", "refused"]

NOTICE = 10019
"""A warning about the dialogue. It comes after the whole answer, which may be shown (D-MaaS-WS)."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code stands for.

    Attributes:
        error: the class that it is raised as.
        told: the official meaning in a few words.
        hint: what to do next.
        stage: for ContentFilterError, whose text was refused.
    """

    error: type[BackendError]
    told: str
    _: KW_ONLY
    hint: str | None = None
    stage: Literal["input", "output"] | None = None


_SAID_LIMIT = 1 << 20
"""Characters of the gateway's words that are kept; the transport reads far fewer of them."""

_CONSOLE = "in the console of xfyun.cn, under this app and this very model version"
_CLAIM = f"claim or buy volume {_CONSOLE}: each version has its own"
_GRANT = f"have the model opened {_CONSOLE}, or ask one that is"
_SHORTEN = "shorten the history or the question, or take a model with a longer context"
_REPHRASE = "change the wording; instructions wrapped around harmless text are known to trip it"
_FEWER = "send fewer requests at once, or wait for the running one"
_FIELDS = "compare roles, ranges and the model's domain with the documentation"
_IMAGE = "scale the image"

MEANINGS: dict[int, Meaning] = {
    10000: Meaning(ServerError, "the upgrade to WebSocket failed"),
    10001: Meaning(ServerError, "reading the message failed"),
    10002: Meaning(ServerError, "sending the answer failed"),
    10003: Meaning(BadRequestError, "the message has a wrong format", hint=_FIELDS),
    10004: Meaning(BadRequestError, "the message has a wrong schema", hint=_FIELDS),
    10005: Meaning(BadRequestError, "a parameter's value is wrong", hint=_FIELDS),
    10006: Meaning(ConcurrencyLimitError, "this user is connected already", hint=_FEWER),
    10007: Meaning(ConcurrencyLimitError, "the last question is still answered", hint=_FEWER),
    10008: Meaning(OverloadedError, "the service has no capacity"),
    10009: Meaning(ServerError, "no connection to the engine"),
    10010: Meaning(ServerError, "receiving from the engine failed"),
    10011: Meaning(ServerError, "sending to the engine failed"),
    10012: Meaning(ServerError, "the engine failed"),
    10013: Meaning(ContentFilterError, "the input was refused", stage="input", hint=_REPHRASE),
    10014: Meaning(
        ContentFilterError,
        "the answer turned sensitive",
        stage="output",
        hint="clear what was shown, as the documentation asks, and change the question",
    ),
    10015: Meaning(
        AuthenticationError, "the app is on a black list", hint="ask the service's support why"
    ),
    10016: Meaning(QuotaError, "the app has no licence or no volume", hint=_CLAIM),
    10017: Meaning(ServerError, "clearing the history failed"),
    10018: Meaning(BackendError, "nothing was asked for five minutes", hint="connect anew"),
    NOTICE: Meaning(
        ContentFilterError,
        "the dialogue tends to violations",
        stage="output",
        hint="show the notice and end this dialogue",
    ),
    10021: Meaning(ContentFilterError, "the input was refused", stage="input", hint=_REPHRASE),
    10022: Meaning(ContentFilterError, "the image is sensitive", stage="output"),
    10029: Meaning(BadRequestError, "a side of the image is longer than 12800", hint=_IMAGE),
    10041: Meaning(BadRequestError, "the image's resolution is out of range", hint=_IMAGE),
    10050: Meaning(ServerError, "the service failed"),  # undocumented (L)
    10110: Meaning(OverloadedError, "the service is busy"),
    10163: Meaning(BadRequestError, "the engine refused the parameters", hint=_FIELDS),
    10222: Meaning(ServerError, "the engine's network failed"),
    10223: Meaning(OverloadedError, "no engine is free"),
    10300: Meaning(ServerError, "the service failed"),  # undocumented (L-MaaS-tests)
    10907: Meaning(ContextLengthError, "too many tokens", hint=_SHORTEN),
    11200: Meaning(QuotaError, "the app has no right to this, or no volume left", hint=_CLAIM),
    11201: Meaning(
        QuotaError, "the day's volume is used up", hint="it begins anew with the day in Beijing"
    ),
    11202: Meaning(RateLimitError, "too many requests a second", hint="wait a second at the least"),
    11203: Meaning(ConcurrencyLimitError, "too many requests at once", hint=_FEWER),
    11210: Meaning(QuotaError, "no volume is left", hint=_CLAIM),  # undocumented (L)
}
"""Every code of section 5.1. Whether to try again is the class's own answer, which agrees."""

_BUSY = Meaning(OverloadedError, "the engine is busy")
_TOO_LONG = Meaning(ContextLengthError, "the engine's context is full", hint=_SHORTEN)

SPLIT: dict[int, tuple[tuple[str, Meaning], ...]] = {
    10010: (("Engine Busy", _BUSY),),
    10012: (
        ("system is busy", _BUSY),
        ("model_context_window_exceeded", _TOO_LONG),
        ("Range of input length", _TOO_LONG),
        ("Bad Request", Meaning(BadRequestError, "the engine refused it", hint=_FIELDS)),
    ),
    11200: (
        ("tokens.", Meaning(QuotaError, "the app has no tokens for this model", hint=_CLAIM)),
        ("domain.", Meaning(PermissionDeniedError, "the app lacks this model", hint=_GRANT)),
    ),
}
"""What a piece of the text makes of a code (L-MaaS-tests, L-gptac1230; sections 5.1 and 8)."""

_UNKNOWN = Meaning(BackendError, "the service refused, by a code that isn't documented")


def error_of(code: int, message: str, sid: str) -> BackendError:
    """The error that a frame's header stands for.

    Args:
        code: its ``code``, not 0.
        message: its text: a notice for the user with 10013 and 10014, else for developers.
        sid: the service's name for the session.
    """
    by_text = (meaning for piece, meaning in SPLIT.get(code, ()) if piece in message)
    meaning = next(by_text, None) or MEANINGS.get(code, _UNKNOWN)
    told = f"{meaning.told}: {_excerpt(message)}" if message else meaning.told
    error = (
        ContentFilterError(told, stage=meaning.stage)
        if meaning.error is ContentFilterError
        else meaning.error(told)
    )
    error.complete(
        provider_code=code, provider_message=message, request_id=sid or None, hint=meaning.hint
    )
    return error


def _excerpt(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]}…"


class Refusal(Protocol):
    """A handshake that the gateway refused, as the transport tells of it."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def message(self) -> str:
        """The body's text: JSON ``{"message": "..."}`` (section 2.2), or anything."""

    @property
    def date(self) -> str | None:
        """The Date header."""

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait, where a header says so."""


def refused(
    refusal: Refusal, *, now: float, scrub: Callable[[str], str] = lambda said: said
) -> ProxyLLMError:
    """The error that a refused handshake stands for (D-SpeechAuth; section 2.2).

    401 is about credentials, 403 about the clock; neither gets better by trying again.

    Args:
        refusal: what the gateway said.
        now: seconds since the epoch by this machine's clock.
        scrub: takes out secrets that JSON's escapes may have hidden before.
    """
    status = refusal.status
    said = printable(scrub(_said(refusal.message)), limit=_SAID_LIMIT)
    if status == 401:
        error: ProxyLLMError = AuthenticationError(
            f"the gateway refused the credentials: {_excerpt(said)}", hint=_credential_hint(said)
        )
    elif status == 403:
        error = AuthenticationError(
            f"the gateway refused the date: {_excerpt(said)}", hint=_clock_hint(refusal.date, now)
        )
    elif status == 404:
        error = ModelNotFoundError(
            "the service has nothing at this path", hint="check api_base and the model"
        )
    elif status == 429:
        error = RateLimitError("the gateway takes no more requests for now")
    elif status >= 500:
        fault = OverloadedError if status in (502, 503, 504) else ServerError
        error = fault(f"the gateway failed with HTTP status {status}")
    else:
        error = HandshakeError(
            f"the gateway answered with HTTP status {status} instead of a WebSocket", status=status
        )
    error.complete(
        provider_code=status, provider_message=said, retry_after=refusal.retry_after, sent="no"
    )
    return error


class _Body(msgspec.Struct):
    message: str


def _said(body: str) -> str:
    """The gateway's words: in JSON by its own account, but something else may stand in its way."""
    try:
        return msgspec.json.decode(body, type=_Body).message
    except (ValueError, RecursionError):
        return body


def _credential_hint(said: str) -> str:
    """What to check first, by the gateway's words (section 2.2)."""
    if "retrieve credential" in said or "apikey not found" in said:
        return "check the API key; key and secret are easily swapped"
    if "does not match" in said:
        return "check the API secret; key and secret are easily swapped"
    return "check app id, API key and API secret: they belong together"


def _clock_hint(date: str | None, now: float) -> str:
    """By how much the clock is off, from the gateway's Date header."""
    there = seconds_of(date or "")
    if there is None:
        return f"set this machine's clock: it may be off by {TOLERANCE} seconds at the most"
    off = round(now - there)
    direction = "ahead of" if off > 0 else "behind"
    if abs(off) > TOLERANCE:
        return f"set this machine's clock: it is {abs(off)} seconds {direction} the service's"
    return (
        f"this machine's clock is right ({abs(off)} seconds off): "
        "the service may not allow this address"
    )
