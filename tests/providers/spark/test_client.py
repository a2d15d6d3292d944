"""The client, over real sockets: against the emulator, and against a service played by hand."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import re
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.asyncio.server import ServerConnection, serve

from modelplug import (
    AuthenticationError,
    BackendError,
    BadRequestError,
    Call,
    ConnectionLostError,
    ContentFilterError,
    ContextLengthError,
    DecodeError,
    Delta,
    Finish,
    ModelNotFoundError,
    ModelRequest,
    ModelRequestContext,
    OverloadedError,
    ProxyLLMClient,
    ProxyLLMError,
    QuotaError,
    RateLimitError,
    Secret,
    SequenceError,
    TruncatedStreamError,
    UnsafeEndpointError,
    UnsupportedOptionError,
    explain,
    new_client,
)
from modelplug.testing import (
    CloseCode,
    CutFrame,
    Fail,
    Garbage,
    Gate,
    Message,
    RawRequest,
    Status,
    Step,
)
from modelplug.testing.websocket import Connection, WebSocketUpstream
from modelplug_spark import SparkLLMClient
from modelplug_spark.codec import SparkCodec
from modelplug_spark.emulation.gateway import Account
from modelplug_spark.emulation.service import Settings, SparkService
from modelplug_spark.emulator import SparkEmulator
from modelplug_spark.models import MODELS
from modelplug_spark.signing import date_of
from tests.providers.spark.wire import COUNTS, SID, encoded, error, frame
from tests.support.leaks import our_locals
from tests.support.scripted import DIRECTIONS, Ask
from tests.support.spark import APP_ID, KEY, NOWHERE, SECRET, client_of


def emulated(emulator: SparkEmulator, config: str = "spark", **overrides: object) -> ProxyLLMClient:
    """A client for an emulator."""
    told = emulator.describe()
    account = {f"api_{name}": told[f"api_{name}"] for name in ("key", "secret")}
    return client_of(told["url"], config, **{"api_app_id": told["app_id"], **account, **overrides})


directions = pytest.mark.parametrize("ask", DIRECTIONS.values(), ids=DIRECTIONS.keys())

PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}

BYE = CloseCode(1000, "close this ws conn")
"""What the public hosts say after an answer, whole or failed."""

ANSWER = ("Hel", "lo", "!", Finish(), BYE)

WHOLE = (
    Message(frame("Hel", 0, status=0)),
    Message(frame("lo", 1)),
    Message(frame("!", 2, status=2, usage=COUNTS)),
)
"""An answer in frames that no code of the product made."""


def question_of(upstream: WebSocketUpstream) -> Any:
    """The question that an upstream was asked."""
    (exchange,) = upstream.exchanges
    return exchange.question


def path_of(upstream: WebSocketUpstream) -> str:
    """Where it was asked."""
    (exchange,) = upstream.exchanges
    return exchange.request.path


def authorization_of(target: str) -> str:
    """What a request's target is signed with."""
    return parse_qs(urlsplit(target).query)["authorization"][0]


async def is_gone(upstream: WebSocketUpstream) -> bool:
    """Whether the client's end is closed, on a loop that mustn't be blocked."""
    return await asyncio.to_thread(upstream.exchanges.wait().wait_gone)


@asynccontextmanager
async def foreign(play: Callable[[ServerConnection], Awaitable[None]]) -> AsyncIterator[str]:
    """Another library's server, for what it alone shows of a client; its address."""
    async with serve(play, "127.0.0.1", 0, close_timeout=1) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.row("4.1 header.sid", "4.1 usage.text", "4.6 after the last frame")
