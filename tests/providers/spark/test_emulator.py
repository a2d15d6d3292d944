"""The emulator, as strangers see it: over real sockets, by clients that share no code with it."""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import socket
import threading
import time
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from modelplug import Emulator, WrongUseError
from modelplug_spark import emulator as module
from modelplug_spark.emulator import SparkEmulator
from modelplug_spark.signing import date_of, derived, sign
from tests.providers.spark.test_service import asked

PATH = "/v3.5/chat"


def url_of(emulator: SparkEmulator, *, secret: str | None = None, seconds: float = 0) -> str:
    """A signed URL."""
    told = emulator.describe()
    host = told["url"].removeprefix("ws://")
    date = date_of(time.time() + seconds)
    query = sign(host, PATH, key=told["api_key"], secret=secret or told["api_secret"], date=date)
    return f"{told['url']}{PATH}?{query}"


def question(emulator: SparkEmulator, content: str = "How are you?") -> bytes:
    """A question under the emulator's account."""
    message = json.loads(asked(content))
    message["header"]["app_id"] = emulator.describe()["app_id"]
    return json.dumps(message).encode()


def refusal(url: str) -> tuple[int, http.client.HTTPMessage, Any]:
    """Status, headers and body of an upgrade that is refused, by the standard library."""
    host, _, target = url.removeprefix("ws://").partition("/")
    connection = http.client.HTTPConnection(host)
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
    }
    connection.request("GET", f"/{target}", headers=headers)
    response = connection.getresponse()
    body = json.loads(response.read())
    connection.close()
    return response.status, response.headers, body


async def test_an_answer_comes_and_the_service_closes() -> None:
    """Frames, then 1000 in the real service's words."""
    async with SparkEmulator(pace=0) as emulator, connect(url_of(emulator)) as ws:
        await ws.send(question(emulator), text=True)
        frames = [json.loads(message) async for message in ws]
    assert "How are you?" in "".join(
        frame["payload"]["choices"]["text"][0]["content"] for frame in frames
    )
    assert (ws.close_code, ws.close_reason) == (1000, "close this ws conn")


async def test_an_error_comes_and_the_service_closes() -> None:
    """One frame, then the same close."""
    async with SparkEmulator() as emulator, connect(url_of(emulator)) as ws:
        await ws.send("{")
        codes = [json.loads(message)["header"]["code"] async for message in ws]
    assert (codes, ws.close_code) == ([10003], 1000)


def test_a_client_that_nobody_here_wrote_completes_an_answer(emulator: SparkEmulator) -> None:
    """websocket-client, under iFlytek's own SDK and LangChain's: frames, usage, close."""
    websocket = pytest.importorskip("websocket")
    ws = websocket.create_connection(url_of(emulator), timeout=30)
    ws.send(question(emulator, "你好吗？"))
    frames = []
    while message := ws.recv():
        frames.append(json.loads(message))
    ws.shutdown()
    assert "你好吗？" in "".join(
        frame["payload"]["choices"]["text"][0]["content"] for frame in frames
    )
    assert frames[-1]["payload"]["usage"]["text"]["total_tokens"] > 0


def test_a_foreign_client_sees_a_refusal(emulator: SparkEmulator) -> None:
    """Status and body."""
    websocket = pytest.importorskip("websocket")
    with pytest.raises(websocket.WebSocketBadStatusException) as caught:
        websocket.create_connection(url_of(emulator, secret="other"), timeout=30)
    assert caught.value.status_code == 401
    assert json.loads(caught.value.resp_body) == {"message": "HMAC signature does not match"}


@pytest.mark.parametrize(
    ("seconds", "secret", "status", "said"),
    [(0, "other", 401, "does not match"), (400, None, 403, "a valid date")],
    ids=["secret", "clock"],
)
def test_a_refusal_is_json_with_the_services_time(
    emulator: SparkEmulator, seconds: float, secret: str | None, status: int, said: str
) -> None:
    """So that a client can tell by how much its clock is off."""
    told, headers, body = refusal(url_of(emulator, seconds=seconds, secret=secret))
    assert (status, "application/json; charset=utf-8") == (told, headers["Content-Type"])
    assert said in body["message"]
    assert headers["Date"].endswith("GMT")


async def test_a_client_that_asks_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the service's patience, which is none here."""
    monkeypatch.setattr(module, "_IDLE_SECONDS", 0)
    async with SparkEmulator() as emulator, connect(url_of(emulator)) as ws:
        with pytest.raises(ConnectionClosed):
            await ws.recv()
    assert (ws.close_code, ws.close_reason) == (1000, "close this ws conn")


