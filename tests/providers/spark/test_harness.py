"""What the conformance kit needs of Spark."""

from __future__ import annotations

import pytest

from modelplug.conformance import Account
from modelplug.conformance.runner import Subject
from modelplug.testing import RawRequest
from modelplug_spark.harness import HARNESS, SparkServiceCodec
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
