"""Harnesses that are broken on purpose: each dies by the self-check that it names."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, ClassVar, get_args
from urllib.parse import urlsplit

import pytest

from modelplug import Delta, Finish, QuotaError
from modelplug.conformance import Account, Asked, Harness
from modelplug.conformance.runner import all_checks, run
from modelplug.conformance.selfcheck import SELF_CHECKS, self_checked
from modelplug.conformance.subject import Subject
from modelplug.testing import Fail, FailKind, RawRequest, Status, Wire
from modelplug.testing.http import HttpUpstream, ndjson
from modelplug.testing.inprocess import InProcess
from modelplug.testing.websocket import WebSocketUpstream
from tests.core.conformance.reference import HARNESS, SILENT, Codec, Encoder


def broken(kind: type[Encoder] = Encoder, **methods: Any) -> Harness:
    """The reference's harness, with another encoder or other methods of its codec."""
    methods.setdefault("encoder", lambda self, request: kind())
    return replace(HARNESS, codec=type("Codec", (Codec,), methods)())


class Wordless(Encoder):
    """Has no words for a text."""

    def delta(self, delta: Delta) -> Sequence[bytes]:
        """None."""
        return []

    def finish(self, finish: Finish) -> Sequence[bytes]:
        """None."""
        return []


class Raising(Encoder):
    """Has not heard of thinking."""

    def delta(self, delta: Delta) -> Sequence[bytes]:
        """Only texts."""
        return self._message(text={"": 1}[delta.reasoning])


class OneMessage(Encoder):
    """Gives a message where a list of them belongs."""

    def noise(self) -> Any:
        """One."""
        return b"{}"

    def delta(self, delta: Delta) -> Any:
        """One."""
        return super().delta(delta)[0]


class Texts(Encoder):
    """Gives texts where bytes belong."""

    def delta(self, delta: Delta) -> Any:
        """A text."""
        return [super().delta(delta)[0].decode()]


class Cutting(Encoder):
    """Has room for four characters."""

    def delta(self, delta: Delta) -> Sequence[bytes]:
        """Those."""
        return super().delta(Delta(delta.text[:4]))


class Latin(Encoder):
    """Knows the letters of western Europe."""

    def delta(self, delta: Delta) -> Sequence[bytes]:
        """Those, and question marks."""
        return super().delta(Delta(delta.text.encode("latin-1", "replace").decode("latin-1")))


class Stripping(Encoder):
    """Takes blanks for nothing."""

    def delta(self, delta: Delta) -> Sequence[bytes]:
        """Without those around a text."""
        return super().delta(Delta(delta.text.strip()))


class OneCode(Encoder):
    """Has one code for all failures."""

    def fail(self, fail: Fail) -> Sequence[bytes]:
        """Failed."""
        return super().fail(Fail("server", message=fail.message))


class NoWords(Encoder):
    """Leaves out what a failure says."""

    def fail(self, fail: Fail) -> Sequence[bytes]:
        """Its code."""
        return super().fail(Fail(fail.kind))


class NoQuota(Encoder):
    """Has no words for a quota, and doesn't say so."""

    def fail(self, fail: Fail) -> Sequence[bytes]:
        """Nothing."""
        return [] if fail.kind == "quota" else super().fail(fail)


class OddNoise(Encoder):
    """Makes noise that is no message."""

    def noise(self) -> Sequence[bytes]:
        """A comment."""
        return [b": hm"]


class FinalNoise(Encoder):
    """Makes noise that ends the answer."""

    def noise(self) -> Sequence[bytes]:
        """The end."""
        return super().finish(Finish())


class Counting(Encoder):
    """Counts its messages, with one count for all answers."""

    numbers: ClassVar[Iterator[int]] = count()

    def _message(self, **told: object) -> list[bytes]:
        return super()._message(seq=next(self.numbers), **told)


class Gathering(Encoder):
    """Repeats what was said before, by whomever."""

    said: ClassVar[list[str]] = []

    def delta(self, delta: Delta) -> Sequence[bytes]:
        """With all that."""
        self.said.append(delta.text)
        return self._message(text=delta.text, so_far="".join(self.said))


