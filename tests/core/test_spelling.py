"""What a misspelt name may have been meant as."""

from __future__ import annotations

import pytest

from modelplug.spelling import nearest


@pytest.mark.parametrize(
    ("name", "expected"),
    [("temprature", "temperature"), ("top_q", "top_p"), ("seed", "seed"), ("colour", None)],
)
def test_the_nearest_name_is_found(name: str, expected: str | None) -> None:
    """A name with a slip in it is told from one that nobody has heard of."""
    assert expected == nearest(name, ["seed", "temperature", "top_k", "top_p"])


def test_there_may_be_no_names() -> None:
    """Nothing is near where there is nothing."""
    assert nearest("seed", []) is None
