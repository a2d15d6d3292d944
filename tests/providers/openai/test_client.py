"""The client, over real sockets: against the emulator, and against a service played by hand."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from modelplug import (
    AuthenticationError,
    BadRequestError,
    Call,
    ClientClosedError,
    ConfigError,
    ConnectionLostError,
    ContextLengthError,
    DecodeError,
    Delta,
    Finish,
    HandshakeError,
    ModelMessage,
    ModelNotFoundError,
    ModelRequest,
    OverloadedError,
    ProtocolError,
    ProxyLLMClient,
    ProxyLLMError,
    ProxyModelParameters,
    QuotaError,
    RateLimitError,
    SchemaError,
    Secret,
    ServerError,
    TooLargeError,
    ToolCall,
    TruncatedStreamError,
    UnsafeEndpointError,
    UnsupportedOptionError,
    Usage,
    explain,
    new_client,
)
from modelplug.testing import (
    CutFrame,
    Fail,
    Garbage,
    Gate,
    HangUp,
    Message,
    Noise,
    RawRequest,
    Status,
    Step,
)
from modelplug.testing.http import HttpConnection, HttpUpstream
from modelplug_openai import OpenAILLMClient
from modelplug_openai import client as client_module
from modelplug_openai.codec import OpenAICodec
from modelplug_openai.emulator import OpenAIEmulator
from modelplug_openai.sse import MAX_EVENT
from tests.providers.openai.wire import COUNTS, ID, chunk, counted, encoded, said, whole
from tests.support.leaks import our_locals
from tests.support.scripted import DIRECTIONS, Ask

KEY = "sk-0123456789abcdef+/="
"""A key whose encoded forms all differ from the raw one."""

NOWHERE = "http://127.0.0.1:1/v1"
"""Where nobody listens: for clients that are never to ask."""

JSON = {"Content-Type": "application/json"}

ANSWER = ("Hel", "lo", "!", Finish(usage=Usage(prompt_tokens=4, completion_tokens=6)))

WHOLE = (
    Message(said("Hel")),
    Message(said("lo!")),
    Message(chunk({}, "stop")),
    Message(counted(COUNTS)),
    Message(b"[DONE]"),
)
"""An answer in chunks that no code of the product made."""

PLACE = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}

directions = pytest.mark.parametrize("ask", DIRECTIONS.values(), ids=DIRECTIONS.keys())


def client_of(
    service: HttpUpstream | str, config: str = "openai", **more: object
) -> ProxyLLMClient:
    """A client of an upstream, or of whatever is at a URL."""
    url = service if isinstance(service, str) else f"{service.url}/v1"
    return new_client({"backend": config, "api_base": url, "api_key": KEY, **more})


def emulated(emulator: OpenAIEmulator, config: str = "openai:any", **more: Any) -> ProxyLLMClient:
    """A client of an emulator."""
    return new_client(config, **{**emulator.params(), **more})


def request_of(upstream: HttpUpstream) -> RawRequest:
    """What an upstream was asked, once."""
    (exchange,) = upstream.exchanges
    return exchange.request


def question_of(upstream: HttpUpstream) -> Any:
    """The body of that."""
    return json.loads(request_of(upstream).body)


async def is_gone(upstream: HttpUpstream, number: int = 0) -> bool:
    """Whether an exchange is over, on a loop that mustn't be blocked."""
    return await asyncio.to_thread(upstream.exchanges.wait(number).wait_gone)


# -------------------------------------------------------------------------------- answers


async def test_an_answer_streams(upstream: HttpUpstream) -> None:
    """Text in pieces; the end with its usage, under the service's name for the call."""
    upstream.play(*WHOLE, HangUp())
    outputs = [output async for output in client_of(upstream).generate_stream("hi")]
    assert [output.delta for output in outputs] == ["Hel", "lo!", ""]
    final = outputs[-1]
    assert (final.text, final.finish_reason, final.request_id) == ("Hello!", "stop", ID)
    assert final.usage is not None
    assert (
        final.usage.prompt_tokens,
        final.usage.completion_tokens,
        final.usage.total_tokens,
    ) == (4, 6, 10)
    assert (final.backend, final.model) == ("openai", "m")  # as the service says


async def test_the_four_ways_of_asking_agree(emulator: OpenAIEmulator) -> None:
    """Async and sync, streamed and whole."""
    outputs = [
        (await asyncio.to_thread(ask, emulated(emulator), "你好吗？"))[-1]
        for ask in DIRECTIONS.values()
    ]
    assert "你好吗？" in outputs[0].text
    assert len({output.text for output in outputs}) == 1
    assert len({str(output.usage) for output in outputs}) == 1


async def test_the_first_delta_is_here_before_the_second_is_sent(upstream: HttpUpstream) -> None:
    """A gate on the server's side opens only once the first has arrived."""
    upstream.play("Hel", Gate("first"), "lo", "!", Finish())
    async with client_of(upstream).generate_stream("hi") as stream:
        assert (await anext(stream)).text == "Hel"
        upstream.release("first")
        assert [output.text async for output in stream][-1] == "Hello!"


