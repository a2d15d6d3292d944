"""Faults of a test's own code, told at the end."""

from __future__ import annotations

import pytest

from modelplug.testing.faults import Faults


def test_the_first_comes_out() -> None:
    """Others may follow from it."""
    faults = Faults()
    faults.add(ValueError("first"))
    faults.add(ValueError("second"))
    with pytest.raises(ValueError, match="first"):
        faults.come_out(None)


def test_it_is_a_note_of_what_is_being_raised() -> None:
    """That isn't hidden by it."""
    faults, raised = Faults(), KeyError("k")
    faults.add(ValueError("a bug"))
    faults.come_out(raised)
    assert raised.__notes__ == ["there was a fault as well: ValueError('a bug')"]


def test_none_is_told_of_that_was_cleared() -> None:
    """Nor where there never was one."""
    faults, raised = Faults(), KeyError("k")
    faults.add(ValueError("a bug"))
    faults.clear()
    faults.come_out(None)
    faults.come_out(raised)
    assert not hasattr(raised, "__notes__")
