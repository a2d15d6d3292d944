"""Signals that end a block; what they do to a program is in test_answer and test_converse."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import suppress

import click
import pytest

from modelplug.cli.signals import ended_by_signals

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Those of a program in a terminal, whatever this process has, which is restored afterwards."""
    before = {name: signal.getsignal(signal.Signals[name]) for name in NAMES}
    for name in NAMES:
        usual = signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL
        signal.signal(signal.Signals[name], usual)
    yield
    for name, handler in before.items():
        signal.signal(signal.Signals[name], handler)


@pytest.mark.parametrize("name", NAMES)
def test_a_signal_leaves_the_block(name: str) -> None:
    """With the status that a shell would give; Ctrl-C as everywhere in Python."""
    number, closed = signal.Signals[name], []

    def run() -> None:
        with ended_by_signals(*NAMES):
            try:
                signal.raise_signal(number)
            finally:
                closed.append(name)

    if name == "SIGINT":
        with pytest.raises(KeyboardInterrupt):
            run()
    else:
        with pytest.raises(click.exceptions.Exit) as caught:
            run()
        assert caught.value.exit_code == 128 + number
    assert closed == [name]
    assert [signal.getsignal(signal.Signals[each]) for each in NAMES] == [signal.SIG_DFL] * 3


def test_a_signal_leaves_an_event_loop_from_wherever_it_came() -> None:
    """A callback of asyncio's would keep, or log, what is neither an exit nor Ctrl-C."""

    async def main() -> None:
        asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGTERM)
        for _ in range(3):
            await asyncio.sleep(0)
        went_on.append("swallowed")

    went_on: list[str] = []
    with pytest.raises(click.exceptions.Exit) as caught, ended_by_signals("SIGTERM"):
        asyncio.run(main())
    assert (caught.value.exit_code, went_on) == (128 + signal.SIGTERM, [])


def test_a_signal_that_is_swallowed_ends_the_block_at_its_end() -> None:
    """As in a finaliser, out of which nothing comes."""
    with (
        pytest.raises(click.exceptions.Exit) as caught,
        ended_by_signals("SIGTERM"),
        suppress(BaseException),
    ):
        signal.raise_signal(signal.SIGTERM)
    assert caught.value.exit_code == 128 + signal.SIGTERM


def test_a_block_without_a_signal_changes_nothing() -> None:
    """The handlers that were there are there again, whatever the block raises."""
    signal.signal(signal.SIGTERM, handler := lambda *_: None)
    with pytest.raises(ValueError, match="mine"), ended_by_signals("SIGTERM", "SIGNONE"):
        raise ValueError("mine")
    assert signal.getsignal(signal.SIGTERM) is handler


def test_what_is_ignored_stays_ignored() -> None:
    """As under nohup, or in the background of a shell without job control."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with ended_by_signals("SIGHUP"):
        signal.raise_signal(signal.SIGHUP)
