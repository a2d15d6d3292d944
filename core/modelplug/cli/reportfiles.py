"""Reports of the conformance kit as files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from modelplug.cli.failure import Failure
from modelplug.conformance.badge import badge, svg
from modelplug.conformance.junit import junit
from modelplug.conformance.markdown import markdown
from modelplug.conformance.page import page
from modelplug.conformance.report import Report
from modelplug.conformance.reportfile import ReportError, from_dict, to_dict

__all__ = ["read_report", "write_files", "write_text"]


def write_files(report: Report, files: Mapping[str, Path | None]) -> None:
    """Write a report in each of the forms that have a file.

    Raises:
        Failure: a file can't be written; all others are.
    """
    unwritten = []
    for form, path in files.items():
        if path is not None:
            draw = _svg if form == "badge" and path.suffix == ".svg" else _FORMS[form]
            try:
                write_text(path, draw(report))
            except Failure as failure:
                unwritten.append(failure.message)
    if unwritten:
        raise Failure("; ".join(unwritten))


def write_text(path: Path, text: str) -> None:
    """Write a file; what UTF-8 can't say becomes an escape.

    Raises:
        Failure: it can't be written.
    """
    try:
        path.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
    except OSError as error:
        reason = error.strerror
    else:
        return
    raise Failure(f"{path} can't be written: {reason}")


def read_report(path: Path) -> Report:
    """The report in a JSON file.

    Raises:
        ReportError: it isn't one, or is one of another version.
    """
    try:
        told = json.loads(path.read_text("utf-8"))
    except OSError as error:
        reason = f"can't be read: {error.strerror}"
    except ValueError:
        reason = "this is no JSON"
    except RecursionError:
        reason = "it is nested too deep"
    else:
        return from_dict(told)
    raise ReportError(reason)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


def _svg(report: Report) -> str:
    return svg(report)


_FORMS: Mapping[str, Callable[[Report], str]] = {
    "json": lambda report: _json(to_dict(report)),
    "junit": junit,
    "markdown": markdown,
    "html": lambda report: page([report]),
    "badge": lambda report: _json(badge(report)),
}
