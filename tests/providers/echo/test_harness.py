"""What the conformance kit needs of echo."""

from __future__ import annotations

import pytest

from modelplug import Delta, Finish, ModelRequest, ServerError, Usage, new_client
from modelplug.conformance.runner import all_checks, run
from modelplug.conformance.subject import Subject
from modelplug.testing import Called, Fail, RawRequest
from modelplug.testing.inprocess import InProcess
from modelplug_echo.harness import HARNESS, EchoCodec

STAND_IN = InProcess("modelplug_echo.client:speak")


def test_a_question_is_heard_in_the_kits_words() -> None:
    """Roles, texts, and what was asked for."""
    request = ModelRequest(messages="hi", temperature=0.0, max_new_tokens=3)
    with STAND_IN(EchoCodec()) as upstream:
        upstream.play("ok", Finish())
        new_client("echo").sync_generate(request)
        asked = EchoCodec().asked(upstream.exchanges[0].request)
    assert (asked.messages, asked.model) == ([("user", "hi")], "echo")
    assert asked.params == {"temperature": 0.0, "max_new_tokens": 3}


def test_what_is_no_question_is_told_so() -> None:
    """A call without a request, or with something else."""
    for args in ((), (7,)):
        with pytest.raises(ValueError, match="takes a ModelRequest"):
            EchoCodec().asked(RawRequest(target="", called=Called(args)))


def test_it_says_what_echo_can_say() -> None:
    """Words, their end and what they cost; no thoughts, and no words of its own for an end."""
    usage = Usage(prompt_tokens=1, completion_tokens=2)
    with STAND_IN(EchoCodec()) as upstream:
        upstream.play(Delta("a", reasoning="hm"), Finish("length", raw="x", usage=usage))
        output = new_client("echo").sync_generate("hi")
    assert (output.text, output.reasoning, output.usage) == ("a", "", usage)
    assert (output.finish_reason, output.raw_finish_reason) == ("length", None)


def test_its_failure_is_the_one_that_echo_has() -> None:
    """What ``fail_after`` brings about, in the same words."""
    with STAND_IN(EchoCodec()) as upstream:
        upstream.play("a", Fail("server"))
        with pytest.raises(ServerError) as caught:
            new_client("echo").sync_generate("hi")
    with pytest.raises(ServerError) as real:
        new_client("echo?fail_after=0").sync_generate("hi")
    told = (caught.value.message, caught.value.hint, caught.value.provider_message)
    assert told == (real.value.message, real.value.hint, real.value.provider_message)


def test_the_plugin_names_it() -> None:
    """So that the kit finds it."""
    assert Subject.of("echo").harness is HARNESS


@pytest.mark.parametrize("check", all_checks(), ids=lambda check: str(check.id))
def test_echo_conforms(check: object) -> None:
    """It is what authors copy, so nothing is amiss; and a reason is given for what can't be."""
    report = run(Subject.of("echo"), [check], quantum=0.1)  # type: ignore[list-item]  # it is one
    odd = [cell for cell in report.cells if cell.verdict not in ("pass", "n/a")]
    assert odd == []
    assert all(cell.told for cell in report.cells if cell.verdict == "n/a")
