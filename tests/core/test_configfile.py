"""Which ``modelplug.toml`` holds, and how one is read."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from modelplug.configfile import CONFIG_VARIABLE, FILE, find, read
from modelplug.errors import ConfigError, ConfigSyntaxError
from tests.support.leaks import our_locals

CANARY = "Zq7CanaryX9"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with nothing in it, a working directory of two levels, and no variable set."""
    for name in (CONFIG_VARIABLE, "XDG_CONFIG_HOME", "APPDATA"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    work = tmp_path / "work/deep"
    home.mkdir()
    work.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(work)
    return home


def write(*parts: str | Path) -> Path:
    """An empty file, in a folder that is made for it."""
    file = Path(*parts) / FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    return file


class TestFind:
    def test_none_is_fine(self, home: Path) -> None:
        """Without a file there are no profiles, and that is all."""
        assert find() is None

    def test_the_nearest_one_holds(self, home: Path) -> None:
        """Upwards from the working directory, and then in the user's folder."""
        users = write(home, ".config/modelplug")
        assert users == find()
        above = write(Path.cwd().parent)
        assert above == find()
        here = write(Path.cwd())
        assert here == find()

    def test_the_standard_variable_moves_the_user_s_folder(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A relative one doesn't count, as the standard has it."""
        write(home, ".config/modelplug")
        monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "else"))
        assert find() is None
        assert write(home, "else/modelplug") == find()
        monkeypatch.setenv("XDG_CONFIG_HOME", "else")
        assert home / ".config/modelplug" / FILE == find()

    def test_windows_has_another_folder(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """There APPDATA is where programs keep what they are told."""
        monkeypatch.setenv("APPDATA", str(home / "Roaming"))
        there = write(home, "Roaming/modelplug")
        system = SimpleNamespace(name="nt", getuid=os.getuid)
        monkeypatch.setattr("modelplug.configfile.os", system)
        assert there == find()

    def test_a_variable_names_the_file(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is not looked for elsewhere, not even where that one isn't there."""
        write(Path.cwd())
        monkeypatch.setenv(CONFIG_VARIABLE, "~/mine.toml")
        assert home / "mine.toml" == find()

    def test_a_variable_may_name_what_is_nowhere(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A home of nobody, or a path from a working directory that is gone."""
        monkeypatch.setenv(CONFIG_VARIABLE, "~nobody-of-this-name/x")
        with pytest.raises(ConfigError, match=CONFIG_VARIABLE):
            find()
        monkeypatch.setenv(CONFIG_VARIABLE, "x")
        Path.cwd().rmdir()
        with pytest.raises(ConfigError, match=CONFIG_VARIABLE):
            find()

    @pytest.mark.parametrize(("text", "off"), [("none", True), ("None", True), (" ", False)])
    def test_a_variable_switches_it_off(
        self, home: Path, monkeypatch: pytest.MonkeyPatch, text: str, off: bool
    ) -> None:
        """``none`` is no file; blank is as good as not set."""
        here = write(Path.cwd())
        monkeypatch.setenv(CONFIG_VARIABLE, text)
        assert find() == (None if off else here)

    def test_what_is_no_file_is_passed_by(self, home: Path) -> None:
        """A folder, or a pipe that would never end, isn't it."""
        (Path.cwd() / FILE).mkdir()
        os.mkfifo(Path.cwd().parent / FILE)
        assert find() is None

    def test_another_user_s_file_is_refused(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Above the working directory others may write; the message says what to do."""
        file = write(Path.cwd())
        monkeypatch.setattr(os, "getuid", lambda: file.stat().st_uid + 1)
        if file.stat().st_uid == 0:  # root's files are everybody's to read
            os.chown(file, 12345, -1)
        with pytest.raises(ConfigError, match="another user") as caught:
            find()
        assert CONFIG_VARIABLE in str(caught.value.hint)

    def test_a_working_directory_may_be_gone(self, home: Path) -> None:
        """Then the user's folder is left."""
        file = write(home, ".config/modelplug")
        Path.cwd().rmdir()
        assert file == find()

    def test_there_may_be_no_home(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nor a folder in it."""

        def nowhere() -> Path:
            raise RuntimeError

        monkeypatch.setattr(Path, "home", nowhere)
        assert find() is None


class TestRead:
    def test_a_table(self, tmp_path: Path) -> None:
        """What TOML says, with or without the mark that Windows' editors put."""
        file = tmp_path / FILE
        file.write_bytes(b"\xef\xbb\xbfa = 1\r\n")
        assert read(file) == {"a": 1}

    @pytest.mark.parametrize(
        ("text", "place"),
        [
            (f"a = 1\nkey = {CANARY}", ", line 2, column 7"),
            (f'key = "{CANARY}', ", at its end: "),
            (f"{CANARY} = 1\n{CANARY} = 2\n", ""),
            ("a = " + "[" * 5000, ""),
            ("a = " + "9" * 5000, ""),
        ],
        ids=["value", "end", "twice", "deep", "long"],
    )
    def test_what_is_no_toml(self, tmp_path: Path, text: str, place: str) -> None:
        """The file and, where it is known, the line are told; nothing of what stands there."""
        file = tmp_path / FILE
        file.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigSyntaxError) as caught:
            read(file)
        error = caught.value
        assert str(error).startswith(f"{file}{place}")
        assert CANARY not in f"{error} {error.hint} {error.__cause__} {error.__context__}"

    def test_what_cannot_be_read(self, tmp_path: Path) -> None:
        """Missing, a folder, too long, no text, no name: the file and the reason."""
        (tmp_path / "folder").mkdir()
        (tmp_path / "long").write_bytes(b"#" * (1 << 20) + b"#")
        (tmp_path / "binary").write_bytes(b"\xff")
        for name, reason in {
            "missing": "No such file",
            "folder": "Is a directory",
            "long": "more than 1 MiB",
            "binary": "not text in UTF-8",
            "nul\0": "ValueError",
        }.items():
            with pytest.raises(ConfigError, match=reason) as caught:
                read(tmp_path / name)
            assert our_locals(caught.value).count("'data'") <= 1
