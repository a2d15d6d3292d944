"""Servers that share no code with us: llama.cpp's own with a real model, and a small fake one.

llama.cpp answers the same to the same question at temperature 0, as long as it reuses nothing of
what it worked out before: ``cache_prompt`` is false. No test looks at a clock: one thread makes
between 5 and 100 tokens a second, whatever else the machine does.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelplug import (
    AuthenticationError,
    ContextLengthError,
    ModelMessage,
    ModelOutput,
    ModelRequest,
    ProxyLLMClient,
    RateLimitError,
    ServerError,
    Timeouts,
    new_client,
)
from tests.interop.servers import foreign_server, json_at, looked_at
from tests.support.scripted import DIRECTIONS, Ask

MODELPLUG = Path(sys.executable).parent / "modelplug"

KEY = "sk-of-the-llama"

PATIENT = Timeouts(connect=60, open=60, first_delta=300, idle=300, total=900)

QUESTION = "Name a colour."

PLACE = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "enum": ["Oslo", "Bergen"]},
        "warm": {"type": "boolean"},
    },
    "required": ["city", "warm"],
    "additionalProperties": False,
}

TOOL = {
    "type": "function",
    "function": {"name": "weather", "description": "The weather in a city.", "parameters": PLACE},
}

needs_llama = pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"),
    reason="there are wheels of this llama.cpp and its model for Linux on x86_64 alone",
)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of llama.cpp's server, with its model loaded."""
    with foreign_server("llama_server.py", logs=tmp_path_factory.mktemp("llama")) as address:
        yield address


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of fakellm, with rules of its own."""
    folder = tmp_path_factory.mktemp("fakellm")
    with foreign_server("fakellm_server.py", str(folder), logs=folder) as address:
        yield address


def client_of(address: str, config: str = "openai:any", **more: object) -> ProxyLLMClient:
    """A client that has patience."""
    params = {"backend": config, "api_base": f"{address}/v1", "api_key": KEY, "timeouts": PATIENT}
    return new_client({**params, **more})


def request(question: str = QUESTION, *, tokens: int = 8, **fields: Any) -> ModelRequest:
    """A short answer, the same each time."""
    extra = {"cache_prompt": False, **fields.pop("extra_body", {})}
    return ModelRequest(
        messages=question,
        temperature=0,
        max_new_tokens=tokens,
        options={"openai": {"extra_body": extra}},
        **fields,
    )


# ------------------------------------------------------------------------------ llama.cpp


@needs_llama
@pytest.mark.parametrize("backend", ["openai:any", "llamacpp:any"])
def test_llama_answers_the_command_line(llama: str, backend: str) -> None:
    """Text on standard output; the model has a name of its own."""
    config = f"{backend}?api_base={llama}/v1&temperature=0&max_new_tokens=8"
    done = subprocess.run(
        [MODELPLUG, "ask", QUESTION, "-b", config, "-o", "api_key=env:LLAMA", "--json"],
        env={**os.environ, "LLAMA": KEY, "MODELPLUG_CONFIG": "none"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    told = json.loads(done.stdout)
    assert (told["finish_reason"], told["model"]) == ("length", "smollm2")
    assert len(told["text"].split()) > 1


@needs_llama
def test_llama_streams(llama: str) -> None:
    """In more pieces than one, the same ones that the whole text is made of."""
    with client_of(llama).sync_generate_stream(request()) as stream:
        outputs = list(stream)
    deltas = [output.delta for output in outputs if output.delta]
    assert len(deltas) > 2
    assert "".join(deltas) == outputs[-1].text


@needs_llama
def test_llama_counts(llama: str) -> None:
    """As many tokens as were asked for, and the rest adds up."""
    output = client_of(llama).sync_generate(request())
    usage = output.usage
    assert usage is not None
    assert (output.finish_reason, usage.completion_tokens) == ("length", 8)
    assert usage.prompt_tokens
    assert usage.total_tokens == usage.prompt_tokens + 8


@needs_llama
def test_llama_says_the_same_in_all_ways_of_asking(llama: str) -> None:
    """Sync and async, streamed and whole, and as a stream that is none."""
    client = client_of(llama)
    clients = [client, client, client_of(llama, "openai:any?stream=false")]
    outputs = [
        asyncio.run(clients[0].generate(request())),
        clients[1].sync_generate(request()),
        clients[2].sync_generate(request()),
    ]
    assert outputs[0].text
    assert [outputs[0].text] * 3 == [output.text for output in outputs]
    assert len({str(output.usage) for output in outputs}) == 1


@needs_llama
def test_llama_keeps_to_a_schema(llama: str) -> None:
    """It has a grammar of it, so that a small model can't do otherwise."""
    wanted = {"type": "json_schema", "json_schema": {"name": "place", "schema": PLACE}}
    output = client_of(llama).sync_generate(request(tokens=120, response_format=wanted))
    found = json.loads(output.text)
    assert {"city", "warm"} == found.keys()
    assert found["city"] in ("Oslo", "Bergen")
    assert type(found["warm"]) is bool


@needs_llama
def test_llama_takes_tools(llama: str) -> None:
    """It takes them and their choice, and answers in text: this model's template has no tools."""
    output = client_of(llama).sync_generate(request(tools=[TOOL], tool_choice="required"))
    assert (output.tool_calls, output.finish_reason) == ((), "length")
    assert output.text


