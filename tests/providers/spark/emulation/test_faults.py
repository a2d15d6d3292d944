"""The service's codes and texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelplug_spark.codes import MEANINGS
from modelplug_spark.emulation.faults import INVENTED, TEXTS, Fault, fault, misfit
from modelplug_spark.frames import Misfit, decode_request

NOW = 1_795_255_200.25
STAMP = "(18:00:00.250)"

CHAT = b'{"header":{"app_id":"1"},"parameter":{"chat":{%s}},"payload":{"message":{"text":%s}}}'


def told(message: bytes) -> Fault:
    """What is said of a message that is no request."""
    wrong = decode_request(message)
    assert isinstance(wrong, Misfit)
    return misfit(wrong, NOW)


@pytest.mark.row("5.1 10003")
@pytest.mark.parametrize(
    "message", [b"{oops", b'{"header":{"app_id":"\xff"}}', b"", b'{"x":' + b"[" * 9999]
)
def test_what_is_no_json_has_a_wrong_format(message: bytes) -> None:
    """Section 5.3: before anything else."""
    assert Fault(10003, f"ClientMsgError:{STAMP} invalid message format") == told(message)


@pytest.mark.row("5.1 10004")
@pytest.mark.parametrize(
    ("message", "detail"),
    [
        (b"[]", "'$' type must be object;"),
        (CHAT % (b"", b"[]"), "'$.parameter.chat.domain' param is required;"),
        (CHAT % (b'"domain":null', b"[]"), "'$.parameter.chat.domain' type must be string;"),
        (
            CHAT % (b'"domain":"x","temperature":null', b"[]"),
            "'$.parameter.chat.temperature' type must be number;",
        ),
        (
            CHAT % (b'"domain":"x","max_tokens":null', b"[]"),
            "'$.parameter.chat.max_tokens' type must be integer;",
        ),
        (CHAT % (b'"domain":"x"', b'"hi"'), "'$.payload.message.text' type must be array;"),
    ],
)
def test_json_of_another_shape_has_a_wrong_schema(message: bytes, detail: str) -> None:
    """With the path that the recorded validator would name."""
    assert Fault(10004, f"RequestParamsError:{STAMP} {detail}") == told(message)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (11200, "AppIdNoAuthError:(12:17:04.432) tokens.total"),
        (10110, "ServiceIsBusyError:Engine Busy"),
        (10010, "RecvFromEngineError:Engine Busy"),
    ],
)
def test_a_recorded_text_is_the_recorded_one(code: int, text: str) -> None:
    """L-gptac1230, and the engine's, which have no time."""
    assert Fault(code, text) == fault(code, 1_698_812_224.432, "tokens.total")


def test_a_time_is_beijings() -> None:
    """Eight hours ahead of UTC, to the millisecond."""
    assert fault(11201, 0.0419).text == "AppIdDailyOverFlowError:(08:00:00.041) daily limit"


@given(st.sampled_from(sorted(TEXTS)), st.floats(0, 4e9), st.text())
def test_a_text_is_made_for_every_code(code: int, now: float, detail: str) -> None:
    """Whatever the detail holds."""
    told = fault(code, now, detail)
    assert code == told.code
    assert told.text
    assert detail in told.text or "{detail}" not in TEXTS[code]


@pytest.mark.parametrize("code", TEXTS)
def test_the_service_has_no_code_that_a_client_does_not_know(code: int) -> None:
    """All are documented."""
    assert code in MEANINGS


def test_the_texts_that_are_invented_are_known_as_such() -> None:
    """Section 11.4's, but for 10163's like, and what has no recorded name."""
    assert set(TEXTS) > INVENTED
    assert not INVENTED & {10003, 10004, 10010, 10110, 11200, 11202}
