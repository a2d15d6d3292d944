"""How a client's calls are made."""

from __future__ import annotations

import traceback
from collections.abc import AsyncIterator, Sequence

import pytest

from modelplug import (
    AuthenticationError,
    Call,
    Capabilities,
    Delta,
    Finish,
    ModelRequest,
    ModelRequestContext,
    PluginContractError,
    ProxyModelParameters,
    Timeouts,
)
from tests.support.scripted import DIRECTIONS, Ask, AsyncScripted, BlockingScripted, ScriptedClient

directions = pytest.mark.parametrize("ask", DIRECTIONS.values(), ids=DIRECTIONS.keys())


class Both(AsyncScripted, BlockingScripted):
    """A provider with both methods."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Delta]:
        """The async one."""
        yield Delta("async")
        yield Finish()  # type: ignore[misc]  # deltas and a finish

    def stream_deltas_blocking(self, request: ModelRequest, call: Call) -> Sequence[Delta]:  # type: ignore[override]  # an iterator
        """The blocking one."""
        return iter([Delta("blocking"), Finish()])  # type: ignore[return-value]


@directions
def test_async_serves_async_and_blocking_serves_sync(ask: Ask) -> None:
    """A provider with both methods is asked the way that the caller calls."""
    how = next(name for name, each in DIRECTIONS.items() if each is ask)
    expected = "blocking" if "sync" in how.replace("async", "") else "async"
    assert expected == ask(Both(), "hi")[-1].text


def test_clocks_come_from_params_and_request() -> None:
    """The client's timeouts hold unless a request brings its own."""
    params = ProxyModelParameters(timeouts=Timeouts(idle=7))
    client = AsyncScripted(Finish(), params=params)
    client.sync_generate("hi")
    client.sync_generate(ModelRequest(messages="hi", timeout=3))
    client.sync_generate(ModelRequest(messages="hi", timeout=Timeouts(idle=1)))
    assert [(call.timeouts.idle, call.timeouts.total) for call in client.calls] == [
        (7, 600),
        (7, 3),
        (1, 600),
    ]


def test_a_call_knows_the_callers_name_for_it() -> None:
    """The context's request id is handed to the provider; the service's own is on the output."""
    context = ModelRequestContext(request_id="mine")
    client: ScriptedClient
    client = AsyncScripted(lambda: client.calls[0].note(request_id="theirs"), Finish())
    output = client.sync_generate(ModelRequest(messages="hi", context=context))
    assert (client.calls[0].request_id, output.request_id) == ("mine", "theirs")


class Faulty(AsyncScripted):
    """A provider whose other methods fail."""

    def capabilities(self, model: str | None = None) -> Capabilities:
        """Fail."""
        raise KeyError(model)


class NoGenerator(AsyncScripted):
    """A provider whose method is a coroutine."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> Delta:  # type: ignore[override]
        """One delta, returned."""
        return Delta("a")


class Forgetful(AsyncScripted):
    """A provider whose method takes too few arguments."""

    async def stream_deltas(self, request: ModelRequest) -> AsyncIterator[Delta]:  # type: ignore[override]
        """One delta."""
        yield Delta("a")


@directions
@pytest.mark.parametrize(
    ("kind", "words"),
    [(Faulty, "KeyError"), (NoGenerator, "no async generator"), (Forgetful, "TypeError")],
)
def test_a_plugins_other_mistakes_are_named_so(
    ask: Ask, kind: type[ScriptedClient], words: str
) -> None:
    """Whatever of a plugin fails on the way to its first delta is a contract error."""
    with pytest.raises(PluginContractError, match=words):
        ask(kind(Finish()), "hi")


class Plain(AsyncScripted):
    """A provider whose method is no generator itself, and fails as it makes one."""

    def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Delta]:
        """Tell the key."""
        self._begin(request, call)
        call.reached("sent")
        (failure,) = self.steps
        assert isinstance(failure, type)
        raise failure(f"bad key {call.credential().api_key.reveal()}")


@directions
@pytest.mark.parametrize("raised", [AuthenticationError, ValueError])
def test_a_failure_before_the_first_piece_is_made_is_as_any_other(
    ask: Ask, raised: type[Exception]
) -> None:
    """It tells no key and knows how far the call had come; the connection is cut."""
    key = "canary-0123456789abcdef"
    client = Plain(raised, params=ProxyModelParameters(proxy_api_key=key))
    with pytest.raises((AuthenticationError, PluginContractError)) as caught:
        ask(client, "hi")
    assert key not in "".join(traceback.format_exception(caught.value))
    assert (caught.value.phase, caught.value.sent) == ("sent", "maybe")
    assert caught.value.partial is not None
    assert client.aborted.is_set()
