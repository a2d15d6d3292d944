"""A rate that processes share, in a real Redis."""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from pyrate_limiter import Decision
from redis import ConnectionError as RedisConnectionError
from redis import Redis

from modelplug import Delta, Finish, RateGateError
from modelplug.policies.rate import RateLimit
from modelplug.policies.sharedrate import SharedGate, WhenDown
from tests.support.redis import PASSWORD, RedisServer, redis_server
from tests.support.scripted import AsyncScripted, BlockingScripted


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """One server for tests that leave it running."""
    with redis_server() as server:
        yield server


def gate(server: RedisServer, name: str, a_minute: int, **more: object) -> SharedGate:
    """A gate at a time that stands still."""
    return SharedGate(server.client(), name, a_minute, now=lambda: 1e9, **more)  # type: ignore[arg-type]  # as there


PROCESS = """
import asyncio, sys
from redis import Redis
from modelplug.policies.sharedrate import SharedGate

now, passed = 0.0, 0
gate = SharedGate(Redis.from_url(sys.stdin.readline().strip()), "shared", 6000, burst=10,
                  now=lambda: 1e9 + now)
for line in sys.stdin:
    now, passed = float(line), 0
    while asyncio.run(gate.acquire(1)) == 0:
        passed += 1
    print(passed, flush=True)
"""
"""Another process: at each time that it is told it takes all that it can get."""


def test_processes_share_one_rate(server: RedisServer) -> None:
    """Four of them, for ten seconds of a clock of the test's: a hundred a second together."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]

    def told(process: subprocess.Popen[str], line: str) -> None:
        assert process.stdin is not None
        process.stdin.write(line + "\n")
        process.stdin.flush()

    def answer(process: subprocess.Popen[str]) -> int:
        assert process.stdout is not None
        return int(process.stdout.readline())

    passed = []
    try:
        for process in processes:
            told(process, server.url)
        for tick in range(101):
            for process in processes:  # at once, so that they race for what there is
                told(process, str(tick * 0.1))
            passed.append([answer(process) for process in processes])
    finally:
        for process in processes:
            process.communicate()
    total = sum(map(sum, passed))
    assert abs(total - (10 + 100 * 10)) <= 10
    # And nobody was left out of it.
    assert all(sum(each) > 0 for each in zip(*passed, strict=True))


def test_names_are_limits_of_their_own(server: RedisServer) -> None:
    """One that is used up is no other's affair."""
    one, other = gate(server, "one", 60, burst=1), gate(server, "other", 60, burst=1)
    waits = [asyncio.run(each.acquire(1)) for each in (one, other, one, other)]
    assert waits == [0, 0, 1, 1]


@pytest.mark.parametrize("name", ["a b", "ключ:小", "a\r\nFLUSHALL\r\n", "{x}*?[", "\0", ""])
def test_a_name_may_hold_anything(server: RedisServer, name: str) -> None:
    """It is one key, as it stands."""
    asyncio.run(gate(server, name, 60).acquire(1))
    with server.client() as client:
        assert client.exists(f"modelplug:rate:{name}") == 1


def test_the_key_expires(server: RedisServer) -> None:
    """What nobody uses is gone once it means nothing any more."""
    asyncio.run(gate(server, "passing", 60, burst=10).acquire(1))
    with server.client() as client:
        left = client.pttl("modelplug:rate:passing")
        assert client.type("modelplug:rate:passing") == b"hash"
    assert isinstance(left, int)
    assert 0 < left <= 220_000  # twice the ten seconds of a burst, and of ten that are owed


def test_what_is_charged_is_owed_by_all(server: RedisServer) -> None:
    """From when it was charged on, though Redis hears of it with the next call."""
    now = 1e9
    one, other = (
        SharedGate(server.client(), "owed", 60, burst=10, now=lambda: now) for _ in range(2)
    )
    one.charge(25)
    now += 5
    waits = [asyncio.run(one.acquire(1)), asyncio.run(other.acquire(1))]
    assert waits == [11, 11]
    other.charge(-12)
    assert asyncio.run(other.acquire(2)) == 0
    assert asyncio.run(one.acquire(1)) == 1


