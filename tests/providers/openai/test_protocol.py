"""One answer from the first event to its end, by golden transcripts and by everything else."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelplug import (
    BackendError,
    BadRequestError,
    ContentFilterError,
    ContextLengthError,
    DecodeError,
    Delta,
    Finish,
    OverloadedError,
    ProtocolError,
    ProxyLLMError,
    QuotaError,
    RateLimitError,
    SchemaError,
    SequenceError,
    ServerError,
    TruncatedStreamError,
    Usage,
)
from modelplug_openai.protocol import OpenAIProtocol
from modelplug_openai.sse import Events
from tests.providers.openai.wire import (
    COUNTS,
    DONE,
    GOLDEN,
    ID,
    calls_of,
    chunk,
    counted,
    encoded,
    golden,
    preset,
    said,
    text_of,
    thinking_of,
    whole,
)

USAGE = Usage(prompt_tokens=4, completion_tokens=6, total_tokens=10, raw=COUNTS)

Pieces = list[Delta | Finish]


def protocol_of(row: str = "openai", **settings: Any) -> OpenAIProtocol:
    """The protocol of a row."""
    usual: dict[str, Any] = {"preset": preset(row), "scrub": str}
    return OpenAIProtocol(**(usual | settings))


def conversed(*events: bytes, **settings: Any) -> tuple[OpenAIProtocol, Pieces]:
    """An answer that has been received, and its pieces."""
    protocol = protocol_of(**settings)
    return protocol, protocol.receive(events)


def finished(*events: bytes, **settings: Any) -> Finish:
    """The end of an answer that ends well."""
    protocol, pieces = conversed(*events, **settings)
    assert protocol.failure is None
    finish = pieces[-1]
    assert isinstance(finish, Finish)
    return finish


def failed(*events: bytes, **settings: Any) -> ProxyLLMError:
    """Why an answer failed."""
    protocol, pieces = conversed(*events, **settings)
    assert protocol.failure is not None
    assert not any(isinstance(piece, Finish) for piece in pieces)
    return protocol.failure


def transcribed(name: str) -> tuple[OpenAIProtocol, Pieces]:
    """A golden transcript that has been received, as it came over the wire."""
    told = golden(name)
    protocol = protocol_of(told["preset"])
    body = told["body"].encode()
    if name.endswith("_whole"):
        return protocol, protocol.completion(body)
    return protocol, protocol.receive(Events().feed(body))


def end(pieces: Pieces) -> Finish:
    """The last piece."""
    finish = pieces[-1]
    assert isinstance(finish, Finish)
    return finish


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_a_golden_file_names_its_source(path: Any) -> None:
    """Each says where it is from."""
    assert json.loads(path.read_text(encoding="utf-8"))["source"]


def test_an_answer_of_openais_is_understood() -> None:
    """A role first, pieces, the reason, the usage, ``[DONE]``."""
    protocol, pieces = transcribed("openai_text")
    assert text_of(pieces) == "The capital of Mexico is Mexico City."
    finish, usage = end(pieces), end(pieces).usage
    assert (finish.reason, finish.raw, protocol.done) == ("stop", "stop", True)
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (14, 8, 22)
    assert (usage.reasoning_tokens, usage.cached_tokens) == (0, 0)
    assert protocol.request_id == "chatcmpl-C2P2HtMJhPkWjQ2adKerkdVilXmRL"
    assert (protocol.model, protocol.warnings) == ("gpt-4o-2024-08-06", [])
    assert finish.extra == {"system_fingerprint": "fp_07871e2ad8", "service_tier": "default"}


def test_a_tool_call_of_openais_is_understood() -> None:
    """Id and name first, the arguments in pieces."""
    _, pieces = transcribed("openai_tools")
    calls = [(0, "call_ZR5UUuTt3pf61kjwAJIYdVMj", "get_capital", '{"country":"UK"}')]
    assert calls == calls_of(pieces)
    assert (end(pieces).reason, end(pieces).usage is not None) == ("tool_calls", True)


def test_the_answer_to_a_tools_result_is_understood() -> None:
    """The other half of the same recording."""
    _, pieces = transcribed("openai_tool_result")
    assert text_of(pieces) == "The capital of the UK is London."


def test_deepseeks_thinking_comes_apart_from_the_answer() -> None:
    """In ``reasoning_content``, before the text; the cache's hits are read."""
    protocol, pieces = transcribed("deepseek_reasoning")
    assert text_of(pieces).startswith("Hello there! ")
    assert thinking_of(pieces).startswith("Hmm, the user just said ")
    usage = end(pieces).usage
    assert usage is not None
    assert (usage.completion_tokens, usage.reasoning_tokens, usage.cached_tokens) == (212, 198, 0)
    assert (protocol.done, protocol.warnings) == (True, [])


