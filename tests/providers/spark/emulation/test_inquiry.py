"""Which model is asked, at which path, under which rules."""

from __future__ import annotations

from typing import Any

import pytest

from modelplug_spark.emulation.inquiry import Inquiry, is_hosted, is_served, model_at, sid_of
from modelplug_spark.emulation.settings import EmulatorSettings
from modelplug_spark.frames import Request, decode_request
from modelplug_spark.models import MODELS, SparkModel, find
from tests.providers.spark.wire import encoded, golden

LITE = "/v1.1/chat"
HOSTED = EmulatorSettings(hosted=("xdeepseekv3", "xdeepseekr1", "lite"))


def inquired(
    message: bytes, *, model: SparkModel | None = None, now: float = 0.0, **settings: Any
) -> Inquiry:
    """A question as the service sees it."""
    request = decode_request(message)
    assert isinstance(request, Request)
    return Inquiry(
        message=message,
        request=request,
        model=model or find("max"),
        app_id="12345678",
        now=now,
        settings=EmulatorSettings(**settings),
    )


def test_a_question_has_a_session() -> None:
    """Named by the message, and by the time at which it came."""
    message = encoded(golden("request_minimal")[0])
    inquiry = inquired(message, now=1.5)
    assert inquiry.sid == sid_of(message, 1.5)
    assert inquiry.sid != sid_of(message, 2)
    assert inquiry.sid != sid_of(b"", 1.5)


def test_a_question_has_a_domain_and_texts() -> None:
    """Null is an empty text."""
    inquiry = inquired(encoded(golden("request_minimal")[0]))
    assert (inquiry.domain, inquiry.texts) == ("generalv3.5", ["hi"])


def test_what_the_engine_refuses_has_a_code_of_ones_choice() -> None:
    """10163 unless told otherwise."""
    message = encoded(golden("request_minimal")[0])
    assert inquired(message).unfit("x").code == 10163
    assert inquired(message, engine_code=10005).unfit("x").code == 10005


@pytest.mark.row("3.4 tokens")
def test_an_image_is_no_text() -> None:
    """What it counts for is not documented."""
    message: Any = golden("request_minimal")[0]
    image = {"role": "user", "content": "aGk=", "content_type": "image"}
    message["payload"]["message"]["text"].insert(0, image)
    assert inquired(encoded(message)).texts == ["hi"]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: str(model.name))
def test_path_and_domain_lead_to_a_model(model: SparkModel) -> None:
    """Each to its own, as the table has it."""
    assert is_served(model.path)
    assert model == model_at(model.path, model.domain, EmulatorSettings())


def test_a_path_of_no_model_is_not_served() -> None:
    """Nor one that only looks alike."""
    assert [is_served(path) for path in ("/v9/chat", "", f"{LITE}/")] == [False] * 3


def test_a_strange_domain_is_measured_by_a_model_of_the_path() -> None:
    """Another path's, or nobody's."""
    names = [model_at(LITE, domain, EmulatorSettings()).name for domain in ("max-32k", "x")]
    assert names == ["lite", "lite"]


def test_a_hosted_model_is_asked_at_lites_path() -> None:
    """With its own ranges (D-MaaS-WS)."""
    model = model_at(LITE, "xdeepseekv3", HOSTED)
    assert (model.domain, is_hosted(model), model.thinking) == ("xdeepseekv3", True, False)
    assert (str(model.temperature), str(model.max_tokens)) == ("[0,1]", "[1,32768]")


def test_a_hosted_reasoning_model_thinks() -> None:
    """By its name."""
    assert model_at(LITE, "xdeepseekr1", HOSTED).thinking


@pytest.mark.parametrize(
    ("path", "domain"), [("/v3.5/chat", "xdeepseekv3"), (LITE, "xother"), (LITE, "lite")]
)
def test_nothing_else_is_hosted(path: str, domain: str) -> None:
    """Not at another path, not unasked, not what the table has."""
    assert not is_hosted(model_at(path, domain, HOSTED))


@pytest.mark.parametrize(
    ("path", "domain", "names"),
    [
        ("/v4.0/chat", "4.0Ultra", ("ultra_context", "ultra_max_tokens")),
        ("/x2", "spark-x", ("x2_context", "x2_max_tokens")),
    ],
)
def test_the_lengths_of_a_disputed_model_are_settings(
    path: str, domain: str, names: tuple[str, str]
) -> None:
    """Each by itself."""
    lengths: dict[str, Any] = dict(zip(names, (8192, 4096), strict=True))
    model = model_at(path, domain, EmulatorSettings(**lengths))
    assert (model.context_length, str(model.max_tokens)) == (8192, "[1,4096]")


def test_other_models_keep_their_lengths() -> None:
    """X1.5 has X2's domain, but not its path."""
    settings = EmulatorSettings(x2_context=1, x2_max_tokens=1, ultra_context=1)
    assert find("spark-x") == model_at("/v1/x1", "spark-x", settings)


@pytest.mark.parametrize(
    ("name", "levels"),
    [("pro-128k", ("none", "none")), ("max", ("native", "native")), ("lite", ("none", "none"))],
)
def test_what_is_disputed_may_be_refused(name: str, levels: tuple[str, str]) -> None:
    """What is documented works in any case."""
    model = find(name)
    strict = model_at(model.path, model.domain, EmulatorSettings(disputed="refuse"))
    assert levels == (strict.system_role, strict.functions)
