"""The file of a cassette: what may stand in it, and what is wrong with one."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from modelplug.conformance.credentials import credentials_in
from modelplug.delta import FinishReason
from modelplug.errors import WrongUseError
from modelplug.testing.steps import FailKind

__all__ = [
    "COUNTS",
    "Body",
    "CassetteError",
    "CassetteFile",
    "Failure",
    "Message",
    "Question",
    "filled",
    "read",
]

Body: TypeAlias = str | dict[str, Any]
"""What is said: a text, or an object that is JSON."""

COUNTS = frozenset(
    {"prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens", "reasoning_tokens"}
)
"""Counts of ``Usage`` that an end may tell."""

_PLACES: Mapping[str, frozenset[str]] = {
    "delta": frozenset({"text"}),
    "thinking": frozenset({"reasoning"}),
    "tool": frozenset({"tool_index", "tool_id", "tool_name", "tool_arguments"}),
    "sources": frozenset({"sources"}),
    "finish": COUNTS | {"finish_reason"},
    "opening": frozenset(),
    "noise": frozenset(),
    "failure": frozenset({"message", "retry_after"}),
    "header": frozenset({"retry_after"}),
}
"""What can stand in a message of each kind, besides ``id`` and ``seq``."""

_EVERYWHERE = frozenset({"id", "seq"})

_PLACE = re.compile(r'"~(\w+)~"|~(\w+)~')


class CassetteError(WrongUseError):
    """A cassette can't be used; the message says what is wrong with it, and where."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Message(_Part):
    """One recorded message; ``first`` and ``usage`` say when it is the one to use."""

    kind: Literal["opening", "delta", "thinking", "tool", "sources", "finish"]
    body: Body
    first: bool | None = None
    usage: bool | None = None


class Failure(_Part):
    """How one failure is told: a body in the stream, and a status where one comes before it.

    A header with ``~retry_after~`` is sent where there is something to be told.
    """

    body: Body
    message: str
    status: int | None = Field(default=None, ge=300, le=999)
    status_body: Body | None = None
    headers: dict[str, str] = {}
    source: str = ""


class Question(_Part):
    """Where things stand in a question: names with dots, ``[]`` for each of a list."""

    messages: str
    role: str = "role"
    text: str = "content"
    model: str | None = None
    tools: str | None = None
    params: str | dict[str, str] = {}
    roles: dict[str, str] = {}


class CassetteFile(_Part):
    """All of a file."""

    source: str = Field(min_length=1)
    format: Literal["json", "text"] = "json"
    stream: tuple[Message, ...]
    noise: Body
    failures: dict[FailKind, Failure]
    cannot_express: dict[FailKind, str] = {}
    finish_reasons: dict[str, FinishReason] = {}
    usual_usage: tuple[int, int] | None = None
    request: Question


def read(path: Path) -> CassetteFile:
    """The cassette in a file, TOML or JSON.

    Raises:
        CassetteError: it can't be read, lacks something, or has what looks like a credential.
    """
    try:
        told = _validated(path)
        if faults := _faults(told):
            raise CassetteError("; ".join(faults))
    except CassetteError as error:
        wrong = error.message
    else:
        return told
    raise CassetteError(f"cassette {path.name}: {wrong}")


def _validated(path: Path) -> CassetteFile:
    """A file that has the right form."""
    try:
        text = path.read_text("utf-8")
        told = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise CassetteError(error.strerror or "it can't be read") from None
    except ValueError as error:  # neither TOML nor JSON, or no UTF-8
        broken = f"{type(error).__name__}: it is neither TOML nor JSON"
        place = re.search(r"line \d+", str(error))
        raise CassetteError(f"{broken}, at {place[0]}" if place else broken) from None
    if found := [*credentials_in(text)]:
        lead = "put ~id~ or a word of your own there before anybody reads the file"
        raise CassetteError(f"{'; '.join(found)}: {lead}")
    try:
        return CassetteFile.model_validate(told)
    except ValidationError as invalid:
        errors = invalid.errors(include_input=False, include_url=False)
    raise CassetteError("; ".join(_worded(e["loc"], e["type"], e["msg"]) for e in errors))


def filled(body: Body, values: Mapping[str, object]) -> str:
    """A body with values in their places, as JSON has them."""

    def fill(place: re.Match[str]) -> str:
        if place[1] is not None:
            return json.dumps(values.get(place[1]), ensure_ascii=False)
        value = values.get(place[2])
        return json.dumps(str("" if value is None else value), ensure_ascii=False)[1:-1]

    return _PLACE.sub(fill, _text(body))


def _text(body: Body) -> str:
    return body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)


def _worded(place: Sequence[object], kind: str, told: str) -> str:
    """A fault of the file's form, with what may have been meant."""
    where = ".".join(map(str, place))
    if kind == "missing":
        return f"there is no {where}"
    if kind == "extra_forbidden":
        names = [*CassetteFile.model_fields, *Message.model_fields, *Failure.model_fields]
        names += Question.model_fields
        near = get_close_matches(str(place[-1]), names, n=1)
        return f"nobody knows {where}" + (f"; did you mean {near[0]}?" if near else "")
    return f"{where}: {told}"


def _messages(told: CassetteFile) -> Iterator[tuple[str, str, Body]]:
    """What is said in an answer: its kind, where it stands in the file, and its body."""
    for number, each in enumerate(told.stream):
        yield each.kind, f"stream.{number}", each.body
    yield "noise", "noise", told.noise
    for kind, failure in told.failures.items():
        yield "failure", f"failures.{kind}", failure.body


def _refusals(told: CassetteFile) -> Iterator[tuple[str, str, Body]]:
    """The same of what is said instead of one."""
    for kind, failure in told.failures.items():
        if failure.status_body is not None:
            yield "failure", f"failures.{kind}.status_body", failure.status_body
        for name, value in failure.headers.items():
            yield "header", f"failures.{kind}.headers.{name}", value


def _faults(told: CassetteFile) -> list[str]:
    """What is wrong with a cassette that has the right form."""
    messages = [*_messages(told)]
    faults = [fault for each in (*messages, *_refusals(told)) for fault in _misplaced(*each)]
    if told.format == "json":
        faults += [fault for each in messages for fault in _broken(*each)]
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


def _misplaced(kind: str, where: str, body: Body) -> Iterator[str]:
    known = _PLACES[kind] | _EVERYWHERE
    for name in (one or other for one, other in _PLACE.findall(_text(body))):
        if name not in known:
            near = get_close_matches(name, known, n=1)
            lead = f"did you mean ~{near[0]}~?" if near else f"known are {', '.join(sorted(known))}"
            yield f"{where}: a message of this kind has no ~{name}~; {lead}"


def _broken(kind: str, where: str, body: Body) -> Iterator[str]:
    try:
        json.loads(filled(body, dict.fromkeys(_PLACES[kind] | _EVERYWHERE, 0)))
    except ValueError as error:
        yield f'{where}: the body is no JSON ({error}); if it isn\'t, format = "text"'
