"""DB-GPT's worker function for Spark."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from modelplug import Finish
from modelplug.testing import Fail
from modelplug.testing.websocket import WebSocketUpstream
from modelplug_spark.worker import spark_generate_stream
from tests.support.spark import client_of

PARAMS = {"messages": [{"role": "human", "content": "hi"}]}


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_worker_streams_from_spark(upstream: WebSocketUpstream, *, wrapped: bool) -> None:
    """A client, or a worker's model that holds one, answers in outputs with cumulative text."""
    upstream.play("a", "b", Finish())
    client = client_of(upstream)
    model = SimpleNamespace(proxy_llm_client=client) if wrapped else client
    outputs = list(spark_generate_stream(model, None, PARAMS, "cpu", 2048))
    assert [output.text for output in outputs] == ["a", "ab", "ab"]


def test_a_failure_is_an_output(upstream: WebSocketUpstream) -> None:
    """What Spark refuses is the last output, with the error's code and the service's words."""
    upstream.play("a", Fail("content_filter_input", message="audit"))
    *_, last = spark_generate_stream(client_of(upstream), None, PARAMS, "cpu")
    assert (last.error_code, "audit" in last.text) == (609, True)


def test_what_is_no_model_is_refused() -> None:
    """A mistake in the worker itself is no output."""
    with pytest.raises(TypeError):
        spark_generate_stream(object(), None, PARAMS, "cpu")
