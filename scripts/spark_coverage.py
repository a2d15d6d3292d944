"""Write docs/spark-coverage.md: the facts of the Spark protocol, and the tests that show each.

    spark_coverage.py           compare; exit status 1 when the page differs, or a row is amiss
    spark_coverage.py --write   write the page

The facts are the rows of tests/providers/spark/rows.toml. A test there is marked with the ids of
the rows that it shows, ``@pytest.mark.row("3.2 top_k")``. pytest collects the marks; it runs
nothing.
"""

import re
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from itertools import chain
from pathlib import Path

import pytest

TESTS = "tests/providers/spark"
ROWS = f"{TESTS}/rows.toml"
SOURCES = "providers/spark/SOURCES.md"
PAGE = "docs/spark-coverage.md"
COMMAND = "make tables"

KINDS = "CDGLRST"
"""Kinds of sources, for a fact whose document has no key of its own; G is a guess."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One fact.

    Attributes:
        id: its section and its name there.
        says: the fact.
        sources: where it is from, by the keys of SOURCES.md.
        left_out: why no test shows it.
        lacks: what of it no test shows, and why; the tests show the rest.
    """

    id: str
    says: str
    sources: Sequence[str]
    left_out: str = ""
    lacks: str = ""

    @property
    def section(self) -> str:
        """The section's number."""
        return self.id.partition(" ")[0]


@dataclass(frozen=True, slots=True)
class Case:
    """One test as pytest collects it, and the rows that it is marked with."""

    test: str
    rows: Sequence[str]

    @property
    def function(self) -> str:
        """The test without the name of its case."""
        return self.test.partition("[")[0]


def read(text: str) -> tuple[Mapping[str, str], list[Row]]:
    """Return the sections, number to title, and the rows of a rows.toml."""
    told = tomllib.loads(text)
    return told["sections"], [Row(id=name, **fields) for name, fields in told["rows"].items()]


def keys_of(text: str) -> set[str]:
    """Return the keys that a SOURCES.md explains: the first cells of its tables."""
    explained, _, _ = text.partition("## Sections")
    cells = re.findall(r"^\| ([^|]+) \|", explained, re.MULTILINE)
    return {key.strip() for cell in cells for key in cell.split(",")} | set(KINDS)


class _Collector:
    """A plugin of pytest that keeps what was collected."""

    def __init__(self) -> None:
        self.cases: list[Case] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Take every test with its marks."""
        for item in session.items:
            marked = chain.from_iterable(mark.args for mark in item.iter_markers("row"))
            self.cases.append(Case(item.nodeid, [*dict.fromkeys(marked)]))


def collected(root: Path) -> list[Case]:
    """Return all tests of the Spark provider.

    Raises:
        RuntimeError: pytest can't collect them; it has said why.
    """
    collector, said = _Collector(), StringIO()
    with redirect_stdout(said):
        options = ["--collect-only", "-qqq", "-p", "no:cacheprovider"]
        place = [f"--rootdir={root}", f"--config-file={root / 'pyproject.toml'}"]
        status = pytest.main([*options, *place, str(root / TESTS)], plugins=[collector])
    if status:
        raise RuntimeError(f"the tests can't be collected\n{said.getvalue()}")
    return collector.cases


def shown(cases: Iterable[Case]) -> dict[str, list[str]]:
    """Return the tests of each row; one all of whose cases show the row stands without them."""
    functions: dict[str, list[Case]] = {}
    for case in cases:
        functions.setdefault(case.function, []).append(case)
    found: dict[str, list[str]] = {}
    for function, each in sorted(functions.items()):
        for row in dict.fromkeys(chain.from_iterable(case.rows for case in each)):
            having = [case.test for case in each if row in case.rows]
            found.setdefault(row, []).extend([function] if len(having) == len(each) else having)
    return found


def faults(
    sections: Mapping[str, str],
    rows: Sequence[Row],
    tests: Mapping[str, Sequence[str]],
    *,
    keys: set[str],
) -> list[str]:
    """Say in words where rows and marks don't fit together."""
    ids = {row.id for row in rows}
    found = [
        f"{test} is marked with {each!r}, which is no row of {ROWS}"
        for each in sorted(tests.keys() - ids)
        for test in tests[each]
    ]
    for row in rows:
        amiss = {
            "has neither a test nor a reason": row.id not in tests and not row.left_out,
            "is left out and has a test: say what it lacks": row.id in tests and row.left_out,
            "is left out and lacks something": row.left_out and row.lacks,
            "is of no section": row.section not in sections,
            "has no source": not row.sources,
        }
        found += [f"{row.id!r} {fault}" for fault, is_there in amiss.items() if is_there]
        found += [f"{row.id!r} has an unknown source: {key}" for key in {*row.sources} - keys]
    return found


