"""The contract's client: what it derives for a provider and promises to a caller."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Self

import pytest

from modelplug import (
    BadRequestError,
    Call,
    Capabilities,
    ClientClosedError,
    ConnectTimeoutError,
    Delta,
    Finish,
    ModelMessage,
    ModelMetadata,
    ModelNotFoundError,
    ModelRequest,
    PluginContractError,
    ProxyLLMClient,
    ProxyModelParameters,
    Timeouts,
    TokenCount,
    UnsupportedOptionError,
)
from tests.support.scripted import DIRECTIONS, Ask, AsyncScripted, BlockingScripted

directions = pytest.mark.parametrize("ask", DIRECTIONS.values(), ids=DIRECTIONS.keys())


class Neither(ProxyLLMClient):
    """A class that forgot its stream method."""

    @classmethod
    def new_client(
        cls, model_params: ProxyModelParameters, default_executor: Executor | None = None
    ) -> Self:
        """As every provider."""
        return cls(["m"])


def test_a_client_without_a_stream_method_is_refused() -> None:
    """What can't answer can't be made; an abstract base may still be defined."""
    with pytest.raises(PluginContractError, match="neither"):
        Neither.new_client(ProxyModelParameters())


class Frugal(ProxyLLMClient):
    """Keeps nothing of its own."""

    @classmethod
    def new_client(
        cls, model_params: ProxyModelParameters, default_executor: Executor | None = None
    ) -> Self:
        """As every provider."""
        return cls(["m"], params=model_params)

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Delta]:
        """A word."""
        yield Delta("a")
        yield Finish()  # type: ignore[misc]  # no delta


def private_names() -> set[str]:
    """Those of the base class, on itself and on what is made of it."""
    names = {*vars(ProxyLLMClient), *vars(Frugal.new_client(ProxyModelParameters()))}
    dunder = {name for name in names if name.startswith("__")}
    return {name for name in names if name.startswith("_")} - dunder - {"_abc_impl"}


def test_the_base_class_s_own_names_are_out_of_a_plugin_s_way() -> None:
    """All of them are mangled: nobody meets one by chance."""
    assert not {name for name in private_names() if not name.startswith("_ProxyLLMClient__")}


@directions
def test_a_plugin_may_name_its_own_things_as_it_likes(ask: Ask) -> None:
    """Even as the base class names its own, with one underscore less."""
    names = {name.removeprefix("_ProxyLLMClient_") for name in private_names()}
    assert {"_lock", "_stream", "_closed"} <= names
    kind: type[Frugal] = type("Greedy", (Frugal,), dict.fromkeys(names))
    client = kind.new_client(ProxyModelParameters())
    vars(client).update(dict.fromkeys(names, 0))
    with client:
        assert ask(client, "hi")[-1].text == "a"


def test_a_client_without_a_model_is_refused() -> None:
    """A provider names at least one model, the default."""

    class Modelless(AsyncScripted):
        def __init__(self) -> None:
            ProxyLLMClient.__init__(self, [])

    with pytest.raises(PluginContractError, match="no model"):
        Modelless()


def test_conversion_has_both_spellings() -> None:
    """DB-GPT's spelling of local_convert_message works too."""
    client = AsyncScripted(Finish())
    request = ModelRequest(messages=[ModelMessage("view", "x"), ModelMessage("human", "hi")])
    assert client.local_covert_message(request) == client.local_convert_message(request)


def test_models_and_default_model() -> None:
    """The first name is the default; models carry context and capabilities."""
    client = AsyncScripted(Finish())
    models = asyncio.run(client.models())
    assert client.default_model == "scripted"
    assert [(m.model, m.context_length) for m in models] == [("scripted", 4096), ("other", 4096)]
    assert models[0].capabilities == client.able


class Listing(AsyncScripted):
    """A provider whose service has a list of its models; this one may name none itself."""

    def __init__(self, names: Sequence[str] = (), timeouts: Timeouts | None = None) -> None:
        ProxyLLMClient.__init__(self, names, params=ProxyModelParameters(timeouts=timeouts))
        self.backend = "acme"
        self.able = Capabilities()
        self.gate = asyncio.Event()
        self.calls: list[Call] = []
        self.others: list[ModelMetadata] = []

    async def list_models(self, call: Call) -> list[ModelMetadata]:
        """Those that there are, once they may be told."""
        self.calls.append(call)
        call.reached("connecting")
        await self.gate.wait()
        return [ModelMetadata(model="theirs", context_length=7), *self.others]


