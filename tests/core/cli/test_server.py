from __future__ import annotations

import json
import shlex
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.core.cli.conftest import Run
from tests.core.cli.distributions import Site
from tests.core.cli.processes import Program, started

CLOSED = "the parrot's emulator has closed\n\nStopped.\n"


@pytest.fixture(autouse=True)
def parrot(site: Site) -> Site:
    """A backend with an emulator."""
    site.install("parrot")
    return site


@contextmanager
def emulating(*arguments: str) -> Iterator[tuple[Program, dict[str, Any]]]:
    """The parrot's emulator at work, and its first line."""
    with started("emulate", *arguments) as program:
        yield program, json.loads(program.read_until("\n"))


def test_the_first_line_says_where_and_with_what() -> None:
    """It is one JSON object and all that standard output gets."""
    with emulating("parrot", "--app-id", "me") as (program, told):
        port = told["url"].rpartition(":")[2]
        socket.create_connection(("127.0.0.1", int(port)), timeout=60).close()
        program.terminate()
        done = program.end()
    assert told == {
        "backend": "parrot",
        "url": f"ws://127.0.0.1:{port}",
        "app_id": "me",
        "api_key": "key",
        "api_secret": "it's",
        "environment": {"PARROT_KEY": "key", "PARROT_SECRET": "it's"},
    }
    assert done.stdout.count("\n") == 1


def test_standard_error_says_what_to_export() -> None:
    """A shell can read the lines, quotation marks in a value included."""
    with emulating("parrot", "--api-key", "a 'b'", "--api-secret", "$x") as (program, _):
        program.terminate()
        lines = program.end().stderr.splitlines()
    exports = [shlex.split(line) for line in lines if line.startswith("export ")]
    assert exports == [["export", "PARROT_KEY=a 'b'"], ["export", "PARROT_SECRET=$x"]]
    assert "export PARROT_SECRET='$x'" in lines
    assert "Ctrl-C stops it." in lines


def test_ctrl_c_stops_it() -> None:
    """Its user has ended it: the emulator is closed, and that is a success."""
    with emulating("parrot") as (program, _):
        program.press_ctrl_c()
        done = program.end()
    assert (done.status, done.stderr.endswith(CLOSED)) == (0, True)


def test_sigterm_stops_it() -> None:
    """As a supervisor does."""
    with emulating("parrot") as (program, _):
        program.terminate()
        done = program.end()
    assert (done.status, done.stderr.endswith(CLOSED)) == (0, True)


def test_the_config_string_may_name_the_distribution(parrot: Site) -> None:
    """What -b takes is taken here, too; the model is of no concern."""
    parrot.install("parrot", dist="other-parrot")
    with emulating("parrot@other-parrot:grey") as (program, told):
        program.terminate()
        assert program.end().status == 0
    assert told["backend"] == "parrot"


def test_a_port_in_use_is_a_failure(run: Run) -> None:
    """The error names the place, and the hint a way out."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("emulate", "parrot", "--port", str(port))
    error, hint = done.stderr.splitlines()
    where = f"error: the emulator can't listen on 127.0.0.1, port {port}: "
    assert (done.exit_code, done.stdout, error) == (1, "", f"{where}Address already in use")
    assert "--port" in hint


def test_a_host_that_is_not_there_is_a_failure(run: Run) -> None:
    """What the resolver says is told."""
    done = run("emulate", "parrot", "--host", "host.invalid")
    assert done.exit_code == 1
    assert done.stderr.startswith("error: the emulator can't listen on host.invalid, port 0: ")
