"""What the conformance kit needs to check this plugin: how the wire says and hears things."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence

import msgspec

from modelplug.conformance import Account, Asked, Harness
from modelplug.testing import RawRequest
from modelplug.testing.http import HttpUpstream
from modelplug_openai.codec import FAILURES, OpenAICodec
from modelplug_openai.preset import REASONING_FIELDS, Preset
from modelplug_openai.presets import OPENAI, PRESETS

__all__ = ["HARNESSES", "OpenAIServiceCodec"]

_NOT_PARAMETERS = frozenset({"messages", "model", "stream", "stream_options", "tools"})


class OpenAIServiceCodec(OpenAICodec):
    """Says things as a row's service does, and hears them."""

    def __init__(self, row: Preset = OPENAI) -> None:
        super().__init__(unasked=row.usage == "always")
        self._names = {
            **dict.fromkeys(REASONING_FIELDS, "reasoning"),
            **{field: name for name, field in row.fields.items()},
            row.limit_field: "max_new_tokens",
        }
        self._unheard = _NOT_PARAMETERS | row.body.keys()
        self._key_header = row.key_header

    def asked(self, request: RawRequest) -> Asked:
        """What a body asks.

        Raises:
            ValueError: it is no request.
        """
        body = _mapping(_decoded(request.body))
        return Asked(
            messages=[_message(each) for each in _list(body.get("messages"))],
            model=str(body.get("model")),
            params={
                self._names.get(name, name): value
                for name, value in body.items()
                if name not in self._unheard
            },
            tools=[_tool(each) for each in _list(body.get("tools", []))],
        )

    def verify_auth(self, request: RawRequest, account: Account, now: float) -> str | None:
        """Whether the key is the account's, in the header where it belongs."""
        given = request.headers.get(self._key_header, "")
        wanted = account.api_key
        if self._key_header == "authorization":
            wanted = f"Bearer {wanted}"
        if hmac.compare_digest(given.encode(), wanted.encode()):
            return None
        return "the key isn't the account's" if given else "there is no key"


def _decoded(body: bytes) -> object:
    try:
        return msgspec.json.decode(body)
    except RecursionError as error:
        raise ValueError("the body is nested too deeply") from error


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise ValueError("an object was expected")
    return value


def _list(value: object) -> Sequence[object]:
    if not isinstance(value, list):
        raise ValueError("a list was expected")
    return value


def _message(message: object) -> tuple[str, str]:
    told = _mapping(message)
    content = told.get("content") or ""
    if not isinstance(content, str):
        content = "\n".join(str(_mapping(part).get("text", "")) for part in _list(content))
    return str(told.get("role")), content


def _tool(tool: object) -> str:
    return str(_mapping(_mapping(tool).get("function")).get("name"))


def _account(url: str, account: Account) -> Mapping[str, object]:
    return {"api_base": f"{url}/v1", "api_key": account.api_key}


def _harness(row: Preset) -> Harness:
    meant_otherwise = {
        kind: f"by {failure.code!r} the service means something else"
        for kind, failure in FAILURES.items()
        if failure.code in row.failures
    }
    return Harness(
        codec=OpenAIServiceCodec(row),
        params=_account,
        model=None if row.models else "any",
        cannot_express={
            "concurrency": "there is no word for too many requests at once, but for too many",
            "content_filter_output": "an answer that may not be shown ends with a reason for that",
            **meant_otherwise,
        },
        finish_reasons={
            "stop": "stop",
            "length": "length",
            "content_filter": "content_filter",
            "tool_calls": "tool_calls",
            "function_call": "tool_calls",
        },
        wire=HttpUpstream,
    )


HARNESSES: Mapping[str, Harness] = {row.name: _harness(row) for row in PRESETS}
"""One for each row, by its name: the same service, as far as the rows don't differ."""


def __getattr__(name: str) -> Harness:
    """A row's harness, for ``Backend.harness``, which names an attribute of a module."""
    if name in HARNESSES:
        return HARNESSES[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
