"""The emulator, as strangers see it: over real sockets, by clients that share no code with it."""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from base64 import b64decode
from typing import Any
from urllib.parse import parse_qs

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from modelplug import (
    ConnectionLostError,
    Emulator,
    TlsError,
    WrongUseError,
    new_client,
)
from modelplug.testing import Reset
from modelplug_spark.emulator import SparkEmulator
from modelplug_spark.signing import date_of, sign
from tests.providers.spark.emulation.test_service import asked

PATH = "/v3.5/chat"


def url_of(
    emulator: SparkEmulator, *, path: str = PATH, secret: str | None = None, seconds: float = 0
) -> str:
    """A signed URL."""
    told = emulator.describe()
    host = told["url"].removeprefix("ws://")
    date = date_of(time.time() + seconds)
    signed = sign(host, path, key=told["api_key"], secret=secret or told["api_secret"], date=date)
    return f"{told['url']}{path}?{signed.query.reveal()}"


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


@pytest.mark.row("4.6 after the last frame")
async def test_an_answer_comes_and_the_service_closes() -> None:
    """Frames, then 1000 in the real service's words."""
    async with SparkEmulator(pace=0) as emulator, connect(url_of(emulator)) as ws:
        await ws.send(question(emulator), text=True)
        frames = [json.loads(message) async for message in ws]
    assert "How are you?" in "".join(
        frame["payload"]["choices"]["text"][0]["content"] for frame in frames
    )
    assert (ws.close_code, ws.close_reason) == (1000, "close this ws conn")


@pytest.mark.row("4.6 after an error")
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


@pytest.mark.row("4.6 no question")
async def test_a_client_that_asks_nothing_is_let_go() -> None:
    """After the service's patience, which is none here."""
    async with SparkEmulator(patience=0) as emulator, connect(url_of(emulator)) as ws:
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
    assert emulator._service.running == 0


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
    with mine:
        told = mine.describe()
    assert (told["app_id"], told["api_key"], told["api_secret"]) == ("a", "b", "c")


def test_two_emulators_have_two_accounts() -> None:
    """Of the real ones' shape: eight hex digits, and a key of 32."""
    with SparkEmulator() as one, SparkEmulator() as other:
        first, second = one.describe(), other.describe()
    assert not set(first.values()) & set(second.values())
    assert tuple(len(first[name]) for name in ("app_id", "api_key", "api_secret")) == (8, 32, 32)


def test_it_has_no_address_before_it_runs() -> None:
    """Nor after."""
    emulator = SparkEmulator()
    with emulator:
        assert emulator.describe()
    with pytest.raises(WrongUseError):
        emulator.describe()


def test_it_leaves_no_thread_and_no_socket_behind() -> None:
    """Once its block is left."""
    before = threading.active_count()
    with SparkEmulator() as emulator:
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
        with pytest.raises(OSError, match=r"(?i)address"), mine:
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
    caplog.set_level(logging.CRITICAL, "websockets.client")  # the test's own client
    async with SparkEmulator(pace=0) as emulator:
        url = url_of(emulator)
        async with connect(url) as ws:
            await ws.send(question(emulator), text=True)
            assert await ws.recv()
    authorization = parse_qs(url.split("?")[1])["authorization"][0]
    signature = b64decode(authorization).decode().rpartition('signature="')[2][:-1]
    account = emulator._account
    secrets = (account.api_key, account.api_secret, authorization, signature)
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


async def asked_of(emulator: SparkEmulator, content: str = "How are you?") -> list[Any]:
    """The frames that answer one question."""
    async with connect(url_of(emulator)) as ws:
        await ws.send(question(emulator, content), text=True)
        try:
            return [json.loads(message) async for message in ws]
        except ConnectionClosed:
            return []


def codes(frames: list[Any]) -> list[int]:
    """What the headers say, without repeating it."""
    return list(dict.fromkeys(frame["header"]["code"] for frame in frames))


