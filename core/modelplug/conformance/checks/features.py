"""FEA: what the plugin claims works, and what it doesn't claim is refused and never dropped."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import replace
from io import BytesIO
from typing import get_args

from modelplug.capabilities import REQUEST_CAPABILITIES
from modelplug.conformance.check import check
from modelplug.conformance.lab import Lab
from modelplug.conformance.verdict import NotApplicable
from modelplug.conformance.wishes import REFUSALS, TOOL, refuses, support, wish
from modelplug.conformance.wording import MARK
from modelplug.delta import Delta, Finish, FinishReason, Usage
from modelplug.errors import UnsupportedOptionError
from modelplug.messages import MessageLike
from modelplug.request import ModelRequest

_VALUES: Mapping[str, Sequence[float]] = {
    "temperature": (0, 0.0, 0.5, 1),
    "top_p": (0, 0.5, 1),
    "top_k": (0, 1, 4),
    "seed": (0, 42),
    "presence_penalty": (0, 0.5, 1),
    "frequency_penalty": (0, 0.5, 1),
}

_WISHES: Mapping[str, object] = {
    "temperature": 0.5,
    "max_new_tokens": 16,
    "top_p": 0.5,
    "top_k": 4,
    "seed": 0,
    "stop": ["END"],
    "stop_token_ids": [5],
    "presence_penalty": 0.5,
    "frequency_penalty": 0.5,
    "tools": [TOOL],
    "tool_choice": "auto",
    "response_format": {"type": "json_object"},
    "reasoning": "low",
    "echo": True,
}
"""Something to ask for, by the capability that it takes."""

# ---------------------------------------------------------------------- how an answer ends


def _expect_true_usage(lab: Lab) -> Usage | None:
    """What comes of a usage that the service told; a wrong one misleads, claimed or not."""
    given = lab.answer("hi", Finish(usage=Usage(prompt_tokens=11, completion_tokens=7))).usage
    if given:
        counts = (given.prompt_tokens, given.completion_tokens, given.total_tokens)
        lab.expect.equal("prompt, completion and total tokens", (11, 7, 18), counts)
    untold = lab.answer("hi", Finish()).usage
    made_up = untold is not None and not (untold.prompt_tokens or untold.completion_tokens)
    lab.expect.that(not made_up, "a usage that the service didn't tell is 0, where None belongs")
    return given


def _unclaimed_usage(lab: Lab) -> None:
    _expect_true_usage(lab)


@check("FEA-01", "usage", profile="streaming", needs="usage", twin=_unclaimed_usage)
def usage(lab: Lab) -> None:
    """The tokens are those that the service told; where it told none there are none, and not 0."""
    given = _expect_true_usage(lab)
    lab.expect.that(given, "the output has no usage, though the service told it")


@check("FEA-02", "finish reasons", profile="core")
def finish_reasons(lab: Lab) -> None:
    """The finish reason is what the service said, and a word that is new to the plugin is other."""
    for end, reason in _ends(lab):
        output = lab.answer("hi", end)
        said = end.raw or end.reason
        message = f"the finish reason where the service said {said}"
        lab.expect.equal(message, reason, output.finish_reason)
        if end.raw:
            lab.expect.equal("the service's own word", end.raw, output.raw_finish_reason)
    unheard = Finish("other", raw="unheard-of")
    if lab.harness.finish_reasons != {} and lab.wording.tells_apart(unheard, Finish("stop")):
        output = lab.answer("hi", unheard)
        lab.expect.equal("the finish reason for a new word", "other", output.finish_reason)
        if lab.wording.tells_apart(unheard, Finish("other")):
            lab.expect.equal("the service's own word", "unheard-of", output.raw_finish_reason)


def _ends(lab: Lab) -> list[tuple[Finish, FinishReason]]:
    """Ends that the service says, and the finish reason that each is to come as.

    They are what the harness declares, or else those that its codec has words of their own for.
    A service that says no more than that it is done means ``stop``, whatever it meant.
    """
    declared = lab.harness.finish_reasons
    if declared:
        return [(Finish(reason, raw=raw), reason) for raw, reason in declared.items()]
    stop: tuple[Finish, FinishReason] = (Finish("stop"), "stop")
    if declared is not None:
        return [stop, (Finish("length"), "stop"), (Finish("content_filter"), "stop")]
    others: Sequence[FinishReason] = [each for each in get_args(FinishReason) if each != "stop"]
    own = [each for each in others if lab.wording.tells_apart(Finish(each), Finish("stop"))]
    return [stop, *((Finish(reason), reason) for reason in own)]


@check("FEA-21", "parts of the usage", profile="complete", must=False, needs="usage")
def parts_of_the_usage(lab: Lab) -> None:
    """Tokens that came from a cache, or were thinking, are told, and are part of the totals."""
    plain = Usage(prompt_tokens=11, completion_tokens=7, total_tokens=18)
    parts = {"cached_tokens": 5, "reasoning_tokens": 3}
    known = [
        name
        for name, tokens in parts.items()
        if lab.wording.tells_apart(
            Finish(usage=replace(plain, **{name: tokens})),  # type: ignore[arg-type]  # all are int
            Finish(usage=plain),
        )
    ]
    if not known:
        raise NotApplicable("the service doesn't tell the parts of a usage")
    given = replace(plain, **{name: parts[name] for name in known})  # type: ignore[arg-type]
    heard = lab.answer("hi", Finish(usage=given)).usage
    for name in ("prompt_tokens", "completion_tokens", "total_tokens", *known):
        lab.expect.equal(f"the {name}", getattr(given, name), getattr(heard, name, None))


# ----------------------------------------------------------------------------- parameters


@check("FEA-03", "stop sequences", profile="core", needs="stop")
def stop_sequences(lab: Lab) -> None:
    """A stop sequence is sent; where the plugin sees to it itself, it cuts the answer there."""
    if support(lab, "stop") == "native":
        for stop in ("END", ["END", "完"]):
            given = [stop] if isinstance(stop, str) else stop
            heard = lab.sent(wish(stop=stop)).params.get("stop")
            sent = [heard] if isinstance(heard, str) else heard
            lab.expect.equal("the stop sequences that were sent", given, sent)
        return
    output = lab.answer("one E", "ND two", Finish("length"), request=wish(stop=["END"]))
    lab.expect.equal("the text before the stop sequence", "one ", output.text)
    lab.expect.equal("the finish reason at a stop sequence", "stop", output.finish_reason)


@check("FEA-04", "max_new_tokens", profile="core", needs="max_new_tokens")
def max_new_tokens(lab: Lab) -> None:
    """The limit of an answer is sent as it is, and none is sent where none was given."""
    for limit in (1, 100):
        heard = lab.sent(wish(max_new_tokens=limit)).params.get("max_new_tokens")
        lab.expect.equal("the limit that was sent", limit, heard)
    _expect_unset(lab, "max_new_tokens")


@check("FEA-05", "sampling parameters", profile="core")
def sampling_parameters(lab: Lab) -> None:
    """Each claimed parameter is sent as it is, 0 too, or refused; None sends nothing."""
    claimed = [name for name in _VALUES if lab.claims(name)]
    if not claimed:
        raise NotApplicable("no sampling parameter is claimed")
    for name in claimed:
        _expect_unset(lab, name)
        taken = [_expect_sent(lab, name, value) for value in _VALUES[name]]
        lab.expect.that(any(taken), f"{name} is claimed, and every value of it is refused")


def _expect_unset(lab: Lab, name: str) -> None:
    message = f"{name} was sent, though the request doesn't set it"
    lab.expect.that(name not in lab.sent("hi").params, message)


def _expect_sent(lab: Lab, name: str, value: float) -> bool:
    """A value is sent as it is, or refused before; whether it was sent."""
    before = lab.questions
    try:
        params = lab.sent(wish(**{name: value})).params
    except REFUSALS:
        lab.expect.equal(f"messages for a {name} that is refused", before, lab.questions)
        return False
    lab.expect.that(name in params, f"{name}={value} wasn't sent")
    lab.expect.equal(f"the {name} that was sent", value, params.get(name))
    return True


@check("FEA-06", "unclaimed parameters", profile="core")
def unclaimed_parameters(lab: Lab) -> None:
    """What isn't claimed is refused; left out only where the caller said so, with a warning."""
    unclaimed = [name for name in REQUEST_CAPABILITIES if not lab.claims(name)]
    if not unclaimed:
        raise NotApplicable("every parameter is claimed")
    for name in unclaimed:
        wanted = wish(**{name: _WISHES[name]})
        lab.refused(wanted, UnsupportedOptionError, what=f"{name}, which isn't claimed")
        _expect_left_out(lab, name, wanted)


