"""The worker adapter: outputs, and a failure as the last of them."""

from __future__ import annotations

import asyncio

import pytest

from modelplug import Delta, Finish, ModelOutput, ServerError
from modelplug.worker import worker_stream
from tests.support.scripted import AsyncScripted, BlockingScripted, ScriptedClient

kinds = pytest.mark.parametrize("kind", [AsyncScripted, BlockingScripted])
PARAMS = {
    "messages": [{"role": "human", "content": "hi"}],
    "temperature": 0.0,
    "max_new_tokens": 7,
    "user_name": "ann",
    "request_id": "r1",
    "prompt": "not for models",
    "model": "worker's own name",
}


@kinds
def test_a_worker_gets_outputs_as_they_come(kind: type[ScriptedClient]) -> None:
    """Cumulative text, and a final output with its reason."""
    outputs = list(worker_stream(kind(Delta("a"), Delta("b"), Finish()), PARAMS))
    assert [output.text for output in outputs] == ["a", "ab", "ab"]
    assert (outputs[-1].error_code, outputs[-1].finish_reason) == (0, "stop")


def test_what_a_worker_asks_for_is_asked() -> None:
    """Parameters and the caller's names reach the request; what isn't for models doesn't."""
    client = AsyncScripted(Finish())
    list(worker_stream(client, PARAMS))
    (request,) = client.requests
    assert (
        request.model,
        request.temperature,
        request.max_new_tokens,
        request.context.user_name,
        request.context.request_id,
        request.stream,
    ) == ("scripted", 0.0, 7, "ann", "r1", True)


@kinds
def test_a_failure_is_the_last_output(kind: type[ScriptedClient]) -> None:
    """It never raises: what had come is kept, the notice stands behind it."""
    outputs = list(worker_stream(kind(Delta("so far"), ServerError("broken")), PARAMS))
    last = outputs[-1]
    assert (last.error_code, last.success) == (611, False)
    assert last.text.startswith("so far**LLMServer Generate Error")
    assert "broken" in last.text[len(outputs[-2].text) :]


@pytest.mark.parametrize(
    "wrong", [{}, {"messages": 7}, {"messages": [{"role": "x", "content": ""}]}], ids=str
)
def test_bad_params_are_an_output_too(wrong: dict[str, object]) -> None:
    """Params that can't be a request end in one output with the code for that."""
    (output,) = worker_stream(AsyncScripted(Finish()), wrong)
    assert (output.error_code, isinstance(output, ModelOutput)) == (607, True)


def test_leaving_early_closes_the_stream() -> None:
    """A worker that stops reading lets the connection go."""
    client = AsyncScripted(Delta("a"), lambda: asyncio.sleep(60))
    stream = worker_stream(client, PARAMS)
    next(stream)
    stream.close()  # type: ignore[attr-defined]  # a generator
    assert client.aborted.wait(5)
