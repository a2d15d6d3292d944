"""What each event makes of each state."""

from __future__ import annotations

from typing import get_args

import pytest

from modelplug_openai.preset import Ending
from modelplug_openai.states import TRANSITIONS, Event, State


@pytest.mark.parametrize("ending", get_args(Ending))
def test_every_state_knows_every_event(ending: Ending) -> None:
    """The table has no gap, and the two ends stay."""
    table = TRANSITIONS[ending]
    assert {*get_args(State)} == {*table}
    assert all({*get_args(Event)} == {*events} for events in table.values())
    assert {*table["finished"].values()} == {"finished"}
    assert {*table["failed"].values()} == {"failed"}


def test_what_ends_an_answer_is_the_tables() -> None:
    """``[DONE]`` alone, for a service that streams no reason; all else is the same."""
    differing = [
        (state, event)
        for state, events in TRANSITIONS["reason"].items()
        for event, then in events.items()
        if then != TRANSITIONS["done"][state][event]
    ]
    assert differing == [("answering", "done")]
