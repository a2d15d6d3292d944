from __future__ import annotations

import json
import stat
from collections.abc import Sequence
from pathlib import Path

import click
import pytest

from modelplug import ModelMetadata, ModelNotFoundError, Usage
from modelplug.cli.conversation import Conversation, Round
from modelplug.cli.slash import Chat, completed, run, tokens
from modelplug.messages import ModelMessage
from modelplug.testing import ScriptedClient

ONE = Round("1+1?", "2")


class Talk(Chat):
    """A chat whose questions are kept, and not asked."""

    def __init__(self, client: ScriptedClient, *rounds: Round) -> None:
        super().__init__(client, Conversation("Be brief.", rounds))
        self.asked: list[Sequence[ModelMessage]] = []

    def ask(self, messages: Sequence[ModelMessage]) -> None:
        """Keep it."""
        self.asked.append(messages)


class Choosy(ScriptedClient):
    """A client that knows its models."""

    def metadata(self, model: str) -> ModelMetadata:
        """What it knows."""
        if model not in (*self.model_names, "alias"):
            raise ModelNotFoundError(f"there is no model {model}", hint="look again")
        return super().metadata(model)


@pytest.fixture
def talk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Talk:
    """A chat with one round, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return Talk(Choosy(models=["small", "large"]), ONE)


def refusal(talk: Talk, line: str) -> str:
    """What is said to a line that can't be done."""
    with pytest.raises(click.ClickException) as caught:
        run(talk, line)
    return f"{caught.value.message} {getattr(caught.value, 'hint', None)}"


def test_help_has_every_command(talk: Talk, capsys: pytest.CaptureFixture[str]) -> None:
    """And how to write several lines."""
    run(talk, "/help")
    out, err = capsys.readouterr()
    assert out == ""
    names = [
        "help",
        "model",
        "system",
        "save",
        "save!",
        "load",
        "undo",
        "retry",
        "clear",
        "usage",
        "exit",
    ]
    assert all(f"/{name}" in err for name in names)
    assert '"""' in err