def _expect_left_out(lab: Lab, name: str, wanted: ModelRequest) -> None:
    for policy in ("warn", "drop"):
        output = lab.answer("ok", Finish(), request=wanted.copy(on_unsupported=policy))
        lab.expect.that(
            name not in lab.asked().params and not lab.asked().tools,
            f"{name} was sent, though it isn't claimed",
        )
        warned = any(name in warning for warning in output.warnings)
        lab.expect.that(warned or policy == "drop", f"no warning says that {name} was left out")


# ------------------------------------------------------------------------------ formats

_SCHEMA: Mapping[str, object] = {
    "type": "object",
    "properties": {"天": {"type": "string", "enum": ["Köln", "北京"]}},
    "required": ["天"],
    "additionalProperties": False,
}

_FORMATS: Sequence[Mapping[str, object]] = (
    {"type": "json_object"},
    {"type": "json_schema", "json_schema": {"name": "sky", "strict": True, "schema": _SCHEMA}},
)


@check("FEA-18", "formats of answers", profile="complete", needs="response_format")
def formats_of_answers(lab: Lab) -> None:
    """The form that an answer is to have is sent as it was given; a schema may be refused."""
    usual = lab.sent("hi")
    for wanted in _FORMATS:
        before = lab.questions
        try:
            heard = lab.sent(wish(response_format=wanted))
        except REFUSALS:
            lab.expect.equal(f"messages for a {wanted['type']} refused", before, lab.questions)
            lab.expect.that(wanted is not _FORMATS[0], "every response_format is refused")
            continue
        message = f"a response_format of {wanted['type']} wasn't sent"
        lab.expect.that(heard != usual, message)
        sent = heard.params.get("response_format")
        if support(lab, "response_format") == "native" and sent is not None:
            lab.expect.equal("the response_format that was sent", wanted, sent)


