"""The faults of DB-GPT 0.5's Spark client, each shown to be gone."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import weakref
from collections.abc import Sequence
from typing import Any

import pytest

from modelplug import (
    Finish,
    FirstDeltaTimeoutError,
    ModelMessage,
    ModelNotFoundError,
    ModelRequest,
    QuotaError,
    Timeouts,
    UnsafeEndpointError,
)
from modelplug.testing import Gate, Message, Silence
from modelplug.testing.websocket import WebSocketUpstream
from tests.providers.spark.wire import SID, error
from tests.support.scripted import DIRECTIONS, Ask
from tests.support.spark import NOWHERE, client_of

directions = pytest.mark.parametrize("ask", DIRECTIONS.values(), ids=DIRECTIONS.keys())


@pytest.mark.parametrize("how", ["async stream", "sync stream"])
def test_the_first_delta_is_seen_before_the_second_is_sent(
    upstream: WebSocketUpstream, how: str
) -> None:
    """A stream streams: a gate holds the second frame until the first has been read."""
    upstream.play("a", Gate("read"), "b", Finish())
    client = client_of(upstream)

    async def read() -> list[str]:
        seen = []
        async for output in client.generate_stream("hi"):
            seen.append(output.text)
            upstream.release("read")
        return seen

    def read_blocking() -> list[str]:
        seen = []
        for output in client.sync_generate_stream("hi"):
            seen.append(output.text)
            upstream.release("read")
        return seen

    assert (asyncio.run(read()) if how == "async stream" else read_blocking()) == ["a", "ab", "ab"]


@directions
def test_an_error_frame_is_an_error(upstream: WebSocketUpstream, ask: Ask) -> None:
    """The header's code is read; the failure is raised, with the service's words."""
    upstream.play(Message(error(11200, "AppIdNoAuthError:(12:17:04.432) tokens.total")))
    with pytest.raises(QuotaError) as caught:
        ask(client_of(upstream), "hi")
    assert (caught.value.provider_code, caught.value.request_id) == (11200, SID)


@directions
def test_a_silent_service_is_timed_out(upstream: WebSocketUpstream, ask: Ask) -> None:
    """A service that says nothing costs as long as the clock allows, and its socket is closed."""
    upstream.play(Silence())
    client = client_of(upstream, timeouts=Timeouts(first_delta=0.05))
    with pytest.raises(FirstDeltaTimeoutError):
        ask(client, "hi")
    assert upstream.exchanges.wait().wait_gone()


@directions
def test_nothing_is_printed(
    upstream: WebSocketUpstream, ask: Ask, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither questions nor answers appear on standard output or standard error."""
    upstream.play("a", "b", Finish())
    ask(client_of(upstream), "hi")
    assert capfd.readouterr() == ("", "")


def test_keys_never_travel_in_the_clear() -> None:
    """The default address is encrypted, and an unencrypted one off this machine is refused."""
    with pytest.raises(UnsafeEndpointError):
        client_of("ws://spark-api.xf-yun.com").sync_generate("hi")
    from modelplug_spark.models import MODELS

    assert {"wss"} == {model.url.partition(":")[0] for model in MODELS}


@pytest.mark.parametrize(
    ("config", "domain", "path"),
    [
        ("spark", "generalv3.5", "/v3.5/chat"),
        ("spark:4.0Ultra", "4.0Ultra", "/v4.0/chat"),
        ("spark:lite", "lite", "/v1.1/chat"),
    ],
)
def test_a_custom_base_keeps_the_models_domain(
    upstream: WebSocketUpstream, config: str, domain: str, path: str
) -> None:
    """With another address the request still names the domain, and the path that goes with it."""
    upstream.play("a", Finish())
    client_of(upstream, config).sync_generate("hi")
    exchange = upstream.exchanges.wait()
    sent: Any = exchange.question
    assert (domain, path) == (sent["parameter"]["chat"]["domain"], exchange.request.path)


