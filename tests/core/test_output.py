"""What a caller reads: outputs, and the answer that the outputs of a stream share."""

from __future__ import annotations

import copy
import inspect
import json
import pickle
from collections.abc import Iterator
from typing import SupportsIndex

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as run_with
from hypothesis import strategies as st

from modelplug import (
    Delta,
    Finish,
    ModelInferenceMetrics,
    ModelOutput,
    ProxyLLMError,
    RateLimitError,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from modelplug.output import Answer

UNTIMED = run_with(deadline=None, suppress_health_check=[HealthCheck.too_slow])

USAGE = Usage(prompt_tokens=3, completion_tokens=5, raw={"prompt": 3})
METRICS = ModelInferenceMetrics(collect_index=2, total_time=0.5)
NOTICE = "**LLMServer Generate Error, Please CheckErrorInfo.**: "
"""The seed's words, which DB-GPT's front end knows."""

FIELDS: dict[str, object] = {
    "text": "hello",
    "error_code": 7,
    "incremental": True,
    "model_context": {"a": 1},
    "finish_reason": "length",
    "usage": USAGE,
    "metrics": METRICS,
    "delta": "lo",
    "reasoning": "hmm",
    "reasoning_delta": "mm",
    "tool_calls": (ToolCall(index=0, id="x", name="f", arguments="{}"),),
    "sources": ({"url": "u"},),
    "raw_finish_reason": "max_tokens",
    "model": "m",
    "backend": "acme",
    "request_id": "r",
    "warnings": ("left out",),
    "final": False,
    "attempts": ("one",),
    "served_by": "acme",
    "extra": {"raw": 1},
}
"""A value other than the default for every field of an output."""

OF_THE_FINAL = ("finish_reason", "usage", "metrics", "raw_finish_reason")
"""Fields that only a final output has."""

deltas = st.lists(
    st.builds(
        Delta,
        st.text(),
        reasoning=st.text(),
        sources=st.lists(st.fixed_dictionaries({"url": st.text()}), max_size=2),
    )
)


def by_hand(**fields: object) -> ModelOutput:
    """An output made of loose fields."""
    return ModelOutput(**fields)  # type: ignore[arg-type]  # loose parts


def streamed(answer: Answer, pieces: list[Delta]) -> list[ModelOutput]:
    """The outputs of ``pieces``, as a stream makes them."""
    outputs = []
    for piece in pieces:
        answer.add(piece)
        outputs.append(ModelOutput.of(answer, piece))
    return outputs


def ended(answer: Answer) -> ModelOutput:
    """The final output of ``answer``, as a stream makes it."""
    answer.finish = Finish("length", raw="max_tokens", usage=USAGE)
    answer.metrics = METRICS
    return ModelOutput.of(answer)


def whole() -> list[ModelOutput]:
    """The outputs of a stream in which everything occurs."""
    answer = Answer(backend="acme", model="m")
    answer.request_id = "r"
    answer.warnings = ("left out",)
    answer.attempts = ("one",)
    answer.served_by = "acme"
    call = ToolCallDelta(0, id="x", name="f", arguments="{}")
    pieces = [Delta("hel", reasoning="h"), Delta("lo", tool_call=call, sources=[{"url": "u"}])]
    return [*streamed(answer, pieces), ended(answer)]


class Untouchable(list[Delta | str]):
    """Deltas that must not be read."""

    def __iter__(self) -> Iterator[Delta | str]:
        raise AssertionError("the deltas were read")

    def __getitem__(self, at: SupportsIndex | slice) -> list[Delta | str]:  # type: ignore[override]
        raise AssertionError("the deltas were read")


class TestByHand:
    def test_every_field_is_listed_here(self) -> None:
        """This module's table of fields is that of the constructor."""
        assert list(FIELDS) == list(inspect.signature(ModelOutput).parameters)

    @pytest.mark.parametrize("name", FIELDS)
    def test_a_field_is_read_as_it_was_given(self, name: str) -> None:
        """Each field that is given alone is there, and no other changes."""
        expected = ModelOutput().to_dict() | by_hand(**{name: FIELDS[name]}).to_dict()
        assert FIELDS[name] == getattr(by_hand(**{name: FIELDS[name]}), name)
        changed = {key for key, value in expected.items() if value != ModelOutput().to_dict()[key]}
        assert changed == {name}

    def test_an_output_is_an_empty_final_answer_by_default(self) -> None:
        """Nothing was said, nothing failed, nothing is known."""
        output = ModelOutput()
        assert (output.text, output.error_code, output.success) == ("", 0, True)
        assert (output.final, output.finish_reason, output.usage) == (True, None, None)

    def test_text_and_code_may_be_given_by_position(self) -> None:
        """DB-GPT's workers make outputs this way."""
        assert ModelOutput(text="hello", error_code=1) == ModelOutput("hello", 1)

    @pytest.mark.parametrize(("code", "expected"), [(0, True), (1, False), (-1, False)])
    def test_success_is_code_zero(self, code: int, expected: bool) -> None:
        """Any code but 0 is a failure."""
        assert expected is ModelOutput(error_code=code).success

    @pytest.mark.parametrize("name", OF_THE_FINAL)
    def test_what_belongs_to_the_end_needs_an_end(self, name: str) -> None:
        """An output that isn't final has no reason, usage or metrics, however it is made."""
        assert getattr(by_hand(**FIELDS), name) is None

    def test_iterables_are_kept_as_tuples(self) -> None:
        """A generator can be read more than once, and a list is the caller's own."""
        calls = (call for call in [ToolCall(index=0, name="f")])
        output = ModelOutput(warnings=iter(["a"]), attempts=["b"], tool_calls=calls)
        expected = (("a",), ("b",), (ToolCall(index=0, name="f"),))
        assert expected == (output.warnings, output.attempts, output.tool_calls)
        assert expected == (output.warnings, output.attempts, output.tool_calls)


class TestAsValues:
    @pytest.mark.parametrize("at", [0, 1, 2])
    def test_a_view_equals_an_output_made_by_hand(self, at: int) -> None:
        """What is compared is what can be read, not where it is kept."""
        told = {name: getattr(whole()[at], name) for name in FIELDS}
        assert by_hand(**told) == whole()[at]

    @pytest.mark.parametrize("name", FIELDS)
    def test_outputs_differ_by_any_field(self, name: str) -> None:
        """Two outputs that differ in one field are not equal."""
        assert ModelOutput() != by_hand(**{name: FIELDS[name]})

    def test_outputs_equal_nothing_else(self) -> None:
        """An output isn't its text, nor its dictionary."""
        assert ModelOutput("hello") != "hello"
        assert ModelOutput("hello") != ModelOutput("hello").to_dict()

    def test_outputs_are_no_keys(self) -> None:
        """What compares by value and grows can't be hashed."""
        with pytest.raises(TypeError, match="unhashable"):
            hash(ModelOutput())

    @pytest.mark.parametrize("at", [0, 1, 2])
    def test_copies_are_equal(self, at: int) -> None:
        """Copies and what comes out of a pickle equal the view that they were made from."""
        output = whole()[at]
        pickled = pickle.loads(pickle.dumps(output))  # noqa: S301  # our own
        assert [copy.copy(output), copy.deepcopy(output), pickled] == [output] * 3

    @UNTIMED
    @given(pieces=deltas)
    def test_any_stream_s_outputs_pickle(self, pieces: list[Delta]) -> None:
        """However an answer came, its outputs survive a pickle."""
        answer = Answer()
        outputs = [*streamed(answer, pieces), ModelOutput.so_far(answer), ended(answer)]
        assert outputs == pickle.loads(pickle.dumps(outputs))  # noqa: S301  # our own

    def test_a_copy_doesn_t_grow(self) -> None:
        """A copy is a value of its own: what the stream learns later isn't in it."""
        answer = Answer()
        (view,) = streamed(answer, [Delta("hel")])
        copied = copy.copy(view)
        answer.request_id = "r"
        assert (copied.request_id, view.request_id) == (None, "r")

    def test_outputs_print_by_value(self) -> None:
        """Printed is what is there, so that what isn't doesn't hide it."""
        assert repr(ModelOutput("hi", 7)) == "ModelOutput(text='hi', error_code=7)"
        assert repr(ModelOutput(final=False)) == "ModelOutput(final=False)"

    @pytest.mark.parametrize("at", [0, 1, 2])
    def test_what_is_printed_makes_the_output(self, at: int) -> None:
        """The printed form of an output, also of a view, is how it is made by hand."""
        output = whole()[at]
        assert eval(repr(output)) == output  # noqa: S307  # our own

    @pytest.mark.parametrize("at", [0, 1, 2])
    def test_a_dictionary_has_all_fields(self, at: int) -> None:
        """Every field is there under its name, with plain values that JSON can hold."""
        output = whole()[at]
        told = output.to_dict()
        assert list(FIELDS) == list(told)
        assert (output.text, output.final) == (told["text"], told["final"])
        assert told == json.loads(json.dumps(told))

    def test_values_within_a_dictionary_are_plain(self) -> None:
        """Usage, metrics and tool calls are dictionaries too."""
        told = whole()[-1].to_dict()
        expected = [{"index": 0, "id": "x", "name": "f", "arguments": "{}"}]
        assert expected == told["tool_calls"]
        assert isinstance(told["usage"], dict)
        assert told["usage"]["total_tokens"] == 8


class TestViews:
    @UNTIMED
    @given(pieces=deltas)
    def test_text_is_the_sum_of_the_deltas(self, pieces: list[Delta]) -> None:
        """At every output, text and thinking are all deltas so far, and stay so."""
        outputs = streamed(Answer(), pieces)
        for at, output in enumerate(outputs):
            so_far = outputs[: at + 1]
            assert "".join(each.delta for each in so_far) == output.text
            assert "".join(each.reasoning_delta for each in so_far) == output.reasoning

    @UNTIMED
    @given(pieces=deltas)
    def test_an_output_adds_what_the_provider_yielded(self, pieces: list[Delta]) -> None:
        """Nothing is joined, split or lost between a provider's delta and a caller's."""
        outputs = streamed(Answer(), pieces)
        assert [piece.text for piece in pieces] == [output.delta for output in outputs]
        assert [piece.reasoning for piece in pieces] == [each.reasoning_delta for each in outputs]

    @UNTIMED
    @given(pieces=deltas)
    def test_the_final_output_has_it_all(self, pieces: list[Delta]) -> None:
        """The last output has the text of all deltas and adds none."""
        answer = Answer()
        streamed(answer, pieces)
        final = ended(answer)
        assert "".join(piece.text for piece in pieces) == final.text
        assert (final.delta, final.reasoning_delta, final.final) == ("", "", True)

    @UNTIMED
    @given(pieces=deltas)
    def test_sources_are_those_so_far(self, pieces: list[Delta]) -> None:
        """Sources add up in the order in which they came."""
        outputs = streamed(Answer(), pieces)
        for at, output in enumerate(outputs):
            expected = tuple(source for piece in pieces[: at + 1] for source in piece.sources)
            assert expected == output.sources

    def test_reading_a_delta_touches_no_other(self) -> None:
        """A delta costs the same however long the answer has become."""
        answer = Answer()
        output = streamed(answer, [Delta("hel"), Delta("lo", reasoning="mm")])[-1]
        answer.pieces = Untouchable(answer.pieces)
        assert (output.delta, output.reasoning_delta, output.final) == ("lo", "mm", False)
        with pytest.raises(AssertionError, match="the deltas were read"):
            _ = output.text

    def test_making_a_view_touches_no_delta(self) -> None:
        """An output costs the same however long the answer has become."""
        answer = Answer()
        answer.pieces = Untouchable([Delta("hel"), "lo"])
        assert ModelOutput.of(answer, Delta("lo")).delta == "lo"

    @pytest.mark.parametrize("name", OF_THE_FINAL)
    def test_only_the_final_output_knows_the_end(self, name: str) -> None:
        """Reason, usage and metrics are on the last output alone, also when it exists already."""
        *before, final = whole()
        assert [getattr(output, name) for output in before] == [None, None]
        assert FIELDS[name] == getattr(final, name)

    def test_usage_that_nobody_reported_is_none(self) -> None:
        """What isn't known is None, never 0."""
        answer = Answer()
        answer.finish = Finish()
        final = ModelOutput.of(answer)
        assert (final.finish_reason, final.usage) == ("stop", None)

    def test_what_is_learnt_later_holds_for_the_whole_answer(self) -> None:
        """The service's name for the call is on all outputs, also on those made before."""
        answer = Answer(backend="acme", model="m")
        first, second = streamed(answer, [Delta("hel"), Delta("lo")])
        answer.request_id = "r"
        assert (first.request_id, second.request_id) == ("r", "r")
        assert (first.backend, first.model) == ("acme", "m")

    def test_an_answer_that_hasn_t_ended_has_no_final_output(self) -> None:
        """The answer so far has all of its text, adds nothing and isn't final."""
        answer = Answer()
        streamed(answer, [Delta("hel"), Delta("lo")])
        assert ModelOutput("hello", final=False) == ModelOutput.so_far(answer)

    def test_the_answer_so_far_doesn_t_grow(self) -> None:
        """A partial is as long as the answer was when it was made."""
        answer = Answer()
        streamed(answer, [Delta("hel")])
        partial = ModelOutput.so_far(answer)
        streamed(answer, [Delta("lo")])
        assert partial.text == "hel"


@st.composite
def interleaved(draw: st.DrawFn) -> tuple[tuple[ToolCall, ...], list[ToolCallDelta]]:
    """Tool calls, and their pieces in an order that keeps that within each call."""
    calls, queues = [], []
    for index in draw(st.lists(st.integers(0, 9), unique=True, max_size=4)):
        name, call_id = draw(st.text(min_size=1)), draw(st.none() | st.text(min_size=1))
        parts = draw(st.lists(st.text(), max_size=4))
        calls.append(ToolCall(index=index, id=call_id, name=name, arguments="".join(parts)))
        head = ToolCallDelta(index, id=call_id, name=name)
        queues.append([head, *(ToolCallDelta(index, arguments=part) for part in parts)])
    turns = draw(st.permutations([at for at, queue in enumerate(queues) for _ in queue]))
    iterators = [iter(queue) for queue in queues]
    return tuple(sorted(calls, key=lambda call: call.index)), [next(iterators[at]) for at in turns]


class TestToolCalls:
    @UNTIMED
    @given(case=interleaved())
    def test_pieces_are_put_together_in_any_order_of_calls(
        self, case: tuple[tuple[ToolCall, ...], list[ToolCallDelta]]
    ) -> None:
        """However calls take turns, each has its own pieces in the order in which they came."""
        expected, pieces = case
        answer = Answer()
        streamed(answer, [Delta(tool_call=piece) for piece in pieces])
        assert expected == ended(answer).tool_calls

    @UNTIMED
    @given(case=interleaved())
    def test_calls_made_by_hand_are_the_calls(
        self, case: tuple[tuple[ToolCall, ...], list[ToolCallDelta]]
    ) -> None:
        """Tool calls that are given whole are read whole, in the order of their index."""
        expected, _ = case
        assert expected == ModelOutput(tool_calls=reversed(expected)).tool_calls

    def test_a_call_is_there_before_it_is_complete(self) -> None:
        """At every output the calls are as far as they have come."""
        pieces = [ToolCallDelta(0, name="f"), ToolCallDelta(0, arguments="{")]
        outputs = streamed(Answer(), [Delta(tool_call=piece) for piece in pieces])
        expected = [(ToolCall(name="f"),), (ToolCall(name="f", arguments="{"),)]
        assert expected == [output.tool_calls for output in outputs]

    def test_a_name_that_is_repeated_counts_once(self) -> None:
        """Services that send id and name with every piece don't make them longer."""
        pieces = [ToolCallDelta(0, id="x", name="f", arguments=text) for text in "{}"]
        answer = Answer()
        streamed(answer, [Delta(tool_call=piece) for piece in pieces])
        assert ended(answer).tool_calls == (ToolCall(id="x", name="f", arguments="{}"),)


class TestFromError:
    def test_the_notice_follows_the_partial(self) -> None:
        """DB-GPT shows what is beyond the text before, and that is the notice."""
        previous = "so far"
        error = RateLimitError("too fast", backend="acme", partial=ModelOutput(previous))
        output = ModelOutput.from_error(error)
        assert f"{NOTICE}too fast [backend acme]" == output.text[len(previous) :]

    def test_without_a_partial_the_notice_is_all(self) -> None:
        """A call that failed before it answered shows the notice alone."""
        assert ModelOutput.from_error(ProxyLLMError("failed")).text == f"{NOTICE}failed"

    def test_the_code_is_the_error_s(self) -> None:
        """The output says which error it was, and is no success."""
        output = ModelOutput.from_error(RateLimitError("too fast"))
        assert (output.error_code, output.success, output.finish_reason) == (603, False, None)

    def test_what_is_known_of_the_call_is_kept(self) -> None:
        """Whom to ask about the failure, and the thinking so far, are on the output."""
        partial = ModelOutput("so far", reasoning="hmm")
        error = ProxyLLMError("f", backend="acme", model="m", request_id="r", partial=partial)
        output = ModelOutput.from_error(error)
        assert (output.backend, output.model, output.request_id) == ("acme", "m", "r")
        assert output.reasoning == "hmm"

    def test_the_error_stays_as_it_is(self) -> None:
        """Showing an error changes neither it nor its partial."""
        error = ProxyLLMError("failed", partial=ModelOutput("so far"))
        ModelOutput.from_error(error)
        assert ("failed", ModelOutput("so far")) == (str(error), error.partial)


def test_outputs_and_answers_are_light() -> None:
    """A stream makes one view for each delta, so none costs a dictionary."""
    assert not hasattr(ModelOutput(), "__dict__")
    assert not hasattr(Answer(), "__dict__")


def test_metrics_are_given_by_keyword() -> None:
    """So many numbers have no order that anybody remembers."""
    with pytest.raises(TypeError):
        ModelInferenceMetrics(1)  # type: ignore[call-arg]  # the point of the test


def test_metrics_know_nothing_by_themselves() -> None:
    """What wasn't measured is None; DB-GPT counts its collections from 0."""
    names = [name for name in ModelInferenceMetrics.__slots__ if name != "collect_index"]
    assert [None] * len(names) == [getattr(ModelInferenceMetrics(), name) for name in names]
    assert ModelInferenceMetrics().collect_index == 0


def test_tool_calls_made_without_an_index_stay_apart() -> None:
    """Calls of an output made by hand are numbered where they are not."""
    calls = ModelOutput(tool_calls=[ToolCall(name="a"), ToolCall(name="b")]).tool_calls
    assert [(call.index, call.name) for call in calls] == [(0, "a"), (1, "b")]
