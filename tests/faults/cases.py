"""What goes wrong in the middle of an answer, and what it must be over each carrier."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import NamedTuple, Protocol

import pytest

from modelplug import Delta, Finish, IdleTimeoutError, ProxyLLMClient, ProxyLLMError, Timeouts
from modelplug.testing import Garbage, GarbageKind, Message, RawBytes, Step
from modelplug.testing.upstream import Upstream
from tests.faults.asking import PATIENT, Expected, Way, answered, failure, told
from tests.faults.carriers import CARRIERS, Carrier
from tests.faults.leaps import leaping

__all__ = [
    "IDLE",
    "Case",
    "breaks",
    "fails",
    "garbage",
    "idle",
    "is_answered",
    "over_carriers",
    "says",
    "shown",
]

IDLE = 31.0
"""Seconds: one more than may pass between two pieces."""


class On(Protocol):
    """A case of a row over some carriers."""

    @property
    def row(self) -> int:
        """Of the table."""

    @property
    def what(self) -> str:
        """In a few words."""

    @property
    def on(self) -> tuple[str, ...]:
        """The names of the carriers."""


class Case(NamedTuple):
    """What comes after the beginning of an answer, "Hello", and what it must be.

    Attributes:
        row: of the table.
        what: in a few words.
        on: the names of the carriers.
        steps: of the service.
        error: exactly this class.
        retryable: whether another try may help.
        partial: what had come.
        leaps: seconds that pass once the call has come so far; 0 for none.
        begun: how the answer begins; in one piece where time leaps, which it does after the first.
    """

    row: int
    what: str
    on: tuple[str, ...]
    steps: Sequence[Step]
    error: type[ProxyLLMError]
    retryable: bool = False
    partial: str = "Hello"
    leaps: float = 0.0
    begun: Sequence[Step] = ("Hel", "lo")


def fails(
    row: int, what: str, on: tuple[str, ...], error: type[ProxyLLMError], *steps: Step
) -> Case:
    """Steps, and whether another try may help as it is for any error of the class."""
    return Case(row, what, on, steps, error, error.retryable)


def says(
    row: int, what: str, on: tuple[str, ...], error: type[ProxyLLMError], *messages: bytes
) -> Case:
    """Messages that no answer has."""
    return Case(row, what, on, [*map(Message, messages)], error)


def breaks(
    row: int, what: str, on: tuple[str, ...], error: type[ProxyLLMError], written: bytes
) -> Case:
    """Bytes that this wire doesn't have."""
    return Case(row, what, on, [RawBytes(written)], error)


def garbage(row: int, kind: GarbageKind, on: tuple[str, ...], error: type[ProxyLLMError]) -> Case:
    """What no client can read."""
    return Case(row, kind, on, [Garbage(kind)], error)


def idle(row: int, what: str, on: tuple[str, ...], *steps: Step) -> Case:
    """Nothing more that is a piece."""
    return Case(row, what, on, steps, IdleTimeoutError, True, leaps=IDLE, begun=("Hello",))


def over_carriers(cases: Sequence[On]) -> pytest.MarkDecorator:
    """Run a test, with arguments ``carrier`` and ``case``, for each case and carrier of it."""
    params = [
        pytest.param(
            CARRIERS[name],
            case,
            id=f"{case.row} {case.what}-{name}",
            marks=pytest.mark.fault(case.row),
        )
        for case in cases
        for name in case.on
    ]
    return pytest.mark.parametrize(("carrier", "case"), params)


def shown(case: Case, carrier: Carrier, service: Upstream, way: Way) -> None:
    """Have it happen: its error, what had come, the service left, and the next call answered."""
    client = carrier.client(service)
    service.play(*case.begun, *case.steps)
    timeouts = Timeouts() if case.leaps else PATIENT
    with leaping(case.leaps, phase="streaming") if case.leaps else nullcontext():
        expected = Expected(case.error, case.retryable, case.partial, sent="yes")
        assert expected == told(failure(client, way, timeouts), expected)
    assert service.exchanges[-1].wait_gone()
    is_answered(client, service, way)


def is_answered(client: ProxyLLMClient, service: Upstream, way: Way) -> None:
    """The same client's next call goes well."""
    service.play(Delta("fine"), Finish())
    assert answered(client, way) == "fine"
    assert service.exchanges[-1].wait_gone()
