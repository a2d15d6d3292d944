"""FEA: what is said to a model gets there, every turn of it, in its place."""

from __future__ import annotations

from collections.abc import Sequence

from modelplug.conformance.check import check
from modelplug.conformance.lab import Lab
from modelplug.conformance.wishes import REFUSALS, Turns, refuses, said_by, support

_SYSTEM_FIRST: Sequence[Turns] = (
    (("system", "be brief"), ("user", "one?")),
    (("system", "be brief"), ("user", "one?"), ("assistant", "yes"), ("user", "two?")),
    (("system", "be brief"), ("system", "be kind"), ("user", "one?")),
    (("system", "be brief"),),
)

_SYSTEM_ELSEWHERE: Sequence[Turns] = (
    (("user", "one?"), ("system", "be brief"), ("user", "two?")),
    (("system", "be brief"), ("user", "one?"), ("assistant", "yes")),
)

_DIALOGUES: Sequence[Turns] = (
    (("user", "one?"), ("assistant", "yes"), ("user", "two?")),
    (("user", "one?"), ("assistant", "yes"), ("user", "two?"), ("assistant", "no"), ("user", "3?")),
)

_ODD_DIALOGUES: Sequence[Turns] = (
    (("user", "one?"), ("user", "two?")),
    (("user", "one?"), ("assistant", "yes"), ("assistant", "no"), ("user", "two?")),
    (("user", "one?"), ("assistant", "yes")),
    (("assistant", "hello"), ("user", "one?")),
)


@check(
    "FEA-07",
    "system messages",
    profile="core",
    needs="system_role",
    twin=refuses("a system message", messages=said_by(_SYSTEM_FIRST[0])),
)
def systemsaid_by(lab: Lab) -> None:
    """Each system message is sent once, before the question, and none is ever lost."""
    is_native = support(lab, "system_role") == "native"
    for turns in _SYSTEM_FIRST:
        heard = lab.sent(said_by(turns)).messages
        _expect_instructed(lab, turns, heard)
        lab.expect.that(
            not is_native or heard[0][0] == "system", f"{turns} was sent without a system message"
        )
    for turns in _SYSTEM_ELSEWHERE:
        _expect_instructed(lab, turns, _heard_or_refused(lab, turns))


def _heard_or_refused(lab: Lab, turns: Turns) -> Turns | None:
    """What of an odd conversation arrives; None if it is refused before it is sent."""
    before = lab.questions
    try:
        return lab.sent(said_by(turns)).messages
    except REFUSALS:
        lab.expect.equal("messages for what is refused", before, lab.questions)
        return None


def _expect_instructed(lab: Lab, turns: Turns, heard: Turns | None) -> None:
    """Instructions are there once, before the last question; the dialogue as it was."""
    if heard is None:
        return
    said = "\n".join(text for _, text in heard)
    questions = [text for role, text in turns if role == "user"]
    for role, text in turns:
        lab.expect.equal(f"how often {text!r} of {turns} was sent", 1, said.count(text))
        if role == "system" and questions:
            before = said.index(text) < said.index(questions[-1])
            lab.expect.that(before, f"{text!r} of {turns} was sent after the last question")
    _expect_order(lab, turns, [text for role, text in turns if role != "system"], said)


def _expect_order(lab: Lab, turns: Turns, texts: Sequence[str], said: str) -> None:
    places = [said.find(text) for text in texts]
    lab.expect.equal(f"the order in which {turns} was sent", sorted(places), places)


@check("FEA-08", "dialogues", profile="core")
def dialogues(lab: Lab) -> None:
    """All turns are sent, in order, under their roles; what can't be sent so is refused."""
    for turns in _DIALOGUES:
        heard = lab.sent(said_by(turns)).messages
        lab.expect.equal("the turns that were sent", [*turns], [*map(tuple, heard)])
    for turns in _ODD_DIALOGUES:
        if (odd := _heard_or_refused(lab, turns)) is not None:
            _expect_dialogue(lab, turns, odd)
    seen = lab.sent(said_by((("user", "one?"), ("view", "a chart"), ("user", "two?"))))
    shown = [text for _, text in seen.messages if "a chart" in text]
    lab.expect.equal("messages that are for people only, and were sent", [], shown)


def _expect_dialogue(lab: Lab, turns: Turns, heard: Turns) -> None:
    """Neighbours of one role may have become one message."""
    for role, text in turns:
        roles = [heard_role for heard_role, said in heard if text in said]
        lab.expect.equal(f"the roles under which {text!r} of {turns} was sent", [role], roles)
    said = "\n".join(text for _, text in heard)
    _expect_order(lab, turns, [text for _, text in turns], said)


@check("FEA-09", "long histories", profile="core")
def long_histories(lab: Lab) -> None:
    """A long history is sent whole: a plugin trims nothing of its own accord."""
    filler = " and so on" * 50  # long in characters, too, by which some trim
    turns = [
        (("user", "assistant")[number % 2], f"turn {number}{filler}.") for number in range(201)
    ]
    heard = lab.sent(said_by(turns)).messages
    lab.expect.equal("how many of 201 turns were sent", 201, len(heard))
    changed = [number for number, turn in enumerate(turns) if tuple(heard[number]) != turn]
    lab.expect.equal("the numbers of the turns that were sent otherwise", [], changed)
