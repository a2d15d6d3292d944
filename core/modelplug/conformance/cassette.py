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

``Harness(codec=Cassette("acme.toml"), ...)``. The engine still does sockets, splits, resets and
silences, so every check of faults is made. Bodies are copied from recordings or from the
provider's documents; ``~name~`` stands where a value belongs. ``"~name~"``, with its quotes, is
the whole value, as JSON has it: a number, a text, null.
"""

from __future__ import annotations

import json
import re
import secrets
import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from modelplug.conformance.credentials import credentials_in
from modelplug.conformance.harness import Asked
from modelplug.delta import Delta, Finish, FinishReason, Usage
from modelplug.errors import WrongUseError
from modelplug.testing.codec import RawRequest
from modelplug.testing.steps import Fail, FailKind, Status

__all__ = ["Cassette", "CassetteError"]

_PLACES: Mapping[str, frozenset[str]] = {
    "delta": frozenset({"text"}),
    "thinking": frozenset({"reasoning"}),
    "tool": frozenset({"tool_index", "tool_id", "tool_name", "tool_arguments"}),
    "sources": frozenset({"sources"}),
    "finish": frozenset(
        {
            "finish_reason",
            "prompt_tokens",
            "completion_tokens",
            "total_tokens",
            "cached_tokens",
            "reasoning_tokens",
        }
    ),
    "opening": frozenset(),
    "noise": frozenset(),
    "failure": frozenset({"message", "retry_after"}),
}
"""What can stand in a message of each kind, besides ``id`` and ``seq``."""

_EVERYWHERE = frozenset({"id", "seq"})

_PLACE = re.compile(r'"~(\w+)~"|~(\w+)~')


class CassetteError(WrongUseError):
    """A cassette can't be used; the message says what is wrong with it, and where."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Message(_Part):
    """One recorded message; ``first`` and ``usage`` say when it is the one to use."""

    kind: Literal["opening", "delta", "thinking", "tool", "sources", "finish"]
    body: str | dict[str, Any]
    first: bool | None = None
    usage: bool | None = None


class _Failure(_Part):
    """How one failure is told: a body in the stream, and a status where one comes before it."""

    body: str | dict[str, Any]
    message: str
    status: int | None = Field(default=None, ge=300, le=999)
    status_body: str | dict[str, Any] | None = None
    headers: dict[str, str] = {}
    source: str = ""


class _Request(_Part):
    """Where things stand in a question: names with dots, ``[]`` for each of a list."""

    messages: str
    role: str = "role"
    text: str = "content"
    model: str | None = None
    tools: str | None = None
    params: str | dict[str, str] = {}
    roles: dict[str, str] = {}


class _Told(_Part):
    source: str = Field(min_length=1)
    format: Literal["json", "text"] = "json"
    stream: tuple[_Message, ...]
    noise: str | dict[str, Any]
    failures: dict[FailKind, _Failure]
    cannot_express: dict[FailKind, str] = {}
    finish_reasons: dict[str, FinishReason] = {}
    usual_usage: tuple[int, int] | None = None
    request: _Request


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
        self._name = Path(path).name
        self._told = self._read(Path(path))
        self.cannot_express: Mapping[FailKind, str] = self._told.cannot_express
        self.finish_reasons: Mapping[str, FinishReason] = self._told.finish_reasons
        for fault in _faults(self._told):
            raise self._wrong(fault)

    def encoder(self, request: RawRequest) -> _Encoder:
        """The encoder of one answer."""
        return _Encoder(self._told)

    def refusal(self, fail: Fail) -> Status | None:
        """The recorded status, where a failure comes before any answer."""
        told = self._told.failures.get(fail.kind)
        if told is None or told.status is None:
            return None
        body = told.body if told.status_body is None else told.status_body
        headers = dict(told.headers)
        if fail.retry_after is not None:
            headers.setdefault("Retry-After", f"{fail.retry_after:g}")
        values = {**_failure_values(fail, told), "id": secrets.token_hex(6), "seq": 0}
        return Status(told.status, _filled(_text(body), values), headers=headers)

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

    def _read(self, path: Path) -> _Told:
        try:
            text = path.read_text("utf-8")
            is_json = path.suffix == ".json"
            told = json.loads(text) if is_json else tomllib.loads(text)
        except OSError as error:
            raise self._wrong(error.strerror or "it can't be read") from None
        except ValueError as error:  # neither TOML nor JSON, or no UTF-8
            broken = f"{type(error).__name__}: it is neither TOML nor JSON"
            place = re.search(r"line \d+", str(error))
            raise self._wrong(f"{broken}, at {place[0]}" if place else broken) from None
        for found in credentials_in(text):
            lead = "put ~id~ or a word of your own there before anybody reads the file"
            raise self._wrong(f"{found}: {lead}")
        try:
            return _Told.model_validate(told)
        except ValidationError as invalid:
            first = invalid.errors(include_input=False, include_url=False)[0]
        raise self._wrong(_worded(first["loc"], first["type"], first["msg"]))

    def _wrong(self, what: str) -> CassetteError:
        return CassetteError(f"cassette {self._name}: {what}")