async def test_a_chunk_without_text_is_no_progress(upstream: HttpUpstream) -> None:
    """Nothing is yielded for it, so that the clocks run on."""
    role = Message(chunk({"role": "assistant", "content": ""}))
    upstream.play(role, Gate("role"), Noise(), Gate("noise"), "a", Gate("text"), Finish())
    client = client_of(upstream)
    call = Call(credentials=client.params.credential)
    deltas = client.stream_deltas(ModelRequest(messages="hi", model="m"), call)
    reading = asyncio.ensure_future(anext(deltas))
    for gate in ("role", "noise"):
        assert await asyncio.to_thread(upstream.wait_reached, gate)
        await asyncio.sleep(0)  # what is there has been read by now
        assert not reading.done()
        upstream.release(gate)
    assert await reading == [Delta("a")]
    upstream.release("text")
    assert [batch async for batch in deltas] == [[Finish("stop", raw="stop")]]


def test_thinking_comes_beside_the_text(emulator: OpenAIEmulator) -> None:
    """Of a model that thinks, and its tokens are told."""
    output = emulated(emulator, "openai:a-thinker").sync_generate("hi")
    assert "hi" in output.reasoning
    assert output.reasoning not in output.text
    assert output.usage is not None
    assert output.usage.reasoning_tokens


@pytest.mark.parametrize("stream", ["true", "false"], ids=["streamed", "whole"])
def test_a_tool_is_called_and_its_result_heard(emulator: OpenAIEmulator, stream: str) -> None:
    """A round with a function: offered, called, answered."""
    tool = {"type": "function", "function": {"name": "weather", "parameters": PLACE}}
    client = emulated(emulator, f"openai:any?stream={stream}")
    asked = [ModelMessage("human", "weather?")]
    called = client.sync_generate(ModelRequest(messages=asked, tools=[tool]))
    assert (called.finish_reason, len(called.tool_calls)) == ("tool_calls", 1)
    (call,) = called.tool_calls
    assert call == ToolCall(id=call.id, name="weather", arguments='{"city":"weather?"}')
    asked += [
        ModelMessage("ai", "", tool_calls=called.tool_calls),
        ModelMessage("tool", "rain", tool_call_id=call.id),
    ]
    answered = client.sync_generate(ModelRequest(messages=asked, tools=[tool]))
    assert (answered.finish_reason, "rain" in answered.text) == ("stop", True)


@pytest.mark.parametrize("end", [[Message(b"[DONE]"), HangUp()], [HangUp()]], ids=["done", "cut"])
async def test_a_finish_reason_makes_an_answer_whole(
    upstream: HttpUpstream, end: list[Step]
) -> None:
    """Where the body ended properly, ``[DONE]`` may be missing."""
    upstream.play(Message(said("a")), Message(chunk({}, "length")), *end)
    output = await client_of(upstream).generate("hi")
    assert (output.text, output.finish_reason, output.usage) == ("a", "length", None)


async def test_an_answer_does_not_wait_for_the_close(upstream: HttpUpstream) -> None:
    """After ``[DONE]`` nobody waits for the body's end, and a connection is cut for that."""
    upstream.play(*WHOLE)
    assert (await client_of(upstream).generate("hi")).text == "Hello!"
    assert await is_gone(upstream)
    assert upstream.exchanges.wait().closed_by == "client"


# ---------------------------------------------------------------------------- whole answers


async def test_an_answer_may_be_asked_for_whole(upstream: HttpUpstream) -> None:
    """By an option; it comes in one delta."""
    body = whole({"role": "assistant", "content": "Hello!"}, usage=COUNTS).decode()
    upstream.play(Status(200, body, headers=JSON))
    client = client_of(upstream, "openai:m?stream=false")
    outputs = [output async for output in client.generate_stream("hi")]
    assert [output.delta for output in outputs] == ["Hello!", ""]
    assert outputs[-1].usage is not None
    assert question_of(upstream)["stream"] is False
    assert "stream_options" not in question_of(upstream)
    assert request_of(upstream).headers["accept"] == "application/json"


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8"])
async def test_a_service_may_answer_a_stream_whole(upstream: HttpUpstream, kind: str) -> None:
    """Though it was asked for a stream: some models have none."""
    body = whole({"role": "assistant", "content": "Hello!"}).decode()
    upstream.play(Status(200, body, headers={"Content-Type": kind}))
    output = await client_of(upstream).generate("hi")
    assert (output.text, output.finish_reason, output.request_id) == ("Hello!", "stop", ID)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ('{"error": {"message": "no", "code": "insufficient_quota"}}', QuotaError),
        ('{"choices": []}', ProxyLLMError),
        ("{", DecodeError),
        ('{"choices": 1}', SchemaError),
    ],
    ids=["error", "nothing", "no JSON", "other JSON"],
)
async def test_json_with_status_200_may_be_no_answer(
    upstream: HttpUpstream, body: str, kind: type[ProxyLLMError]
) -> None:
    """Never an empty one."""
    upstream.play(Status(200, body, headers=JSON))
    with pytest.raises(kind):
        await client_of(upstream).generate("hi")


@pytest.mark.parametrize(
    "body", ["<html><p>Log in</p></html>", "", "not now", "<p>Log in" * 20_000], ids=len
)
@directions
def test_a_page_is_no_answer(upstream: HttpUpstream, ask: Ask, body: str) -> None:
    """With status 200, such as of a portal on the way; nothing of a page is repeated."""
    upstream.play(Status(200, body, headers={"Content-Type": "text/html"}))
    with pytest.raises(HandshakeError, match="200") as caught:
        ask(client_of(upstream), "hi")
    assert "api_base" in str(caught.value.hint)
    assert "Log in" not in f"{caught.value} {vars(caught.value)}"


