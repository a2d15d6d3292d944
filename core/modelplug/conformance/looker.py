"""The process of ``Looker``: it is told of cells by its standard input, and answers."""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any, TextIO

from modelplug.conformance.directions import Loop
from modelplug.conformance.runner import all_checks, look
from modelplug.conformance.subject import Subject

__all__ = ["main"]


def main(task: Mapping[str, Any]) -> None:
    """Look at what is asked for, until there is nothing more."""
    asked, answers = _pipes()
    checks = {each.id: each for each in all_checks()}
    numbers = {"seed": task["seed"], "quantum": task["quantum"]}
    subject = Subject.of(task["backend"], task["dist"])
    gc.freeze()  # what is there already is no check's: each collects garbage, and needn't see it
    with suppress(KeyboardInterrupt), Loop.running() as loop:
        for line in asked:
            check, direction = json.loads(line)
            cell = look(subject, checks[check], direction, loop=loop, **numbers)
            answers.write(json.dumps(asdict(cell)) + "\n")
            answers.flush()


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
