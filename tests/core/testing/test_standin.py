"""One scripted model in place of every backend."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from modelplug import (
    BackendNotFoundError,
    Finish,
    MissingCredentialError,
    ModelNotFoundError,
    ModelRequest,
    UnsupportedOptionError,
    new_client,
)
from modelplug.testing import Fail, Gate, answering
from tests.support.dists import install
from tests.support.virtual import run_virtually


def test_every_client_that_an_app_makes_answers() -> None:
    """Whatever its config string, and without an account."""
    with answering("one", "two") as model:
        texts = [new_client(config).sync_generate("hi").text for config in ("spark:lite", "echo")]
    assert texts == ["one", "two"]
    assert [request.model for request in model.requests] == ["lite", "echo"]


def test_the_app_configures_it_as_ever() -> None:
    """Defaults reach the request, and what is wrong is refused."""
    with answering() as model:
        client = new_client("spark:lite?temperature=0.25", max_new_tokens=7)
        client.sync_generate("hi")
        with pytest.raises(UnsupportedOptionError, match="temprature"):
            new_client("spark:lite?temprature=1")
        with pytest.raises(BackendNotFoundError):
            new_client("nobody")
        with pytest.raises(ModelNotFoundError):
            new_client("spark:nosuch")
        with pytest.raises(UnsupportedOptionError, match="seed"):
            client.sync_generate(ModelRequest(messages="hi", seed=1))
    assert (model.requests[0].temperature, model.requests[0].max_new_tokens) == (0.25, 7)
    assert client.backend == "spark"


def test_a_client_that_the_app_closes_is_one_of_many() -> None:
    """The next one answers."""
    with answering("one", "two") as model:
        for expected in ("one", "two"):
            with new_client("echo") as client:
                assert client.sync_generate("hi").text == expected
    assert len(model.requests) == 2


def test_other_threads_are_answered_too() -> None:
    """An app makes its clients where it likes."""
    texts = []
    with answering("one"):
        thread = threading.Thread(
            target=lambda: texts.append(new_client("echo").sync_generate("hi").text)
        )
        thread.start()
        thread.join()
    assert texts == ["one"]


def test_gates_are_the_models() -> None:
    """A test holds back what the app waits for."""
    with answering() as model:
        model.play("Par", Gate("more"), "is", Finish())
        stream = new_client("echo").sync_generate_stream("hi")
        assert next(stream).text == "Par"
        model.release("more")
        assert [output.text for output in stream][-1] == "Paris"


def test_retries_of_a_test_follow_at_once() -> None:
    """A pause of this side's own would only cost time; one that the script asks for is kept."""

    async def ask() -> float:
        before = asyncio.get_running_loop().time()
        assert (await new_client("echo?retries=3").generate("hi")).text == "hi"
        return asyncio.get_running_loop().time() - before

    with answering() as model:
        model.play(Fail("server"))
        model.play(Fail("overloaded"), times=2)
        assert run_virtually(ask()) == 0
        model.play(Fail("overloaded", retry_after=7))
        assert run_virtually(ask()) == 7
    assert len(model.requests) == 6


def test_no_outage_of_one_test_is_another_s() -> None:
    """Whoever still holds a client of the block before: circuits and budgets are of one block."""
    config, kept = "spark:lite?breaker=true&retries=1 | echo", []
    for _ in range(2):
        with answering() as model:
            model.play(Fail("server"), when=lambda request: request.model == "lite", times=12)
            clients = [new_client(config) for _ in range(7)]
            served = [client.sync_generate("hi").served_by for client in clients]
            kept.append(clients)
        assert served == ["echo:echo"] * 7
        assert sum(request.model == "lite" for request in model.requests) == 10
    with answering():
        assert new_client(config).sync_generate("hi").served_by == "spark:lite"


def test_the_innermost_answers() -> None:
    """And afterwards everything is as before."""
    with answering("outer"):
        with answering("inner"):
            assert new_client("echo").sync_generate("hi").text == "inner"
        assert new_client("echo").sync_generate("hi").text == "outer"
    assert new_client("echo").sync_generate("hi").text == "hi"
    with pytest.raises(MissingCredentialError):
        new_client("spark")


def test_a_blocking_provider_is_taken_over_too(site: Path) -> None:
    """Whichever of the two methods it has."""
    source = "from tests.core.testing.blocking import modelplug_backend"
    install(site, backends={"blocking": "made_up"}, source=source)
    with answering("one", "two"):
        client = new_client("blocking")
        texts = [client.sync_generate("hi").text, asyncio.run(client.generate("hi")).text]
    assert texts == ["one", "two"]