async def test_an_answer_streams(upstream: WebSocketUpstream) -> None:
    """Text in pieces; the end with its usage, under the service's name for the call."""
    upstream.play(*WHOLE, BYE)
    outputs = [output async for output in client_of(upstream).generate_stream("hi")]
    assert [output.delta for output in outputs] == ["Hel", "lo", "!", ""]
    final = outputs[-1]
    assert (final.text, final.finish_reason, final.request_id) == ("Hello!", "stop", SID)
    assert final.usage is not None
    assert (
        final.usage.prompt_tokens,
        final.usage.completion_tokens,
        final.usage.total_tokens,
    ) == (4, 6, 10)
    assert (final.backend, final.model) == ("spark", "generalv3.5")


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(model, id=model.name, marks=pytest.mark.row(f"1.1 {model.name}"))
        for model in MODELS
    ],
)
def test_every_model_answers(emulator: SparkEmulator, model: Any) -> None:
    """At its own path, under its own domain, whatever its other base."""
    client = emulated(emulator, f"spark:{model.name}")
    parts = [{"type": "text", "text": "How are you?"}, *([PICTURE] if model.images else [])]
    output = client.sync_generate([{"role": "user", "content": parts}])
    assert f"{model.product} ({model.domain})" in output.text


async def test_the_four_ways_of_asking_agree(emulator: SparkEmulator) -> None:
    """Async and sync, streamed and whole."""
    client = emulated(emulator, "spark:lite?temperature=0.2")
    outputs = [
        await client.generate("你好吗？"),
        [output async for output in client.generate_stream("你好吗？")][-1],
        await asyncio.to_thread(client.sync_generate, "你好吗？"),
        [*await asyncio.to_thread(lambda: list(client.sync_generate_stream("你好吗？")))][-1],
    ]
    assert "temperature 0.2" in outputs[0].text
    assert len({output.text for output in outputs}) == 1
    assert len({str(output.usage) for output in outputs}) == 1


async def test_the_first_delta_is_here_before_the_second_is_sent(
    upstream: WebSocketUpstream,
) -> None:
    """A gate on the server's side opens only once the first has arrived."""
    upstream.play("Hel", Gate("first"), "lo", "!", Finish(), BYE)
    async with client_of(upstream).generate_stream("hi") as stream:
        assert (await anext(stream)).text == "Hel"
        upstream.release("first")
        assert [output.text async for output in stream][-1] == "Hello!"


@pytest.mark.row("4.6 pings")
async def test_a_frame_without_text_is_no_progress() -> None:
    """Nothing is yielded for it, so that the clocks run on."""

    async def play(connection: ServerConnection) -> None:
        await connection.recv()
        for message in (frame("", 0, status=0), frame(None, 1), frame("a", 2, status=2)):
            await connection.send(message, text=True)
            await (await connection.ping())  # the client has it

    async with foreign(play) as url:
        client = client_of(url)
        request = ModelRequest(messages="hi", model="max")
        call = Call(credentials=client.params.credential)
        batches = [batch async for batch in client.stream_deltas(request, call)]
    assert batches == [[Delta("a"), Finish()]]


@pytest.mark.row("3.1 app_id", "3.5 smallest")
async def test_what_goes_out_is_the_documented_request(upstream: WebSocketUpstream) -> None:
    """No null, no default that nobody set, and the domain in spite of another base."""
    upstream.play(*ANSWER)
    await client_of(upstream, "spark:ultra").generate("hi")
    expected = {
        "header": {"app_id": APP_ID},
        "parameter": {"chat": {"domain": "4.0Ultra"}},
        "payload": {"message": {"text": [{"role": "user", "content": "hi"}]}},
    }
    assert expected == question_of(upstream)
    assert len(upstream.exchanges.wait().messages) == 1


async def test_the_request_is_signed_as_the_gateway_wants_it(upstream: WebSocketUpstream) -> None:
    """Verified by the service's own code; the query holds nothing else."""
    upstream.play(*ANSWER)
    await client_of(upstream).generate("hi")
    sent = upstream.exchanges.wait().request
    account = Account(app_id=APP_ID, api_key=KEY, api_secret=SECRET)
    gateway = SparkService(Settings(account=account, strict_host=True))
    host = upstream.url.removeprefix("ws://")
    assert gateway.authorize(sent.path, sent.query, host, time.time()) is None
    assert {"authorization", "date", "host"} == set(parse_qs(sent.query))


