"""The process of ``Looker``: it is asked by its standard input, and answers, a line of JSON each.

It ends when nobody asks any more, also in the middle of a cell that doesn't end.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from queue import SimpleQueue
from traceback import extract_tb
from typing import Any, NoReturn, TextIO

from modelplug.conformance.directions import DirectionName, Loop, begun
from modelplug.conformance.report import Cell
from modelplug.conformance.runner import all_checks, claims, look
from modelplug.conformance.selfcheck import self_checked
from modelplug.conformance.subject import Subject
from modelplug.errors import PluginContractError, ProxyLLMError
from modelplug.registry import registry

__all__ = ["main"]

_GRACE = 1.0
"""Seconds for which a process may go on when nobody asks any more."""


def main(task: Mapping[str, Any]) -> None:
    """Answer what is asked, until there is nothing more."""
    # Nobody presses Ctrl-C here: this is a group of its own, and an interrupt is the plugin's.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    asked, answers = _pipes()
    questions = _questions(asked)
    desk = _Desk(task)
    while question := questions.get():
        answer = json.dumps(desk.answer(*json.loads(question)))
        try:
            answers.write(f"{answer}\n")
            answers.flush()
        except BrokenPipeError:  # nobody is there any more
            _end()


class _Desk:
    """Who answers.

    Args:
        task: who is looked at, and with which numbers.
    """

    def __init__(self, task: Mapping[str, Any]) -> None:
        self._who: tuple[str, str] = task["backend"], task["dist"]
        self._quantum: float = task["quantum"]
        self._seed: int = task["seed"]
        self._checks = {each.id: each for each in all_checks()}

    @cached_property
    def subject(self) -> Subject:
        """Who is looked at."""
        subject = Subject.of(*self._who)
        # What is there already is no check's: each collects garbage, and needn't see it.
        gc.freeze()
        return subject

    def answer(self, question: str, *about: Any) -> Mapping[str, object]:
        """What is to be said to a question."""
        answers: Mapping[str, Callable[..., Mapping[str, object]]] = {
            "load": self._load,
            "harness": self._harness,
            "look": self._look,
            "claims": self._claims,
        }
        return answers[question](*about)

    def _load(self) -> Mapping[str, object]:
        try:
            registry().load(*self._who)
        except BaseException as error:  # noqa: BLE001  # a plugin may raise anything
            return _trouble(error)
        return _loaded([])

    def _harness(self) -> Mapping[str, object]:
        try:
            harness = self.subject.harness
        except BaseException as error:  # noqa: BLE001  # a harness may, too
            return _trouble(error)
        return _loaded(self_checked(harness))

    def _look(self, check: str, direction: DirectionName) -> Mapping[str, object]:
        with Loop.running() as loop:
            cell = look(
                self.subject,
                self._checks[check],
                direction,
                loop=loop,
                seed=self._seed,
                quantum=self._quantum,
            )
        # What blocks a loop would be in the way of all that comes after it.
        return {"cell": asdict(cell), "goes_on": loop.has_ended}

    def _claims(self) -> Mapping[str, object]:
        return {"claims": dict(claims(self.subject, quantum=self._quantum))}


def _loaded(cells: Sequence[Cell]) -> Mapping[str, object]:
    return {"cells": [asdict(each) for each in cells], "error": None}


def _trouble(error: BaseException) -> Mapping[str, object]:
    """What ends a run, in words."""
    if not isinstance(error, ProxyLLMError):
        return {"cells": [], "error": {"message": f"loading it raised {_raised(error)}"}}
    cause = error.__cause__
    # What goes against the contract may hold what must not be shown.
    told = cause and _raised(cause, is_shown=not isinstance(error, PluginContractError))
    words = {"message": str(error), "cause": told, "hint": error.hint}
    return {"cells": [], "error": words}


def _raised(error: BaseException, *, is_shown: bool = True) -> str:
    """An error and the line that raised it."""
    text = f": {error}" if is_shown and str(error) else ""
    places = extract_tb(error.__traceback__)[-1:]
    place = "".join(f" ({each.filename}, line {each.lineno})" for each in places)
    return f"{type(error).__name__}{text}{place}"


def _questions(asked: TextIO) -> SimpleQueue[str]:
    """The lines that come, and then an empty one; soon after that one, the process ends."""
    lines: SimpleQueue[str] = SimpleQueue()

    def hear() -> None:
        try:
            for line in asked:
                lines.put(line)
        finally:  # a plugin may close what isn't its own
            lines.put("")
            time.sleep(_GRACE)  # who is idle ends by itself
            _end()

    begun(hear, name="modelplug-conformance-questions")
    return lines


def _end() -> NoReturn:
    """End this process and what it has started, whatever it is at."""
    if os.name == "posix" and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _pipes() -> tuple[TextIO, TextIO]:
    """What standard input and output were; from now on no print of a plugin's can be an answer.

    What it does print goes to standard error, and neither pipe comes into another process.
    """
    asked = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return asked, answers
