"""The ranges of parameters, and the nearest values within."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelplug_spark.emulation.ranges import clamped, outside
from modelplug_spark.frames import Request, decode_request
from modelplug_spark.models import MODELS, SparkModel, find
from tests.providers.spark.wire import golden

NAMES = (
    "temperature",
    "top_k",
    "top_p",
    "max_tokens",
    "presence_penalty",
    "frequency_penalty",
)
WHOLE = {"top_k", "max_tokens"}


def request(**fields: float) -> Request:
    """A request with these parameters."""
    message: Any = golden("request_minimal")[0]
    message["parameter"]["chat"].update(fields)
    decoded = decode_request(json.dumps(message).encode())
    assert isinstance(decoded, Request)
    return decoded


def names(asked: Request, model: str) -> list[str]:
    """What is out of range."""
    return [name for name, _, _ in outside(asked, find(model))]


@pytest.mark.parametrize(("value", "wrong"), [(0.0, True), (0.01, False), (1, False), (1.1, True)])
def test_a_bound_is_in_or_out(value: float, wrong: bool) -> None:
    """As the documentation's brackets say."""
    assert (["temperature"] if wrong else []) == names(request(temperature=value), "max")


def test_all_that_is_out_of_range_is_found() -> None:
    """In the order of the documentation."""
    everything = dict.fromkeys(NAMES, -9)
    assert [*NAMES] == names(request(**everything), "spark-x")


def test_a_parameter_that_a_model_lacks_has_no_range() -> None:
    """It is ignored there."""
    assert names(request(presence_penalty=99, top_p=9), "max") == []


@pytest.mark.parametrize(
    ("field", "value", "nearest"),
    [("temperature", 0, 0.01), ("temperature", 3, 1), ("max_tokens", 9999, 8192), ("top_k", 0, 1)],
)
def test_a_value_is_clamped_to_the_nearest(field: str, value: float, nearest: float) -> None:
    """Within the bounds."""
    chat = clamped(request(**{field: value}), find("max")).parameter.chat
    assert nearest == getattr(chat, field)


def test_what_was_not_said_is_not_made_up() -> None:
    """Nor is what is right changed."""
    asked = request(temperature=0.5)
    assert asked == clamped(asked, find("max"))


@given(
    st.sampled_from(MODELS),
    st.fixed_dictionaries(
        {},
        optional={
            name: st.integers(-10, 10**6) if name in WHOLE else st.floats(-10, 10) for name in NAMES
        },
    ),
)
def test_what_is_clamped_is_within(model: SparkModel, fields: dict[str, float]) -> None:
    """For every model; and clamping the question leaves it as it was."""
    asked = request(**fields)
    assert [*outside(clamped(asked, model), model)] == []
    assert asked == request(**fields)
