from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import pytest

from modelplug import (
    ContextLengthError,
    Delta,
    Finish,
    ModelOutput,
    ProxyLLMClient,
    new_client,
)
from modelplug.cli.conversation import Conversation, Round
from modelplug.cli.keyboard import Input, InputError
from modelplug.cli.session import Session
from modelplug.cli.view import PlainView, View
from modelplug.testing import Fail, Gate, ScriptedClient


class Typed:
    """Inputs that a test has prepared."""

    def __init__(self, *given: str | Input | InputError, is_terminal: bool = False) -> None:
        self._given = list(given)
        self.is_terminal = is_terminal

    def read(self) -> Input:
        """The next one."""
        if not self._given:
            raise EOFError
        given = self._given.pop(0)
        if isinstance(given, InputError):
            raise given
        return given if isinstance(given, Input) else Input(given)

    def paused(self) -> AbstractContextManager[None]:
        """There is nothing to pause."""
        return nullcontext()


def session(
    client: ProxyLLMClient, *, view: Callable[[], View] = PlainView, verbose: bool = False
) -> Session:
    """A chat that has just begun."""
    return Session(client, Conversation("Be brief."), view=view, verbose=verbose)


def asked(client: ScriptedClient) -> list[list[str]]:
    """The texts of each request but the instructions."""
    return [[message.text for message in request.messages[1:]] for request in client.requests]


class Stopping(PlainView):
    """Somebody presses Ctrl-C after each piece."""

    def add(self, output: ModelOutput) -> None:
        """Show it first."""
        super().add(output)
        signal.raise_signal(signal.SIGINT)


def test_each_question_is_sent_with_the_conversation(capsys: pytest.CaptureFixture[str]) -> None:
    """Answers, and nothing else, are on standard output."""
    client = ScriptedClient("2", "4")
    assert session(client).run(Typed("1+1?", "  ", "And 2+2?")) == 0
    assert asked(client) == [["1+1?"], ["1+1?", "2", "And 2+2?"]]
    assert capsys.readouterr() == ("2\n4\n", "")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (Input("//help"), "/help"),
        (Input("// is a comment"), "/ is a comment"),
        (Input("/help\nme", fenced=True), "/help\nme"),
        (Input(" /help"), " /help"),
    ],
)
def test_a_text_may_begin_with_a_slash(given: Input, expected: str) -> None:
    """Written twice, behind a blank, or in a fence."""
    client = ScriptedClient("yes")
    session(client).run(Typed(given))
    assert [request.question for request in client.requests] == [expected]


def test_a_failed_answer_is_shown_and_not_kept(capsys: pytest.CaptureFixture[str]) -> None:
    """The conversation stays as it was, and goes on."""
    client = ScriptedClient("2")
    client.play("Four, but ", Fail("overloaded"))
    chat = session(client)
    assert chat.run(Typed("1+1?", "And 2+2?", "So?")) == 1
    assert asked(client)[2] == ["1+1?", "2", "So?"]
    out, err = capsys.readouterr()
    assert out == "2\nFour, but \nSo?\n"
    assert err.startswith("error: the script says so: overloaded")
    assert "hint: the script of a test\n" in err


def test_that_another_backend_answered_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """As with ask; each attempt for whoever asked for more."""
    client = new_client("echo:one?fail_after=0 | echo:two")
    session(client, verbose=True).run(Typed("hello"))
    first, note, _ = capsys.readouterr().err.splitlines()
    assert first.startswith("echo:one failed after ")
    assert note == "note: echo:two answered, as echo:one (ServerError) failed"


def test_all_attempts_of_a_failure_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Before its error."""
    session(new_client("echo:one?fail_after=0 | echo:two?fail_after=0")).run(Typed("hello"))
    err = capsys.readouterr().err
    told = "note: 2 attempts failed: echo:one (ServerError); echo:two (ServerError)\nerror: "
    assert err.startswith(told)


def test_what_failed_can_be_asked_again(capsys: pytest.CaptureFixture[str]) -> None:
    """With the same messages."""
    client = ScriptedClient()
    client.play(Fail("overloaded"))
    client.say("4")
    chat = session(client)
    chat.run(Typed("2+2?", "/retry"))
    assert asked(client) == [["2+2?"], ["2+2?"]]
    assert chat.conversation.rounds == (Round("2+2?", "4"),)


def test_a_failure_is_none_of_a_terminals(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever sits there has seen it, and the chat has ended well."""
    client = ScriptedClient()
    client.play(Fail("overloaded"))
    assert session(client).run(Typed("2+2?", is_terminal=True)) == 0