class Stalling(HttpUpstream):
    """A server whose page begins, and never ends."""

    async def answer(self, connection: HttpConnection, request: RawRequest) -> None:
        """Say a piece of it."""
        await connection.begin(headers={"content-type": "text/html"})
        await connection.write(b"6\r\n<html>\r\n")


async def test_a_page_that_never_ends_is_no_answer_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """That is known at its beginning: no clock of the call has to run out."""
    monkeypatch.setattr(client_module, "_SAID_SECONDS", 0.01)
    with Stalling(OpenAICodec()) as upstream:
        with pytest.raises(HandshakeError, match="200"):
            await client_of(upstream).generate("hi")
        assert await is_gone(upstream)


@pytest.mark.parametrize("kind", ["", "text/plain", "application/octet-stream", "application/json"])
@directions
def test_a_stream_may_have_another_name(upstream: HttpUpstream, ask: Ask, kind: str) -> None:
    """What comes is looked at: servers by URL say many things."""
    events = [said("Hel"), said("lo!"), chunk({}, "stop"), counted(COUNTS), b"[DONE]"]
    body = b"".join(b"data: " + each + b"\n\n" for each in events).decode()
    upstream.play(Status(200, body, headers={"Content-Type": kind} if kind else {}))
    final = ask(client_of(upstream), "hi")[-1]
    assert (final.text, final.usage is not None) == ("Hello!", True)


@pytest.mark.parametrize("kind", ["", "text/plain"])
async def test_a_whole_answer_may_have_another_name(upstream: HttpUpstream, kind: str) -> None:
    """Likewise."""
    body = whole({"role": "assistant", "content": "Hello!"}).decode()
    upstream.play(Status(200, body, headers={"Content-Type": kind} if kind else {}))
    assert (await client_of(upstream).generate("hi")).text == "Hello!"


# ------------------------------------------------------------------------------ requests


async def test_what_goes_out_is_the_documented_request(upstream: HttpUpstream) -> None:
    """No null, and no default that nobody set."""
    upstream.play(*ANSWER)
    await client_of(upstream).generate("hi")
    expected = {
        "model": "gpt-5.6-terra",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert expected == question_of(upstream)
    asked = request_of(upstream)
    assert (asked.method, asked.target) == ("POST", "/v1/chat/completions")
    told = {name: asked.headers[name] for name in ("accept", "content-type", "authorization")}
    assert told == {
        "accept": "text/event-stream",
        "content-type": "application/json",
        "authorization": f"Bearer {KEY}",
    }


async def test_every_parameter_finds_its_place(upstream: HttpUpstream) -> None:
    """0 and False included."""
    upstream.play(*ANSWER)
    request = ModelRequest(messages="hi", temperature=0, max_new_tokens=5, seed=0, stop=["x"])
    await client_of(upstream, "openai:m?parallel_tool_calls=false").generate(request)
    sent = question_of(upstream)
    assert (sent["temperature"], sent["seed"], sent["stop"]) == (0, 0, ["x"])
    assert (sent["max_completion_tokens"], sent["parallel_tool_calls"]) == (5, False)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("deepseek:deepseek-chat", {"authorization": f"Bearer {KEY}"}),
        ("azure:mine", {"api-key": KEY}),
        (
            "openai:m?organization=org-1&project=proj-1",
            {"openai-organization": "org-1", "openai-project": "proj-1"},
        ),
    ],
    ids=["bearer", "azure", "organization"],
)
async def test_headers_are_the_rows(
    upstream: HttpUpstream, config: str, expected: dict[str, str]
) -> None:
    """The key is in one header alone."""
    upstream.play(*ANSWER)
    await client_of(upstream, config).generate("hi")
    sent = request_of(upstream).headers
    assert expected == {name: sent[name] for name in expected}
    assert len([value for value in sent.values() if KEY in value]) == 1


async def test_headers_of_ones_own_go_along(upstream: HttpUpstream) -> None:
    """Those of the options, and of a request."""
    upstream.play(*ANSWER)
    request = ModelRequest(
        messages="hi", options={"openai": {"headers": {"X-Title": "mine", "HTTP-Referer": "me"}}}
    )
    await client_of(upstream).generate(request)
    sent = request_of(upstream).headers
    assert (sent["x-title"], sent["http-referer"]) == ("mine", "me")


async def test_without_a_key_none_is_sent(upstream: HttpUpstream) -> None:
    """To a server on one's own machine."""
    upstream.play(*ANSWER)
    await new_client("ollama:llama3:8b", api_base=f"{upstream.url}/v1").generate("hi")
    assert not {"authorization", "api-key"} & request_of(upstream).headers.keys()
    assert question_of(upstream)["model"] == "llama3:8b"


@pytest.mark.parametrize(
    ("config", "version", "target"),
    [
        ("azure:mine", None, "/openai/deployments/mine/chat/completions?api-version=2024-10-21"),
        ("azure:a/b", "v1&x", "/openai/deployments/a%2Fb/chat/completions?api-version=v1%26x"),
        ("openai:m", "v9", "/chat/completions"),
    ],
    ids=["azure", "escaped", "openai"],
)
async def test_azure_is_told_the_deployment_and_the_version(
    upstream: HttpUpstream, config: str, version: str | None, target: str
) -> None:
    """In the address; others have no version."""
    upstream.play(*ANSWER)
    more = {"api_version": version} if version else {}
    await client_of(upstream.url, config, **more).generate("hi")
    assert target == request_of(upstream).target


