"""What JSON can say, and what it can't."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelplug import BadRequestError
from modelplug_openai.plainjson import misshapen, plain


def test_any_mapping_and_list_becomes_a_plain_one() -> None:
    """However deep it is."""
    given_value = MappingProxyType({"a": (1, MappingProxyType({"b": None}), [True, 0.5, "x"])})
    assert plain(given_value, "x") == {"a": [1, {"b": None}, [True, 0.5, "x"]]}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"a": [b"x"]}, "x.a is a bytes"),
        ({"a": {"b": {1}}}, "x.a.b is a set"),
        ({1: 2}, "x has a int for a name"),
        (float("nan"), "x has a number that isn't finite"),
        ([float("-inf")], "x has a number that isn't finite"),
        ([10**5000], "x has a number of too many digits"),
        ({"a": -(10**309)}, "x.a has a number of too many digits"),
        (object(), "x is a object"),
    ],
    ids=["bytes", "set", "name", "nan", "infinite", "digits", "negative", "object"],
)
def test_what_is_no_json_is_refused_by_its_place(value: object, told: str) -> None:
    """An encoder would raise, or make it null."""
    with pytest.raises(BadRequestError, match=told) as caught:
        plain(value, "x")
    assert caught.value.sent == "no"


def test_what_is_too_deep_is_refused() -> None:
    """Before an encoder gives up on it, also where it has no end."""
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(BadRequestError, match="nested too deeply"):
        plain(loop, "x")


def test_a_wrong_shape_is_told_with_its_hint() -> None:
    """And nothing was sent."""
    error = misshapen("a.b", "is no text", hint="write one")
    assert (error.message, error.sent, error.hint) == ("a.b is no text", "no", "write one")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(VALUES)
def test_json_is_what_it_was(value: object) -> None:
    """Nothing is lost or added."""
    assert value == plain(value, "x")
