from __future__ import annotations

import pytest

from modelplug.conformance.marks import ENDINGS, MEANINGS, ending, mark
from modelplug.conformance.verdict import GLYPHS


def test_every_verdict_is_explained() -> None:
    """The legend has them all."""
    assert set(MEANINGS) == set(GLYPHS)


def test_a_mark_has_a_glyph_a_class_and_a_title() -> None:
    """A class is a word."""
    assert mark("n/a") == '<span class="mark na" title="n/a">·</span>'


@pytest.mark.parametrize(
    ("ended", "sign"),
    [
        ("client ws:1000", "◀"),
        ("client fin", "◁"),
        ("client rst", "◁✕"),
        ("server ws:1011", "▶"),
        ("server fin", "▷"),
        ("server rst", "▷✕"),
        ("server http:200", "▶"),
        ("server http:302", "⊣"),
        ("server http:401", "⊣"),
        ("client tls", "⊣"),
    ],
)
def test_an_ending_has_a_sign(ended: str, sign: str) -> None:
    """Each of which the legend explains."""
    assert ending(ended) == sign
    assert sign in ENDINGS


@pytest.mark.parametrize("ended", ["", "<b> fin"])
def test_no_ending_has_none(ended: str) -> None:
    """Nor has what nobody knows."""
    assert ending(ended) == ""
