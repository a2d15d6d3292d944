"""Small runs of ``make soak`` and ``make chaos``, and that they would tell of a find."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modelplug import Delta, Finish, ModelOutput, ModelStream, ProxyLLMClient, Timeouts
from stress.calls import Call
from stress.clients import PerCall
from stress.programs import Cut, Draw, mixed, steady, wild
from stress.residue import Held, Slope
from stress.service import Service
from stress.tally import Tally
from tests.support.scripted import AsyncScripted

ROOT = Path(__file__).resolve().parents[1]
NOTHING_LEFT = "descriptors 0, threads 0, tasks 0"

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors as Linux does")


def run(module: str, *arguments: str) -> str:
    """What a run prints that breaks no promise."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def counted(told: str, what: str) -> int:
    """A number of a printed table."""
    found = re.search(rf"^{what} +([\d,]+)$", told, re.MULTILINE)
    assert found, told
    return int(found[1].replace(",", ""))


@on_linux
def test_chaos_breaks_no_promise() -> None:
    """All calls end typed or right, and leave nothing."""
    told = run("stress.chaos", "--seed", "1", "--calls", "100", "--seconds", "60")
    assert (counted(told, "untyped"), counted(told, "promises broken")) == (0, 0)
    assert counted(told, "all") > 100
    assert f"left: {NOTHING_LEFT}" in told


@on_linux
def test_a_soak_leaves_nothing() -> None:
    """Nor do the streams that it abandons."""
    told = run(
        *("stress.soak", "--seed", "1", "--calls", "100", "--seconds", "3", "--abandoned", "200")
    )
    assert (counted(told, "untyped"), counted(told, "promises broken")) == (0, 0)
    assert counted(told, "abandoned") >= 200
    assert len(re.findall(rf"^left by .*: {NOTHING_LEFT}", told, re.MULTILINE)) == 2


@on_linux
def test_a_program_is_carried_out_again() -> None:
    """By its number, as often as one likes."""
    told = run("stress.chaos", "--seed", "1", "--only", "7", "--times", "2")
    assert "Program(number=7" in told
    assert counted(told, "all") == 2


class Mistaken(PerCall):
    """Gives everybody a client of the test's."""

    def __init__(self, service: Service, client: ProxyLLMClient) -> None:
        super().__init__(service)
        self._client = client

    def take(self, program: object) -> ProxyLLMClient:
        """The one that is wrong."""
        return self._client


def bug() -> None:
    """What no provider should do."""
    raise KeyError("a bug")


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ([bug], "a bug of ours"),
        ([Delta("somebody else's"), Finish()], 'a wrong answer: "somebody else\'s"'),
        ([Delta("somebody else's")], 'a wrong partial: "somebody else\'s"'),
    ],
    ids=["a bug", "a wrong answer", "a wrong partial"],
)
@pytest.mark.parametrize("threaded", [False, True], ids=["task", "thread"])
def test_a_find_is_told(
    script: list[Delta | Finish | Callable[[], None]], told: str, *, threaded: bool
) -> None:
    """With what carries it out again."""
    client, tally = AsyncScripted(*script), Tally()
    program = replace(wild(1, 4, threaded), cut=None)
    with Service() as service:
        call = Call(program, service, Mistaken(service, client))
        tally.add(call.run_in_thread() if threaded else asyncio.run(call.run()))
    assert len(tally.broken) == 1
    assert told in tally.broken[0]
    assert "again: python -m stress.chaos --seed 1 --only 4\n" in tally.broken[0]
    assert tally.untyped == 0


def test_a_cancel_that_is_swallowed_is_told() -> None:
    """Whatever the call ends with instead."""

    class Deaf(AsyncScripted):
        async def generate(self, *_: object) -> ModelOutput:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(60)
            raise ValueError("what cancel?")

    client = Deaf()
    program = replace(steady(2, Cut(going="cancel", turns=3), again="again"), way="generate")
    with Service() as service:
        outcome = asyncio.run(Call(program, service, Mistaken(service, client)).run())
    assert outcome.broken == ["untyped: ValueError('what cancel?')", "a cancel was swallowed"]
    tally = Tally()
    tally.add(outcome)
    assert (tally.untyped, dict(tally.words)) == (1, {"ValueError": 1})


