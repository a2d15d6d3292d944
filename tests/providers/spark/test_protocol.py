"""The conversation as a table of states: what comes in, what comes out, how it ends."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelplug import (
    BackendError,
    ContentFilterError,
    DecodeError,
    Delta,
    Finish,
    ProtocolError,
    ProxyLLMError,
    QuotaError,
    SchemaError,
    SequenceError,
    ToolCallDelta,
    TruncatedStreamError,
    Usage,
)
from modelplug_spark import protocol as module
from modelplug_spark.protocol import TRANSITIONS, SparkProtocol
from tests.providers.spark.wire import COUNTS, SID, encoded, error, frame, golden, text_of

USAGE = Usage(prompt_tokens=4, completion_tokens=6, total_tokens=10, raw=COUNTS)


def conversed(*messages: bytes, strict: bool = True) -> tuple[SparkProtocol, list[Delta | Finish]]:
    """A conversation that received these messages at once, and what came of it."""
    conversation = SparkProtocol(strict_sequence=strict)
    return conversation, conversation.receive(messages)


def reported(name: str) -> tuple[SparkProtocol, list[Delta | Finish]]:
    """The same with the messages of a golden file."""
    return conversed(*map(encoded, golden(name)))


@pytest.mark.row(
    "4.1 header.code",
    "4.1 header.sid",
    "4.1 choices.status",
    "4.1 choices.seq",
    "4.1 text.content",
    "4.1 usage.text",
    "5.1 0",
)
def test_an_answer_is_its_pieces_and_then_its_end() -> None:
    """Each frame is a delta, the last one brings the usage."""
    conversation, pieces = conversed(
        frame("你", 0, status=0), frame("好", 1), frame("！", 2, status=2, usage=COUNTS)
    )
    assert [Delta("你"), Delta("好"), Delta("！"), Finish(usage=USAGE)] == pieces
    assert (conversation.done, conversation.sid, conversation.failure) == (True, SID, None)


@pytest.mark.row("4.1 recorded answer", "4.1 last frame")
def test_the_recorded_answer_is_understood() -> None:
    """The last frame's text is not dropped, its counts are the service's."""
    conversation, pieces = reported("response_answer")
    assert text_of(pieces) == "作为一个认知智能模型，我可以帮助你。"
    finish = pieces[-1]
    assert isinstance(finish, Finish)
    assert finish.usage is not None
    assert (
        finish.usage.prompt_tokens,
        finish.usage.completion_tokens,
        finish.usage.total_tokens,
    ) == (37, 169, 206)
    assert conversation.done


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param(
            "response_documented_sample",
            "我可以帮助你的吗？",
            id="documented sample",
            marks=pytest.mark.row("4.1 header.status", "4.1 one frame"),
        ),
        pytest.param(
            "response_empty_last", "好的", id="empty last", marks=pytest.mark.row("4.1 last frame")
        ),
        pytest.param(
            "response_sources", "见例子。", id="sources", marks=pytest.mark.row("4.3 no choices")
        ),
    ],
)
def test_a_documented_variant_is_a_whole_answer(name: str, text: str) -> None:
    """One frame alone, an empty last frame, a frame without choices."""
    conversation, pieces = reported(name)
    assert (True, text, []) == (conversation.done, text_of(pieces), conversation.warnings)


@pytest.mark.row("4.1 text.reasoning_content", "1.1 hosted")
def test_thinking_comes_apart_from_the_answer() -> None:
    """Reasoning is a delta of its own kind, with or without an empty content beside it."""
    _, pieces = reported("response_reasoning")
    expected = [Delta(reasoning="用户"), Delta(reasoning="在打招呼。"), Delta("你好！")]
    assert expected == pieces[:3]


@pytest.mark.row("4.1 text.function_call", "4.2 one frame", "4.2 one call")
def test_a_function_call_is_a_whole_tool_call() -> None:
    """One frame, one call, and the finish reason that says so."""
    conversation, pieces = reported("response_function_call")
    call = ToolCallDelta(0, name="天气查询", arguments='{"datetime":"今天","location":"合肥"}')
    assert Delta(tool_call=call) == pieces[0]
    assert isinstance(pieces[1], Finish)
    assert (pieces[1].reason, conversation.done) == ("tool_calls", True)


PAGE = {"index": 1, "url": "https://example.org/", "title": "例子"}


def with_plugins(content: object, seq: int | None = None, **header: object) -> bytes:
    """A frame with a plugin's record, with a piece of the answer beside it or without."""
    message = json.loads(frame("a", seq)) if seq is not None else {"payload": {}}
    message["header"] = {"code": 0, "sid": SID, **header}
    message["payload"]["plugins"] = {"text": [{"name": "ifly_search", "content": content}]}
    return encoded(message)


