from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from modelplug import vocabulary
from modelplug.cli import tokens
from tests.core.cli.conftest import Run
from tests.core.cli.distributions import PARROT, Site

GPT = ("-b", "echo:gpt-4o")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with two files."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("hello world\n", encoding="utf-8")
    (tmp_path / "b.txt").write_text("中文", encoding="utf-8")
    return tmp_path


def test_a_file_is_a_count_and_its_name(run: Run) -> None:
    """With a tab between; standard error says how far it can be trusted."""
    done = run("tokens", "a.txt", *GPT)
    assert (done.exit_code, done.stdout) == (0, "3\ta.txt\n")
    assert done.stderr == "exact: gpt-4o, by tiktoken o200k_base\n"


def test_several_files_have_a_total(run: Run) -> None:
    """In the order in which they were given."""
    assert run("tokens", "b.txt", "a.txt", *GPT).stdout == "1\tb.txt\n3\ta.txt\n4\ttotal\n"


@pytest.mark.parametrize("arguments", [(), ("-",)], ids=["none", "dash"])
def test_standard_input_is_counted(arguments: tuple[str, ...], run: Run) -> None:
    """As it is: its line's end is a token, too."""
    assert run("tokens", *arguments, *GPT, input="hello world\n").stdout == "3\t-\n"


def test_nothing_has_no_tokens(run: Run) -> None:
    """An empty input is no failure."""
    assert run("tokens", *GPT, input="").stdout == "0\t-\n"


def test_an_unknown_model_is_an_estimate(run: Run) -> None:
    """The line says about, and by what."""
    done = run("tokens", "a.txt", "-b", "echo")
    assert done.stdout == "3\ta.txt\n"
    assert done.stderr.startswith("about: echo, by tiktoken cl100k_base, not known")


def test_an_account_is_neither_needed_nor_read(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The backend's own estimator counts without its keys."""
    for name in ("APPID", "API_KEY", "API_SECRET"):
        monkeypatch.delenv(f"XUNFEI_SPARK_{name}", raising=False)
    done = run("tokens", "b.txt", "-b", "spark?api_key=env:NOT_THERE")
    assert (done.exit_code, done.stdout) == (0, "2\tb.txt\n")
    assert done.stderr == "about: generalv3.5, by iFlytek's published ratios\n"


def test_json_is_one_object(run: Run) -> None:
    """It has exactly the fields that are promised, and standard error is empty."""
    done = run("tokens", "a.txt", "b.txt", "--json", *GPT)
    assert json.loads(done.stdout) == {
        "tokens": 4,
        "exact": True,
        "method": "tiktoken o200k_base",
        "model": "gpt-4o",
        "files": [{"name": "a.txt", "tokens": 3}, {"name": "b.txt", "tokens": 1}],
    }
    assert (done.exit_code, done.stderr, done.stdout.count("\n")) == (0, "", 1)


def test_without_the_extra_it_is_a_failure(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one line that names what to install."""
    monkeypatch.setattr(vocabulary, "_shelf", vocabulary._Shelf())
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    done = run("tokens", "a.txt", *GPT)
    assert (done.exit_code, done.stdout) == (1, "")
    hint, error = done.stderr.splitlines()
    assert 'pip install "modelplug[tokens]"' in hint
    assert error == "error: tokens of gpt-4o can't be counted here"


@pytest.mark.parametrize(
    "arguments", [("none.txt", *GPT), (".", *GPT), ("a.txt",), ("a.txt", "-x")], ids=" ".join
)
def test_wrong_usage_is_status_2(arguments: tuple[str, ...], run: Run) -> None:
    """A file that isn't there, no backend, no such option."""
    done = run("tokens", *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "Try 'modelplug tokens --help' for help" in done.stderr


def test_a_terminal_has_nothing_to_count(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It doesn't wait for somebody to type."""
    monkeypatch.setattr(tokens, "text_of_standard_input", lambda: None)
    done = run("tokens", *GPT)
    assert done.exit_code == 2
    assert "nothing to count" in done.stderr


@pytest.mark.parametrize("config", ["nobody", "echo?", "echo?delay=x"])
def test_a_config_string_that_cannot_be_is_a_failure(config: str, run: Run) -> None:
    """As for every command."""
    done = run("tokens", "a.txt", "-b", config)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")


def test_a_name_cannot_pretend_to_be_another_line(run: Run, folder: Path) -> None:
    """Its line feeds are escapes."""
    (folder / "a\n9\tb").write_text("hi", encoding="utf-8")
    assert run("tokens", "a\n9\tb", *GPT).stdout == "1\ta\\n9\tb\n"


def test_a_stranger_s_backend_is_asked_for_its_tokenizer(run: Run, site: Site) -> None:
    """Whatever its client passes to the base class."""
    tokenizer = "type('T', (), {'count_token': lambda self, model, prompts: [42] * len(prompts)})()"
    site.install("parrot", PARROT.replace("params=", f"proxy_tokenizer={tokenizer}, params="))
    done = run("tokens", "a.txt", "-b", "parrot")
    assert (done.stdout, done.stderr) == ("42\ta.txt\n", "about: 0, by T\n")
