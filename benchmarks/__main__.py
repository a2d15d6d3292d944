"""The command line: ``python -m benchmarks [--runs 5] [--only PREFIX] [--quick] [--docs docs]``.

What is measured is written after each case, where ``--json`` or ``--docs`` says; ``--from`` reads
it, and goes on with what it lacks.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.case import Case
from benchmarks.catalogue import CASES, chosen
from benchmarks.machine import load, machine
from benchmarks.pages import READINGS, report, write
from benchmarks.record import Record
from benchmarks.running import FOREIGN, NOT_INSTALLED, Runner

_QUICK, _NO_PEERS = "quick", "without peers"
"""What the fact ``runs`` of a record tells of one that left something out."""


def options() -> argparse.ArgumentParser:
    """What can be asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    add = parser.add_argument
    add("--runs", type=int, default=5, help="how often each is run; they take turns")
    add("--only", action="append", default=[], metavar="PREFIX", help="cases that begin so")
    add("--quick", action="store_true", help="a tenth of the work: to see that all works")
    add("--no-peers", action="store_true", help="ours and the bare libraries alone")
    add("--limit", type=float, default=120, metavar="SECONDS", help="for each process")
    add("--json", type=Path, metavar="FILE", help="write every reading there")
    add("--docs", type=Path, metavar="FOLDER", help="write the page and its pictures there")
    add(
        "--from",
        dest="kept",
        type=Path,
        metavar="FILE",
        help="go on with what --json wrote, or --docs: run the cases it lacks, or those of --only",
    )
    add("--list", action="store_true", help="tell the cases, and run none")
    return parser


def tell(told: str) -> None:
    """Show how far it is."""
    print(f"    {time.strftime('%H:%M:%S')}  {told}", file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for, and tell; the exit status is 1 if something wasn't measured."""
    parser = options()
    given = parser.parse_args(arguments)
    if given.list:
        print(*(f"{case.name:28}{case.title}" for case in CASES), sep="\n")
        return 0
    try:
        record = _kept(given.kept)
        cases = chosen(given.only)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    if not given.only:
        cases = [case for case in cases if case.name not in record.names]
    names = record.names | {case.name for case in cases}
    told = record.on({"runs": _runs(given)}) if cases else record
    if given.docs and (names < {case.name for case in CASES} or not _is_whole(told)):
        parser.error("--docs wants all cases, whole: ratios are of one run")
    record = _measured(record, cases, given) if cases else record
    print(report(record))
    if given.docs:
        write(given.docs, record)
    faults = {each.fault for results in record.outcome for each in results}
    return int(bool(faults - {"", NOT_INSTALLED}))


def _kept(path: Path | None) -> Record:
    """What was measured before; nothing without a path."""
    return Record.from_json(path.read_text("utf-8"), CASES) if path else Record(machine={})


def _is_whole(record: Record) -> bool:
    """Whether no part of it is of a run that left something out."""
    runs = record.machine.get("runs", "")
    return not any(each in runs for each in (_QUICK, _NO_PEERS))


def _measured(record: Record, cases: Sequence[Case], given: argparse.Namespace) -> Record:
    """Measure these cases, too; each is written as soon as it is measured."""
    if not given.no_peers and not FOREIGN.exists():
        print("the peers and httpx aren't installed: make bench-peers", file=sys.stderr)
    paths = [path for path in (given.json, given.docs and given.docs / READINGS) if path]
    record = record.on({**machine(), "runs": _runs(given)})
    runner = Runner(peers=not given.no_peers, limit=given.limit, progress=tell)
    for at, case in enumerate(cases, 1):
        print(f"[{at}/{len(cases)}] {case.name}", file=sys.stderr, flush=True)
        results = runner.results(case.quick() if given.quick else case, given.runs)
        record = record.having(results, CASES)
        for path in paths:
            record.keep(path)
    record = record.on({"load average after": load()})
    for path in paths:
        record.keep(path)
    return record


def _runs(given: argparse.Namespace) -> str:
    told = [str(given.runs), _QUICK * given.quick, _NO_PEERS * given.no_peers]
    return ", ".join(each for each in told if each)


if __name__ == "__main__":
    sys.exit(main())
