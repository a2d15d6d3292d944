"""What observers are told."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields
from typing import Any, get_args

import pytest

from modelplug import (
    AttemptFailed,
    CallAbandoned,
    CallFailed,
    CallFinished,
    CallStarted,
    Event,
    FirstDelta,
    Observer,
    ServerError,
    Usage,
)

WHO = {"backend": "acme", "model": "m", "request_id": "r"}

EVENTS: dict[type[CallStarted], dict[str, object]] = {
    CallStarted: {},
    AttemptFailed: {"seconds": 0.5, "error": ServerError("it failed")},
    FirstDelta: {"seconds": 0.5},
    CallFinished: {
        "seconds": 1.5,
        "deltas": 3,
        "finish_reason": "stop",
        "usage": Usage(prompt_tokens=1, completion_tokens=3),
    },
    CallFailed: {"seconds": 1.5, "deltas": 3, "error": ServerError("it failed")},
    CallAbandoned: {"seconds": 1.5, "deltas": 3},
}
"""What each event tells beside who was asked: sizes and times, and no content."""

EVERY = pytest.mark.parametrize("event", EVENTS, ids=lambda event: str(event.__name__))


def made(event: type[CallStarted]) -> CallStarted:
    """An event with all of its fields."""
    details: dict[str, Any] = {**WHO, **EVENTS[event]}
    return event(**details)


def test_the_table_has_every_event() -> None:
    """No event is outside this module's table."""
    assert set(EVENTS) == set(get_args(Event))


@EVERY
def test_an_event_tells_this_and_no_more(event: type[CallStarted]) -> None:
    """Its fields are the table's, so none holds what was asked or answered."""
    assert [*WHO, *EVENTS[event]] == [field.name for field in fields(event)]


@EVERY
def test_every_event_says_of_which_call(event: type[CallStarted]) -> None:
    """Who was asked, and the caller's name for the call, are on each."""
    assert {name: getattr(made(event), name) for name in WHO} == WHO


@EVERY
def test_every_field_must_be_given(event: type[CallStarted]) -> None:
    """An event that exists is complete."""
    details: dict[str, Any] = {**WHO, **EVENTS[event]}
    details.popitem()
    with pytest.raises(TypeError):
        event(**details)


@EVERY
def test_nothing_is_given_by_position(event: type[CallStarted]) -> None:
    """Backend and model can't be swapped, nor can seconds and deltas."""
    make: Callable[..., CallStarted] = event
    own = list(EVENTS[event].values())
    with pytest.raises(TypeError):
        make(*own, **WHO) if own else make(*WHO.values())


@EVERY
def test_events_are_frozen(event: type[CallStarted]) -> None:
    """One observer can't change what the next is told."""
    for field in fields(event):
        with pytest.raises(FrozenInstanceError):
            setattr(made(event), field.name, None)


@EVERY
def test_events_are_values(event: type[CallStarted]) -> None:
    """They compare and copy by what they tell."""
    assert made(event) == made(event) == copy.copy(made(event))


@EVERY
def test_events_pickle(event: type[CallStarted]) -> None:
    """An event can be sent to another process, an error with it."""
    told = made(event)
    arrived = pickle.loads(pickle.dumps(told))  # noqa: S301  # our own
    assert repr(told) == repr(arrived)


def test_any_callable_is_an_observer() -> None:
    """A list's own method will do."""
    heard: list[Event] = []
    observer: Observer = heard.append
    observer(made(CallStarted))
    assert heard == [CallStarted(backend="acme", model="m", request_id="r")]
