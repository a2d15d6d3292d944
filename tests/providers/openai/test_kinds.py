"""The kinds of failure that a service may tell of."""

from __future__ import annotations

from typing import get_args

from modelplug import BackendError, ContentFilterError
from modelplug_openai.kinds import KINDS, Kind, meaning


def test_every_kind_is_told() -> None:
    """As an error of a backend, with something to say; a table names no other."""
    assert {*get_args(Kind)} == {*KINDS}
    assert all(each.told and issubclass(each.error, BackendError) for each in KINDS.values())
    assert len({each.told for each in KINDS.values()}) == len(KINDS)


def test_the_hint_for_an_address_is_right_for_azure_too() -> None:
    """Whose address ends in its host."""
    assert "azure's in its host" in str(KINDS["no_path"].hint)


def test_a_refusal_s_stage_is_told_where_it_is_known() -> None:
    """And nowhere else."""
    stages = {kind: each.stage for kind, each in KINDS.items() if each.error is ContentFilterError}
    assert stages == {"input_refused": "input", "output_refused": "output", "refused": None}
    assert {each.stage for kind, each in KINDS.items() if kind not in stages} == {None}


def test_words_may_mean_the_same() -> None:
    """Each has its entry."""
    assert meaning("rate", "a", "b") == {"a": "rate", "b": "rate"}
