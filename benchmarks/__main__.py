"""The command line: ``python -m benchmarks [--runs 5] [--only PREFIX] [--quick] [--docs docs]``."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from benchmarks.catalogue import CASES, chosen
from benchmarks.machine import load, machine
from benchmarks.pages import as_json, report, write
from benchmarks.running import FOREIGN, NOT_INSTALLED, Runner


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
    if given.docs and (given.only or given.quick or given.no_peers):
        parser.error("--docs wants all cases, whole: ratios are of one run")
    try:
        cases = chosen(given.only)
    except ValueError as error:
        parser.error(str(error))
    if not given.no_peers and not FOREIGN.exists():
        print("the peers and httpx aren't installed: make bench-peers", file=sys.stderr)
    facts = {**machine(), "runs": f"{given.runs}{', quick' if given.quick else ''}"}
    runner = Runner(peers=not given.no_peers, limit=given.limit, progress=tell)
    outcome = []
    for at, case in enumerate(cases, 1):
        print(f"[{at}/{len(cases)}] {case.name}", file=sys.stderr, flush=True)
        outcome.append(runner.results(case.quick() if given.quick else case, given.runs))
    facts["load average after"] = load()
    print(report(facts, outcome))
    if given.json:
        given.json.write_text(as_json(facts, outcome), "utf-8")
    if given.docs:
        write(given.docs, facts, outcome)
    faults = {each.fault for results in outcome for each in results}
    return int(bool(faults - {"", NOT_INSTALLED}))


if __name__ == "__main__":
    sys.exit(main())
