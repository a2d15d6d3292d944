"""The faults of DB-GPT 0.5's Spark client, each shown to be gone."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import threading
import weakref
from collections.abc import Sequence

import pytest

from modelplug import (
    FirstDeltaTimeoutError,
    ModelMessage,
    ModelNotFoundError,
    ModelRequest,
    QuotaError,
    Timeouts,
    UnsafeEndpointError,
)
from tests.conftest import Serve
from tests.support.scripted import DIRECTIONS, Ask
from tests.support.upstream import Upstream, answer, client_of, frame

directions = pytest.mark.parametrize("ask", DIRECTIONS.values(), ids=DIRECTIONS.keys())


@pytest.mark.parametrize("how", ["async stream", "sync stream"])
def test_the_first_delta_is_seen_before_the_second_is_sent(serve: Serve, how: str) -> None:
    """A stream streams: a gate holds the second frame until the first has been read."""
    gate = threading.Event()
    first, *rest = answer("a", "b")
    client = client_of(serve(first, gate, *rest))

    async def read() -> list[str]:
        seen = []
        async for output in client.generate_stream("hi"):
            seen.append(output.text)
            gate.set()
        return seen

    def read_blocking() -> list[str]:
        seen = []
        for output in client.sync_generate_stream("hi"):
            seen.append(output.text)
            gate.set()
        return seen

    assert (asyncio.run(read()) if how == "async stream" else read_blocking()) == ["a", "ab", "ab"]


@directions
def test_an_error_frame_is_an_error(serve: Serve, ask: Ask) -> None:
    """The header's code is read; the failure is raised, with the service's words."""
    upstream = serve(frame(code=11200, message="AppIdNoAuthError:(12:17:04.432) tokens.total"))
    with pytest.raises(QuotaError) as caught:
        ask(client_of(upstream), "hi")
    assert (
        caught.value.provider_code,
        caught.value.request_id,
    ) == (11200, "cht000b0c24@dx1916602ea10b808550")


@directions
def test_a_silent_service_is_timed_out(serve: Serve, ask: Ask) -> None:
    """A service that says nothing costs as long as the clock allows, and its socket is closed."""
    upstream = serve(threading.Event())
    client = client_of(upstream, timeouts=Timeouts(first_delta=0.05))
    with pytest.raises(FirstDeltaTimeoutError):
        ask(client, "hi")


@directions
def test_nothing_is_printed(serve: Serve, ask: Ask, capfd: pytest.CaptureFixture[str]) -> None:
    """Neither questions nor answers appear on standard output or standard error."""
    ask(client_of(serve(*answer("a", "b"))), "hi")
    assert capfd.readouterr() == ("", "")


def test_keys_never_travel_in_the_clear() -> None:
    """The default address is encrypted, and an unencrypted one off this machine is refused."""
    upstream = Upstream(url="ws://spark-api.xf-yun.com")
    with pytest.raises(UnsafeEndpointError):
        client_of(upstream).sync_generate("hi")
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
    serve: Serve, config: str, domain: str, path: str
) -> None:
    """With another address the request still names the domain, and the path that goes with it."""
    upstream = serve(*answer("a"))
    client_of(upstream, config).sync_generate("hi")
    chat = upstream.messages[0]["parameter"]["chat"]  # type: ignore[index]  # as sent
    assert (domain, path) == (chat["domain"], upstream.paths[0].partition("?")[0])


@pytest.mark.parametrize("model", ["v9", "generalv35", "spark-ultra"])
def test_an_unknown_version_is_an_error(model: str) -> None:
    """A model that isn't known is never sent to another one; the error names what is known."""
    with pytest.raises(ModelNotFoundError, match=model) as caught:
        client_of(Upstream(url="ws://127.0.0.1:1"), f"spark:{model}")
    assert "generalv3.5" in str(caught.value.hint)


def test_nothing_is_sent_as_null(serve: Serve) -> None:
    """What is not set is not sent; what is set to nought is."""
    upstream = serve(*answer("a"))
    client_of(upstream).sync_generate(ModelRequest(messages="hi", max_new_tokens=7))
    sent = upstream.messages[0]
    assert "null" not in json.dumps(sent)
    assert sent["parameter"]["chat"] == {"domain": "generalv3.5", "max_tokens": 7}  # type: ignore[index]


def test_a_converter_can_be_used(serve: Serve) -> None:
    """A message converter is called and what it gives is sent."""

    class Shouting:
        def convert(
            self, messages: Sequence[ModelMessage], metadata: object = None
        ) -> list[ModelMessage]:
            """All in capitals."""
            return [ModelMessage(message.role, message.text.upper()) for message in messages]

    upstream = serve(*answer("a"))
    client_of(upstream).sync_generate("hi", Shouting())
    assert upstream.messages[0]["payload"]["message"]["text"] == [{"role": "user", "content": "HI"}]  # type: ignore[index]


def test_clients_share_no_cache() -> None:
    """Each client has its own models, and a client that nobody holds goes away."""
    nowhere = Upstream(url="ws://127.0.0.1:1")
    one, other = client_of(nowhere, "spark:lite"), client_of(nowhere, "spark:4.0Ultra")
    names = [asyncio.run(client.models())[0].model for client in (one, other)]
    gone = weakref.ref(one)
    del one
    gc.collect()
    assert (names, gone()) == (["lite", "4.0Ultra"], None)


def test_a_client_makes_no_threads(serve: Serve) -> None:
    """Making, using and closing clients leaves no threads beside the one of the bridge."""
    upstream = serve(*answer("a"))
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
    """A count that can't be made is -1 at once, with no look-up and no socket."""
    code = """
import asyncio, sys
seen = []
sys.addaudithook(lambda event, args: seen.append(event) if event.startswith("socket.") else None)
from modelplug import new_client
client = new_client("spark", api_app_id="1", api_key="k" * 9, api_secret="s" * 9)

async def main():
    seen.clear()  # the loop's own pair of sockets
    return await client.count_token("generalv3.5", "hi")

print(asyncio.run(main()), [event for event in seen if "connect" in event or "addr" in event])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "-1 []\n"


def test_history_is_never_trimmed_unasked(serve: Serve) -> None:
    """A conversation of any length is sent whole, its system message first."""
    upstream = serve(*answer("a"))
    turns = [ModelMessage("human" if at % 2 else "ai", "word " * 500) for at in range(1, 22)]
    messages = [ModelMessage("system", "be brief"), *turns]
    client_of(upstream).sync_generate(ModelRequest(messages=messages))
    sent = upstream.messages[0]["payload"]["message"]["text"]  # type: ignore[index]  # as sent
    assert (len(sent), sent[0]["role"]) == (22, "system")