@pytest.mark.parametrize("base", ["/v1", "/v1/", "/own/path/", "", "/"])
async def test_an_address_may_end_in_a_slash(upstream: HttpUpstream, base: str) -> None:
    """The path goes behind it."""
    upstream.play(*ANSWER)
    await client_of(f"{upstream.url}{base}").generate("hi")
    assert f"{base.rstrip('/')}/chat/completions" == request_of(upstream).target


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ("openai:m", "max_completion_tokens"),
        ("deepseek:deepseek-chat", "max_tokens"),
        ("mistral", "max_tokens"),
        ("ollama:llama3:8b", "max_tokens"),
        ("vllm:qwen/qwen3", "max_completion_tokens"),
        ("openai:m?limit_field=max_tokens", "max_tokens"),
    ],
)
def test_a_backend_is_its_row(emulator: OpenAIEmulator, config: str, field: str) -> None:
    """One client, one service, and the spelling of the row."""
    output = emulated(emulator, config).sync_generate(ModelRequest(messages="hi", max_new_tokens=3))
    (exchange,) = emulator.exchanges
    question: Any = exchange.question
    assert question[field] == 3
    assert (output.finish_reason, output.backend) == ("length", config.partition(":")[0])


@pytest.mark.parametrize(
    ("config", "model"),
    [("azure:mine", "."), ("azure:mine", ".."), ("azure:mine", "\ud800"), ("openai", "\ud800")],
    ids=ascii,
)
async def test_a_model_that_is_no_name_is_never_asked(
    upstream: HttpUpstream, config: str, model: str
) -> None:
    """A segment of dots would climb out of the deployments; half a pair is no text."""
    request = ModelRequest(messages="hi", model=model)
    with pytest.raises(BadRequestError) as caught:
        await client_of(upstream, config).generate(request)
    assert (caught.value.sent, len(upstream.exchanges)) == ("no", 0)


async def test_azures_form_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its header, its path, its first chunk without choices."""
    with OpenAIEmulator(pace=0, key_header="api-key", empty_first=True) as emulator:
        told = emulator.describe()
        monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", told["url"].removesuffix("/v1"))
        monkeypatch.setenv("AZURE_OPENAI_API_KEY", told["api_key"])
        assert "hi" in (await new_client("azure:mine").generate("hi")).text


# ------------------------------------------------------------------------------- failures


@pytest.mark.parametrize(
    ("steps", "kind", "text"),
    [
        ([Fail("quota")], QuotaError, ""),
        (["a", Fail("rate_limit")], RateLimitError, "a"),
        (["a", Fail("server")], ServerError, "a"),
        (["a", Message(b"[DONE]"), HangUp()], TruncatedStreamError, "a"),
        (["a", HangUp()], TruncatedStreamError, "a"),
        ([HangUp()], TruncatedStreamError, ""),
        (["a", CutFrame(0)], ConnectionLostError, "a"),
        (["a", Garbage()], DecodeError, "a"),
        (["a", Garbage("shape")], ProxyLLMError, "a"),
    ],
    ids=[
        *("first", "after a piece", "server", "done alone", "ended", "ended at once"),
        *("cut", "garbage", "shape"),
    ],
)
@pytest.mark.parametrize("sync", [False, True], ids=["async", "sync"])
async def test_a_failure_is_raised_with_the_answer_so_far(
    upstream: HttpUpstream, steps: list[Step], kind: type[ProxyLLMError], text: str, sync: bool
) -> None:
    """Typed, with everything that came before it."""
    upstream.play(*steps)
    client = client_of(upstream)
    with pytest.raises(kind) as caught:
        await (asyncio.to_thread(client.sync_generate, "hi") if sync else client.generate("hi"))
    assert caught.value.partial is not None
    assert (text, "openai", "gpt-5.6-terra") == (
        caught.value.partial.text,
        caught.value.backend,
        caught.value.model,
    )
    assert caught.value.sent in ("maybe", "yes")


@pytest.mark.parametrize("sync", [False, True], ids=["async", "sync"])
async def test_an_event_that_never_ends_is_cut_off(upstream: HttpUpstream, sync: bool) -> None:
    """Memory is bounded; what came before it is kept."""
    upstream.play("a", Message(said("x" * 2 * MAX_EVENT)))
    client = client_of(upstream)
    with pytest.raises(TooLargeError) as caught:
        await (asyncio.to_thread(client.sync_generate, "hi") if sync else client.generate("hi"))
    assert caught.value.partial is not None
    assert caught.value.partial.text == "a"


async def test_a_failure_does_not_wait_for_the_end_of_its_body(upstream: HttpUpstream) -> None:
    """A service may well leave it open."""
    upstream.play("a", Message(b'{"error": {"message": "no", "code": "rate_limit_exceeded"}}'))
    with pytest.raises(RateLimitError):
        await client_of(upstream).generate("hi")
    assert await is_gone(upstream)


@pytest.mark.parametrize(
    ("fail", "kind"),
    [
        (Fail("auth"), AuthenticationError),
        (Fail("rate_limit", retry_after=7), RateLimitError),
        (Fail("overloaded", retry_after=7), OverloadedError),
        (Fail("context_length"), ContextLengthError),
        (Fail("unknown_model"), ModelNotFoundError),
    ],
    ids=lambda value: value.kind if isinstance(value, Fail) else "",
)
async def test_a_refusal_is_typed(
    upstream: HttpUpstream, fail: Fail, kind: type[ProxyLLMError]
) -> None:
    """And tells how long to wait, where the service does."""
    upstream.play(fail)
    with pytest.raises(kind) as caught:
        await client_of(upstream).generate("hi")
    assert fail.retry_after == caught.value.retry_after


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "soon"}, None),
    ],
    ids=str,
)
async def test_a_refusals_time_to_wait_is_the_cores(
    upstream: HttpUpstream, headers: Mapping[str, str], wait: float | None
) -> None:
    """Which reads milliseconds, too."""
    upstream.play(Status(429, "{}", headers={**JSON, **headers}))
    with pytest.raises(RateLimitError) as caught:
        await client_of(upstream).generate("hi")
    assert wait == caught.value.retry_after


@pytest.mark.parametrize("status", [400, 200])
async def test_a_rows_own_words_count_whatever_the_status(
    upstream: HttpUpstream, status: int
) -> None:
    """A page's place as well: what is refused there is typed alike."""
    body = '[{"code": "1211", "message": "no such model"}]'
    upstream.play(Status(status, body, headers={"Content-Type": "text/plain"}))
    with pytest.raises(ModelNotFoundError):
        await client_of(upstream, "zhipu:m").generate("hi")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-request-id": "req-1"}, "req-1"),
        ({"apim-request-id": "req-2"}, "req-2"),
        ({}, None),
    ],
)
async def test_a_refusal_has_the_services_name_for_the_request(
    upstream: HttpUpstream, headers: Mapping[str, str], expected: str | None
) -> None:
    """By which its people find it."""
    upstream.play(Status(500, "{}", headers={**JSON, **headers}))
    with pytest.raises(ServerError) as caught:
        await client_of(upstream).generate("hi")
    assert expected == caught.value.request_id