@pytest.mark.row("3 text frame", "4.6 text frames")
async def test_a_question_goes_out_as_text_and_uncompressed() -> None:
    """In one text frame; no compression is offered."""
    seen: list[object] = []

    async def play(connection: ServerConnection) -> None:
        assert connection.request is not None
        seen.append(type(await connection.recv()))
        seen.append(connection.request.headers.get("Sec-WebSocket-Extensions"))
        await connection.send(frame("a", 0, status=2), text=True)

    async with foreign(play) as url:
        await client_of(url).generate("hi")
    assert seen == [str, None]


@pytest.mark.row("4.6 several questions")
async def test_every_question_has_a_connection_of_its_own(upstream: WebSocketUpstream) -> None:
    """Signed anew; the service closes it after the answer."""
    upstream.play(*ANSWER, times=2)
    client = client_of(upstream)
    texts = [(await client.generate("hi")).text for _ in range(2)]
    assert texts == ["Hello!", "Hello!"]
    assert [len(exchange.messages) for exchange in upstream.exchanges] == [1, 1]


async def test_a_full_url_is_taken_as_it_is(upstream: WebSocketUpstream) -> None:
    """The path of the configuration, not the model's."""
    upstream.play(*ANSWER)
    await client_of(f"{upstream.url}/own/path").generate("hi")
    assert path_of(upstream) == "/own/path"


async def test_every_parameter_finds_its_place(upstream: WebSocketUpstream) -> None:
    """0 included, where it is in range; the user under 32 characters."""
    request = ModelRequest(
        messages="hi",
        temperature=0.2,
        top_k=3,
        max_new_tokens=100,
        context=ModelRequestContext(user_name="ada"),
    )
    upstream.play(*ANSWER)
    await client_of(upstream).generate(request)
    sent = question_of(upstream)
    chat = {"domain": "generalv3.5", "temperature": 0.2, "top_k": 3, "max_tokens": 100}
    assert (chat, "ada") == (sent["parameter"]["chat"], sent["header"]["uid"])


CONVERSATION = ModelRequest(
    messages=[
        {"role": "system", "content": "Be brief."},
        {"role": "human", "content": "hi"},
        {"role": "ai", "content": "Hello"},
        {"role": "view", "content": "<b>for people</b>"},
        {"role": "human", "content": "more"},
    ]
)


@pytest.mark.row("3.3 roles")
@pytest.mark.parametrize(
    ("model", "sent"),
    [
        (
            "generalv3.5",
            [
                ("system", "Be brief."),
                ("user", "hi"),
                ("assistant", "Hello"),
                ("user", "more"),
            ],
        ),
        ("lite", [("user", "hi"), ("assistant", "Hello"), ("user", "Be brief.\nmore")]),
    ],
    ids=["native", "folded"],
)
async def test_a_system_message_reaches_every_model(
    upstream: WebSocketUpstream, model: str, sent: list[tuple[str, str]]
) -> None:
    """As such where the model takes it, else in front of the question."""
    upstream.play(*ANSWER)
    await client_of(upstream).generate(CONVERSATION.copy(model=model))
    text = question_of(upstream)["payload"]["message"]["text"]
    assert sent == [(turn["role"], turn["content"]) for turn in text]


@pytest.mark.parametrize("strict", [True, False])
async def test_the_order_of_frames_is_an_option(upstream: WebSocketUpstream, strict: bool) -> None:
    """Of the config string, and of a request, which wins."""
    upstream.play(Message(frame("a", 0)), Message(frame("c", 2, status=2)), BYE)
    request = ModelRequest(
        messages="hi",
        options={"spark": {"sequence": "strict" if strict else "lenient"}},
    )
    client = client_of(upstream, "spark?sequence=lenient" if strict else "spark")
    if strict:
        with pytest.raises(SequenceError):
            await client.generate(request)
    else:
        output = await client.generate(request)
        assert (output.text, len(output.warnings)) == ("ac", 1)


