"""``-o NAME=VALUE``."""

from __future__ import annotations

import click
import pytest

from modelplug.cli.options import read_options


def test_values_are_texts() -> None:
    """Their types are their fields' affair."""
    assert read_options(["a=1", "b=x y", "c="]) == {"a": "1", "b": "x y", "c": ""}


@pytest.mark.parametrize("value", ["a b", "1&2", "what?", "a|b", "x=y", "中文", "50%25"])
def test_the_grammars_marks_stand_for_themselves(value: str) -> None:
    """Only % and the comma mean what they mean in a config string."""
    assert read_options([f"label={value}"]) == {"label": value.replace("%25", "%")}


def test_commas_make_a_list() -> None:
    """As in a config string; an escaped one is part of an item."""
    assert read_options(["stop=END,a%2Cb"]) == {"stop": ("END", "a,b")}


def test_a_secret_is_taken_by_reference() -> None:
    """What is kept says where the secret is, not what it is."""
    assert str(read_options(["api_key=env:MY_KEY"])["api_key"]) == "env:MY_KEY"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["sk-123"], "write NAME=VALUE"),
        (["api_key=sk-123"], "use api_key=env:NAME or file:/path"),
        (["seed=sk-123%zz"], "seed: "),
        (["Seed=sk-123"], "Seed: "),
        (["a&b=sk-123"], "a&b: "),
        (["a=1&b%3D=sk-123"], None),
        (["seed=1", "seed=sk-123"], "a name is given twice"),
        (["seed=sk-123\udcff"], "write NAME=VALUE"),
    ],
    ids=repr,
)
def test_an_option_that_cannot_be_read_is_wrong_usage(given: list[str], told: str | None) -> None:
    """The error says what to write, and never repeats a value, which may be a key."""
    if told is None:
        assert read_options(given) == {"a": "1&b==sk-123"}
        return
    with pytest.raises(click.BadParameter) as caught:
        read_options(given)
    assert told in caught.value.message
    assert "sk-123" not in caught.value.message