async def test_an_answer_has_the_headers_name_for_the_request(upstream: HttpUpstream) -> None:
    """Which goes before the id in its chunks."""
    body = whole({"content": "a"}).decode()
    upstream.play(Status(200, body, headers={**JSON, "x-request-id": "req-1"}))
    assert (await client_of(upstream).generate("hi")).request_id == "req-1"


@pytest.mark.parametrize("status", [301, 307, 308])
async def test_a_redirect_is_not_followed(upstream: HttpUpstream, status: int) -> None:
    """Nor told: the key goes nowhere else."""
    upstream.play(Status(status, headers={"Location": f"{upstream.url}/elsewhere"}))
    with pytest.raises(HandshakeError, match=str(status)) as caught:
        await client_of(upstream).generate("hi")
    assert (len(upstream.exchanges), "elsewhere" in str(caught.value)) == (1, False)


@pytest.mark.parametrize(
    ("config", "fields", "kind"),
    [
        ("openai", {"top_k": 3}, UnsupportedOptionError),
        ("openai", {"options": {"openai": {"speed": 1}}}, UnsupportedOptionError),
        ("openai", {"options": {"openai": {"extra_body": {"model": "x"}}}}, ConfigError),
        ("openai", {"messages": "half a pair: \ud800"}, BadRequestError),
        ("openai", {"messages": []}, BadRequestError),
        ("ollama", {}, ModelNotFoundError),
    ],
    ids=["top_k", "option", "body", "surrogate", "nothing", "no model"],
)
async def test_what_cannot_be_is_refused_before_the_wire(
    upstream: HttpUpstream, config: str, fields: dict[str, Any], kind: type[ProxyLLMError]
) -> None:
    """No connection is made for it."""
    with pytest.raises(kind) as caught:
        await client_of(upstream, config).generate(ModelRequest(**{"messages": "hi", **fields}))
    assert len(upstream.exchanges) == 0
    assert caught.value.sent in (None, "no")


async def test_a_parameter_may_be_left_out_with_a_warning(upstream: HttpUpstream) -> None:
    """Where the request says so."""
    upstream.play(*ANSWER)
    request = ModelRequest(messages="hi", top_k=3, on_unsupported="warn")
    output = await client_of(upstream).generate(request)
    assert "top_k" not in question_of(upstream)
    assert len(output.warnings) == 1


# ------------------------------------------------------------------------------ addresses


@pytest.mark.parametrize("url", ["http://llm.example/v1", "ws://127.0.0.1/v1", "llm.example/v1"])
async def test_a_key_goes_nowhere_unsafe(url: str) -> None:
    """Not in the clear off this machine, not to what is no HTTP."""
    with pytest.raises(UnsafeEndpointError):
        await client_of(url).generate("hi")


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1"])
@directions
def test_the_service_itself_is_on_the_internet(
    monkeypatch: pytest.MonkeyPatch, ask: Ask, address: str
) -> None:
    """Its built-in name that leads to a private address gets no connection and no key."""
    look_ups = resolving(monkeypatch, address)
    with pytest.raises(UnsafeEndpointError, match="public") as caught:
        ask(new_client("openai", api_key=KEY), "hi")
    assert (caught.value.sent, look_ups) == ("no", ["api.openai.com"])
    assert KEY not in f"{caught.value} {caught.value.hint}"


@directions
def test_where_the_operator_sends_it_may_be_private(
    upstream: HttpUpstream, monkeypatch: pytest.MonkeyPatch, ask: Ask
) -> None:
    """A name that the configuration itself has may lead anywhere, to a gateway at home as well."""
    upstream.play(*ANSWER)
    port = int(upstream.url.rpartition(":")[2])
    look_ups = resolving(monkeypatch, "127.0.0.1")
    assert ask(client_of(f"http://gateway.example:{port}/v1", allow_insecure=True), "hi")[-1].final
    assert look_ups == ["gateway.example"]


