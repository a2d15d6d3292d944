"""The process in which a subject is measured: ``python -m benchmarks.child '{"case": ...}'``.

Its last line of output is the reading, as JSON. It imports the standard library alone until the
subject is made, and what it imports before isn't measured but for memory.
"""

from __future__ import annotations

import json
import resource
import sys
from dataclasses import asdict, dataclass
from functools import partial
from importlib import import_module

from benchmarks.case import Case, Reading, Setting
from benchmarks.catalogue import case_of
from benchmarks.wire import CHARACTERS

__all__ = ["Job", "carry_out"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One run of one subject.

    Attributes:
        case: by its name.
        makes: see ``Subject``.
        asks, crowd, deltas: what the run has of the case, or less.
        port, control: the server's.
    """

    case: str
    makes: str
    asks: int
    crowd: int
    deltas: int
    port: int
    control: int

    def to_json(self) -> str:
        """What ``main`` takes."""
        return json.dumps(asdict(self))


def carry_out(job: Job) -> Reading:
    """Measure, in this process.

    Raises:
        KeyError: there is no such case.
    """
    case = case_of(job.case)
    assert case.program is not None, "a command is measured from outside"
    return case.program(_setting(case, job))


def _setting(case: Case, job: Job) -> Setting:
    module, _, name = job.makes.partition(":")
    make = getattr(import_module(module), name)
    return Setting(
        make=partial(make, job.port, tls=case.answer.tls) if case.answer else make,
        port=job.port,
        control=job.control,
        asks=job.asks,
        crowd=job.crowd,
        units=job.deltas if case.per == "delta" else 1,
        characters=job.deltas * CHARACTERS,
    )


def main() -> None:
    """Do the job that the one argument is, as JSON."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    reading = carry_out(Job(**json.loads(sys.argv[1])))
    print(json.dumps(reading), flush=True)


if __name__ == "__main__":
    main()