def test_what_is_owed_is_kept_until_it_is_made_up_for(server: RedisServer) -> None:
    """However much it is, and no more than ten times what may pass at once."""
    gates = gate(server, "deep", 60, burst=60)
    for _ in range(3):
        gates.charge(10**18)
    assert asyncio.run(gates.acquire(1)) == 541
    with server.client() as client:
        left = client.pttl("modelplug:rate:deep")
    assert isinstance(left, int)
    assert left > 600_000


def test_threads_and_loops_share_a_gate(server: RedisServer) -> None:
    """Twenty pass, whoever asks; the gate belongs to no loop."""
    shared = gate(server, "threads", 60, burst=20)
    with ThreadPoolExecutor(8) as pool:
        waits = list(pool.map(lambda _: asyncio.run(shared.acquire(1)), range(80)))
    assert waits.count(0) == 20


@pytest.mark.parametrize("kind", [AsyncScripted, BlockingScripted])
def test_it_limits_a_client(server: RedisServer, kind: type[AsyncScripted]) -> None:
    """Two gates at one address: the second client has no turn any more."""
    name = f"client-{kind.__name__}"
    clients = [
        RateLimit(kind(Delta("a"), Finish()), requests=SharedGate.at(server.url, name, 1, burst=1))
        for _ in range(2)
    ]
    assert clients[0].sync_generate("hi").text == "a"
    with pytest.raises(RateGateError) as caught:
        clients[1].sync_generate("hi")
    assert caught.value.retry_after is not None
    assert caught.value.retry_after > 10
    for client in clients:
        client.close()


@pytest.mark.parametrize("when_down", ["pass", "refuse"])
def test_a_server_that_is_killed(when_down: WhenDown, caplog: pytest.LogCaptureFixture) -> None:
    """Calls pass, or are refused, as told; nothing that is printed has address or password."""
    with redis_server() as server:
        redis = Redis.from_url(server.url, socket_timeout=0.05, socket_connect_timeout=0.05)
        shared = SharedGate(redis, "killed", 60, when_down=when_down)
        assert asyncio.run(shared.acquire(1)) == 0
        server.kill()
        with caplog.at_level(logging.DEBUG):
            if when_down == "pass":
                assert asyncio.run(shared.acquire(1)) == 0
                told = caplog.text
                assert "Redis doesn't answer (ConnectionError)" in told
            else:
                with pytest.raises(RateGateError, match="Redis doesn't answer") as caught:
                    asyncio.run(shared.acquire(1))
                error = caught.value
                assert (error.__cause__, error.__context__, error.sent) == (None, None, "no")
                told = caplog.text + repr(error) + str(error)
    for secret in (PASSWORD, str(server.port), "127.0.0.1"):
        assert secret not in told