def test_azures_filter_results_are_kept() -> None:
    """Its first chunk has no choice; more of them come after the reason."""
    protocol, pieces = transcribed("azure_passed")
    assert (text_of(pieces), end(pieces).reason) == ("Color is a", "stop")
    extra = end(pieces).extra
    assert extra is not None
    results = extra["content_filter_results"]
    assert isinstance(results, dict)
    assert results["hate"] == {"filtered": False, "severity": "safe"}
    assert protocol.warnings == []


def test_an_answer_that_azure_stops_says_so() -> None:
    """The reason comes without a piece, and the text before it stays."""
    _, pieces = transcribed("azure_blocked")
    assert (text_of(pieces), end(pieces).reason) == ("Hey Jude, better", "content_filter")
    extra = end(pieces).extra
    assert extra is not None
    assert extra["prompt_filter_results"]
    assert extra["content_filter_results"] == {
        "protected_material_text": {"detected": True, "filtered": True}
    }


@pytest.mark.parametrize(
    ("name", "text", "tokens"),
    [
        ("azure_whole", "The capital of France is **Paris**.", 23),
        ("ollama_whole", "Paris.", 256),
        ("spark_http_whole", "你好，我是由科大讯飞构建的星火认知智能模型。", 48),
    ],
)
def test_a_whole_answer_is_understood(name: str, text: str, tokens: int) -> None:
    """One JSON text, from services that differ in what they leave out."""
    protocol, pieces = transcribed(name)
    usage = end(pieces).usage
    assert usage is not None
    assert text_of(pieces).startswith(text)
    assert (end(pieces).reason, usage.total_tokens, protocol.done) == ("stop", tokens, True)


def test_ollamas_thinking_has_another_name() -> None:
    """``reasoning``, as text."""
    _, pieces = transcribed("ollama_whole")
    assert thinking_of(pieces).startswith("We need to answer question")


def test_an_answer_of_ollamas_is_understood() -> None:
    """The role is in each piece, and the usage is nowhere."""
    protocol, pieces = transcribed("ollama_text")
    text = "The capital of the United States is Washington, D.C. (short for District of Columbia)."
    assert (text, None) == (text_of(pieces), end(pieces).usage)
    assert protocol.done


def test_an_answer_of_sparks_is_understood() -> None:
    """``[DONE]`` is its only end, usage comes with the last piece, code 0 is no failure."""
    protocol, pieces = transcribed("spark_http")
    assert text_of(pieces).startswith("你好，很高兴为你解答问题。\n我是讯飞星火认知大模型")
    finish = end(pieces)
    assert finish.usage is not None
    assert (finish.reason, finish.raw, finish.usage.total_tokens) == ("stop", None, 74)
    assert protocol.request_id == "cha000b000c@dx1905cf38fc8b86d552"


def test_an_error_wins_over_a_reason_that_came_before() -> None:
    """OpenRouter's, in the last chunk of a stream: its pieces stay."""
    protocol, pieces = transcribed("openrouter_error")
    assert thinking_of(pieces) == "We need to respond to a greeting. The user"
    assert isinstance(protocol.failure, BadRequestError)
    assert (protocol.failure.provider_code, protocol.failure.provider_message) == (
        "400",
        "Token limit reached",
    )
    assert protocol.failure.request_id == "gen-1762179802-UN8pkJI4AGZvryk0kFnb"


STREAMS = sorted({path.stem for path in GOLDEN.glob("*.json")} - {"errors"})


@given(
    st.sampled_from([name for name in STREAMS if not name.endswith("_whole")]),
    st.lists(st.integers(0, 4000), max_size=30),
)
def test_it_makes_no_difference_where_a_read_ends(name: str, places: list[int]) -> None:
    """The same pieces, the same end or failure, however a transcript is cut."""
    told = golden(name)
    body = told["body"].encode()
    borders = sorted({0, len(body), *(place for place in places if place < len(body))})
    events, protocol = Events(), protocol_of(told["preset"])
    pieces: Pieces = []
    for start, stop in pairwise(borders):
        if protocol.failure is None:
            pieces += protocol.receive(events.feed(body[start:stop]))
    expected, whole_pieces = transcribed(name)
    assert whole_pieces == pieces
    assert (expected.state, str(expected.failure)) == (protocol.state, str(protocol.failure))


