"""The client, over real sockets: against the emulator, and against a service played by hand."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.asyncio.server import ServerConnection

from modelplug import (
    AuthenticationError,
    BadRequestError,
    Call,
    ConnectionLostError,
    ContentFilterError,
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
    new_client,
)
from modelplug_spark import SparkLLMClient
from modelplug_spark.emulator import SparkEmulator
from modelplug_spark.gateway import Account
from modelplug_spark.models import MODELS
from modelplug_spark.service import Settings, SparkService
from modelplug_spark.signing import date_of
from tests.providers.spark.upstream import says, upstream
from tests.providers.spark.wire import COUNTS, SID, encoded, error, frame
from tests.support.leaks import our_locals

ACCOUNT = Account(app_id="12345678", api_key="key-of-the-tests", api_secret="secret-of-the-tests")


def client_of(url: str, config: str = "spark", **overrides: object) -> ProxyLLMClient:
    """A client for a service at ``url``."""
    account = {
        "api_base": url,
        "api_app_id": ACCOUNT.app_id,
        "api_key": ACCOUNT.api_key,
        "api_secret": ACCOUNT.api_secret,
    }
    return new_client({"backend": config, **account, **overrides})


def emulated(emulator: SparkEmulator, config: str = "spark", **overrides: object) -> ProxyLLMClient:
    """A client for an emulator."""
    told = emulator.describe()
    account = {f"api_{name}": told[f"api_{name}"] for name in ("key", "secret")}
    return client_of(told["url"], config, **{"api_app_id": told["app_id"], **account, **overrides})


PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}

WHOLE = (frame("Hel", 0, status=0), frame("lo", 1), frame("!", 2, status=2, usage=COUNTS))


async def test_an_answer_streams() -> None:
    """Text in pieces; the end with its usage, under the service's name for the call."""
    async with upstream(says(*WHOLE)) as service:
        outputs = [output async for output in client_of(service.url).generate_stream("hi")]
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


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
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


async def test_the_first_delta_is_here_before_the_second_is_sent() -> None:
    """A gate on the server's side opens only once the first has arrived."""
    gate = asyncio.Event()

    async def play(connection: ServerConnection) -> None:
        await connection.send(WHOLE[0], text=True)
        await gate.wait()
        await says(*WHOLE[1:])(connection)

    async with upstream(play) as service, client_of(service.url).generate_stream("hi") as stream:
        assert (await anext(stream)).text == "Hel"
        gate.set()
        assert [output.text async for output in stream][-1] == "Hello!"


async def test_a_frame_without_text_is_no_progress() -> None:
    """Nothing is yielded for it, so that the clocks run on."""

    async def play(connection: ServerConnection) -> None:
        for message in (frame("", 0, status=0), frame(None, 1), frame("a", 2, status=2)):
            await connection.send(message, text=True)
            await (await connection.ping())  # the client has it

    async with upstream(play) as service:
        client = client_of(service.url)
        request = ModelRequest(messages="hi", model="max")
        call = Call(credentials=client.params.credential)
        batches = [batch async for batch in client.stream_deltas(request, call)]
    assert batches == [[Delta("a"), Finish()]]


async def test_what_goes_out_is_the_documented_request() -> None:
    """No null, no default that nobody set, and the domain in spite of another base."""
    async with upstream(says(*WHOLE)) as service:
        await client_of(service.url, "spark:ultra").generate("hi")
    expected = {
        "header": {"app_id": ACCOUNT.app_id},
        "parameter": {"chat": {"domain": "4.0Ultra"}},
        "payload": {"message": {"text": [{"role": "user", "content": "hi"}]}},
    }
    assert [expected] == service.questions


async def test_the_request_is_signed_as_the_gateway_wants_it() -> None:
    """Verified by the service's own code; the query holds nothing else."""
    async with upstream(says(*WHOLE)) as service:
        await client_of(service.url).generate("hi")
    url = urlsplit(service.targets[0])
    gateway = SparkService(Settings(account=ACCOUNT, strict_host=True))
    host = service.url.removeprefix("ws://")
    assert gateway.authorize(url.path, url.query, host, time.time()) is None
    assert {"authorization", "date", "host"} == set(parse_qs(url.query))


