"""Spark's words for the steps of a script: what ``modelplug.testing`` needs to play one.

It shares the frames with the service, and so with the client; that those are right is shown by
golden frames and by foreign clients.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import msgspec

from modelplug import Delta, Finish, ToolCallDelta, Usage
from modelplug.testing import Fail, FailKind, RawRequest, Status
from modelplug_spark.emulation.inquiry import sid_of
from modelplug_spark.frames import (
    Choices,
    ChoicesText,
    FunctionCall,
    Response,
    ResponseHeader,
    ResponsePayload,
    UsageBlock,
    encode_response,
)
from modelplug_spark.sources import plugins_of

__all__ = ["CODES", "SparkCodec"]

CODES: dict[FailKind, tuple[int, str]] = {
    "auth": (10015, "appid is blacklisted"),
    "permission": (11200, "AppIdNoAuthError:(12:17:04.432) domain.generalv3.5"),
    "quota": (11200, "AppIdNoAuthError:(12:17:04.432) tokens.total"),
    "rate_limit": (11202, "AppIdQpsOverFlowError:(12:17:04.432) second"),
    "concurrency": (11203, "AppIdConcOverFlowError:(12:17:04.432) concurrency"),
    "context_length": (10907, "TokenLimitError:(12:17:04.432) token over limit"),
    "content_filter_input": (10013, "the question may not be answered"),
    "content_filter_output": (10014, "the answer may not be shown"),
    "bad_request": (10004, "RequestParamsError:(12:17:04.432) '$.payload' value is invalid"),
    "unknown_model": (10003, "ClientMsgError:(12:17:04.432) invalid model domain"),
    "server": (10012, "EngineInternalError:failed"),
    "overloaded": (10110, "ServiceIsBusyError:Engine Busy"),
    "unknown_code": (19999, "unheard of"),
}
"""Failures that come as a frame (sections 5.1 and 5.2); a wrong key doesn't get that far, so
``auth`` amid an answer is an app that was barred meanwhile.

Spark has no code of its own for a model that there isn't: 10003 is for wrong formats as well."""

_USAGE = Usage(prompt_tokens=3, completion_tokens=4)
"""What an answer costs unless a script says otherwise: Spark always tells it."""


class SparkCodec:
    """Says things as the service does.

    Args:
        now: seconds since the epoch, for the names of sessions.
    """

    def __init__(self, *, now: Callable[[], float] = time.time) -> None:
        self._now = now

    def encoder(self, request: RawRequest) -> SparkEncoder:
        """The encoder of one answer."""
        return SparkEncoder(sid_of(request.body, self._now()))

    def refusal(self, fail: Fail) -> Status | None:
        """Wrong keys are refused by the gateway, before the upgrade (section 2.2)."""
        if fail.kind != "auth":
            return None
        told = fail.message or "HMAC signature does not match"
        body = msgspec.json.encode({"message": told}).decode()
        headers = {"Content-Type": "application/json; charset=utf-8"}
        if fail.retry_after is not None:
            headers["Retry-After"] = f"{fail.retry_after:g}"
        return Status(401, body, headers=headers)


class SparkEncoder:
    """The frames of one answer: it counts them."""

    def __init__(self, sid: str) -> None:
        self._sid = sid
        self._seq = 0
        self._call: FunctionCall | None = None

    def delta(self, delta: Delta) -> Sequence[bytes]:
        """A frame with a piece; a call waits for the last frame, where it belongs (4.2)."""
        if delta.tool_call is not None:
            self._call = _joined(self._call, delta.tool_call)
            if not (delta.text or delta.reasoning or delta.sources):
                return []
        piece = ChoicesText(content=delta.text, role="assistant", index=0)
        if delta.reasoning:
            piece.reasoning_content = delta.reasoning
        payload = self._payload(piece, status=min(self._seq, 1))
        if delta.sources:
            payload.plugins = plugins_of(delta.sources)
        return [self._frame(payload)]

    def finish(self, finish: Finish) -> Sequence[bytes]:
        """The last frame, with the usage; Spark tells no reason (4.1)."""
        piece = ChoicesText(content="", role="assistant", index=0)
        if self._call is not None:
            piece.function_call = self._call
        payload = self._payload(piece, status=2)
        payload.usage = UsageBlock(text=_counts(finish.usage))
        return [self._frame(payload)]

    def fail(self, fail: Fail) -> Sequence[bytes]:
        """A frame without a payload (4.5)."""
        code, text = CODES[fail.kind]
        # What a text of 11200 begins with is what tells its meanings apart.
        told = f"{text}: {fail.message}" if code == 11200 and fail.message else fail.message or text
        header = ResponseHeader(code=code, message=told, sid=self._sid, status=2)
        return [encode_response(Response(header=header))]

    def noise(self) -> Sequence[bytes]:
        """A frame that is about nothing: without choices, as the sources' may be (4.3, G)."""
        return [self._frame(ResponsePayload())]

    def _payload(self, piece: ChoicesText, *, status: int) -> ResponsePayload:
        choices = Choices(seq=self._seq, status=status, text=[piece])
        self._seq += 1
        return ResponsePayload(choices=choices)

    def _frame(self, payload: ResponsePayload) -> bytes:
        status = payload.choices.status if payload.choices else 1
        header = ResponseHeader(code=0, message="Success", sid=self._sid, status=status)
        return encode_response(Response(header=header, payload=payload))


def _joined(call: FunctionCall | None, piece: ToolCallDelta) -> FunctionCall:
    """A call with one piece more."""
    name, arguments = (call.name, call.arguments) if call else ("", "")
    return FunctionCall(name or piece.name or "", arguments + piece.arguments)


def _counts(usage: Usage | None) -> dict[str, object]:
    told = usage or _USAGE
    return {
        "question_tokens": told.prompt_tokens,
        "prompt_tokens": told.prompt_tokens,
        "completion_tokens": told.completion_tokens,
        "total_tokens": told.total_tokens,
    }
