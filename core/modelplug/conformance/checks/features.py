"""FEA: what the plugin claims works, and what it doesn't claim is refused and never dropped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias, get_args

from modelplug.capabilities import REQUEST_CAPABILITIES, Support
from modelplug.conformance.check import check
from modelplug.conformance.lab import Lab
from modelplug.conformance.verdict import NotApplicable
from modelplug.conformance.wording import MARK
from modelplug.delta import Delta, Finish, FinishReason, ToolCallDelta, Usage
from modelplug.errors import BadRequestError, ConfigError, UnsupportedOptionError
from modelplug.messages import MessageLike
from modelplug.output import ModelOutput
from modelplug.request import ModelRequest

Turns: TypeAlias = Sequence[tuple[str, str]]
"""Role and text of each message."""

_VALUES: Mapping[str, Sequence[float]] = {
    "temperature": (0, 0.0, 0.5, 1),
    "top_p": (0, 0.5, 1),
    "top_k": (0, 1, 4),
    "seed": (0, 42),
    "presence_penalty": (0, 0.5, 1),
    "frequency_penalty": (0, 0.5, 1),
}

_TOOL: Mapping[str, object] = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "what the sky does",
        "parameters": {
            "type": "object",
            "properties": {"place": {"type": "string", "enum": ["Köln", "北京"]}},
            "required": ["place"],
        },
    },
}

_CLOCK: Mapping[str, object] = {
    "type": "function",
    "function": {
        "name": "clock",
        "description": "what time it is",
        "parameters": {"type": "object", "properties": {}, "required": []},
    },
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
    "tools": [_TOOL],
    "tool_choice": "auto",
    "response_format": {"type": "json_object"},
    "reasoning": "low",
    "echo": True,
}
"""Something to ask for, by the capability that it takes."""

_REFUSALS = (BadRequestError, ConfigError)
"""What a value out of range is refused with; an UnsupportedOptionError is a ConfigError."""


def _wish(**fields: object) -> ModelRequest:
    return ModelRequest(messages="hi").copy(**fields)


def _support(lab: Lab, capability: str) -> Support:
    with lab.made() as client:
        return client.capabilities(lab.harness.model or client.default_model)[capability]


# ---------------------------------------------------------------------- how an answer ends


@check("FEA-01", "usage", profile="streaming", needs="usage")
def usage(lab: Lab) -> None:
    """The tokens are those that the service told; where it told none there are none, and not 0."""
    told = lab.answer("hi", Finish(usage=Usage(prompt_tokens=11, completion_tokens=7))).usage
    lab.expect.that(told, "the output has no usage, though the service told it")
    if told:
        counts = (told.prompt_tokens, told.completion_tokens, told.total_tokens)
        lab.expect.equal("prompt, completion and total tokens", (11, 7, 18), counts)
    untold = lab.answer("hi", Finish()).usage
    made_up = untold is not None and not (untold.prompt_tokens or untold.completion_tokens)
    lab.expect.that(not made_up, "a usage that the service didn't tell is 0, where None belongs")


@check("FEA-02", "finish reasons", profile="core")
def finish_reasons(lab: Lab) -> None:
    """The finish reason is what the service said, and a word that is new to the plugin is other."""
    for end, reason in _ends(lab):
        output = lab.answer("hi", end)
        said = end.raw or end.reason
        told = f"the finish reason where the service said {said}"
        lab.expect.equal(told, reason, output.finish_reason)
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
    ends: list[tuple[Finish, FinishReason]] = [(Finish("stop"), "stop")]
    for reason in get_args(FinishReason):
        if declared is not None:
            if reason in ("length", "content_filter"):
                ends.append((Finish(reason), "stop"))
        elif reason != "stop" and lab.wording.tells_apart(Finish(reason), Finish("stop")):
            ends.append((Finish(reason), reason))
    return ends


@check("FEA-21", "parts of the usage", profile="complete", must=False, needs="usage")
def parts_of_the_usage(lab: Lab) -> None:
    """Tokens that came from a cache, or were thinking, are told, and are part of the totals."""
    plain = Usage(prompt_tokens=11, completion_tokens=7, total_tokens=18)
    parts = {"cached_tokens": 5, "reasoning_tokens": 3}
    told = [
        name
        for name, tokens in parts.items()
        if lab.wording.tells_apart(
            Finish(usage=replace(plain, **{name: tokens})),  # type: ignore[arg-type]  # all are int
            Finish(usage=plain),
        )
    ]
    if not told:
        raise NotApplicable("the service doesn't tell the parts of a usage")
    given = replace(plain, **{name: parts[name] for name in told})  # type: ignore[arg-type]
    heard = lab.answer("hi", Finish(usage=given)).usage
    for name in ("prompt_tokens", "completion_tokens", "total_tokens", *told):
        lab.expect.equal(f"the {name}", getattr(given, name), getattr(heard, name, None))


# ----------------------------------------------------------------------------- parameters


def _refuses_stop(lab: Lab) -> None:
    lab.refused(_wish(stop=["END"]), UnsupportedOptionError, what="stop sequences, not claimed")


@check("FEA-03", "stop sequences", profile="core", needs="stop", twin=_refuses_stop)
def stop_sequences(lab: Lab) -> None:
    """A stop sequence is sent; where the plugin sees to it itself, it cuts the answer there."""
    if _support(lab, "stop") == "native":
        for stop in ("END", ["END", "完"]):
            given = [stop] if isinstance(stop, str) else stop
            heard = lab.sent(_wish(stop=stop)).params.get("stop")
            sent = [heard] if isinstance(heard, str) else heard
            lab.expect.equal("the stop sequences that were sent", given, sent)
        return
    output = lab.answer("one E", "ND two", Finish("length"), request=_wish(stop=["END"]))
    lab.expect.equal("the text before the stop sequence", "one ", output.text)
    lab.expect.equal("the finish reason at a stop sequence", "stop", output.finish_reason)


def _refuses_limit(lab: Lab) -> None:
    wish = _wish(max_new_tokens=16)
    lab.refused(wish, UnsupportedOptionError, what="max_new_tokens, not claimed")


@check("FEA-04", "max_new_tokens", profile="core", needs="max_new_tokens", twin=_refuses_limit)
def max_new_tokens(lab: Lab) -> None:
    """The limit of an answer is sent as it is, and none is sent where none was given."""
    for limit in (1, 100):
        heard = lab.sent(_wish(max_new_tokens=limit)).params.get("max_new_tokens")
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
    told = f"{name} was sent, though the request doesn't set it"
    lab.expect.that(name not in lab.sent("hi").params, told)


def _expect_sent(lab: Lab, name: str, value: float) -> bool:
    """A value is sent as it is, or refused before; whether it was sent."""
    before = lab.questions
    try:
        params = lab.sent(_wish(**{name: value})).params
    except _REFUSALS:
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
        wish = _wish(**{name: _WISHES[name]})
        lab.refused(wish, UnsupportedOptionError, what=f"{name}, which isn't claimed")
        _expect_left_out(lab, name, wish)


def _expect_left_out(lab: Lab, name: str, wish: ModelRequest) -> None:
    for policy in ("warn", "drop"):
        output = lab.answer("ok", Finish(), request=wish.copy(on_unsupported=policy))
        lab.expect.that(
            name not in lab.asked().params and not lab.asked().tools,
            f"{name} was sent, though it isn't claimed",
        )
        warned = any(name in warning for warning in output.warnings)
        lab.expect.that(warned or policy == "drop", f"no warning says that {name} was left out")


# ------------------------------------------------------------------------------- messages

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


def _messages(turns: Turns) -> list[MessageLike]:
    return [{"role": role, "content": text} for role, text in turns]


def _refuses_system(lab: Lab) -> None:
    turns = _messages(_SYSTEM_FIRST[0])
    lab.refused(turns, UnsupportedOptionError, what="a system message, not claimed")


@check("FEA-07", "system messages", profile="core", needs="system_role", twin=_refuses_system)
def system_messages(lab: Lab) -> None:
    """Each system message is sent once, before the question, and none is ever lost."""
    is_native = _support(lab, "system_role") == "native"
    for turns in _SYSTEM_FIRST:
        heard = lab.sent(_messages(turns)).messages
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
        return lab.sent(_messages(turns)).messages
    except _REFUSALS:
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
        heard = lab.sent(_messages(turns)).messages
        lab.expect.equal("the turns that were sent", [*turns], [*map(tuple, heard)])
    for turns in _ODD_DIALOGUES:
        if (odd := _heard_or_refused(lab, turns)) is not None:
            _expect_dialogue(lab, turns, odd)
    seen = lab.sent(_messages((("user", "one?"), ("view", "a chart"), ("user", "two?"))))
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
    heard = lab.sent(_messages(turns)).messages
    lab.expect.equal("how many of 201 turns were sent", 201, len(heard))
    changed = [number for number, turn in enumerate(turns) if tuple(heard[number]) != turn]
    lab.expect.equal("the numbers of the turns that were sent otherwise", [], changed)


# ---------------------------------------------------------------------------------- tools


def _refuses_tools(lab: Lab) -> None:
    lab.refused(_wish(tools=[_TOOL]), UnsupportedOptionError, what="tools, not claimed")


@check("FEA-10", "tools offered", profile="complete", needs="tools", twin=_refuses_tools)
def tools_offered(lab: Lab) -> None:
    """The tools of a request are offered under their names, with their schemas as they were."""
    heard = lab.sent(_wish(tools=[_TOOL, _CLOCK]))
    lab.expect.equal("the tools that were offered", ["weather", "clock"], [*heard.tools])
    try:
        question: object = lab.exchanges[-1].question
    except ValueError:
        return  # it isn't JSON: names are all that can be seen
    schema = {"place": {"type": "string", "enum": ["Köln", "北京"]}}
    lab.expect.that(_holds(question, schema), f"the schema {schema} wasn't sent as it was")


def _holds(value: object, wanted: object) -> bool:
    """Whether a JSON value is what is wanted, or has it somewhere within."""
    if value == wanted:
        return True
    if isinstance(value, Mapping):
        return any(_holds(item, wanted) for item in value.values())
    return isinstance(value, list) and any(_holds(item, wanted) for item in value)


@check("FEA-11", "tool calls in pieces", profile="complete", needs="tools")
def tool_calls_in_pieces(lab: Lab) -> None:
    """A tool call comes out whole, however its arguments were cut."""
    pieces = ('{"pla', 'ce": "K', "öln \\u5", '317"', "}")
    _expect_called(lab, ToolCallDelta(0, id="c1", name="weather", arguments=pieces[0]), *pieces[1:])
    _expect_called(lab, ToolCallDelta(0, id="c1", name="weather", arguments="".join(pieces)))


@check("FEA-12", "odd arguments", profile="complete", needs="tools")
def odd_arguments(lab: Lab) -> None:
    """Arguments come out as they came, also those that are no JSON; none are empty."""
    for arguments in ('{"place": "北京 😀"}', '{"place": ', "[]", '{"a": "\\"}{"}'):
        _expect_called(lab, ToolCallDelta(0, id="c1", name="weather", arguments=arguments))
    output = _called(lab, [ToolCallDelta(0, id="c1", name="clock")])
    given = output.tool_calls[0].arguments if output.tool_calls else None
    lab.expect.that(given in ("", "{}"), f"a call without arguments has {given!r} for them")


@check("FEA-14", "finish with tools", profile="complete", needs="tools")
def finish_with_tools(lab: Lab) -> None:
    """An answer that calls a tool says so in its finish reason, streamed or whole."""
    output = _called(lab, [ToolCallDelta(0, id="c1", name="clock", arguments="{}")])
    lab.expect.equal("the finish reason of a tool call", "tool_calls", output.finish_reason)


def _called(lab: Lab, pieces: Sequence[ToolCallDelta]) -> ModelOutput:
    if not lab.wording.can_say(Delta(tool_call=ToolCallDelta(0, id="c0", name=MARK))):
        raise NotApplicable("the service has no words for a tool call")
    deltas = [Delta(tool_call=piece) for piece in pieces]
    return lab.answer(*deltas, Finish("tool_calls"), request=_wish(tools=[_TOOL, _CLOCK]))


def _expect_called(lab: Lab, first: ToolCallDelta, *more: str) -> None:
    pieces = [first, *(ToolCallDelta(first.index, arguments=each) for each in more)]
    calls = [(call.name, call.arguments) for call in _called(lab, pieces).tool_calls]
    whole = first.arguments + "".join(more)
    lab.expect.equal("the tool calls", [(first.name, whole)], calls)


_RESULT: Turns = (("user", "weather?"), ("assistant", "a moment"), ("tool", "it rains"))

_RESULTS: Turns = (*_RESULT, ("tool", "error: no such clock"), ("tool", "it's noon"))
"""Those of several calls, of which one failed; their order is that of the calls."""


def _refuses_results(lab: Lab) -> None:
    turns = _messages(_RESULT)
    lab.refused(turns, UnsupportedOptionError, what="a tool's result, not claimed")


@check("FEA-13", "tool results", profile="complete", needs="tool_role", twin=_refuses_results)
def tool_results(lab: Lab) -> None:
    """What a tool gave is sent under its own role, in its place, whether it failed or not."""
    for turns in (_RESULT, _RESULTS):
        heard = lab.sent(_messages(turns)).messages
        lab.expect.equal("the turns that were sent", [*turns], [*map(tuple, heard)])


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


def _refuses_formats(lab: Lab) -> None:
    for wanted in _FORMATS:
        what = f"a response_format ({wanted['type']}), not claimed"
        lab.refused(_wish(response_format=wanted), UnsupportedOptionError, what=what)


@check(
    "FEA-18",
    "formats of answers",
    profile="complete",
    needs="response_format",
    twin=_refuses_formats,
)
def formats_of_answers(lab: Lab) -> None:
    """The form that an answer is to have is sent as it was given; a schema may be refused."""
    usual = lab.sent("hi")
    for wanted in _FORMATS:
        before = lab.questions
        try:
            heard = lab.sent(_wish(response_format=wanted))
        except _REFUSALS:
            lab.expect.equal(f"messages for a {wanted['type']} refused", before, lab.questions)
            lab.expect.that(wanted is not _FORMATS[0], "every response_format is refused")
            continue
        told = f"a response_format of {wanted['type']} wasn't sent"
        lab.expect.that(heard != usual, told)
        sent = heard.params.get("response_format")
        if _support(lab, "response_format") == "native" and sent is not None:
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
    end, told = _end_by_length(lab)
    output = lab.answer(Delta(reasoning="hm"), end)
    lab.expect.equal("the thinking", "hm", output.reasoning)
    lab.expect.equal("the text of an answer of thinking alone", "", output.text)
    lab.expect.equal("the finish reason", told, output.finish_reason)


def _end_by_length(lab: Lab) -> tuple[Finish, FinishReason]:
    """The end of an answer that is too long, and what it is to come as."""
    found = [(end, reason) for end, reason in _ends(lab) if reason == "length"]
    return found[0] if found else (Finish("length"), "stop")


def _expect_thinks(lab: Lab) -> None:
    if not lab.wording.can_say(Delta(reasoning=MARK)):
        raise NotApplicable("the service doesn't show what a model thinks")


_LOOK = [
    {"type": "text", "text": "what is it?"},
    {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
]


def _refuses_images(lab: Lab) -> None:
    asked: list[MessageLike] = [{"role": "user", "content": _LOOK}]
    lab.refused(asked, UnsupportedOptionError, what="an image, not claimed")


@check("FEA-19", "images", profile="complete", needs="images", twin=_refuses_images)
def images(lab: Lab) -> None:
    """An image is sent as it was given; where it isn't claimed it is refused, not left out."""
    lab.sent([{"role": "user", "content": _LOOK}])
    body = lab.exchanges[-1].request.body
    lab.expect.that(b"iVBORw0KGgo=" in body, "the image wasn't sent")
