"""The opening handshake: what is made of answers that are no WebSocket."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelplug.call import Call
from modelplug.secrets import Secret
from modelplug.transport import Endpoint, handshake
from modelplug.transport.handshake import (
    MESSAGE_LIMIT,
    Answer,
    Refusal,
    misunderstanding,
    refused,
)

ENDPOINT = Endpoint.parse("wss://a.example/chat")

UNAUTHORIZED = (
    b"HTTP/1.1 401 Unauthorized\r\nDate: Fri, 05 May 2023 10:43:39 GMT\r\nRetry-After: 7\r\n"
    b'Content-Length: 38\r\n\r\n{"message":"HMAC signature is wrong"}\r\n'
)


def answer_of(*parts: bytes) -> Answer:
    """An answer that has come in parts."""
    answer = Answer()
    for part in parts:
        answer.feed(part)
    return answer


def refusal_of(*parts: bytes, scrub: Callable[[str], str] = str) -> Refusal | None:
    """What is made of an answer that has come in parts."""
    return answer_of(*parts).refusal(scrub)


def test_a_refusal_has_what_the_server_said() -> None:
    """Status, body, Date and Retry-After, for the provider to make an error of."""
    assert refusal_of(UNAUTHORIZED) == Refusal(
        status=401,
        message='{"message":"HMAC signature is wrong"}',
        date="Fri, 05 May 2023 10:43:39 GMT",
        retry_after=7.0,
        headers={
            "date": "Fri, 05 May 2023 10:43:39 GMT",
            "retry-after": "7",
            "content-length": "38",
        },
    )


def test_a_refusal_is_a_value() -> None:
    """It can't be changed."""
    with pytest.raises(FrozenInstanceError):
        Refusal(status=401).status = 200  # type: ignore[misc]


@pytest.mark.parametrize("cut", range(len(UNAUTHORIZED)))
def test_a_refusal_is_the_same_however_it_is_split(cut: int) -> None:
    """Where the network divides the answer makes no difference."""
    assert refusal_of(UNAUTHORIZED[:cut], UNAUTHORIZED[cut:]) == refusal_of(UNAUTHORIZED)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1",
        b"HTTP/1.1 401",
        b"HTTP/1.1 999 Odd\r\n\r\n",
        b"HTTP/2 401 Unauthorized\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    ],
)
def test_an_answer_without_status_is_no_refusal(answer: bytes) -> None:
    """Nor is one that agrees."""
    assert refusal_of(answer) is None


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n", "hello world"),
        (b"5\r\nhello\r\n6\r\n wo", "hello wo"),
        (b"5\r\nhello\r\n", "hello"),
        (b"5\r\nhe", "he"),
        (b"zz\r\nhello", ""),
        (b"", ""),
    ],
)
def test_a_chunked_body_is_put_together(body: bytes, message: str) -> None:
    """As far as it has come and makes sense."""
    refusal = refusal_of(b"HTTP/1.1 500 X\r\nTransfer-Encoding: Chunked\r\n\r\n" + body)
    headers = {"transfer-encoding": "Chunked"}
    assert refusal == Refusal(status=500, message=message, headers=headers)


def test_a_refusal_by_an_old_proxy_has_its_status() -> None:
    """HTTP/1.0, which some proxies still answer with, is no WebSocket but has a status."""
    assert refusal_of(b"HTTP/1.0 503 Busy\r\n\r\n<p>busy") == Refusal(status=503, message="<p>busy")


def test_secrets_are_taken_out() -> None:
    """A server that repeats what it was sent gives nothing away."""
    call = Call()
    call.conceal(Secret("s3cret-signature"))
    head, body = b"HTTP/1.1 403 No\r\nDate: s3cret-signature", b"a=s3cret-signature \xff\x1b[1m"
    refusal = refusal_of(head + b"\r\n\r\n" + body, scrub=call.scrub)
    assert refusal is not None
    assert "s3cret" not in repr(refusal)
    assert refusal.message.endswith("\ufffd\\x1b[1m")


def test_a_long_body_is_cut() -> None:
    """Of an endless body no more is kept, or waited for, than a message can hold."""
    head = b"HTTP/1.1 500 X\r\nContent-Length: 999999999\r\n\r\n"
    assert not answer_of(head, b"x" * (MESSAGE_LIMIT - 1)).is_enough
    answer = answer_of(head, b"x" * (MESSAGE_LIMIT + 99))
    assert answer.is_enough
    refusal = answer.refusal(str)
    assert refusal is not None
    assert refusal.message == "x" * MESSAGE_LIMIT