@pytest.mark.row("4.1 plugins.text", "4.3 sources first", "4.3 record", "4.3 no choices")
def test_sources_come_before_the_answer() -> None:
    """As a delta of their own, though their frame has no choices."""
    _, pieces = reported("response_sources")
    assert [Delta(sources=[PAGE]), Delta("见例子。")] == pieces[:2]


@pytest.mark.row("4.3 sources first")
def test_sources_may_come_with_a_piece() -> None:
    """Both are handed out."""
    _, pieces = conversed(with_plugins(json.dumps([PAGE]), 0), frame("b", 1, status=2))
    assert [Delta(sources=[PAGE]), Delta("a"), Delta("b"), Finish()] == pieces


@pytest.mark.parametrize("content", ["{oops", "{}", None, 7, "[1]"])
def test_sources_that_cannot_be_read_cost_no_answer(content: object) -> None:
    """One warning for all of them; the text is whole."""
    odd = [with_plugins(content), with_plugins(content, 0), frame("b", 1, status=2)]
    conversation, pieces = conversed(*odd)
    assert [Delta("a"), Delta("b"), Finish()] == pieces
    assert conversation.warnings == ["the service's list of sources can't be read"]


def test_sources_alone_are_no_answer() -> None:
    """A notice after them has nothing to keep."""
    conversation, pieces = conversed(with_plugins(json.dumps([PAGE])), error(10019, "x"))
    assert [Delta(sources=[PAGE])] == pieces
    assert isinstance(conversation.failure, ContentFilterError)


@pytest.mark.row("4.1 header.code", "4.5 no payload")
def test_an_error_frame_fails_the_conversation() -> None:
    """A code in the header is an error, though no payload says so."""
    conversation, pieces = reported("response_error")
    assert (pieces, conversation.state) == ([], "failed")
    assert isinstance(conversation.failure, QuotaError)
    assert conversation.failure.request_id == "cht000b5e72@dx18b988c77afb81b540"


@pytest.mark.row("5.1 10014")
def test_what_came_before_an_error_is_not_lost() -> None:
    """The batch's deltas are returned, the failure is set, and every later call raises it."""
    conversation, pieces = conversed(frame("a", 0), error(10014, "notice"), frame("b", 1))
    assert [Delta("a")] == pieces
    for call in (lambda: conversation.receive([]), conversation.closed):
        with pytest.raises(ContentFilterError) as caught:
            call()
        assert caught.value is conversation.failure


@pytest.mark.parametrize("status", [1, 2])
def test_an_error_wins_over_the_content_beside_it(status: int) -> None:
    """A frame that fails is no piece of an answer, nor its end."""
    conversation, pieces = conversed(frame("a", 0, code=10014, status=status, usage=COUNTS))
    assert (pieces, conversation.state) == ([], "failed")


@pytest.mark.row("5.1 others")
def test_an_unknown_code_fails_too() -> None:
    """Whatever isn't 0."""
    conversation, _ = conversed(error(-1))
    assert isinstance(conversation.failure, BackendError)
    assert conversation.failure.provider_code == -1


@pytest.mark.row("5.1 10019")
@pytest.mark.parametrize("usage", [None, COUNTS], ids=["bare", "usage"])
def test_a_notice_after_the_answer_keeps_it(usage: dict[str, object] | None) -> None:
    """10019 without content ends an answer that has come, with a warning."""
    payload = {"payload": {"usage": {"text": usage}}} if usage else {}
    notice = encoded({"header": {"code": 10019, "message": "注意", "sid": SID}, **payload})
    conversation, pieces = conversed(frame("a", 0), notice)
    assert [Delta("a"), Finish(usage=USAGE if usage else None)] == pieces
    assert conversation.warnings == ["the service warns of this dialogue (10019): 注意"]


