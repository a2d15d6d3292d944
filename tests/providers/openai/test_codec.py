"""What a script says in OpenAI's words, as the client reads it."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest

from modelplug import (
    BackendError,
    ContentFilterError,
    Delta,
    Finish,
    ModelOutput,
    ToolCall,
    ToolCallDelta,
    TruncatedStreamError,
    Usage,
    new_client,
)
from modelplug.testing import Fail, FailKind, HangUp, Noise, RawRequest, Step
from modelplug.testing.http import HttpUpstream
from modelplug.testing.scripted import failure
from modelplug_openai.codec import (
    DONE,
    FAILURES,
    Failure,
    OpenAICodec,
    counts,
    error_body,
    id_of,
)
from tests.providers.openai.wire import COUNTS, encoded

KINDS = tuple(FAILURES)

REQUEST = RawRequest(target="/v1/chat/completions", body=encoded({"model": "m"}))


def asked(upstream: HttpUpstream) -> ModelOutput:
    """What the client makes of the answer."""
    client = new_client("openai:m", api_base=f"{upstream.url}/v1", api_key="k")
    return client.sync_generate("hi")


def said(upstream: HttpUpstream, *steps: Step) -> ModelOutput:
    """What it makes of these steps and an end."""
    upstream.play(*steps, Finish())
    return asked(upstream)


def failed(upstream: HttpUpstream, *steps: Step) -> BackendError:
    """The error that these steps are to the client."""
    upstream.play(*steps)
    with pytest.raises(BackendError) as caught:
        asked(upstream)
    return caught.value


def test_two_kinds_have_no_words() -> None:
    """Too many at once is too many; and an answer that may not be shown ends with a reason."""
    assert {*get_args(FailKind)} - {*KINDS} == {"concurrency", "content_filter_output"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_failure_is_what_it_is_with_every_provider(
    upstream: HttpUpstream, kind: FailKind
) -> None:
    """By the status and the service's own code."""
    error = failed(upstream, Fail(kind))
    assert type(failure(Fail(kind))) is type(error)
    known = FAILURES[kind]
    assert error.provider_code in (known.code, known.type, known.status)


@pytest.mark.parametrize("kind", KINDS)
def test_a_failure_amid_an_answer_keeps_it(upstream: HttpUpstream, kind: FailKind) -> None:
    """Of the same class, though there is no status any more."""
    error = failed(upstream, "half", Fail(kind))
    assert type(failure(Fail(kind))) is type(error)
    assert error.partial is not None
    assert error.partial.text == "half"


@pytest.mark.parametrize("kind", KINDS)
def test_a_failure_has_the_words_of_the_script(upstream: HttpUpstream, kind: FailKind) -> None:
    """Instead of the service's usual ones."""
    error = failed(upstream, Fail(kind, message="so it is"))
    assert error.provider_message == "so it is"
    assert type(error) is type(failed(upstream, Fail(kind)))


def test_a_filter_says_what_it_caught(upstream: HttpUpstream) -> None:
    """The question."""
    error = failed(upstream, Fail("content_filter_input"))
    assert isinstance(error, ContentFilterError)
    assert error.stage == "input"


def test_everything_can_be_refused() -> None:
    """With a body in JSON, and a wait where there is one."""
    refusals = [OpenAICodec().refusal(Fail(kind, retry_after=1.5)) for kind in KINDS]
    assert None not in refusals
    for refusal in filter(None, refusals):
        assert refusal.headers == {"Content-Type": "application/json", "Retry-After": "1.5"}
        assert json.loads(refusal.body)["error"].keys() == {"message", "type", "param", "code"}
    plain = OpenAICodec().refusal(Fail("auth"))
    assert plain is not None
    assert plain.headers == {"Content-Type": "application/json"}


def test_an_error_has_its_param() -> None:
    """The field that is wrong, where one is."""
    body = json.loads(error_body(Failure(400, None, "t", "m", param="n")))
    assert body == {"error": {"message": "m", "type": "t", "param": "n", "code": None}}
    assert json.loads(error_body(FAILURES["auth"], "other"))["error"]["message"] == "other"


def test_text_arrives_piece_by_piece(upstream: HttpUpstream) -> None:
    """Each step is a delta, whatever is in it."""
    upstream.play("Hel", Delta("lo"), '"你好"\n', Finish())
    client = new_client("openai:m", api_base=f"{upstream.url}/v1", api_key="k")
    with client.sync_generate_stream("hi") as stream:
        outputs = list(stream)
    assert [output.delta for output in outputs] == ["Hel", "lo", '"你好"\n', ""]


def test_thinking_arrives_beside_the_text(upstream: HttpUpstream) -> None:
    """In chunks of its own, or with a piece of the answer."""
    output = said(upstream, Delta(reasoning="Hm"), Delta("a", reasoning="."), "b")
    assert (output.reasoning, output.text) == ("Hm.", "ab")


def test_sources_arrive_as_they_were_found(upstream: HttpUpstream) -> None:
    """As the citations of a page."""
    page = {"url": "https://x.example/1", "title": "页"}
    output = said(upstream, Delta("a", sources=[page]))
    assert ([*output.sources], output.text) == ([page], "a")


