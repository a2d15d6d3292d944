"""Whether a harness can be trusted: what is asked of it alone, before the plugin is looked at.

A service that says two things in the same words, or loses half of a text, makes a good plugin
look bad and a bad one good. So a fault here is the harness's, and ends the run.
"""

from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from itertools import combinations, pairwise
from pathlib import Path
from traceback import walk_stack
from typing import get_args

from modelplug import errors
from modelplug.conformance.check import Rule
from modelplug.conformance.corpus import CONTROLS, CORPUS, FORMS, SEPARATORS, SPACES
from modelplug.conformance.directions import begun
from modelplug.conformance.harness import Account, Asked, Harness, VerifiesAuth
from modelplug.conformance.messagevalues import differ, holds, is_json, values
from modelplug.conformance.mute import origin
from modelplug.conformance.report import Cell
from modelplug.conformance.verdict import Verdict
from modelplug.conformance.voice import (
    HarnessFaultError,
    Voice,
    called,
    kind_of,
    raised,
    where_of,
)
from modelplug.conformance.wording import MARK
from modelplug.delta import Delta, Finish, FinishReason, ToolCallDelta
from modelplug.errors import ContentFilterError
from modelplug.testing.codec import Called, RawRequest
from modelplug.testing.scripted import failure
from modelplug.testing.steps import Fail, FailKind, Noise

__all__ = ["SELF_CHECKS", "self_checked"]

_KINDS: tuple[FailKind, ...] = get_args(FailKind)

_NOWHERE = "127.0.0.1:9"
"""An address where nobody listens."""

_LIMIT = 30.0
"""Seconds for a self-check, which takes a hundredth of one: a hang is meant, no slowness."""

_UNASKED = "not asked, as the harness didn't answer before"

_Look = Callable[[Harness], Iterator[str]]

_LOOKS: dict[str, tuple[str, _Look]] = {}


def _asks(id: str, title: str) -> Callable[[_Look], _Look]:
    def registers(look: _Look) -> _Look:
        _LOOKS[id] = title, look
        return look

    return registers


def self_checked(harness: Harness, *, limit: float = _LIMIT) -> list[Cell]:
    """A cell for each self-check, of the verdict ``pass`` or ``harness``.

    A harness that hangs is asked nothing more: what follows is ``n/a``.

    Args:
        harness: what is asked.
        limit: seconds for each self-check.
    """
    cells: list[Cell] = []
    for id, (_, look) in _LOOKS.items():
        looking = _Looking(harness, look)
        try:
            faults = begun(looking).result(limit)
        except TimeoutError:
            told = f"the harness didn't answer in {limit:g} s: {looking.where()}"
            cells.append(Cell(check=id, direction="-", verdict="harness", told=told))
            break
        verdict: Verdict = "harness" if faults else "pass"
        cells.append(Cell(check=id, direction="-", verdict=verdict, told="; ".join(faults)))
    left = [*_LOOKS][len(cells) :]
    return [*cells, *(Cell(check=id, direction="-", verdict="n/a", told=_UNASKED) for id in left)]


class _Looking:
    """A self-check that a thread makes."""

    def __init__(self, harness: Harness, look: _Look) -> None:
        self._harness = harness
        self._look = look
        self._thread: int | None = None

    def __call__(self) -> list[str]:
        """What is wrong with the harness."""
        self._thread = threading.get_ident()
        try:
            return list(dict.fromkeys(self._look(self._harness)))
        except HarnessFaultError as fault:
            return [str(fault)]
        except BaseException as error:  # noqa: BLE001  # what the author's values do is theirs
            return [f"the harness raised {raised(error, self._harness.codec)}"]

    def where(self) -> str:
        """Which of the harness's methods the thread is at, and in which line."""
        frames = [*walk_stack(sys._current_frames().get(self._thread or 0))]
        file = getattr(inspect.getmodule(type(self._harness.codec)), "__file__", None)
        own = [each for each in frames if each[0].f_code.co_filename == file]
        frame, line = own[-1] if own else frames[0]
        code = frame.f_code
        return f"{code.co_qualname} ({Path(code.co_filename).name}, line {line})"


# ------------------------------------------------------------------------------ the codec speaks


def _answer(voice: Voice, text: str) -> Callable[[], list[object]]:
    return lambda: voice.says(Delta(text), Finish())


