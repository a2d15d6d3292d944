"""The newest requirement set, as it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelplug.conformance.requirements import NEWEST, RequirementSet
from scripts import requirement_set


def test_the_set_is_in_step() -> None:
    """Otherwise ``make tables`` has been forgotten."""
    assert requirement_set.main([]) == 0


def test_a_set_is_written_until_it_is_frozen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Comparing writes nothing."""
    monkeypatch.setattr(requirement_set, "SETS", tmp_path)
    path = tmp_path / f"{NEWEST}.toml"
    assert (requirement_set.main([]), path.exists()) == (1, False)
    assert "run make tables" in capsys.readouterr().out
    assert requirement_set.main(["--write"]) == 0
    assert 'set = "2026.1"\nfrozen = false\n\n[checks]' in path.read_text()
    assert requirement_set.main([]) == 0


def test_a_frozen_set_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever checks there are by now."""
    frozen = RequirementSet(name=NEWEST, frozen=True, revisions={"GEN-01": 1})
    path = tmp_path / f"{NEWEST}.toml"
    path.write_text(requirement_set.text_of(frozen))
    monkeypatch.setattr(requirement_set, "SETS", tmp_path)
    monkeypatch.setattr(requirement_set, "requirement_set", lambda _: frozen)
    assert requirement_set.main(["--write"]) == 0
    assert path.read_text() == requirement_set.text_of(frozen)
