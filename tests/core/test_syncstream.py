"""Streams for threads: one reader, closing from elsewhere, Ctrl-C."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref

import pytest

from modelplug import Delta, Finish, LifecycleError, ModelStream, WrongUseError
from modelplug.syncstream import SyncModelStream
from tests.support.scripted import AsyncScripted


def test_ctrl_c_in_a_sync_stream_closes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """KeyboardInterrupt while a thread waits passes through and cancels the stream behind it."""
    client = AsyncScripted(Delta("a"), lambda: asyncio.sleep(60))
    stream = client.sync_generate_stream("hi")
    next(stream)

    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(stream._pump, "take", interrupted)
    with pytest.raises(KeyboardInterrupt):
        next(stream)
    assert client.aborted.wait(5)


def test_closing_a_sync_stream_from_another_thread_ends_its_reader() -> None:
    """A thread that waits for the next output gets what came, when another closes."""
    waiting = threading.Event()
    client = AsyncScripted(Delta("a"), waiting.set, lambda: asyncio.sleep(60))
    stream = client.sync_generate_stream("hi")
    errors: list[LifecycleError] = []

    def read() -> None:
        try:
            list(stream)
        except LifecycleError as error:
            errors.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    assert waiting.wait(5)
    stream.close()
    reader.join(5)
    assert [error.partial.text for error in errors if error.partial] == ["a"]


def test_two_threads_that_read_one_stream_are_told() -> None:
    """While one thread waits for more, another that reads is refused; one request is sent."""
    waiting, gate = threading.Event(), threading.Event()
    client = AsyncScripted(waiting.set, lambda: asyncio.to_thread(gate.wait, 5), Finish())
    stream = client.sync_generate_stream("hi")
    reader = threading.Thread(target=lambda: list(stream))
    reader.start()
    assert waiting.wait(5)
    with pytest.raises(WrongUseError):
        next(stream)
    gate.set()
    reader.join(5)
    assert len(client.calls) == 1


def test_leaving_at_the_final_output_is_no_abandoning() -> None:
    """A reader that stops at the last output has read it all: no warning, nothing cut."""
    client = AsyncScripted(Delta("a"), Finish())
    for output in client.sync_generate_stream("hi"):
        if output.final:
            break
    gc.collect()
    assert not client.aborted.is_set()


def test_a_stream_that_has_begun_lets_its_question_go() -> None:
    """Only the answer is kept while that comes, and after."""
    client = AsyncScripted(Delta("a"), Finish())

    def make() -> ModelStream:
        return client.generate_stream("hi")

    gone, stream = weakref.ref(make), SyncModelStream(make)
    del make
    next(stream)
    assert gone() is None
    assert [output.final for output in stream][-1:] == [True]


def test_a_close_while_the_stream_begins_ends_it() -> None:
    """A thread that closes just before another has made the connection leaves none open."""
    client = AsyncScripted(Delta("a"), lambda: asyncio.sleep(60))
    stream = client.sync_generate_stream("hi")
    make = stream._make

    def close_meanwhile() -> ModelStream:
        stream.close()
        return make()

    stream._make = close_meanwhile
    with pytest.raises(LifecycleError):
        list(stream)
    assert not client.calls or client.aborted.wait(5)
