"""What the conformance kit needs of OpenAI's wire."""

from __future__ import annotations

from typing import Any

import pytest

from modelplug import Call, ModelRequest
from modelplug.conformance import Account
from modelplug.conformance.check import Check
from modelplug.conformance.runner import all_checks, run
from modelplug.conformance.selfcheck import self_checked
from modelplug.conformance.subject import Subject
from modelplug.testing import RawRequest
from modelplug_openai import harness
from modelplug_openai.harness import HARNESSES, OpenAIServiceCodec
from modelplug_openai.options import OpenAIOptions
from modelplug_openai.preset import Preset
from modelplug_openai.presets import PRESETS
from modelplug_openai.question import question
from tests.providers.openai.wire import encoded, golden, preset

CODEC = OpenAIServiceCodec()


def request(body: object, **headers: str) -> RawRequest:
    """A request with this body."""
    return RawRequest(target="/v1/chat/completions", body=encoded(body), headers=headers)


def test_a_question_is_heard_in_the_kits_words() -> None:
    """Roles, texts, and tools."""
    asked = CODEC.asked(request(golden("openai_tool_result")["request"]))
    assert asked.model == "gpt-4o-mini"
    assert asked.messages[-1] == ("tool", "London")
    assert [role for role, _ in asked.messages] == ["user", "assistant", "tool"]
    assert [*asked.tools] == ["get_capital"]


def test_parameters_have_the_contracts_names() -> None:
    """What is none of them isn't heard."""
    body = {
        "model": "m",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0,
        "max_completion_tokens": 5,
        "reasoning_effort": "low",
    }
    asked = CODEC.asked(request(body))
    assert asked.params == {"temperature": 0, "max_new_tokens": 5, "reasoning": "low"}
    assert [*asked.messages] == [("user", "hi")]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"\xff",
        b"{}",
        b'{"messages": 5}',
        b'{"messages": [5]}',
        b'{"messages": [], "tools": [5]}',
        b'{"messages": [{"content": 5}]}',
        b'{"x":' + b"[" * 100_000,
    ],
    ids=lambda body: body[:30].decode(errors="replace"),
)
def test_what_is_no_question_is_told_so(body: bytes) -> None:
    """The harness is at fault, or the plugin."""
    with pytest.raises(ValueError, match=r"\w"):
        CODEC.asked(RawRequest(target="/", body=body))


def test_the_account_is_the_kits() -> None:
    """The key, with the address."""
    account = Account()
    params = HARNESSES["openai"].params("http://127.0.0.1:1", account)
    assert params == {"api_base": "http://127.0.0.1:1/v1", "api_key": account.api_key}


@pytest.mark.parametrize("row", PRESETS, ids=lambda row: row.name)
def test_a_question_of_any_row_is_heard(row: Preset) -> None:
    """Whatever its spelling: every parameter that it claims has the contract's name."""
    asked: dict[str, Any] = {
        "max_new_tokens": 5,
        "temperature": 0.5,
        "top_k": 3,
        "seed": 7,
        "stop_token_ids": [1],
        "reasoning": {"type": "enabled"} if row.reasoning != "effort" else "low",
    }
    claimed = {name: value for name, value in asked.items() if name in row.capabilities.native}
    wanted = ModelRequest(messages="hi", **claimed)
    call = Call()
    body = question(wanted, row, model="m", options=OpenAIOptions(), call=call)
    heard = OpenAIServiceCodec(row).asked(RawRequest(target="/", body=body)).params
    assert ({*claimed}, ()) == ({*heard}, call.answer.warnings)
    numbers = claimed.keys() - {"reasoning"}
    assert {name: claimed[name] for name in numbers} == {name: heard[name] for name in numbers}


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("Bearer {key}", None),
        ("Bearer other", "isn't the account's"),
        ("{key}", "isn't the account's"),
        ("Bearer ключ", "isn't the account's"),
        ("", "there is no key"),
    ],
)
def test_a_bearer_is_verified(header: str, told: str | None) -> None:
    """By the account's key."""
    account = Account()
    headers = {"authorization": header.format(key=account.api_key)} if header else {}
    found = CODEC.verify_auth(request({}, **headers), account, 0.0)
    assert (found is None) == (told is None)
    assert (told or "") in (found or "")


@pytest.mark.parametrize(
    ("headers", "good"),
    [
        ({"api-key": "{key}"}, True),
        ({"api-key": "Bearer {key}"}, False),
        ({"api-key": "other"}, False),
        ({"authorization": "Bearer {key}"}, False),
    ],
    ids=str,
)
def test_a_key_may_have_a_header_of_its_own(headers: dict[str, str], good: bool) -> None:
    """Azure's, in which it stands alone."""
    account, codec = Account(), OpenAIServiceCodec(preset("azure"))
    sent = {name: value.format(key=account.api_key) for name, value in headers.items()}
    assert good == (codec.verify_auth(request({}, **sent), account, 0.0) is None)


@pytest.mark.parametrize("name", ["openai", "azure", "spark-http"])
def test_the_harness_can_be_trusted(name: str) -> None:
    """As the kit asks before anything else."""
    assert [cell.told for cell in self_checked(HARNESSES[name]) if cell.told] == []


def test_a_harness_is_an_attribute() -> None:
    """As the core looks it up; another name is none."""
    assert harness.azure is HARNESSES["azure"]
    with pytest.raises(AttributeError, match="nobody"):
        _ = harness.nobody


@pytest.mark.parametrize("check", all_checks(), ids=lambda check: str(check.id))
def test_openai_conforms(check: Check) -> None:
    """It is what most plugins over HTTP will be like; and a reason is given for what can't be."""
    report = run(Subject.of("openai"), [check], quantum=0.1)
    odd = [cell for cell in report.cells if cell.verdict not in ("pass", "n/a")]
    assert odd == []
    assert all(cell.told for cell in report.cells if cell.verdict == "n/a")


ROWS = ("deepseek", "azure", "spark-http", "ollama", "qwen", "openrouter")
"""Rows that differ: in what limits the answer, where the key goes, what ends a stream, whether
there is a model, how it is told to think, and under which names."""

DIFFERING = (
    *("GEN-01", "GEN-06", "GEN-09", "STR-01", "ERR-01", "SEC-07", "FEA-01", "FEA-03", "FEA-04"),
    *("FEA-05", "FEA-06", "FEA-07", "FEA-10", "FEA-13", "FEA-16", "FEA-18", "ERR-02"),
)
"""What goes by the row."""


@pytest.mark.parametrize("name", ROWS)
def test_a_row_conforms(name: str) -> None:
    """As its own harness hears it."""
    chosen = [each for each in all_checks() if str(each.id) in DIFFERING]
    assert len(chosen) == len(DIFFERING)
    report = run(Subject.of(name), chosen, directions=["async-stream"], quantum=0.1)
    assert [cell for cell in report.cells if cell.verdict not in ("pass", "n/a")] == []
    assert {"FEA-04", "GEN-01", "SEC-07"} <= {
        str(cell.check) for cell in report.cells if cell.verdict == "pass"
    }