def test_the_end_waits_for_the_usage() -> None:
    """It is told at ``[DONE]``, not at the reason."""
    protocol, pieces = conversed(said("a"), chunk(reason="stop"))
    assert ([Delta("a")], "ended", False) == (pieces, protocol.state, protocol.done)
    assert [Finish("stop", raw="stop", usage=USAGE)] == protocol.receive([counted(COUNTS), DONE])
    assert protocol.done


def test_a_body_that_is_over_ends_a_whole_answer() -> None:
    """``[DONE]`` may be missing."""
    protocol, _ = conversed(said("a"), chunk(reason="length"), counted(COUNTS))
    assert [Finish("length", raw="length", usage=USAGE)] == protocol.closed()
    assert (protocol.closed(), protocol.done) == ([], True)


@pytest.mark.parametrize(
    "events",
    [(), (said("a"),), (chunk({"role": "assistant"}),), (counted(COUNTS),)],
    ids=["nothing", "text", "role", "usage"],
)
@pytest.mark.parametrize("way", ["done", "closed"])
def test_an_answer_without_a_reason_is_cut_off(events: tuple[bytes, ...], way: str) -> None:
    """Whether ``[DONE]`` comes or the body is over; what came isn't lost."""
    protocol = protocol_of()
    pieces = protocol.receive([*events, DONE] if way == "done" else events)
    if way == "closed":
        assert protocol.closed() == []
    assert isinstance(protocol.failure, TruncatedStreamError)
    assert protocol.failure.retryable
    assert text_of(pieces) == ("a" if events == (said("a"),) else "")
    with pytest.raises(TruncatedStreamError):
        protocol.receive([said("b")])
    with pytest.raises(TruncatedStreamError):
        protocol.closed()
    with pytest.raises(TruncatedStreamError):
        protocol.completion(whole({"content": "b"}))


def test_done_alone_is_no_answer_of_sparks() -> None:
    """It ends what has begun, and nothing else; a body that is over ends nothing."""
    spark = preset("spark-http")
    assert isinstance(failed(DONE, preset=spark), TruncatedStreamError)
    assert finished(said("a"), DONE, preset=spark) == Finish("stop")
    protocol, _ = conversed(said("a"), preset=spark)
    protocol.closed()
    assert isinstance(protocol.failure, TruncatedStreamError)


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content_filter", "content_filter"),
        ("tool_calls", "tool_calls"),
        ("function_call", "tool_calls"),
        ("eos", "stop"),
        ("eos_token", "stop"),
        ("STOP", "stop"),
        ("max_tokens", "length"),
        ("model_length", "length"),
        ("sensitive", "content_filter"),
        ("weary", "other"),
    ],
)
def test_the_reason_is_one_of_the_contracts(word: str, reason: str) -> None:
    """The service's own word is kept."""
    finish = finished(said("a"), chunk(reason=word), DONE)
    assert (reason, word) == (finish.reason, finish.raw)


@pytest.mark.parametrize("word", ["", "null"])
def test_a_reason_that_says_nothing_is_none(word: str) -> None:
    """Some write it into each chunk."""
    finish = finished(chunk({"content": "a"}, word), chunk(reason="stop"), DONE)
    assert finish.reason == "stop"


@pytest.mark.parametrize(
    ("word", "error"),
    [
        ("error", ServerError),
        ("network_error", ServerError),
        ("insufficient_system_resource", OverloadedError),
        ("abort", ServerError),
    ],
)
def test_a_failure_in_the_reason_is_typed(word: str, error: type[BackendError]) -> None:
    """It is no end of an answer."""
    failure = failed(said("a"), chunk(reason=word), DONE)
    assert type(failure) is error
    assert (word, ID) == (failure.provider_code, failure.request_id)


def test_a_choice_may_tell_its_failure() -> None:
    """As OpenRouter has it, beside the reason."""
    choice = {
        "index": 0,
        "delta": {},
        "finish_reason": "error",
        "error": {"code": 429, "message": "slow"},
    }
    for reason in ("error", None):
        failure = failed(encoded({"id": ID, "choices": [{**choice, "finish_reason": reason}]}))
        assert isinstance(failure, RateLimitError)
        assert failure.provider_message == "slow"