async def test_a_full_url_is_taken_as_it_is() -> None:
    """The path of the configuration, not the model's."""
    async with upstream(says(*WHOLE)) as service:
        await client_of(f"{service.url}/own/path").generate("hi")
    assert urlsplit(service.targets[0]).path == "/own/path"


async def test_every_parameter_finds_its_place() -> None:
    """0 included, where it is in range; the user under 32 characters."""
    request = ModelRequest(
        messages="hi",
        temperature=0.2,
        top_k=3,
        max_new_tokens=100,
        context=ModelRequestContext(user_name="ada"),
    )
    async with upstream(says(*WHOLE)) as service:
        await client_of(service.url).generate(request)
    sent = service.questions[0]
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
    model: str, sent: list[tuple[str, str]]
) -> None:
    """As such where the model takes it, else in front of the question."""
    async with upstream(says(*WHOLE)) as service:
        await client_of(service.url).generate(CONVERSATION.copy(model=model))
    text = service.questions[0]["payload"]["message"]["text"]
    assert sent == [(turn["role"], turn["content"]) for turn in text]


@pytest.mark.parametrize("strict", [True, False])
async def test_the_order_of_frames_is_an_option(strict: bool) -> None:
    """Of the config string, and of a request, which wins."""
    gap = (frame("a", 0), frame("c", 2, status=2))
    request = ModelRequest(
        messages="hi",
        options={"spark": {"sequence": "strict" if strict else "lenient"}},
    )
    async with upstream(says(*gap)) as service:
        config = "spark?sequence=lenient" if strict else "spark"
        client = client_of(service.url, config)
        if strict:
            with pytest.raises(SequenceError):
                await client.generate(request)
        else:
            output = await client.generate(request)
            assert (output.text, len(output.warnings)) == ("ac", 1)


async def test_the_domain_is_an_option() -> None:
    """For who knows better than the table."""
    async with upstream(says(*WHOLE)) as service:
        await client_of(service.url, "spark?domain=patch").generate("hi")
    assert service.questions[0]["parameter"]["chat"]["domain"] == "patch"


async def test_a_hosted_model_is_asked_where_it_is() -> None:
    """MaaS: at a full URL, under a service id, over a connection that the server leaves open."""

    async def play(connection: ServerConnection) -> None:
        for message in WHOLE:
            await connection.send(message, text=True)
        await connection.wait_closed()

    config = "spark:xdeepseekv3?domain=service-id&patch_id=0,lora&chat_id=c-1&temperature=0"
    async with upstream(play) as service:
        client = client_of(f"{service.url}/v1.1/chat", config)
        output = await client.generate("hi")
    sent = service.questions[0]
    assert (output.text, output.model) == ("Hello!", "xdeepseekv3")
    assert sent["header"] == {"app_id": ACCOUNT.app_id, "patch_id": ["0", "lora"]}
    chat = {"domain": "service-id", "temperature": 0, "chat_id": "c-1"}
    assert (chat, "/v1.1/chat") == (sent["parameter"]["chat"], urlsplit(service.targets[0]).path)
    assert client.model_names == ("xdeepseekv3",)
    assert client.capabilities()["tools"] == "unsupported"


async def test_sources_are_on_the_output() -> None:
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
    async with upstream(says(*frames, *WHOLE)) as service:
        output = await client_of(service.url).generate("hi")
    assert (output.sources, output.text) == ((page,), "Hello!")
    assert output.warnings == ("the service's list of sources can't be read",)


# ------------------------------------------------------------------------------- failures


@pytest.mark.parametrize(
    ("frames", "kind", "text"),
    [
        ((error(11200, "tokens.total"),), QuotaError, ""),
        ((frame("a", 0), error(10014, "notice")), ContentFilterError, "a"),
        ((frame("a", 0), frame("b", 1, code=10110, status=2)), OverloadedError, "a"),
        ((frame("a", 0),), TruncatedStreamError, "a"),
        ((), TruncatedStreamError, ""),
        ((frame("a", 0), b"{oops"), DecodeError, "a"),
    ],
    ids=["first", "after a piece", "with content", "closed", "closed at once", "garbage"],
)
@pytest.mark.parametrize("sync", [False, True], ids=["async", "sync"])
async def test_a_failure_is_raised_with_the_answer_so_far(
    frames: tuple[bytes, ...], kind: type[ProxyLLMError], text: str, sync: bool
) -> None:
    """Typed, with everything that came before it."""
    async with upstream(says(*frames)) as service:
        client = client_of(service.url)
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


