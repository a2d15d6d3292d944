"""Every public call once, with the type that a checker sees. Checked by mypy, never run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from types import TracebackType
from typing import Literal, Self, assert_type

from pydantic import BaseModel

from modelplug import (
    CONTRACT,
    AttemptFailed,
    AuthenticationError,
    Backend,
    BackendError,
    BackendNotFoundError,
    BadRequestError,
    Call,
    CallAbandoned,
    CallConverter,
    CallFailed,
    CallFinished,
    CallStarted,
    Capabilities,
    CircuitOpenError,
    ClientClosedError,
    ConcurrencyLimitError,
    ConfigError,
    ConfigSyntaxError,
    ConnectError,
    ConnectionLostError,
    ConnectTimeoutError,
    ContentFilterError,
    ContextLengthError,
    Credential,
    DeadlineError,
    DecodeError,
    DefaultMessageConverter,
    Delta,
    DeltaStream,
    Emulator,
    Event,
    ExplainedValue,
    Explanation,
    FailedAttempt,
    Finish,
    FinishReason,
    FirstDelta,
    FirstDeltaTimeoutError,
    HandshakeError,
    IdleTimeoutError,
    InvalidCredentialError,
    LifecycleError,
    LocalLimitError,
    MessageConverter,
    MissingCredentialError,
    MissingDependencyError,
    ModelInferenceMetrics,
    ModelMessage,
    ModelMetadata,
    ModelNotFoundError,
    ModelOutput,
    ModelRequest,
    ModelRequestContext,
    ModelStream,
    Observer,
    OverloadedError,
    PermissionDeniedError,
    Pieces,
    PluginConflictError,
    PluginContractError,
    PluginError,
    PluginIncompatibleError,
    PluginLoadError,
    ProtocolError,
    ProxyLLMClient,
    ProxyLLMError,
    ProxyModelParameters,
    ProxyTokenizer,
    QueueFullError,
    QueueTimeoutError,
    QuotaError,
    RateGateError,
    RateLimitError,
    ResolveError,
    SchemaError,
    Secret,
    SequenceError,
    ServerError,
    SyncModelStream,
    TiktokenProxyTokenizer,
    Timeouts,
    TlsError,
    TokenCount,
    TokenCounter,
    TooLargeError,
    ToolCall,
    ToolCallDelta,
    TotalTimeoutError,
    TransportError,
    TrimmingConverter,
    TruncatedStreamError,
    UnsafeEndpointError,
    UnsupportedOptionError,
    Usage,
    WrongUseError,
    explain,
    hookimpl,
    new_client,
    profile_schema,
    worker_stream,
)
from modelplug.policies import (
    FALLBACK_ERRORS,
    Attempt,
    Backoff,
    Breaker,
    Circuit,
    CircuitLimits,
    ConcurrencyLimit,
    Ending,
    Fallback,
    Opening,
    Policy,
    Pool,
    Retry,
    RetryBudget,
    Slots,
)

# ---------------------------------------------------------------------------- values


def timeouts() -> None:
    """Clocks."""
    limits = Timeouts(connect=1, open=2.0, first_delta=None, idle=None, total=None, queue=None)
    assert_type(limits.total, float | None)
    assert_type(limits.over(3), Timeouts)
    assert_type(limits.over(Timeouts()), Timeouts)
    assert_type(limits.over(None), Timeouts)


def capabilities() -> None:
    """What a model is and can."""
    able = Capabilities(native=["seed"], emulated={"system_role"}, unsupported=("tools",))
    assert_type(able["seed"], Literal["native", "emulated", "unsupported", "not_implemented"])
    assert_type(able.supports("seed"), bool)
    metadata = ModelMetadata(
        model="m", context_length=8192, capabilities=able, ext_metadata={"family": "m"}
    )
    assert_type(metadata.capabilities, Capabilities)
    assert_type(metadata.ext_metadata, Mapping[str, object])


def messages() -> None:
    """Messages, of text or of parts."""
    message = ModelMessage("human", "hi", round_index=1)
    assert_type(message.role, str)
    assert_type(message.text, str)
    assert_type(message.pass_to_model, bool)
    assert_type(message.to_common(), dict[str, object])
    ModelMessage("user", [{"type": "text", "text": "hi"}])


def request() -> None:
    """What is asked."""
    context = ModelRequestContext(
        stream=True,
        cache_enable=False,
        user_name="u",
        sys_code="s",
        conv_uid="c",
        span_id="p",
        chat_mode="m",
        chat_param="x",
        extra={"a": 1},
        request_id="r",
    )
    asked = ModelRequest(
        model="m",
        messages=[ModelMessage("human", "hi")],
        temperature=0,
        max_new_tokens=5,
        stop=["a"],
        stop_token_ids=[1],
        context_len=100,
        echo=False,
        span_id="p",
        top_p=0.5,
        top_k=3,
        seed=1,
        presence_penalty=0.1,
        frequency_penalty=0.1,
        tools=[{"type": "function"}],
        tool_choice="auto",
        response_format={"type": "json_object"},
        reasoning="high",
        timeout=Timeouts(total=5),
        on_unsupported="warn",
        options={"acme": {"safe": True}},
        context=context,
    )
    assert_type(asked.copy(temperature=1), ModelRequest)
    assert_type(asked.stream, bool)
    assert_type(asked.messages, tuple[ModelMessage, ...])
    ModelRequest(messages="hi")
    ModelRequest(messages=[{"role": "user", "content": "hi"}])
    assert_type(asked.to_common_messages(support_system_role=False), list[dict[str, object]])
    assert_type(asked.to_dict(), dict[str, object])
    assert_type(ModelRequest.build_request("m", "hi", context, stream=True, seed=1), ModelRequest)
    ModelRequest.build_request("m", [{"role": "user", "content": "hi"}], {"user_name": "u"})


def output(error: ProxyLLMError) -> None:
    """What comes back."""
    made = ModelOutput(
        "hi",
        0,
        incremental=False,
        model_context={"a": 1},
        finish_reason="stop",
        usage=Usage(prompt_tokens=1, completion_tokens=1),
        metrics=ModelInferenceMetrics(total_time=0.5),
        tool_calls=[ToolCall(index=0, id="x", name="f", arguments="{}")],
        sources=[{"url": "u"}],
    )
    assert_type(made.text, str)
    assert_type(made.delta, str)
    assert_type(made.reasoning, str)
    assert_type(made.reasoning_delta, str)
    assert_type(made.tool_calls, tuple[ToolCall, ...])
    assert_type(made.sources, tuple[Mapping[str, object], ...])
    assert_type(made.final, bool)
    assert_type(made.finish_reason, FinishReason | None)
    assert_type(made.raw_finish_reason, str | None)
    assert_type(made.usage, Usage | None)
    assert_type(made.metrics, ModelInferenceMetrics | None)
    assert_type(made.error_code, int)
    assert_type(made.success, bool)
    assert_type(made.incremental, bool)
    assert_type(made.model_context, Mapping[str, object] | None)
    assert_type(made.model, str | None)
    assert_type(made.backend, str | None)
    assert_type(made.request_id, str | None)
    assert_type(made.warnings, tuple[str, ...])
    assert_type(made.attempts, tuple[object, ...])
    assert_type(made.served_by, str | None)
    assert_type(made.to_dict(), dict[str, object])
    assert_type(ModelOutput.from_error(error), ModelOutput)


def deltas() -> None:
    """What a provider yields."""
    call = ToolCallDelta(0, id="x", name="f", arguments="{")
    delta = Delta("hi", reasoning="hm", tool_call=call, sources=[{"url": "u"}], extra={"a": 1})
    usage = Usage(
        prompt_tokens=1,
        completion_tokens=1,
        total_tokens=2,
        reasoning_tokens=0,
        cached_tokens=0,
        raw={"prompt": 1},
        source="estimated",
    )
    finish = Finish("length", raw="max_tokens", usage=usage, extra={"a": 1})
    assert_type(delta.text, str)
    assert_type(finish.reason, FinishReason)
    assert_type(finish.usage, Usage | None)
    one: Pieces = delta
    several: Pieces = [delta, finish]
    assert one != several


def secrets() -> None:
    """Secrets and credentials."""
    secret = Secret("key")
    assert_type(Secret(lambda: "key").reveal(), str)
    credential = Credential(app_id="app", api_key=secret, api_secret=Secret())
    assert_type(credential.api_key, Secret)


# ---------------------------------------------------------------------------- errors


def errors(answer: ModelOutput) -> None:
    """One tree, whose members may tell more."""
    error = ServerError(
        "it failed",
        backend="acme",
        model="m",
        phase="sent",
        retryable=True,
        retry_after=1.5,
        sent="maybe",
        provider_code=500,
        provider_message="sorry",
        request_id="r",
        partial=answer,
        hint="wait",
        attempts=(),
    )
    assert_type(error.code, int)
    assert_type(error.partial, ModelOutput | None)
    assert_type(error.retry_after, float | None)
    assert_type(error.provider_code, str | int | None)
    assert_type(error.complete(backend="acme"), None)
    assert_type(error.rewrite(str.upper), None)
    assert_type(ConfigSyntaxError("no", column=1).column, int | None)
    assert_type(HandshakeError("no", status=401).status, int | None)
    assert_type(DeadlineError("no", limit=5).limit, float | None)
    assert_type(ContentFilterError("no", stage="input").stage, Literal["input", "output"] | None)
    late: list[TimeoutError] = [TotalTimeoutError("no")]
    assert late


EVERY_ERROR: list[type[ProxyLLMError]] = [
    *(ConfigError, ConfigSyntaxError, MissingCredentialError, InvalidCredentialError),
    *(UnsafeEndpointError, UnsupportedOptionError, MissingDependencyError),
    *(PluginError, BackendNotFoundError, PluginLoadError, PluginConflictError),
    *(PluginIncompatibleError, PluginContractError),
    *(TransportError, ResolveError, ConnectError, TlsError, HandshakeError, ConnectionLostError),
    *(DeadlineError, ConnectTimeoutError, FirstDeltaTimeoutError, IdleTimeoutError),
    *(TotalTimeoutError, QueueTimeoutError),
    *(ProtocolError, DecodeError, SchemaError, SequenceError, TooLargeError, TruncatedStreamError),
    *(BackendError, AuthenticationError, PermissionDeniedError, RateLimitError),
    *(ConcurrencyLimitError, QuotaError, OverloadedError, BadRequestError, ContextLengthError),
    *(ContentFilterError, ModelNotFoundError, ServerError),
    *(LocalLimitError, QueueFullError, CircuitOpenError, RateGateError),
    *(LifecycleError, ClientClosedError, WrongUseError),
]

# --------------------------------------------------------------------------- callers


def making(executor: Executor, observer: Observer) -> None:
    """A client from a config string, a mapping or params."""
    assert_type(new_client("acme:large?temperature=0.2"), ProxyLLMClient)
    new_client({"backend": "acme", "temperature": 0.2}, executor)
    params = ProxyModelParameters(
        model_name="mine",
        proxyllm_backend="acme",
        proxy_api_key=Secret("key"),
        proxy_api_secret=Secret(lambda: "secret"),
        proxy_api_app_id="app",
        proxy_api_base="wss://acme.test",
        options={"safe": True},
        timeouts=Timeouts(idle=5),
        allow_insecure=False,
    )
    new_client(params, default_executor=executor, observers=[observer], api_key="key")
    assert_type(params.model, str | None)
    assert_type(params.credential(), Credential)
    ProxyModelParameters(proxy_api_key="key", proxy_api_secret=lambda: "secret")


def explaining(params: ProxyModelParameters, backend: Backend) -> None:
    """Where values come from, and what may stand in a file."""
    told = explain("acme:large", "hi", api_key="key")
    assert_type(told, Explanation)
    assert_type(told.values["api_key"], ExplainedValue)
    assert_type(told.values["api_key"].origin, str)
    assert_type(told.values["api_key"].where, str | None)
    assert_type(told.values["api_key"].overridden, tuple[str, ...])
    assert_type(told.values["api_key"].variable, str | None)
    assert_type(told.model, str | None)
    assert_type(told.request, Mapping[str, object] | None)
    assert_type(told.refused, tuple[str, ...])
    assert_type(told.to_dict(), dict[str, object])
    explain(params, ModelRequest(messages="hi"))
    explain({"backend": "acme"}, [ModelMessage("human", "hi")], profile="prod")
    assert_type(profile_schema(), dict[str, object])
    profile_schema([backend])


async def asking(client: ProxyLLMClient, converter: MessageConverter) -> None:
    """The async calls."""
    assert_type(await client.generate("hi"), ModelOutput)
    await client.generate([{"role": "user", "content": "hi"}], message_converter=converter)
    stream = client.generate_stream(ModelRequest(messages=[ModelMessage("human", "hi")]), converter)
    assert_type(stream, ModelStream)
    async with stream as entered:
        assert_type(entered, ModelStream)
        async for each in entered:
            assert_type(each, ModelOutput)
    assert_type(stream.partial, ModelOutput)
    assert_type(await stream.take(), list[ModelOutput])
    assert_type(await stream.final(), ModelOutput)
    assert_type(await stream.aclose(), None)
    assert_type(await client.models(), list[ModelMetadata])
    assert_type(await client.count_token("m", "hi"), int)
    assert_type(await client.count_tokens([ModelMessage("human", "hi")], model="m"), TokenCount)
    async with client as opened:
        assert_type(opened, ProxyLLMClient)
    assert_type(await client.aclose(), None)


def asking_from_threads(client: ProxyLLMClient, converter: MessageConverter) -> None:
    """The sync calls, and those that are neither."""
    assert_type(client.sync_generate("hi", converter), ModelOutput)
    stream = client.sync_generate_stream("hi", message_converter=converter)
    assert_type(stream, SyncModelStream)
    with stream as entered:
        for each in entered:
            assert_type(each, ModelOutput)
    assert_type(stream.partial, ModelOutput)
    assert_type(stream.close(), None)
    asked = ModelRequest(model="m")
    assert_type(client.default_model, str)
    assert_type(client.capabilities("m"), Capabilities)
    assert_type(client.metadata("m"), ModelMetadata)
    assert_type(client.local_convert_message(asked, converter), ModelRequest)
    assert_type(client.local_covert_message(asked), ModelRequest)
    with client as opened:
        assert_type(opened, ProxyLLMClient)
    assert_type(client.close(), None)


def observing(event: Event) -> None:
    """What an observer is told."""
    assert_type(event.backend, str | None)
    if isinstance(event, FirstDelta | CallFinished | CallFailed | CallAbandoned):
        assert_type(event.seconds, float)
    if isinstance(event, CallFinished):
        assert_type(event.usage, Usage | None)
    if isinstance(event, CallFailed):
        assert_type(event.error, ProxyLLMError)
    observer: Observer = observing
    observer(CallStarted(backend="acme", model="m", request_id="r"))
    if isinstance(event, AttemptFailed):
        assert_type(event.seconds, float)
        assert_type(event.error, ProxyLLMError)


class Shouting:
    """A converter of a caller's own."""

    def convert(
        self, messages: Sequence[ModelMessage], metadata: ModelMetadata | None = None
    ) -> Sequence[ModelMessage]:
        """The default's messages."""
        return DefaultMessageConverter(prompt_sep=" ").convert(messages, metadata)


