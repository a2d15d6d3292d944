from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from tests.core.cli.conftest import Run
from tests.core.cli.distributions import PARROT, Site
from tests.core.cli.terminals import at_terminal

TALKER = PARROT.replace("from modelplug import", "from modelplug import ModelMetadata,").replace(
    "emulator=f",
    """models=[
            ModelMetadata(model="big\\x1b", context_length=100_000),
            ModelMetadata(model="small", context_length=4096, ext_metadata={"age": 3}),
        ],
        emulator=f""",
)


def test_models_are_a_line_each(run: Run, site: Site) -> None:
    """The default first; control characters can't act on a terminal."""
    site.install("parrot", TALKER)
    done = run("models", "-b", "parrot:small")
    able = "native: streaming; emulated: system_role"
    assert done.stdout == f"small\t4096\tdefault\t{able}\nbig\\x1b\t100000\t\t{able}\n"
    assert (done.exit_code, done.stderr) == (0, "")


def test_json_is_a_list(run: Run, site: Site) -> None:
    """With exactly the fields that are promised."""
    site.install("parrot", TALKER)
    first, _ = json.loads(run("models", "-b", "parrot:small", "--json").stdout)
    able = first.pop("capabilities")
    assert first == {
        "model": "small",
        "default": True,
        "context_length": 4096,
        "ext_metadata": {"age": 3},
    }
    assert (able["streaming"], able["system_role"], able["seed"]) == (
        "native",
        "emulated",
        "not_implemented",
    )


SHY = PARROT.replace('[model_params.model or "0"]', "[]").replace(
    "async def stream_deltas",
    """async def list_models(self, call):
        return []

    async def stream_deltas""",
)


@pytest.mark.parametrize(
    ("options", "told"),
    [((), "none are listed; --live asks the service"), (["--live"], "the service lists none")],
)
def test_an_empty_list_says_so(run: Run, site: Site, options: Sequence[str], told: str) -> None:
    """Beside the list, which stays a list; and how there may be one."""
    site.install("parrot", SHY)
    done = run("models", "-b", "parrot", *options)
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", f"{told}\n")
    assert json.loads(run("models", "-b", "parrot", "--json", *options).stdout) == []


def test_no_backend_is_wrong_usage(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for ask."""
    monkeypatch.setenv("MODELPLUG_CONFIG", "none")
    assert run("models").exit_code == 2


def test_an_unknown_backend_is_a_failure(run: Run) -> None:
    """With what is installed."""
    done = run("models", "-b", "nobody")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "installed are" in done.stderr


@pytest.mark.parametrize("columns", [40, 80])
def test_a_terminal_gets_a_table(columns: int) -> None:
    """What all can do stands above it, and no line is too long."""
    with at_terminal("models", "-b", "spark", columns=columns) as terminal:
        assert terminal.end() == 0
        lines = [line.rstrip() for line in terminal.seen.replace("\x1b[1m", "").splitlines()]
    assert max(map(len, (line.replace("\x1b[0m", "") for line in lines))) <= columns
    assert lines[0].startswith("all of them")
    assert any(line.startswith("*  generalv3.5 ") for line in lines)