@_asks("HAR-01", "says every step")
def _says_every_step(harness: Harness) -> Iterator[str]:
    """The codec has messages for every step of a script, and raises for none."""
    voice = Voice(harness)
    if not (text := voice.says(Delta("Hello"))) and not voice.says(Delta("Hello"), Finish()):
        yield f"{where_of(voice.encoder(), 'delta')} says nothing for a text"
    call = ToolCallDelta(0, id="c1", name="weather", arguments="{}")
    source = {"index": 1, "url": "https://example.org/", "title": "an example"}
    for odd in (Delta(reasoning="hm"), Delta(tool_call=call), Delta(sources=[source]), Delta()):
        voice.says(odd, Finish())
    for reason in get_args(FinishReason):
        if not voice.says(*([Delta("Hello")] if text else []), Finish(reason))[len(text) :]:
            yield f"{where_of(voice.encoder(), 'finish')} says nothing for Finish({reason!r})"


@_asks("HAR-02", "says each text otherwise")
def _says_each_text_otherwise(harness: Harness) -> Iterator[str]:
    """Two texts are two answers: what is in the one is not all that is in the other."""
    voice = Voice(harness)
    where = where_of(voice.encoder(), "delta")
    for one, other in combinations(("Hello", "Hellp", "Hello ", ""), 2):
        if not differ(_answer(voice, one), _answer(voice, other)):
            yield f"{where} says {one!r} and {other!r} in the same messages"


@_asks("HAR-03", "loses no character")
def _loses_no_character(harness: Harness) -> Iterator[str]:
    """Every text of the corpus can be read in the messages as it was given."""
    voice = Voice(harness)
    texts = {**CORPUS, "separators": SEPARATORS, "controls": CONTROLS, "blanks": SPACES}
    texts |= {"composed": FORMS[0], "decomposed": FORMS[1]}
    where = where_of(voice.encoder(), "delta")
    if not holds(_answer(voice, MARK)(), MARK):
        yield f"in what {where} says for {MARK!r} that text can't be found, as it is or in JSON"
        return
    for what, text in texts.items():
        if not holds(_answer(voice, text)(), text):
            yield f"{where} changes a text ({what}): {text[:40]!r} isn't in its messages"


@_asks("HAR-04", "has words for each failure")
def _has_words_for_each_failure(harness: Harness) -> Iterator[str]:
    """Each kind of failure has its words, with the message in them, or a reason why it can't."""
    voice = Voice(harness)
    said = [kind for kind in _KINDS if kind not in harness.cannot_express]
    silent: list[str] = []
    lost: dict[str, list[str]] = {}
    for kind in said:
        fail = Fail(kind, message=MARK)
        if not (messages := voice.says(fail)):
            silent.append(kind)
        elif not holds(messages, MARK):
            lost.setdefault(where_of(voice.encoder(), "fail"), []).append(kind)
        if not holds(voice.refusal(fail) or [MARK], MARK):
            lost.setdefault(where_of(harness.codec, "refusal"), []).append(kind)
    if silent:
        lead = f'give them messages, or say why not: cannot_express={{"{silent[0]}": "..."}}'
        yield f"{where_of(voice.encoder(), 'fail')} says nothing for {', '.join(silent)}: {lead}"
    for where, kinds in lost.items():
        told = "loses the message of a Fail, which is the service's own"
        yield f"{where} {told}, for {', '.join(kinds)}"
    for one, other in combinations(said, 2):
        if _meant(harness, one) != _meant(harness, other) and _are_one(voice, one, other):
            wanted = f"{_meant(harness, one)[0]} and {_meant(harness, other)[0]}"
            where = where_of(voice.encoder(), "fail")
            yield (
                f"{where} says {one} and {other} in the same words, so that no plugin can tell "
                f"{wanted} apart: give them codes of their own, or name one class in errors"
            )


def _are_one(voice: Voice, one: FailKind, other: FailKind) -> bool:
    """Whether two failures come in the same words, at first and in the middle of an answer."""
    first, second = Fail(one, message=MARK), Fail(other, message=MARK)
    return not (
        voice.apart(first, second)
        or voice.apart(Fail(one), Fail(other))
        or differ(lambda: voice.refusal(first), lambda: voice.refusal(second))
    )


def _meant(harness: Harness, kind: FailKind) -> tuple[str, str | None]:
    """What a failure should come as: the error's class, and the stage of a filter."""
    if kind in harness.errors:
        return getattr(harness.errors[kind], "__name__", ""), None  # HAR-09 tells of what is none
    error = failure(Fail(kind))
    stage = error.stage if isinstance(error, ContentFilterError) else None
    return type(error).__name__, stage