@pytest.mark.row("3.2 domain")
async def test_the_domain_is_an_option(upstream: WebSocketUpstream) -> None:
    """For who knows better than the table."""
    upstream.play(*ANSWER)
    await client_of(upstream, "spark?domain=patch").generate("hi")
    assert question_of(upstream)["parameter"]["chat"]["domain"] == "patch"


@pytest.mark.row("1.1 hosted", "3.1 patch_id", "4.6 hosted open")
async def test_a_hosted_model_is_asked_where_it_is(upstream: WebSocketUpstream) -> None:
    """MaaS: at a full URL, under a service id, over a connection that the server leaves open."""
    upstream.play("Hel", "lo", "!", Finish())
    config = "spark:xdeepseekv3?domain=service-id&patch_id=0,lora&chat_id=c-1&temperature=0"
    client = client_of(f"{upstream.url}/v1.1/chat", config)
    output = await client.generate("hi")
    sent = question_of(upstream)
    assert (output.text, output.model) == ("Hello!", "xdeepseekv3")
    assert sent["header"] == {"app_id": APP_ID, "patch_id": ["0", "lora"]}
    chat = {"domain": "service-id", "temperature": 0, "chat_id": "c-1"}
    assert (chat, "/v1.1/chat") == (sent["parameter"]["chat"], path_of(upstream))
    assert client.model_names == ("xdeepseekv3",)
    assert client.capabilities()["tools"] == "unsupported"


@pytest.mark.row("4.3 no choices")
async def test_sources_are_on_the_output(upstream: WebSocketUpstream) -> None:
    """Of a frame without choices too; a list that can't be read is a warning."""
    page = {"index": 1, "url": "https://x.example/", "title": "x"}
    frames = [
        encoded(
            {
                "header": {"code": 0, "sid": SID, "status": 0},
                "payload": {"plugins": {"text": [{"content": content}]}},
            }
        )
        for content in (json.dumps([page]), "{oops")
    ]
    upstream.play(*map(Message, frames), *WHOLE, BYE)
    output = await client_of(upstream).generate("hi")
    assert (output.sources, output.text) == ((page,), "Hello!")
    assert output.warnings == ("the service's list of sources can't be read",)


# ------------------------------------------------------------------------------- failures


@pytest.mark.row("4.6 after an error")
@pytest.mark.parametrize(
    ("steps", "kind", "text"),
    [
        ([Fail("quota")], QuotaError, ""),
        (["a", Fail("content_filter_output")], ContentFilterError, "a"),
        (
            [Message(frame("a", 0)), Message(frame("b", 1, code=10110, status=2))],
            OverloadedError,
            "a",
        ),
        (["a"], TruncatedStreamError, "a"),
        ([], TruncatedStreamError, ""),
        (["a", Garbage()], DecodeError, "a"),
    ],
    ids=["first", "after a piece", "with content", "closed", "closed at once", "garbage"],
)
@pytest.mark.parametrize("sync", [False, True], ids=["async", "sync"])
async def test_a_failure_is_raised_with_the_answer_so_far(
    upstream: WebSocketUpstream,
    steps: list[Step],
    kind: type[ProxyLLMError],
    text: str,
    sync: bool,
) -> None:
    """Typed, with everything that came before it."""
    upstream.play(*steps, BYE)
    client = client_of(upstream)
    with pytest.raises(ProxyLLMError) as caught:
        await (asyncio.to_thread(client.sync_generate, "hi") if sync else client.generate("hi"))
    assert kind is type(caught.value)
    assert caught.value.partial is not None
    assert (text, "spark", "generalv3.5") == (
        caught.value.partial.text,
        caught.value.backend,
        caught.value.model,
    )
    assert caught.value.sent in ("maybe", "yes")


