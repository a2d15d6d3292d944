"""What the service finds wrong with a request: codes, texts, order."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from modelplug_spark.frames import Misfit, Request, decode_request
from modelplug_spark.models import find
from modelplug_spark.validation import Fault, faults, misfit, stamped
from tests.providers.spark.wire import encoded, golden

NOW = 1_795_255_200.25
STAMP = "(18:00:00.250)"


def changed(*changes: Callable[[Any], object], name: str = "request_full") -> bytes:
    """The documentation's request with changes made to it."""
    message = json.loads(encoded(golden(name)[0]))
    for change in changes:
        change(message)
    return encoded(message)


def chat(**fields: object) -> Callable[[Any], object]:
    """A change of ``parameter.chat``."""
    return lambda message: message["parameter"]["chat"].update(fields)


def header(**fields: object) -> Callable[[Any], object]:
    """A change of ``header``."""
    return lambda message: message["header"].update(fields)


def turns(*roles: str) -> Callable[[Any], object]:
    """Another conversation, by its roles."""
    text = [{"role": role, "content": "x"} for role in roles]
    return lambda message: message["payload"]["message"].update(text=text)


def found(message: bytes, *, model: str = "max", strict_uid: bool = False) -> list[Fault]:
    """All that is wrong with a message."""
    request = decode_request(message)
    if isinstance(request, Misfit):
        return [misfit(request, NOW)]
    assert isinstance(request, Request)
    told = faults(request, find(model), app_id="12345678", now=NOW, strict_uid=strict_uid)
    return [*told]


@pytest.mark.parametrize("name", ["request_minimal", "request_full"])
def test_the_documentations_request_is_right(name: str) -> None:
    """Nothing is found."""
    assert found(changed(name=name)) == []


ACCEPTED = {
    "no uid": lambda message: message["header"].pop("uid"),
    "null uid": header(uid=None),
    "long uid": header(uid="x" * 36),
    "null chat_id": chat(chat_id=None),
    "auditing": chat(auditing="default"),
    "random_threshold": chat(random_threshold=0.5),
    "no max_tokens": lambda message: message["parameter"]["chat"].pop("max_tokens"),
    "whole temperature": chat(temperature=1),
    "null content": lambda message: message["payload"]["message"]["text"][2].update(content=None),
    "functions": lambda message: message["payload"].update(functions={"text": []}),
    "user after user": turns("user", "user"),
    "null functions": lambda message: message["payload"].update(functions=None),
    "wrapped functions": lambda message: message["payload"].update(
        functions={"text": [{"type": "function", "function": {"name": "f"}}]}
    ),
    "null tools": chat(tools=None),
    "other tools": chat(tools=[{"type": "function", "function": {"name": "f"}}]),
    "search": chat(tools=[{"type": "web_search", "web_search": {"search_mode": "deep"}}]),
    "bare search": chat(tools=[{"type": "web_search"}]),
    "thinking where there is none": chat(thinking={"type": "disabled"}),
    "penalty where there is none": chat(presence_penalty=99),
    "patch_id": header(patch_id=["0"]),
}


@pytest.mark.parametrize("change", ACCEPTED.values(), ids=ACCEPTED)
def test_what_real_clients_send_is_taken(change: Callable[[Any], object]) -> None:
    """Section 9: extras, gaps and nulls that work with the real service."""
    assert found(changed(change)) == []


REFUSED: dict[str, tuple[bytes, int, str]] = {
    "no json": (b"{oops", 10003, f"ClientMsgError:{STAMP} invalid message format"),
    "no utf-8": (
        b'{"header":{"app_id":"\xff"}}',
        10003,
        f"ClientMsgError:{STAMP} invalid message format",
    ),
    "no object": (b"[]", 10004, f"RequestParamsError:{STAMP} '$' type must be object;"),
    "no domain": (
        changed(lambda message: message["parameter"]["chat"].pop("domain")),
        10004,
        f"RequestParamsError:{STAMP} '$.parameter.chat.domain' param is required;",
    ),
    "null domain": (
        changed(chat(domain=None)),
        10004,
        f"RequestParamsError:{STAMP} '$.parameter.chat.domain' type must be string;",
    ),
    "null temperature": (
        changed(chat(temperature=None)),
        10004,
        f"RequestParamsError:{STAMP} '$.parameter.chat.temperature' type must be number;",
    ),
    "null max_tokens": (
        changed(chat(max_tokens=None)),
        10004,
        f"RequestParamsError:{STAMP} '$.parameter.chat.max_tokens' type must be integer;",
    ),
    "text as a text": (
        changed(lambda message: message["payload"]["message"].update(text="hi")),
        10004,
        f"RequestParamsError:{STAMP} '$.payload.message.text' type must be array;",
    ),
    "no text": (
        changed(turns()),
        10004,
        f"RequestParamsError:{STAMP} '$.payload.message.text' value is invalid",
    ),
    "unknown domain": (
        changed(chat(domain="spark-ultra")),
        10004,
        f"RequestParamsError:{STAMP} '$.parameter.chat.domain' value is invalid",
    ),
    "other domain": (
        changed(chat(domain="lite")),
        10003,
        f"ClientMsgError:{STAMP} invalid model domain",
    ),
    "old domain": (
        changed(chat(domain="general")),
        11200,
        f"AppIdNoAuthError:{STAMP} domain.general",
    ),
    "other app": (
        changed(header(app_id="other")),
        11200,
        f"AppIdNoAuthError:{STAMP} domain.generalv3.5",
    ),
    "temperature": (
        changed(chat(temperature=0)),
        10163,
        f"EngineParamsError:{STAMP} '$.parameter.chat.temperature' must be in (0,1]",
    ),
    "top_k": (
        changed(chat(top_k=7)),
        10163,
        f"EngineParamsError:{STAMP} '$.parameter.chat.top_k' must be in [1,6]",
    ),
    "max_tokens": (
        changed(chat(max_tokens=8193)),
        10163,
        f"EngineParamsError:{STAMP} '$.parameter.chat.max_tokens' must be in [1,8192]",
    ),
    "role": (changed(turns("tool", "user")), 10163, f"EngineParamsError:{STAMP} unknown role"),
    "late system": (
        changed(turns("user", "system", "user")),
        10163,
        f"EngineParamsError:{STAMP} system must be the first role",
    ),
    "no question": (
        changed(turns("user", "assistant")),
        10163,
        f"EngineParamsError:{STAMP} user must be the last role",
    ),
    "too long": (
        changed(
            lambda message: message["payload"]["message"]["text"][3].update(content="长" * 13_000)
        ),
        10907,
        f"TokenLimitError:{STAMP} token over limit",
    ),
}