@pytest.mark.row("5.1 10019")
def test_a_notice_with_the_last_piece_keeps_both() -> None:
    """10019 in the frame that ends the answer takes nothing from it."""
    conversation, pieces = conversed(
        frame("a", 0), frame("b", 1, code=10019, status=2, usage=COUNTS)
    )
    assert (text_of(pieces), conversation.done) == ("ab", True)
    assert len(conversation.warnings) == 1


def test_a_notice_with_a_piece_ends_nothing() -> None:
    """The answer goes on; without its last frame it isn't whole."""
    conversation, pieces = conversed(frame("a", 0, code=10019))
    assert ([Delta("a")], "answering") == (pieces, conversation.state)


@pytest.mark.row("5.1 10019")
def test_a_notice_after_the_end_is_a_warning() -> None:
    """Status 2 first, 10019 behind it."""
    conversation, pieces = conversed(frame("a", 0, status=2), error(10019, "x"))
    assert [Delta("a"), Finish()] == pieces
    assert len(conversation.warnings) == 1


@pytest.mark.parametrize("before", [[], [encoded({"header": {"code": 0, "sid": SID}})]])
def test_a_notice_before_any_answer_is_an_error(before: list[bytes]) -> None:
    """There is nothing to keep."""
    conversation, _ = conversed(*before, error(10019, "x"))
    assert isinstance(conversation.failure, ContentFilterError)


@pytest.mark.row("4.1 header.status", "4.1 choices.status")
@pytest.mark.parametrize(
    "last",
    [
        {"header": {"code": 0, "status": 2}},
        {"header": {"code": 0, "status": 2}, "payload": None},
        {"header": {"code": 0, "status": 2}, "payload": {"choices": None}},
        {"header": {"code": 0, "status": 2}, "payload": {"choices": {"seq": 1, "text": []}}},
        {"header": {"code": 0, "status": 2}, "payload": {"choices": {"seq": 1, "status": 1}}},
        {"header": {"code": 0}, "payload": {"choices": {"seq": 1, "status": 2}}},
    ],
    ids=["header", "null", "null choices", "no status", "header first", "choices"],
)
def test_status_2_anywhere_is_the_end(last: object) -> None:
    """In choices as documented, or in the header as old servers have it."""
    conversation, pieces = conversed(frame("a", 0), encoded(last))
    assert ([Delta("a"), Finish()], True) == (pieces, conversation.done)


@pytest.mark.parametrize("status", [3, 9, -1])
def test_a_status_that_nobody_knows_is_a_schema_error(status: int) -> None:
    """It could mean the end."""
    conversation, pieces = conversed(frame("a", 0, status=status))
    assert isinstance(conversation.failure, SchemaError)
    assert pieces == []


def test_choices_without_any_status_are_a_schema_error() -> None:
    """Nothing would say when the answer ends."""
    conversation, _ = conversed(
        encoded({"header": {"code": 0}, "payload": {"choices": {"seq": 0}}})
    )
    assert isinstance(conversation.failure, SchemaError)


def test_what_comes_after_the_end_is_ignored() -> None:
    """More text, another end, an error, garbage: nobody's answer."""
    end = frame("a", 0, status=2)
    conversation, pieces = conversed(end, end, frame("b", 1), error(11202), b"{", b"")
    assert ([Delta("a"), Finish()], None) == (pieces, conversation.failure)
    conversation.closed(1006)


@pytest.mark.row("4.6 hosted any time", "4.6 hosted idle")
@pytest.mark.parametrize("code", [1000, 1001, 1006, 1011, None])
@pytest.mark.parametrize("messages", [[], [frame("a", 0)]], ids=["nothing", "a piece"])
def test_a_close_before_the_end_is_a_truncated_answer(
    messages: list[bytes], code: int | None
) -> None:
    """Whatever the close code, polite or not."""
    conversation, pieces = conversed(*messages)
    with pytest.raises(TruncatedStreamError) as caught:
        conversation.closed(code, "close this ws conn")
    assert caught.value.provider_message == "close this ws conn"
    assert (len(messages), "failed") == (len(pieces), conversation.state)


