"""Cancelling, closing and abandoning reach the service's socket; nothing is left open."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Awaitable, Callable

import pytest

from modelplug import (
    AuthenticationError,
    ClientClosedError,
    ConnectionLostError,
    Finish,
    ProxyLLMClient,
    TruncatedStreamError,
)
from modelplug.testing import CloseCode, CutFrame, Gate, Message
from modelplug.testing.websocket import WebSocketUpstream
from tests.providers.spark.wire import COUNTS, frame
from tests.support.scripted import DIRECTIONS, Ask
from tests.support.spark import client_of

directions = pytest.mark.parametrize("ask", DIRECTIONS.values(), ids=DIRECTIONS.keys())


async def cancel(client: ProxyLLMClient) -> None:
    """Cancel a task in the middle of an answer."""
    begun = asyncio.Event()

    async def read() -> None:
        async for _ in client.generate_stream("hi"):
            begun.set()

    task = asyncio.create_task(read())
    await begun.wait()
    task.cancel()
    await asyncio.wait([task])


async def close(client: ProxyLLMClient) -> None:
    """Close a stream after its first output."""
    stream = client.generate_stream("hi")
    await anext(stream)
    await stream.aclose()


async def leave(client: ProxyLLMClient) -> None:
    """Leave the block in the middle of an answer."""
    async with client.generate_stream("hi") as stream:
        await anext(stream)


async def abandon(client: ProxyLLMClient) -> None:
    """Drop a stream, and the last reference to it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        await anext(client.generate_stream("hi"))
        gc.collect()


async def close_client(client: ProxyLLMClient) -> None:
    """Close the client under an open stream."""
    stream = client.generate_stream("hi")
    await anext(stream)
    await client.aclose()


def sync_close(client: ProxyLLMClient) -> None:
    """Close a sync stream after its first output."""
    with client.sync_generate_stream("hi") as stream:
        next(stream)


def sync_abandon(client: ProxyLLMClient) -> None:
    """Drop a sync stream."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        next(client.sync_generate_stream("hi"))
        gc.collect()


def sync_close_client(client: ProxyLLMClient) -> None:
    """Close the client under an open sync stream."""
    stream = client.sync_generate_stream("hi")
    next(stream)
    client.close()
    stream.close()


@pytest.mark.parametrize("how", [cancel, close, leave, abandon, close_client])
def test_the_service_sees_an_async_caller_leave(
    upstream: WebSocketUpstream, how: Callable[[ProxyLLMClient], Awaitable[None]]
) -> None:
    """Whichever way an async caller leaves, the service's socket is closed while it runs."""
    upstream.play("a")

    async def main() -> bool:
        await how(client_of(upstream))
        return await asyncio.to_thread(upstream.exchanges.wait().wait_gone)

    assert asyncio.run(main())


@pytest.mark.parametrize("how", [sync_close, sync_abandon, sync_close_client])
def test_the_service_sees_a_sync_caller_leave(
    upstream: WebSocketUpstream, how: Callable[[ProxyLLMClient], None]
) -> None:
    """Whichever way a thread leaves, the service's socket is closed."""
    upstream.play("a")
    how(client_of(upstream))
    assert upstream.exchanges.wait().wait_gone()


@directions
@pytest.mark.parametrize("code", [1000, 1011])
def test_an_answer_that_just_stops_is_an_error(
    upstream: WebSocketUpstream, ask: Ask, code: int
) -> None:
    """Without its terminal sign an answer is truncated, whatever the close code."""
    upstream.play("half", CloseCode(code))
    with pytest.raises(TruncatedStreamError) as caught:
        ask(client_of(upstream), "hi")
    assert caught.value.partial is not None
    assert caught.value.partial.text == "half"


@directions
def test_a_cut_is_an_error_with_its_partial(upstream: WebSocketUpstream, ask: Ask) -> None:
    """A connection that is cut in the middle keeps what came."""
    upstream.play("half", CutFrame(0))
    with pytest.raises(ConnectionLostError) as caught:
        ask(client_of(upstream), "hi")
    assert caught.value.partial is not None
    assert (caught.value.partial.text, caught.value.sent) == ("half", "yes")


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_nothing_is_left_open(upstream: WebSocketUpstream) -> None:
    """Many calls that end in all ways leave no descriptor, thread or task behind."""
    upstream.play("a", "b", Finish(), times=None, when=lambda asked: b"whole" in asked.body)
    upstream.play("a", times=None)

    async def main() -> tuple[int, int]:
        loop_tasks = len(asyncio.all_tasks())
        for _ in range(20):
            await client_of(upstream).generate("the whole")
            await cancel(client_of(upstream))
            await close(client_of(upstream))
        await asyncio.sleep(0)
        return len(asyncio.all_tasks()) - loop_tasks, threading.active_count()

    def everything() -> tuple[int, int]:
        tasks, threads = asyncio.run(main())
        for _ in range(20):
            client_of(upstream).sync_generate("the whole")
            sync_close(client_of(upstream))
        return tasks, threads

    everything()
    before = settled_descriptors(upstream)
    tasks, _ = everything()
    assert (0, before) == (tasks, settled_descriptors(upstream))


