"""Service codes and refused handshakes as errors."""

from __future__ import annotations

import pickle
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from modelplug_spark.codes import MEANINGS, SPLIT, error_of, refused
from modelplug_spark.signing import date_of

NOW = 1_795_255_200.0

TABLE: dict[int, tuple[type[BackendError], bool]] = {
    10000: (ServerError, True),
    10001: (ServerError, True),
    10002: (ServerError, True),
    10003: (BadRequestError, False),
    10004: (BadRequestError, False),
    10005: (BadRequestError, False),
    10006: (ConcurrencyLimitError, True),
    10007: (ConcurrencyLimitError, True),
    10008: (OverloadedError, True),
    10009: (ServerError, True),
    10010: (ServerError, True),
    10011: (ServerError, True),
    10012: (ServerError, True),
    10013: (ContentFilterError, False),
    10014: (ContentFilterError, False),
    10015: (AuthenticationError, False),
    10016: (QuotaError, False),
    10017: (ServerError, True),
    10018: (BackendError, False),
    10019: (ContentFilterError, False),
    10021: (ContentFilterError, False),
    10022: (ContentFilterError, False),
    10029: (BadRequestError, False),
    10041: (BadRequestError, False),
    10050: (ServerError, True),
    10110: (OverloadedError, True),
    10163: (BadRequestError, False),
    10222: (ServerError, True),
    10223: (OverloadedError, True),
    10300: (ServerError, True),
    10907: (ContextLengthError, False),
    11200: (QuotaError, False),
    11201: (QuotaError, False),
    11202: (RateLimitError, True),
    11203: (ConcurrencyLimitError, True),
    11210: (QuotaError, False),
}
"""Section 5.1: class, and whether trying again is safe and useful."""


@dataclass
class Answer:
    """A refusal as the transport tells of it."""

    status: int
    message: str = ""
    date: str | None = None
    retry_after: float | None = None


@pytest.mark.row("4.1 header.message")
@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        pytest.param(code, meaning, id=str(code), marks=pytest.mark.row(f"5.1 {code}"))
        for code, meaning in TABLE.items()
    ],
)
def test_a_code_is_raised_as_its_class(code: int, meaning: tuple[type[BackendError], bool]) -> None:
    """Class and retryability are the table's, and the service's own words are kept."""
    error = error_of(code, "words", "sid")
    assert meaning == (type(error), error.retryable)
    assert (code, "words", "sid") == (error.provider_code, error.provider_message, error.request_id)


def test_every_code_is_tested() -> None:
    """The table above is the product's."""
    assert sorted(TABLE) == sorted(MEANINGS)


VAGUE: dict[str, tuple[int, str, type[BackendError]]] = {
    "10010 busy": (10010, "RecvFromEngineError:Engine Busy", OverloadedError),
    "10012 busy": (
        10012,
        'EngineInternalError:1105|{"Code":1105,"Message":"The system is busy, try later"}',
        OverloadedError,
    ),
    "10012 request": (10012, "EngineInternalError:Bad Request", BadRequestError),
    "10012 window": (
        10012,
        "x finish_reason=model_context_window_exceeded",
        ContextLengthError,
    ),
    "10012 length": (10012, "Range of input length should be [1, 98304]", ContextLengthError),
    "10012 other": (10012, "EngineInternalError:whatever", ServerError),
    "11200 tokens": (11200, "AppIdNoAuthError:(12:17:04.432) tokens.total", QuotaError),
    "11200 domain": (
        11200,
        "AppIdNoAuthError:(12:17:04.432) domain.generalv3",
        PermissionDeniedError,
    ),
    "11200 bare": (11200, "AppIdNoAuthError", QuotaError),
}
"""Code, text, and what they mean together."""


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        pytest.param(*case, id=name, marks=pytest.mark.row(f"5.1 {case[0]}"))
        for name, case in VAGUE.items()
    ],
)
def test_a_vague_code_is_told_apart_by_its_text(
    code: int, text: str, kind: type[BackendError]
) -> None:
    """Texts that were seen live decide what the code leaves open."""
    assert kind is type(error_of(code, text, ""))


@pytest.mark.parametrize(
    ("code", "stage"),
    [(10013, "input"), (10021, "input"), (10014, "output"), (10019, "output"), (10022, "output")],
)
def test_an_audit_says_whose_text_it_refused(code: int, stage: str) -> None:
    """The question's or the answer's."""
    error = error_of(code, "notice", "")
    assert isinstance(error, ContentFilterError)
    assert stage == error.stage


@pytest.mark.row("5.1 others")
def test_a_code_that_nobody_knows_is_kept() -> None:
    """The caller sees the number and the text."""
    error = error_of(99999, "new", "sid")
    assert (BackendError, 99999, "new") == (
        type(error),
        error.provider_code,
        error.provider_message,
    )