@_asks("HAR-05", "makes well-formed noise")
def _makes_well_formed_noise(harness: Harness) -> Iterator[str]:
    """Noise has the form of what is said else, and means neither text, nor end, nor failure."""
    voice = Voice(harness)
    encoder = voice.encoder()
    noise = voice.says(Noise(), encoder=encoder)
    where = where_of(encoder, "noise")
    others = voice.says(Delta("Hello"), Finish())
    if others and all(map(is_json, others)):
        yield from (
            f"{where} is no JSON, as the other messages are: {each!r}"
            for each in noise
            if not is_json(each)
        )
    if noise and not voice.apart(Noise(), Finish()):
        yield f"{where} says what the end of an answer is"
    for kind in _KINDS if noise else ():
        if kind not in harness.cannot_express and not voice.apart(Noise(), Fail(kind)):
            yield f"{where} says what the failure {kind} is"


# -------------------------------------------------------------------------------- the codec hears

_JUNK = (
    b"",
    b"{",
    b"null",
    b"7",
    b'"text"',
    b"[]",
    b"[[]]",
    b"{}",
    b'{"messages": null}',
    b'{"messages": 7}',
    b'{"messages": [7]}',
    b'{"messages": [{}], "model": "m"}',
    b'{"messages": [["user"]], "question": {}, "params": 7, "prompt": null}',
    b"\xff\xfe\x00",
    b"a=1&b=2",
)

_ODD_CALLS = (
    Called(),
    Called((None,)),
    Called((7, "x"), {"messages": None}),
    Called((), {"prompt": []}),
)


@_asks("HAR-06", "hears junk")
def _hears_junk(harness: Harness) -> Iterator[str]:
    """What is no question is refused with a ValueError, whatever it is."""
    where = where_of(harness.codec, "asked")
    requests = [RawRequest(target="/", body=junk) for junk in _JUNK]
    requests += [RawRequest(target="/", called=called) for called in _ODD_CALLS]
    for request in requests:
        heard = f"for the body {request.body!r}" if request.body else "for an empty request"
        try:
            asked: object = harness.codec.asked(request)
        except ValueError:
            continue
        except BaseException as error:  # noqa: BLE001  # the author's code may raise anything
            told = f"raised {raised(error, harness.codec)}; what is no question is a ValueError"
            yield f"{where} {heard} {told}"
        else:
            if not isinstance(asked, Asked):
                yield f"{where} {heard} gave {kind_of(asked)}, and neither Asked nor a ValueError"


# ----------------------------------------------------------------------------- one at a time


@_asks("HAR-07", "begins each answer anew")
def _begins_each_answer_anew(harness: Harness) -> Iterator[str]:
    """An encoder knows of its own answer alone: no other's text, count or mood is in it."""
    voice = Voice(harness)
    where = where_of(harness.codec, "encoder")
    one, other = voice.encoder(), voice.encoder()
    if one is other:
        yield f"{where} gives the same encoder for every answer: give each its own"
        return
    call = Delta(tool_call=ToolCallDelta(0, id="c1", name=MARK, arguments=MARK))
    voice.says(Delta(MARK), Delta(reasoning=MARK), call, encoder=one)
    if holds(voice.says(Delta("Hello"), Finish(), encoder=other), MARK):
        yield f"{where}: what one answer says turns up in another: its encoders share something"
    first, second = (
        voice.says(Delta("Hello"), Delta("Hello"), Delta("Hello"), Finish()) for _ in range(2)
    )
    if found := _carried_on(first, second):
        yield f"{where}: {found}: its encoders share a count or a mark, which must begin anew"


def _carried_on(first: Sequence[object], second: Sequence[object]) -> str:
    """What of an answer goes on where the one before it stopped, in words; empty if nothing."""
    before, after = (_by_path(messages) for messages in (first, second))
    if shapes := sorted(".".join(path) for path in before.keys() ^ after.keys()):
        return f"an answer and the next don't both have {shapes[0]!r}"
    for path, said in before.items():
        name, again = ".".join(path), after[path]
        if all(isinstance(each, bool) for each in (*said, *again)) and said != again:
            return f"{name!r} is otherwise in an answer and in the next"
        if _counts(said) and _counts(again) and said[0] != again[0]:
            return f"{name!r} counts from {said[0]} in an answer, and from {again[0]} in the next"
    return ""