INTRODUCTION = """\
# What of the Spark protocol works

This page lists what is known of iFlytek's WebSocket chat service, fact by fact: its models, the \
message that it takes, the frames that it sends, its error codes. Beside each fact stand the \
tests that show that the plugin `modelplug-spark`, or its emulator, does as the fact says. What \
they don't do is listed [at the end](#left-out-and-why), with the reason.

Of all {all} facts {whole} are shown whole, {part} in part, and {out} are left out. The facts are \
from public documents, the newest where they changed. The tests run against the emulator and \
against services that a test plays by hand: nothing here was tried on the real service.

A source is a key of [SOURCES.md](../providers/spark/SOURCES.md), or just the kind of document \
where it has no key there: D documentation, S iFlytek's own code, L a public thread, C the code of \
a client that works, T a client tried against a local server, R our own conclusion, G a guess. To \
run a test, give its name to pytest: `python -m pytest "tests/..."`.

Don't edit this page: it is made of `{rows}` and of the marks on the tests, by `{command}`.
"""


def page(
    sections: Mapping[str, str], rows: Sequence[Row], tests: Mapping[str, Sequence[str]]
) -> str:
    """Return the page: an introduction, a table a section, and what is left out."""
    out = [row for row in rows if row.left_out]
    part = [row for row in rows if row.lacks]
    whole = len(rows) - len(out) - len(part)
    told = {"all": len(rows), "whole": whole, "part": len(part), "out": len(out)}
    parts = [INTRODUCTION.format(**told, rows=ROWS, command=COMMAND)]
    for number, title in sections.items():
        table = [_cells(row, tests) for row in rows if row.section == number]
        parts.append(f"## {number} {title}\n\n{_table(('row', 'fact', 'source', 'tests'), table)}")
    reasons = [(row.id, row.says, row.left_out or row.lacks) for row in rows if row in out + part]
    parts.append(f"## Left out, and why\n\n{_table(('row', 'fact', 'what and why'), reasons)}")
    return "\n".join(parts)


def _cells(row: Row, tests: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    links = [f"[`{test}`](../{test.partition('::')[0]})" for test in tests.get(row.id, ())]
    if row.left_out or row.lacks:
        links.append(f"[{'left out' if row.left_out else 'in part'}](#left-out-and-why)")
    return row.id, row.says, ", ".join(row.sources), "<br>".join(links)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    escaped = (" | ".join(cell.replace("|", "\\|") for cell in line) for line in lines)
    return "".join(f"| {line} |\n" for line in escaped)


def main(root: Path, arguments: Sequence[str]) -> int:
    """Write the page or compare with it; return the exit status."""
    sections, rows = read((root / ROWS).read_text("utf-8"))
    tests = shown(collected(root))
    found = faults(sections, rows, tests, keys=keys_of((root / SOURCES).read_text("utf-8")))
    made, file = page(sections, rows, tests), root / PAGE
    if not found and [*arguments] == ["--write"]:
        file.parent.mkdir(exist_ok=True)
        file.write_text(made, "utf-8")
    elif not found and not (file.exists() and file.read_text("utf-8") == made):
        found = [f"{PAGE} is out of step: run `{COMMAND}`"]
    for fault in found:
        print(fault)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent.parent, sys.argv[1:]))
