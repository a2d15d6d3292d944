"""The plugin's own tests: it asks a service that says what a test has it say."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from modelplug import (
    ContentFilterError,
    Finish,
    ModelMessage,
    ProxyLLMClient,
    RateLimitError,
    Usage,
    new_client,
)
from modelplug.testing import Fail
from modelplug.testing.websocket import WebSocketUpstream
from modelplug_parrot.harness import HARNESS, ParrotCodec


@pytest.fixture
def service() -> Iterator[WebSocketUpstream]:
    """A parrot that says what a test has it play."""
    with WebSocketUpstream(ParrotCodec()) as service:
        yield service


@pytest.fixture
def parrot(service: WebSocketUpstream) -> Iterator[ProxyLLMClient]:
    """A client of it."""
    with new_client("parrot:budgie", api_base=service.url, api_key="cracker") as client:
        yield client


def test_it_answers(service: WebSocketUpstream, parrot: ProxyLLMClient) -> None:
    """The pieces, the end and what it cost come out as the service said them."""
    service.play("Hel", "lo!", Finish("length", usage=Usage(prompt_tokens=1, completion_tokens=2)))
    outputs = list(parrot.sync_generate_stream("hello"))
    assert [output.delta for output in outputs] == ["Hel", "lo!", ""]
    assert (outputs[-1].finish_reason, outputs[-1].raw_finish_reason) == ("length", "out-of-breath")
    assert outputs[-1].usage is not None
    assert outputs[-1].usage.total_tokens == 3


def test_it_asks(service: WebSocketUpstream, parrot: ProxyLLMClient) -> None:
    """The model, the turns and what is set are sent, and the key in the address alone."""
    service.play("hello", Finish())
    parrot.sync_generate([ModelMessage("system", "Be loud."), ModelMessage("human", "hello")])
    request = service.exchanges[-1].request
    asked = HARNESS.codec.asked(request)
    assert (asked.model, asked.params) == ("budgie", {})
    assert asked.messages == [("system", "Be loud."), ("user", "hello")]
    assert (request.query, b"cracker" in request.body) == ("key=cracker", False)


@pytest.mark.parametrize(
    ("fail", "kind"),
    [
        (Fail("rate_limit", retry_after=7), RateLimitError),
        (Fail("content_filter_input"), ContentFilterError),
    ],
)
def test_it_fails(
    service: WebSocketUpstream, parrot: ProxyLLMClient, fail: Fail, kind: type[Exception]
) -> None:
    """What the parrot says of a failure is the error that it is."""
    service.play("so", fail)
    with pytest.raises(kind) as caught:
        parrot.sync_generate("hello")
    assert getattr(caught.value, "retry_after", None) == fail.retry_after
