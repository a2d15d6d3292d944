"""The backend's own options."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from modelplug_spark.options import SparkOptions


def test_the_defaults_are_strict() -> None:
    """Nothing said means frames in order, and the table's domain."""
    assert (SparkOptions().sequence, SparkOptions().domain) == ("strict", None)


@pytest.mark.parametrize("values", [{"sequence": "loose"}, {"domian": "x"}, {"domain": 1}], ids=str)
def test_what_is_no_option_is_refused(values: dict[str, object]) -> None:
    """Unknown names and values don't pass."""
    with pytest.raises(ValidationError):
        SparkOptions.model_validate(values)
