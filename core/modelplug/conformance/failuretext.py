"""What there is to say of one cell, in lines of text that no terminal stumbles over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modelplug.conformance.check import Rule
from modelplug.conformance.report import Cell

__all__ = ["failure", "hints", "plain"]


def failure(check: Rule, cell: Cell, *, again: str, name: str | None = None) -> Iterator[str]:
    """The rule, what happened, the script in words, what the service saw, and how to see it again.

    Args:
        check: the rule.
        cell: what came of it.
        again: the command that looks at this cell alone.
        name: what to call it, where it stands for several; None for its own name.
    """
    yield f"{name or cell.name} {cell.verdict}: {check.title}"
    rule = f"{check.rule} ({'MUST' if check.must else 'SHOULD'}, {check.profile})"
    for label, lines in (
        ("rule", [rule]),
        ("what happened", cell.told.splitlines()),
        ("the service", cell.script),
        ("it saw", cell.timeline),
        ("if it is slow", hints(cell)),
        ("run it again", [again]),
    ):
        yield from _entries(label, lines)


def hints(cell: Cell) -> Sequence[str]:
    """What to try where something took too long, which on a slow machine is no fault."""
    slow = "in time" in cell.told
    return ["all limits are multiples of the quantum: try a larger --quantum"] if slow else []


def plain(text: str) -> str:
    """A line with escapes for what isn't to be printed, or can't be encoded."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def _entries(label: str, lines: Sequence[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        yield f"    {'' if number else label + ':':<15}{plain(line)}"