def test_a_service_is_asked_for_its_models_only_when_that_is_wanted() -> None:
    """The plugin's own list needs nobody; the service's comes from it, and the call is let go."""

    async def main() -> None:
        client = Listing(["ours"])
        client.gate.set()
        assert [each.model for each in await client.models()] == ["ours"]
        assert client.calls == []
        assert [each.model for each in await client.models(live=True)] == ["theirs"]
        assert [call.aborted for call in client.calls] == [True]

    asyncio.run(main())


def test_the_default_is_first_in_a_services_list() -> None:
    """Wherever the service has it; the others stay in its order."""

    async def main() -> None:
        client = Listing(["ours", "theirs"])
        client.gate.set()
        client.others = [ModelMetadata(model=name) for name in ("b", "ours", "a")]
        found = await client.models(live=True)
        assert [each.model for each in found] == ["ours", "theirs", "b", "a"]

    asyncio.run(main())


@pytest.mark.parametrize(("limit", "context"), [(100, 100), (None, 7)])
def test_the_context_of_the_params_goes_before_the_services(
    limit: int | None, context: int
) -> None:
    """As before the plugin's own."""

    async def main() -> None:
        client = Listing()
        client.params = client.params.model_copy(update={"max_context_size": limit})
        client.gate.set()
        assert [each.context_length for each in await client.models(live=True)] == [context]

    asyncio.run(main())


def test_a_service_without_a_list_is_not_asked() -> None:
    """Who wants a list that there isn't is told so."""
    with pytest.raises(UnsupportedOptionError, match="no list"):
        asyncio.run(AsyncScripted(Finish()).models(live=True))


def test_asking_for_models_is_under_the_clocks() -> None:
    """A service that never tells its models is a time-out, which says whose."""

    async def main() -> ConnectTimeoutError:
        client = Listing(timeouts=Timeouts(connect=0.01))
        with pytest.raises(ConnectTimeoutError) as caught:
            await client.models(live=True)
        assert [call.aborted for call in client.calls] == [True]
        return caught.value

    error = asyncio.run(main())
    assert (error.backend, error.phase) == ("acme", "connecting")


def test_a_closed_client_asks_for_no_models() -> None:
    """Closing ends this, too."""

    async def main() -> None:
        client = Listing()
        client.close()
        with pytest.raises(ClientClosedError):
            await client.models(live=True)

    asyncio.run(main())


def test_a_fault_of_the_list_is_the_plugins() -> None:
    """Whatever a plugin raises there is named as its fault, and an error of ours passes."""

    class Faulty(Listing):
        def __init__(self, error: Exception) -> None:
            super().__init__()
            self.error = error

        async def list_models(self, call: Call) -> list[ModelMetadata]:
            raise self.error

    with pytest.raises(PluginContractError, match="KeyError"):
        asyncio.run(Faulty(KeyError("x")).models(live=True))
    with pytest.raises(BadRequestError, match="so it is"):
        asyncio.run(Faulty(BadRequestError("so it is")).models(live=True))


def test_a_client_may_have_no_default_model() -> None:
    """Where the service tells what there is, a request that names no model is refused with how."""
    client = Listing()
    with pytest.raises(ModelNotFoundError, match="no default model") as caught:
        client.sync_generate("hi")
    assert caught.value.hint
    assert "acme:MODEL;" in caught.value.hint
    assert "None" in repr(client)


def test_how_to_name_a_model_keeps_the_address() -> None:
    """Else the list that is asked for would be another service's."""
    client = Listing()
    client.params = client.params.model_copy(update={"proxy_api_base": "https://example.com/v1"})
    with pytest.raises(ModelNotFoundError, match="no default model") as caught:
        _ = client.default_model
    assert ":MODEL?api_base=...;" in str(caught.value.hint)
    assert "?api_base=... --live" in str(caught.value.hint)


def test_two_clients_share_nothing() -> None:
    """Each client has its own models, streams and executor."""
    one, other = AsyncScripted(Finish()), AsyncScripted(Finish())
    other.model_names = ("changed",)
    assert one.default_model == "scripted"
    assert one.executor is not other.executor


