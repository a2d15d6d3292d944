"""The assertions of checks."""

from __future__ import annotations

import pytest

from modelplug import ConnectError, RateLimitError, ServerError, TransportError
from modelplug.conformance.expect import Expect
from modelplug.conformance.verdict import Violation

EXPECT = Expect()


def fails(error: Exception) -> object:
    """Raise it."""
    raise error


def test_what_holds_is_passed_over() -> None:
    """In silence."""
    EXPECT.that(1, "no")
    EXPECT.equal("a", 1, 1)
    assert isinstance(
        EXPECT.raises(TransportError, lambda: fails(ConnectError("x")), what="a"), ConnectError
    )


def test_what_differs_is_shown() -> None:
    """Both values, but not without end."""
    with pytest.raises(Violation, match="the text: expected 'a', got 'b'"):
        EXPECT.equal("the text", "a", "b")
    with pytest.raises(Violation, match=r"… \(1002 characters\)"):
        EXPECT.equal("the text", "a", "b" * 1000)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ServerError("x"), "expected RateLimitError, got ServerError: x"),
        (KeyError("x"), "got KeyError from outside modelplug's errors"),
    ],
    ids=["other", "foreign"],
)
def test_another_error_is_named(error: Exception, told: str) -> None:
    """And whether it is one of modelplug's."""
    with pytest.raises(Violation, match=told):
        EXPECT.raises(RateLimitError, lambda: fails(error), what="a failure")


def test_no_error_is_told_with_what_came_instead() -> None:
    """It may be the error as a text."""
    with pytest.raises(Violation, match="got no error, but 'sorry'"):
        EXPECT.raises(RateLimitError, lambda: "sorry", what="a failure")