class Words:
    """A tokenizer of a caller's own."""

    def count_token(self, model_name: str, prompts: Sequence[str]) -> Sequence[int]:
        """Words."""
        return [len(prompt.split()) for prompt in prompts]


class SureWords(Words):
    """One that says how good it is."""

    def count_tokens(self, model_name: str, prompts: Sequence[str]) -> TokenCount:
        """Words."""
        n = sum(self.count_token(model_name, prompts))
        return TokenCount(n=n, exact=True, method="words")


class Telling(Shouting):
    """A converter that wants to know the request."""

    def for_request(
        self,
        request: ModelRequest,
        *,
        tokenizer: ProxyTokenizer | None,
        warn: Callable[[str], None],
    ) -> MessageConverter:
        """The default's."""
        warn(f"for {request.model}")
        return DefaultMessageConverter()


def interfaces() -> None:
    """What a caller writes fits."""
    converters: list[MessageConverter] = [Shouting(), Telling(), TrimmingConverter()]
    tellers: list[CallConverter] = [
        Telling(),
        TrimmingConverter(limit=1000, tokenizer=Words(), before=Shouting()),
    ]
    tokenizers: list[ProxyTokenizer] = [Words(), SureWords(), TiktokenProxyTokenizer()]
    counters: list[TokenCounter] = [SureWords(), TiktokenProxyTokenizer()]
    assert_type(counters[0].count_tokens("m", ["hi"]), TokenCount)
    assert_type(tokenizers[0].count_token("m", ["hi"]), Sequence[int])
    count = TokenCount(n=1, exact=False, method="words")
    assert_type(count.n, int)
    assert converters
    assert tellers