def test_closing_ends_open_streams_and_later_calls() -> None:
    """Readers of open streams, and whoever calls later, get a ClientClosedError at once."""

    async def main() -> list[object]:
        client = AsyncScripted(Delta("a"), lambda: asyncio.sleep(60))
        stream = client.generate_stream("hi")
        await anext(stream)
        reader = asyncio.create_task(anext(stream))
        await asyncio.sleep(0)
        await client.aclose()
        await client.aclose()
        failures = await asyncio.gather(reader, client.generate("hi"), return_exceptions=True)
        return [*map(type, failures), client.aborted.is_set()]

    assert asyncio.run(main()) == [ClientClosedError, ClientClosedError, True]


def test_closing_from_another_thread_ends_a_sync_reader() -> None:
    """A thread in the middle of an answer gets a ClientClosedError when the client is closed."""
    waiting = threading.Event()
    client = AsyncScripted(Delta("a"), waiting.set, lambda: asyncio.sleep(60))
    failures: list[type] = []

    def read() -> None:
        try:
            list(client.sync_generate_stream("hi"))
        except ClientClosedError as error:
            failures.append(type(error))

    reader = threading.Thread(target=read)
    reader.start()
    assert waiting.wait(5)
    client.close()
    reader.join(5)
    assert (failures, True) == ([ClientClosedError], client.aborted.is_set())


def test_context_managers_close() -> None:
    """Both context managers close the client, also when their body raises."""

    async def main() -> None:
        async with AsyncScripted(Finish()) as client:
            await client.generate("hi")
        with pytest.raises(ClientClosedError):
            await client.generate("hi")

    asyncio.run(main())
    with pytest.raises(ZeroDivisionError), AsyncScripted(Finish()) as client:
        raise ZeroDivisionError
    with pytest.raises(ClientClosedError):
        client.sync_generate("hi")


def test_a_borrowed_executor_is_never_shut_down() -> None:
    """An executor that was passed in works after the client is closed; our own doesn't."""
    with ThreadPoolExecutor(1) as pool:
        borrowing = BlockingScripted(Delta("a"), Finish(), executor=pool)
        assert borrowing.sync_generate("hi").text == "a"
        borrowing.close()
        assert pool.submit(int).result(5) == 0
    owning = BlockingScripted(Delta("a"), Finish())
    owning.sync_generate("hi")
    own = owning.executor
    owning.close()
    with pytest.raises(RuntimeError):
        own.submit(int)


def test_one_client_serves_several_event_loops() -> None:
    """One client works in one asyncio.run after the other, also after one that was cancelled."""
    client = AsyncScripted(lambda: asyncio.sleep(0), Delta("a"), Finish())

    async def cancelled() -> None:
        task = asyncio.create_task(client.generate("hi"))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

    texts = [asyncio.run(client.generate("hi")).text]
    asyncio.run(cancelled())
    texts.append(asyncio.run(client.generate("hi")).text)
    assert texts == ["a", "a"]


def test_one_client_serves_many_threads() -> None:
    """Sixteen threads that start together each get their own answer whole."""

    class Echoing(AsyncScripted):
        async def stream_deltas(self, request, call):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            """The question, a character at a time."""
            for character in request.messages[-1].text:
                await asyncio.sleep(0)
                yield Delta(character)
            yield Finish()

    client, barrier = Echoing(), threading.Barrier(16)

    def ask(number: int) -> str:
        barrier.wait(5)
        return client.sync_generate(f"question {number} " * 5).text

    with ThreadPoolExecutor(16) as pool:
        texts = list(pool.map(ask, range(16)))
    assert [f"question {number} " * 5 for number in range(16)] == texts


def test_a_client_is_collected_when_nobody_holds_it() -> None:
    """Nothing in the package keeps a client alive."""
    client = AsyncScripted(Delta("a"), Finish())
    client.sync_generate("hi")
    gone = weakref.ref(client)
    client.steps = ()
    del client
    gc.collect()
    assert gone() is None


