"""The emulator, as strangers see it: over real sockets, by a client that shares no code with it."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from modelplug import (
    ConfigError,
    ConnectionLostError,
    Emulator,
    TlsError,
    WrongUseError,
    new_client,
)
from modelplug.testing import Reset
from modelplug_openai.emulator import OpenAIEmulator

MODELPLUG = Path(sys.executable).parent / "modelplug"

QUESTION = {"model": "m", "messages": [{"role": "user", "content": "How are you?"}]}
STREAMED = {**QUESTION, "stream": True, "stream_options": {"include_usage": True}}


@contextmanager
def connected(emulator: OpenAIEmulator) -> Iterator[http.client.HTTPConnection]:
    """A connection of the standard library's."""
    host = emulator.url.partition("//")[2]
    connection = http.client.HTTPConnection(host, timeout=60)
    try:
        yield connection
    finally:
        connection.close()


def sent(
    connection: http.client.HTTPConnection,
    emulator: OpenAIEmulator,
    body: object = QUESTION,
    *,
    method: str = "POST",
    path: str = "/v1/chat/completions",
    key: str | None = None,
) -> http.client.HTTPResponse:
    """The response to a request, whose body hasn't been read."""
    headers = {"Authorization": f"Bearer {key or emulator.describe()['api_key']}"}
    connection.request(method, path, json.dumps(body), headers)
    return connection.getresponse()


def asked(emulator: OpenAIEmulator, body: object = QUESTION, **how: Any) -> tuple[int, Any]:
    """The status and the JSON of a response."""
    with connected(emulator) as connection:
        response = sent(connection, emulator, body, **how)
        return response.status, json.loads(response.read())


def events_of(data: bytes) -> list[bytes]:
    """The data of events, read without our reader of them."""
    events = data.split(b"\n\n")
    assert events.pop() == b""
    assert all(event.startswith(b"data: ") for event in events)
    return [event.removeprefix(b"data: ") for event in events]


def test_an_answer_streams(emulator: OpenAIEmulator) -> None:
    """As events, with the usage last, and ``[DONE]``."""
    with connected(emulator) as connection:
        response = sent(connection, emulator, STREAMED)
        assert (response.status, response.headers["content-type"]) == (200, "text/event-stream")
        *events, done = events_of(response.read())
    chunks = [json.loads(event) for event in events]
    text = "".join(each["delta"].get("content", "") for one in chunks for each in one["choices"])
    assert (done, "How are you?" in text) == (b"[DONE]", True)
    assert chunks[-1]["usage"]["total_tokens"] > 0


def test_an_answer_comes_whole(emulator: OpenAIEmulator) -> None:
    """As JSON."""
    status, found = asked(emulator)
    assert status == 200
    assert "How are you?" in found["choices"][0]["message"]["content"]


def test_a_stranger_is_refused(emulator: OpenAIEmulator) -> None:
    """With the status and the words of the service."""
    status, found = asked(emulator, key="other")
    assert (status, found["error"]["code"]) == (401, "invalid_api_key")


def test_models_are_listed(emulator: OpenAIEmulator) -> None:
    """By GET."""
    status, found = asked(emulator, method="GET", path="/v1/models")
    assert (status, [each["id"] for each in found["data"]]) == (200, ["any"])


def test_a_connection_takes_further_questions(emulator: OpenAIEmulator) -> None:
    """Streams, whole answers and refusals, one after the other."""
    with connected(emulator) as connection:
        for body in (STREAMED, QUESTION, {}, STREAMED):
            sent(connection, emulator, body).read()
    assert [exchange.connection for exchange in emulator.exchanges] == [0] * 4


