"""What the service says when it refuses: a code, and a text for each.

The form of the platform's texts is section 5.2's of the protocol notes: ``<Name>:(HH:MM:SS.mmm)
<detail>``, in Beijing's time; the engine's have no time. Texts that nobody has recorded are
invented, and stable; ``INVENTED`` names their codes. 10013, 10014 and 10019 carry a notice that
is meant for the user (D-MaaS-WS).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from modelplug_spark.frames import Misfit

__all__ = ["BEIJING", "INVENTED", "TEXTS", "Fault", "fault", "misfit"]

BEIJING = timedelta(hours=8)

TEXTS: Final[Mapping[int, str]] = {
    10003: "ClientMsgError:{at} {detail}",  # L-Cow2252
    10004: "RequestParamsError:{at} {detail}",  # L-pageagent261
    10005: "ParamValueError:{at} {detail}",
    10006: "UserConnectedError:{at} user is connected already",
    10007: "UserBusyError:{at} last question is not answered yet",
    10010: "RecvFromEngineError:Engine Busy",  # L, after 120 s
    10013: "您的提问可能违反相关规定，请修改后再试。",
    10014: "回答中可能含有敏感内容，后续结果无法展示。",
    10015: "AppIdBlackListError:{at} app is on the black list",
    10019: "本次对话有违规倾向，请更换话题。",
    10029: "ImageSideError:{at} a side of the image is longer than 12800",
    10041: "ImageResolutionError:{at} image resolution is out of range",
    10110: "ServiceIsBusyError:Engine Busy",  # L
    10163: "EngineParamsError:{at} {detail}",
    10907: "TokenLimitError:{at} token over limit",
    11200: "AppIdNoAuthError:{at} {detail}",  # L-gptac1230, L-nonebot8
    11201: "AppIdDailyOverFlowError:{at} daily limit",
    11202: "AppIdQpsOverFlowError:{at} qps limit",  # L-sparkpy39 has the name
    11203: "AppIdConcOverFlowError:{at} concurrency limit",
}
"""Code to text; ``{at}`` is the time."""

INVENTED: Final = frozenset(
    {10005, 10006, 10007, 10013, 10014, 10015, 10019, 10029, 10041, 10163, 10907, 11201, 11203}
)
"""Codes of whose texts not even the name was ever seen (section 5.2)."""

_TYPES = {"str": "string", "int": "integer", "float": "number", "bool": "boolean"}


class Fault(NamedTuple):
    """A service code and its text."""

    code: int
    text: str


def fault(code: int, now: float, detail: str = "") -> Fault:
    """The fault with this code.

    Args:
        code: one of ``TEXTS``.
        now: seconds since the epoch.
        detail: what is wrong, where the code alone doesn't tell.
    """
    there = datetime.fromtimestamp(now, UTC) + BEIJING
    at = f"({there:%H:%M:%S}.{there.microsecond // 1000:03})"
    return Fault(code, TEXTS[code].format(at=at, detail=detail))


def misfit(wrong: Misfit, now: float) -> Fault:
    """What the service says of a message that is no request."""
    if wrong.kind == "json":
        return fault(10003, now, "invalid message format")
    return fault(10004, now, _in_json_path(wrong.reason))


def _in_json_path(reason: str) -> str:
    """The decoder's words as the service's validator has them: ``'$.a.b' type must be string;``."""
    path = _found(r"at `([^`]*)`", reason) or "$"
    missing = _found(r"missing required field `([^`]*)`", reason)
    if missing:
        return f"'{path}.{missing}' param is required;"
    wanted = _found(r"Expected `(\w+)", reason) or "other"
    return f"'{path}' type must be {_TYPES.get(wanted, wanted)};"


def _found(pattern: str, text: str) -> str | None:
    match = re.search(pattern, text)
    return match[1] if match else None