def resolving(monkeypatch: pytest.MonkeyPatch, address: str) -> list[str]:
    """Has every name lead to ``address``; the names that are asked for."""
    asked: list[str] = []
    family = socket.AF_INET6 if ":" in address else socket.AF_INET

    def getaddrinfo(
        host: str,
        port: int,
        *,
        type: int,  # noqa: A002  # its name
        flags: int = 0,
    ) -> list[tuple[object, ...]]:
        if flags:
            raise socket.gaierror(socket.EAI_NONAME, "not a number")
        asked.append(host)
        target = (address, port, 0, 0) if ":" in address else (address, port)
        return [(family, type, socket.IPPROTO_TCP, "", target)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


@pytest.mark.parametrize("config", ["azure:mine", "azure"])
def test_a_service_of_ones_own_needs_an_address(config: str) -> None:
    """Which is told when the client is made."""
    with pytest.raises(ConfigError, match=r"api_base|AZURE_OPENAI_ENDPOINT"):
        new_client(config, api_key=KEY)


def test_a_row_for_everybody_says_so_itself() -> None:
    """Also to who makes the client without the registry."""
    with pytest.raises(ConfigError, match="no address of its own"):
        OpenAILLMClient.new_client(ProxyModelParameters(proxyllm_backend="azure:mine"))


def test_a_proxy_is_refused() -> None:
    """Until there is one: a key that goes another way than configured is worse."""
    with pytest.raises(UnsupportedOptionError, match="http_proxy"):
        client_of(NOWHERE, http_proxy="http://127.0.0.1:3128")


def test_the_environments_proxy_has_no_say(
    emulator: OpenAIEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever other programs use."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert emulated(emulator).sync_generate("hi").text


# --------------------------------------------------------------------------------- models


async def test_a_service_tells_its_models(upstream: HttpUpstream) -> None:
    """With its tokens of context, or the table's."""
    data = [{"id": "gpt-5.6-sol"}, {"id": "new", "context_length": 7}, {"id": "plain"}]
    upstream.play(Status(200, json.dumps({"data": data}), headers=JSON))
    client = client_of(upstream)
    found = await client.models(live=True)
    contexts = [each.context_length for each in found]
    expected = [1_050_000, 7, client.metadata("plain").context_length]
    assert (["gpt-5.6-sol", "new", "plain"], expected) == ([each.model for each in found], contexts)
    asked = request_of(upstream)
    assert (asked.method, asked.target, asked.body) == ("GET", "/v1/models", b"")
    assert asked.headers["authorization"] == f"Bearer {KEY}"


def test_the_emulators_models_are_told() -> None:
    """To a client that has none of its own."""
    with OpenAIEmulator(pace=0, models=("a", "b:8b")) as emulator:
        client = emulated(emulator, "ollama")
        found = asyncio.run(client.models(live=True))
        assert [each.model for each in found] == ["a", "b:8b"]
        assert asyncio.run(client.models()) == []


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (Status(401, "{}", headers=JSON), AuthenticationError),
        (Status(200, "<html>", headers={"Content-Type": "text/html"}), DecodeError),
        (Status(200, '{"models": []}', headers=JSON), SchemaError),
        (Status(302, headers={"Location": "/"}), HandshakeError),
    ],
    ids=["key", "page", "shape", "redirect"],
)
async def test_a_list_of_models_may_fail(
    upstream: HttpUpstream, status: Status, kind: type[ProxyLLMError]
) -> None:
    """As a call does."""
    upstream.play(status)
    with pytest.raises(kind):
        await client_of(upstream).models(live=True)


@pytest.mark.parametrize("body", ['{{"data": [{{"id": "{key}', '{{"data": "{key}"}}'])
async def test_a_list_that_cant_be_read_shows_nowhere(upstream: HttpUpstream, body: str) -> None:
    """Neither in the error nor in the locals of our frames."""
    upstream.play(Status(200, body.format(key=KEY), headers=JSON))
    with pytest.raises(ProtocolError) as caught:
        await client_of(upstream).models(live=True)
    assert KEY not in f"{caught.value} {vars(caught.value)} {our_locals(caught.value)}"


async def test_a_service_may_have_no_list() -> None:
    """Azure's has deployments in its place."""
    with pytest.raises(UnsupportedOptionError, match="azure"):
        await client_of(NOWHERE, "azure:mine").models(live=True)


@pytest.mark.parametrize(
    ("config", "names"),
    [
        ("xai", ["grok-4.5", "grok-4.3"]),
        ("xai:grok-4.3", ["grok-4.3", "grok-4.5"]),
        ("xai:grok-9", ["grok-9", "grok-4.5", "grok-4.3"]),
        ("ollama:llama3:8b", ["llama3:8b"]),
    ],
)
async def test_the_default_model_is_the_configurations(config: str, names: list[str]) -> None:
    """Else the first of the row; any other can be asked for."""
    client = client_of(NOWHERE, config)
    assert names == [known.model for known in await client.models()]
    assert client.default_model == names[0]


def test_a_row_without_models_has_no_default() -> None:
    """One must be named."""
    with pytest.raises(ModelNotFoundError, match="no default model") as caught:
        _ = client_of(NOWHERE, "ollama").default_model
    assert "models -b ollama?api_base=... --live" in str(caught.value.hint)