class Reasonless(Encoder):
    """Says stop for whatever reason."""

    def finish(self, finish: Finish) -> Sequence[bytes]:
        """Done."""
        return super().finish(Finish(usage=finish.usage))


ONLY = Encoder()
"""One for all answers."""


def careless(self: object, request: RawRequest) -> Asked:
    """Takes what it gets for a question."""
    told = json.loads(request.body)
    return Asked(messages=told["messages"])


CASES: list[tuple[str, str, Callable[[], Harness]]] = [
    ("HAR-01", "delta (test_selfcheck.py, line", lambda: broken(Wordless)),
    ("HAR-01", "raised KeyError at test_selfcheck.py, line", lambda: broken(Raising)),
    ("HAR-01", "gave a bytes", lambda: broken(OneMessage)),
    ("HAR-01", "gave a str", lambda: broken(Texts)),
    (
        "HAR-01",
        "on a wire messages are bytes",
        lambda: replace(broken(Texts), wire=partial(HttpUpstream, frame=ndjson)),
    ),
    ("HAR-01", "Harness.wire for the codec raised", lambda: replace(HARNESS, wire=lambda _: 1 / 0)),  # type: ignore[arg-type]
    ("HAR-01", "has no method encoder", lambda: replace(HARNESS, codec=object())),  # type: ignore[arg-type]
    ("HAR-01", "with an empty body", lambda: broken(encoder=lambda self, request: 1 / 0)),
    ("HAR-02", "says 'Hello' and 'Hellp' in the same messages", lambda: broken(Cutting)),
    ("HAR-03", "changes a text (Chinese)", lambda: broken(Latin)),
    ("HAR-03", "changes a text (blanks)", lambda: broken(Stripping)),
    ("HAR-03", "that text can't be found", lambda: broken(Cutting)),
    ("HAR-04", "so that no plugin can tell", lambda: broken(OneCode)),
    ("HAR-04", "loses the message of a Fail", lambda: broken(NoWords)),
    ("HAR-04", 'or say why not: cannot_express={"quota"', lambda: broken(NoQuota)),
    ("HAR-04", "and no Status", lambda: broken(refusal=lambda self, fail: 401)),
    (
        "HAR-04",
        "Codec.refusal (test_selfcheck.py, line",
        lambda: broken(refusal=lambda self, fail: Status(401, "no")),
    ),
    ("HAR-05", "is no JSON, as the other messages are", lambda: broken(OddNoise)),
    ("HAR-05", "says what the end of an answer is", lambda: broken(FinalNoise)),
    ("HAR-06", "what is no question is a ValueError", lambda: broken(asked=careless)),
    ("HAR-06", "gave None, and neither Asked", lambda: broken(asked=lambda self, request: None)),
    (
        "HAR-07",
        "the same encoder for every answer",
        lambda: broken(encoder=lambda self, request: ONLY),
    ),
    ("HAR-07", "'seq' counts from", lambda: broken(Counting)),
    ("HAR-07", "turns up in another", lambda: broken(Gathering)),
    ("HAR-08", "says 'stop' and 'length' in the same words", lambda: broken(Reasonless)),
    (
        "HAR-08",
        "has words for 'length', and finish_reasons hasn't",
        lambda: replace(HARNESS, finish_reasons={"stop": "stop"}),
    ),
    (
        "HAR-08",
        "which is no finish reason",
        lambda: replace(HARNESS, finish_reasons={"stop": "end"}),  # type: ignore[dict-item]
    ),
    (
        "HAR-09",
        "cannot_express has no reason for 'quota'",
        lambda: replace(HARNESS, cannot_express={"quota": " "}),
    ),
    (
        "HAR-09",
        "cannot_express has 'qouta'; kinds of failures are auth",
        lambda: replace(HARNESS, cannot_express={"qouta": "no"}),  # type: ignore[dict-item]
    ),
    (
        "HAR-09",
        "which isn't in modelplug.errors",
        lambda: replace(HARNESS, errors={"quota": KeyError}),  # type: ignore[dict-item]
    ),
    (
        "HAR-09",
        "it can't be in both",
        lambda: replace(HARNESS, errors={"quota": QuotaError}, cannot_express={"quota": "no code"}),
    ),
    (
        "HAR-09",
        "raised KeyError",
        lambda: replace(HARNESS, params=lambda url, account: dict[str, Any]()[url]),
    ),
    (
        "HAR-09",
        "gives no mapping",
        lambda: replace(HARNESS, params=lambda url, account: [url]),  # type: ignore[arg-type,return-value]
    ),
    (
        "HAR-10",
        "it has no credentials of the account's",
        lambda: broken(verify_auth=lambda self, request, account, now: None),
    ),
    (
        "HAR-10",
        "raised ZeroDivisionError",
        lambda: broken(verify_auth=lambda self, request, account, now: 1 / 0),
    ),
]


