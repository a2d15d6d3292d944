"""The backend's own options."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from modelplug_spark.options import SparkOptions


def test_the_defaults_are_strict() -> None:
    """Nothing said means frames in order, and the table's domain."""
    assert (SparkOptions().sequence, SparkOptions().domain) == ("strict", None)


@pytest.mark.parametrize(
    ("given", "search"),
    [("true", True), ("false", False), ("deep", "deep"), ("normal", "normal"), (True, True)],
)
def test_a_search_is_a_yes_a_no_or_a_mode(given: object, search: object) -> None:
    """Also as a config string spells it."""
    assert search == SparkOptions.model_validate({"search": given}).search


@pytest.mark.row("3.1 patch_id", "3.2 thinking", "3.2 auditing")
@pytest.mark.parametrize(
    "values",
    [
        {"sequence": "loose"},
        {"domian": "x"},
        {"domain": 1},
        {"thinking": "hard"},
        {"search": "wide"},
        {"chat_id": ""},
        {"patch_id": ["x" * 33]},
        {"patch_id": [""]},
        {"auditing": "none"},
    ],
    ids=str,
)
def test_what_is_no_option_is_refused(values: dict[str, object]) -> None:
    """Unknown names and values don't pass."""
    with pytest.raises(ValidationError):
        SparkOptions.model_validate(values)
