"""What an error comes of: its causes and contexts, the members of groups, and their notes.

A traceback prints all of it below an error of ours, and a plugin's own errors may well quote
what they were refused with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from traceback import format_exception_only

from modelplug.errors import ProxyLLMError

__all__ = ["scrub_causes", "strip_frames"]


def scrub_causes(error: BaseException, scrub: Callable[[str], str]) -> None:
    """Put what an error comes of through ``scrub``; it stays, for who looks for a bug.

    What shows a secret even so, as its text comes from elsewhere than its arguments, is let go;
    a note on what it led to keeps the name of its class.
    """
    found = list(_linked(error))
    for each in found[1:]:
        _rewrite(each, scrub)
    shows = {id(each) for each in found[1:] if _shows_more(each, scrub)}
    for each in found:
        links = {"__cause__": each.__cause__, "__context__": each.__context__}
        lost = {name: link for name, link in links.items() if id(link) in shows}
        for name in lost:
            setattr(each, name, None)
        for kind in sorted({type(link).__name__ for link in lost.values()}):
            each.add_note(f"it came of {kind}, which is left out: it showed a secret")


def strip_frames(error: BaseException) -> None:
    """Take the frames off an error, and off what it comes of."""
    for each in _linked(error):
        each.__traceback__ = None


def _linked(error: BaseException) -> Iterator[BaseException]:
    """An error, and all that it comes of, each once."""
    chain: list[BaseException | None] = [error]
    seen: set[int] = set()
    while chain:
        each = chain.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            yield each
            chain += (each.__cause__, each.__context__)
            if isinstance(each, BaseExceptionGroup):
                chain += each.exceptions


def _rewrite(error: BaseException, change: Callable[[str], str]) -> None:
    """Put the texts of an error through ``change``, as far as they can be."""
    with suppress(Exception):  # whatever class a plugin has made up
        if isinstance(error, ProxyLLMError):
            error.rewrite(change)  # its notes, too
            return
        error.args = tuple(change(it) if isinstance(it, str) else it for it in error.args)
        if hasattr(error, "__notes__"):
            error.__notes__ = [change(note) for note in error.__notes__]


def _shows_more(error: BaseException, scrub: Callable[[str], str]) -> bool:
    """Whether an error, or a member of it, shows what ``scrub`` would take out."""
    try:
        told = "\n".join([*format_exception_only(error), repr(error)])
        if scrub(told) != told:
            return True
        members = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
        return any(_shows_more(each, scrub) for each in members)
    except Exception:  # noqa: BLE001  # of a class that can't even be printed
        return True