ERRORS: list[tuple[object, type[BackendError], str | None]] = [
    ({"error": {"message": "x", "type": "server_error"}}, ServerError, "server_error"),
    ({"error": {"message": "x", "code": "insufficient_quota"}}, QuotaError, "insufficient_quota"),
    ({"error": {"code": 502, "message": "x"}, "choices": []}, OverloadedError, "502"),
    ({"object": "error", "message": "x", "type": "T", "code": 400}, BadRequestError, "400"),
    ({"error": "an error was encountered"}, BackendError, None),
    (
        {"error": {"code": 400, "message": "x", "type": "exceed_context_size_error"}},
        ContextLengthError,
        "400",
    ),
    (
        {"type": "error", "error": {"type": "overloaded_error", "message": "x"}},
        OverloadedError,
        "overloaded_error",
    ),
    ({"error": {"code": 10012, "message": "x"}}, ServerError, "10012"),
    ({"code": 11202, "message": "x", "sid": "cha1"}, RateLimitError, "11202"),
    ({"base_resp": {"status_code": 1002, "status_msg": "x"}}, BackendError, "1002"),
    ({"detail": "x"}, BackendError, None),
]


@pytest.mark.parametrize(("body", "error", "code"), ERRORS, ids=lambda value: str(value)[:40])
def test_a_failure_in_a_stream_is_typed(
    body: object, error: type[BackendError], code: str | None
) -> None:
    """In every shape, first of all or after pieces, which stay; status 200 proves nothing."""
    spark = preset("spark-http")
    for events in ([], [said("a")], [said("a"), chunk(reason="stop")]):
        protocol, pieces = conversed(*events, encoded(body), said("b"), DONE, preset=spark)
        assert type(protocol.failure) is error
        assert code == protocol.failure.provider_code
        assert text_of(pieces) == "a" * bool(events)
    assert type(failed_whole(encoded(body), preset=spark)) is error


def failed_whole(body: bytes, **settings: Any) -> ProxyLLMError:
    """Why a whole answer failed."""
    protocol = protocol_of(**settings)
    assert not any(isinstance(piece, Finish) for piece in protocol.completion(body))
    assert protocol.failure is not None
    return protocol.failure


@pytest.mark.parametrize(("events", "stage"), [((), "input"), ((said("a"),), "output")])
def test_an_audits_refusal_tells_whose_text_it_was(events: tuple[bytes, ...], stage: str) -> None:
    """Where the code doesn't: before the answer it was the question."""
    body = encoded({"error": {"code": "1301", "message": "x"}})
    failure = failed(*events, body, row="zhipu")
    assert isinstance(failure, ContentFilterError)
    assert stage == failure.stage


def test_what_comes_after_the_end_is_ignored() -> None:
    """Pieces, failures and nonsense, with one warning for all."""
    protocol, pieces = conversed(said("a"), chunk(reason="stop"), DONE)
    more = [said("b"), encoded({"error": "x"}), b"nonsense", DONE, counted({"prompt_tokens": -1})]
    assert protocol.receive(more) + protocol.receive(more) == []
    assert (protocol.done, text_of(pieces), protocol.failure) == (True, "a", None)
    assert protocol.warnings == ["the service went on after the end of the answer"]


def test_pieces_after_the_reason_are_ignored() -> None:
    """The answer is whole then; a second reason counts for nothing either."""
    protocol, pieces = conversed(
        said("a"), chunk(reason="stop"), chunk({"content": "b"}, "length"), chunk({}), DONE
    )
    assert (text_of(pieces), end(pieces).raw) == ("a", "stop")
    assert len(protocol.warnings) == 1


@pytest.mark.parametrize(
    "choices",
    [
        [{"index": 1, "delta": {"content": "b"}}],
        [{"index": 0, "delta": {"content": "a"}}, {"index": 1, "delta": {"content": "b"}}],
        [{"index": 0, "delta": {"content": "a"}}, {"index": 0, "delta": {"content": "b"}}],
    ],
    ids=["another", "two", "twice"],
)
def test_several_answers_are_not_glued_into_one(choices: object) -> None:
    """One was asked for."""
    assert isinstance(failed(encoded({"choices": choices})), SequenceError)
    assert isinstance(failed_whole(encoded({"choices": choices})), SequenceError)


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning_content": "hm", "content": None},
        {"reasoning": "hm", "content": ""},
        {"thinking": "hm"},
        {"reasoning_details": [{"type": "reasoning.text", "text": "hm", "index": 0}]},
        {"reasoning_details": [{"type": "reasoning.summary", "summary": "hm"}]},
        {
            "reasoning": "hm",
            "reasoning_content": "hm",
            "reasoning_details": [{"type": "reasoning.text", "text": "hm"}],
        },
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]},
    ],
    ids=str,
)
def test_thinking_is_understood_in_every_spelling(delta: dict[str, object]) -> None:
    """Once, apart from the text, streamed or whole."""
    _, pieces = conversed(chunk(delta), said("so"), chunk(reason="stop"), DONE)
    assert [Delta(reasoning="hm"), Delta("so")] == pieces[:2]
    assert thinking_of(protocol_of().completion(whole(delta))) == "hm"


