"""Statuses and words of services as errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import modelplug
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
    SchemaError,
    ServerError,
)
from modelplug_openai.chunks import Choice, decode_chunk
from modelplug_openai.codes import (
    failure_of,
    has_odd,
    look_for_failure,
    refused,
    request_id_of,
)
from tests.providers.openai.wire import chunk, encoded, golden, preset


def error(
    status: int,
    body: object = b"",
    headers: Mapping[str, str] | None = None,
    **settings: Any,
) -> ProxyLLMError:
    """The error for a response."""
    data = body if isinstance(body, bytes) else encoded(body)
    usual: dict[str, Any] = {"failures": {}, "scrub": str}
    return refused(status, data, headers=headers or {}, **(usual | settings))


def worded(word: str) -> dict[str, object]:
    """A body with one word of the service's."""
    return {"error": {"message": "x", "code": word}}


@pytest.mark.parametrize("row", golden("errors")["errors"], ids=lambda row: row["body"][-80:])
def test_a_golden_body_is_understood(row: dict[str, Any]) -> None:
    """As somebody saw it, or as the documentation has it."""
    found = error(row["status"], row["body"].encode())
    assert type(found) is getattr(modelplug, row["error"])
    assert row["code"] == found.provider_code
    assert row.get("request_id") == found.request_id
    assert found.provider_message


def test_a_key_that_was_not_sent_was_not_refused() -> None:
    """Other refusals are the same with a key and without."""
    assert "none was sent" in str(error(401, worded("invalid_api_key"), has_key=False))
    assert "refused the key" in str(error(401, worded("invalid_api_key")))
    assert str(error(429, has_key=False)) == str(error(429))


STATUSES: list[tuple[int, type[BackendError], bool]] = [
    (400, BadRequestError, False),
    (401, AuthenticationError, False),
    (402, QuotaError, False),
    (403, PermissionDeniedError, False),
    (405, BadRequestError, False),
    (408, ServerError, True),
    (409, BackendError, True),
    (413, BadRequestError, False),
    (418, BadRequestError, False),
    (422, BadRequestError, False),
    (424, ServerError, True),
    (429, RateLimitError, True),
    (498, OverloadedError, True),
    (500, ServerError, True),
    (501, ServerError, True),
    (502, OverloadedError, True),
    (503, OverloadedError, True),
    (504, OverloadedError, True),
    (529, OverloadedError, True),
]


@pytest.mark.parametrize(("status", "expected", "retryable"), STATUSES)
@pytest.mark.parametrize(
    "body", [b"", b"<html><p>secret</p></html>", b"upstream gone", {"message": "x"}], ids=repr
)
def test_a_status_alone_is_enough(
    status: int, expected: type[BackendError], retryable: bool, body: object
) -> None:
    """Whatever the body is, and of a page nothing is kept."""
    found = error(status, body)
    assert (type(found), found.retryable) == (expected, retryable)
    assert status == found.provider_code
    assert "secret" not in repr(vars(found)) + str(found)


WORDS: list[tuple[int, str, type[BackendError]]] = [
    (401, "invalid_api_key", AuthenticationError),
    (429, "insufficient_quota", QuotaError),
    (429, "billing_hard_limit_reached", QuotaError),
    (429, "rate_limit_exceeded", RateLimitError),
    (400, "context_length_exceeded", ContextLengthError),
    (400, "string_above_max_length", ContextLengthError),
    (400, "exceed_context_size_error", ContextLengthError),
    (413, "tokens_limit_reached", ContextLengthError),
    (400, "content_policy_violation", ContentFilterError),
    (400, "data_inspection_failed", ContentFilterError),
    (404, "model_not_found", ModelNotFoundError),
    (404, "DeploymentNotFound", ModelNotFoundError),
    (400, "unknown_model", ModelNotFoundError),
    (404, "unknown_url", BadRequestError),
    (403, "unsupported_country_region_territory", PermissionDeniedError),
    (400, "API_KEY_INVALID", AuthenticationError),
    (403, "PERMISSION_DENIED", PermissionDeniedError),
    (503, "UNAVAILABLE", OverloadedError),
    (400, "Arrearage", QuotaError),
    (429, "Throttling.RateQuota", RateLimitError),
    (429, "Throttling.AllocationQuota", RateLimitError),
    (404, "not_found_error", ModelNotFoundError),
    (400, "tokens_too_long", ContextLengthError),
    (404, "InvalidEndpoint.NotFound", ModelNotFoundError),
    (429, "exceeded_current_quota_error", QuotaError),
    (429, "engine_overloaded_error", OverloadedError),
    (500, "overloaded_error", OverloadedError),
    (503, "unavailable_error", OverloadedError),
    (400, "SensitiveContentDetected.Violence", ContentFilterError),
    (403, "AccessDenied.Whatever", PermissionDeniedError),
    (400, "api_error", BadRequestError),
    (401, "server_error", AuthenticationError),
    (500, "api_error", ServerError),
    (400, "never_heard_of", BadRequestError),
]


