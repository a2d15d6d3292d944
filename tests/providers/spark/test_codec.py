"""What a script says in Spark's words, as the client reads it."""

from __future__ import annotations

import json
from typing import get_args

import pytest

from modelplug import (
    AuthenticationError,
    BackendError,
    BadRequestError,
    ContentFilterError,
    Delta,
    Finish,
    ModelOutput,
    ToolCall,
    ToolCallDelta,
    TruncatedStreamError,
    Usage,
)
from modelplug.testing import Fail, FailKind, HangUp, Noise, RawRequest, Step
from modelplug.testing.scripted import failure
from modelplug.testing.websocket import WebSocketUpstream
from modelplug_spark.codec import CODES, SparkCodec
from tests.support.spark import client_of

KINDS: tuple[FailKind, ...] = get_args(FailKind)

OTHERS: dict[FailKind, type[BackendError]] = {"unknown_model": BadRequestError}
"""What Spark tells less of: a domain that doesn't belong to its path is a format that is wrong."""


def kind_of(fail: Fail) -> type[BackendError]:
    """The class that a failure is raised as, whoever is asked but for the table above."""
    return OTHERS.get(fail.kind, type(failure(fail)))


def said(upstream: WebSocketUpstream, *steps: Step) -> ModelOutput:
    """What the client makes of these steps and an end."""
    upstream.play(*steps, Finish())
    return client_of(upstream).sync_generate("hi")


def failed(upstream: WebSocketUpstream, *steps: Step) -> BackendError:
    """The error that these steps are to the client."""
    upstream.play(*steps)
    with pytest.raises(BackendError) as caught:
        client_of(upstream).sync_generate("hi")
    return caught.value


@pytest.mark.parametrize("kind", KINDS)
def test_a_failure_is_what_it_is_with_every_provider(
    upstream: WebSocketUpstream, kind: FailKind
) -> None:
    """By the service's own code, or by the refusal of the gateway."""
    error = failed(upstream, Fail(kind))
    assert kind_of(Fail(kind)) is type(error)
    assert error.provider_code == (401 if kind == "auth" else CODES[kind][0])


@pytest.mark.parametrize("kind", KINDS)
def test_a_failure_amid_an_answer_keeps_it(upstream: WebSocketUpstream, kind: FailKind) -> None:
    """Of the same class; a wrong key is then one that was barred meanwhile."""
    error = failed(upstream, "half", Fail(kind))
    assert kind_of(Fail(kind)) is type(error)
    assert error.partial is not None
    assert error.partial.text == "half"


@pytest.mark.parametrize("kind", KINDS)
def test_a_failure_has_the_words_of_the_script(upstream: WebSocketUpstream, kind: FailKind) -> None:
    """Instead of the service's usual ones."""
    error = failed(upstream, Fail(kind, message="so it is"))
    assert str(error.provider_message).endswith("so it is")
    assert type(error) is type(failed(upstream, Fail(kind)))


@pytest.mark.parametrize("stage", ["input", "output"])
def test_a_filter_says_what_it_caught(upstream: WebSocketUpstream, stage: str) -> None:
    """The question or the answer."""
    kind: FailKind = "content_filter_input" if stage == "input" else "content_filter_output"
    error = failed(upstream, Fail(kind))
    assert isinstance(error, ContentFilterError)
    assert error.stage == stage


def test_only_wrong_keys_are_refused_before_the_upgrade() -> None:
    """All else is told in a frame, and everything can be."""
    refused = {kind for kind in KINDS if SparkCodec().refusal(Fail(kind)) is not None}
    assert refused == {"auth"}
    assert {*KINDS} == {*CODES}


def test_a_refusal_is_in_the_gateways_json(upstream: WebSocketUpstream) -> None:
    """So that the client tells what to check."""
    error = failed(upstream, Fail("auth"))
    assert isinstance(error, AuthenticationError)
    assert error.provider_message == "HMAC signature does not match"
    assert "API secret" in str(error.hint)


def test_text_arrives_piece_by_piece(upstream: WebSocketUpstream) -> None:
    """Each step is a delta, whatever is in it."""
    upstream.play("Hel", Delta("lo"), '"你好"\n', Finish())
    with client_of(upstream).sync_generate_stream("hi") as stream:
        outputs = list(stream)
    assert [output.delta for output in outputs] == ["Hel", "lo", '"你好"\n', ""]