def test_details_of_thinking_are_kept_for_the_next_question() -> None:
    """All of them, also those that can't be read."""
    secret = {"type": "reasoning.encrypted", "data": "Zm9v", "id": "r1"}
    text = {"type": "reasoning.text", "text": "hm", "signature": "s"}
    first, second = chunk({"reasoning_details": [text]}), chunk({"reasoning_details": [secret]})
    finish = finished(first, second, chunk(reason="stop"), DONE)
    assert finish.extra == {"reasoning_details": [text, secret]}


def test_thinking_alone_is_an_answer() -> None:
    """Cut off by the limit before any text."""
    protocol, pieces = conversed(
        chunk({"reasoning_content": "hm"}), chunk(reason="length"), counted(COUNTS), DONE
    )
    assert [Delta(reasoning="hm"), Finish("length", raw="length", usage=USAGE)] == pieces
    assert protocol.done


def test_tags_of_thinking_are_text_unless_they_are_to_be_read() -> None:
    """They may be what a user asked for."""
    events = [said("<thi"), said("nk>hm</th"), said("ink>so"), chunk(reason="stop"), DONE]
    assert text_of(conversed(*events)[1]) == "<think>hm</think>so"
    _, pieces = conversed(*events, think_tags=True)
    assert (thinking_of(pieces), text_of(pieces)) == ("hm", "so")


def test_what_might_have_been_a_tag_is_not_lost() -> None:
    """It comes with the end."""
    _, pieces = conversed(said("<thi"), chunk(reason="stop"), DONE, think_tags=True)
    assert [Delta("<thi"), Finish("stop", raw="stop")] == pieces


def test_a_refusal_is_told_apart_from_the_answer() -> None:
    """All of it so far in each piece, and a reason that says so."""
    _, pieces = conversed(
        chunk({"role": "assistant", "refusal": ""}),
        chunk({"refusal": "I "}),
        chunk({"refusal": "won't."}),
        chunk(reason="stop"),
        DONE,
    )
    assert [Delta(extra={"refusal": "I "}), Delta(extra={"refusal": "I won't."})] == pieces[:2]
    finish = Finish("content_filter", raw="stop", extra={"refusal": "I won't."})
    assert finish == pieces[2]
    assert finish == protocol_of().completion(whole({"content": None, "refusal": "I won't."}))[-1]


def test_a_long_refusal_is_whole_at_the_end_only() -> None:
    """To repeat it in each piece would cost the square of its length."""
    events = [chunk({"refusal": "x" * 1000})] * 10
    _, pieces = conversed(*events, chunk(reason="stop"), DONE)
    assert len(pieces) == 5
    assert end(pieces).extra == {"refusal": "x" * 10_000}


def test_logprobs_and_audio_come_with_their_piece() -> None:
    """As the service has them."""
    logprobs = {"content": [{"token": "a", "logprob": -0.1, "top_logprobs": []}]}
    choice = {"index": 0, "delta": {"content": "a"}, "logprobs": logprobs, "finish_reason": None}
    audio = {"id": "audio_1", "data": "UklGRg==", "transcript": "hi"}
    _, pieces = conversed(encoded({"choices": [choice]}), chunk({"audio": audio}))
    assert [Delta("a", extra={"logprobs": logprobs}), Delta(extra={"audio": audio})] == pieces


def test_pages_that_are_cited_are_sources() -> None:
    """By address and title; what can't be read is left out."""
    cited = {"type": "url_citation", "url_citation": {"url": "https://a.example/", "title": "A"}}
    _, pieces = conversed(chunk({"annotations": [cited, {"type": "file"}, 7]}))
    assert [Delta(sources=({"url": "https://a.example/", "title": "A"},))] == pieces


def test_a_search_of_sparks_own_is_no_tool_call() -> None:
    """It is told under the role of a tool."""
    delta = {"role": "tool", "tool_calls": [{"function": {"name": "search", "arguments": "{}"}}]}
    finish = finished(chunk(delta), said("a"), DONE, preset=preset("spark-http"))
    assert finish.reason == "stop"


def test_a_call_of_sparks_is_one_object() -> None:
    """And its end says that a tool is to be called, though the service doesn't."""
    call = {"type": "function", "function": {"name": "f", "arguments": "{}"}, "id": "call_1"}
    _, pieces = conversed(chunk({"tool_calls": call}), DONE, preset=preset("spark-http"))
    assert calls_of(pieces) == [(0, "call_1", "f", "{}")]
    assert Finish("tool_calls") == pieces[-1]