REFUSED.update(
    {
        "thinking": (
            changed(chat(thinking={"type": "hard"})),
            10004,
            f"RequestParamsError:{STAMP} '$.parameter.chat.thinking.type' value is invalid",
        ),
        "search mode": (
            changed(chat(tools=[{"type": "web_search", "web_search": {"search_mode": "wide"}}])),
            10004,
            f"RequestParamsError:{STAMP} "
            "'$.parameter.chat.tools[0].web_search.search_mode' value is invalid",
        ),
        "patch_id": (
            changed(header(patch_id=["x" * 33])),
            10004,
            f"RequestParamsError:{STAMP} '$.header.patch_id' value is invalid",
        ),
        "image": (
            changed(
                lambda message: message["payload"]["message"]["text"][1].update(
                    content_type="image"
                )
            ),
            10163,
            f"EngineParamsError:{STAMP} content_type image is not supported",
        ),
    }
)


@pytest.mark.parametrize(("message", "code", "text"), REFUSED.values(), ids=REFUSED)
def test_a_fault_has_its_code_and_text(message: bytes, code: int, text: str) -> None:
    """Section 5: the platform's schema, the engine's ranges, the licence, the context."""
    assert Fault(code, text) == found(message)[0]


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("temperature", 2.1, "(0,2]"),
        ("top_p", 0, "(0,1]"),
        ("presence_penalty", 3.1, "[0,3]"),
        ("frequency_penalty", 1.1, "[0,1]"),
        ("max_tokens", 65536, "[1,65535]"),
    ],
)
def test_the_x_family_has_ranges_of_its_own(field: str, value: float, allowed: str) -> None:
    """Those of the table."""
    message = changed(chat(domain="spark-x", **{field: value}), turns("user"))
    told = f"EngineParamsError:{STAMP} '$.parameter.chat.{field}' must be in {allowed}"
    assert [Fault(10163, told)] == found(message, model="spark-x")


IMAGES: dict[str, tuple[list[dict[str, str]], str | None]] = {
    "right": ([{"content": "aGk=", "content_type": "image"}, {"content": "x"}], None),
    "none": ([{"content": "x"}], "one image must be the first content"),
    "late": (
        [{"content": "x"}, {"content": "aGk=", "content_type": "image"}, {"content": "x"}],
        "one image must be the first content",
    ),
    "two": (
        [{"content": "aGk=", "content_type": "image"}] * 2 + [{"content": "x"}],
        "one image must be the first content",
    ),
    "url": (
        [{"content": "https://x.example", "content_type": "image"}, {"content": "x"}],
        "image is not base64, or too large",
    ),
}


@pytest.mark.parametrize(("items", "told"), IMAGES.values(), ids=IMAGES)
@pytest.mark.parametrize("model", ["image", "imagev3"])
def test_one_image_comes_first(model: str, items: list[dict[str, str]], told: str | None) -> None:
    """In base64, under the domain of either model: "general" is no old Lite here."""
    text = [{"role": "user", **item} for item in items]
    message = changed(
        chat(domain=find(model).domain),
        lambda message: message["payload"]["message"].update(text=text),
    )
    expected = [Fault(10163, f"EngineParamsError:{STAMP} {told}")] if told else []
    assert expected == found(message, model=model)


def test_lite_has_no_system_role() -> None:
    """Documentation and SDK agree."""
    message = changed(turns("system", "user"), chat(domain="lite", max_tokens=1))
    expected = [Fault(10163, f"EngineParamsError:{STAMP} unknown role")]
    assert expected == found(message, model="lite")


def test_pro_takes_a_system_message() -> None:
    """The documentation says no, the official Java SDK says yes: a real one may well work."""
    message = changed(turns("system", "user"), chat(domain="generalv3"))
    assert found(message, model="pro") == []


def test_a_strict_service_refuses_a_long_uid() -> None:
    """32 characters are the documented limit."""
    expected = Fault(10004, f"RequestParamsError:{STAMP} '$.header.uid' value is invalid")
    assert [expected] == found(changed(header(uid="x" * 33)), strict_uid=True)
    assert found(changed(header(uid="x" * 32)), strict_uid=True) == []


def test_several_faults_are_found_in_the_services_order() -> None:
    """Ranges before domains, domains before licences, licences before the context."""
    message = changed(chat(temperature=9, domain="lite"), header(app_id="other"))
    assert [fault.code for fault in found(message)] == [10163, 10003, 11200]


def test_a_stamp_is_beijings_time() -> None:
    """Eight hours ahead of UTC, to the millisecond."""
    assert stamped("Name", "detail", 0.0419) == "Name:(08:00:00.041) detail"
