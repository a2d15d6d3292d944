"""A harness's codec, called with care: what is wrong with it, and in which line."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from modelplug.conformance.harness import Harness
from modelplug.conformance.messagevalues import differ
from modelplug.delta import Delta, Finish
from modelplug.testing.codec import RawRequest
from modelplug.testing.steps import Fail, Noise, Status
from modelplug.testing.upstream import Upstream

__all__ = ["HarnessFaultError", "Piece", "Voice", "called", "kind_of", "raised", "where_of"]

_NOBODY = RawRequest(target="/")
"""A request with nothing in it: nobody has asked yet."""


class HarnessFaultError(Exception):
    """What is wrong with the harness, and where."""


Piece: TypeAlias = Delta | Finish | Fail | Noise


class Voice:
    """A harness's codec, called with care.

    Args:
        harness: whose.

    Raises:
        HarnessFaultError: what its wire is makes no upstream. So do all methods, where what they
            call isn't there, raises, or gives what it shouldn't.
    """

    def __init__(self, harness: Harness) -> None:
        self._codec = harness.codec
        self._upstream: Upstream = called(harness, "wire", harness.codec, what="for the codec")

    def encoder(self) -> Any:
        """A new encoder."""
        what = "for a request with an empty body, as it is asked for here,"
        return called(self._codec, "encoder", _NOBODY, what=what)

    def says(self, *steps: Piece, encoder: Any = None) -> list[object]:
        """The messages of one answer, by a new encoder unless there is one."""
        encoder = self.encoder() if encoder is None else encoder
        return [message for step in steps for message in self._said(encoder, step)]

    def refusal(self, fail: Fail) -> list[object]:
        """How a failure is told instead of an answer; empty where it is told in one."""
        status = called(self._codec, "refusal", fail, what=f"for {fail.kind}")
        if status is None:
            return []
        if not isinstance(status, Status):
            where = where_of(self._codec, "refusal")
            told = f"gave {kind_of(status)} for {fail.kind}, and no Status"
            raise HarnessFaultError(f"{where} {told}")
        return [status.status, status.body, dict(status.headers)]

    def apart(self, one: Piece, other: Piece) -> bool:
        """Whether the answers that consist of one piece and of the other differ."""
        return differ(lambda: self.says(one), lambda: self.says(other))

    def _said(self, encoder: Any, step: Piece) -> Sequence[object]:
        name, what = type(step).__name__.lower(), f"for {step!r}"
        said = (
            called(encoder, name, what="")
            if isinstance(step, Noise)
            else called(encoder, name, step, what=what)
        )
        if isinstance(said, str | bytes | Mapping) or not isinstance(said, Sequence):
            told = f"gave {kind_of(said)} {what}, where a list of messages belongs"
            raise HarnessFaultError(f"{where_of(encoder, name)} {told}")
        if self._upstream.wired:  # what a library gives may be anything
            for message in said:
                if not isinstance(message, bytes):
                    told = f"gave {kind_of(message)} {what}; on a wire messages are bytes"
                    raise HarnessFaultError(f"{where_of(encoder, name)} {told}")
        return said


def called(owner: Any, name: str, *args: object, what: str) -> Any:
    """What a method of the author's gives.

    Raises:
        HarnessFaultError: there is no such method, or it raises.
    """
    method = getattr(owner, name, None)
    if not callable(method):
        raise HarnessFaultError(f"{type(owner).__name__} has no method {name}")
    try:
        return method(*args)
    except BaseException as error:  # noqa: BLE001  # the author's code may raise anything
        told = f"{where_of(owner, name)} {what} raised {raised(error, owner)}"
    raise HarnessFaultError(" ".join(told.split()))


def where_of(owner: object, name: str) -> str:
    """A method, and the line where it begins: ``Codec.asked (harness.py, line 41)``."""
    method = inspect.unwrap(getattr(type(owner), name, getattr(owner, name, None)))  # type: ignore[arg-type]
    code = getattr(getattr(method, "__func__", method), "__code__", None)
    line = f" ({Path(code.co_filename).name}, line {code.co_firstlineno})" if code else ""
    return f"{type(owner).__name__}.{name}{line}"


def raised(error: BaseException, owner: object) -> str:
    """An error, and the last line of the author's own file on the way to it."""
    module = inspect.getmodule(type(owner))
    frames = traceback.extract_tb(error.__traceback__)
    own = [
        each for each in frames if module and each.filename == getattr(module, "__file__", "")
    ] or frames
    place = f"{Path(own[-1].filename).name}, line {own[-1].lineno}"
    return f"{type(error).__name__} at {place}: {error}"


def kind_of(value: object) -> str:
    """What a value is, in words."""
    return "None" if value is None else f"a {type(value).__name__}"
