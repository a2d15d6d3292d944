"""The programs that measure clients: one answer after another, or many at once."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import threading
import time
from collections import Counter
from math import ceil
from statistics import median

from benchmarks.case import Reading, Setting
from benchmarks.clients.face import AsyncClient, SyncClient
from benchmarks.measure import Meter, resident

__all__ = ["cancelling", "crowd", "first", "often", "threads"]

SAMPLED_SECONDS = 0.1
LOOK_SECONDS = 0.001
SHOWN = 200
"""Characters of a failure."""


def often(setting: Setting) -> Reading:
    """CPU of one answer after another, after one to warm up.

    Raises:
        ValueError: an answer wasn't whole.
    """
    client = setting.make()
    if isinstance(client, AsyncClient):
        return asyncio.run(_often(client, setting))
    try:
        _whole(client.ask(), setting)
        meter = Meter()
        for _ in range(setting.asks):
            _whole(client.ask(), setting)
        return meter.reading(setting.asks * setting.units, rounds=setting.asks)
    finally:
        client.close()


async def _often(client: AsyncClient, setting: Setting) -> Reading:
    try:
        _whole(await client.ask(), setting)
        meter = Meter()
        for _ in range(setting.asks):
            _whole(await client.ask(), setting)
        return meter.reading(setting.asks * setting.units, rounds=setting.asks)
    finally:
        await client.close()


def _whole(characters: int, setting: Setting) -> None:
    """See that an answer has come whole."""
    if characters != setting.characters:
        raise ValueError(f"{characters} characters came instead of {setting.characters}")


def first(setting: Setting) -> Reading:
    """Seconds to the first delta, the median of many connections, after one to warm up."""
    client = setting.make()
    if isinstance(client, AsyncClient):
        return asyncio.run(_first(client, setting))
    try:
        client.first()
        meter = Meter()
        waited = [client.first() for _ in range(setting.asks)]
        return meter.reading(setting.asks, rounds=setting.asks, first=median(waited))
    finally:
        client.close()


async def _first(client: AsyncClient, setting: Setting) -> Reading:
    try:
        await client.first()
        meter = Meter()
        waited = [await client.first() for _ in range(setting.asks)]
        return meter.reading(setting.asks, rounds=setting.asks, first=median(waited))
    finally:
        await client.close()


def crowd(setting: Setting) -> Reading:
    """Many streams at once on one loop: CPU, wall, memory for each, and how many failed."""
    return asyncio.run(_crowd(setting))


async def _crowd(setting: Setting) -> Reading:
    client = setting.make()
    assert isinstance(client, AsyncClient)
    try:
        _whole(await client.ask(), setting)
        before = resident()
        sampler = asyncio.create_task(_most_resident())
        meter = Meter()
        asked = (client.ask() for _ in range(setting.crowd))
        told = await asyncio.gather(*asked, return_exceptions=True)
        reading = _shared(meter, told, setting)
        sampler.cancel()
        each = max(0.0, await sampler - before) / setting.crowd
        return {**reading, "each": each}
    finally:
        await client.close()


async def _most_resident() -> float:
    """The most memory that the process has until this is cancelled."""
    most = resident()
    try:
        while True:
            await asyncio.sleep(SAMPLED_SECONDS)
            most = max(most, resident())
    except asyncio.CancelledError:
        return most


def _shared(meter: Meter, told: list[int | BaseException], setting: Setting) -> Reading:
    """What has been used, shared by those streams that didn't fail, and how many did."""
    failed = _failed(told, setting)
    return meter.reading(max(1, setting.crowd - failed) * setting.units, failed=failed)


def _failed(told: list[int | BaseException], setting: Setting) -> int:
    """How many answers aren't whole; the commonest reason goes to standard error."""
    reasons = Counter(repr(each) for each in told if each != setting.characters)
    for reason, times in reasons.most_common(1):
        print(f"{times} failed by {reason[:SHOWN]}", file=sys.stderr)
    return reasons.total()


def threads(setting: Setting) -> Reading:
    """The same with a thread for each stream, which all start at once."""
    client = setting.make()
    assert isinstance(client, SyncClient)
    _whole(client.ask(), setting)
    clients = [client if client.shared else setting.make() for _ in range(setting.crowd)]
    told: list[int | BaseException] = []
    running = [
        threading.Thread(target=_ask_into, args=(each, told), daemon=True) for each in clients
    ]
    meter = Meter()
    for each in running:
        each.start()
    for each in running:
        each.join()
    reading = _shared(meter, told, setting)
    client.close()
    return {**reading, "callers": setting.crowd + 1}


def _ask_into(client: SyncClient, told: list[int | BaseException]) -> None:
    try:
        told.append(client.ask())
    except Exception as error:  # noqa: BLE001  # whatever a client makes of too many threads
        told.append(error)


def cancelling(setting: Setting) -> Reading:
    """From cancelling a task that reads, to its end, and to the server's seeing the socket close.

    Both processes look at one clock, ``time.monotonic``, which is the machine's.
    """
    return asyncio.run(_cancelling(setting))


async def _cancelling(setting: Setting) -> Reading:
    client = setting.make()
    assert isinstance(client, AsyncClient)
    ended, closed = [], []
    try:
        await _cancelled(client, setting)
        meter = Meter()
        for _ in range(setting.asks):
            began, end, gone = await _cancelled(client, setting)
            ended.append(end - began)
            closed.append(gone - began)
        reading = meter.reading(setting.asks)
    finally:
        await client.close()
    told = {"closed": median(closed), "closed_worst": max(closed), "ended": median(ended)}
    return {**reading, **told, "closed_tail": _tail(closed)}


def _tail(waits: list[float]) -> float:
    """What 99 in 100 don't exceed."""
    return sorted(waits)[ceil(len(waits) * 0.99) - 1]


async def _cancelled(client: AsyncClient, setting: Setting) -> tuple[float, float, float]:
    """When a reader was cancelled, had ended, and its socket was closed."""
    closed, _ = _seen(setting.control)
    begun = asyncio.Event()
    task = asyncio.create_task(_read(client, begun))
    await begun.wait()
    began = time.monotonic()
    task.cancel()
    await asyncio.wait([task])
    end = time.monotonic()
    while True:
        await asyncio.sleep(LOOK_SECONDS)  # first: looking holds up the loop, and so who closes
        now, gone = _seen(setting.control)
        if now > closed:
            return began, end, gone


async def _read(client: AsyncClient, begun: asyncio.Event) -> None:
    async for _ in client.pieces():
        begun.set()


def _seen(control: int) -> tuple[int, float]:
    """How many connections the server has seen close, and when the last one did."""
    with socket.create_connection(("127.0.0.1", control), timeout=10) as asked:
        told = json.loads(asked.makefile("rb").read())
    return int(told["closed"]), float(told["last"])
