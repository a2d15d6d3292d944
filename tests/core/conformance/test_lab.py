"""What a check holds in its hands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from modelplug import Finish, ProxyLLMError
from modelplug.conformance import Asked
from modelplug.conformance.directions import Direction, Loop
from modelplug.conformance.lab import Lab, told
from modelplug.conformance.subject import Subject
from modelplug.conformance.verdict import NotApplicable, Violation
from modelplug.testing import Fail, Gate, Lines, RawRequest, Step
from tests.core.conformance.reference import Codec


@pytest.fixture
def lab(installed: Path) -> Iterator[Lab]:
    """A lab with the reference in it."""
    subject = Subject.of("reference")
    with (
        Loop.running() as loop,
        Lab(subject, direction=Direction("async", loop), quantum=0.05) as lab,
    ):
        yield lab


def test_the_service_says_what_is_played(lab: Lab) -> None:
    """And what was asked comes in the kit's words."""
    assert lab.answer("Hello", Finish()).text == "Hello"
    assert lab.asked().messages == [("user", "hi")]
    assert lab.script == ["says 'Hello', Finish(reason='stop', raw=None, usage=None, extra=None)"]


def test_what_the_service_cant_express_is_not_applicable(lab: Lab) -> None:
    """With the author's reason."""
    lab.harness = replace(lab.harness, cannot_express={"quota": "there are none"})
    with pytest.raises(NotApplicable, match="there are none"):
        lab.play(Fail("quota"))


def test_what_a_check_has_to_leave_out_is_told_once(lab: Lab) -> None:
    """In the cell's script, whichever way it was left out."""
    can: list[Step] = ["Hello", Finish()]
    assert lab.leaves_out(Lines()) == "a WebSocket has no lines"
    assert lab.possible([Lines(), *can], can) == [can]
    assert lab.leaves_out(*can) == ""
    assert lab.script == ["left out: a WebSocket has no lines"]


def test_claims_are_the_plugins(lab: Lab) -> None:
    """As its client tells them."""
    assert lab.claims("temperature")
    assert not lab.claims("images")


def test_a_connection_that_stays_is_a_violation(lab: Lab) -> None:
    """After so many quanta."""
    lab.play("a", Gate("never"))
    with lab.client() as client:
        stream = client.sync_generate_stream("hi")
        next(stream)
        with pytest.raises(Violation, match="still open"):
            lab.expect_gone(lab.exchanges.wait(), quanta=1)
        stream.close()
    lab.expect_gone(lab.exchanges[0])
    assert told(lab.exchanges)[0].startswith("connection 0: asked 1 times")


def test_a_question_that_cant_be_read_is_the_plugins_fault(lab: Lab) -> None:
    """Its harness is right to refuse it, and says why."""

    class Deaf(Codec):
        def asked(self, request: RawRequest) -> Asked:
            """Nothing that it could know."""
            raise ValueError("half a question")

    lab.harness = replace(lab.harness, codec=Deaf())
    lab.play("Hello", Finish(), question="hi")
    with lab.client() as client, pytest.raises(ProxyLLMError):
        lab.ask(client)
    assert lab.script[1:] == ["can't read what it was asked: half a question"]
    with pytest.raises(Violation, match="the service can't read what it was asked: half a quest"):
        lab.asked()


def test_without_a_wire_there_is_no_other_service(installed: Path) -> None:
    """Nor anything else that needs an address; and what was seen are calls and pieces."""
    subject = Subject.of("reference-inprocess")
    with (
        Loop.running() as loop,
        Lab(subject, direction=Direction("async", loop)) as lab,
    ):
        with pytest.raises(NotApplicable, match="nothing goes over a wire: there is no other"):
            lab.another()
        lab.answer("Hello", Finish())
        lab.expect_gone(lab.exchanges[0])
        (line,) = told(lab.exchanges, wired=lab.upstream.wired)
    assert line.startswith("call 0: asked 1 times, 2 pieces out")
    assert line.endswith("ended by the client, generator")


def test_other_accounts_come_from_the_seed(installed: Path) -> None:
    """As this check's own does: each is another, and the same seed makes them again."""
    subject = Subject.of("reference")
    with Loop.running() as loop:
        one, same = (
            Lab(subject, direction=Direction("async", loop), random=Random(7))  # noqa: S311  # no secret
            for _ in range(2)
        )
        drawn = [one.another_account(), one.another_account()]
        assert drawn == [same.another_account(), same.another_account()]
    assert len({each.api_key for each in (one.account, *drawn)}) == 3