def test_nobody_is_sent_to_a_list_that_there_is_not() -> None:
    """Azure's deployments are told by its own pages alone."""
    with pytest.raises(ModelNotFoundError, match="no default model, and no list") as caught:
        _ = client_of(NOWHERE, "azure").default_model
    assert "azure:MODEL?api_base=..." in str(caught.value.hint)
    assert "--live" not in str(caught.value.hint)


def test_a_context_size_of_ones_own_goes_before_the_tables() -> None:
    """For all models of the client."""
    client = client_of(NOWHERE, "xai", max_context_size=1000)
    sizes = [client.metadata(name).context_length for name in ("grok-4.5", "other")]
    assert sizes == [1000, 1000]
    assert client_of(NOWHERE, "xai").metadata("grok-4.5").context_length == 500_000


def test_capabilities_are_the_rows() -> None:
    """The same for all its models."""
    states = [
        client_of(NOWHERE, config).capabilities(model)["reasoning"]
        for config, model in (("openai", None), ("openai", "other"), ("lmstudio:m", None))
    ]
    assert states == ["native", "native", "unsupported"]


def test_without_a_backend_it_is_openais_own() -> None:
    """For who makes the client by its class."""
    client = OpenAILLMClient.new_client(ProxyModelParameters(proxy_api_key=Secret(KEY)))
    assert client.default_model == "gpt-5.6-terra"


# ---------------------------------------------------------------- connections, loops, threads


async def test_a_connection_serves_again(upstream: HttpUpstream) -> None:
    """The server sees one for several calls, streamed and whole."""
    upstream.play(*ANSWER, times=3)
    client = client_of(upstream)
    for number in range(3):
        assert (await client.generate("hi")).text == "Hello!"
        assert await is_gone(upstream, number)  # now the end of the body is here, too
    assert [exchange.connection for exchange in upstream.exchanges] == [0, 0, 0]


def test_a_connection_serves_again_through_the_bridge(upstream: HttpUpstream) -> None:
    """The loop of sync calls keeps it."""
    upstream.play(*ANSWER, times=3)
    client = client_of(upstream)
    for number in range(3):
        assert client.sync_generate("hi").text == "Hello!"
        assert upstream.exchanges.wait(number).wait_gone()
    assert [exchange.connection for exchange in upstream.exchanges] == [0, 0, 0]


def test_one_client_serves_many_loops(emulator: OpenAIEmulator) -> None:
    """Nothing of a call stays on it."""
    client = emulated(emulator)
    texts = {asyncio.run(client.generate("hi")).text for _ in range(3)}
    assert len(texts) == 1


def test_one_client_serves_many_threads(emulator: OpenAIEmulator) -> None:
    """Each gets its own answer."""
    client = emulated(emulator)
    questions = [f"question {number}." for number in range(24)]
    with ThreadPoolExecutor(8) as threads:
        outputs = list(threads.map(client.sync_generate, questions))
    assert [
        question in output.text for question, output in zip(questions, outputs, strict=True)
    ] == [True] * 24


@pytest.mark.parametrize("how", ["cancel", "aclose", "client"])
async def test_letting_go_reaches_the_servers_socket(upstream: HttpUpstream, how: str) -> None:
    """Whoever ends a stream in its middle ends the connection."""
    upstream.play("Hel")
    client = client_of(upstream)
    stream = client.generate_stream("hi")
    assert (await anext(stream)).text == "Hel"
    reading = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    if how == "cancel":
        reading.cancel()
    elif how == "aclose":
        await stream.aclose()
    else:
        client.close()
    assert await is_gone(upstream)
    with pytest.raises((asyncio.CancelledError, ProxyLLMError)):
        await reading


def test_closing_ends_the_streams_of_all_threads(upstream: HttpUpstream) -> None:
    """With a typed error; and the client takes no more questions."""
    upstream.play("Hel", times=3)
    client = client_of(upstream)
    streams = [client.sync_generate_stream("hi") for _ in range(3)]
    assert [next(stream).text for stream in streams] == ["Hel"] * 3
    with ThreadPoolExecutor(3) as threads:
        ends = [threads.submit(list, stream) for stream in streams]
        client.close()
        errors = [end.exception(30) for end in ends]
    assert all(isinstance(error, ProxyLLMError) for error in errors)
    assert all(exchange.wait_gone() for exchange in upstream.exchanges)
    with pytest.raises(ClientClosedError):
        client.sync_generate("hi")


