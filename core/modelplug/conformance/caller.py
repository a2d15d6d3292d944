"""The process of ``calling``: it makes a client as the harness says, and calls.

It tells its check by lines of JSON on its standard output, and waits for it by reading its
standard input, whose first line has the scripts of a service that is played here.
"""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import select
import signal
import sys
import threading
import time
import tracemalloc
import warnings
from base64 import b64decode
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from modelplug.client import ProxyLLMClient
from modelplug.conformance.calling import MARK
from modelplug.conformance.directions import begun
from modelplug.conformance.harness import Account
from modelplug.conformance.processes import fate
from modelplug.conformance.subject import Subject
from modelplug.errors import ProxyLLMError
from modelplug.factory import new_client
from modelplug.output import ModelOutput
from modelplug.testing.upstream import Upstream

__all__ = ["main"]

_kept: list[object] = []
"""What is still there when the interpreter ends."""


class Caller:
    """A client, its service where that is in this process, and a way of asking.

    Attributes:
        task: what the check has told.
        service: None where it is at an address, in another process.
        client: the plugin's.
    """

    def __init__(self, task: Mapping[str, Any]) -> None:
        self.task = task
        self.service: Upstream | None = None
        subject = Subject.of(task["backend"], task["dist"])
        url, scripts = task["url"], sys.stdin.readline()
        if url is None:
            harness = subject.harness
            self.service = harness.wire(harness.codec).__enter__()  # it ends with the process
            for steps in pickle.loads(b64decode(scripts)):  # noqa: S301  # the check's own
                self.service.play(*steps)
            url = self.service.url
        params = subject.params(url, Account(**task["account"]))
        self.client: ProxyLLMClient = new_client(params)

    @property
    def is_async(self) -> bool:
        """Whether it asks from a coroutine."""
        return str(self.task["direction"]).startswith("async")

    @property
    def patience(self) -> float:
        """Seconds after which something counts as hanging."""
        return float(self.task["patience"])

    def tell(self, what: str, **more: object) -> None:
        """Tell the check."""
        sys.stdout.write(f"{MARK}{json.dumps({'what': what, **more})}\n")
        sys.stdout.flush()

    def wait(self) -> None:
        """Wait until the check says that it goes on."""
        sys.stdin.readline()

    def release(self, gate: str) -> None:
        """Open a gate of the service's, wherever that is."""
        if self.service is not None:
            self.service.release(gate)
        else:
            self.tell("release", gate=gate)

    def ask(self) -> ModelOutput | None:
        """The last output of a call, in the direction of the check."""
        if not str(self.task["direction"]).endswith("stream"):
            if self.is_async:
                return asyncio.run(self.client.generate("hi"))
            return self.client.sync_generate("hi")
        if self.is_async:
            return asyncio.run(self._last())
        last = None
        for last in self.client.sync_generate_stream("hi"):  # noqa: B007  # the last one is wanted
            pass
        return last

    async def _last(self) -> ModelOutput | None:
        last = None
        async for output in self.client.generate_stream("hi"):
            last = output
        return last


def cost(caller: Caller) -> None:
    """Tell what each of some answers takes of the processor's time, in seconds."""
    found, lengths = [], []
    for _ in range(caller.task["calls"]):
        before = time.process_time()
        last = caller.ask()
        found.append(time.process_time() - before)
        lengths.append(len(last.text) if last else 0)
    caller.tell("cost", seconds=found, lengths=lengths)


def memory(caller: Caller) -> None:
    """Tell how much memory some answers take while they are read, beyond what there was, each."""
    caller.ask()  # what is made once is there
    tracemalloc.start()
    found, lengths = [], []
    for _ in range(caller.task["calls"]):
        before, _peak = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        last = caller.ask()
        lengths.append(len(last.text) if last else 0)
        found.append(tracemalloc.get_traced_memory()[1] - before)
        del last
    tracemalloc.stop()
    caller.tell("memory", peaks=found, lengths=lengths)


def leave(caller: Caller) -> None:
    """Begin a stream, and come to the end of the program."""

    async def begin() -> None:
        stream = caller.client.generate_stream("hi")
        _kept.append(stream)
        await anext(stream)

    _kept.append(caller)
    if caller.is_async:
        asyncio.run(begin())
    else:
        stream = caller.client.sync_generate_stream("hi")
        _kept.append(stream)
        next(stream)
    caller.tell("left")


def interrupt(caller: Caller) -> None:
    """Tell what comes of a call in which Ctrl-C is pressed."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job has it switched off
    caller.ask()  # what is made once is there
    before = _threads()
    service = caller.service
    if service is not None:
        begun(partial(_tell_reached, caller, service))
    raised = "nothing"
    try:
        caller.tell("asking")
        caller.ask()
    except BaseException as error:  # noqa: BLE001  # it is what the check asks for
        raised = type(error).__name__
    gone = service is None or service.exchanges[-1].wait_gone(caller.patience / 5)
    until = time.monotonic() + caller.patience / 5
    while service is None and _threads() - before and time.monotonic() < until:
        time.sleep(0.01)
    threads = sorted(_threads() - before) if service is None else []
    caller.tell("interrupted", raised=raised, gone=gone, threads=threads)
    caller.wait()


def _tell_reached(caller: Caller, service: Upstream) -> None:
    service.wait_reached("never", caller.patience)
    caller.tell("reached")


def _threads() -> set[str]:
    return {f"{each.name} ({each.ident})" for each in threading.enumerate()}


def fork(caller: Caller) -> None:
    """Tell what comes of a call in a forked child, and of a stream that was open meanwhile."""
    stream = caller.client.sync_generate_stream("hi")
    first = next(stream).text
    reads, writes = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # there are threads, that's the point
        child = os.fork()
    if child == 0:
        _in_fork(caller, writes)
    os.close(writes)
    ready, _, _ = select.select([reads], [], [], caller.patience)
    told = os.read(reads, 65_536).decode() if ready else ""
    os.close(reads)
    if not ready:
        told = f"nothing within {caller.patience:g} s: it hangs"
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    told = told or f"nothing: it died, {fate(os.waitstatus_to_exitcode(status))}"
    caller.release("on")
    last = first
    for output in stream:
        last = output.text
    again = caller.ask()
    caller.tell("forked", child=told, stream=last, again=again.text if again else "")


def _in_fork(caller: Caller, writes: int) -> None:
    """Ask, write down what came, and be gone without any clean-up that is the parent's."""
    try:
        try:
            last = caller.ask()
            told = f"the text {last.text!r}" if last else "no output"
        except ProxyLLMError as error:
            told = f"an error of the contract's, {type(error).__name__}: {error}"
        except BaseException as error:  # noqa: BLE001  # a plugin may raise anything
            told = f"{type(error).__name__} from outside modelplug's errors: {error}"
        os.write(writes, told.encode())
    finally:
        os._exit(0)


_ACTS: Mapping[str, Callable[[Caller], None]] = {
    "cost": cost,
    "fork": fork,
    "interrupt": interrupt,
    "leave": leave,
    "memory": memory,
}


def main(task: Mapping[str, Any]) -> None:
    """Do what the check has told."""
    act, caller = _ACTS[task["act"]], Caller(task)
    try:
        act(caller)
    except Exception as error:  # noqa: BLE001  # a plugin may raise anything
        caller.tell("failed", error=f"{type(error).__name__}: {error}")
