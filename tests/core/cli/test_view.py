from __future__ import annotations

import pytest

from modelplug import ModelOutput
from modelplug.cli.view import PlainView


def test_text_is_written_as_it_comes(capsys: pytest.CaptureFixture[str]) -> None:
    """With one newline at its end, whatever ends it."""
    with PlainView() as view:
        view.add(ModelOutput(delta="**on"))
        assert capsys.readouterr().out == "**on"
        view.add(ModelOutput(delta="e**\n\n"))
    assert capsys.readouterr().out == "e**\n"


def test_thinking_is_no_answer(capsys: pytest.CaptureFixture[str]) -> None:
    """A pipe doesn't get it."""
    with PlainView() as view:
        view.add(ModelOutput(reasoning_delta="hm"))
        view.add(ModelOutput(delta="one"))
    assert capsys.readouterr() == ("one\n", "")


def test_a_terminal_is_told_that_it_thinks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, so that nobody takes it for hanging."""
    monkeypatch.setattr("modelplug.cli.view.is_terminal", lambda: True)
    with PlainView() as view:
        view.add(ModelOutput(reasoning_delta="hm"))
        view.add(ModelOutput(reasoning_delta="hm"))
        view.add(ModelOutput(delta="one"))
    assert capsys.readouterr() == ("one\n", "thinking ...\n")
