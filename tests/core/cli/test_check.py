from __future__ import annotations

import socket
from pathlib import Path

import pytest

from modelplug.cli.check import Verdict, check
from modelplug.registry import registry
from tests.core.cli.distributions import PARROT, Site
from tests.core.cli.processes import started


def verdict(name: str, *, seconds: float = 60) -> Verdict:
    """The verdict on one installed backend."""
    (its,) = check([registry().find(name)], seconds=seconds)
    return its


def test_a_backend_that_loads_is_ok(site: Site) -> None:
    """Its capabilities are told, and whether it has an emulator."""
    site.install("parrot")
    its = verdict("parrot")
    assert (its.status, its.message, its.emulator) == ("ok", None, True)
    assert its.capabilities["system_role"] == "emulated"


def test_a_client_that_cannot_be_imported_is_a_failure(site: Site) -> None:
    """A plugin may load and its client may not: asking would fail, so this does."""
    site.install("parrot", PARROT.replace(":Parrot", ":Gone"))
    its = verdict("parrot")
    assert (its.status, its.error) == ("failed", "PluginLoadError")


def test_what_a_plugin_raises_is_told_with_its_place(site: Site) -> None:
    """The class, the words, the file and the line."""
    site.install("broken", "\nraise RuntimeError('no home')")
    its = verdict("broken")
    path = site.folder / "acme_broken.py"
    assert its.cause == f"RuntimeError: no home ({path}, line 2)"
    assert its.message == "the plugin of acme-broken 1.5 raised RuntimeError when it was loaded"


@pytest.mark.parametrize(
    ("ending", "message"),
    [
        ("os._exit(0)", "its process ended itself with exit status 0"),
        ("os.kill(os.getpid(), 9)", "its process was ended by signal 9"),
    ],
)
def test_a_plugin_that_ends_its_process_has_died(ending: str, message: str, site: Site) -> None:
    """Even with a status of success, and although it prints what a verdict looks like."""
    prints = 'print(\'{"status": "ok"}\', flush=True); os.write(1, b\'{"status": "ok"}\')'
    site.install("broken", f"import os\n{prints}\n{ending}")
    its = verdict("broken")
    assert (its.status, its.message) == ("died", message)


def test_a_plugin_that_prints_is_ok(site: Site) -> None:
    """What it writes at import goes nowhere."""
    site.install("parrot", f"import os\nprint('hello')\nos.system('echo hi')\n{PARROT}")
    assert verdict("parrot").status == "ok"


def test_a_plugin_that_leaves_a_thread_behind_is_ok(site: Site) -> None:
    """Its process doesn't wait for what would never end."""
    thread = "import threading\nthreading.Thread(target=threading.Event().wait).start()\n"
    site.install("parrot", thread + PARROT)
    assert verdict("parrot").status == "ok"


@pytest.mark.fault(104, way="command", subject="hostile")
def test_a_plugin_that_hangs_is_given_up(site: Site) -> None:
    """After its time the process is ended and the verdict is there."""
    site.install("broken", "import threading\nthreading.Event().wait()")
    its = verdict("broken", seconds=0.2)
    assert (its.status, its.message) == ("hung", "not loaded within 0.2 s")


def test_verdicts_are_in_the_order_of_the_backends(site: Site) -> None:
    """However long each takes."""
    site.install("broken", "raise ValueError")
    site.install("parrot")
    site.install("parrot", dist="other-parrot")
    found = [each for each in registry().backends() if each.name in ("broken", "parrot")]
    assert [its.status for its in check(found)] == ["failed", "ok", "ok"]


def test_the_working_directory_is_not_on_the_path(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file there that is called like a module can't take its place."""
    (tmp_path / "json.py").write_text("raise SystemExit(3)", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    site.install("parrot")
    assert verdict("parrot").status == "ok"


def test_ctrl_c_ends_the_processes(site: Site) -> None:
    """An interrupt while one loads doesn't wait for it, and leaves none behind."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        place = server.getsockname()
        connects = f"import socket\nline = socket.create_connection({place!r})\nline.recv(1)"
        site.install("broken", connects)
        with started("backends", "--check", MODELPLUG_BACKENDS="broken") as program:
            line, _ = server.accept()
            program.interrupt()
            assert program.end() == (130, "", "")
        with line:
            assert line.recv(1) == b""
