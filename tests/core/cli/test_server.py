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
    assert "# Ctrl-C stops it." in lines


@pytest.mark.parametrize(
    ("option", "config"),
    [("pace=0", "openai"), ("models=m,n", "openai:m"), ("key_header=api-key", "azure:any")],
)
def test_the_command_that_is_told_fits_the_settings(option: str, config: str) -> None:
    """An emulator may need more than the backend's name."""
    with emulating("openai", "-o", option) as (program, _):
        program.terminate()
        lines = program.end().stderr.splitlines()
    assert f'# modelplug ask "Hello" -b {config}' in lines


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


MANNERS = """
from modelplug import Backend, hookimpl
from pydantic import BaseModel, Field
import acme_parrot


class Manners(BaseModel, extra="forbid"):
    loud: bool = Field(False, description="Whether it   shouts.")
    words: tuple[str, ...] = Field((), description="All that it knows.")


class MannerlyEmulator(acme_parrot.ParrotEmulator):
    settings = Manners

    def __init__(self, *, loud=False, words=(), **place):
        super().__init__(**place)
        self.key = f"{loud} {words}"


@hookimpl
def modelplug_backend(name):
    its = {"client": "acme_parrot:Parrot", "emulator": f"{__name__}:MannerlyEmulator"}
    return Backend(name=name, summary="", contract=1, **its)
"""


def test_settings_are_set_by_name(parrot: Site) -> None:
    """Each as its field wants it: a truth, or a list out of commas."""
    parrot.install("mannerly", MANNERS)
    with emulating("mannerly", "-o", "loud=true", "-o", "words=hello,bye") as (program, told):
        program.terminate()
        assert program.end().status == 0
    assert told["api_key"] == "True ('hello', 'bye')"


def test_settings_are_listed(parrot: Site, run: Run) -> None:
    """Name, values, default and what it does, on one line each."""
    parrot.install("mannerly", MANNERS)
    done = run("emulate", "mannerly", "--settings")
    lines = [
        "loud\ttrue, false\tfalse\tWhether it shouts.",
        "words\twords, with commas\t[]\tAll that it knows.",
    ]
    assert (done.exit_code, done.stdout.splitlines()) == (0, lines)


def test_a_setting_that_must_be_given_is_told_so(parrot: Site, run: Run) -> None:
    """It has no default to be listed."""
    parrot.install("mannerly", MANNERS.replace("Field(False, ", "Field("))
    done = run("emulate", "mannerly", "--settings")
    assert done.stdout.splitlines()[0] == "loud\ttrue, false\trequired\tWhether it shouts."


@pytest.mark.parametrize("settings", ["dict", "Manners()", "'Manners'"])
def test_settings_are_a_model(parrot: Site, run: Run, settings: str) -> None:
    """Anything else is the plugin's fault, and told so."""
    parrot.install("mannerly", MANNERS.replace("settings = Manners", f"settings = {settings}"))
    for done in (run("emulate", "mannerly", "--settings"), run("emulate", "mannerly")):
        assert (done.exit_code, done.stdout) == (1, "")
        assert "the settings of the emulator of mannerly are no pydantic model" in done.stderr


@pytest.mark.parametrize(
    ("option", "told"), [("lod=true", "did you mean loud?"), ("loud=perhaps", "loud")]
)
def test_a_wrong_setting_is_a_failure(parrot: Site, run: Run, option: str, told: str) -> None:
    """Told before anything runs."""
    parrot.install("mannerly", MANNERS)
    done = run("emulate", "mannerly", "-o", option)
    assert (done.exit_code, done.stdout) == (1, "")
    assert told in done.stderr


def test_an_emulator_may_have_no_settings(run: Run) -> None:
    """Then none can be listed, or set."""
    listed, wrong = run("emulate", "parrot", "--settings"), run("emulate", "parrot", "-o", "a=1")
    told = "the emulator of parrot has no settings of its own\n"
    assert (listed.exit_code, listed.stdout, listed.stderr) == (0, "", told)
    assert wrong.exit_code == 1
