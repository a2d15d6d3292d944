import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from scripts.spark_coverage import (
    COMMAND,
    PAGE,
    ROWS,
    Case,
    Row,
    faults,
    keys_of,
    page,
    read,
    shown,
)

ROOT = Path(__file__).resolve().parents[2]

SECTIONS = {"1.1": "Models", "5.1": "Codes"}
WHOLE = Row(id="1.1 lite", says="`lite`", sources=["D-Web", "C"])
PART = Row(id="1.1 x", says="a|b", sources=["D-Web"], lacks="half of it")
OUT = Row(id="5.1 0", says="success", sources=["R"], left_out="no need")

FOLDER = "tests/providers/spark"
TESTS = {
    "1.1 lite": [f"{FOLDER}/test_a.py::test_b", f"{FOLDER}/test_a.py::test_c[x|y]"],
    "1.1 x": [f"{FOLDER}/test_a.py::test_b"],
}
BARE = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
"""A small tree has no use for pytest's plugins, which take a second to load."""


def test_the_page_is_in_step() -> None:
    """Every row has its tests or its reason, and the page shows them: else run the command."""
    done = run(ROOT)
    assert (f"{done.stdout}{done.stderr}", done.returncode) == ("", 0)


def run(root: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The script for a tree, in a process of its own: two sessions of pytest would share much."""
    code = "import sys; from pathlib import Path; from scripts.spark_coverage import main; "
    code += "sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))"
    return subprocess.run(
        [sys.executable, "-c", code, str(root), *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A workspace with one row, and one test of two cases that shows it."""
    files = {
        "pyproject.toml": "[tool.pytest]\nstrict_markers = true\nmarkers = ['row: x']\n",
        "providers/spark/SOURCES.md": "| key | document |\n|---|---|\n| D-Web | a page |\n",
        ROWS: '[sections]\n"1.1" = "Models"\n[rows."1.1 a"]\nsays = "x"\nsources = ["D-Web"]\n',
        f"{FOLDER}/test_a.py": "import pytest\n\n\n"
        "@pytest.mark.row('1.1 a')\n@pytest.mark.parametrize('a', [1, 2])\n"
        "def test_a(a): pass\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_the_page_is_written_and_compared(tree: Path) -> None:
    """What was written is in step; what was edited since is not, and the command is named."""
    assert run(tree, "--write", **BARE).returncode == 0
    assert f"[`{FOLDER}/test_a.py::test_a`]" in (tree / PAGE).read_text("utf-8")
    assert run(tree, **BARE).returncode == 0
    (tree / PAGE).write_text("edited")
    done = run(tree, **BARE)
    assert (1, f"{PAGE} is out of step: run `{COMMAND}`\n") == (done.returncode, done.stdout)


def test_nothing_is_written_while_a_row_is_amiss(tree: Path) -> None:
    """The fault is told instead."""
    rows = tree / ROWS
    rows.write_text(rows.read_text().replace("1.1 a", "1.1 b"))
    done = run(tree, "--write", **BARE)
    assert (done.returncode, (tree / PAGE).exists()) == (1, False)
    assert f"marked with '1.1 a', which is no row of {ROWS}" in done.stdout
    assert "'1.1 b' has neither a test nor a reason" in done.stdout


def test_tests_that_cannot_be_collected_are_an_error(tree: Path) -> None:
    """With pytest's own words."""
    (tree / FOLDER / "test_a.py").write_text("oops")
    done = run(tree, **BARE)
    assert done.returncode == 1
    assert "NameError: name 'oops' is not defined" in done.stderr


def test_rows_are_read_in_their_order() -> None:
    """A table each, under its id."""
    text = '[sections]\n"2" = "B"\n[rows."2 b"]\nsays = "x"\nsources = ["R"]\nlacks = "y"\n'
    row = Row(id="2 b", says="x", sources=["R"], lacks="y")
    assert ({"2": "B"}, [row]) == read(text)
    assert row.section == "2"


def test_keys_are_those_that_are_explained() -> None:
    """Several may share a line; the sections' numbers are no keys, single letters are kinds."""
    text = (
        "| key | of |\n|---|---|\n| D-Web | a |\n| L-1, L-2 | b |\n\n## Sections\n\n| 4.1 | x |\n"
    )
    assert {"D-Web", "L-1", "L-2", "C", "G"} <= keys_of(text)
    assert "4.1" not in keys_of(text)


@pytest.mark.parametrize(
    ("cases", "tests"),
    [
        ([("t[1]", "a"), ("t[2]", "a")], ["t"]),
        ([("t[1]", "a"), ("t[2]", "")], ["t[1]"]),
        ([("u", "a"), ("t", "a b")], ["t", "u"]),
        ([("t", "b")], None),
    ],
    ids=["all", "one", "two", "none"],
)
def test_a_test_stands_for_its_cases(
    cases: Sequence[tuple[str, str]], tests: list[str] | None
) -> None:
    """Where all of them show a row; in the order of names."""
    assert tests == shown(Case(test, rows.split()) for test, rows in cases).get("a")


def found(*rows: Row, tests: dict[str, list[str]] | None = None) -> list[str]:
    """What is amiss with rows."""
    return faults(SECTIONS, rows, tests or {}, keys={"D-Web", "C", "R"})


def test_rows_with_a_test_or_a_reason_are_right() -> None:
    """Or with both, if they say what is lacking."""
    assert found(WHOLE, PART, OUT, tests=TESTS) == []


@pytest.mark.parametrize(
    ("row", "tests", "told"),
    [
        (WHOLE, [], "'1.1 lite' has neither a test nor a reason"),
        (PART, [], "'1.1 x' has neither a test nor a reason"),
        (OUT, ["t"], "'5.1 0' is left out and has a test: say what it lacks"),
        (
            Row(id="5.1 0", says="", sources=["R"], left_out="x", lacks="y"),
            [],
            "'5.1 0' is left out and lacks something",
        ),
        (Row(id="9 a", says="", sources=["R"]), ["t"], "'9 a' is of no section"),
        (Row(id="5.1 a", says="", sources=[]), ["t"], "'5.1 a' has no source"),
        (Row(id="5.1 a", says="", sources=["X"]), ["t"], "'5.1 a' has an unknown source: X"),
    ],
    ids=["bare", "lacking", "out", "both", "section", "no source", "source"],
)
def test_a_row_that_is_amiss_is_named(row: Row, tests: list[str], told: str) -> None:
    """With what is wrong about it."""
    assert [told] == found(row, tests={row.id: tests} if tests else {})


def test_a_mark_without_a_row_is_named() -> None:
    """With the test that has it."""
    told = f"t is marked with '1.1 y', which is no row of {ROWS}"
    assert [told] == found(tests={"1.1 y": ["t"]})


def test_the_page_has_a_table_for_each_section() -> None:
    """A line a row: the fact, its sources, its tests as links; pipes are escaped."""
    lines = page(SECTIONS, [WHOLE, PART, OUT], TESTS).splitlines()
    file = f"../{FOLDER}/test_a.py"
    first = f"[`{FOLDER}/test_a.py::test_b`]({file})"
    second = f"[`{FOLDER}/test_a.py::test_c[x\\|y]`]({file})"
    assert f"| 1.1 lite | `lite` | D-Web, C | {first}<br>{second} |" in lines
    assert f"| 1.1 x | a\\|b | D-Web | {first}<br>[in part](#left-out-and-why) |" in lines
    assert "| 5.1 0 | success | R | [left out](#left-out-and-why) |" in lines
    assert lines.index("## 1.1 Models") < lines.index("## 5.1 Codes")


def test_the_page_ends_with_what_is_left_out() -> None:
    """Wholly or in part, with the reason; the introduction counts."""
    text = page(SECTIONS, [WHOLE, PART, OUT], TESTS)
    assert "Of all 3 facts 1 are shown whole, 1 in part, and 1 are left out." in text
    end = "| 1.1 x | a\\|b | half of it |\n| 5.1 0 | success | no need |\n"
    assert text.endswith(
        f"## Left out, and why\n\n| row | fact | what and why |\n| --- | --- | --- |\n{end}"
    )