# ------------------------------------------------------------------------- providers


class Options(BaseModel):
    """A backend's own options."""

    safe: bool = True


class AsyncClient(ProxyLLMClient):
    """A provider that is async."""

    @classmethod
    def new_client(
        cls, model_params: ProxyModelParameters, default_executor: Executor | None = None
    ) -> Self:
        """One."""
        return cls(["m"], 8192, default_executor, Words(), params=model_params)

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Pieces]:
        """Pieces."""
        assert_type(self.options_for(request, Options), Options)
        assert_type(self.executor, Executor)
        assert_type(call.credential(), Credential)
        assert_type(call.timeouts, Timeouts)
        assert_type(call.deadline, float | None)
        assert_type(call.request_id, str | None)
        assert_type(call.attempt, int)
        assert_type(call.aborted, bool)
        assert_type(call.remaining(), float | None)
        assert_type(call.reached("sent", sent="maybe"), None)
        assert_type(call.note(request_id="r", model="m", warning="odd"), None)
        assert_type(call.on_abort(lambda: None), None)
        assert_type(call.conceal(Secret("signature")), None)
        assert_type(call.scrub("said"), str)
        yield Delta("hi")
        yield [Delta("hi"), Finish()]

    def preview(self, request: ModelRequest, call: Call) -> Mapping[str, object]:
        """What would be sent."""
        return {"url": "https://example.org", "message": {"app": call.credential().app_id}}


