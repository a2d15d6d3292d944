from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import modelplug
from modelplug import cli

ALONE = f"""
import sys, types
package = types.ModuleType("modelplug")
package.__path__ = {[str(Path(modelplug.__file__).parent)]!r}
sys.modules["modelplug"] = package
from modelplug.cli import main
sys.argv = ["modelplug", "--help"]
try:
    main()
finally:
    print(sorted({{"asyncio", "logging", "pluggy", "pydantic", "rich"}} & set(sys.modules)))
"""
"""The command line under a package whose own imports are left out."""


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_the_extra_is_named_when_it_is_missing(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without click or rich one line says what to install, with status 2."""
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(SystemExit, match="2"):
        cli.main()
    told = 'modelplug\'s command line needs its extra: pip install "modelplug[cli]"\n'
    assert capsys.readouterr() == ("", told)


def test_help_imports_nothing_heavy() -> None:
    """Help is there without pydantic and asyncio, which only commands need."""
    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, check=True)
    assert done.stdout.splitlines()[-1] == b"[]"


def test_ctrl_c_during_import_ends_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupt before the app itself runs is status 130, too."""

    class Interrupting(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "modelplug.cli.app", Interrupting("app"))
    with pytest.raises(SystemExit, match="130"):
        cli.main()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device on this system")
@pytest.mark.parametrize("option", ["--help", "--version"])
def test_a_full_disk_is_told_in_one_line(option: str) -> None:
    """Help and version that can't be written end with a message and status 1, no traceback."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "modelplug.cli", option],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
