"""What the conformance kit needs to check this plugin: how Spark says and hears things."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from types import SimpleNamespace
from unittest.mock import patch

import msgspec

from modelplug import BadRequestError
from modelplug.conformance import Account, Asked, Harness
from modelplug.testing import RawRequest
from modelplug_spark.codec import SparkCodec
from modelplug_spark.emulation import gateway
from modelplug_spark.emulation.settings import EmulatorSettings
from modelplug_spark.frames import Chat, Misfit, decode_request

__all__ = ["HARNESS", "SparkServiceCodec"]

_NAMES = {"max_tokens": "max_new_tokens"}
"""Spark's names of what the contract calls otherwise."""


class SparkServiceCodec(SparkCodec):
    """Says things as the service does, and hears them."""

    def asked(self, request: RawRequest) -> Asked:
        """What a message asks.

        Raises:
            ValueError: it is no request.
        """
        message = decode_request(request.body)
        if isinstance(message, Misfit):
            raise ValueError(f"no request of Spark's: {message.reason}")
        functions = message.payload.functions.text if message.payload.functions else []
        return Asked(
            messages=[(turn.role, turn.content or "") for turn in message.payload.message.text],
            model=message.parameter.chat.domain,
            params=_params(message.parameter.chat),
            tools=[str(function.get("name")) for function in functions],
        )

    def verify_auth(self, request: RawRequest, account: Account, now: float) -> str | None:
        """The gateway's own verdict, and whether the message is for the account's app."""
        refused = gateway.refusal(
            gateway.Upgrade(
                path=request.path,
                query=request.query,
                host_header=request.headers.get("host", ""),
                now=now,
                account=gateway.Account(
                    app_id=account.app_id,
                    api_key=account.api_key,
                    api_secret=account.api_secret,
                ),
                settings=EmulatorSettings(),
            )
        )
        if refused is not None:
            return f"{refused.status}, {refused.message}"
        message = decode_request(request.body)
        if isinstance(message, Misfit) or message.header.app_id != account.app_id:
            return "the message is for another app"
        return None


def _clock(ahead: float) -> AbstractContextManager[object]:
    """The client's clock moved: it signs by it."""
    moved = SimpleNamespace(time=lambda: time.time() + ahead)
    return patch("modelplug_spark.client.time", moved)


def _params(chat: Chat) -> Mapping[str, object]:
    sent = msgspec.to_builtins(chat)
    return {_NAMES.get(name, name): value for name, value in sent.items() if name != "domain"}


def _account(url: str, account: Account) -> Mapping[str, object]:
    return {
        "api_base": url,
        "api_app_id": account.app_id,
        "api_key": account.api_key,
        "api_secret": account.api_secret,
    }


HARNESS = Harness(
    codec=SparkServiceCodec(),
    params=_account,
    # 10003 is for wrong formats and wrong domains alike (section 5.1 of the protocol notes).
    errors={"unknown_model": BadRequestError},
    finish_reasons={},  # section 4.1: an answer ends, and nobody says why
    clock_moved=_clock,
)
