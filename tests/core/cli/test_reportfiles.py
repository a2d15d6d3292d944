from __future__ import annotations

import json
from pathlib import Path

import pytest

from modelplug.cli.failure import Failure
from modelplug.cli.reportfiles import read_report, write_files, write_text
from modelplug.conformance.reportfile import ReportError, to_dict
from tests.core.conformance.samples import cell, report


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Characters that UTF-8 can't say included."""
    given = report(cell("GEN-01", verdict="fail", told="你好 \ud800"))
    write_files(given, {"json": tmp_path / "a.json", "html": None})
    told = to_dict(read_report(tmp_path / "a.json"))
    assert json.dumps(told) == json.dumps(to_dict(given))
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_badge_is_a_picture_by_its_name(tmp_path: Path) -> None:
    """Else it is JSON."""
    given = report(cell("GEN-01"))
    write_files(given, {"badge": tmp_path / "b.json"})
    write_files(given, {"badge": tmp_path / "b.svg"})
    assert json.loads((tmp_path / "b.json").read_text())["label"] == "modelplug"
    assert (tmp_path / "b.svg").read_text().startswith("<svg")


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    """In the system's words."""
    with pytest.raises(Failure, match="can't be written: "):
        write_text(tmp_path, "text")


def test_a_file_that_cannot_be_written_costs_no_other(tmp_path: Path) -> None:
    """Those after it are written, and then each that wasn't is named."""
    files = {"json": tmp_path, "html": tmp_path / "a.html", "junit": tmp_path / "no" / "j.xml"}
    with pytest.raises(Failure, match=r"can't be written: .*; .*j\.xml can't be written: "):
        write_files(report(cell("GEN-01")), files)
    assert (tmp_path / "a.html").read_text("utf-8").endswith("</html>\n")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[]", "no report"),
        (b"[" * 10**5, "nested too deep"),
    ],
    ids=["begun", "no UTF-8", "list", "deep"],
)
def test_what_is_no_report_is_told(tmp_path: Path, content: bytes, told: str) -> None:
    """Whatever the file has."""
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(ReportError, match=told):
        read_report(path)


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    """A folder is no file."""
    with pytest.raises(ReportError, match="can't be read: "):
        read_report(tmp_path)
