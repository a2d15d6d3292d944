"""Whatever a service says, no form of a secret is left of it, in work that grows with the text.

An input is a line with secrets, parted by tabs, and then what a service says; wherever that has
``<RAW0>``, ``<HEX1>`` and so on, there a form of a secret stands (see canaries.py).
"""

from __future__ import annotations

from random import Random
from typing import SupportsIndex

from fuzz.canaries import FORMS, expect_hidden, planted
from modelplug import InvalidCredentialError, Secret
from modelplug.secrets import MASK, Scrubber

__all__ = ["check", "mutate"]

_MOST = 4
"""Secrets: a call has two, and what is derived of them."""

_PIECES = (
    *(f"<{word}{place}>" for word in FORMS for place in (0, 1)),
    *("*", "********", MASK, "a", "*a", "a*", "%2F", "%2f", "=", "==", "\n", "\t", "\\", "\\u003d"),
    *("key", "0123456789", "+/", '"', "*******a", "\u6a21", "\ud800"),
)
"""Forms of secrets, and what masks and encodings are made of."""


class Counted(str):
    """A text that counts how much is searched in it, and in what is made of it."""

    work = 0

    def __contains__(self, part: str, /) -> bool:  # type: ignore[override]  # as str
        """Whether another text is a part of this one."""
        Counted.work += len(self)
        return super().__contains__(part)

    def replace(self, old: str, new: str, count: SupportsIndex = -1, /) -> Counted:
        """A text with another in the place of each match."""
        Counted.work += len(self)
        return Counted(super().replace(old, new, count))


def mutate(data: bytes, random: Random) -> bytes:
    """The input with pieces put in, taken out or doubled."""
    text = data.decode(errors="surrogateescape")
    for _ in range(random.randint(1, 4)):
        start = random.randint(0, len(text))
        end = min(len(text), start + random.choice((0, 0, 1, 8)))
        piece = random.choice((*_PIECES, text[start:end] * 2, "a" * 200))
        text = text[:start] + piece + text[end:]
    return text.encode(errors="surrogatepass")


def check(data: bytes) -> None:
    """Fail if a secret is left, a second time changes anything, or the work explodes."""
    first, _, said = data.decode(errors="surrogateescape").partition("\n")
    texts = [text for text in map(usable, first.split("\t")[:_MOST]) if text]
    text = planted(said, *texts)
    clean = Scrubber(map(Secret, texts))
    Counted.work = 0
    told = str(clean(Counted(text)))
    # A look for each form, of which a secret has some dozens, and a pass for each that is found.
    assert Counted.work <= 200 * max(1, len(texts)) * (len(text) + len(told)), "too much work"
    expect_hidden(told, *texts)
    assert told == clean(told), "a second time changes it"
    if not texts:
        assert told == text, "it was changed without a reason"


def usable(text: str) -> str | None:
    """What a secret is made of a text; None where it is refused."""
    try:
        return Secret(text).reveal()
    except InvalidCredentialError:
        return None
