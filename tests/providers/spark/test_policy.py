"""What happens to what a model can't honour."""

from __future__ import annotations

from typing import Literal

import pytest
from msgspec import UNSET

from modelplug import ModelRequest, UnsupportedOptionError
from modelplug_spark.policy import Policy
from modelplug_spark.sparkmodel import Range


def test_a_refusal_is_an_error_unless_somebody_says_otherwise() -> None:
    """With the hint."""
    with pytest.raises(UnsupportedOptionError, match="not that") as caught:
        Policy(ModelRequest(messages="hi"), list[str]().append).refuse("not that", hint="this")
    assert caught.value.hint == "this"


@pytest.mark.parametrize(("policy", "told"), [("warn", ["left out: not that"]), ("drop", [])])
def test_it_may_be_a_warning_or_nothing(policy: Literal["warn", "drop"], told: list[str]) -> None:
    """As the request wants it."""
    warnings: list[str] = []
    request = ModelRequest(messages="hi", on_unsupported=policy)
    Policy(request, warnings.append).refuse("not that", hint="this")
    assert told == warnings


def test_a_value_in_its_range_is_sent() -> None:
    """0 included; None is not set."""
    policy = Policy(ModelRequest(messages="hi"), list[str]().append)
    values = [policy.within("top_p", each, Range(0, 1), model="m") for each in (0, 0.5, None)]
    assert values == [0, 0.5, UNSET]


@pytest.mark.parametrize(
    ("value", "allowed", "told"),
    [
        (2, Range(0, 1), r"top_k 2 is outside \[0,1\], the range of m"),
        (0.5, Range(0, 1), r"top_k 0\.5 is outside"),
        (1, None, "m has no top_k"),
    ],
    ids=["range", "fraction", "none"],
)
def test_a_value_out_of_range_is_refused(value: float, allowed: Range | None, told: str) -> None:
    """It says what would be taken."""
    policy = Policy(ModelRequest(messages="hi"), list[str]().append)
    with pytest.raises(UnsupportedOptionError, match=told):
        policy.within("top_k", value, allowed, model="m")
