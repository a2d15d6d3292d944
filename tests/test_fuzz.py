"""The inputs that fuzzing starts from, tried once on their targets; ``make fuzz`` goes on."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

CORPUS = Path(__file__).resolve().parents[1] / "fuzz" / "corpus"
TARGETS = sorted(path.stem for path in (CORPUS.parent / "targets").glob("*.py"))
INPUTS = sorted(path for path in CORPUS.glob("*/*"))


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_an_input_is_no_find(path: Path) -> None:
    """What every run starts from passes."""
    importlib.import_module(f"fuzz.targets.{path.parent.name}").check(path.read_bytes())


def test_every_target_has_inputs() -> None:
    """A run that starts from nothing finds little."""
    assert sorted({path.parent.name for path in INPUTS}) == TARGETS