@pytest.mark.parametrize(
    ("switches", "expected"),
    [
        ({"blacklisted": True}, [10015]),
        ({"granted": ("lite",)}, [11200]),
        ({"tokens": 0}, [11200]),
        ({"daily": 0}, [11201]),
        ({"per_second": 0}, [11202]),
        ({"concurrent": 0}, [11203]),
        ({"forbidden_input": ("how",)}, [10013]),
        ({"forbidden_output": ("question",)}, [0, 10014]),
        ({"suspect": ("question",)}, [0, 10019]),
        ({"busy": True, "busy_seconds": 0}, [10110]),
        ({"engine_stuck": 2, "engine_seconds": 0}, [0, 10010]),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else None,
)
async def test_limits_and_audits_are_told_in_frames(
    switches: dict[str, Any], expected: list[int]
) -> None:
    """By the service's codes, where they would come."""
    async with SparkEmulator(pace=0, **switches) as emulator:
        assert codes(await asked_of(emulator)) == expected


async def test_a_user_is_let_in_once_at_a_time() -> None:
    """10006 for a second answer while the first is under way."""
    async with SparkEmulator(pace=3600, one_per_user=True) as emulator:
        message = json.loads(question(emulator))
        message["header"]["uid"] = "me"
        async with connect(url_of(emulator)) as one, connect(url_of(emulator)) as other:
            answers = []
            for ws in (one, other):
                await ws.send(json.dumps(message))
                answers.append(json.loads(await ws.recv()))
    assert codes(answers) == [0, 10006]


async def test_who_asks_before_the_answer_is_out_has_to_wait() -> None:
    """10007, between the frames of the answer to the first question."""
    async with SparkEmulator(pace=3600) as emulator, connect(url_of(emulator)) as ws:
        await ws.send(question(emulator), text=True)
        first = json.loads(await ws.recv())
        await ws.send(question(emulator), text=True)
        second = json.loads(await ws.recv())
    assert codes([first, second]) == [0, 10007]


async def test_an_answer_that_nobody_waits_for_makes_room() -> None:
    """A client that leaves in the middle frees its place."""
    async with SparkEmulator(pace=3600, concurrent=1) as emulator:
        async with connect(url_of(emulator)) as ws:
            await ws.send(question(emulator), text=True)
            await ws.recv()
        assert await asyncio.to_thread(emulator.exchanges.wait().wait_gone)
        async with connect(url_of(emulator)) as ws:
            await ws.send(question(emulator), text=True)
            assert codes([json.loads(await ws.recv())]) == [0]


async def test_a_hosted_models_connection_takes_further_questions() -> None:
    """The server leaves it open (section 4.6), and lets it go when nobody asks any more."""
    async with SparkEmulator(pace=0, hosted=("xdeepseekv3",)) as emulator:
        message = json.loads(question(emulator))
        message["parameter"]["chat"]["domain"] = "xdeepseekv3"
        url = url_of(emulator, path="/v1.1/chat")
        async with connect(url) as ws:
            for _ in range(2):
                await ws.send(json.dumps(message))
                while json.loads(await ws.recv())["header"]["status"] != 2:
                    pass
    assert len(emulator.exchanges[0].messages) == 2


async def test_a_connection_may_be_cut_instead_of_closed() -> None:
    """As it was seen in 2025: no close frame."""
    async with SparkEmulator(pace=0, close="cut") as emulator, connect(url_of(emulator)) as ws:
        await ws.send(question(emulator), text=True)
        await ws.wait_closed()
    assert ws.close_code == 1006


def test_a_script_takes_the_place_of_an_answer(emulator: SparkEmulator) -> None:
    """The next one; then it answers by itself again."""
    client = new_client({"backend": "spark:lite", **emulator.params()})
    emulator.play("Hel", Reset())
    with pytest.raises(ConnectionLostError) as caught:
        client.sync_generate("hi")
    assert caught.value.partial is not None
    assert caught.value.partial.text == "Hel"
    assert "hi" in client.sync_generate("hi").text


def test_it_speaks_tls_with_a_certificate_of_its_own() -> None:
    """Which a new process trusts by the variables that the emulator names."""
    with SparkEmulator(pace=0, tls=True) as emulator:
        variables = {**os.environ, **emulator.environment()}
        code = "import modelplug; print(modelplug.new_client('spark').sync_generate('hi').text)"
        done = subprocess.run(
            [sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True
        )
    assert emulator.exchanges[0].how is not None
    assert "local stand-in" in done.stdout


def test_nobody_trusts_it_unasked() -> None:
    """A certificate that nobody vouches for is refused by a process that wasn't told."""
    with SparkEmulator(tls=True) as emulator:
        client = new_client({"backend": "spark", **emulator.params()})
        with pytest.raises(TlsError):
            client.sync_generate("hi")


@pytest.mark.parametrize("switches", [{"per_secnd": 1}, {"per_second": -1}, {"close": "slam"}])
def test_a_wrong_switch_is_refused(switches: dict[str, Any]) -> None:
    """When the emulator is made, not when it is asked."""
    with pytest.raises(ValueError, match=next(iter(switches))):
        SparkEmulator(**switches)
