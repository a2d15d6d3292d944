"""Write the tables of the documents that are made from the code.

    tables.py           compare; exit status 1 when a table differs
    tables.py --write   write them

A document says which table it wants, and the table stands between the two marks::

    <!-- table: emulator-settings -->
    <!-- end of table -->
"""

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from pydantic import BaseModel
from pydantic_core import to_json

from modelplug_spark.emulation.settings import EmulatorSettings

DOCS = Path(__file__).resolve().parents[1] / "docs"
COMMAND = "make tables"

_MARKED = re.compile(r"(<!-- table: ([a-z-]+) -->\n)(.*?)(<!-- end of table -->)", re.DOTALL)


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    lines = [[*header], ["---"] * len([*header]), *([*row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def fields(model: type[BaseModel]) -> str:
    """The fields of a settings model: name, default, what it does."""
    rows = []
    for name, field in model.model_fields.items():
        default = to_json(field.get_default(call_default_factory=True)).decode()
        told = " ".join((field.description or "").split())
        rows.append([f"`{name}`", f"`{default}`", told])
    return table(["setting", "default", "what it does"], rows)


TABLES: Mapping[str, Callable[[], str]] = {
    "emulator-settings": lambda: fields(EmulatorSettings),
}
"""What there is, by name."""


def renewed(text: str) -> str:
    """A document with its tables as they should be.

    Raises:
        KeyError: it wants a table that there isn't.
    """
    return _MARKED.sub(lambda found: f"{found[1]}\n{TABLES[found[2]]()}\n{found[4]}", text)


def main(arguments: Iterable[str]) -> int:
    """Compare or write; the exit status."""
    write = "--write" in arguments
    status = 0
    for path in sorted(DOCS.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        wanted = renewed(text)
        if wanted == text:
            continue
        if write:
            path.write_text(wanted, encoding="utf-8")
        else:
            status = 1
        print(f"{path.name}: {'written' if write else f'out of step; run {COMMAND}'}")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
