"""What the conformance kit needs to check this plugin: how Spark says and hears things."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from modelplug.conformance import Account, Asked, Harness
from modelplug.testing import RawRequest
from modelplug_spark.codec import SparkCodec
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
    errors={"unknown_model": "BadRequestError"},
)
