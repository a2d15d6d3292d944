from __future__ import annotations

import json
import os
import pty
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core.cli.conftest import Run
from tests.core.cli.distributions import PARROT, Site
from tests.core.cli.processes import ended, started


class Speaker:
    """The service behind the parrot: what it says is one delta a line."""

    def __init__(self, server: socket.socket) -> None:
        self._server = server
        self.config = f"parrot:{server.getsockname()[1]}"
        self.connection: socket.socket | None = None

    def say(self, text: str) -> None:
        """Send a line to the one who asks."""
        if self.connection is None:
            self.connection, _ = self._server.accept()
        self.connection.sendall(text.encode())

    def hears_the_end(self) -> bool:
        """Wait until the one who asks has hung up."""
        assert self.connection is not None
        try:
            return self.connection.recv(1) == b""
        except ConnectionResetError:
            return True


@pytest.fixture
def speaker(site: Site) -> Iterator[Speaker]:
    """A service, and the parrot that repeats what it says."""
    site.install("parrot")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        speaker = Speaker(server)
        yield speaker
        if speaker.connection is not None:
            speaker.connection.close()


def test_each_piece_is_seen_before_the_next_is_sent(speaker: Speaker) -> None:
    """Through a pipe, too, the answer arrives as it comes."""
    with started("ask", "hello", "-b", speaker.config) as program:
        for word in ("one", "two", "three"):
            speaker.say(f"{word}\n")
            program.read_until(word)
        speaker.connection.close()  # type: ignore[union-attr]
        done = program.end()
    told = "the parrot has hung up\nwarning: parrots repeat\n"
    assert done == (0, "one\ntwo\nthree\n", told)


@pytest.mark.fault(88, way="command", subject="hostile")
def test_ctrl_c_closes_the_connection(speaker: Speaker) -> None:
    """The partial answer stays, the status is 130, and nothing is said."""
    with started("ask", "hello", "-b", speaker.config) as program:
        speaker.say("one\n")
        program.read_until("one")
        program.press_ctrl_c()
        assert speaker.hears_the_end()
        assert program.end() == (130, "one\n", "the parrot has hung up\n")


@pytest.mark.fault(87, way="command", subject="hostile")
def test_sigterm_closes_the_connection(speaker: Speaker) -> None:
    """As Ctrl-C does; the status is 143."""
    with started("ask", "hello", "-b", speaker.config) as program:
        speaker.say("one\n")
        program.read_until("one")
        program.terminate()
        assert speaker.hears_the_end()
        assert program.end() == (143, "one\n", "the parrot has hung up\n")


@pytest.mark.parametrize("form", ["--no-stream", "--json"])
def test_sigterm_ends_a_whole_answer(form: str, speaker: Speaker) -> None:
    """Where nothing was to be written yet, nothing is."""
    with started("ask", "hello", "-b", speaker.config, form) as program:
        speaker.say("one\n")
        program.terminate()
        assert speaker.hears_the_end()
        done = program.end()
    assert (done.status, done.stdout) == (143, "")
    assert "Traceback" not in done.stderr


_CLINGING = """
    def close(self):
        print("closing", flush=True)
        while True:
            time.sleep(1)
"""


@pytest.mark.parametrize("second", ["interrupt", "terminate"])
def test_a_second_signal_ends_it_at_once(site: Site, second: str) -> None:
    """A clean-up that hangs keeps nobody who insists: the system ends the program."""
    source = PARROT.replace("import asyncio\n", "import asyncio\nimport time\n", 1)
    head, method, rest = source.partition("\n    async def stream_deltas")
    site.install("parrot", head + _CLINGING + method + rest)
    with socket.create_server(("127.0.0.1", 0)) as server:
        speaker = Speaker(server)
        with started("ask", "hello", "-b", speaker.config) as program:
            speaker.say("one\n")
            program.read_until("one")
            program.interrupt()
            program.read_until("closing")
            getattr(program, second)()
            done = program.end()
        speaker.connection.close()  # type: ignore[union-attr]
    number = signal.SIGINT if second == "interrupt" else signal.SIGTERM
    assert (done.status, done.stderr) == (-number, "the parrot has hung up\n")


@pytest.mark.parametrize("form", ["--no-stream", "--json"])
def test_ctrl_c_ends_a_whole_answer(form: str, speaker: Speaker) -> None:
    """Where nothing was to be written yet, nothing is."""
    with started("ask", "hello", "-b", speaker.config, form) as program:
        speaker.say("one\n")
        program.press_ctrl_c()
        assert speaker.hears_the_end()
        done = program.end()
    assert (done.status, done.stdout) == (130, "")
    assert "Traceback" not in done.stderr


def test_a_reader_that_leaves_ends_the_program_quietly(speaker: Speaker) -> None:
    """As in ``| head -1``: the connection is closed, the status is SIGPIPE's."""
    with started("ask", "hello", "-b", speaker.config) as program:
        speaker.say("one\n")
        program.read_until("one")
        program.stop_reading()
        speaker.say("two\n")
        speaker.say("three\n")
        assert speaker.hears_the_end()
        done = program.end()
    assert (done.status, done.stderr) == (141, "the parrot has hung up\n")


def test_output_that_cannot_be_written_is_a_failure() -> None:
    """A full disk is said in a line."""
    with (
        Path("/dev/full").open("wb") as full,
        started("ask", "hello", "-b", "echo", stdout=full.fileno()) as program,
    ):
        done = program.end()
    told = "error: standard output can't be written: No space left on device\n"
    assert (done.status, done.stderr) == (1, told)


def test_a_terminal_gets_no_control_characters() -> None:
    """What a model says can't act on the terminal; a pipe gets it unchanged."""
    ours, theirs = pty.openpty()
    evil = "a\x1b]0;owned\x07b\x9bc"
    with os.fdopen(ours, "rb", buffering=0) as screen:
        with started("ask", evil, "-b", "echo", stdout=theirs) as program:
            os.close(theirs)
            assert program.end() == (0, "", "")
        assert screen.read(1000) == b"a\\x1b]0;owned\\x07b\\x9bc\r\n"
    assert ended("ask", evil, "-b", "echo") == (0, f"{evil}\n", "")


def test_standard_input_is_read_from_a_pipe() -> None:
    """What is piped in is asked."""
    assert ended("ask", "-b", "echo", stdin="from a pipe\n") == (0, "from a pipe\n", "")


def test_a_broken_neighbour_does_no_harm(run: Run, site: Site) -> None:
    """A plugin that ends the process at import is not imported for another backend."""
    site.install("broken", "import os; os._exit(7)")
    assert run("ask", "hello", "-b", "echo").stdout == "hello\n"


def test_a_bug_in_a_plugin_is_told_with_its_place(run: Run, site: Site) -> None:
    """Status 1, the exception's class and line, and none of its words."""
    source = PARROT.replace(
        "reader, writer = ", "raise KeyError('s3cret')\n        reader, writer = "
    )
    site.install("parrot", source)
    done = run("ask", "hello", "-b", "parrot", "--json")
    assert json.loads(done.stdout)["error_code"] == 205
    assert "cause: KeyError (" in done.stderr
    assert "acme_parrot.py, line " in done.stderr
    assert "s3cret" not in done.output