def test_a_call_that_was_forced_ends_with_tool_calls() -> None:
    """OpenAI says ``stop`` then."""
    call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}
    finish = finished(chunk({"tool_calls": [call]}), chunk(reason="stop"), DONE)
    assert (finish.reason, finish.raw) == ("tool_calls", "stop")


def test_an_old_function_call_is_a_tool_call() -> None:
    """OpenAI's spelling of 2023."""
    events = [
        chunk({"function_call": {"name": "f", "arguments": ""}}),
        chunk({"function_call": {"arguments": "{}"}}),
        chunk(reason="function_call"),
        DONE,
    ]
    _, pieces = conversed(*events)
    assert calls_of(pieces) == [(0, None, "f", "{}")]
    assert end(pieces).reason == "tool_calls"


@pytest.mark.parametrize(
    "place",
    [
        counted,
        lambda usage: chunk({}, None, usage=usage),
        lambda usage: encoded({"choices": [{"index": 0, "delta": {}, "usage": usage}]}),
        lambda usage: chunk({}, None, x_groq={"id": "req_1", "usage": usage}),
    ],
    ids=["alone", "beside", "moonshot", "groq"],
)
def test_usage_is_found_wherever_it_is(place: Callable[[object], bytes]) -> None:
    """Before the reason or after it; the last counts."""
    zero = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    for events in ([place(COUNTS), chunk(reason="stop")], [chunk(reason="stop"), place(COUNTS)]):
        assert finished(said("a"), place(zero), *events, DONE).usage == USAGE


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": -1, "completion_tokens": 6, "total_tokens": 5},
        {"prompt_tokens": 4, "completion_tokens": "6"},
        {"prompt_tokens": 4},
        {"prompt_tokens": True, "completion_tokens": 6},
        {"prompt_tokens": 2**60, "completion_tokens": 6},
        [4, 6, 10],
        "free",
    ],
    ids=str,
)
def test_usage_that_cannot_be_read_is_none(usage: object) -> None:
    """With one warning, and the answer stays."""
    protocol, pieces = conversed(
        said("a"), counted(usage), counted(usage), chunk(reason="stop"), DONE
    )
    assert (end(pieces).usage, protocol.warnings) == (None, ["the service's usage can't be read"])


@pytest.mark.parametrize("usage", [None, {}], ids=repr)
def test_usage_that_is_absent_is_none(usage: object) -> None:
    """Nobody is warned of that."""
    protocol, pieces = conversed(counted(usage), chunk(reason="stop"), DONE)
    assert (end(pieces).usage, protocol.warnings) == (None, [])


def test_only_the_last_usage_is_read() -> None:
    """Nobody is warned of what another has replaced, or of what an empty one hasn't."""
    events = [counted({"prompt_tokens": -1}), counted(COUNTS), counted({}), counted(None)]
    protocol, pieces = conversed(said("a"), *events, chunk(reason="stop"), DONE)
    assert (end(pieces).usage, protocol.warnings) == (USAGE, [])


def test_the_headers_id_goes_before_the_answers() -> None:
    """Support asks for that one."""
    protocol, _ = conversed(said("a"), request_id="req_1")
    assert protocol.request_id == "req_1"
    assert failed(encoded({"error": "x"}), request_id="req_1").request_id == "req_1"


def test_another_id_in_the_same_answer_is_odd() -> None:
    """And no failure: some servers make up one for each chunk."""
    protocol, _ = conversed(said("a"), chunk({"content": "b"}, id="2"), chunk({}, id="3"))
    assert protocol.warnings == ["the service gave the answer more than one id"]
    assert protocol.request_id == ID


@pytest.mark.parametrize("name", ["id", "model", "created", "system_fingerprint", "service_tier"])
@pytest.mark.parametrize("value", [None, 7, [], {"a": 1}], ids=repr)
def test_what_is_beside_the_answer_loses_nothing(name: str, value: object) -> None:
    """Whatever its type."""
    pieces = conversed(chunk({"content": "a"}, "stop", **{name: value}), DONE)[1]
    assert text_of(pieces) == "a"


@pytest.mark.parametrize(
    "message",
    [
        {"choices": None, "object": "chat.completion.chunk"},
        {"choices": [], "prompt_filter_results": []},
        {"choices": [{"index": 0}]},
        {"choices": [{"index": 0, "delta": None, "finish_reason": None}]},
        {"choices": [{"delta": {"content": None, "tool_calls": None}}], "usage": None},
        {"choices": [{"delta": {"role": "assistant"}, "extra": [1]}], "error": None, "code": 0},
    ],
    ids=str,
)
def test_a_chunk_that_says_nothing_gives_nothing(message: object) -> None:
    """Servers leave out what they please."""
    protocol, pieces = conversed(encoded(message))
    assert (pieces, protocol.failure) == ([], None)