class BlockingClient(ProxyLLMClient):
    """A provider that blocks, and yields nothing but single pieces."""

    @classmethod
    def new_client(
        cls, model_params: ProxyModelParameters, default_executor: Executor | None = None
    ) -> Self:
        """One."""
        return cls(model_names=["m"], executor=default_executor, params=model_params)

    def stream_deltas_blocking(self, request: ModelRequest, call: Call) -> Iterator[Delta | Finish]:
        """Pieces."""
        yield Delta("hi")
        yield Finish("stop")


class ForwardingClient(AsyncClient):
    """A provider whose stream is somebody else's."""

    def stream_deltas(self, request: ModelRequest, call: Call) -> DeltaStream:
        """Another's pieces."""
        return super().stream_deltas(request, call)


class Standing:
    """An emulator."""

    def describe(self) -> Mapping[str, str]:
        """Where it is."""
        return {"url": "ws://127.0.0.1:1"}

    def environment(self) -> Mapping[str, str]:
        """What makes a client use it."""
        return {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class BrieflyStanding(Standing):
    """An emulator that doesn't care why it is left."""

    async def __aexit__(self, *exc_info: object) -> None: ...


async def emulating() -> None:
    """An emulator fits, and serves while it is entered."""
    emulators: list[Emulator] = [Standing(), BrieflyStanding()]
    async with emulators[0] as entered:
        assert_type(entered, Emulator)


@hookimpl
def modelplug_backend(name: str) -> Backend | None:
    """A backend."""
    return Backend(
        name=name,
        summary="answers",
        contract=1,
        client="acme.client:AsyncClient",
        harness="acme.harness:Harness",
        emulator="acme.emulator:Standing",
        options=Options,
        models=[ModelMetadata(model="m")],
        capabilities=Capabilities(native=["seed"]),
        environment={"proxy_api_key": "ACME_API_KEY"},
        required=["proxy_api_key"],
        home_page="https://acme.test",
    )


assert_type(CONTRACT, int)
assert_type(worker_stream(new_client("acme"), {"messages": "hi"}), Iterator[ModelOutput])
assert_type(modelplug_backend("acme"), Backend | None)


# ---------------------------------------------------------------------------- policies


class Patient(Policy):
    """A policy of an app's own."""

    async def open(self, request: ModelRequest, opening: Opening) -> Attempt:
        """Try again once, after a second."""
        try:
            attempt = await self.clients[0].open(request, opening)
        except ProxyLLMError as error:
            assert_type(opening.remaining(), float | None)
            assert_type(opening.is_last_resort, bool)
            assert_type(opening.attempts, tuple[FailedAttempt, ...])
            opening.failed(error)
            await opening.pause(1)
            attempt = await self.clients[0].open(request, opening)
        attempt.on_end(noting)
        return attempt


def noting(ending: Ending) -> None:
    """What is told of an end."""
    assert_type(ending, ProxyLLMError | Finish | None)


def policies(client: ProxyLLMClient, output: ModelOutput) -> ProxyLLMClient:
    """All of them, and what they are made with."""
    budget, backoff = RetryBudget(100), Backoff(base=0.25, throttled=1, cap=8)
    assert_type(budget.left, int)
    assert_type(backoff.seconds(ServerError("x"), 0, 0.5), float | None)
    retry = Retry(client, retries=2, budget=budget, backoff=backoff, retry_if_sent=False)
    slots = Slots(4, queue=8)
    limited = ConcurrencyLimit(client, slots)
    assert_type(ConcurrencyLimit(client, 4).slots, Slots)
    circuit = Circuit(CircuitLimits(failures=5, share=0.5), jitter=lambda: 0.5)
    breaker = Breaker(retry, circuit=circuit, refuse_alone=True)
    assert_type(circuit.state, Literal["closed", "open", "half-open"])
    pool: Pool = Pool(limited, Patient(client))
    for attempt in output.attempts:
        if isinstance(attempt, FailedAttempt):
            assert_type(attempt.error, ProxyLLMError)
            assert_type(attempt.backend, str | None)
    return Fallback(breaker, pool, on=[*FALLBACK_ERRORS, AuthenticationError])
