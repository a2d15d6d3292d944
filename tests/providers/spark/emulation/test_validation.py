"""What the service finds wrong with a request: codes, texts, order."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from modelplug_spark.emulation.faults import Fault
from modelplug_spark.emulation.validation import CHECKS, faults
from modelplug_spark.models import find
from tests.providers.spark.emulation.test_inquiry import inquired
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


def found(message: bytes, *, model: str = "max", **settings: object) -> list[Fault]:
    """All that is wrong with a message."""
    return [*faults(inquired(message, model=find(model), now=NOW, **settings))]


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


@pytest.mark.row("3.2 unknown fields")
@pytest.mark.parametrize("change", ACCEPTED.values(), ids=ACCEPTED)
def test_what_real_clients_send_is_taken(change: Callable[[Any], object]) -> None:
    """Section 9: extras, gaps and nulls that work with the real service."""
    assert found(changed(change)) == []


REFUSED: dict[str, tuple[bytes, int, str]] = {
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
    """Section 5: the platform's schema, the engine's ranges, the domain, the app."""
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
    """Ranges before domains, domains before apps."""
    message = changed(chat(temperature=9, domain="lite"), header(app_id="other"))
    assert [fault.code for fault in found(message)] == [10163, 10003, 11200]


@pytest.mark.parametrize(("setting", "expected"), [("accept", []), ("refuse", [10004])])
def test_unknown_fields_may_be_refused(setting: str, expected: list[int]) -> None:
    """By a setting, with the path of the field; else they are ignored."""
    told = found(changed(chat(user="me")), unknown_fields=setting)
    assert expected == [fault.code for fault in told]
    assert all("'$.parameter.chat.user' param is unknown;" in fault.text for fault in told)


ORDERS = {
    "documented": (("system", "user", "assistant", "user"), ("strict", "ends", "any")),
    "no system": (("user", "assistant", "user"), ("strict", "ends", "any")),
    "user twice": (("user", "user"), ("ends", "any")),
    "assistant first": (("assistant", "user"), ("ends", "any")),
    "late system": (("user", "system", "user"), ("any",)),
    "no question": (("user", "assistant"), ("any",)),
    "unknown": (("tool", "user"), ()),
}


@pytest.mark.row("3.3 order")
@pytest.mark.parametrize("order", ["strict", "ends", "any"])
@pytest.mark.parametrize(("roles", "taken_by"), ORDERS.values(), ids=ORDERS)
def test_the_order_of_roles_is_a_setting(
    order: str, roles: tuple[str, ...], taken_by: tuple[str, ...]
) -> None:
    """As documented, by its ends alone, or free; a role must be known in any case."""
    told = found(changed(turns(*roles)), role_order=order)
    expected = [] if order in taken_by else [10163]
    assert expected == [fault.code for fault in told]


@pytest.mark.parametrize("code", [10003, 10004, 10005, 10163])
def test_the_code_of_the_engines_schema_is_a_setting(code: int) -> None:
    """For ranges and roles alike; nobody knows the real one."""
    message = changed(chat(top_k=7), turns("tool", "user"))
    assert [code, code] == [fault.code for fault in found(message, engine_code=code)]


@pytest.mark.parametrize("code", [10003, 10004, 10005, 11200])
def test_the_code_of_an_unknown_domain_is_a_setting(code: int) -> None:
    """With that code's text."""
    told = found(changed(chat(domain="spark-ultra")), unknown_domain=code)[0]
    details = {10003: "invalid model domain", 11200: "domain.spark-ultra"}
    assert code == told.code
    assert told.text.endswith(details.get(code, "'$.parameter.chat.domain' value is invalid"))


@pytest.mark.parametrize("code", [10003, 10004, 11200])
def test_the_code_of_a_wrong_domain_is_a_setting(code: int) -> None:
    """All three were seen."""
    told = found(changed(chat(domain="lite")), wrong_domain=code)
    assert [code] == [fault.code for fault in told]


def test_a_hosted_domain_elsewhere_is_a_wrong_one() -> None:
    """Not an unknown one."""
    told = found(changed(chat(domain="xdeepseekv3")), hosted=("xdeepseekv3",))
    assert [fault.code for fault in told] == [10003]


@pytest.mark.row("5.1 10015")
def test_an_app_may_be_on_the_black_list() -> None:
    """10015, behind the domain and before the licence; else it never comes."""
    message = changed(chat(domain="lite"), header(app_id="other"))
    told = [fault.code for fault in found(message, blacklisted=True)]
    assert told == [10003, 10015, 11200]
    assert 10015 not in {fault.code for fault in found(message)}


def test_every_check_is_in_the_order() -> None:
    """Each once."""
    assert len(set(CHECKS)) == len(CHECKS) == 8