@pytest.mark.row("4.6 hosted open")
async def test_a_failure_does_not_wait_for_the_close(upstream: WebSocketUpstream) -> None:
    """MaaS hosts leave the connection open after an error."""
    upstream.play(Fail("rate_limit"))
    with pytest.raises(RateLimitError):
        await client_of(upstream).generate("hi")
    assert await is_gone(upstream)


@pytest.mark.row("4.6 hosted open", "4.6 hosted idle")
async def test_an_answer_does_not_wait_for_the_close(upstream: WebSocketUpstream) -> None:
    """The client closes first, with 1000."""
    upstream.play(*WHOLE)
    assert (await client_of(upstream).generate("hi")).text == "Hello!"
    assert await is_gone(upstream)
    exchange = upstream.exchanges.wait()
    assert (exchange.closed_by, exchange.how) == ("client", "ws:1000")


@pytest.mark.row("4.6 cut", "4.6 hosted any time")
async def test_a_connection_that_is_cut_is_told_apart(upstream: WebSocketUpstream) -> None:
    """No close frame is no end of an answer, and the answer so far is kept."""
    upstream.play("a", CutFrame(0))
    with pytest.raises((ConnectionLostError, TruncatedStreamError)) as caught:
        await client_of(upstream).generate("hi")
    assert caught.value.retryable


@pytest.mark.row("4.6 cut")
async def test_a_cut_after_the_last_frame_is_a_whole_answer(upstream: WebSocketUpstream) -> None:
    """2025's servers cut without a close frame."""
    upstream.play(*WHOLE, CutFrame(0))
    assert (await client_of(upstream).generate("hi")).text == "Hello!"


@pytest.mark.row("5.1 10019")
async def test_a_notice_becomes_a_warning(upstream: WebSocketUpstream) -> None:
    """10019 keeps the answer."""
    upstream.play(Message(frame("a", 0)), Message(error(10019, "注意")), BYE)
    output = await client_of(upstream).generate("hi")
    assert (output.text, "注意" in output.warnings[0]) == ("a", True)


@pytest.mark.row("3.2 domain")
@pytest.mark.parametrize(
    ("config", "code"),
    [
        pytest.param("spark:lite?domain=general", 11200, marks=pytest.mark.row("1.1 general")),
        pytest.param(
            "spark:ultra?domain=spark-ultra", 10004, marks=pytest.mark.row("1.1 capital U")
        ),
        ("spark:max?domain=lite", 10003),
    ],
    ids=["old", "spelling", "pair"],
)
def test_a_domain_that_does_not_belong_there_is_refused(
    emulator: SparkEmulator, config: str, code: int
) -> None:
    """By the service, each in its way."""
    with pytest.raises(BackendError) as caught:
        emulated(emulator, config).sync_generate("hi")
    assert code == caught.value.provider_code


@pytest.mark.row("4.4 pattern", "4.4 time")
def test_a_call_has_the_sessions_name(emulator: SparkEmulator) -> None:
    """Which tells when the session began, in milliseconds."""
    before = time.time_ns() // 1_000_000
    sid = emulated(emulator).sync_generate("hi").request_id or ""
    assert re.fullmatch(r"cht[0-9a-z]{8}@dx[0-9a-f]{11}[0-9a-z]{7}", sid)
    began = int(sid.partition("@dx")[2][:11], 16)
    assert before <= began <= time.time_ns() // 1_000_000 + 1  # the service rounds


@pytest.mark.row("1.1 context")
def test_a_question_that_is_too_long_is_refused(emulator: SparkEmulator) -> None:
    """By the tokens of all messages together: each alone would fit."""
    half = "长" * 9_000
    turns = [{"role": "user", "content": half}, {"role": "ai", "content": half}]
    client = emulated(emulator)
    with pytest.raises(ContextLengthError) as caught:
        client.sync_generate([*turns, {"role": "user", "content": "hi"}])
    assert caught.value.provider_code == 10907
    assert client.sync_generate(half).text