def test_a_call_that_hangs_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it would have gone on."""
    monkeypatch.setattr("stress.calls.HANGING_SECONDS", 0.0)
    client = AsyncScripted(lambda: asyncio.sleep(60))
    program = replace(steady(2, Cut(going="close"), again="again"), cut=None)
    limits = {"connect": None, "open": None, "first_delta": None, "idle": None}
    program = replace(program, timeouts=Timeouts(**limits, total=0.05))
    monkeypatch.setattr(client, "timeouts_of", lambda _: Timeouts(**limits, total=None))
    with Service() as service:
        outcome = asyncio.run(Call(program, service, Mistaken(service, client)).run())
    assert (outcome.word, outcome.broken) == ("hangs", ["it took more than 0.1 s"])


def test_a_program_that_needn_t_stream_makes_no_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked for whole is asked for once."""
    client = AsyncScripted(Delta(steady(2, Cut(going="close"), again="").question), Finish())
    made: list[object] = []
    make = client.generate_stream

    def counted_stream(*asked: Any) -> ModelStream:
        made.append(asked)
        return make(*asked)

    monkeypatch.setattr(client, "generate_stream", counted_stream)
    program = replace(steady(2, Cut(going="close"), again=""), way="generate", cut=None)
    with Service() as service:
        outcome = asyncio.run(Call(program, service, Mistaken(service, client)).run())
    assert (outcome.ending, outcome.broken, len(made)) == ("answer", [], 1)


@pytest.mark.parametrize(
    ("draw", "module"), [(wild, "chaos"), (mixed, "soak")], ids=["wild", "mixed"]
)
def test_a_program_knows_what_carries_it_out_again(draw: Draw, module: str) -> None:
    """By the seed that it was drawn by, which is another one in a warm-up."""
    assert draw(8, 3, True).again == f"python -m stress.{module} --seed 8 --only 3"


def test_what_another_tally_found_is_taken_over() -> None:
    """Its count isn't, nor its times."""
    one, other = Tally(), Tally()
    other.untyped, other.broken = 2, ["a promise"]
    one.take_over(other)
    assert (one.untyped, one.broken, one.count) == (2, ["a promise"], 0)


def test_what_is_told_to_nobody_is_told() -> None:
    """A log's warning, and what a finaliser raises."""

    class Dying:
        def __del__(self) -> None:
            raise KeyError("dying")

    tally = Tally()
    with tally.listening():
        logging.getLogger("modelplug").warning("a plugin's clean-up failed")
        Dying()
    assert ["clean-up failed" in tally.broken[0], "dying" in tally.broken[1]] == [True, True]


@on_linux
def test_what_is_left_is_counted() -> None:
    """A descriptor, and a task of any loop."""

    async def main() -> dict[str, int]:
        before = Held.now()
        task = asyncio.ensure_future(asyncio.sleep(60))
        with socket.socket():
            left = Held.now().beyond(before)
        task.cancel()
        return left

    assert asyncio.run(main()) == {"descriptors": 1, "threads": 0, "tasks": 1}


@pytest.mark.parametrize("draw", [wild, mixed], ids=["wild", "mixed"])
def test_a_program_is_the_same_each_time(draw: Draw) -> None:
    """What is drawn by one seed and number, and nobody else's."""
    assert str(draw(1, 2, True)) == str(draw(1, 2, True))
    assert str(draw(1, 2, True)) != str(draw(2, 2, True))


def test_a_slope_is_that_of_most_samples() -> None:
    """One that is far off doesn't move it: 2 MB an hour, and a leap."""
    line = [(60.0 * minute, 50 + minute / 30) for minute in range(30)]
    slope = Slope.of([*line[:15], (900.0, 99.0), *line[16:]])
    assert slope is not None
    assert (round(slope.low, 2), round(slope.an_hour, 2), round(slope.high, 2)) == (2.0, 2.0, 2.0)
    assert Slope.of(line[:2]) is None
