"""``-o NAME=VALUE``."""

from __future__ import annotations

import click
import pytest

from modelplug.cli.options import read_options


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], {}),
        (["a=1", "b=x y"], {"a": "1", "b": "x y"}),
        (["a=true"], {"a": "true"}),
        (["a=x,y"], {"a": ("x", "y")}),
        (["a=b=c"], {"a": "b=c"}),
        (["a=what? & | so"], {"a": "what? & | so"}),
        (["a=100%25"], {"a": "100%"}),
    ],
    ids=["none", "two", "truth", "list", "equals", "marks", "escape"],
)
def test_values_are_read_as_in_a_config_string(given: list[str], expected: object) -> None:
    """As texts, or tuples; but marks that only matter in one stand for themselves."""
    assert expected == read_options(given)


@pytest.mark.parametrize("given", [["a"], ["a=1", "a=2"], ["=1"], ["a&b=1"], ["a=\udcff"]])
def test_what_cant_be_read_is_wrong_usage(given: list[str]) -> None:
    """With words on what to write."""
    with pytest.raises(click.BadParameter):
        read_options(given)


def test_no_error_shows_a_value() -> None:
    """It may be a key that was pasted by mistake."""
    with pytest.raises(click.BadParameter) as caught:
        read_options(["s3cret"])
    assert "s3cret" not in str(caught.value)
