from __future__ import annotations

from dataclasses import replace

import pytest

from modelplug.cli.progress import Progress
from tests.core.conformance.samples import cell, check

CHECKS = (check("GEN-01"), check("STR-01"))


def test_a_pipe_gets_a_line_an_area(capsys: pytest.CaptureFixture[str]) -> None:
    """When it is done, with what failed."""
    with Progress.of(CHECKS, ["async", "sync"], times=1) as progress:
        progress(cell("GEN-01"))
        progress(cell("GEN-01", "sync"))
        progress(cell("STR-01", verdict="fail"))
        assert capsys.readouterr().err == "Answers: 2 done\n"
        progress(cell("STR-01", "sync"))
    assert capsys.readouterr().err == "Streams: 2 done, 1 failed\n"


def test_what_is_no_call_is_one_cell(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever the directions."""
    checks = [replace(CHECKS[0], directions=())]
    with Progress.of(checks, ["sync"], times=1) as progress:
        progress(cell("GEN-01", "-"))
    assert capsys.readouterr().err == "Answers: 1 done\n"


def test_a_terminal_gets_a_bar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On one line, which is gone at the end; click takes the sequence out of what is piped."""
    monkeypatch.setenv("COLUMNS", "60")
    with Progress(["Answers", "Answers"], is_terminal=True) as progress:
        progress(cell("GEN-01", verdict="fail"))
        assert capsys.readouterr().err == ("\r[##########----------] 1/2, 1 failed  GEN-01[async]")
    assert capsys.readouterr().err == "\r"
