"""A provider that does what a test tells it to, and the ways to call one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Executor
from typing import Self

from modelplug import (
    Call,
    Capabilities,
    Delta,
    Finish,
    ModelOutput,
    ModelRequest,
    ProxyLLMClient,
    ProxyModelParameters,
)

Step = object
"""A Delta, Finish or list is yielded, an exception is raised (of a class, a new one), a callable is
called (and awaited when it gives something to await)."""

EVERYTHING = Capabilities(
    native=["streaming", "usage", "system_role", "temperature", "max_new_tokens", "stop"]
)


class ScriptedClient(ProxyLLMClient):
    """Plays its steps at every call; remembers its calls and whether it was let go."""

    def __init__(
        self,
        *steps: Step,
        params: ProxyModelParameters | None = None,
        executor: Executor | None = None,
        able: Capabilities = EVERYTHING,
    ) -> None:
        super().__init__(["scripted", "other"], executor=executor, params=params)
        self.steps = steps
        self.able = able
        self.requests: list[ModelRequest] = []
        self.calls: list[Call] = []
        self.closed = 0
        self.aborted = threading.Event()

    @classmethod
    def new_client(
        cls, model_params: ProxyModelParameters, default_executor: Executor | None = None
    ) -> Self:
        """One that answers nothing."""
        return cls(Finish(), params=model_params, executor=default_executor)

    def capabilities(self, model: str | None = None) -> Capabilities:
        """What the test says."""
        return self.able

    def _begin(self, request: ModelRequest, call: Call) -> Sequence[Step]:
        self.requests.append(request)
        self.calls.append(call)
        call.on_abort(self.aborted.set)
        return self.turn(len(self.calls))

    def turn(self, n: int) -> Sequence[Step]:
        """What is played to the ``n``th call: always the same."""
        return self.steps


def _raise_if_told(step: Step) -> None:
    if isinstance(step, BaseException):
        raise step
    if isinstance(step, type) and issubclass(step, BaseException):
        raise step("as the script says")


class AsyncScripted(ScriptedClient):
    """Plays its steps as an async provider."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Delta]:
        """The steps."""
        steps = self._begin(request, call)
        try:
            for step in steps:
                _raise_if_told(step)
                if callable(step):
                    given = step()
                    if given is not None:
                        await given
                else:
                    yield step  # type: ignore[misc]  # tests yield what they like
        finally:
            self.closed += 1


class BlockingScripted(ScriptedClient):
    """Plays its steps as a blocking provider."""

    def stream_deltas_blocking(self, request: ModelRequest, call: Call) -> Iterator[Delta]:
        """The steps."""
        steps = self._begin(request, call)
        try:
            for step in steps:
                _raise_if_told(step)
                if callable(step):
                    step()
                else:
                    yield step  # type: ignore[misc]  # tests yield what they like
        finally:
            self.closed += 1


class AsyncTurns(AsyncScripted):
    """Plays one list of steps to each call, and the last one to all that follow."""

    def turn(self, n: int) -> Sequence[Step]:
        """Those of its place."""
        return _turn(self.steps, n)


class BlockingTurns(BlockingScripted):
    """As AsyncTurns, blocking."""

    def turn(self, n: int) -> Sequence[Step]:
        """Those of its place."""
        return _turn(self.steps, n)


def _turn(turns: Sequence[Step], n: int) -> Sequence[Step]:
    steps = turns[min(n, len(turns)) - 1]
    assert isinstance(steps, list)
    return steps


Ask = Callable[[ProxyLLMClient, str], Sequence[ModelOutput]]


def _stream(client: ProxyLLMClient, question: str) -> Sequence[ModelOutput]:
    async def outputs() -> list[ModelOutput]:
        async with client.generate_stream(question) as stream:
            return [output async for output in stream]

    return asyncio.run(outputs())


def _sync_stream(client: ProxyLLMClient, question: str) -> Sequence[ModelOutput]:
    with client.sync_generate_stream(question) as stream:
        return list(stream)


def _generate(client: ProxyLLMClient, question: str) -> Sequence[ModelOutput]:
    return [asyncio.run(client.generate(question))]


def _sync_generate(client: ProxyLLMClient, question: str) -> Sequence[ModelOutput]:
    return [client.sync_generate(question)]


DIRECTIONS: dict[str, Ask] = {
    "async stream": _stream,
    "sync stream": _sync_stream,
    "async": _generate,
    "sync": _sync_generate,
}
"""The four ways to ask; each gives the outputs that it got."""
