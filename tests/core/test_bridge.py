"""The bridge between threads and event loops."""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import linecache
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import Any, Self

import pytest

from modelplug import (
    Delta,
    Finish,
    WrongUseError,
    bridge,
    pump,
    stream,
    syncstream,
)
from modelplug.bridge import run
from tests.support.scripted import AsyncScripted

who = contextvars.ContextVar("who", default="nobody")


async def whoami() -> str:
    """Whose context this runs in."""
    return who.get()


def test_a_coroutine_runs_in_the_callers_context() -> None:
    """Context variables of the calling thread are seen on the loop thread."""
    who.set("me")
    assert run(whoami) == "me"


def test_all_sync_calls_share_one_thread() -> None:
    """However many calls, one thread of the bridge serves them."""

    async def thread() -> int:
        return threading.get_ident()

    with ThreadPoolExecutor(8) as pool:
        idents = set(pool.map(lambda _: run(thread), range(40)))
    assert (len(idents), threading.get_ident() in idents) == (1, False)


def test_a_sync_call_on_the_loop_thread_is_refused() -> None:
    """A call that would wait for itself is an error at once."""

    async def nested() -> str:
        return AsyncScripted(Finish()).sync_generate("hi").text

    with pytest.raises(WrongUseError):
        run(nested)


def test_a_sync_call_works_inside_a_running_loop() -> None:
    """A coroutine on any other loop may use the sync calls; it blocks that loop only."""

    async def main() -> str:
        return AsyncScripted(Delta("a"), Finish()).sync_generate("hi").text

    assert asyncio.run(main()) == "a"


@pytest.mark.fault(86, way="sync stream", subject="hostile")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_gets_a_thread_of_its_own() -> None:
    """After a fork the child's sync calls work, and the parent's stream is refused there."""
    script = """
import os, sys
from modelplug import Delta, Finish, WrongUseError
from tests.support.scripted import AsyncScripted
import asyncio
client = AsyncScripted(Delta("a"), lambda: asyncio.sleep(0.01), Finish())
stream = client.sync_generate_stream("hi")
next(stream)
child = os.fork()
if child == 0:
    refused = False
    try:
        list(stream)
    except WrongUseError:
        refused = True
    os._exit(0 if refused and client.sync_generate("hi").text == "a" else 1)
_, status = os.waitpid(child, 0)
assert [output.final for output in stream] == [True]
sys.exit(os.waitstatus_to_exitcode(status))
"""
    done = subprocess.run([sys.executable, "-c", script], timeout=30, check=False)
    assert done.returncode == 0