def test_calls_arrive_whole(upstream: HttpUpstream) -> None:
    """However many pieces a script has of them."""
    steps = [
        Delta("I look. "),
        Delta(tool_call=ToolCallDelta(0, id="1", name="look", arguments='{"at": ')),
        Delta(tool_call=ToolCallDelta(0, arguments='"页"}')),
        Delta(tool_call=ToolCallDelta(1, id="2", name="go", arguments="{}")),
    ]
    output = said(upstream, *steps)
    assert output.tool_calls == (
        ToolCall(id="1", name="look", arguments='{"at": "页"}'),
        ToolCall(index=1, id="2", name="go", arguments="{}"),
    )
    assert (output.text, output.finish_reason) == ("I look. ", "tool_calls")


@pytest.mark.parametrize("reason", ["stop", "length", "content_filter", "tool_calls"])
def test_an_end_has_its_reason(upstream: HttpUpstream, reason: Any) -> None:
    """In the service's words, which are ours."""
    upstream.play("a", Finish(reason))
    assert reason == asked(upstream).finish_reason


def test_an_end_may_have_a_word_of_its_own(upstream: HttpUpstream) -> None:
    """That of the script; and none of the others is a stop."""
    encoder = OpenAICodec().encoder(REQUEST)
    words = [
        json.loads(encoder.finish(finish)[0])["choices"][0]["finish_reason"]
        for finish in (Finish(raw="eos"), Finish("other"))
    ]
    assert words == ["eos", "stop"]


def test_the_bill_is_the_scripts(upstream: HttpUpstream) -> None:
    """With what was cached and what was thought."""
    usage = Usage(prompt_tokens=5, completion_tokens=6, cached_tokens=2, reasoning_tokens=3)
    upstream.play("a", Finish(usage=usage))
    told = asked(upstream).usage
    assert told is not None
    assert (told.prompt_tokens, told.completion_tokens, told.total_tokens) == (5, 6, 11)
    assert (told.cached_tokens, told.reasoning_tokens) == (2, 3)


def test_counts_are_the_services_record() -> None:
    """Without what isn't known."""
    assert counts(Usage(prompt_tokens=4, completion_tokens=6)) == COUNTS


@pytest.mark.parametrize(
    ("body", "tells"),
    [
        ({"model": "m", "stream_options": {"include_usage": True}}, True),
        ({"model": "m", "stream_options": {"include_usage": False}}, False),
        ({"model": "m", "stream_options": 5}, False),
        ({"model": "m"}, False),
        (5, True),
    ],
    ids=["asked", "not wanted", "odd", "unasked", "nobody asks"],
)
def test_a_bill_is_told_to_who_asks(body: object, tells: bool) -> None:
    """As with the service; where nobody asked anything, all is said that can be."""
    encoder = OpenAICodec().encoder(RawRequest(target="/", body=encoded(body)))
    said = encoder.finish(Finish(usage=Usage(prompt_tokens=1, completion_tokens=1)))
    assert tells == (len(said) == 3)
    assert said[-1] == DONE


def test_a_body_that_is_no_json_asks_nothing() -> None:
    """Whatever it is."""
    for body in (b"{", b"\xff", b"[" * 100_000):
        encoder = OpenAICodec().encoder(RawRequest(target="/", body=body))
        assert json.loads(encoder.delta(Delta("a"))[0])["model"] == ""


def test_noise_changes_nothing(upstream: HttpUpstream) -> None:
    """Before, between and after the pieces."""
    output = said(upstream, Noise(), "a", Noise(), "b", Noise())
    assert (output.text, output.finish_reason, output.warnings) == ("ab", "stop", ())


def test_noise_is_no_answer(upstream: HttpUpstream) -> None:
    """However much of it comes."""
    upstream.play(Noise(), Noise(), HangUp())
    with pytest.raises(TruncatedStreamError):
        asked(upstream)


def test_an_answer_without_text_is_one(upstream: HttpUpstream) -> None:
    """An end alone."""
    assert (said(upstream).text, len(upstream.exchanges)) == ("", 1)


def test_all_chunks_of_an_answer_have_one_name() -> None:
    """And the first alone has the role."""
    encoder = OpenAICodec(now=lambda: 1.5).encoder(REQUEST)
    made = [*encoder.role(), *encoder.delta(Delta("a")), *encoder.noise()]
    chunks = [json.loads(each) for each in (*made, *encoder.finish(Finish())) if each != DONE]
    told = {(each["id"], each["created"], each["model"]) for each in chunks}
    assert told == {(id_of(REQUEST.body, 1.5), 1, "m")}
    deltas = [each["choices"][0]["delta"] for each in chunks if each["choices"]]
    assert deltas == [{"role": "assistant", "content": None}, {"content": "a"}, {}]


def test_a_name_is_of_the_request_and_the_time() -> None:
    """And shows neither."""
    names = {id_of(body, now) for body in (b"secret", b"b") for now in (1.0, 2.0)}
    assert len(names) == 4
    assert not [name for name in names if "secret" in name]
