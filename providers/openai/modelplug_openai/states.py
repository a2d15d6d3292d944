"""How an answer goes on: what each event makes of each state. The theory is in ``protocol``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from modelplug_openai.preset import Ending

__all__ = ["TRANSITIONS", "Event", "State"]

State: TypeAlias = Literal["asked", "answering", "ended", "finished", "failed"]
"""``ended``: the answer is whole, and its usage may yet come."""

Event: TypeAlias = Literal["piece", "reason", "done", "error", "closed"]
"""What may come: a piece of the answer, its finish reason, ``[DONE]``, a failure, the body's end.
What says nothing is none of them, and changes nothing."""

_Table: TypeAlias = Mapping[State, Mapping[Event, State]]

_EVENTS: tuple[Event, ...] = ("piece", "reason", "done", "error", "closed")

_ANSWERING: Mapping[Event, State] = {
    "piece": "answering",
    "reason": "ended",
    "done": "failed",
    "error": "failed",
    "closed": "failed",
}

_BY_REASON: _Table = {
    "asked": _ANSWERING,
    "answering": _ANSWERING,
    "ended": {
        "piece": "ended",
        "reason": "ended",
        "done": "finished",
        "error": "failed",
        "closed": "finished",
    },
    "finished": dict.fromkeys(_EVENTS, "finished"),
    "failed": dict.fromkeys(_EVENTS, "failed"),
}

_BY_DONE: _Table = {**_BY_REASON, "answering": {**_ANSWERING, "done": "finished"}}

TRANSITIONS: Final[Mapping[Ending, _Table]] = {"reason": _BY_REASON, "done": _BY_DONE}
"""What each event makes of each state, by what ends a service's answers. The two ends are kept
whatever comes."""