@pytest.mark.fault(92, way="sync stream", subject="hostile")
@pytest.mark.parametrize("kind", ["AsyncScripted", "BlockingScripted"])
def test_the_interpreter_exits_with_a_stream_open(kind: str) -> None:
    """A process that ends in the middle of an answer ends at once and quietly."""
    wait = "asyncio.sleep(60)" if kind == "AsyncScripted" else "time.sleep(60)"
    script = f"""
import asyncio, time
from modelplug import Delta
from tests.support.scripted import {kind}
stream = {kind}(Delta("a"), lambda: {wait}).sync_generate_stream("hi")
next(stream)
stream.keep = stream  # no finaliser before the very end
print("leaving")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, timeout=30, check=False, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "leaving\n", "")


def settle(condition: object) -> bool:
    """Whether ``condition()`` comes to hold; threads end in their own time."""
    for _ in range(500):
        if condition():  # type: ignore[operator]  # a callable
            return True
        threading.Event().wait(0.01)
    return False


def test_the_loop_survives_what_would_end_it() -> None:
    """SystemExit out of a coroutine reaches the caller and leaves the loop thread alive."""

    async def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        run(leave)
    assert "nobody" in (run(whoami), "nobody")


SEEN = tuple(each.__file__ for each in (bridge, pump, stream, syncstream))
"""Where the code between the worlds is."""


class Interrupted:
    """Has Ctrl-C come at the ``at``-th step that a thread takes in the code between the worlds.

    A step is a call, a line or a return: between any two of them Python may see to signals. But
    not between a block and the exit of its ``with``, where a lock would stay locked. And what is
    raised in a finaliser, it drops.
    """

    def __init__(self, at: int) -> None:
        self.has_come = False
        self._left = at

    def __enter__(self) -> Self:
        self._before = sys.gettrace()
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _trace(self, frame: FrameType, event: str, _: object) -> Any:
        if frame.f_code.co_filename not in SEEN:
            return None
        line = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
        if event == "exception" or line.lstrip().startswith("with "):
            return self._trace
        self._left -= 1
        if self._left <= 0 and not self.has_come and not _is_finalising(frame):
            self.has_come = True
            raise KeyboardInterrupt
        return self._trace


def _is_finalising(frame: FrameType | None) -> bool:
    return frame is not None and (frame.f_code.co_name == "__del__" or _is_finalising(frame.f_back))


def ask_whole(client: AsyncScripted) -> object:
    """One question, one answer."""
    return client.sync_generate("hi")


def ask_in_a_block(client: AsyncScripted) -> object:
    """A stream that is left early, but closed."""
    with client.sync_generate_stream("hi") as answer:
        return next(answer)


def ask_and_drop(client: AsyncScripted) -> object:
    """A stream that nobody closes; for whoever is to drop it."""
    answer = client.sync_generate_stream("hi")
    next(answer)
    return answer


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of dropped streams
@pytest.mark.parametrize("is_first", [True, False], ids=["first call", "later call"])
@pytest.mark.parametrize("ask", [ask_whole, ask_in_a_block, ask_and_drop])
def test_ctrl_c_at_any_step_leaves_nothing_running(
    monkeypatch: pytest.MonkeyPatch, ask: Callable[[AsyncScripted], object], is_first: bool
) -> None:
    """Wherever a call stands when Ctrl-C comes, it is ended, and the next call works."""
    waiting = threading.Event()

    class Announcing(Future[object]):
        """Tells that the thread has come to wait: from there the answer may be whole."""

        def result(self, timeout: float | None = None) -> object:
            """As usual."""
            waiting.set()
            return super().result(timeout)

    async def hold() -> None:
        while not waiting.is_set():  # noqa: ASYNC110  # another thread's, and its own step
            await asyncio.sleep(0.001)

    monkeypatch.setattr(bridge, "Future", Announcing)
    kept: list[object] = []
    steps, has_come = 0, True
    while has_come:
        steps += 1
        waiting.clear()
        if is_first:
            monkeypatch.setattr(bridge, "_process", bridge._Process())
        whole = ask is ask_whole
        client = AsyncScripted(Delta("a"), hold if whole else partial(asyncio.sleep, 60), Finish())
        with suppress(KeyboardInterrupt), Interrupted(steps) as interrupted:
            kept.append(ask(client))
        has_come = interrupted.has_come
        kept.clear()
        assert settle(lambda: run(others) == 0), f"a call goes on after step {steps}"
        assert client.closed == len(client.calls)
        assert AsyncScripted(Finish()).sync_generate("hi").final
        if is_first:
            end_of(bridge._process)
    assert steps > 30


async def others() -> int:
    """Tasks on the loop beside the one that counts."""
    return len(asyncio.all_tasks()) - 1


def end_of(process: bridge._Process) -> None:
    """Stop a loop thread that is not the process's own."""
    thread = process.loop_thread()
    thread.stop()
    atexit.unregister(thread.stop)
    assert thread.loop.is_closed()


@pytest.mark.parametrize("ask", ["sync_generate('hi')", "sync_generate_stream('hi').__next__()"])
def test_a_call_at_the_very_end_is_refused(ask: str) -> None:
    """When the loop has ended with the interpreter, nobody waits for it for ever."""
    script = f"""
import atexit
from modelplug import Delta, Finish, LifecycleError
from tests.support.scripted import AsyncScripted
client = AsyncScripted(Delta("a"), Finish())

@atexit.register  # runs after the loop's own, which comes with the first call
def late():
    try:
        client.{ask}
    except LifecycleError as error:
        print(error.message)

client.sync_generate("hi")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, timeout=30, check=False, text=True
    )
    told = "the interpreter is about to exit\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, told, "")
