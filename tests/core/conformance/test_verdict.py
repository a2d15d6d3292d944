from __future__ import annotations

from typing import get_args

from modelplug.conformance.verdict import FAILURES, GLYPHS, SEVERITY, Verdict


def test_every_verdict_has_a_glyph_of_its_own() -> None:
    """Nobody has to tell colours apart."""
    assert set(get_args(Verdict)) == set(GLYPHS)
    assert len(set(GLYPHS.values())) == len(GLYPHS)


def test_every_verdict_has_its_place() -> None:
    """What fails a run is worse than what doesn't."""
    assert sorted(SEVERITY) == sorted(GLYPHS)
    failing = [verdict in FAILURES for verdict in SEVERITY]
    assert failing == sorted(failing)