@pytest.mark.parametrize(("status", "word", "expected"), WORDS)
def test_a_word_says_more_than_a_status(
    status: int, word: str, expected: type[BackendError]
) -> None:
    """But a mere "server error" says less."""
    found = error(status, worded(word))
    assert type(found) is expected
    assert (word, "x") == (found.provider_code, found.provider_message)


@pytest.mark.parametrize(
    ("name", "status", "word", "expected"),
    [
        ("zhipu", 400, "1211", ModelNotFoundError),
        ("zhipu", 429, "1302", ConcurrencyLimitError),
        ("zhipu", 400, "1301", ContentFilterError),
        ("zhipu", 400, "1261", ContextLengthError),
        ("zhipu", 429, "1305", RateLimitError),
        ("zhipu", 429, "1308", QuotaError),
        ("zhipu", 429, "1312", OverloadedError),
        ("qwen", 429, "insufficient_quota", RateLimitError),
        ("openai", 429, "insufficient_quota", QuotaError),
        ("spark-http", 500, "11203", ConcurrencyLimitError),
        ("spark-http", 500, "10907", ContextLengthError),
        ("openai", 500, "11203", ServerError),
    ],
)
def test_a_presets_words_go_first(
    name: str, status: int, word: str, expected: type[BackendError]
) -> None:
    """Numbers above all: each service has its own."""
    found = error(status, worded(word), failures=preset(name).failures)
    assert type(found) is expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"404 page not found", BadRequestError),
        (b"<html>", BadRequestError),
        ({"detail": "Not Found"}, BadRequestError),
        ({"message": "no Route matched with those values"}, BadRequestError),
        ({"error": {"message": "x", "type": "NotFoundError", "code": 404}}, ModelNotFoundError),
        (worded("model_not_found"), ModelNotFoundError),
    ],
    ids=repr,
)
def test_what_is_not_found_is_the_model_or_the_address(
    body: object, expected: type[BackendError]
) -> None:
    """Who has no words for it knows of no models."""
    found = error(404, body)
    assert type(found) is expected
    assert found.hint
    assert "api_base" in found.hint or "model" in found.hint


@pytest.mark.parametrize(
    ("name", "word", "stage"),
    [
        ("openai", "content_filter", "input"),
        ("ark", "InputTextRiskDetection", "input"),
        ("ark", "OutputTextRiskDetection", "output"),
        ("minimax", "1026", "input"),
        ("minimax", "1027", "output"),
        ("spark-http", "10013", "input"),
        ("spark-http", "10014", "output"),
        ("zhipu", "1301", "input"),
    ],
)
def test_an_audits_refusal_tells_whose_text_it_was(name: str, word: str, stage: str) -> None:
    """Where the word doesn't, it was the question's: no answer has begun."""
    found = error(400, worded(word), failures=preset(name).failures)
    assert isinstance(found, ContentFilterError)
    assert stage == found.stage


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("AppIdNoAuthError:(12:17:04.432) tokens.total", QuotaError),
        ("AppIdNoAuthError:(12:17:04.432) domain.generalv3", PermissionDeniedError),
        ("", QuotaError),
    ],
)
def test_a_code_for_two_things_is_told_apart_by_its_text(
    text: str, expected: type[BackendError]
) -> None:
    """Spark's 11200, as over its WebSocket."""
    body = {"error": {"message": text, "code": "11200"}}
    found = error(500, body, failures=preset("spark-http").failures)
    assert type(found) is expected
    assert found.hint