@pytest.mark.row("4.6 after the last frame")
def test_a_close_after_the_end_is_nothing() -> None:
    """With or without a code."""
    conversation, _ = conversed(frame("a", 0, status=2))
    conversation.closed(1000, "close this ws conn")
    assert conversation.done


def test_garbage_fails_the_conversation() -> None:
    """And is told under the session's name, without the frames of whoever read it."""
    conversation, pieces = conversed(frame("a", 0), b"{oops")
    assert [Delta("a")] == pieces
    assert isinstance(conversation.failure, DecodeError)
    assert (conversation.failure.request_id, conversation.failure.__traceback__) == (SID, None)


@pytest.mark.parametrize("sid", ["s" * 100, "a\nb", " s "])
def test_a_session_of_an_odd_name_is_one_all_the_same(sid: str) -> None:
    """What is shown of it is shorter, and one line; its frames are told by the whole."""
    conversation, _ = conversed(frame("a", 0, sid=sid), frame("b", 1, sid=sid))
    assert (conversation.failure, conversation.state) == (None, "answering")
    assert len(conversation.sid) <= 64
    assert conversation.sid.isprintable()


DISORDERS = {
    "gap": [frame("a", 0), frame("b", 2)],
    "late start": [frame("a", 1)],
    "backwards": [frame("a", 0), frame("b", 1), frame("c", 0)],
    "same number": [frame("a", 0), frame("b", 0)],
    "negative": [frame("a", -1)],
    "another session": [frame("a", 0), frame("b", 1, sid="cht000cb087@dx18793cd421fb894542")],
}


@pytest.mark.row("4.1 choices.seq")
@pytest.mark.parametrize("messages", DISORDERS.values(), ids=DISORDERS)
def test_a_disorder_is_an_error(messages: list[bytes]) -> None:
    """A piece that is missing, or out of place, makes another text."""
    conversation, pieces = conversed(*messages)
    assert isinstance(conversation.failure, SequenceError)
    assert len(messages) - 1 == len(pieces)


@pytest.mark.parametrize("messages", DISORDERS.values(), ids=DISORDERS)
def test_a_disorder_is_one_warning_where_that_is_wanted(messages: list[bytes]) -> None:
    """The lenient way takes the pieces as they come, and says so once."""
    conversation, pieces = conversed(*messages, frame("z", 9, status=2), strict=False)
    assert conversation.done
    assert (len(messages) + 2, 1) == (len(pieces), len(conversation.warnings))


@pytest.mark.parametrize("strict", [True, False])
def test_a_repeated_frame_is_dropped(strict: bool) -> None:
    """The same one twice is one."""
    again = [frame("a", 0), frame("a", 0), frame("b", 1), frame("b", 1), frame("c", 2, status=2)]
    conversation, pieces = conversed(*again, strict=strict)
    assert (text_of(pieces), conversation.warnings) == ("abc", [])


def test_a_frame_without_the_sessions_name_is_in_order() -> None:
    """What isn't said can't be wrong."""
    conversation, pieces = conversed(frame("a", 0), frame("b", 1, sid=""))
    assert (text_of(pieces), conversation.failure) == ("ab", None)


@pytest.mark.parametrize("content", ["", None])
def test_an_empty_piece_is_no_progress(content: str | None) -> None:
    """It is counted in the order and comes to nobody's eyes."""
    conversation, pieces = conversed(frame(content, 0), frame("a", 1))
    assert ([Delta("a")], None) == (pieces, conversation.failure)


