"""Signals that end a command: the first has its connection closed, the second ends it at once."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click

__all__ = ["ended_by_signals"]


class _EndedError(SystemExit):
    """A signal that ends the program; not an Exception, which might be taken for a fault.

    A SystemExit, as asyncio lets nothing else but Ctrl-C out of a callback or a task.
    """


@contextmanager
def ended_by_signals(*names: str) -> Iterator[None]:
    """Have signals leave the block, so that what is open there is closed.

    After the first of them the system's own way is in force: another one ends the program,
    whatever it waits for. One that is ignored, as by nohup, stays ignored.

    Args:
        names: of signals; those that this system hasn't are left out.

    Raises:
        KeyboardInterrupt: SIGINT came.
        Exit: another one came; the status says which.
    """
    numbers = [signal.Signals[name] for name in names if hasattr(signal, name)]
    handlers = {number: signal.getsignal(number) for number in numbers}
    before = {number: each for number, each in handlers.items() if each is not signal.SIG_IGN}
    came: list[int] = []

    def end(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        for each in before:
            signal.signal(each, signal.SIG_DFL)
        raise KeyboardInterrupt if number == signal.SIGINT else _EndedError(128 + number)

    for number in before:
        signal.signal(number, end)
    try:
        yield
    except _EndedError:
        pass  # told below, as is one that something in the block has swallowed
    finally:
        if not came:
            for number, handler in before.items():
                signal.signal(number, handler)
    if came and came[0] != signal.SIGINT:
        raise click.exceptions.Exit(128 + came[0])  # as shells count