def test_the_time_to_wait_is_the_headers() -> None:
    """As whoever read them says."""
    assert error(429, b"", retry_after=1.5).retry_after == 1.5
    assert error(429, b"").retry_after is None


def test_the_body_may_say_how_long_to_wait() -> None:
    """Gemini's does; it goes before the header, which is its gateway's."""
    body = {"error": {"code": 429, "message": "x", "details": [{"retryDelay": "32s"}]}}
    assert error(429, [body], retry_after=60).retry_after == 32


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({"x-request-id": "req_1", "cf-ray": "r"}, "req_1"),
        ({"request-id": "req_2"}, "req_2"),
        ({"apim-request-id": "a"}, "a"),
        ({"cf-ray": "r"}, "r"),
        ({"x-request-id": "", "x-ds-trace-id": "d"}, "d"),
        ({"x-request-id": "x" * 999}, "x" * 128),
        ({"x-request-id": "a\x1b[31m"}, "a\\x1b[31m"),
        ({}, None),
    ],
    ids=lambda value: str(value)[:40],
)
def test_the_requests_name_is_found(headers: dict[str, str], name: str | None) -> None:
    """The service's own before its gateway's, in a form that can be printed."""
    assert name == request_id_of(headers, scrub=str)
    assert name == error(500, b"", headers).request_id


def test_the_bodys_name_of_the_request_goes_first() -> None:
    """It is the service's own in any case."""
    found = error(500, {"message": "x", "request_id": "b"}, {"x-request-id": "h"})
    assert found.request_id == "b"


@pytest.mark.parametrize("status", [200, 204])
@pytest.mark.parametrize("body", [b"", b"<html>log in</html>", b"hello"], ids=repr)
def test_a_response_that_is_no_answer_is_an_error(status: int, body: bytes) -> None:
    """A login page, a proxy."""
    found = error(status, body)
    assert isinstance(found, HandshakeError)
    assert (status, "log in" in str(vars(found))) == (found.status, False)


def test_a_failure_with_status_200_is_typed() -> None:
    """Status 200 proves nothing."""
    assert type(error(200, worded("insufficient_quota"))) is QuotaError
    assert type(error(200, {"error": "x"})) is BackendError


def test_secrets_are_taken_out_and_lines_made_one() -> None:
    """Before anything is cut."""
    body = {"error": {"message": "bad\nkey hunter2\x1b[0m " + "x" * 3000, "code": "hunter2"}}
    headers = {"x-request-id": "hunter2"}
    found = error(401, body, headers, scrub=lambda text: text.replace("hunter2", "***"))
    shown = repr(vars(found)) + str(found)
    assert "hunter2" not in shown
    assert "\n" not in str(found)
    assert "\x1b" not in str(found)
    assert len(found.provider_message or "") == 2000
    assert len(found.message) < 300


@pytest.mark.parametrize(
    "body",
    [b"x" * 195 + b"hunter2", {"error": {"code": "x" * 95 + "hunter2", "message": "m"}}],
    ids=["text", "code"],
)
def test_half_a_secret_is_not_shown(body: object) -> None:
    """It is none that could be found: what is cut is clean already."""
    found = error(400, body, scrub=lambda text: text.replace("hunter2", "***"))
    assert "hunt" not in f"{found} {found.provider_message} {found.provider_code}"


def test_nothing_of_what_cannot_be_read_shows_in_a_streams_failure() -> None:
    """It might be a piece of the answer."""
    with pytest.raises(BackendError) as caught:
        look(b'{"error": true, "hunter2": 1}')
    assert (type(caught.value), caught.value.provider_message) == (BackendError, None)
    assert "hunter2" not in str(caught.value)