def test_a_line_of_a_head_that_was_cut_is_left_out() -> None:
    """It may end in half of what was to be taken out."""
    refusal = refusal_of(b"HTTP/1.1 500 X\r\nX-A: whole\r\nX-B: s3cret-sign")
    assert refusal == Refusal(status=500, headers={"x-a": "whole"})


def test_an_endless_head_is_cut() -> None:
    """The same where the body never comes."""
    answer = answer_of(b"HTTP/1.1 500 X\r\n", *[b"X-Y: " + b"z" * 1000 + b"\r\n"] * 100)
    assert answer.is_enough
    assert answer.refusal(str) == Refusal(status=500, headers={"x-y": "z" * 1000})
    assert len(answer._received) < 70_000


def test_an_agreement_is_never_cut() -> None:
    """What follows a 101 is frames: many of them may come with it."""
    assert not answer_of(b"HTTP/1.1 101 X\r\n\r\n" + b"x" * 100_000).is_enough


@pytest.mark.parametrize(
    ("received", "may_be"), [(b"", True), (b"HT", True), (b"HTTP/1.1 2", True), (b"SSH-", False)]
)
def test_garbage_is_told_from_an_answer_cut_short(received: bytes, may_be: bool) -> None:
    """The one is another service, the other may work later."""
    assert answer_of(received).may_be_http is may_be


@pytest.mark.parametrize(
    ("status", "hint", "retryable"),
    [
        (200, "not the service that was meant", False),
        (302, "redirects are not followed", False),
        (404, None, False),
        (429, None, True),
        (503, None, True),
    ],
)
def test_a_refusal_that_nobody_knows_is_a_handshake_error(
    status: int, hint: str | None, retryable: bool
) -> None:
    """With the status, the server's words, and whether to try again."""
    refusal = Refusal(status=status, message="words", retry_after=3.0)
    error = refused(refusal, ENDPOINT)
    assert (error.status, error.provider_message, error.retry_after) == (status, "words", 3.0)
    assert (error.retryable, hint is None or hint in str(error.hint)) == (retryable, True)
    assert refused(replace(refusal, message=""), ENDPOINT).provider_message is None


def test_a_refusal_says_what_was_wanted() -> None:
    """The text tells a WebSocket's handshake from a request."""
    refusal = Refusal(status=404)
    assert refused(refusal, ENDPOINT).message.endswith("status 404 instead of a response")
    told = refused(refusal, ENDPOINT, instead_of="a WebSocket").message
    assert told.endswith("status 404 instead of a WebSocket")


def test_over_http_a_refusal_has_headers_and_body() -> None:
    """All of both, as text and without secrets, for whoever looks for the service's own words."""
    headers = {"x-request-id": "r-KEY-1", "date": "today\x1b", "retry-after-ms": "1500"}
    body = b'{"error": {"message":\n"no KEY \xff"}}'
    refusal = handshake.refusal_of(
        429, headers, body, is_whole=True, scrub=lambda text: text.replace("KEY", "*")
    )
    assert refusal.headers == {**headers, "x-request-id": "r-*-1"}
    assert refusal.body == '{"error": {"message":\n"no * \ufffd"}}'
    assert refusal.message == '{"error": {"message": "no * \ufffd"}}'
    assert (refusal.retry_after, refusal.date) == (1.5, "today\\x1b")


def test_half_a_body_is_no_body() -> None:
    """It may end in half a secret, which is not found; its beginning is told."""
    refusal = handshake.refusal_of(500, {}, b"x" * 9000, is_whole=False, scrub=str)
    assert (refusal.body, len(refusal.message)) == ("", 8192)


def test_a_refusal_shows_neither_headers_nor_body() -> None:
    """They may hold anything."""
    refusal = Refusal(status=500, headers={"a": "canary"}, body="canary")
    assert "canary" not in repr(refusal)


def test_a_misunderstanding_names_its_cause() -> None:
    """The library's class and words, harmless and without secrets."""
    error = ValueError("outer")
    assert misunderstanding(error, str) == "ValueError: outer"
    error.__cause__ = EOFError("inner\x1b")
    assert misunderstanding(error, lambda text: text.replace("inner", "*")) == "EOFError: *\\x1b"


@given(answer=st.binary(max_size=200), head=st.sampled_from([b"", b"HTTP/1.1 500 X\r\n"]))
def test_any_bytes_are_a_refusal_or_none(answer: bytes, head: bytes) -> None:
    """Nothing that a server sends makes this fail, and what it makes prints in one line."""
    refusal = refusal_of(head, answer)
    assert (refusal is None) <= (head == b"")
    assert refusal is None or (refusal.message + (refusal.date or "")).isprintable()
