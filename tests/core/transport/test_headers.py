"""Which headers may be set."""

from __future__ import annotations

import pytest

from modelplug.transport import header_fault


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTP-Referer", "https://a.example/"),
        ("content-type", "application/json; charset=utf-8"),
        ("x", "1"),
        ("!#$%&'*+.^_`|~9-z", "a\tb  c"),
    ],
)
def test_a_header_that_can_be_sent(name: str, value: str) -> None:
    """Any name of RFC 9110; a value of one line."""
    assert header_fault(name, value) is None


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\r\nb", "a\n", "ä", "a\0", "\u212a"])
def test_a_name_that_no_header_can_have(name: str) -> None:
    """It is not repeated: it may end a line in a log."""
    fault = header_fault(name, "x")
    assert fault == "a header has a name that none can have"


@pytest.mark.parametrize(
    "name",
    [
        *("Host", "content-length", "Transfer-Encoding", "CONNECTION", "te", "Upgrade", "Expect"),
        *("Accept-Encoding", "proxy-connection", "HTTP2-Settings", "Proxy-Authorization"),
    ],
)
def test_headers_of_the_message_itself_are_not_for_callers(name: str) -> None:
    """Two of them could be read in two ways."""
    assert header_fault(name, "x") == f"the header {name} is not for callers to set"


@pytest.mark.parametrize(
    "value",
    [
        "k\rb",
        "k\nb",
        "k\n",
        "k\0b",
        "k\x7fb",
        "k\x1bb",
        "k模型",
        "k\u2028b",
        "k\x85",
        " k",
        "k\t",
        "",
    ],
)
def test_a_value_that_no_header_can_have(value: str) -> None:
    """It is not repeated: it may be a key."""
    told = "the header x has a value that none can have: one line of visible ASCII"
    assert told == header_fault("x", value)