async def test_a_client_that_leaves_disturbs_nobody() -> None:
    """In the middle of an answer; the next one is served, and the end comes at once."""
    async with SparkEmulator(pace=0) as emulator:
        async with connect(url_of(emulator)) as ws:
            await ws.send(question(emulator), text=True)
            await ws.recv()
            ws.transport.abort()
        async with connect(url_of(emulator)) as ws:
            await ws.send(question(emulator), text=True)
            assert await ws.recv()


async def test_an_emulator_stops_with_answers_under_way() -> None:
    """Nobody has to wait for them."""
    async with SparkEmulator(pace=3600) as emulator:
        ws = await connect(url_of(emulator))
        await ws.send(question(emulator), text=True)
        assert await ws.recv()
    await ws.wait_closed()
    assert ws.close_code in (1001, 1006)


def test_it_is_what_the_core_calls_an_emulator() -> None:
    """By its methods and by its arguments."""
    emulator: Emulator = SparkEmulator(
        host="127.0.0.1", port=0, app_id=None, api_key=None, api_secret=None
    )
    assert emulator is not None


def test_it_describes_its_address_and_account(emulator: SparkEmulator) -> None:
    """And the variables that lead there."""
    told = emulator.describe()
    assert {"url", "app_id", "api_key", "api_secret"} == set(told)
    expected = {
        "XUNFEI_SPARK_APPID": told["app_id"],
        "XUNFEI_SPARK_API_KEY": told["api_key"],
        "XUNFEI_SPARK_API_SECRET": told["api_secret"],
        "XUNFEI_SPARK_API_BASE": told["url"],
    }
    assert expected == dict(emulator.environment())


def test_an_account_of_ones_own_is_taken() -> None:
    """Instead of a made-up one."""
    mine = SparkEmulator(app_id="a", api_key="b", api_secret="c")
    with mine.running():
        told = mine.describe()
    assert (told["app_id"], told["api_key"], told["api_secret"]) == ("a", "b", "c")


def test_two_emulators_have_two_accounts() -> None:
    """Of the real ones' shape: eight hex digits, and a key of 32."""
    with SparkEmulator().running() as one, SparkEmulator().running() as other:
        first, second = one.describe(), other.describe()
    assert not set(first.values()) & set(second.values())
    assert tuple(len(first[name]) for name in ("app_id", "api_key", "api_secret")) == (8, 32, 32)


def test_it_has_no_address_before_it_runs() -> None:
    """Nor after."""
    emulator = SparkEmulator()
    with emulator.running():
        assert emulator.describe()
    with pytest.raises(WrongUseError):
        emulator.describe()


def test_it_leaves_no_thread_and_no_socket_behind() -> None:
    """Once its block is left."""
    before = threading.active_count()
    with SparkEmulator().running() as emulator:
        port = int(emulator.describe()["url"].rpartition(":")[2])
    assert before == threading.active_count()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_port_that_is_taken_is_told() -> None:
    """By the exception of whoever wanted it, not by a thread that nobody sees."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        mine = SparkEmulator(port=taken.getsockname()[1])
        with pytest.raises(OSError, match="address"), mine.running():
            pass


async def test_an_ipv6_address_is_written_in_brackets() -> None:
    """As URLs want it."""
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    async with SparkEmulator(host="::1") as emulator:
        assert emulator.describe()["url"].startswith("ws://[::1]:")


async def test_it_logs_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    """The WebSocket library would log whole request lines at DEBUG."""
    caplog.set_level(logging.DEBUG)
    async with SparkEmulator(pace=0) as emulator:
        url = url_of(emulator)
        async with connect(url, logger=module._SILENT) as ws:
            await ws.send(question(emulator), text=True)
            assert await ws.recv()
    secrets = (emulator._account.api_key, emulator._account.api_secret, *derived(url.split("?")[1]))
    assert not [text for text in secrets if text in caplog.text]


async def test_an_answer_comes_in_pieces() -> None:
    """The first is here while the second waits for its time."""
    async with SparkEmulator(pace=3600) as emulator, connect(url_of(emulator)) as ws:
        await ws.send(question(emulator), text=True)
        first = json.loads(await ws.recv())
        assert first["payload"]["choices"]["status"] == 0
        waiting = asyncio.ensure_future(ws.recv())
        await asyncio.sleep(0)
        assert not waiting.done()
        waiting.cancel()
