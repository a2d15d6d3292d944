"""Four ways to ask, and what a fault must be to each of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

import pytest

from modelplug import ModelOutput, ModelRequest, ProxyLLMClient, ProxyLLMError, Timeouts
from modelplug.request import RequestLike
from tests.support.virtual import run_virtually

Way = Callable[[ProxyLLMClient, RequestLike], Sequence[ModelOutput]]
"""Asks; gives the outputs that it got. None of the async ones leaves a task."""

PATIENT = Timeouts(connect=60.0, open=60.0, first_delta=60.0, idle=60.0, total=120.0)
"""So long that none runs out, whatever else the machine has to do."""


async def _streamed(client: ProxyLLMClient, asked: RequestLike) -> list[ModelOutput]:
    try:
        async with client.generate_stream(asked) as stream:
            return [output async for output in stream]
    finally:
        assert len(asyncio.all_tasks()) == 1


async def _generated(client: ProxyLLMClient, asked: RequestLike) -> list[ModelOutput]:
    try:
        return [await client.generate(asked)]
    finally:
        assert len(asyncio.all_tasks()) == 1


def _sync_streamed(client: ProxyLLMClient, asked: RequestLike) -> list[ModelOutput]:
    with client.sync_generate_stream(asked) as stream:
        return list(stream)


WAYS: dict[str, Way] = {
    "async stream": lambda client, asked: asyncio.run(_streamed(client, asked)),
    "sync stream": _sync_streamed,
    "async": lambda client, asked: asyncio.run(_generated(client, asked)),
    "sync": lambda client, asked: [client.sync_generate(asked)],
}

VIRTUAL_WAYS: dict[str, Way] = {
    "async stream": lambda client, asked: run_virtually(_streamed(client, asked)),
    "async": lambda client, asked: run_virtually(_generated(client, asked)),
}
"""Those of a loop of the test's own, on which a minute passes in no time. Without a wire only:
time would pass before a byte could come."""

every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


class Expected(NamedTuple):
    """What a fault must be to its caller.

    Attributes:
        error: exactly this class.
        retryable: whether it says that another try may help.
        partial: the text that had come before.
        sent: whether the service can have seen the request; None where that is the network's
            secret, and either may be told.
    """

    error: type[ProxyLLMError]
    retryable: bool
    partial: str = ""
    sent: str | None = None


def asked(timeouts: Timeouts = PATIENT) -> ModelRequest:
    """A question, and how long its answer may take."""
    return ModelRequest(messages="hi", timeout=timeouts)


def failure(client: ProxyLLMClient, way: Way, timeouts: Timeouts = PATIENT) -> ProxyLLMError:
    """What asking ends in."""
    with pytest.raises(ProxyLLMError) as caught:
        way(client, asked(timeouts))
    return caught.value


def making(make: Callable[[], object]) -> ProxyLLMError:
    """What making a client, or asking it, ends in."""
    with pytest.raises(ProxyLLMError) as caught:
        make()
    return caught.value


def told(error: ProxyLLMError, expected: Expected) -> Expected:
    """What an error says, as far as ``expected`` asks."""
    partial = error.partial.text if error.partial else ""
    sent = error.sent if expected.sent is not None else None
    return Expected(type(error), error.retryable, partial, sent)


def answered(client: ProxyLLMClient, way: Way) -> str:
    """The text of a call that goes well."""
    return way(client, asked())[-1].text