@pytest.mark.parametrize(
    "counts",
    [
        {},
        {"prompt_tokens": "4", "completion_tokens": 6},
        {"prompt_tokens": -1, "completion_tokens": 6},
        {"prompt_tokens": True, "completion_tokens": 6},
        {"prompt_tokens": 4, "completion_tokens": 6, "total_tokens": 0.5},
    ],
    ids=["empty", "text", "negative", "bool", "fraction"],
)
def test_a_bill_that_cannot_be_read_costs_no_answer(counts: dict[str, object]) -> None:
    """The usage is unknown, with a warning; the text is whole."""
    conversation, pieces = conversed(frame("a", 0, status=2, usage=counts))
    assert [Delta("a"), Finish(usage=None)] == pieces
    assert len(conversation.warnings) == 1


@pytest.mark.row("3.2 search_prompt", "4.1 usage.text")
def test_a_bill_keeps_what_the_contract_has_no_name_for() -> None:
    """The service's own record is beside the counts."""
    counts = {**COUNTS, "search_prompt": 80}
    _, pieces = conversed(frame("a", 0, status=2, usage=counts))
    assert isinstance(pieces[-1], Finish)
    assert pieces[-1].usage is not None
    assert counts == pieces[-1].usage.raw


@pytest.mark.row("4.1 text.role", "4.1 text.index", "4.1 text.content_type")
@pytest.mark.parametrize(
    "beside",
    [
        {"role": "assistant", "index": 0},
        {"role": "assistant", "index": "0"},
        {"content_type": "image", "content_meta": {"desc": "x", "url": "y"}},
    ],
    ids=["number", "text", "type"],
)
def test_what_stands_beside_a_piece_changes_nothing(beside: dict[str, Any]) -> None:
    """Role, place and type, in whatever spelling."""
    _, pieces = conversed(frame("a", 0, status=2, **beside))
    assert [Delta("a"), Finish()] == pieces


@pytest.mark.row("4.1 choices.text")
def test_a_frame_may_have_several_pieces() -> None:
    """One is the rule; all are handed out in their order."""
    text = [{"content": "a"}, {"content": "b"}]
    choices = {"seq": 0, "status": 2, "text": text}
    _, pieces = conversed(encoded({"header": {"code": 0}, "payload": {"choices": choices}}))
    assert [Delta("a"), Delta("b"), Finish()] == pieces


@pytest.mark.row("4.4 pattern")
@pytest.mark.parametrize("sid", [SID, "cha000b0c24@dx1916602ea10b808550", "anything else"])
def test_a_session_has_the_name_that_the_service_gives_it(sid: str) -> None:
    """No form is asked for, whatever its pattern."""
    conversation, _ = conversed(frame("a", 0, sid=sid), frame("b", 1, sid=sid, status=2))
    assert (sid, True) == (conversation.sid, conversation.done)


def with_question_type(said: object) -> bytes:
    """A last frame as the multilingual model has it."""
    message = json.loads(frame("a", 0, status=2))
    message["payload"]["question_type"] = said
    return encoded(message)


@pytest.mark.row("1.1 multilang", "4.1 question_type")
def test_the_type_of_a_question_comes_with_the_end() -> None:
    """Beside the usage, under the service's own name, in one line."""
    _, pieces = conversed(with_question_type("chat\n"))
    assert isinstance(pieces[-1], Finish)
    assert pieces[-1].extra == {"question_type": "chat"}


@pytest.mark.parametrize("said", [None, 7, {}], ids=str)
def test_a_type_that_cannot_be_read_costs_no_answer(said: object) -> None:
    """It is left out."""
    _, pieces = conversed(with_question_type(said))
    assert [Delta("a"), Finish()] == pieces


def test_the_table_knows_every_event_in_every_state() -> None:
    """No event is left to chance, and the two ends are for ever."""
    events = {event for row in TRANSITIONS.values() for event in row}
    assert all(events == set(row) for row in TRANSITIONS.values())
    for end in ("finished", "failed"):
        assert {end} == set(TRANSITIONS[end].values())


def test_the_module_has_no_io_no_clock_and_nothing_async() -> None:
    """It imports neither, and defines no coroutine."""
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= {"__future__", "collections", "typing", "msgspec", "modelplug"} | {
        "modelplug_spark"
    }
    assert not any(isinstance(node, ast.AsyncFunctionDef | ast.Await) for node in ast.walk(tree))