def test_thinking_arrives_beside_the_text(upstream: WebSocketUpstream) -> None:
    """In frames of its own, or with a piece of the answer."""
    output = said(upstream, Delta(reasoning="Hm"), Delta("a", reasoning="."), "b")
    assert (output.reasoning, output.text) == ("Hm.", "ab")


def test_sources_arrive_as_they_were_found(upstream: WebSocketUpstream) -> None:
    """With the fields that Spark has for a page."""
    pages = [{"index": at, "url": f"https://x.example/{at}", "title": "页"} for at in (1, 2)]
    output = said(upstream, Delta(sources=pages), Delta("a", sources=pages[:1]))
    assert [*output.sources] == [*pages, pages[0]]
    assert (output.text, output.warnings) == ("a", ())


def test_a_call_arrives_whole(upstream: WebSocketUpstream) -> None:
    """With the last frame, however many pieces a script has of it; Spark gives it no id."""
    steps = [
        Delta("I look. "),
        Delta(tool_call=ToolCallDelta(0, id="1", name="look", arguments='{"at": ')),
        Delta(tool_call=ToolCallDelta(0, arguments='"页"}')),
    ]
    output = said(upstream, *steps)
    assert output.tool_calls == (ToolCall(name="look", arguments='{"at": "页"}'),)
    assert (output.text, output.finish_reason) == ("I look. ", "tool_calls")


def test_what_comes_beside_a_call_is_kept(upstream: WebSocketUpstream) -> None:
    """Text, thinking and sources don't wait for the last frame."""
    page = {"index": 1, "url": "https://x.example/1", "title": "页"}
    call = ToolCallDelta(0, name="look", arguments="{}")
    output = said(upstream, Delta("a", reasoning="Hm.", sources=[page], tool_call=call))
    assert (output.text, output.reasoning, [*output.sources]) == ("a", "Hm.", [page])
    assert output.tool_calls == (ToolCall(name="look", arguments="{}"),)


def test_the_bill_is_the_scripts(upstream: WebSocketUpstream) -> None:
    """Its total too, which needn't be the sum."""
    usage = Usage(prompt_tokens=5, completion_tokens=6, total_tokens=12)
    upstream.play("a", Finish(usage=usage))
    told = client_of(upstream).sync_generate("hi").usage
    assert told is not None
    assert (told.prompt_tokens, told.completion_tokens, told.total_tokens) == (5, 6, 12)


def test_there_is_always_a_bill(upstream: WebSocketUpstream) -> None:
    """As with the service, which never leaves it out."""
    assert said(upstream, "a").usage is not None


def test_noise_changes_nothing(upstream: WebSocketUpstream) -> None:
    """Before, between and after the pieces."""
    output = said(upstream, Noise(), "a", Noise(), "b", Noise())
    assert (output.text, output.finish_reason, output.warnings) == ("ab", "stop", ())


def test_noise_is_no_answer(upstream: WebSocketUpstream) -> None:
    """However much of it comes."""
    upstream.play(Noise(), Noise(), HangUp())
    with pytest.raises(TruncatedStreamError):
        client_of(upstream).sync_generate("hi")


def test_an_answer_without_text_is_one(upstream: WebSocketUpstream) -> None:
    """A last frame alone."""
    assert (said(upstream).text, len(upstream.exchanges)) == ("", 1)


def test_frames_are_numbered_and_say_where_they_stand() -> None:
    """First, in between or last (section 4.1); noise isn't counted."""
    encoder = SparkCodec().encoder(RawRequest(target="/"))
    steps = (encoder.delta(Delta("a")), encoder.noise(), encoder.delta(Delta("b")))
    frames = [json.loads(frame) for made in (*steps, encoder.finish(Finish())) for frame in made]
    choices = [frame["payload"].get("choices") for frame in frames]
    places = [(each["seq"], each["status"]) for each in choices if each]
    assert (places, choices[1]) == ([(0, 0), (1, 1), (2, 2)], None)


def test_all_frames_of_an_answer_name_one_session() -> None:
    """That of the question and of the time, which tells when it began (section 4.4)."""
    encoder = SparkCodec(now=lambda: 1.5).encoder(RawRequest(target="/", body=b"hi"))
    made = [*encoder.delta(Delta("a")), *encoder.fail(Fail("quota"))]
    (sid,) = {json.loads(frame)["header"]["sid"] for frame in made}
    assert int(sid.partition("@dx")[2][:11], 16) == 1500
