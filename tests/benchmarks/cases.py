"""Results that were made up, for what tells of them."""

from __future__ import annotations

from benchmarks.case import Case, Result, Subject

OURS = Subject(name="modelplug", makes="", beside="bare")
BARE = Subject(name="bare", makes="", beside="bare", ours="modelplug")
PEER = Subject(name="<peer>", makes="", beside="bare", ours="modelplug", foreign=True)

CASE = Case(
    name="made-up",
    title="Made up",
    note="Nothing is measured.",
    subjects=(OURS, BARE, PEER),
    shows=("cpu", "peak", "threads"),
    per="delta",
    drawn=True,
)


def result(subject: Subject, *cpu: float, fault: str = "") -> Result:
    """One whose runs took so many seconds of CPU a delta."""
    readings = tuple({"cpu": each, "peak": 2.5 * 2**20, "threads": 1} for each in cpu)
    return Result(case=CASE, subject=subject, readings=readings, fault=fault)


RESULTS = [result(OURS, 2e-6, 4e-6, 3e-6), result(BARE, *[6e-6] * 3), result(PEER, *[90e-6] * 3)]
