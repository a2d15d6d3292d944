"""The texts of the kit are hard enough: each of the usual mistakes changes one of them."""

from __future__ import annotations

import unicodedata

from modelplug.conformance.corpus import CONTROLS, CORPUS, FORMS, SEPARATORS, SPACES


def test_every_cut_through_the_corpus_matters() -> None:
    """There are characters of two, three and four bytes."""
    sizes = {len(character.encode()) for text in CORPUS.values() for character in text}
    assert sizes >= {2, 3, 4}


def test_all_texts_can_be_written() -> None:
    """None has half a character."""
    assert "".join((*CORPUS.values(), SEPARATORS, CONTROLS, SPACES, *FORMS)).encode()


def test_separators_are_all_that_split_lines() -> None:
    """Each of them stands in the text."""
    points = (chr(point) for point in range(0x3000))
    splitting = {point for point in points if len(f"a{point}b".splitlines()) > 1}
    assert splitting <= set(SEPARATORS)


def test_spaces_are_stripped() -> None:
    """At both ends."""
    assert SPACES.lstrip() != SPACES != SPACES.rstrip()


def test_forms_are_the_same_words() -> None:
    """One composed and one decomposed."""
    composed, decomposed = FORMS
    assert composed != decomposed
    assert unicodedata.normalize("NFC", composed) == unicodedata.normalize("NFC", decomposed)
    assert unicodedata.is_normalized("NFC", composed)
    assert unicodedata.is_normalized("NFD", decomposed)
