from __future__ import annotations

import stat
from pathlib import Path

import pytest

from modelplug.cli.inputhistory import InputHistory


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the history is to be; its folder isn't there yet."""
    return tmp_path / "state" / "history.jsonl"


def test_inputs_are_remembered_in_order(file: Path) -> None:
    """Those of several lines and those in Chinese, too."""
    InputHistory(file).add("one")
    InputHistory(file).add("你好\ntwo\u2028three")
    assert InputHistory(file).read() == ["one", "你好\ntwo\u2028three"]


def test_nobody_else_can_read_it(file: Path) -> None:
    """Nor look into a folder that is made for it; a file that was open to all is closed."""
    file.parent.mkdir(mode=0o755)
    file.touch(mode=0o644)
    InputHistory(file).add("one")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_folder_that_is_made_for_it_is_private(file: Path) -> None:
    """As the specification of that folder wants."""
    InputHistory(file).add("one")
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_the_usual_file_is_in_the_state_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the variable says, or below home."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    InputHistory.chosen(None).add("one")
    assert (tmp_path / "state/modelplug/chat-history.jsonl").is_file()
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    InputHistory.chosen(None).add("one")
    assert (tmp_path / "home/.local/state/modelplug/chat-history.jsonl").is_file()


def test_it_can_be_switched_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then nothing is written and nothing is read."""
    monkeypatch.setenv("HOME", str(tmp_path))
    history = InputHistory.chosen("none")
    history.add("one")
    assert (history.read(), list(tmp_path.iterdir())) == ([], [])


def test_the_last_inputs_are_read(file: Path) -> None:
    """Not all that was ever typed."""
    history = InputHistory(file)
    for number in range(1005):
        history.add(str(number))
    assert (len(history.read()), history.read()[-1]) == (1000, "1004")


@pytest.mark.parametrize("content", [b"no JSON\n", b"\xff\n", b"1" * (5 << 20)])
def test_a_file_that_is_no_history_is_passed_over(content: bytes, file: Path) -> None:
    """The chat goes on without."""
    file.parent.mkdir()
    file.write_bytes(content)
    assert InputHistory(file).read() == []


def test_what_cannot_be_written_does_no_harm(tmp_path: Path) -> None:
    """As where a file stands in the place of the folder."""
    (tmp_path / "state").touch()
    history = InputHistory(tmp_path / "state" / "history.jsonl")
    history.add("one")
    history.add("two")
    assert history.read() == []