async def test_a_failure_does_not_wait_for_the_close() -> None:
    """MaaS hosts leave the connection open after an error."""
    gone = asyncio.Event()

    async def play(connection: ServerConnection) -> None:
        await connection.send(error(11202, "slow down"), text=True)
        await connection.wait_closed()
        gone.set()

    async with upstream(play) as service:
        with pytest.raises(RateLimitError):
            await client_of(service.url).generate("hi")
        await gone.wait()


async def test_an_answer_does_not_wait_for_the_close() -> None:
    """The client closes first, with 1000."""
    codes: list[int | None] = []

    async def play(connection: ServerConnection) -> None:
        for message in WHOLE:
            await connection.send(message, text=True)
        await connection.wait_closed()
        codes.append(connection.close_code)

    async with upstream(play) as service:
        assert (await client_of(service.url).generate("hi")).text == "Hello!"
    assert codes == [1000]


async def test_a_connection_that_is_cut_is_told_apart() -> None:
    """No close frame is no end of an answer, and the answer so far is kept."""
    async with upstream(says(frame("a", 0), close=None)) as service:
        with pytest.raises((ConnectionLostError, TruncatedStreamError)) as caught:
            await client_of(service.url).generate("hi")
    assert caught.value.retryable


async def test_a_cut_after_the_last_frame_is_a_whole_answer() -> None:
    """2025's servers cut without a close frame."""
    async with upstream(says(*WHOLE, close=None)) as service:
        assert (await client_of(service.url).generate("hi")).text == "Hello!"


async def test_a_notice_becomes_a_warning() -> None:
    """10019 keeps the answer."""
    async with upstream(says(frame("a", 0), error(10019, "注意"))) as service:
        output = await client_of(service.url).generate("hi")
    assert (output.text, "注意" in output.warnings[0]) == ("a", True)


def test_a_wrong_secret_is_refused(emulator: SparkEmulator) -> None:
    """By the gateway, in its words; nothing was sent."""
    with pytest.raises(AuthenticationError, match="HMAC signature does not match") as caught:
        emulated(emulator, api_secret="other-than-that").sync_generate("hi")
    assert (caught.value.provider_code, caught.value.retryable) == (401, False)
    assert caught.value.hint is not None
    assert "secret" in caught.value.hint


async def test_a_wrong_clock_is_told_by_how_much() -> None:
    """From the gateway's Date header."""
    body = '{"message":"HMAC signature cannot be verified, a valid date or x-date header"}'
    headers = {"Date": date_of(time.time() + 3600)}
    async with upstream(says(), refuse=(403, body, headers)) as service:
        with pytest.raises(AuthenticationError) as caught:
            await client_of(service.url).generate("hi")
    assert caught.value.hint is not None
    assert "behind the service's" in caught.value.hint


async def test_a_wait_that_is_asked_for_is_told() -> None:
    """Retry-After reaches the caller."""
    async with upstream(says(), refuse=(429, "", {"Retry-After": "7"})) as service:
        with pytest.raises(RateLimitError) as caught:
            await client_of(service.url).generate("hi")
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
    ],
    ids=["temperature", "tokens", "stop", "model", "option", "surrogate"],
)
async def test_what_cannot_be_is_refused_before_the_wire(
    fields: dict[str, Any], kind: type[ProxyLLMError]
) -> None:
    """No connection is made for it."""
    async with upstream(says(*WHOLE)) as service:
        with pytest.raises(kind) as caught:
            await client_of(service.url).generate(ModelRequest(**{"messages": "hi", **fields}))
    assert service.targets == []
    assert caught.value.sent in (None, "no")


