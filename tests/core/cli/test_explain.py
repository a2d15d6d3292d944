from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.core.cli.conftest import Run

SPARK = ("explain", "-b", "spark:lite?temperature=0.5&api_key=env:SPARK_K")

CANARY = "Zq7CanaryX9"


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable with a key, and none with the rest."""
    monkeypatch.setenv("SPARK_K", CANARY)
    for name in ("APPID", "API_KEY", "API_SECRET", "API_VERSION", "API_BASE"):
        monkeypatch.delenv(f"XUNFEI_SPARK_{name}", raising=False)


def test_values_and_where_they_come_from(run: Run) -> None:
    """A line for the value, one for its origin; what is at its default is left out."""
    lines = run(*SPARK).stdout.splitlines()
    assert lines[lines.index("temperature = 0.5") + 1] == "    from config string"
    assert lines[lines.index('api_key = "env:SPARK_K"') + 1] == "    from config string"
    assert lines[lines.index("api_secret = not set") + 1] == (
        "    XUNFEI_SPARK_API_SECRET would set it"
    )
    assert "top_k = not set" not in lines


def test_all_values_when_asked_for(run: Run) -> None:
    """Those at their default too."""
    lines = run(*SPARK, "--all").stdout.splitlines()
    assert lines[lines.index("timeouts.idle = 30.0") + 1] == "    from default"
    assert "top_k = not set" in lines


def test_a_prompt_shows_the_message(run: Run) -> None:
    """As it would be sent, system message and all; its failure is told, and is the status."""
    done = run(*SPARK, "Hello", "-s", "Be brief", "-o", "top_p=0.5")
    told, message = done.stdout.split("would be sent, without that:\n")
    assert json.loads(message)["message"]["payload"]["message"]["text"] == [
        {"role": "user", "content": "Be brief\nHello"}
    ]
    assert "emulated by the plugin: system_role" in told
    assert "refused (on_unsupported is error): lite of spark can't do: top_p" in told
    assert "would fail: MissingCredentialError: spark needs api_app_id, api_secret" in told
    assert (done.exit_code, done.stderr) == (1, "")


def test_what_could_be_called_is_status_0(run: Run) -> None:
    """Without a word of failure."""
    done = run("explain", "-b", "echo?delay=1", "Hi")
    assert (done.exit_code, done.stderr, "would fail" in done.stdout) == (0, "", False)
    assert done.stdout.endswith("\nmodelplug-echo doesn't tell what it would send\n")


def test_each_target_in_turn(run: Run) -> None:
    """Each as if it stood alone; that one of them can't be called is the status."""
    done = run("explain", "-b", "echo:one?delay=1 | spark:lite", "Hi")
    first, second = done.stdout.split("\n\nif that fails before its answer begins:\n\n")
    assert first == run("explain", "-b", "echo:one?delay=1", "Hi").stdout.removesuffix("\n")
    assert second == run("explain", "-b", "spark:lite", "Hi").stdout
    assert done.exit_code == 1
    assert run("explain", "-b", "echo:one | echo:two", "Hi").exit_code == 0


def test_json_has_everything(run: Run) -> None:
    """Each value with its origin, at its default or not."""
    told = json.loads(run(*SPARK, "Hi", "--json").stdout)
    assert told["values"]["temperature"]["origin"] == "config string"
    assert told["values"]["top_k"]["origin"] == "default"
    assert told["request"]["url"].startswith("wss://")
    both = json.loads(run("explain", "-b", "echo | spark:lite", "Hi", "--json").stdout)
    assert [each["model"] for each in (both, *both["fallbacks"])] == ["echo", "lite"]


@pytest.mark.parametrize("columns", [40, 80])
def test_lines_fit_the_terminal(run: Run, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    """Words stay whole; the message is as it is."""
    monkeypatch.setenv("COLUMNS", str(columns))
    told, _, _ = run(*SPARK, "Hi", "-o", "top_p=1").stdout.partition("would be sent")
    assert max(map(len, told.splitlines())) <= columns


def test_profiles_have_their_names_and_files(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that is asked for, and the default one below it."""
    file = tmp_path / "modelplug.toml"
    file.write_text(
        'default = "a"\n[profiles.a]\nbackend = "echo"\nseed = 1\n[profiles.b]\n'
        'backend = "echo"\nseed = 2\ntimeouts = { idle = false }\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("MODELPLUG_CONFIG", str(file))
    monkeypatch.setenv("COLUMNS", "1000")
    lines = run("explain", "--profile", "b").stdout.splitlines()
    assert lines[lines.index("seed = 2") + 1] == (
        f"    from profile b of {file}, over default profile a of {file}"
    )
    assert "timeouts.idle = off" in lines
    assert "seed = 1" in run("explain").stdout


@pytest.mark.parametrize(
    ("arguments", "status"), [(("-b", "nobody"), 1), (("-o", "x"), 2), ((), 2), (("a", "b"), 2)]
)
def test_what_cannot_be_explained(run: Run, arguments: tuple[str, ...], status: int) -> None:
    """An error as any command has it."""
    done = run("explain", *arguments)
    assert (status, "") == (done.exit_code, done.stdout)


def test_nothing_shows_a_secret_or_moves_the_cursor(run: Run) -> None:
    """The key is at hand, and stays there."""
    done = run(*SPARK, "Hi\x1b[31m", "--all", "-o", "chat_id=%1b[31m")
    assert not [mark for mark in (CANARY, "\x1b") if mark in done.stdout]