@pytest.mark.parametrize(("id", "words", "make"), CASES, ids=[str(n) for n in range(len(CASES))])
def test_a_broken_harness_dies_by_its_self_check(
    id: str, words: str, make: Callable[[], Harness]
) -> None:
    """With the words that lead its author to the line."""
    told = {cell.check: (cell.verdict, cell.told) for cell in self_checked(make())}
    assert told[id][0] == "harness"
    assert words in told[id][1]


@pytest.mark.parametrize("error", [SystemExit(4), KeyboardInterrupt(), GeneratorExit()])
@pytest.mark.parametrize("method", ["encoder", "asked", "params"])
def test_whatever_a_harness_raises_is_its_fault(error: BaseException, method: str) -> None:
    """It ends no run."""

    def raises(*_: object) -> Any:
        raise error

    methods: dict[str, Any] = {method: raises}
    made = replace(HARNESS, params=raises) if method == "params" else broken(**methods)
    told = [cell.told for cell in self_checked(made) if cell.verdict == "harness"]
    assert told
    assert all(f"raised {type(error).__name__}" in each for each in told)


def test_a_harness_that_hangs_is_asked_nothing_more() -> None:
    """What it was at is named, with its line."""
    never = threading.Event()

    class Hanging(Encoder):
        def delta(self, delta: Delta) -> Sequence[bytes]:
            """After a long time."""
            never.wait()
            return super().delta(delta)

    first, *others = self_checked(broken(Hanging), limit=2)
    never.set()
    where = r"the harness didn't answer in 2 s: .*Hanging\.delta \(test_selfcheck\.py, line \d+\)"
    assert first.verdict == "harness"
    assert re.fullmatch(where, first.told)
    assert {cell.verdict for cell in others} == {"n/a"}
    assert [cell.check for cell in (first, *others)] == [each.id for each in SELF_CHECKS]


def test_every_self_check_has_a_broken_harness() -> None:
    """One that nothing fails shows nothing."""
    assert {check.id for check in SELF_CHECKS} == {id for id, _, _ in CASES}


@pytest.mark.parametrize("harness", [HARNESS, SILENT], ids=["reference", "silent"])
def test_a_right_harness_passes(harness: Harness) -> None:
    """What is right is never called wrong, whenever it is asked."""
    for _ in range(20):
        assert [cell.told for cell in self_checked(harness) if cell.told] == []


class Chunk:
    """What a library gives."""

    def __init__(self, **told: object) -> None:
        self.told = told


class LibraryError(Exception):
    """What a library raises."""


class ObjectEncoder:
    """Gives objects, and exceptions."""

    def delta(self, delta: Delta) -> Sequence[object]:
        """An object."""
        return [Chunk(text=delta.text)]

    def finish(self, finish: Finish) -> Sequence[object]:
        """Another."""
        return [Chunk(end=finish.reason)]

    def fail(self, fail: Fail) -> Sequence[object]:
        """An exception."""
        return [LibraryError(fail.kind, fail.message)]

    def noise(self) -> Sequence[object]:
        """One that means nothing."""
        return [Chunk(mood="good")]


