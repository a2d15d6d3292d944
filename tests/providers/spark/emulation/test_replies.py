"""What the emulated service says, as the real client sees it over real sockets."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from modelplug import ModelOutput, ModelRequest, UnsupportedOptionError
from modelplug_spark.emulation.replies import reply
from modelplug_spark.emulator import SparkEmulator
from modelplug_spark.frames import Request, decode_request
from modelplug_spark.models import find
from tests.providers.spark.emulation.test_service import asked
from tests.providers.spark.test_client import emulated

WEATHER = {
    "name": "weather",
    "description": "tells the weather",
    "parameters": {
        "type": "object",
        "properties": {"location": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["location", "days"],
    },
}
TOOL = {"type": "function", "function": WEATHER}


def told(
    emulator: SparkEmulator, model: str, question: object = "How are you?", **fields: Any
) -> ModelOutput:
    """The answer to a question, through the client."""
    messages = question if isinstance(question, list) else str(question)
    return emulated(emulator, f"spark:{model}").sync_generate(
        ModelRequest(messages=messages, **fields)
    )


@pytest.mark.parametrize("model", ["x1", "spark-x", "x2"])
def test_a_model_that_thinks_does_so_first(emulator: SparkEmulator, model: str) -> None:
    """Its thinking comes apart from its answer."""
    outputs = [
        *emulated(emulator, f"spark:{model}?temperature=1.5").sync_generate_stream("How are you?")
    ]
    assert "nobody thinks here" in outputs[-1].reasoning
    assert find(model).product in outputs[-1].text
    assert "temperature 1.5" in outputs[-1].text
    kinds = [bool(output.reasoning_delta) for output in outputs]
    assert sorted(kinds, reverse=True) == kinds


@pytest.mark.parametrize(
    "fields",
    [{"reasoning": "none"}, {"options": {"spark": {"thinking": "disabled"}}}],
    ids=["reasoning", "option"],
)
def test_thinking_can_be_switched_off(emulator: SparkEmulator, fields: dict[str, Any]) -> None:
    """By the contract's field and by the option."""
    output = told(emulator, "spark-x", **fields)
    assert (output.reasoning, bool(output.text)) == ("", True)
    assert told(emulator, "spark-x", reasoning="low").reasoning


def test_a_model_that_does_not_think_refuses_reasoning(emulator: SparkEmulator) -> None:
    """By its capabilities."""
    with pytest.raises(UnsupportedOptionError, match="reasoning"):
        told(emulator, "max", reasoning="low")


def test_thinking_counts_towards_the_limit(emulator: SparkEmulator) -> None:
    """It is part of what is paid for."""
    output = told(emulator, "spark-x", max_new_tokens=5)
    assert (output.text, bool(output.reasoning)) == ("", True)
    assert output.usage is not None
    assert output.usage.completion_tokens <= 5


@pytest.mark.parametrize("model", ["max", "ultra", "spark-x"])
def test_a_function_is_called_by_its_name_in_the_question(
    emulator: SparkEmulator, model: str
) -> None:
    """One call, no text, and the finish reason that says so."""
    question = "What is the weather like?"
    output = told(emulator, model, question, tools=[TOOL], tool_choice="auto")
    assert (output.text, output.finish_reason) == ("", "tool_calls")
    (call,) = output.tool_calls
    assert (call.id, call.name) == (None, "weather")
    assert json.loads(call.arguments) == {"location": question, "days": 1}


@pytest.mark.parametrize(
    ("question", "choice"),
    [("What is the weather like?", "none"), ("How are you?", "auto")],
    ids=["none", "no name"],
)
def test_a_function_need_not_be_called(emulator: SparkEmulator, question: str, choice: str) -> None:
    """Where it may not be, or nothing asks for it."""
    output = told(emulator, "max", question, tools=[TOOL], tool_choice=choice)
    assert (output.tool_calls, output.finish_reason) == ((), "stop")


def test_a_model_without_functions_refuses_tools(emulator: SparkEmulator) -> None:
    """By its capabilities."""
    with pytest.raises(UnsupportedOptionError, match="tools"):
        told(emulator, "lite", tools=[TOOL])


@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize("model", ["max", "x2"])
def test_a_search_names_its_sources(model: str, bare: bool) -> None:
    """Before the answer, whether or not their frame has choices."""
    config = f"spark:{model}?search=deep&show_sources=true"
    with SparkEmulator(pace=0, bare_sources=bare) as emulator:
        output = emulated(emulator, config).sync_generate("How are you?")
    assert [source["index"] for source in output.sources] == [1, 2]
    assert output.sources[0]["title"] == "1: How are you?"
    assert "How are you?" in output.text
    assert output.usage is not None
    assert output.usage.raw is not None
    assert output.usage.raw["search_prompt"]


@pytest.mark.parametrize(
    "options",
    [{}, {"search": True}, {"search": False, "show_sources": True}],
    ids=["none", "no sources", "off"],
)
def test_no_sources_come_unasked(emulator: SparkEmulator, options: dict[str, object]) -> None:
    """A search doesn't name them by itself."""
    output = told(emulator, "max", options={"spark": options})
    assert (output.sources, bool(output.text)) == ((), True)


def test_a_model_without_search_refuses_one(emulator: SparkEmulator) -> None:
    """Before the wire."""
    with pytest.raises(UnsupportedOptionError, match="lite has no web search"):
        told(emulator, "lite", options={"spark": {"search": True}})


@pytest.mark.parametrize("model", ["image", "imagev3"])
def test_an_image_tells_its_size(emulator: SparkEmulator, model: str) -> None:
    """It arrived, with the question and what came before."""
    url = f"data:image/png;base64,{b64encode(bytes(3_000_000)).decode()}"
    parts = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "What?"}]
    question = [{"role": "system", "content": "Brief."}, {"role": "user", "content": parts}]
    output = told(emulator, model, question)
    assert "The image has 3000000 bytes. " in output.text
    assert "Messages received: 1," in output.text


def test_a_text_model_refuses_an_image(emulator: SparkEmulator) -> None:
    """By its capabilities."""
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
    with pytest.raises(UnsupportedOptionError, match="images"):
        told(emulator, "max", [{"role": "user", "content": [part]}])


def test_arguments_are_made_by_their_types() -> None:
    """A value for each required property; a schema that says nothing gives none."""
    kinds = ("string", "integer", "number", "boolean", "array", "object", "null", "odd")
    schema = {"properties": {kind: {"type": kind} for kind in kinds}, "required": [*kinds]}
    functions = [{"name": ""}, {"type": "function"}, {"name": "f", "parameters": schema}]
    message = {**json.loads(asked("f?")), "payload": {"functions": {"text": functions}}}
    message["payload"]["message"] = {"text": [{"role": "user", "content": "f?"}]}
    request = decode_request(json.dumps(message).encode())
    assert isinstance(request, Request)
    call = reply(request, find("max")).call
    assert call is not None
    expected: dict[str, object] = dict(
        zip(kinds, ("f?", 1, 1, True, [], {}, None, "f?"), strict=True)
    )
    assert expected == json.loads(call.arguments)