@pytest.mark.row("3.3 order")
def test_a_conversation_ends_with_the_users_question(emulator: SparkEmulator) -> None:
    """Which the service insists on; that the roles take turns before it, it doesn't."""
    client, question = emulated(emulator), {"role": "user", "content": "hi"}
    assert client.sync_generate([question, question]).text
    with pytest.raises(BadRequestError) as caught:
        client.sync_generate([question, {"role": "assistant", "content": "Hello"}])
    assert caught.value.provider_code == 10163


def test_a_wrong_secret_is_refused(emulator: SparkEmulator) -> None:
    """By the gateway, in its words; nothing was sent."""
    with pytest.raises(AuthenticationError, match="HMAC signature does not match") as caught:
        emulated(emulator, api_secret="other-than-that").sync_generate("hi")
    assert (caught.value.provider_code, caught.value.retryable) == (401, False)
    assert caught.value.hint is not None
    assert "secret" in caught.value.hint


async def test_a_wrong_clock_is_told_by_how_much(upstream: WebSocketUpstream) -> None:
    """From the gateway's Date header."""
    body = '{"message":"HMAC signature cannot be verified, a valid date or x-date header"}'
    upstream.play(Status(403, body, headers={"Date": date_of(time.time() + 3600)}))
    with pytest.raises(AuthenticationError) as caught:
        await client_of(upstream).generate("hi")
    assert caught.value.hint is not None
    assert "behind the service's" in caught.value.hint


async def test_a_wait_that_is_asked_for_is_told(upstream: WebSocketUpstream) -> None:
    """Retry-After reaches the caller."""
    upstream.play(Status(429, headers={"Retry-After": "7"}))
    with pytest.raises(RateLimitError) as caught:
        await client_of(upstream).generate("hi")
    assert caught.value.retry_after == 7.0


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"temperature": 0}, UnsupportedOptionError),
        ({"max_new_tokens": 8193}, UnsupportedOptionError),
        ({"stop": "x"}, UnsupportedOptionError),
        ({"model": "gpt"}, ModelNotFoundError),
        ({"options": {"spark": {"speed": 1}}}, UnsupportedOptionError),
        ({"messages": "half a pair: \ud800"}, BadRequestError),
        pytest.param({"messages": []}, BadRequestError, marks=pytest.mark.row("3.3 message.text")),
    ],
    ids=["temperature", "tokens", "stop", "model", "option", "surrogate", "nothing"],
)
async def test_what_cannot_be_is_refused_before_the_wire(
    upstream: WebSocketUpstream, fields: dict[str, Any], kind: type[ProxyLLMError]
) -> None:
    """No connection is made for it."""
    upstream.play(*ANSWER)
    with pytest.raises(kind) as caught:
        await client_of(upstream).generate(ModelRequest(**{"messages": "hi", **fields}))
    assert len(upstream.exchanges) == 0
    assert caught.value.sent in (None, "no")


async def test_a_parameter_may_be_left_out_with_a_warning(upstream: WebSocketUpstream) -> None:
    """Where the request says so."""
    request = ModelRequest(messages="hi", temperature=0, stop="x", on_unsupported="warn")
    upstream.play(*ANSWER)
    output = await client_of(upstream).generate(request)
    assert question_of(upstream)["parameter"]["chat"] == {"domain": "generalv3.5"}
    assert len(output.warnings) == 2


@pytest.mark.row("1.1 tls")
@pytest.mark.parametrize("url", ["ws://spark.example", "https://spark.example", "spark.example"])
async def test_credentials_go_nowhere_unsafe(url: str) -> None:
    """Not in the clear, not to what is no WebSocket."""
    with pytest.raises(UnsafeEndpointError):
        await client_of(url).generate("hi")


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1"])
@directions
def test_the_service_itself_is_on_the_internet(
    monkeypatch: pytest.MonkeyPatch, ask: Ask, address: str
) -> None:
    """Its built-in name that leads to a private address gets no connection and no credential."""
    look_ups = resolving(monkeypatch, address)
    account = {"api_app_id": APP_ID, "api_key": KEY, "api_secret": SECRET}
    with pytest.raises(UnsafeEndpointError, match="public") as caught:
        ask(new_client({"backend": "spark", **account}), "hi")
    assert (caught.value.sent, look_ups) == ("no", ["spark-api.xf-yun.com"])
    told = f"{caught.value} {caught.value.hint}"
    assert not any(secret in told for secret in (APP_ID, KEY, SECRET, "authorization"))