def test_an_event_without_data_is_ignored() -> None:
    """Some keep a connection alive by it."""
    protocol, pieces = conversed(b"", b" ", said("a"))
    assert ([Delta("a")], None) == (pieces, protocol.failure)


def test_a_reason_is_shown_in_plain_text() -> None:
    """It may repeat what was sent, be of any length, and steer a terminal."""
    reason = "hunter2\x1b" + "x" * 1000
    finish = finished(chunk(reason=reason), DONE, scrub=lambda s: s.replace("hunter2", "***"))
    assert (finish.reason, finish.raw) == ("other", "***\\x1b" + "x" * 121)


PARTS = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]

WHOLE = "the whole message isn't what its pieces said"

MESSAGES: list[tuple[str, list[dict[str, Any]], str, list[str]]] = [
    ("alone", [{"message": {"content": "ab"}}], "ab", []),
    (
        "after a role",
        [{"delta": {"role": "assistant", "content": ""}}, {"message": {"content": "ab"}}],
        "ab",
        [],
    ),
    ("beside nothing", [{"delta": {}, "message": {"content": "ab"}}], "ab", []),
    ("beside a piece", [{"delta": {"content": "ab"}, "message": {"content": "ab"}}], "ab", []),
    ("for each piece", [{"message": {"content": each}} for each in "aab"], "aab", []),
    ("of parts", [{"delta": {"content": "ab"}}, {"message": {"content": PARTS}}], "ab", []),
    (
        "after thinking",
        [{"delta": {"reasoning": "hm"}}, {"message": {"reasoning": "hm", "content": "ab"}}],
        "ab",
        [],
    ),
    (
        "that says something else",
        [{"delta": {"content": "a"}}, {"message": {"content": "ab"}}],
        "a",
        [WHOLE],
    ),
    ("that says nothing", [{"delta": {"content": "a"}}, {"message": {"content": ""}}], "a", []),
]


@pytest.mark.parametrize(
    ("choices", "text", "warnings"),
    [pytest.param(*case, id=name) for name, *case in MESSAGES],
)
def test_no_message_is_lost_or_said_twice(
    choices: list[dict[str, Any]], text: str, warnings: list[str]
) -> None:
    """What its pieces said already isn't repeated; what they didn't say is said, or told of."""
    events = [encoded({"choices": [choice]}) for choice in choices]
    protocol, pieces = conversed(*events, chunk(reason="stop"), DONE)
    assert (text, warnings) == (text_of(pieces), protocol.warnings)
    assert thinking_of(pieces) in ("", "hm")


def test_a_messages_calls_are_taken_where_no_piece_had_them() -> None:
    """And not twice where one had."""
    call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}
    message = encoded({"choices": [{"message": {"content": "a", "tool_calls": [call]}}]})
    for first in ({"content": "a"}, {"content": "a", "tool_calls": [call]}):
        protocol, pieces = conversed(chunk(first), message, chunk(reason="stop"), DONE)
        assert calls_of(pieces) == [(0, "c", "f", "{}")]
        assert (text_of(pieces), protocol.warnings) == ("a", [])


def test_a_message_after_the_end_is_told_of() -> None:
    """Unless it repeats what was said."""
    message = encoded({"choices": [{"message": {"content": "ab"}}]})
    protocol, _ = conversed(said("ab"), chunk(reason="stop"), message, DONE)
    assert protocol.warnings == []
    protocol, _ = conversed(chunk(reason="stop"), message, DONE)
    assert protocol.warnings == ["the service went on after the end of the answer"]


def test_a_message_after_its_pieces_is_not_said_twice() -> None:
    """MiniMax ends a stream with the whole of it; a server that doesn't stream has only that."""
    last = whole({"role": "assistant", "content": "ab"}, None)
    _, pieces = conversed(said("a"), said("b"), last, chunk(reason="stop"), DONE)
    assert text_of(pieces) == "ab"
    assert text_of(conversed(whole({"content": "ab"}), DONE)[1]) == "ab"