def test_the_environment_is_enough(
    emulator: OpenAIEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The emulator's variables make the plain config string talk to it."""
    for name, value in emulator.environment().items():
        monkeypatch.setenv(name, value)
    assert "hi" in new_client("openai:any").sync_generate("hi").text


# ------------------------------------------------------------------------------- secrets


async def test_keys_may_rotate(upstream: HttpUpstream) -> None:
    """A callable is asked at every call."""
    keys = iter(["first-key", "second-key", "third-key", "fourth-key"])
    upstream.play(*ANSWER, times=2)
    client = client_of(upstream, api_key=lambda: next(keys))
    await client.generate("hi")
    await client.generate("hi")
    assert len({exchange.headers["authorization"] for exchange in upstream.exchanges}) == 2


@pytest.mark.parametrize(("key", "told"), [("", "none was sent"), (KEY, "refused the key")])
async def test_who_sent_no_key_is_told_so(upstream: HttpUpstream, key: str, told: str) -> None:
    """A server of one's own may want one, though most don't."""
    upstream.play(Status(401, '{"error": "Unauthorized"}', headers=JSON))
    with pytest.raises(AuthenticationError, match=told) as caught:
        await client_of(upstream, "vllm:any", api_key=key).generate("hi")
    assert ("api_key=env:NAME" in str(caught.value.hint)) == (not key)


class Telltale(HttpUpstream):
    """A server that repeats the key wherever it can."""

    def __init__(self, how: str) -> None:
        super().__init__(OpenAICodec())
        self._how = how

    async def answer(self, connection: HttpConnection, request: RawRequest) -> None:
        """Repeat what came."""
        told = f"{request.headers['authorization']} of {request.body.decode()}"
        body = json.dumps({"error": {"message": told, "code": told}})
        headers = {"x-request-id": request.headers["authorization"]}
        if self._how == "streamed":
            await connection.begin(headers=headers)
            await connection.say(said("a"), body.encode())
            await connection.end()
        elif self._how == "garbage":
            await connection.begin(headers=headers)
            await connection.say(said("a"), told.encode())
            await connection.end()
        else:
            status = {"refused": 401, "whole": 200, "page": 200}[self._how]
            kind = "text/html" if self._how == "page" else "application/json"
            answer = told if self._how == "page" else body
            await connection.respond(
                Status(status, answer, headers={**headers, "Content-Type": kind})
            )


@pytest.mark.parametrize("how", ["refused", "streamed", "whole", "page", "garbage"])
async def test_no_secret_shows_in_a_failure(how: str, caplog: pytest.LogCaptureFixture) -> None:
    """Though the server repeats the whole request: neither in texts nor in frames nor in logs."""
    caplog.set_level(logging.DEBUG, "modelplug")
    with Telltale(how) as upstream:
        client = client_of(upstream)
        with pytest.raises(ProxyLLMError) as caught:
            await client.generate("hi")
        assert KEY in upstream.exchanges.wait().headers["authorization"]
    shown = [
        str(caught.value),
        repr(vars(caught.value)),
        our_locals(caught.value),
        *(str(vars(record)) for record in caplog.records if record.name.startswith("modelplug")),
    ]
    assert not [text for text in shown if KEY in text]
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_client_does_not_show_its_secrets() -> None:
    """Nor what it was made from."""
    client = client_of(NOWHERE, api_key=Secret(KEY))
    shown = f"{client!r} {client.params!r} {vars(client)} {json.dumps(str(client.params))}"
    assert KEY not in shown


@pytest.mark.parametrize("config", ["openai:m?verbosity=low", "azure:mine"])
async def test_a_preview_is_what_is_sent(upstream: HttpUpstream, config: str) -> None:
    """The same body under the same warnings, at the same address, and no key beside it."""
    upstream.play(*ANSWER)
    params = {"backend": config, "api_base": f"{upstream.url}/v1/", "api_key": KEY}
    request = ModelRequest(
        messages=[{"role": "system", "content": "short"}, {"role": "user", "content": "你好"}],
        temperature=0.5,
        max_new_tokens=10,
        top_k=3,
        on_unsupported="warn",
    )
    told = explain(params, request)
    assert len(upstream.exchanges) == 0
    await new_client(params).generate(request)
    assert told.request is not None
    assert {"url", "headers", "body"} == set(told.request)
    assert question_of(upstream) == told.request["body"]
    assert f"{upstream.url}{request_of(upstream).target}" == told.request["url"]
    assert KEY not in f"{told} {told!r}"


@pytest.mark.parametrize(
    ("config", "key", "hidden"),
    [
        ("openai:m?organization=org-1&project=p&stream=false", KEY, "Bearer **********"),
        ("azure:mine", KEY, "**********"),
        ("vllm:m", KEY, "Bearer **********"),
        ("vllm:m", "", None),
    ],
)
async def test_a_preview_has_the_headers(
    upstream: HttpUpstream, config: str, key: str, hidden: str | None
) -> None:
    """Those that are sent beside HTTP's own, the key's without its value."""
    upstream.play(*ANSWER)
    more = {"api_key": key, "headers": {"X-Title": "mine"}}
    params = {"backend": config, "api_base": f"{upstream.url}/v1", **more}
    told = explain(params, "hi")
    await new_client(params).generate("hi")
    assert told.request is not None
    headers = told.request["headers"]
    assert isinstance(headers, Mapping)
    sent = {name.lower(): str(value) for name, value in headers.items()}
    names = {"authorization", "api-key"}
    assert ([hidden] if hidden else []) == [sent[name] for name in names & sent.keys()]
    received = upstream.exchanges.wait().headers
    assert names & sent.keys() == names & received.keys()
    assert {name: received[name] for name in sent.keys() - names} == {
        name: value for name, value in sent.items() if name not in names
    }
    assert sent.keys() >= {"x-title", "accept", "content-type"}
    assert KEY not in f"{told} {told!r}"


def test_a_preview_needs_no_account() -> None:
    """What is asked for can be looked at before there is one, and where the key will be."""
    told = explain("deepseek:deepseek-chat", "hi")
    assert told.request is not None
    assert told.request["url"] == "https://api.deepseek.com/chat/completions"
    assert "'authorization': 'Bearer **********'" in str(told.request["headers"])
    assert encoded(told.request["body"])