@pytest.mark.parametrize("model", ["v9", "generalv35", "spark-ultra"])
def test_an_unknown_version_is_an_error(model: str) -> None:
    """A model that isn't known is never sent to another one; the error names what is known."""
    with pytest.raises(ModelNotFoundError, match=model) as caught:
        client_of(NOWHERE, f"spark:{model}")
    assert "generalv3.5" in str(caught.value.hint)


def test_nothing_is_sent_as_null(upstream: WebSocketUpstream) -> None:
    """What is not set is not sent; what is set to nought is."""
    upstream.play("a", Finish())
    client_of(upstream).sync_generate(ModelRequest(messages="hi", max_new_tokens=7))
    exchange = upstream.exchanges.wait()
    sent: Any = exchange.question
    assert b"null" not in exchange.request.body
    assert sent["parameter"]["chat"] == {"domain": "generalv3.5", "max_tokens": 7}


def test_a_converter_can_be_used(upstream: WebSocketUpstream) -> None:
    """A message converter is called and what it gives is sent."""

    class Shouting:
        def convert(
            self, messages: Sequence[ModelMessage], metadata: object = None
        ) -> list[ModelMessage]:
            """All in capitals."""
            return [ModelMessage(message.role, message.text.upper()) for message in messages]

    upstream.play("a", Finish())
    client_of(upstream).sync_generate("hi", Shouting())
    sent: Any = upstream.exchanges.wait().question
    assert sent["payload"]["message"]["text"] == [{"role": "user", "content": "HI"}]


def test_clients_share_no_cache() -> None:
    """Each client has its own models, and a client that nobody holds goes away."""
    one, other = client_of(NOWHERE, "spark:lite"), client_of(NOWHERE, "spark:4.0Ultra")
    names = [asyncio.run(client.models())[0].model for client in (one, other)]
    gone = weakref.ref(one)
    del one
    gc.collect()
    assert (names, gone()) == (["lite", "4.0Ultra"], None)


def test_a_client_makes_no_threads(upstream: WebSocketUpstream) -> None:
    """Making, using and closing clients leaves no threads beside the one of the bridge."""
    upstream.play("a", Finish(), times=None)
    client_of(upstream).sync_generate("hi")
    before = threading.active_count()
    for _ in range(20):
        with client_of(upstream) as client:
            client.sync_generate("hi")
    assert before == threading.active_count()


def test_no_web_framework_is_imported() -> None:
    """Crossing from sync to async takes nothing but the standard library."""
    code = """
import sys
from modelplug import new_client
new_client("echo").sync_generate("hi")
print(sorted({"starlette", "fastapi", "anyio", "tiktoken", "httpx"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_counting_tokens_never_goes_to_the_network() -> None:
    """Whatever counts, or can't: no look-up and no socket."""
    code = """
import asyncio, sys
seen = []
sys.addaudithook(lambda event, args: seen.append(event) if event.startswith("socket.") else None)
from modelplug import new_client
spark = new_client("spark", api_app_id="1", api_key="k" * 9, api_secret="s" * 9)
openai, unable = new_client("echo"), new_client("echo")
unable.proxy_tokenizer = None

async def main():
    seen.clear()  # the loop's own pair of sockets
    counts = [await spark.count_token("generalv3.5", "hi")]
    counts += [await openai.count_token(model, "hi") for model in ("gpt-4", "gpt-4o", "unknown")]
    return *counts, await unable.count_token("gpt-4o", "hi")

print(*asyncio.run(main()), [event for event in seen if "connect" in event or "addr" in event])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "2 1 1 1 -1 []\n"


def test_history_is_never_trimmed_unasked(upstream: WebSocketUpstream) -> None:
    """A conversation of any length is sent whole, its system message first."""
    upstream.play("a", Finish())
    turns = [ModelMessage("human" if at % 2 else "ai", "word " * 500) for at in range(1, 22)]
    messages = [ModelMessage("system", "be brief"), *turns]
    client_of(upstream).sync_generate(ModelRequest(messages=messages))
    sent: Any = upstream.exchanges.wait().question
    text = sent["payload"]["message"]["text"]
    assert (len(text), text[0]["role"]) == (22, "system")