def test_help_is_as_narrow_as_the_terminal(
    talk: Talk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In 40 columns nothing is longer."""
    monkeypatch.setenv("COLUMNS", "40")
    run(talk, "/help")
    assert max(map(len, capsys.readouterr().err.splitlines())) <= 40


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("/modle x", "did you mean /model?"),
        ("/etc/passwd is what?", "written with two: //"),
        ("/zzz", "/help lists them"),
        ("/\x1b[2J", "\\x1b[2J"),
    ],
)
def test_an_unknown_command_is_refused(line: str, told: str, talk: Talk) -> None:
    """With the nearest one, and how to write a text with a slash."""
    assert told in refusal(talk, line)
    assert talk.asked == []


def test_the_model_is_shown(talk: Talk, capsys: pytest.CaptureFixture[str]) -> None:
    """With the others that there are."""
    run(talk, "/model")
    assert capsys.readouterr().err == "model small\nothers: large\n"


def test_the_model_is_changed(talk: Talk, capsys: pytest.CaptureFixture[str]) -> None:
    """One that isn't listed, but known, is asked for all the same."""
    run(talk, "/model large")
    assert talk.model == "large"
    run(talk, "/model alias")
    assert talk.model == "alias"
    note = "note: None doesn't list alias; it may know it\n"
    assert capsys.readouterr().err == f"model large\n{note}model alias\n"


def test_an_unknown_model_changes_nothing(talk: Talk) -> None:
    """The client's own error says why."""
    assert refusal(talk, "/model huge") == "there is no model huge look again"
    assert talk.model == "small"


def test_the_instructions_are_shown_and_set(talk: Talk, capsys: pytest.CaptureFixture[str]) -> None:
    """And taken away by the word none."""
    run(talk, "/system")
    run(talk, "/system Rhyme.\nAlways.")
    run(talk, "/system none")
    assert capsys.readouterr().err == "Be brief.\nRhyme.\nAlways.\nno instructions are set\n"
    assert talk.conversation.system is None


def test_a_saved_conversation_can_be_loaded(
    talk: Talk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its model; the file is for its owner alone."""
    talk.model = "large"
    run(talk, "/save talk one.json")
    other = Talk(Choosy(models=["small", "large"]))
    run(other, "/load talk one.json")
    assert (other.conversation.rounds, other.model) == ((ONE,), "large")
    assert other.conversation.system == "Be brief."
    assert stat.S_IMODE((tmp_path / "talk one.json").stat().st_mode) == 0o600
    assert capsys.readouterr().err == "saved: talk one.json\n1 round loaded\nmodel large\n"


def test_a_conversation_with_another_backend_keeps_the_model(
    talk: Talk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which is said; its names are another's."""
    record = '{"backend": "acme", "model": "big", "messages": []}'
    (tmp_path / "a.json").write_text(record, encoding="utf-8")
    run(talk, "/load a.json")
    assert talk.model == "small"
    told = "0 rounds loaded\nthey were with acme, model big; now small answers\n"
    assert capsys.readouterr().err == told


def test_a_saved_model_that_is_gone_is_told(
    talk: Talk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The conversation goes on with the model that there is."""
    record = '{"backend": null, "model": "huge", "messages": []}'
    (tmp_path / "a.json").write_text(record, encoding="utf-8")
    run(talk, "/load a.json")
    assert (talk.model, talk.conversation.rounds) == ("small", ())
    assert capsys.readouterr().err.endswith("model huge; now small answers\n")


def test_a_file_is_written_over_when_that_is_asked(talk: Talk, tmp_path: Path) -> None:
    """And not otherwise."""
    file = tmp_path / "a.json"
    file.write_text("mine", encoding="utf-8")
    assert "/save! writes over it" in refusal(talk, "/save a.json")
    assert file.read_text(encoding="utf-8") == "mine"
    run(talk, "/save! a.json")
    assert json.loads(file.read_text(encoding="utf-8"))["version"] == 1
    assert [each.name for each in tmp_path.iterdir()] == ["a.json"]


def test_home_is_understood(
    talk: Talk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As shells write it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    run(talk, "/save ~/a.json")
    assert (tmp_path / "a.json").is_file()


def test_what_utf_8_has_not_is_saved_as_an_escape(talk: Talk, tmp_path: Path) -> None:
    """A service may send the half of a character."""
    talk.conversation = Conversation(None, [Round("a", "b\udc80")])
    run(talk, "/save a.json")
    run(talk, "/load a.json")
    assert talk.conversation.rounds == (Round("a", "b\udc80"),)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("/save", "which FILE?"),
        ("/load", "which FILE?"),
        ("/save none/a.json", "No such file or directory"),
        ("/save! none/a.json", "No such file or directory"),
        ("/save a\0b", "null"),
        ("/save! folder", "directory"),
        ("/load none.json", "none.json can't be read: No such file or directory"),
        ("/load text", "not a JSON object"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(
    line: str, told: str, talk: Talk, tmp_path: Path
) -> None:
    """The conversation is what it was, and no file is left behind."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("text", encoding="utf-8")
    assert told in refusal(talk, line)
    assert talk.conversation.rounds == (ONE,)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["folder", "text"]


def test_a_round_is_taken_back(talk: Talk, capsys: pytest.CaptureFixture[str]) -> None:
    """Its question is told; then there is none."""
    run(talk, "/undo")
    assert talk.conversation.rounds == ()
    assert capsys.readouterr().err == "taken back: 1+1? (0 left)\n"
    assert "nothing to take back" in refusal(talk, "/undo")
    assert "no question" in refusal(talk, "/retry")


def test_the_last_question_is_asked_again(talk: Talk) -> None:
    """As it was asked at first."""
    run(talk, "/retry")
    assert [[message.text for message in each] for each in talk.asked] == [["Be brief.", "1+1?"]]


def test_the_conversation_is_cleared(talk: Talk, capsys: pytest.CaptureFixture[str]) -> None:
    """But for the instructions."""
    run(talk, "/clear")
    assert (talk.conversation.rounds, talk.conversation.system) == ((), "Be brief.")


def test_usage_tells_the_last_answer_and_all(
    talk: Talk, capsys: pytest.CaptureFixture[str]
) -> None:
    """What wasn't reported isn't counted as nothing."""
    run(talk, "/usage")
    talk.usages += [Usage(prompt_tokens=1, completion_tokens=2)]
    run(talk, "/usage")
    talk.usages += [None]
    run(talk, "/usage")
    assert capsys.readouterr().err.splitlines() == [
        "nothing was asked",
        "last answer: 1 + 2 = 3 tokens",
        "last answer: tokens not reported",
        "all 2 answers: 3 tokens, 1 without a report",
    ]


@pytest.mark.parametrize("line", ["/exit", "/quit"])
def test_the_end_is_asked_for(line: str, talk: Talk) -> None:
    """By either word."""
    run(talk, line)
    assert talk.is_over


@pytest.mark.parametrize(
    ("beginning", "expected"),
    [
        ("/sa", ["/save", "/save!"]),
        ("/model l", ["/model large"]),
        ("/model x", []),
        ("what", []),
        ("", []),
    ],
)
def test_commands_and_models_are_completed(beginning: str, expected: list[str], talk: Talk) -> None:
    """Texts aren't."""
    assert expected == completed(talk, beginning)


def test_an_estimate_is_told_as_one() -> None:
    """It isn't what the service counted."""
    usage = Usage(prompt_tokens=1, completion_tokens=2, source="estimated")
    assert tokens(usage) == "1 + 2 = 3 tokens (estimated)"