WRONG: list[tuple[bytes, type[ProtocolError]]] = [
    (b"{oops", DecodeError),
    (b'{"choices": [', DecodeError),
    (b'{"usage": NaN}', DecodeError),
    (b'{"usage": ' + b"[" * 100_000, DecodeError),
    (b'{"choices": [{"delta": {"content": "\xff\xfe"}}]}', DecodeError),
    (b'{"choices": [{"delta": {"content": "\\ud800"}}]}', DecodeError),
    (b'{"usage": ' + b"9" * 5000 + b"}", SchemaError),
    (b'{"usage": 1e999}', SchemaError),
    (b"[]", SchemaError),
    (b"null", SchemaError),
    (b"7", SchemaError),
    (b"{}", SchemaError),
    (b'{"id": "x", "type": "ping"}', SchemaError),
    (b'{"choices": {}}', SchemaError),
    (b'{"choices": [{"delta": {"content": 7}}]}', SchemaError),
    (b'{"choices": [{"delta": []}]}', SchemaError),
    (b'{"choices": [{"index": "0"}]}', SchemaError),
    (b'{"choices": [{"finish_reason": 1}]}', SchemaError),
    (b'{"choices": [{"delta": {"tool_calls": [7]}}]}', SchemaError),
]


@pytest.mark.parametrize(("data", "error"), WRONG, ids=lambda value: str(value)[:40])
def test_what_is_no_chunk_fails_the_answer(data: bytes, error: type[ProtocolError]) -> None:
    """What came before it stays; nothing of it shows."""
    protocol, pieces = conversed(said("a"), data, said("b"))
    assert [Delta("a")] == pieces
    assert type(protocol.failure) is error
    assert type(failed_whole(data)) is error


@pytest.mark.parametrize(
    "body",
    [
        [{"error": {"code": 429, "message": "m", "status": "RESOURCE_EXHAUSTED"}}],
        {"error": {"message": "m", "code": 429}, "choices": ""},
        {"error": {"message": "m", "type": "rate_limit_error"}, "choices": [{"delta": 7}]},
    ],
    ids=["list", "choices", "delta"],
)
def test_a_failure_is_typed_though_it_is_no_chunk(body: object) -> None:
    """Gemini's is in a list; others' has odd choices beside it."""
    for failure in (failed(encoded(body)), failed_whole(encoded(body))):
        assert (type(failure), failure.provider_message) == (RateLimitError, "m")


@pytest.mark.parametrize("body", [[{"error": None}], [[]], {"error": "", "choices": 7}], ids=repr)
def test_what_names_no_failure_is_none(body: object) -> None:
    """But of the wrong shape."""
    assert type(failed(encoded(body))) is SchemaError


def test_nothing_of_a_chunk_shows_in_its_error() -> None:
    """Neither in the message nor in what hangs on to it."""
    failure = failed(b'{"choices": [{"delta": {"content": "hunter2", }}]}')
    assert "hunter2" not in repr(vars(failure)) + str(failure)
    assert (failure.__cause__, failure.__context__, failure.__traceback__) == (None, None, None)


def test_secrets_are_taken_out_of_what_the_service_says() -> None:
    """It may repeat what it was sent."""
    body = {"error": {"message": "bad key hunter2", "code": "hunter2"}, "request_id": "hunter2"}
    failure = failed(encoded(body), scrub=lambda text: text.replace("hunter2", "***"))
    assert "hunter2" not in repr(vars(failure)) + str(failure)
    assert failure.provider_message == "bad key ***"


def test_an_answer_alone_is_whole_only_with_its_reason() -> None:
    """Streamed or not, the rule is one."""
    assert isinstance(failed_whole(whole({"content": "a"}, None)), TruncatedStreamError)
    pieces = protocol_of().completion(b"\n\n" + whole({"content": "a"}, usage=COUNTS))
    assert [Delta("a"), Finish("stop", raw="stop", usage=USAGE)] == pieces


CHUNKS = st.sampled_from(
    [
        said("a"),
        chunk({"reasoning_content": "b"}),
        chunk({"tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}),
        chunk(reason="stop"),
        chunk(reason="error"),
        counted(COUNTS),
        counted({"prompt_tokens": -1}),
        encoded({"error": "x"}),
        encoded({}),
        DONE,
        b"",
        b"\xff",
    ]
)


@given(st.lists(CHUNKS, max_size=8), st.booleans(), st.sampled_from(["openai", "spark-http"]))
def test_an_answer_ends_once_or_fails(events: list[bytes], closes: bool, name: str) -> None:
    """Exactly one end, last; never with a failure; nothing else is ever raised."""
    protocol = protocol_of(name, think_tags=True)
    pieces: Pieces = []
    for event in events:
        if protocol.failure is None:
            pieces += protocol.receive([event])
    if closes and protocol.failure is None:
        pieces += protocol.closed()
    ends = [number for number, piece in enumerate(pieces) if isinstance(piece, Finish)]
    assert ends == ([len(pieces) - 1] if protocol.done else [])
    assert not (protocol.done and protocol.failure)
    if closes:
        assert protocol.done or protocol.failure
