"""The pump: lists at a time, held back by a slow reader, closed from elsewhere."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from functools import partial
from itertools import islice

import pytest

from modelplug import pump as pumping
from modelplug.bridge import run
from modelplug.pump import Pump


class Counting:
    """An endless source of one item at a time that counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.closed = threading.Event()

    async def take(self) -> list[int]:
        """The next number."""
        self.asked += 1
        return [self.asked]

    async def aclose(self) -> None:
        """Take note."""
        self.closed.set()


def test_what_is_ready_is_handed_over_in_lists() -> None:
    """Items that come without waiting are taken many at a time, in order, none lost."""
    source = Counting()
    pump = Pump(lambda: source)
    pump.start()
    taken = [item for _ in range(20) for item in pump.take()]
    pump.close()
    assert list(range(1, len(taken) + 1)) == taken
    assert len(taken) > 20


def test_a_slow_reader_holds_the_source_back() -> None:
    """A source that never pauses is read no further than the high-water mark ahead."""
    source = Counting()
    pump = Pump(lambda: source)
    pump.start()
    taken = sum(len(pump.take()) for _ in range(10))
    run(partial(asyncio.sleep, 0.01))  # the pump has had the loop to itself
    ahead = source.asked - taken
    pump.close()
    assert 0 < ahead <= 512


def test_closing_a_pump_closes_its_source() -> None:
    """Close cancels what runs on the loop thread and lets the source go."""
    source = Counting()
    pump = Pump(lambda: source)
    pump.start()
    pump.take()
    pump.close()
    assert source.closed.is_set()


@pytest.mark.parametrize(("weight", "most"), [(1, 512), (64, 512 // 64), (1000, 1)])
def test_large_items_hold_the_source_back_earlier(weight: int, most: int) -> None:
    """Each counts for as many as it weighs; one that is too heavy for the queue passes alone."""
    source = Counting()
    pump = Pump(lambda: source, weigh=lambda items: weight * len(items))
    pump.start()
    taken = sum(len(pump.take()) for _ in range(10))
    run(partial(asyncio.sleep, 0.01))  # as above
    ahead = source.asked - taken
    pump.close()
    assert 0 < ahead <= most


class Burst:
    """Gives some numbers after the other; the loop has its turn before each time."""

    def __init__(self, items: int, *, each: int = 2) -> None:
        self._items = iter(range(items))
        self._each = each

    async def take(self) -> list[int]:
        """The next numbers, none at the end."""
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return [*islice(self._items, self._each)]

    async def aclose(self) -> None:
        """Nothing is held."""


def lists(pump: Pump[int]) -> Iterator[list[int]]:
    """What a pump hands over, to its end."""
    pump.start()
    while items := pump.take():
        yield items


def test_a_burst_is_gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows the first items at once goes over together, and no later than the end."""
    monkeypatch.setattr(pumping, "_REST_SECONDS", 60)
    assert [*lists(Pump(lambda: Burst(9)))] == [[0, 1], [*range(2, 9)]]


def test_what_comes_one_by_one_is_not_held_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model speaks like that, however fast."""
    monkeypatch.setattr(pumping, "_REST_SECONDS", 60)
    assert [*lists(Pump(lambda: Burst(4, each=1)))] == [[0], [1], [2], [3]]


def test_a_burst_is_gathered_up_to_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the rest, the reader gets much of it before the source is held back."""
    monkeypatch.setattr(pumping, "_REST_SECONDS", 60)
    handed = [*lists(Pump(lambda: Burst(1000)))]
    assert [*range(1000)] == [item for items in handed for item in items]
    assert max(map(len, handed)) < 512


def test_without_a_rest_nothing_is_held_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes after a pause goes over as soon as the source makes us wait."""
    monkeypatch.setattr(pumping, "_REST_SECONDS", 0)
    assert [*lists(Pump(lambda: Burst(5)))] == [[0, 1], [2, 3], [4]]