class Letters:
    """A tokenizer that counts letters, or fails."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure

    def count_token(self, model_name: str, prompts: Sequence[str]) -> Sequence[int]:
        """One token a letter."""
        if self.failure:
            raise self.failure
        return [len(prompt) for prompt in prompts]


@pytest.mark.parametrize(
    ("tokenizer", "expected"),
    [(None, -1), (Letters(), 5), (Letters(ConnectionError("no network")), -1)],
    ids=["none", "letters", "failing"],
)
def test_counting_tokens_never_raises(tokenizer: Letters | None, expected: int) -> None:
    """Without a tokenizer, or with one that fails, the count is -1."""
    client = AsyncScripted(Finish())
    client.proxy_tokenizer = tokenizer

    async def main() -> tuple[int, int]:
        count = await client.count_tokens([ModelMessage("human", "hello")])
        return await client.count_token("m", "hello"), count.n

    assert asyncio.run(main()) == (expected, expected)


class Sure(Letters):
    """One that is sure of itself, and remembers which threads it ran on and for which models."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[tuple[str, int]] = set()

    def count_tokens(self, model_name: str, prompts: Sequence[str]) -> TokenCount:
        """One token a letter."""
        self.seen.add((model_name, threading.get_ident()))
        n = sum(self.count_token(model_name, prompts))
        return TokenCount(n=n, exact=True, method="letters")


def counting(*messages: ModelMessage, client: AsyncScripted | None = None) -> TokenCount:
    """What a client with a sure tokenizer makes of messages."""
    client = client or AsyncScripted(Finish())
    client.proxy_tokenizer = Sure()
    return asyncio.run(client.count_tokens(messages))


def test_tokens_of_messages_are_the_sum_of_their_texts() -> None:
    """Roles don't count; no messages are no tokens."""
    asked = [ModelMessage("system", "ab"), ModelMessage("human", "cde"), ModelMessage("ai", "")]
    assert counting(*asked) == TokenCount(n=5, exact=True, method="letters")
    assert counting().n == 0


def test_an_image_makes_a_count_an_estimate() -> None:
    """What it costs isn't known, and so the number isn't either."""
    image = {"type": "image_url", "image_url": {"url": "data:,"}}
    asked = ModelMessage("human", [{"type": "text", "text": "ab"}, image])
    assert counting(asked) == TokenCount(n=2, exact=False, method="letters, text alone")


def test_counting_is_off_the_loop_and_knows_the_app_s_own_name_for_the_model() -> None:
    """A name that requests would take for the default model is that model's here, too."""
    client = AsyncScripted(Finish(), params=ProxyModelParameters(model_name="mine"))
    tokenizer = client.proxy_tokenizer = Sure()

    async def main() -> None:
        await client.count_token("mine", "a")
        await client.count_tokens("a")
        await client.count_tokens("a", model="other")

    asyncio.run(main())
    assert {model for model, _ in tokenizer.seen} == {"scripted", "other"}
    assert threading.get_ident() not in {thread for _, thread in tokenizer.seen}


def test_a_client_without_a_tokenizer_of_its_own_estimates() -> None:
    """For a model that nobody knows, and says so."""
    count = asyncio.run(AsyncScripted(Finish()).count_tokens("hello world"))
    assert (count.n, count.exact) == (2, False)


def test_closing_reaches_a_call_that_is_being_prepared() -> None:
    """A client that is closed while a converter works sends nothing afterwards."""
    client = AsyncScripted(Delta("a"), Finish())

    class Closing:
        def convert(self, messages: Sequence[ModelMessage], metadata: object = None) -> object:
            """Close the client in the meantime."""
            client.close()
            return messages

    with pytest.raises(ClientClosedError):
        client.sync_generate("hi", Closing())  # type: ignore[arg-type]  # close enough
    assert client.calls == []


def test_the_params_may_limit_the_context() -> None:
    """``max_context_size`` is what models tell as their context."""
    client = AsyncScripted(Finish(), params=ProxyModelParameters(max_context_size=100))
    assert client.metadata("scripted").context_length == 100


def test_a_child_process_doesnt_cut_its_parents_connections() -> None:
    """After a fork, closing the client in the child calls nothing of the parent's streams."""
    client = AsyncScripted(Delta("a"), lambda: asyncio.sleep(60))
    with client.sync_generate_stream("hi") as stream:
        next(stream)
        client.calls[0]._process_id += 1  # as it is in a child
        client.calls[0].abort()
        assert not client.aborted.is_set()


@pytest.mark.parametrize("make", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_client_is_neither_pickled_nor_copied(make: Callable[[object], object]) -> None:
    """Half of one would share locks and open streams; it says what to do instead."""
    with pytest.raises(TypeError, match="make another of its params"):
        make(AsyncScripted())