@directions
def test_where_the_operator_sends_it_may_be_private(
    upstream: WebSocketUpstream, monkeypatch: pytest.MonkeyPatch, ask: Ask
) -> None:
    """A name that the configuration itself has may lead anywhere, to a gateway at home as well."""
    upstream.play(*ANSWER)
    port = int(upstream.url.rpartition(":")[2].rstrip("/"))
    look_ups = resolving(monkeypatch, "127.0.0.1")
    assert ask(client_of(f"ws://gateway.example:{port}", allow_insecure=True), "hi")[-1].final
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


# ---------------------------------------------------------------------------- letting go


@pytest.mark.parametrize("how", ["cancel", "aclose", "client"])
async def test_letting_go_reaches_the_servers_socket(upstream: WebSocketUpstream, how: str) -> None:
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


# ------------------------------------------------------------------------------- clients


@pytest.mark.parametrize(
    ("config", "overrides", "model"),
    [
        ("spark", {}, "generalv3.5"),
        ("spark:v3", {}, "generalv3"),
        ("spark:4.0Ultra?temperature=0.2", {}, "4.0Ultra"),
        ("spark", {"api_version": "lite"}, "lite"),
        ("spark:max", {"api_version": "lite"}, "generalv3.5"),
    ],
    ids=["default", "alias", "model", "version", "both"],
)
async def test_the_default_model_is_the_configurations(
    config: str, overrides: dict[str, object], model: str
) -> None:
    """The config string's, else the version's, else Max; all others can be asked for."""
    client = client_of(NOWHERE, config, **overrides)
    assert model == client.default_model
    names = [known.model for known in await client.models()]
    assert (model, sorted(each.name for each in MODELS)) == (names[0], sorted(names))


def test_the_old_way_of_dbgpt_still_works() -> None:
    """model_name chooses the backend, proxyllm_backend the version."""
    with pytest.warns(DeprecationWarning, match="spark:v3"):
        client = new_client(
            {"model_name": "spark_proxyllm", "proxyllm_backend": "v3"},
            proxy_api_app_id="a",
            proxy_api_key="b",
            proxy_api_secret="c",
        )
    assert isinstance(client, SparkLLMClient)
    assert client.default_model == "generalv3"


def test_an_unknown_model_is_refused_when_the_client_is_made() -> None:
    """With the nearest known one."""
    with pytest.raises(ModelNotFoundError) as caught:
        client_of(NOWHERE, "spark:generalv4.5")
    assert caught.value.hint is not None
    assert "generalv3.5" in caught.value.hint


def test_the_table_tells_what_a_model_can_do() -> None:
    """By the model, and for the default one where none is named."""
    client = client_of(NOWHERE, "spark:lite")
    states = [client.capabilities(model)["system_role"] for model in (None, "lite", "max")]
    assert states == ["emulated", "emulated", "native"]


def test_a_context_size_of_ones_own_goes_before_the_tables() -> None:
    """For all models of the client."""
    client = client_of(NOWHERE, max_context_size=1000)
    assert client.metadata("ultra").context_length == 1000
    assert client_of(NOWHERE).metadata("ultra").context_length == 32768


def test_one_client_serves_many_loops(emulator: SparkEmulator) -> None:
    """Nothing of a call stays on it."""
    client = emulated(emulator)
    texts = {asyncio.run(client.generate("hi")).text for _ in range(3)}
    assert len(texts) == 1