class _Encoder:
    """The messages of one answer, as recorded."""

    def __init__(self, told: _Told) -> None:
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
        names = _PLACES["finish"] - {"finish_reason"}
        values = {name: getattr(usage, name, None) for name in names}
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

    def _of(self, kind: str) -> Sequence[_Message]:
        return [each for each in self._told.stream if each.kind == kind]

    def _message(self, body: str | dict[str, Any], values: Mapping[str, object]) -> bytes:
        return _filled(_text(body), {"id": self._id, "seq": self._seq, **values}).encode()


# ---------------------------------------------------------------------------------- what is said


def _text(body: str | dict[str, Any]) -> str:
    return body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)


def _filled(body: str, values: Mapping[str, object]) -> str:
    """A body with values in their places, as JSON has them."""

    def fill(place: re.Match[str]) -> str:
        if place[1] is not None:
            return json.dumps(values.get(place[1]), ensure_ascii=False)
        value = values.get(place[2])
        return json.dumps(str("" if value is None else value), ensure_ascii=False)[1:-1]

    return _PLACE.sub(fill, body)


def _failure_values(fail: Fail, told: _Failure) -> dict[str, object]:
    return {"message": fail.message or told.message, "retry_after": fail.retry_after}


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


# ------------------------------------------------------------------------------ what is the matter


def _worded(place: Sequence[object], kind: str, told: str) -> str:
    """A fault of the file's form, with what may have been meant."""
    where = ".".join(map(str, place))
    if kind == "missing":
        return f"there is no {where}"
    if kind == "extra_forbidden":
        names = [*_Told.model_fields, *_Message.model_fields, *_Failure.model_fields]
        names += _Request.model_fields
        near = get_close_matches(str(place[-1]), names, n=1)
        return f"nobody knows {where}" + (f"; did you mean {near[0]}?" if near else "")
    return f"{where}: {told}"


def _faults(told: _Told) -> list[str]:
    """What is wrong with a cassette that has the right form."""
    bodies: list[tuple[str, str, str | dict[str, Any]]] = [
        (each.kind, f"stream.{n}", each.body) for n, each in enumerate(told.stream)
    ]
    bodies += [("noise", "noise", told.noise)]
    for kind, each in told.failures.items():
        bodies += [("failure", f"failures.{kind}", each.body)]
    faults = [
        fault for kind, where, body in bodies for fault in _misplaced(kind, where, body, told)
    ]
    kinds = [each.kind for each in told.stream]
    if "finish" not in kinds:
        faults.append('the stream has no message of the kind "finish"')
    if not any("~text~" in _text(each.body) for each in told.stream if each.kind == "delta"):
        faults.append('the stream has no message of the kind "delta" with ~text~ in it')
    lacking = set(get_args(FailKind)) - told.failures.keys() - told.cannot_express.keys()
    if lacking:
        names = ", ".join(sorted(lacking))
        faults.append(f"failures lacks {names}: give each a body, or cannot_express a reason")
    if bool(told.finish_reasons) != any("~finish_reason~" in _text(e.body) for e in told.stream):
        faults.append("finish_reasons and ~finish_reason~ go together: there is only one of them")
    return faults


def _misplaced(kind: str, where: str, body: str | dict[str, Any], told: _Told) -> list[str]:
    text, known = _text(body), _PLACES[kind] | _EVERYWHERE
    faults = []
    for name in (one or other for one, other in _PLACE.findall(text)):
        if name not in known:
            near = get_close_matches(name, known, n=1)
            lead = f"did you mean ~{near[0]}~?" if near else f"known are {', '.join(sorted(known))}"
            faults.append(f"{where}: a message of this kind has no ~{name}~; {lead}")
    if told.format == "json":
        try:
            json.loads(_filled(text, dict.fromkeys(known, 0)))
        except ValueError as error:
            faults.append(f'{where}: the body is no JSON ({error}); if it isn\'t, format = "text"')
    return faults