def _by_path(messages: Sequence[object]) -> dict[tuple[str, ...], list[object]]:
    found: dict[tuple[str, ...], list[object]] = {}
    for each in values(messages):
        found.setdefault(each.path, []).append(each.value)
    return found


def _counts(said: Sequence[object]) -> bool:
    """Whether values go up by one, as the clock's don't."""
    numbers = [each for each in said if isinstance(each, int)]
    steps = {later - sooner for sooner, later in pairwise(numbers)}
    return len(numbers) == len(said) > 2 and steps == {1}


# --------------------------------------------------------------------------- what it declares


@_asks("HAR-08", "ends as declared")
def _ends_as_declared(harness: Harness) -> Iterator[str]:
    """Every declared finish reason has words of its own, and none is told that isn't declared."""
    declared = harness.finish_reasons
    if declared is None:
        return
    voice = Voice(harness)
    where = where_of(voice.encoder(), "finish")
    for raw, reason in declared.items():
        if reason not in get_args(FinishReason):
            yield f"finish_reasons says that {raw!r} is {reason!r}, which is no finish reason"
            return
    ends = {raw: Finish(reason, raw=raw) for raw, reason in declared.items()}
    if ends:
        ends["unheard-of"] = Finish("other", raw="unheard-of")
    for one, other in combinations(ends, 2):
        if not voice.apart(ends[one], ends[other]):
            lead = "say Finish.raw, as finish_reasons promises"
            yield f"{where} says {one!r} and {other!r} in the same words: {lead}"
    usual = ("stop", "other", *declared.values())
    for reason in get_args(FinishReason):
        if reason not in usual and voice.apart(Finish(reason), Finish()):
            yield f"{where} has words for {reason!r}, and finish_reasons hasn't"


@_asks("HAR-09", "declares what there is")
def _declares_what_there_is(harness: Harness) -> Iterator[str]:
    """Kinds, errors and parameters that the harness names exist, and no reason is left out."""
    for name, told in (("cannot_express", harness.cannot_express), ("errors", harness.errors)):
        for kind in told:
            if kind not in _KINDS:
                yield f"{name} has {kind!r}; kinds of failures are {', '.join(_KINDS)}"
    for kind, reason in harness.cannot_express.items():
        if not str(reason or "").strip():
            yield f"cannot_express has no reason for {kind!r}: say why the service can't say it"
    for kind, error in harness.errors.items():
        if error not in vars(errors).values():
            yield f"errors says that {kind} comes as {error!r}, which isn't in modelplug.errors"
        if kind in harness.cannot_express:
            yield f"{kind} is in errors and in cannot_express: it can't be in both"
    try:
        given: object = harness.params(_address(harness), Account())
    except BaseException as error:  # noqa: BLE001  # the author's code may raise anything
        yield f"params(url, account) raised {type(error).__name__}: {error}"
        return
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        yield "params(url, account) gives no mapping of names: new_client takes them by keyword"


def _address(harness: Harness) -> str:
    """Where a service of this kind could be, and isn't."""
    upstream = harness.wire(harness.codec)
    with upstream if upstream.wired else nullcontext():  # a library may not be there
        return origin(upstream, _NOWHERE)


@_asks("HAR-10", "knows wrong credentials")
def _knows_wrong_credentials(harness: Harness) -> Iterator[str]:
    """A codec that verifies credentials finds a fault with none at all, and raises nothing."""
    codec = harness.codec
    if not isinstance(codec, VerifiesAuth):
        return
    where = where_of(codec, "verify_auth")
    for target in ("/", "/chat?", "/chat?key=%FF&authorization=e30%3D&date=today"):
        request = RawRequest(target=target, headers={"authorization": "Bearer"})
        reason = called(codec, "verify_auth", request, Account(), 0.0, what="for a request of junk")
        if not isinstance(reason, str) or not reason:
            told = "where a reason belongs: it has no credentials of the account's"
            yield f"{where} gave {reason!r} for a request of junk, {told}"


SELF_CHECKS: tuple[Rule, ...] = tuple(
    Rule(
        id=id,
        title=title,
        rule=" ".join((look.__doc__ or "").split()),
        must=True,
        profile="core",
    )
    for id, (title, look) in _LOOKS.items()
)
"""What is asked of a harness, as reports have it."""
