"""One scripted model in place of every backend."""

from __future__ import annotations

import threading

import pytest

from modelplug import (
    BackendNotFoundError,
    Finish,
    MissingCredentialError,
    UnsupportedOptionError,
    new_client,
)
from modelplug.testing import Gate, answering


def test_every_client_that_an_app_makes_answers() -> None:
    """Whatever its config string, and without an account."""
    with answering("one", "two") as model:
        texts = [new_client(config).sync_generate("hi").text for config in ("spark:lite", "echo")]
    assert texts == ["one", "two"]
    assert [request.model for request in model.requests] == ["lite", "scripted"]


def test_the_app_configures_it_as_ever() -> None:
    """Defaults reach the request, and what is wrong is refused."""
    with answering() as model:
        client = new_client("spark:lite?temperature=0.25", max_new_tokens=7)
        client.sync_generate("hi")
        with pytest.raises(UnsupportedOptionError, match="temprature"):
            new_client("spark:lite?temprature=1")
        with pytest.raises(BackendNotFoundError):
            new_client("nobody")
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


def test_the_innermost_answers() -> None:
    """And afterwards everything is as before."""
    with answering("outer"):
        with answering("inner"):
            assert new_client("echo").sync_generate("hi").text == "inner"
        assert new_client("echo").sync_generate("hi").text == "outer"
    assert new_client("echo").sync_generate("hi").text == "hi"
    with pytest.raises(MissingCredentialError):
        new_client("spark")
