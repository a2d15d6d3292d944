"""Who is checked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from modelplug import BackendNotFoundError, WrongUseError
from modelplug.conformance import Account
from modelplug.conformance.subject import Subject
from modelplug.registry import Registry
from tests.support.dists import install, on_path


def test_a_subject_has_a_harness(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has none is told whose it is to write one."""
    assert Subject.of("reference").backend.name == "reference"
    with pytest.raises(BackendNotFoundError):
        Subject.of("nobody")
    install(tmp_path, backends={"made-up": "made_up"})
    monkeypatch.setattr("modelplug.conformance.subject.registry", Registry)
    with on_path(tmp_path), pytest.raises(WrongUseError, match="no conformance harness"):
        Subject.of("made-up")


def test_its_params_name_it_whole(installed: Path) -> None:
    """Distribution and model included, beside what the harness has."""
    subject = Subject.of("reference")

    def params(url: str, account: Account) -> dict[str, object]:
        return {"url": url, "key": account.api_key}

    harness = replace(subject.harness, model="big", params=params)
    account = Account(api_key="k")
    assert replace(subject, harness=harness).params("ws://x", account) == {
        "backend": "reference@modelplug-reference:big",
        "url": "ws://x",
        "key": "k",
    }