def test_a_full_context_has_a_way_out(capsys: pytest.CaptureFixture[str]) -> None:
    """Beside what the service says to it."""
    client = ScriptedClient()
    client.play(Fail("context_length"))
    session(client).run(Typed("long"))
    assert "hint: the script of a test; /undo and /clear make room" in capsys.readouterr().err


def test_a_full_context_has_one_without_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    """Of the service's."""

    class Full(ScriptedClient):
        def local_convert_message(self, *args: object) -> object:  # type: ignore[override]  # fails
            raise ContextLengthError("full")

    session(Full()).run(Typed("long"))
    assert "hint: /undo and /clear make room" in capsys.readouterr().err


def test_a_stopped_answer_is_kept_as_far_as_it_came(capsys: pytest.CaptureFixture[str]) -> None:
    """It was read, and can be talked about."""
    client = ScriptedClient("one two three", "yes")
    chat = session(client, view=Stopping)
    assert chat.run(Typed("Count.", is_terminal=True)) == 0
    assert chat.conversation.rounds == (Round("Count.", "one"),)
    out, err = capsys.readouterr()
    assert (out, "stopped: it is kept" in err) == ("one\n", True)


def test_an_answer_that_is_stopped_before_it_begins_is_not_kept(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Thinking is no answer."""
    client = ScriptedClient()
    client.play(Delta(reasoning="hm"), Gate("more"), "one", Finish())
    chat = session(client, view=Stopping)
    chat.run(Typed("Count.", is_terminal=True))
    assert chat.conversation.rounds == ()
    assert "stopped before" in capsys.readouterr().err


def test_ctrl_c_ends_what_nobody_sits_at() -> None:
    """In a script it means the script."""

    class Interrupted(PlainView):
        def add(self, output: ModelOutput) -> None:
            """No more."""
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        session(ScriptedClient("one two"), view=Interrupted).run(Typed("Count."))


def test_an_empty_answer_is_not_kept(capsys: pytest.CaptureFixture[str]) -> None:
    """Services refuse messages without content."""
    client = ScriptedClient()
    client.play(Finish())
    chat = session(client)
    chat.run(Typed("Say nothing."))
    assert chat.conversation.rounds == ()
    assert "the answer is empty" in capsys.readouterr().err


def test_an_answer_that_is_not_whole_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """It is kept, as it came to an end."""
    client = ScriptedClient()
    client.play("one", Finish("length"))
    chat = session(client)
    chat.run(Typed("Count."))
    assert chat.conversation.rounds == (Round("Count.", "one"),)
    assert capsys.readouterr().err == "note: the answer is not whole (length)\n"


def test_verbose_tells_what_an_answer_cost(capsys: pytest.CaptureFixture[str]) -> None:
    """Tokens and seconds, in a line."""
    session(ScriptedClient(), verbose=True).run(Typed("Count me."))  # it echoes, and counts
    err = capsys.readouterr().err
    assert err.startswith("2 + 2 = 4 tokens, first delta 0.")
    assert err.count("\n") == 1


def test_an_input_that_cannot_be_used_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """The next one is served."""
    client = ScriptedClient("yes")
    assert session(client).run(Typed(InputError("no text"), "Well?")) == 1
    assert capsys.readouterr() == ("yes\n", "error: no text\n")


def test_a_command_that_fails_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a script, that is; it asks nobody."""
    client = ScriptedClient()
    assert session(client).run(Typed("/undo")) == 1
    assert (client.requests, capsys.readouterr().out) == ([], "")


def test_the_end_can_be_asked_for() -> None:
    """What stands behind it is not served."""
    client = ScriptedClient()
    assert session(client).run(Typed("/exit", "Well?")) == 0
    assert client.requests == []
