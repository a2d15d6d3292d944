from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[2] / "examples" / "demo.py"

# Ctrl-C arrives although this may run where it is ignored, as in the background of a shell.
START = """
import runpy, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@contextmanager
def demo(*arguments: str, script: Path = DEMO) -> Iterator[subprocess.Popen[bytes]]:
    """The demo, in a process group of its own."""
    with subprocess.Popen(
        [sys.executable, "-c", START, str(script), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def output(process: subprocess.Popen[bytes]) -> str:
    """All that it writes, once it has ended well."""
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, b"")
    return out.decode()


def read_until(process: subprocess.Popen[bytes], text: bytes) -> bytes:
    """Wait until ``text`` was written."""
    seen = b""
    while text not in seen:
        piece = os.read(process.stdout.fileno(), 65536)  # type: ignore[union-attr]
        assert piece, seen
        seen += piece
    return seen


def test_it_asks_the_emulated_service_about_a_file() -> None:
    """Offline and without a key, an answer about README.md arrives in pieces, with its figures."""
    with demo() as process:
        told = output(process)
    assert "$ modelplug emulate spark\n" in told
    question = "'What is this file about?'"
    assert f"$ modelplug ask -b spark:generalv3.5 -v -f README.md {question}\n" in told
    assert "backend  spark, model generalv3.5" in told
    assert "first delta " in told
    pieces = int(told.partition("the answer came in ")[2].partition(" ")[0])
    assert pieces > 3


def test_no_key_is_on_a_command_line() -> None:
    """The emulator's credentials travel in the environment alone; what is shown has none."""
    with demo() as process:
        told = output(process)
    assert "XUNFEI_SPARK_API_KEY" in told
    assert "--api" not in told
    assert "api_secret" not in told


def test_another_backend_can_be_asked() -> None:
    """Echo needs no emulator, and says the file back."""
    with demo("--backend", "echo") as process:
        told = output(process)
    assert "emulate" not in told.partition("# modelplug")[0]
    assert "File: README.md\n" in told
    assert "backend  echo, model echo" in told


def test_it_works_without_a_readme(tmp_path: Path) -> None:
    """Another file of the tree is asked about, if need be the demo itself."""
    (tmp_path / "examples").mkdir()
    script = shutil.copy(DEMO, tmp_path / "examples")
    with demo("--backend", "echo", script=Path(script)) as process:
        assert "File: examples/demo.py\n" in output(process)


def test_a_backend_that_is_not_there_is_told() -> None:
    """The command's own error is shown, and its status is the demo's."""
    with demo("--backend", "nobody") as process:
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "error: there is no backend 'nobody'" in out.decode()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_emulator_ends_with_it(number: signal.Signals) -> None:
    """A signal to the demo alone leaves no server behind."""
    with demo() as process:
        seen = read_until(process, b" and says").decode()
        port = int(seen.rpartition(" and says")[0].rpartition(":")[2])
        process.send_signal(number)
        process.communicate(timeout=60)
    assert process.returncode == 128 + number
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_ctrl_c_ends_it_in_the_middle_of_an_answer() -> None:
    """The signal that a terminal sends to all of them ends all of them."""
    with demo("--backend", "echo?delay=0.05") as process:
        read_until(process, b"File:")
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, b"")