class ObjectCodec:
    """A library's way of saying and hearing things."""

    kind = ObjectEncoder

    def encoder(self, request: RawRequest) -> ObjectEncoder:
        """One for each answer."""
        return self.kind()

    def refusal(self, fail: Fail) -> Status | None:
        """Nobody."""
        return None

    def asked(self, request: RawRequest) -> Asked:
        """Its one argument."""
        if len(request.called.args) != 1 or not isinstance(request.called.args[0], str):
            raise ValueError("a prompt was expected")
        return Asked(messages=[("user", request.called.args[0])])


LIBRARY = Harness(
    codec=ObjectCodec(), params=lambda url, account: {}, wire=InProcess("library:speak")
)


def test_objects_and_exceptions_are_looked_into() -> None:
    """What a library gives needn't be bytes."""
    assert [cell.told for cell in self_checked(LIBRARY) if cell.told] == []


def test_objects_that_say_the_same_are_the_same() -> None:
    """Though each is another object."""

    class Mute(ObjectEncoder):
        def delta(self, delta: Delta) -> Sequence[object]:
            """Without its text."""
            return [Chunk(text="hm")]

        def fail(self, fail: Fail) -> Sequence[object]:
            """For whatever reason."""
            return [LibraryError(fail.message)]

    class MuteCodec(ObjectCodec):
        kind = Mute

    told = {cell.check: cell.told for cell in self_checked(replace(LIBRARY, codec=MuteCodec()))}
    assert "in the same messages" in told["HAR-02"]
    assert "so that no plugin can tell" in told["HAR-04"]


def test_a_harness_at_fault_ends_the_run(installed: Path) -> None:
    """With exit status 3, and without a word of the plugin."""
    subject = replace(Subject.of("reference"), harness=broken(Reasonless))
    report = run(subject, all_checks())
    assert report.status == 3
    assert [check.id for check in report.checks] == [cell.check for cell in report.cells]
    assert {cell.check[:3] for cell in report.cells} == {"HAR"}
    assert [cell.check for cell in report.failures] == ["HAR-08"]
    assert report.level is None
    assert "--only" not in report.again(report.failures[0])


def test_a_harness_at_fault_is_no_matter_of_sets(installed: Path) -> None:
    """Self-checks aren't in them, and fail the run all the same."""
    subject = replace(Subject.of("reference"), harness=broken(Reasonless))
    report = run(subject, all_checks())
    assert replace(report, not_scored=tuple(each.id for each in SELF_CHECKS)).status == 3


def test_accounts_of_the_kit_are_enough_for_params() -> None:
    """They are given to the author's function as in a run."""
    seen: list[Account] = []

    def params(url: str, account: Account) -> dict[str, object]:
        seen.append(account)
        return {"api_base": url}

    assert self_checked(replace(HARNESS, params=params))[-2].verdict == "pass"
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("wire", "scheme"), [(WebSocketUpstream, "ws"), (partial(HttpUpstream, frame=ndjson), "http")]
)
def test_params_are_asked_for_an_address_of_the_services_kind(wire: Wire, scheme: str) -> None:
    """Some take it apart."""
    seen: list[str] = []

    def params(url: str, account: Account) -> dict[str, object]:
        seen.append(urlsplit(url).scheme)
        return {"api_base": url}

    self_checked(replace(HARNESS, params=params, wire=wire))
    assert seen == [scheme]


def test_faults_are_told_in_one_order() -> None:
    """Whatever the hashes of words are; a report is the same each time."""

    class AllTheSame(OneCode):
        def noise(self) -> Sequence[bytes]:
            """A failure."""
            return super().fail(Fail("server"))

    told = {cell.check: cell.told for cell in self_checked(broken(AllTheSame))}["HAR-05"]
    kinds = re.findall(r"the failure (\w+) is", told)  # the last ones may be cut off
    assert len(kinds) > 5
    assert kinds == list(get_args(FailKind))[: len(kinds)]