def test_a_server_that_is_silent_has_its_time_and_no_more() -> None:
    """It is asked once, for as long as is allowed: no library tries again behind our back."""
    accepted: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as silent:

        def accept() -> None:
            while True:
                try:
                    accepted.append(silent.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        url = f"redis://:{PASSWORD}@127.0.0.1:{silent.getsockname()[1]}/0"
        assert asyncio.run(SharedGate.at(url, "silent", 60).acquire(1)) == 0
        silent.shutdown(socket.SHUT_RDWR)
    thread.join(5)
    for connection in accepted:
        connection.close()
    assert len(accepted) == 1


@pytest.mark.parametrize("trouble", ["password", "key"])
def test_a_server_that_refuses_is_called_so(
    server: RedisServer, trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Once, however many calls there are: a wrong password is no server that is away."""
    name, url = f"refused-{trouble}", server.url
    if trouble == "password":
        url = url.replace(PASSWORD, "canary-0123456789abcdef")
    else:
        with server.client() as client:
            client.lpush(f"modelplug:rate:{name}", "x")
    shared = SharedGate.at(url, name, 5)
    assert [asyncio.run(shared.acquire(1)) for _ in range(3)] == [0] * 3
    shared.close()
    (told,) = (each.getMessage() for each in caplog.records if each.name == "modelplug")
    assert told.startswith("the shared rate isn't kept: Redis refuses (")
    assert "canary" not in caplog.text


def test_that_a_server_is_away_and_back_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Not with every call."""
    down = True

    class Store:
        def check(self, *_: object) -> Decision:
            if down:
                raise RedisConnectionError("x")
            return Decision()

    shared = SharedGate(Redis(), "away", 5)
    shared._store = Store()  # type: ignore[assignment]  # as far as it is asked
    for down in (True, True, True, False, False, True):  # noqa: B007  # Store reads it
        assert asyncio.run(shared.acquire(1)) == 0
    away = "the shared rate isn't kept: Redis doesn't answer (ConnectionError)"
    told = [each.getMessage() for each in caplog.records]
    assert told == [away, "the shared rate is kept again", away]


def test_the_time_is_redis_s_own(server: RedisServer) -> None:
    """What is charged is charged as of then, and no clock of a machine's has a say."""
    one, other = (SharedGate(server.client(), "time", 1, burst=10) for _ in range(2))
    other._now = lambda: time.monotonic() + 10**6
    assert asyncio.run(one.acquire(5)) == 0
    assert asyncio.run(other.acquire(5)) == 0
    waits = [asyncio.run(each.acquire(1)) for each in (one, other)]
    assert all(0 < wait <= 60 for wait in waits)
    one._charges.append((1, time.monotonic() - 30))
    assert 60 < asyncio.run(other.acquire(1)) + asyncio.run(one.acquire(1)) <= 180


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:1/0?foo=1",
        f"redis://:pw@{'a' * 70}:6379/0",
        "redis://:pw@h..st/0",
        "redis://127.0.0.1:1/0?socket_timeout=abc",
        "http://x",
        "redis://127.0.0.1:99999/0",
    ],
)
def test_what_is_no_address_is_refused_at_once(url: str) -> None:
    """Rather than by every call; the error has nothing of it."""
    with pytest.raises(ValueError, match="that is no address of a Redis") as caught:
        SharedGate.at(url, "no", 5)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


@pytest.mark.parametrize("closes", [True, False])
def test_closing_it_closes_a_client_of_its_own(server: RedisServer, closes: bool) -> None:
    """One that it was given is not its to close; and it may be asked again."""
    closed: list[Redis] = []

    class Watched(Redis):
        def close(self) -> None:
            closed.append(self)
            super().close()

    redis = Watched.from_url(server.url)
    shared = SharedGate(redis, f"closing-{closes}", 60, burst=2, closes=closes)
    for _ in range(2):
        assert asyncio.run(shared.acquire(1)) == 0
        shared.close()
    assert closed == [redis] * 2 * closes
    redis.close()


def test_it_comes_back_by_itself() -> None:
    """A server that has forgotten its scripts is given them again."""
    with redis_server() as server:
        shared = gate(server, "again", 60, burst=2)
        assert asyncio.run(shared.acquire(1)) == 0
        with server.client() as client:
            client.script_flush()
            client.flushall()
        assert asyncio.run(shared.acquire(2)) == 0


def test_without_its_library_it_says_what_to_install() -> None:
    """The local rate doesn't need it."""
    code = (
        "import sys; sys.modules['redis'] = None\n"
        "import modelplug.policies.rate, modelplug\n"
        "try:\n    import modelplug.policies.sharedrate\n"
        "except modelplug.MissingDependencyError as error:\n    print(error.hint)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "pip install 'modelplug[redis]'\n"