@pytest.mark.parametrize(
    "kind",
    [
        BadRequestError,
        ConcurrencyLimitError,
        ContextLengthError,
        PermissionDeniedError,
        QuotaError,
        RateLimitError,
        AuthenticationError,
    ],
)
def test_a_class_that_has_a_next_step_says_so(kind: type[BackendError]) -> None:
    """Whatever the user can do something about comes with a hint."""
    split = [meaning for texts in SPLIT.values() for _, meaning in texts]
    meanings = [each for each in [*MEANINGS.values(), *split] if each.error is kind]
    assert meanings
    assert all(meaning.hint for meaning in meanings)


def test_missing_volume_points_to_the_console() -> None:
    """The most common complaint of Spark's users has the most precise hint."""
    hint = error_of(11200, "AppIdNoAuthError:(12:17:04.432) tokens.total", "").hint
    assert hint is not None
    assert "claim" in hint
    assert "model version" in hint


@pytest.mark.row("4.5 notice")
def test_a_long_text_is_kept_beside_a_short_message() -> None:
    """The message is for people; the whole text is an attribute."""
    error = error_of(10013, "x" * 1000, "")
    assert len(error.message) < 300
    assert error.provider_message == "x" * 1000


def test_an_error_survives_a_pickle() -> None:
    """With all that it carries."""
    error = error_of(10014, "notice", "sid")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own bytes
    assert vars(error) == vars(copy)


@given(st.integers(), st.text(), st.text())
def test_any_code_is_a_backend_error(code: int, message: str, sid: str) -> None:
    """The mapping is total."""
    error = error_of(code, message, sid)
    assert isinstance(error, BackendError)
    assert code == error.provider_code


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (401, AuthenticationError, False),
        (403, AuthenticationError, False),
        (404, ModelNotFoundError, False),
        (429, RateLimitError, True),
        (500, ServerError, True),
        (502, OverloadedError, True),
        (503, OverloadedError, True),
        (504, OverloadedError, True),
        (200, HandshakeError, False),
        (302, HandshakeError, False),
        (400, HandshakeError, False),
    ],
)
def test_a_refusal_is_raised_by_its_status(
    status: int, kind: type[ProxyLLMError], retryable: bool
) -> None:
    """401 and 403 aren't worth another try, what is the server's own fault is."""
    error = refused(Answer(status, '{"message": "words"}'), now=NOW)
    assert (kind, retryable) == (type(error), error.retryable)
    assert (status, "words", "no") == (error.provider_code, error.provider_message, error.sent)


def test_an_odd_status_is_an_attribute() -> None:
    """Whoever wants to tell proxies from portals can."""
    error = refused(Answer(302), now=NOW)
    assert isinstance(error, HandshakeError)
    assert error.status == 302


@pytest.mark.parametrize("body", ["404 page not found", "[1]", '{"message": 1}', "[" * 100_000])
def test_a_body_that_is_no_json_is_taken_as_it_is(body: str) -> None:
    """What stands between us and the gateway has its own words."""
    assert body == refused(Answer(404, body), now=NOW).provider_message


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("HMAC signature cannot be verified: fail to retrieve credential", "API key;"),
        ("HMAC signature cannot be verified: apikey not found", "API key;"),
        ("HMAC signature does not match", "API secret;"),
        ("Unauthorized", "app id"),
    ],
)
def test_refused_credentials_say_which_to_check(said: str, hint: str) -> None:
    """By the gateway's words."""
    error = refused(Answer(401, said), now=NOW)
    assert error.hint is not None
    assert hint in error.hint
    assert said in str(error)


@pytest.mark.parametrize(
    ("date", "hint"),
    [
        (date_of(NOW - 400), "400 seconds ahead of"),
        (date_of(NOW + 7200), "7200 seconds behind"),
        (date_of(NOW + 2), "clock is right (2 seconds off)"),
        (None, "set this machine's clock"),
        ("yesterday", "set this machine's clock"),
    ],
    ids=["ahead", "behind", "right", "missing", "odd"],
)
def test_a_refused_date_says_how_far_the_clock_is_off(date: str | None, hint: str) -> None:
    """Measured by the gateway's own Date header."""
    error = refused(Answer(403, "HMAC signature cannot be verified, a valid date", date), now=NOW)
    assert error.hint is not None
    assert hint in error.hint


def test_a_wait_that_is_asked_for_is_told() -> None:
    """Retry-After reaches whoever retries."""
    assert refused(Answer(429, retry_after=7.0), now=NOW).retry_after == 7.0


@given(st.integers(100, 599), st.text(), st.none() | st.text())
def test_any_refusal_is_an_error(status: int, body: str, date: str | None) -> None:
    """The mapping is total."""
    assert isinstance(refused(Answer(status, body, date), now=NOW), ProxyLLMError)


def test_what_json_hides_is_scrubbed_and_stays_one_line() -> None:
    """Escapes of JSON are read first: then secrets are taken out, and controls made visible."""
    body = r'{"message": "no \u0073ecret\u001b[2J\nhere"}'
    error = refused(Answer(401, body), now=NOW, scrub=lambda said: said.replace("secret", "***"))
    assert error.provider_message == r"no ***\x1b[2J here"
    assert str(error).isprintable()