# ------------------------------------------------------------------- any conversation at all


@dataclass
class Script:
    """Messages of a random conversation, and what must come of them in the lenient way."""

    messages: list[bytes] = field(default_factory=list)
    text: str = ""
    end: str = "closed"
    seq: int = 0


def scripted(steps: Iterable[tuple[str, str]]) -> Script:
    """Play steps into messages, and note what is to be expected, by a model of its own."""
    script = Script()
    for kind, text in steps:
        running = script.end == "closed"
        if kind == "repeat":
            script.messages += script.messages[-1:]
            continue
        if kind == "skip":
            script.seq += 1
        code = {"fail": 10012, "unknown": 77}.get(kind, 0)
        status = {"last": 2, "odd": 7}.get(kind, 1)
        if kind == "garbage":
            script.messages.append(text.encode() + b"\xff")
        elif kind == "bare":
            script.messages.append(encoded({"header": {"code": 0, "sid": SID}}))
        else:
            script.messages.append(frame(text, script.seq, status=status, code=code))
            script.seq += 1
        if running and kind in ("say", "skip", "last"):
            script.text += text
        if running and kind not in ("say", "skip", "bare"):
            script.end = "finished" if kind == "last" else "failed"
    return script


kinds = st.sampled_from(
    ["say"] * 6 + ["repeat", "skip", "bare", "last", "fail", "unknown", "odd", "garbage"]
)
scripts = st.lists(st.tuples(kinds, st.text(max_size=5))).map(scripted)


def played(
    messages: list[bytes], sizes: list[int], *, strict: bool
) -> tuple[list[Delta | Finish], ProxyLLMError | None]:
    """The pieces and the failure of a conversation whose messages come in batches."""
    conversation = SparkProtocol(strict_sequence=strict)
    pieces: list[Delta | Finish] = []
    rest = [*messages]
    try:
        for size in sizes:
            pieces += conversation.receive(rest[:size])
            del rest[:size]
        pieces += conversation.receive(rest)
        conversation.closed(1000)
    except (ProtocolError, BackendError) as failure:
        return pieces, failure
    return pieces, conversation.failure


@given(scripts, st.lists(st.integers(0, 4)), st.booleans())
def test_any_conversation_has_exactly_one_end(
    script: Script, sizes: list[int], strict: bool
) -> None:
    """One Finish, last, or one failure of the two kinds, never both."""
    pieces, failure = played(script.messages, sizes, strict=strict)
    ends = [piece for piece in pieces if isinstance(piece, Finish)]
    assert len(ends) + (failure is not None) == 1
    assert not ends or ends == pieces[-1:]


@given(scripts, st.lists(st.integers(0, 4)), st.lists(st.integers(0, 4)), st.booleans())
def test_where_batches_are_split_makes_no_difference(
    script: Script, sizes: list[int], others: list[int], strict: bool
) -> None:
    """The same messages give the same pieces and the same end."""
    first, failure = played(script.messages, sizes, strict=strict)
    second, other = played(script.messages, others, strict=strict)
    assert first == second
    assert (type(failure), str(failure)) == (type(other), str(other))


@given(scripts)
def test_the_text_is_the_sum_of_the_pieces(script: Script) -> None:
    """Up to the end, each piece once: as a model that knows only the steps tells."""
    pieces, failure = played(script.messages, [], strict=False)
    ended = "finished" if failure is None else "failed"
    if isinstance(failure, TruncatedStreamError):
        ended = "closed"
    assert (script.text, script.end) == (text_of(pieces), ended)


@given(scripts)
def test_the_strict_way_tells_a_beginning_of_what_the_lenient_tells(script: Script) -> None:
    """It may stop earlier, at a gap; it never says anything else."""
    strict, _ = played(script.messages, [], strict=True)
    lenient, _ = played(script.messages, [], strict=False)
    assert text_of(lenient).startswith(text_of(strict))


@given(st.lists(st.binary()))
def test_any_bytes_are_survived(messages: list[bytes]) -> None:
    """With a typed failure."""
    assert isinstance(played(messages, [], strict=True)[1], ProtocolError | BackendError)
