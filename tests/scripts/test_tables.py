"""The tables of the documents."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, Field

from modelplug_openai.presets import PRESETS
from scripts import tables


class Colours(BaseModel):
    sky: str = Field("blue", description="The\n   sky's.")
    rest: tuple[int, ...] = ()


def test_the_documents_are_in_step() -> None:
    """Otherwise ``make tables`` has been forgotten."""
    assert tables.main([]) == 0


def test_a_field_is_a_row() -> None:
    """Name, default and description, on one line."""
    assert tables.settings(Colours) == (
        "| setting | values | default | what it does |\n| --- | --- | --- | --- |\n"
        '| `sky` | a text | `"blue"` | The sky\'s. |\n'
        "| `rest` | words, with commas | `[]` |  |\n"
    )


def test_a_bar_in_a_cell_is_none_of_the_tables() -> None:
    """Markdown would begin another cell."""
    assert tables.table(["a"], [["b|c"]]) == "| a |\n| --- |\n| b\\|c |\n"


def test_what_is_between_the_marks_is_renewed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And nothing else; comparing writes nothing."""
    monkeypatch.setattr(tables, "ROOT", tmp_path)
    monkeypatch.setattr(tables, "TABLES", {"colours": lambda: "| new |\n"})
    page = tmp_path / "docs" / "page.md"
    page.parent.mkdir()
    page.write_text("a\n<!-- table: colours -->\nold\n<!-- end of table -->\nz\n")
    assert (tables.main([]), "old" in page.read_text()) == (1, True)
    assert (tables.main(["--write"]), tables.main([])) == (0, 0)
    assert page.read_text() == (
        "a\n<!-- table: colours -->\n\n| new |\n\n<!-- end of table -->\nz\n"
    )
    assert "run make tables" in capsys.readouterr().out


def test_every_backend_is_a_row() -> None:
    """With its other names, its address and its key's variable, where it has them."""
    rows = tables.openai_backends().splitlines()[2:]
    assert len(rows) == len(PRESETS)
    openai = next(row for row in rows if row.startswith("| `openai` `chatgpt` |"))
    assert "`https://api.openai.com/v1` | `OPENAI_API_KEY`" in openai
    assert sum("| none needed |" in row for row in rows) == 6
    assert sum("your own, by `api_base`" in row for row in rows) == 1


def test_a_variable_of_two_names_is_one_row() -> None:
    """Both names are in it."""
    rows = [row for row in tables.variables().splitlines() if "`OPENAI_API_KEY`" in row]
    assert rows == ["| `OPENAI_API_KEY` | `proxy_api_key` of `chatgpt` and of `openai` |"]


def test_a_table_that_there_is_not_is_an_error() -> None:
    """Rather than left empty."""
    with pytest.raises(KeyError):
        tables.renewed("<!-- table: nothing -->\n<!-- end of table -->")
