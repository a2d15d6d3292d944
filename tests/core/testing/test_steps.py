"""The vocabulary of scripts."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from typing import get_args

import pytest

from modelplug import Delta, Finish
from modelplug.testing import (
    CloseCode,
    CutFrame,
    Drip,
    EarlyStatus,
    Fail,
    Fragment,
    Garbage,
    Gate,
    Hang,
    KeepAlive,
    Lines,
    Refuse,
    Reset,
    Split,
    Status,
    Step,
    steps,
)

OWN = [each for each in get_args(Step) if each not in (str, Delta, Finish)]


def test_every_step_is_told_of_in_the_modules_table() -> None:
    """Whoever reads the module's first lines knows all there is."""
    told = steps.__doc__ or ""
    contents = {"Message", "Noise"}
    assert [each.__name__ for each in OWN if each.__name__ not in told] == sorted(contents)


@pytest.mark.parametrize("kind", OWN, ids=lambda kind: str(kind.__name__))
def test_steps_are_values(kind: type) -> None:
    """They have no life of their own: frozen, compared by content."""
    given = {
        "Message": (b"x",),
        "Fail": ("quota",),
        "Status": (503,),
        "EarlyStatus": (413,),
        "RawBytes": (b"x",),
    }
    arguments = given.get(
        kind.__name__, {"Gate": ("a",), "Drip": (1,), "CloseCode": (1000,)}.get(kind.__name__, ())
    )
    one, other = kind(*arguments), kind(*arguments)
    assert one == other
    assert one == copy.copy(one)
    with pytest.raises((FrozenInstanceError, AttributeError, TypeError)):
        one.anything = 1


def test_details_are_given_by_keyword() -> None:
    """One obvious thing is positional."""
    assert Fail("quota", retry_after=7).retry_after == 7
    assert Status(503, "busy", headers={"Retry-After": "7"}).headers == {"Retry-After": "7"}
    assert Gate("more").name == "more"
    with pytest.raises(TypeError):
        Fail("quota", "text")  # type: ignore[call-arg]  # what is shown to be refused


@pytest.mark.parametrize(
    "make",
    [
        lambda: Drip(-1),
        lambda: Split(-1),
        lambda: Fragment(0),
        lambda: Lines("\n\n"),  # type: ignore[arg-type]  # what is shown to be refused
        lambda: Status(99),
        lambda: CloseCode(1005),
        lambda: CloseCode(1000, "x" * 124),
        lambda: KeepAlive(0),
        lambda: CutFrame(1),
        lambda: CutFrame(-0.5),
        lambda: Garbage("odd"),  # type: ignore[arg-type]  # what is shown to be refused
        lambda: Fail("ratelimit"),  # type: ignore[arg-type]  # the same
    ],
    ids=[
        "drip",
        "split",
        "fragment",
        "lines",
        "status",
        "code",
        "reason",
        "ping",
        "cut",
        "cut-",
        "garbage",
        "fail",
    ],
)
def test_what_cant_be_played_is_refused_when_it_is_made(make: Callable[[], object]) -> None:
    """Not when a client waits for it."""
    with pytest.raises(ValueError, match="can't be played"):
        make()


@pytest.mark.parametrize("wrong", [["a", Finish()], Reset, 7, None], ids=repr)
def test_what_is_no_step_is_refused(wrong: object) -> None:
    """A list without its star, a class without its brackets."""
    with pytest.raises(TypeError, match="no step"):
        steps.check(["a", wrong])


@pytest.mark.parametrize("early", [Refuse(), Hang(), Status(503), EarlyStatus(413)], ids=repr)
def test_what_comes_before_an_answer_stands_alone(early: Step) -> None:
    """Nothing could be said before it, or after it."""
    steps.check([early])
    with pytest.raises(ValueError, match="alone"):
        steps.check(["a", early])
