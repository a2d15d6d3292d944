"""FEA: tools are offered as they are, their calls come out whole, their results get there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from modelplug.conformance.check import check
from modelplug.conformance.lab import Lab
from modelplug.conformance.verdict import NotApplicable
from modelplug.conformance.wishes import TOOL, Turns, refuses, said_by, wish
from modelplug.conformance.wording import MARK
from modelplug.delta import Delta, Finish, ToolCallDelta
from modelplug.output import ModelOutput

_CLOCK: Mapping[str, object] = {
    "type": "function",
    "function": {
        "name": "clock",
        "description": "what time it is",
        "parameters": {"type": "object", "properties": {}, "required": []},
    },
}


@check("FEA-10", "tools offered", profile="complete", needs="tools")
def tools_offered(lab: Lab) -> None:
    """The tools of a request are offered under their names, with their schemas as they were."""
    heard = lab.sent(wish(tools=[TOOL, _CLOCK]))
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
    return lab.answer(*deltas, Finish("tool_calls"), request=wish(tools=[TOOL, _CLOCK]))


def _expect_called(lab: Lab, first: ToolCallDelta, *more: str) -> None:
    pieces = [first, *(ToolCallDelta(first.index, arguments=each) for each in more)]
    calls = [(call.name, call.arguments) for call in _called(lab, pieces).tool_calls]
    whole = first.arguments + "".join(more)
    lab.expect.equal("the tool calls", [(first.name, whole)], calls)


_RESULT: Turns = (("user", "weather?"), ("assistant", "a moment"), ("tool", "it rains"))

_RESULTS: Turns = (*_RESULT, ("tool", "error: no such clock"), ("tool", "it's noon"))
"""Those of several calls, of which one failed; their order is that of the calls."""


@check(
    "FEA-13",
    "tool results",
    profile="complete",
    needs="tool_role",
    twin=refuses("a tool's result", messages=said_by(_RESULT)),
)
def tool_results(lab: Lab) -> None:
    """What a tool gave is sent under its own role, in its place, whether it failed or not."""
    for turns in (_RESULT, _RESULTS):
        heard = lab.sent(said_by(turns)).messages
        lab.expect.equal("the turns that were sent", [*turns], [*map(tuple, heard)])