@pytest.mark.parametrize(
    ("settings", "config"),
    [
        ({"models": ("m:8b", "n")}, "openai:m:8b"),
        ({"models": ("a/b & c|d?",)}, "openai:a/b%20%26%20c%7Cd%3F"),
        ({"key_header": "api-key"}, "azure:any"),
        ({"key_header": "api-key", "models": ("mine",)}, "azure:mine"),
    ],
)
def test_what_it_tells_leads_there(
    settings: dict[str, Any], config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variables and the config string fit the settings."""
    with OpenAIEmulator(pace=0, **settings) as emulator:
        for name, value in emulator.environment().items():
            monkeypatch.setenv(name, value)
        assert config == emulator.describe()["config"]
        assert "Hello" in new_client(config).sync_generate("Hello").text


def test_a_limit_says_when_to_come_again() -> None:
    """In whole seconds, at least one."""
    with OpenAIEmulator(pace=0, per_minute=1) as emulator:
        assert asked(emulator)[0] == 200
        with connected(emulator) as connection:
            response = sent(connection, emulator)
            assert response.status == 429
            assert 1 <= int(response.headers["retry-after"]) <= 60


@pytest.mark.parametrize(
    ("switches", "expected"),
    [
        ({"busy": True}, (503, "server_is_overloaded")),
        ({"models": ("a",)}, (404, "model_not_found")),
        ({"forbidden": ("How",)}, (400, "content_policy_violation")),
        ({"context": 1}, (400, "context_length_exceeded")),
        ({"concurrent": 0}, (429, "rate_limit_exceeded")),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_refusals_are_switches(switches: dict[str, Any], expected: tuple[int, str]) -> None:
    """Each by its status and code."""
    with OpenAIEmulator(pace=0, **switches) as emulator:
        status, found = asked(emulator)
    assert expected == (status, found["error"]["code"])


def test_an_answer_comes_in_pieces() -> None:
    """The first is here while the second waits for its time."""
    with OpenAIEmulator(pace=3600) as emulator, connected(emulator) as connection:
        response = sent(connection, emulator, STREAMED)
        assert response.readline().startswith(b"data: {")
        assert emulator.open_count == 1


def test_an_answer_that_nobody_waits_for_makes_room() -> None:
    """A client that leaves in the middle frees its place."""
    with OpenAIEmulator(pace=3600, concurrent=1) as emulator:
        for number in range(2):
            with connected(emulator) as connection:
                response = sent(connection, emulator, STREAMED)
                assert (response.status, response.readline()[:5]) == (200, b"data:")
                response.close()
            assert emulator.exchanges.wait(number).wait_gone()
            assert emulator._service.running == 0


def test_an_emulator_stops_with_answers_under_way() -> None:
    """Nobody has to wait for them."""
    with ExitStack() as clients:
        with OpenAIEmulator(pace=3600) as emulator:
            connection = clients.enter_context(connected(emulator))
            response = sent(connection, emulator, STREAMED)
            assert response.readline()
        with pytest.raises((http.client.HTTPException, OSError)):
            response.read()


def test_it_is_what_the_core_calls_an_emulator() -> None:
    """By its methods and by its arguments."""
    emulator: Emulator = OpenAIEmulator(
        host="127.0.0.1", port=0, app_id=None, api_key=None, api_secret=None
    )
    assert emulator is not None


@pytest.mark.parametrize("account", [{"app_id": "x"}, {"api_secret": "x"}])
def test_it_has_a_key_alone(account: dict[str, Any]) -> None:
    """What else an account could have is refused, and not forgotten in silence."""
    with pytest.raises(ConfigError, match=next(iter(account))):
        OpenAIEmulator(**account)


def test_the_command_line_runs_it() -> None:
    """It tells its variables, in a line of JSON, and a client in a new process is answered."""
    command = [str(MODELPLUG), "emulate", "openai", "-o", "pace=0", "-o", "models=a,b"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            done = subprocess.run(
                [MODELPLUG, "ask", "hi", "-b", "openai:b"],
                env={**os.environ, **told["environment"]},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=True,
            )
        finally:
            process.terminate()
    assert "stand-in of b" in done.stdout
    assert process.returncode == 0


def test_it_describes_its_address_and_account(emulator: OpenAIEmulator) -> None:
    """And the variables, and the arguments, that lead there."""
    told = emulator.describe()
    assert {"url", "api_key"} == set(told)
    assert told["url"] == f"{emulator.url}/v1"
    variables = {"OPENAI_API_KEY": told["api_key"], "OPENAI_BASE_URL": told["url"]}
    assert variables == dict(emulator.environment())
    params = {"proxy_api_base": told["url"], "proxy_api_key": told["api_key"]}
    assert params == dict(emulator.params())


def test_a_key_of_ones_own_is_taken() -> None:
    """Instead of a made-up one, of which no two are the same."""
    with OpenAIEmulator(api_key="k") as mine, OpenAIEmulator() as one, OpenAIEmulator() as other:
        keys = [each.describe()["api_key"] for each in (mine, one, other)]
    assert keys[0] == "k"
    assert len({*keys}) == 3
    assert all(key.startswith("sk-") for key in keys[1:])


def test_it_has_no_address_before_it_runs() -> None:
    """Nor after."""
    emulator = OpenAIEmulator()
    with emulator:
        assert emulator.describe()
    with pytest.raises(WrongUseError):
        emulator.describe()


def test_it_leaves_no_thread_and_no_socket_behind() -> None:
    """Once its block is left."""
    before = threading.active_count()
    with OpenAIEmulator() as emulator:
        port = int(emulator.url.rpartition(":")[2])
    assert before == threading.active_count()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_port_that_is_taken_is_told() -> None:
    """By the exception of whoever wanted it, not by a thread that nobody sees."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        mine = OpenAIEmulator(port=taken.getsockname()[1])
        with pytest.raises(OSError, match=r"(?i)address"), mine:
            pass


@pytest.mark.parametrize(
    ("host", "told"), [("::1", "http://[::1]:"), ("0.0.0.0", "http://127.0.0.1:")]
)
def test_an_address_can_be_gone_to(host: str, told: str) -> None:
    """In brackets, as URLs want it; and one that stands for all is told as one of them."""
    if ":" in host and not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    with OpenAIEmulator(host=host) as emulator:
        assert emulator.describe()["url"].startswith(told)


def test_a_script_takes_the_place_of_an_answer(emulator: OpenAIEmulator) -> None:
    """The next one; then it answers by itself again."""
    client = new_client({"backend": "openai:any", **emulator.params()})
    emulator.play("Hel", Reset())
    with pytest.raises(ConnectionLostError) as caught:
        client.sync_generate("hi")
    assert caught.value.partial is not None
    assert caught.value.partial.text == "Hel"
    assert "hi" in client.sync_generate("hi").text


async def test_it_may_be_entered_on_a_loop() -> None:
    """Which it doesn't block."""
    async with OpenAIEmulator(pace=0) as emulator:
        client = new_client({"backend": "openai:any", **emulator.params()})
        outputs = await asyncio.gather(*(client.generate(f"question {n}") for n in range(8)))
    assert [f"question {n}" in output.text for n, output in enumerate(outputs)] == [True] * 8


def test_it_speaks_tls_with_a_certificate_of_its_own() -> None:
    """Which a new process trusts by the variables that the emulator names."""
    with OpenAIEmulator(pace=0, tls=True) as emulator:
        assert emulator.describe()["url"].startswith("https://")
        variables = {**os.environ, **emulator.environment()}
        code = "import modelplug; print(modelplug.new_client('openai:m').sync_generate('hi').text)"
        done = subprocess.run(
            [sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True
        )
    assert "local stand-in" in done.stdout


def test_nobody_trusts_it_unasked() -> None:
    """A certificate that nobody vouches for is refused by a process that wasn't told."""
    with OpenAIEmulator(tls=True) as emulator:
        client = new_client({"backend": "openai:m", **emulator.params()})
        with pytest.raises(TlsError):
            client.sync_generate("hi")


@pytest.mark.parametrize("switches", [{"per_minut": 1}, {"per_minute": -1}, {"usage": "odd"}])
def test_a_wrong_switch_is_refused(switches: dict[str, Any]) -> None:
    """When the emulator is made, not when it is asked."""
    with pytest.raises(ValueError, match=next(iter(switches))):
        OpenAIEmulator(**switches)