async def test_a_parameter_may_be_left_out_with_a_warning() -> None:
    """Where the request says so."""
    request = ModelRequest(messages="hi", temperature=0, stop="x", on_unsupported="warn")
    async with upstream(says(*WHOLE)) as service:
        output = await client_of(service.url).generate(request)
    assert service.questions[0]["parameter"]["chat"] == {"domain": "generalv3.5"}
    assert len(output.warnings) == 2


@pytest.mark.parametrize("url", ["ws://spark.example", "https://spark.example", "spark.example"])
async def test_credentials_go_nowhere_unsafe(url: str) -> None:
    """Not in the clear, not to what is no WebSocket."""
    with pytest.raises(UnsafeEndpointError):
        await client_of(url).generate("hi")


# ---------------------------------------------------------------------------- letting go


@pytest.mark.parametrize("how", ["cancel", "aclose", "client"])
async def test_letting_go_reaches_the_servers_socket(how: str) -> None:
    """Whoever ends a stream in its middle ends the connection."""
    gone = asyncio.Event()

    async def play(connection: ServerConnection) -> None:
        await connection.send(WHOLE[0], text=True)
        await connection.wait_closed()
        gone.set()

    async with upstream(play) as service:
        client = client_of(service.url)
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
        await gone.wait()
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
    client = client_of("ws://127.0.0.1:1", config, **overrides)
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
        client_of("ws://127.0.0.1:1", "spark:generalv4.5")
    assert caught.value.hint is not None
    assert "generalv3.5" in caught.value.hint


def test_the_table_tells_what_a_model_can_do() -> None:
    """By the model, and for the default one where none is named."""
    client = client_of("ws://127.0.0.1:1", "spark:lite")
    states = [client.capabilities(model)["system_role"] for model in (None, "lite", "max")]
    assert states == ["emulated", "emulated", "native"]


def test_a_context_size_of_ones_own_goes_before_the_tables() -> None:
    """For all models of the client."""
    client = client_of("ws://127.0.0.1:1", max_context_size=1000)
    assert client.metadata("ultra").context_length == 1000
    assert client_of("ws://127.0.0.1:1").metadata("ultra").context_length == 32768


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


async def test_keys_may_rotate() -> None:
    """A callable is asked at every call."""
    keys = iter(["first-key", "second-key", "third-key", "fourth-key"])
    async with upstream(says(*WHOLE)) as service:
        client = client_of(service.url, api_key=lambda: next(keys))
        await client.generate("hi")
        await client.generate("hi")
    used = [parse_qs(urlsplit(target).query)["authorization"][0] for target in service.targets]
    plain = [base64.b64decode(each).decode() for each in used]
    assert len({text.split('"')[1] for text in plain}) == 2


@pytest.mark.parametrize("how", ["refused", "failed", "cut"])
async def test_no_secret_shows_in_a_failure(how: str, caplog: pytest.LogCaptureFixture) -> None:
    """Though the server repeats the whole request: neither key nor secret nor what they made."""
    caplog.set_level(logging.DEBUG, "modelplug")
    caplog.set_level(logging.DEBUG, "websockets.client")

    async def play(connection: ServerConnection) -> None:
        told = connection.request.path if connection.request else ""
        if how == "failed":
            await connection.send(error(10003, f"{told} {unescaped(told)}"), text=True)
        await connection.close(1000, told[:100])

    refuse: tuple[int, str, dict[str, str]] | None = (401, "", {}) if how == "refused" else None
    async with upstream(play, refuse=refuse) as service:
        with pytest.raises(ProxyLLMError) as caught:
            await client_of(service.url).generate("hi")
    authorization = unescaped(service.targets[0])
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
    for secret in (ACCOUNT.api_key, ACCOUNT.api_secret, authorization, signature):
        assert not [text for text in shown if secret in text]
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def unescaped(target: str) -> str:
    """The authorization in a request's target."""
    return parse_qs(urlsplit(target).query)["authorization"][0]


def test_a_client_does_not_show_its_secrets() -> None:
    """Nor what it was made from."""
    client = client_of("ws://127.0.0.1:1", api_key=Secret(ACCOUNT.api_key))
    shown = f"{client!r} {client.params!r} {vars(client)} {json.dumps(str(client.params))}"
    assert ACCOUNT.api_key not in shown
    assert ACCOUNT.api_secret not in shown
