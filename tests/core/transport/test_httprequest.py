"""A request's bytes, and what no request may have."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelplug.errors import (
    InvalidCredentialError,
    MissingCredentialError,
    ProxyLLMError,
    UnsupportedOptionError,
    WrongUseError,
)
from modelplug.secrets import Secret
from modelplug.transport import Endpoint, httprequest
from modelplug.transport.httprequest import HttpRequest, Method
from tests.core.transport.peers import everything_told

ENDPOINT = Endpoint(scheme="https", host="api.example", port=8443, path="/v1/chat")
CANARY = "k3y-Zq7CanaryX9"


def head_of(request: HttpRequest) -> list[str]:
    """The lines of its head."""
    head, _, _ = request.to_bytes().partition(b"\r\n\r\n")
    return head.decode("latin-1").split("\r\n")


@pytest.mark.parametrize(
    ("method", "body", "length"),
    [
        ("POST", b"body", "4"),
        ("POST", b"", "0"),
        ("GET", b"", None),
        ("GET", b"x", "1"),
        ("DELETE", b"", "0"),
    ],
)
def test_a_request_tells_its_length(method: Method, body: bytes, length: str | None) -> None:
    """But for a GET without a body, which has none."""
    request = HttpRequest(endpoint=ENDPOINT, method=method, body=body)
    first, *lines = head_of(request)
    assert first == f"{method} /v1/chat HTTP/1.1"
    told = [line for line in lines if line.startswith("content-length")]
    assert told == ([] if length is None else [f"content-length: {length}"])
    assert request.to_bytes().endswith(b"\r\n\r\n" + body)
    assert "host: api.example:8443" in lines


def test_h11_agrees() -> None:
    """A parser that shares no code with this reads the same out of it."""
    headers: Mapping[str, str | Secret] = {"X-Key": Secret(CANARY), "x-name": "a\tb"}
    request = HttpRequest(endpoint=ENDPOINT, query="a=b", headers=headers, body=b"hello")
    server = h11.Connection(h11.SERVER)
    server.receive_data(request.to_bytes())
    asked, data, end = server.next_event(), server.next_event(), server.next_event()
    assert isinstance(asked, h11.Request)
    assert isinstance(data, h11.Data)
    assert isinstance(end, h11.EndOfMessage)
    assert (asked.method, asked.target, bytes(data.data)) == (b"POST", b"/v1/chat?a=b", b"hello")
    told = dict(asked.headers)
    assert (told[b"x-key"], told[b"x-name"]) == (CANARY.encode(), b"a\tb")


def test_a_caller_may_have_a_user_agent_of_its_own() -> None:
    """There is never a second one."""
    lines = head_of(HttpRequest(endpoint=ENDPOINT, headers={"User-Agent": "acme"}))
    assert [line for line in lines if "gent" in line] == ["User-Agent: acme"]
    agents = [line for line in head_of(HttpRequest(endpoint=ENDPOINT)) if "gent" in line]
    assert [line.partition("/")[0] for line in agents] == ["user-agent: modelplug"]


def test_without_metadata_there_is_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """An app may be frozen without what installers write."""

    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(httprequest, "version", missing)
    httprequest._user_agent.cache_clear()
    lines = head_of(HttpRequest(endpoint=ENDPOINT))
    httprequest._user_agent.cache_clear()
    assert "user-agent: modelplug" in lines


@pytest.mark.parametrize(
    "value", [f"{CANARY}\r\nX: y", f"{CANARY}模型", f"{CANARY}ä", f" {CANARY}", ""]
)
def test_a_value_that_no_header_can_have(value: str) -> None:
    """It is refused, and not repeated: it may be a key."""
    with pytest.raises(UnsupportedOptionError, match="x-key") as caught:
        HttpRequest(endpoint=ENDPOINT, headers={"x-key": value})
    assert caught.value.sent == "no"
    assert CANARY not in f"{caught.value!r}{caught.value.hint}"


@pytest.mark.parametrize("name", ["", "a b", "Host"])
@pytest.mark.parametrize("value", ["x", Secret("x")])
def test_a_header_that_is_not_for_callers(name: str, value: str | Secret) -> None:
    """Whether its value is a secret or not."""
    with pytest.raises(UnsupportedOptionError):
        HttpRequest(endpoint=ENDPOINT, headers={name: value})


@pytest.mark.parametrize("method", ["HEAD", "CONNECT", "get", "", "GET / HTTP/1.1\r\n"])
def test_other_methods_are_not_for_callers(method: str) -> None:
    """Their responses are of another kind, or they are none."""
    with pytest.raises(WrongUseError):
        HttpRequest(endpoint=ENDPOINT, method=method)  # type: ignore[arg-type]


@pytest.mark.parametrize("query", ["x y", "a#b", "a\r\nb", "a\0", "模"])
def test_a_query_that_would_be_something_else(query: str) -> None:
    """Blanks and line ends would split the request line."""
    with pytest.raises(UnsupportedOptionError) as caught:
        HttpRequest(endpoint=ENDPOINT, query=query)
    assert query not in str(caught.value)


def test_a_query_is_sent_as_it_is() -> None:
    """What is to be encoded was refused."""
    request = HttpRequest(endpoint=ENDPOINT, query="a=b%20c&d=e+f")
    assert head_of(request)[0] == "POST /v1/chat?a=b%20c&d=e+f HTTP/1.1"


def test_a_secret_query_is_encoded() -> None:
    """Nobody can see what is wrong with it: it is made right."""
    request = HttpRequest(endpoint=ENDPOINT, query=Secret("a=b c#d"))
    assert head_of(request)[0] == "POST /v1/chat?a=b%20c%23d HTTP/1.1"


def test_a_request_shows_where_it_goes_and_no_more() -> None:
    """Not the query, the headers or the body."""
    request = HttpRequest(
        endpoint=ENDPOINT, query=CANARY, headers={"x": CANARY}, body=CANARY.encode()
    )
    assert repr(request) == f"HttpRequest(endpoint={ENDPOINT!r}, method='POST')"


def test_secrets_are_known() -> None:
    """Those in headers and in the query, to be taken out of what a server says."""
    one, two = Secret("one-secret"), Secret("two-secret")
    request = HttpRequest(endpoint=ENDPOINT, query=one, headers={"a": two, "b": "plain"})
    assert request.secrets == [one, two]


@pytest.mark.parametrize(
    ("second", "kind"),
    [
        (lambda: 1 / 0, MissingCredentialError),
        (lambda: "a\r\nb", InvalidCredentialError),
    ],
)
def test_a_secret_that_fails_shows_no_other(second: object, kind: type[ProxyLLMError]) -> None:
    """What was revealed before is in no frame of the error."""
    headers: Mapping[str, str | Secret] = {
        "x-one": Secret(lambda: CANARY),
        "x-two": Secret(second),  # type: ignore[arg-type]
    }
    request = HttpRequest(endpoint=ENDPOINT, headers=headers)
    with pytest.raises(kind) as caught:
        request.to_bytes()
    assert CANARY not in everything_told(caught.value)


texts = st.text(max_size=20)


@given(name=texts, value=texts, query=texts)
def test_whatever_is_asked_is_one_request_or_refused(name: str, value: str, query: str) -> None:
    """No text makes a second header, a second line or a second request."""
    try:
        request = HttpRequest(endpoint=ENDPOINT, headers={name: value}, query=query)
    except (UnsupportedOptionError, WrongUseError):
        return
    lines = request.to_bytes().removesuffix(b"\r\n\r\n").split(b"\r\n")
    assert len(lines) == 5 + (name.lower() != "user-agent")
    assert [line for line in lines if b"\n" in line or b"\r" in line or b"\0" in line] == []
    assert lines[0].count(b" ") == 2
