"""What a process holds, and what Python complains of, while a check does something."""

from __future__ import annotations

import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from modelplug.conformance.calls import logged

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

__all__ = ["held", "one_worker", "threads", "unprinted", "watched"]

_OTHERS = ("modelplug-conformance", "asyncio_")
"""What names of threads begin with that aren't the plugin's: those of the kit itself, and of the
pool that each event loop has, keeps for its work, and ends."""

_DESCRIPTORS = "/proc/self/fd"
"""Where Linux lists them; elsewhere they aren't counted."""


def threads() -> set[str]:
    """The threads that there are, but for the kit's own and the loops': names and numbers."""
    found = threading.enumerate()
    return {f"{each.name} ({each.ident})" for each in found if not each.name.startswith(_OTHERS)}


def held() -> dict[str, int]:
    """How many threads and open files the process has."""
    counts = {"threads": len(threads())}
    if os.path.isdir(_DESCRIPTORS):
        counts["open files"] = len(os.listdir(_DESCRIPTORS))
    return counts


@contextmanager
def one_worker() -> Iterator[ThreadPoolExecutor]:
    """An executor with room for one."""
    with ThreadPoolExecutor(1, "modelplug-conformance-worker") as executor:
        yield executor


@contextmanager
def unprinted() -> Iterator[None]:
    """What the core logs in the block isn't printed for want of anybody who listens.

    That there is nothing to count tokens with, for one, which has nothing to do with a plugin.
    """
    nobody, logger = logging.NullHandler(), logging.getLogger("modelplug")
    logger.addHandler(nobody)
    try:
        yield
    finally:
        logger.removeHandler(nobody)


@contextmanager
def watched() -> Iterator[list[str]]:
    """What Python complains of within the block: warnings, lost exceptions, lost tasks."""
    complaints: list[str] = []
    with ExitStack() as watching:
        said = watching.enter_context(logged("asyncio"))
        warned = watching.enter_context(warnings.catch_warnings(record=True))
        warnings.simplefilter("always")
        watching.enter_context(_unraisable(complaints))
        yield complaints
        complaints += [f"{each.category.__name__}: {each.message}" for each in warned or ()]
        complaints += said


@contextmanager
def _unraisable(complaints: list[str]) -> Iterator[None]:
    def lost(unraisable: UnraisableHookArgs) -> None:
        told = unraisable.exc_value or unraisable.exc_type.__name__
        complaints.append(f"{unraisable.err_msg or 'an exception was lost'}: {told!r}")

    def ended(args: threading.ExceptHookArgs) -> None:
        complaints.append(f"a thread ended with {args.exc_type.__name__}: {args.exc_value}")

    before = sys.unraisablehook, threading.excepthook
    sys.unraisablehook, threading.excepthook = lost, ended
    try:
        yield
    finally:
        sys.unraisablehook, threading.excepthook = before