def settled_descriptors(upstream: WebSocketUpstream) -> int:
    """Open descriptors once the service has seen everybody leave, and closed its own ends."""
    assert all(exchange.wait_gone() for exchange in upstream.exchanges)
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("how", ["close", "aclose"])
def test_readers_are_told_that_the_client_was_closed(upstream: WebSocketUpstream, how: str) -> None:
    """A reader on the same loop gets ClientClosedError, which nobody should retry."""
    upstream.play("a", times=None)

    async def main() -> list[type]:
        client = client_of(upstream)
        streams = [client.generate_stream("hi") for _ in range(20)]
        for stream in streams:
            await anext(stream)
        readers = [asyncio.create_task(anext(stream)) for stream in streams]
        await asyncio.sleep(0)
        if how == "close":
            client.close()
        else:
            await client.aclose()
        failures = await asyncio.gather(*readers, return_exceptions=True)
        return [type(failure) for failure in failures]

    assert [ClientClosedError] * 20 == asyncio.run(main())


@directions
def test_a_refusal_without_an_end_is_still_that_refusal(ask: Ask) -> None:
    """A 401 whose body never ends is an AuthenticationError in a second, not a time-out."""
    head = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 999\r\n\r\n"
    with socket.create_server(("127.0.0.1", 0)) as server:
        held = []

        def refuse() -> None:
            connection, _ = server.accept()
            held.append(connection)
            connection.recv(65536)
            connection.sendall(head + b'{"message":"HMAC signature does not match"')

        thread = threading.Thread(target=refuse)
        thread.start()
        with pytest.raises(AuthenticationError) as caught:
            ask(client_of(f"ws://127.0.0.1:{server.getsockname()[1]}"), "hi")
        thread.join(5)
        held[0].close()
    assert not caught.value.retryable


@directions
@pytest.mark.parametrize("count", [-1, 10**15, 10**400, "many"], ids=["-1", "big", "huge", "word"])
def test_a_bill_that_cant_be_read_costs_no_answer(
    upstream: WebSocketUpstream, ask: Ask, count: object
) -> None:
    """Whatever the service says that the answer cost, the answer is there."""
    bill = {"prompt_tokens": 1, "completion_tokens": count}
    last = frame("b", 1, status=2, usage=bill)
    upstream.play(Message(frame("a", 0, status=0)), Message(last))
    output = ask(client_of(upstream), "hi")[-1]
    assert (output.text, output.finish_reason) == ("ab", "stop")
    assert output.to_dict()


@directions
def test_what_came_with_the_bill_can_be_dumped(upstream: WebSocketUpstream, ask: Ask) -> None:
    """Nested rubbish beside the counts neither fails the call nor a dump of its output."""
    last = frame("a", 0, status=2, usage=COUNTS)
    rubbish = b'"z": ' + b"[" * 700 + b"]" * 700
    upstream.play(Message(last.replace(b'"total_tokens": 10', rubbish)))
    output = ask(client_of(upstream), "hi")[-1]
    assert output.to_dict()["text"] == "a"


def test_a_slow_thread_holds_a_flood_of_large_messages_back(upstream: WebSocketUpstream) -> None:
    """A thread that doesn't read keeps a few messages waiting, not all that the service has."""
    upstream.play(*["x" * 500_000] * 60)
    with client_of(upstream).sync_generate_stream("hi") as stream:
        next(stream)
        threading.Event().wait(0.5)  # what would be read ahead is read in this time
        assert len(stream._stream._answer.pieces) < 30  # type: ignore[union-attr]  # it has begun


OPEN = """
import asyncio, sys
from tests.support.spark import client_of
client = client_of(sys.argv[1])
"""


def python(script: str, upstream: WebSocketUpstream) -> subprocess.Popen[str]:
    """A process with a client of ``upstream``."""
    command = [sys.executable, "-c", OPEN + script, upstream.url]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def test_a_process_ends_quietly_in_the_middle_of_answers(upstream: WebSocketUpstream) -> None:
    """Streams of both kinds, open at the end of the program: status 0, no word, sockets closed."""
    upstream.play("a", times=None)
    script = """
kept = [client.sync_generate_stream("hi") for _ in range(3)]
for stream in kept:
    next(stream)
    stream.itself = stream  # no finaliser before the very end
async def main():
    kept.append(client.generate_stream("hi"))
    await anext(kept[-1])
    kept[-1].itself = kept[-1]
asyncio.run(main())
print("leaving")
"""
    with python(script, upstream) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "leaving\n", "")
    gone = [exchange.wait_gone() for exchange in upstream.exchanges]
    assert gone == [True] * 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_leaves_its_parents_answer_alone(upstream: WebSocketUpstream) -> None:
    """It drops the stream, closes the client, asks on a thread of its own, and ends as usual."""
    upstream.play("a", Gate("forked"), "b", Finish())
    upstream.play("the child's", Finish())
    script = """
import gc, os, warnings
from tests.support.spark import client_of
stream = client.sync_generate_stream("hi")
next(stream)
child = os.fork()
if not child:
    warnings.simplefilter("ignore", ResourceWarning)
    client.close()
    del stream, client
    gc.collect()
    print(client_of(sys.argv[1]).sync_generate("hi").text, flush=True)
    sys.exit(3)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
print([output.text for output in stream][-1])
"""
    with python(script, upstream) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(2)]
        upstream.release("forked")
        out, err = process.communicate(timeout=60)
    assert (told, process.returncode, out, err) == (["the child's\n", "3\n"], 0, "ab\n", "")
