"""What an error comes of: no secret in it, and no frames."""

from __future__ import annotations

import traceback
from collections.abc import Callable

import pytest

from modelplug import ServerError
from modelplug.causes import scrub_causes, strip_frames

KEY = "canary-0123456789abcdef"


def scrub(text: str) -> str:
    """Take the key out."""
    return text.replace(KEY, "***")


class OwnError(Exception):
    """Prints itself in its own way."""

    def __init__(self, said: str) -> None:
        self.said = said

    def __str__(self) -> str:
        return f"the service said {self.said}"


class UnprintableError(Exception):
    """Can't be printed at all."""

    def __repr__(self) -> str:
        raise ZeroDivisionError


def noted() -> Exception:
    """An error with a note."""
    error = ValueError("x")
    error.add_note(f"asked for ?key={KEY}")
    return error


def within(error: Exception) -> Exception:
    """An error that was raised while another was dealt with."""
    outer = KeyError("x")
    outer.__context__ = error
    return outer


KEPT: dict[str, Callable[[], Exception]] = {
    "a text": lambda: ValueError(f"?key={KEY}"),
    "one of ours": lambda: ServerError(f"?key={KEY}"),
    "a note": noted,
    "what was dealt with": lambda: within(ValueError(KEY)),
    "a group": lambda: ExceptionGroup("two", [ValueError(KEY), noted()]),
}
"""What shows no key once its texts are rewritten."""

LET_GO: dict[str, Callable[[], Exception]] = {
    "the system's": lambda: OSError(5, f"GET ?key={KEY}"),
    "a text of its own": lambda: OwnError(KEY),
    "bytes": lambda: ValueError(KEY.encode()),
    "another within": lambda: ValueError(OSError(5, KEY)),
    "what was decoded": lambda: UnicodeDecodeError("utf-8", KEY.encode(), 0, 1, "x"),
    "a group's own": lambda: ExceptionGroup(f"of {KEY}", [ValueError("x")]),
    "groups in groups": lambda: ExceptionGroup("x", [ExceptionGroup("y", [OwnError(KEY)])]),
    "unprintable": UnprintableError,
}
"""What would show it all the same, or nobody knows."""


def by_cause(error: Exception) -> ServerError:
    """An error that was raised from another."""
    outer = ServerError("failed")
    outer.__cause__ = error
    return outer


def by_context(error: Exception) -> ServerError:
    """An error that was raised while another was dealt with."""
    outer = ServerError("failed")
    outer.__context__ = error
    return outer


def by_both(error: Exception) -> ServerError:
    """An error that was raised from another while that was dealt with."""
    outer = by_cause(error)
    outer.__context__ = error
    return outer


links = pytest.mark.parametrize("linked", [by_cause, by_context, by_both])


@links
@pytest.mark.parametrize("make", KEPT.values(), ids=KEPT.keys())
def test_what_it_comes_of_stays_without_secrets(
    linked: Callable[[Exception], ServerError], make: Callable[[], Exception]
) -> None:
    """For who looks for a bug: each error is there, with what else it says."""
    cause = make()
    error = linked(cause)
    scrub_causes(error, scrub)
    told = "".join(traceback.format_exception(error))
    assert (KEY in told, "***" in told) == (False, True)
    assert cause in (error.__cause__, error.__context__)


@links
@pytest.mark.parametrize("make", LET_GO.values(), ids=LET_GO.keys())
def test_what_can_t_be_rewritten_is_let_go(
    linked: Callable[[Exception], ServerError], make: Callable[[], Exception]
) -> None:
    """The name of its class stays, once."""
    cause = make()
    error = linked(cause)
    scrub_causes(error, scrub)
    told = "".join(traceback.format_exception(error))
    assert (KEY in told, told.count(f"it came of {type(cause).__name__}")) == (False, 1)
    assert (error.__cause__, error.__context__) == (None, None)


def test_what_is_let_go_is_let_go_wherever_it_is() -> None:
    """Far down the chain, and below a member of a group."""
    member = within(OSError(5, KEY))
    error = by_cause(within(ExceptionGroup("one", [member])))
    scrub_causes(error, scrub)
    told = "".join(traceback.format_exception(error))
    assert (KEY in told, told.count("it came of OSError")) == (False, 1)
    assert member.__context__ is None


def test_what_shows_no_secret_stays_as_it_is() -> None:
    """An error of the system's, say; its arguments are those that it had."""
    cause = OSError(5, "no such luck")
    error = by_cause(cause)
    scrub_causes(error, scrub)
    assert (error.__cause__, cause.args) == (cause, (5, "no such luck"))
    assert not hasattr(error, "__notes__")


def test_a_ring_has_an_end() -> None:
    """Whoever made it."""
    one, other = ValueError(KEY), ValueError(KEY)
    one.__cause__, other.__context__ = other, one
    scrub_causes(one, scrub)
    strip_frames(one)
    assert other.args == ("***",)


def test_frames_are_taken_off_all_of_it() -> None:
    """Members of groups, too."""

    def raised(error: Exception) -> Exception:
        with pytest.raises(type(error)) as caught:
            raise error
        return caught.value

    member = raised(ValueError("x"))
    cause = raised(ExceptionGroup("one", [member]))
    error = raised(by_cause(cause))
    strip_frames(error)
    assert [each.__traceback__ for each in (error, cause, member)] == [None] * 3
