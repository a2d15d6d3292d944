"""The tables of what statuses, words and prose mean."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from modelplug_openai.kinds import KINDS, Kind
from modelplug_openai.meanings import MEANINGS, PROSE, STATUSES, VAGUE

TABLES: list[Collection[Kind]] = [STATUSES.values(), MEANINGS.values(), dict(PROSE).values(), VAGUE]


@pytest.mark.parametrize("kinds", TABLES, ids=["statuses", "words", "prose", "vague"])
def test_every_meaning_is_a_kind(kinds: Collection[Kind]) -> None:
    """Of which there is something to say."""
    assert kinds
    assert {*kinds} <= {*KINDS}


def test_prose_tells_only_of_what_there_are_no_words_for() -> None:
    """It says more than what is vague, and nothing vague itself."""
    assert {kind for _, kind in PROSE} == {"too_long", "permission"}
    assert not VAGUE & {kind for _, kind in PROSE}


def test_words_are_no_numbers() -> None:
    """Those each service counts by itself."""
    assert not [word for word in MEANINGS if word.isdecimal()]
