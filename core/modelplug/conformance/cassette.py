"""A codec made of recordings instead of code: one stream, and a body for each failure.

::

    source = "https://acme.example/docs/streaming, read 2026-11-21"

    [[stream]]
    kind = "delta"
    body = '{"id": "~id~", "text": "~text~"}'

    [[stream]]
    kind = "finish"
    body = '{"id": "~id~", "done": "~finish_reason~", "tokens": "~completion_tokens~"}'

    [failures.rate_limit]
    body = '{"error": {"code": 429, "message": "~message~"}}'
    message = "slow down"

    [cannot_express]
    quota = "there is no such code, see https://acme.example/docs/errors"

    [request]
    messages = "messages"

``Cassette("acme.toml").harness(params=...)`` is a harness. The engine still does sockets, splits,
resets and silences, so every check of faults is made. Bodies are copied from recordings or from the
provider's documents; ``~name~`` stands where a value belongs. ``"~name~"``, with its quotes, is
the whole value, as JSON has it: a number, a text, null.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from modelplug.conformance.cassettefile import (
    COUNTS,
    Body,
    CassetteError,
    CassetteFile,
    Failure,
    Message,
    filled,
    read,
)
from modelplug.conformance.harness import Account, Asked, Harness
from modelplug.delta import Delta, Finish, FinishReason, Usage
from modelplug.testing.codec import RawRequest
from modelplug.testing.steps import Fail, FailKind, Status

__all__ = ["Cassette", "CassetteError"]


class Cassette:
    """Says things as they were recorded, and hears them where the recording says they stand.

    Attributes:
        cannot_express, finish_reasons: what the file says of them, for the harness.

    Args:
        path: the file, TOML or JSON.

    Raises:
        CassetteError: it can't be read, lacks something, or has what looks like a credential.
    """

    def __init__(self, path: str | Path) -> None:
        self._told = read(Path(path))
        self.cannot_express: Mapping[FailKind, str] = self._told.cannot_express
        self.finish_reasons: Mapping[str, FinishReason] = self._told.finish_reasons

    def harness(
        self, *, params: Callable[[str, Account], Mapping[str, object]], **more: Any
    ) -> Harness:
        """A harness of this codec, with what the file says of the service.

        Args:
            params: the arguments of ``new_client`` for a service at a URL and an account.
            more: what else a ``Harness`` has.
        """
        told = {"cannot_express": self.cannot_express, "finish_reasons": self.finish_reasons}
        return Harness(codec=self, params=params, **{**told, **more})

    def encoder(self, request: RawRequest) -> _Encoder:
        """The encoder of one answer."""
        return _Encoder(self._told)

    def refusal(self, fail: Fail) -> Status | None:
        """The recorded status, where a failure comes before any answer."""
        told = self._told.failures.get(fail.kind)
        if told is None or told.status is None:
            return None
        body = told.body if told.status_body is None else told.status_body
        values = {**_failure_values(fail, told), "id": secrets.token_hex(6), "seq": 0}
        headers = {
            name: filled(value, values)
            for name, value in told.headers.items()
            if fail.retry_after is not None or "~retry_after~" not in value
        }
        return Status(told.status, filled(body, values), headers=headers)

    def asked(self, request: RawRequest) -> Asked:
        """What a message asks.

        Raises:
            ValueError: it is no question.
        """
        question, where = json.loads(request.body), self._told.request
        turns = _at(question, where.messages)
        if not isinstance(turns, list):
            raise ValueError(f"there are no messages at {where.messages}")
        model = _at(question, where.model) if where.model else None
        tools = _at(question, where.tools) if where.tools else None
        return Asked(
            messages=[self._turn(each) for each in turns],
            model=None if model is None else str(model),
            params=_params(question, where.params),
            tools=[str(each) for each in tools] if isinstance(tools, list) else [],
        )

    def _turn(self, turn: object) -> tuple[str, str]:
        where = self._told.request
        role, text = _at(turn, where.role), _at(turn, where.text)
        if not isinstance(role, str) or not isinstance(text, str | None):
            raise ValueError(f"a message has no {where.role} or no {where.text}")
        return where.roles.get(role, role), text or ""


class _Encoder:
    """The messages of one answer, as recorded."""

    def __init__(self, told: CassetteFile) -> None:
        self._told = told
        self._id = secrets.token_hex(6)
        self._seq = 0

    def delta(self, delta: Delta) -> Sequence[bytes]:
        """A piece of the answer: those messages that have a place for what is in it."""
        said: list[bytes] = []
        if (call := delta.tool_call) is not None:
            said += self._said(
                "tool",
                {
                    "tool_index": call.index,
                    "tool_id": call.id,
                    "tool_name": call.name,
                    "tool_arguments": call.arguments,
                },
            )
        if delta.sources:
            said += self._said("sources", {"sources": [*map(dict, delta.sources)]})
        if delta.reasoning:
            said += self._said("thinking", {"reasoning": delta.reasoning})
        if delta.text or delta == Delta():
            said += self._said("delta", {"text": delta.text})
        return said

    def finish(self, finish: Finish) -> Sequence[bytes]:
        """The end, with what the answer cost."""
        words = {reason: raw for raw, reason in reversed(self._told.finish_reasons.items())}
        usual = self._told.usual_usage
        usage = finish.usage or (
            Usage(prompt_tokens=usual[0], completion_tokens=usual[1]) if usual else None
        )
        values = {name: getattr(usage, name, None) for name in COUNTS}
        values["finish_reason"] = finish.raw or words.get(finish.reason, words.get("stop", "stop"))
        return self._said("finish", values, usage=usage is not None)

    def fail(self, fail: Fail) -> Sequence[bytes]:
        """A failure, by its recorded body."""
        told = self._told.failures.get(fail.kind)
        return [self._message(told.body, _failure_values(fail, told))] if told else []

    def noise(self) -> Sequence[bytes]:
        """What means nothing."""
        return [self._message(self._told.noise, {})]

    def _said(
        self, kind: str, values: Mapping[str, object], *, usage: bool | None = None
    ) -> Sequence[bytes]:
        said = []
        if not self._seq:
            said += [self._message(each.body, {}) for each in self._of("opening")]
        for each in self._of(kind):
            fits = each.first is None or each.first is (not self._seq)
            if fits and each.usage in (None, usage):
                said.append(self._message(each.body, values))
        self._seq += bool(said)
        return said

    def _of(self, kind: str) -> Sequence[Message]:
        return [each for each in self._told.stream if each.kind == kind]

    def _message(self, body: Body, values: Mapping[str, object]) -> bytes:
        return filled(body, {"id": self._id, "seq": self._seq, **values}).encode()


# ---------------------------------------------------------------------------------- what is said


def _failure_values(fail: Fail, told: Failure) -> dict[str, object]:
    """What a failure says; whole seconds are so written, as in the header of HTTP."""
    after = fail.retry_after
    whole = int(after) if after is not None and after == int(after) else after
    return {"message": fail.message or told.message, "retry_after": whole}


# --------------------------------------------------------------------------------- what is heard


def _at(value: object, path: str) -> object:
    """What stands at a path; None where there is nothing.

    Raises:
        ValueError: the value has no such parts at all.
    """
    for number, name in enumerate(names := path.split(".")):
        key = name.removesuffix("[]")
        if key:
            if not isinstance(value, Mapping):
                raise ValueError(f"there is no {path}")
            value = value.get(key)
        if value is None:
            return None
        if name.endswith("[]"):
            if not isinstance(value, list):
                raise ValueError(f"{key} is no list")
            rest = ".".join(names[number + 1 :])
            return [_at(each, rest) for each in value] if rest else value
    return value


def _params(question: object, where: str | Mapping[str, str]) -> Mapping[str, object]:
    """The parameters that were sent: an object's, or each from its own place."""
    if isinstance(where, str):
        told = _at(question, where)
        if not isinstance(told, dict | None):
            raise ValueError(f"{where} is no object")
        return told or {}
    found = {name: _at(question, path) for name, path in where.items()}
    return {name: value for name, value in found.items() if value is not None}
