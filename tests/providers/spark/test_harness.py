"""What the conformance kit needs of Spark."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import modelplug_spark.client
from modelplug.conformance import Account, Cassette, Harness
from modelplug.conformance.check import Check
from modelplug.conformance.runner import all_checks, run
from modelplug.conformance.selfcheck import self_checked
from modelplug.conformance.subject import Subject
from modelplug.testing import RawRequest
from modelplug_spark.harness import HARNESS, SparkServiceCodec
from modelplug_spark.signing import date_of, sign
from tests.providers.spark.wire import encoded, golden

CODEC = SparkServiceCodec()


def test_a_question_is_heard_in_the_kits_words() -> None:
    """Roles, texts, parameters by the contract's names, and tools."""
    asked = CODEC.asked(RawRequest(target="/v3.5/chat", body=encoded(golden("request_full")[0])))
    assert asked.model == "generalv3.5"
    assert asked.messages[-1][0] == "user"
    assert "max_new_tokens" in asked.params


def test_what_is_no_question_is_told_so() -> None:
    """The harness is at fault, or the plugin."""
    with pytest.raises(ValueError, match="no request of Spark's"):
        CODEC.asked(RawRequest(target="/v3.5/chat", body=b"{"))


def test_the_account_is_the_kits() -> None:
    """All of it, with the address."""
    account = Account()
    params = HARNESS.params("ws://127.0.0.1:1", account)
    assert {account.app_id, account.api_key, account.api_secret} < set(params.values())


def test_the_plugin_names_it() -> None:
    """So that the kit finds it."""
    assert Subject.of("spark").harness is HARNESS


def test_the_gateway_verifies_what_a_client_sends() -> None:
    """The key, the secret, the date and the app, each by itself."""
    account = Account()
    request = signed(account, at=1_000_000.0)
    assert CODEC.verify_auth(request, account, 1_000_299.0) is None
    assert "a valid date" in str(CODEC.verify_auth(request, account, 1_000_301.0))
    other = replace(account, api_key="other")
    assert "fail to retrieve credential" in str(CODEC.verify_auth(request, other, 1_000_000.0))
    other = replace(account, api_secret="other")
    assert "does not match" in str(CODEC.verify_auth(request, other, 1_000_000.0))
    other = replace(account, app_id="other")
    assert "another app" in str(CODEC.verify_auth(request, other, 1_000_000.0))


def signed(account: Account, *, at: float) -> RawRequest:
    """A question, signed at a time."""
    question: Any = golden("request_minimal")[0]
    question = {**question, "header": {"app_id": account.app_id}}
    signed = sign(
        "spark-api.xf-yun.com",
        "/v3.5/chat",
        key=account.api_key,
        secret=account.api_secret,
        date=date_of(at),
    )
    return RawRequest(
        target=f"/v3.5/chat?{signed.query.reveal()}",
        headers={"host": "spark-api.xf-yun.com"},
        body=encoded(question),
    )


def test_the_clients_clock_can_be_moved() -> None:
    """And nobody else's."""
    assert HARNESS.clock_moved is not None
    with HARNESS.clock_moved(900):
        moved = vars(modelplug_spark.client)["time"]
        assert moved.time() - time.time() == pytest.approx(900, abs=5)
    assert vars(modelplug_spark.client)["time"] is time


def taped() -> Harness:
    """The harness, with golden frames for its codec."""
    tape = Cassette(Path(__file__).parent / "cassettes" / "spark.toml")
    return replace(HARNESS, codec=tape, finish_reasons=tape.finish_reasons)


@pytest.mark.parametrize("harness", [HARNESS, taped()], ids=["code", "golden frames"])
def test_the_harness_can_be_trusted(harness: Harness) -> None:
    """As the kit asks before anything else."""
    assert [cell.told for cell in self_checked(harness) if cell.told] == []


STREAMING = [each for each in all_checks() if each.profile == "streaming"]


@pytest.mark.parametrize("check", STREAMING, ids=lambda check: str(check.id))
def test_golden_frames_take_it_through_the_streaming_checks(check: Check) -> None:
    """Frames that somebody else has recorded, and not the codec that shares ours."""
    subject = replace(Subject.of("spark"), harness=taped())
    for cell in run(subject, [check], quantum=0.1).cells:
        assert cell.verdict in ("pass", "n/a"), cell.told