@needs_llama
def test_llama_stops_where_it_shall(llama: str) -> None:
    """Before the text that ends it."""
    said = client_of(llama).sync_generate(request()).text
    *_, last = said.split()
    output = client_of(llama).sync_generate(request(stop=last))
    assert (output.finish_reason, output.text) == ("stop", said[: said.index(last)])


@needs_llama
def test_llama_refuses_a_stranger(llama: str) -> None:
    """By the status, and in its words."""
    with pytest.raises(AuthenticationError, match="Invalid API Key") as caught:
        client_of(llama, api_key="sk-other").sync_generate(request())
    assert caught.value.retryable is False


@needs_llama
@pytest.mark.parametrize("stream", ["true", "false"])
def test_llama_refuses_what_is_too_long(llama: str, stream: str) -> None:
    """By a word of its own: the status is that of any bad request."""
    with pytest.raises(ContextLengthError, match="available context size"):
        client_of(llama, f"openai:any?stream={stream}").sync_generate(request("word " * 3000))


@needs_llama
async def test_llama_lists_its_model(llama: str) -> None:
    """By its alias."""
    found = await client_of(llama).models(live=True)
    assert [each.model for each in found] == ["smollm2"]


@needs_llama
@pytest.mark.parametrize("how", ["async", "sync"])
def test_llama_stops_when_nobody_listens(llama: str, how: str) -> None:
    """A long answer that is left after its first piece is given up, and doesn't run to its end."""
    long = request(tokens=900, extra_body={"ignore_eos": True})
    if how == "async":
        asyncio.run(leave(client_of(llama), long))
    else:
        with client_of(llama).sync_generate_stream(long) as stream:
            assert next(stream).delta
    until_idle(llama)
    assert metric(llama, "n_tokens_max") < 900


async def leave(client: ProxyLLMClient, long: ModelRequest) -> None:
    """Hear the first piece, and go."""
    async with client.generate_stream(long) as stream:
        assert (await anext(stream)).delta


def metric(llama: str, name: str) -> float:
    """One of the server's own figures."""
    found = re.search(rf"^llamacpp:{name} (\S+)$", looked_at(f"{llama}/metrics", key=KEY), re.M)
    assert found
    return float(found[1])


def until_idle(llama: str) -> None:
    """Wait until the server works on nothing, for two minutes at most."""
    limit = time.monotonic() + 120
    while metric(llama, "requests_processing"):
        assert time.monotonic() < limit, "the server still works on it"
        time.sleep(0.05)


# -------------------------------------------------------------------------------- fakellm


def asked(fake: str, question: Any, config: str = "openai:any", **fields: Any) -> ModelOutput:
    """Its answer. It tells conversations apart by how they begin."""
    return client_of(fake, config).sync_generate(ModelRequest(messages=question, **fields))


SAID = "This is what the rule says, word by word."


@pytest.mark.parametrize("ask", DIRECTIONS.values(), ids=DIRECTIONS.keys())
def test_fakellm_answers(fake: str, ask: Ask) -> None:
    """In each way of asking; it streams no usage, and none is made up."""
    output = ask(client_of(fake), "hello")[-1]
    assert (output.text, output.finish_reason, output.usage) == (SAID, "stop", None)


def test_fakellm_counts_a_whole_answer(fake: str) -> None:
    """Where it says how much it was."""
    output = asked(fake, "hello", "openai:any?stream=false")
    assert output.text == SAID
    assert output.usage is not None
    assert output.usage.total_tokens == 11


@pytest.mark.parametrize("stream", ["true", "false"], ids=["streamed", "whole"])
def test_fakellm_calls_a_tool(fake: str, stream: str) -> None:
    """The arguments come in pieces; the result reaches it, and is answered."""
    config = f"openai:any?stream={stream}"
    conversation = [ModelMessage("human", f"weather, stream={stream}")]
    called = asked(fake, conversation, config, tools=[TOOL])
    (call,) = called.tool_calls
    assert (called.finish_reason, call.name) == ("tool_calls", "weather")
    assert json.loads(call.arguments) == {"city": "Oslo"}
    assert call.id
    before = results_seen(fake)
    conversation += [
        ModelMessage("ai", "", tool_calls=called.tool_calls),
        ModelMessage("tool", "rain", tool_call_id=call.id),
    ]
    assert asked(fake, conversation, config, tools=[TOOL]).text == SAID
    assert results_seen(fake) == before + 1


def results_seen(fake: str) -> int:
    """How many results of tools it has taken for what they are."""
    conversations = json_at(f"{fake}/_fakellm/conversations")
    return sum(each["tool_results_seen"] for each in conversations.values())


@pytest.mark.parametrize(
    ("question", "kind", "told"),
    [("too much", RateLimitError, "slow down"), ("break", ServerError, "it broke")],
    ids=["429", "500"],
)
def test_fakellm_refuses(
    fake: str, question: str, kind: type[RateLimitError | ServerError], told: str
) -> None:
    """By a status, with a word that nobody knows; in a stream it doesn't."""
    with pytest.raises(kind) as caught:
        asked(fake, question, "openai:any?stream=false")
    assert (caught.value.provider_message, caught.value.retryable) == (told, True)