@given(
    st.integers(200, 599),
    st.binary(max_size=40) | st.sampled_from([b'{"error": {"code": "404"}}', b'{"error": []}']),
    st.dictionaries(st.sampled_from(["cf-ray", "x-request-id"]), st.text(max_size=9)),
)
def test_any_response_is_one_typed_error(status: int, body: bytes, headers: dict[str, str]) -> None:
    """Nothing else is raised, whatever comes."""
    found = error(status, body, headers)
    assert isinstance(found, BackendError | HandshakeError)
    assert str(found).isprintable()


# ------------------------------------------------------------------ with status 200


def look(message: Any) -> None:
    """Look at a message, as JSON or as it is."""
    data = message if isinstance(message, bytes) else encoded(message)
    look_for_failure(decode_chunk(data), data, failures={"7": "rate"}, scrub=str)


@pytest.mark.parametrize(
    "message",
    [
        chunk({"content": "a"}, code=0),
        chunk({"content": "a"}, code=200, message="Success", base_resp={"status_code": 0}),
        chunk({"content": "a"}, error=None),
        chunk({"content": "a"}, x_groq={"id": "req_1"}),
        {"choices": [], "usage": {"prompt_tokens": 1}},
        {"choices": [], "usage": {"prompt_tokens": 1}, "code": 0, "message": "Success"},
        {"object": "chat.completion.chunk"},
        {"prompt_filter_results": [{}]},
        {"usage": {"prompt_tokens": 1}},
    ],
    ids=lambda value: str(value)[-50:],
)
def test_a_chunk_is_no_failure(message: Any) -> None:
    """With a code that says so, or without choices."""
    look(message)


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({"error": "x"}, BackendError),
        (chunk({"content": "a"}, error={"code": "7", "message": "x"}), RateLimitError),
        (chunk({"content": "a"}, code=7), RateLimitError),
        (chunk({"content": "a"}, x_groq={"error": "x"}), BackendError),
        ({"code": "7"}, RateLimitError),
        ({"base_resp": {"status_code": 7}}, RateLimitError),
        ({"object": "error", "code": 503}, OverloadedError),
        ({"type": "error"}, BackendError),
        ({"message": "x"}, BackendError),
        ({"detail": "x"}, BackendError),
        ({"errors": ["x"]}, BackendError),
    ],
    ids=lambda value: str(value)[-50:],
)
def test_a_failure_is_raised_in_every_shape(message: Any, error: type[BackendError]) -> None:
    """With choices beside it or without."""
    with pytest.raises(BackendError) as caught:
        look(message)
    assert type(caught.value) is error


@pytest.mark.parametrize("message", [{}, {"id": "x"}, {"type": "ping"}, {"error": {}}], ids=str)
def test_what_is_neither_is_of_the_wrong_shape(message: Any) -> None:
    """And nobody's answer."""
    with pytest.raises(SchemaError):
        look(message)


@pytest.mark.parametrize(
    ("name", "word", "error"),
    [
        ("openai", "stop", None),
        ("openai", "weary", None),
        ("openai", "error", ServerError),
        ("azure", "content_filter", None),
        ("zhipu", "network_error", ServerError),
        ("zhipu", "sensitive", None),
        ("deepseek", "insufficient_system_resource", OverloadedError),
    ],
)
def test_a_reason_may_be_a_failure(name: str, word: str, error: type[BackendError] | None) -> None:
    """By the table, or by the preset; what is a reason to end is none."""
    failure = failure_of(Choice(), word, failures=preset(name).failures, scrub=str)
    assert (error or type(None)) is type(failure)


def test_only_few_chunks_are_looked_at_twice() -> None:
    """Those that have what failures have."""
    assert not has_odd(decode_chunk(chunk({"content": "a"}, error=None, message="x")))
    for name in ("error", "code", "base_resp", "x_groq"):
        more: dict[str, Any] = {name: {}}
        assert has_odd(decode_chunk(chunk({"content": "a"}, **more)))


def test_a_choice_tells_more_than_its_reason() -> None:
    """Whatever that is."""
    choice = Choice(error={"code": 503, "message": "x"})
    failure = failure_of(choice, "stop", failures=preset("openrouter").failures, scrub=str)
    assert isinstance(failure, OverloadedError)
    assert failure.provider_message == "x"
