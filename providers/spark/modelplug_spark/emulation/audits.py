"""The service's audits of what goes in and what comes out, by words that settings name.

The real ones' rules are not public; what follows from them is: 10013 before the answer, 10014 in
its middle, 10019 after its end (D-Web, D-MaaS-WS; section 5.1 of the protocol notes).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from modelplug_spark.frames import ChoicesText, ResponsePayload

__all__ = ["has_word", "output_of", "passed"]


def has_word(texts: Iterable[str], words: Sequence[str]) -> bool:
    """Whether one of the words is in one of the texts, in any case."""
    folded = [word.casefold() for word in words]
    return any(word in text.casefold() for text in texts for word in folded)


def passed(payloads: Sequence[ResponsePayload], words: Sequence[str]) -> int:
    """How many of an answer's payloads may be sent before one of the words is complete in it."""
    longest = max((len(word.casefold()) for word in words), default=0)
    tails: dict[str, str] = {}
    for number, payload in enumerate(payloads):
        for kind, text in output_of([payload]).items():
            # A word may be spread over several pieces; no more than its length is of interest.
            so_far = tails.get(kind, "") + text.casefold()
            if has_word([so_far], words):
                return number
            tails[kind] = so_far[-longest:]
    return len(payloads)


def output_of(payloads: Iterable[ResponsePayload]) -> dict[str, str]:
    """What an answer says: its thinking, its text and its call, each by itself."""
    said = {"thinking": "", "text": "", "call": ""}
    for piece in _pieces(payloads):
        said["thinking"] += piece.reasoning_content or ""
        said["text"] += piece.content or ""
        if piece.function_call:
            said["call"] += piece.function_call.name + piece.function_call.arguments
    return said


def _pieces(payloads: Iterable[ResponsePayload]) -> Iterable[ChoicesText]:
    for payload in payloads:
        if payload.choices:
            yield from payload.choices.text or ()