# ------------------------------------------------------------------------ thinking, images


@check("FEA-16", "reasoning apart", profile="complete")
def reasoning_apart(lab: Lab) -> None:
    """What a model thinks is kept apart from what it says."""
    _expect_thinks(lab)
    thoughts = (Delta(reasoning="hm, "), Delta(reasoning="well\n"))
    output = lab.answer(*thoughts, "It ", "rains.", Finish())
    lab.expect.equal("the thinking", "hm, well\n", output.reasoning)
    lab.expect.equal("the text beside it", "It rains.", output.text)


@check("FEA-17", "reasoning only", profile="complete")
def reasoning_only(lab: Lab) -> None:
    """An answer of thinking alone is an answer: with an empty text, and its finish reason."""
    _expect_thinks(lab)
    end, reason = _end_by_length(lab)
    output = lab.answer(Delta(reasoning="hm"), end)
    lab.expect.equal("the thinking", "hm", output.reasoning)
    lab.expect.equal("the text of an answer of thinking alone", "", output.text)
    lab.expect.equal("the finish reason", reason, output.finish_reason)


def _end_by_length(lab: Lab) -> tuple[Finish, FinishReason]:
    """The end of an answer that is too long, and what it is to come as."""
    found = [(end, reason) for end, reason in _ends(lab) if reason == "length"]
    return found[0] if found else (Finish("length"), "stop")


def _expect_thinks(lab: Lab) -> None:
    if not lab.wording.can_say(Delta(reasoning=MARK)):
        raise NotApplicable("the service doesn't show what a model thinks")


_ENCODED = "iVBORw0KGgo="
_PIXELS = b64decode(_ENCODED)

_LOOK: list[MessageLike] = [
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "what is it?"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_ENCODED}"}},
        ],
    }
]


@check(
    "FEA-19",
    "images",
    profile="complete",
    needs="images",
    twin=refuses("an image", messages=_LOOK),
)
def images(lab: Lab) -> None:
    """An image is sent as it was given; where it isn't claimed it is refused, not left out."""
    lab.sent(_LOOK)
    exchange = lab.exchanges[-1]
    seen = _shows([*exchange.messages, exchange.called.args, exchange.called.kwargs])
    lab.expect.that(seen, "the image wasn't sent")


def _shows(value: object, depth: int = 8) -> bool:
    """Whether the image is a value, or somewhere within it, as text or decoded.

    A library may be given bytes, a file, or an object of its own that has either.
    """
    if not depth:
        return False  # objects may have one another
    match value:
        case str():
            return _ENCODED in value
        case bytes() | bytearray() | memoryview():
            return _PIXELS in bytes(value) or _ENCODED.encode() in bytes(value)
        case BytesIO():
            return _PIXELS in value.getvalue()
        case Mapping():
            parts = [*value.values()]
        case list() | tuple():
            parts = [*value]
        case _:
            parts = [*getattr(value, "__dict__", {}).values()]
    return any(_shows(part, depth - 1) for part in parts)