def test_the_environment_is_enough(
    emulator: SparkEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The emulator's variables make the plain config string talk to it."""
    for name, value in emulator.environment().items():
        monkeypatch.setenv(name, value)
    assert "hi" in new_client("spark").sync_generate("hi").text


# ------------------------------------------------------------------------------- secrets


async def test_keys_may_rotate(upstream: WebSocketUpstream) -> None:
    """A callable is asked at every call."""
    keys = iter(["first-key", "second-key", "third-key", "fourth-key"])
    upstream.play(*ANSWER, times=2)
    client = client_of(upstream, api_key=lambda: next(keys))
    await client.generate("hi")
    await client.generate("hi")
    used = [authorization_of(exchange.target) for exchange in upstream.exchanges]
    plain = [base64.b64decode(each).decode() for each in used]
    assert len({text.split('"')[1] for text in plain}) == 2


@pytest.mark.parametrize("how", ["refused", "failed", "cut"])
async def test_no_secret_shows_in_a_failure(how: str, caplog: pytest.LogCaptureFixture) -> None:
    """Though the server repeats the whole request: neither key nor secret nor what they made."""
    caplog.set_level(logging.DEBUG, "modelplug")
    caplog.set_level(logging.DEBUG, "websockets.client")

    class Telltale(WebSocketUpstream):
        async def answer(self, connection: Connection, request: RawRequest) -> None:
            """Repeat what came."""
            told = request.target
            if how == "failed":
                message = error(10003, f"{told} {authorization_of(told)}")
                await connection.write(*connection.message_frames(message))
            await connection.close(1000, told[:100])

    with Telltale(SparkCodec()) as upstream:
        if how == "refused":
            upstream.play(Status(401))
        with pytest.raises(ProxyLLMError) as caught:
            await client_of(upstream).generate("hi")
    authorization = authorization_of(upstream.exchanges.wait().target)
    signature = base64.b64decode(authorization).decode().rpartition('signature="')[2][:-1]
    shown = [
        str(caught.value),
        repr(vars(caught.value)),
        our_locals(caught.value),
        *(
            str(vars(record))
            for record in caplog.records
            if record.name.startswith(("modelplug", "websockets.client"))
        ),
    ]
    for secret in (KEY, SECRET, authorization, signature):
        assert not [text for text in shown if secret in text]
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_client_does_not_show_its_secrets() -> None:
    """Nor what it was made from."""
    client = client_of(NOWHERE, api_key=Secret(KEY))
    shown = f"{client!r} {client.params!r} {vars(client)} {json.dumps(str(client.params))}"
    assert KEY not in shown
    assert SECRET not in shown


async def test_a_preview_is_what_is_sent(upstream: WebSocketUpstream) -> None:
    """The same message to the byte, under the same warnings, and no key beside the address."""
    upstream.play(*ANSWER)
    account = {"api_app_id": APP_ID, "api_key": KEY, "api_secret": SECRET, "api_base": upstream.url}
    params = {"backend": "spark:4.0Ultra?search=deep&chat_id=c", **account}
    request = ModelRequest(
        messages=[{"role": "system", "content": "short"}, {"role": "user", "content": "你好"}],
        temperature=0.5,
        max_new_tokens=10,
        stop="x",
        on_unsupported="warn",
    )
    told = explain(params, request)
    assert len(upstream.exchanges) == 0
    await new_client(params).generate(request)
    assert told.request is not None
    assert question_of(upstream) == told.request["message"]
    assert set(told.request) == {"url", "message"}
    assert "?" not in str(told.request["url"])


def test_a_preview_needs_no_account() -> None:
    """What is asked for can be looked at before there is one."""
    told = explain("spark:lite?domain=mine", "hi")
    assert told.request is not None
    assert told.request["message"] == {
        "header": {"app_id": ""},
        "parameter": {"chat": {"domain": "mine"}},
        "payload": {"message": {"text": [{"role": "user", "content": "hi"}]}},
    }
