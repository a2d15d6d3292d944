"""Mutants that lose or change text."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import AsyncIterator, Callable
from typing import Any

from modelplug import Call, Delta, Finish, ModelRequest
from tests.core.conformance.mutants import mutant
from tests.core.conformance.reference import ReferenceClient


class Rewrites(ReferenceClient):
    """Changes the text of each piece."""

    change: Callable[[str], str] = str

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """With other text."""
        async for piece in super().stream_deltas(request, call):
            if isinstance(piece, Delta) and piece.text:
                yield Delta(type(self).change(piece.text))
            else:
                yield piece


@mutant(kills="UNI-01", words="the text after")
class DecodesPieces(ReferenceClient):
    """Decodes each kilobyte on its own."""

    def read(self, message: bytes, call: Call) -> list[Delta | Finish]:
        """With replacement characters at the seams."""
        parts = (message[at : at + 16] for at in range(0, len(message), 16))
        told = "".join(part.decode(errors="replace") for part in parts)
        return super().read(told.encode(), call)


@mutant(kills="UNI-02", words="half a character")
class PassesOnHalves(ReferenceClient):
    """Takes whatever its JSON library gives."""

    @staticmethod
    def whole(text: str) -> str:
        """Whatever it is."""
        return text


@mutant(kills="UNI-02", words="two halves of a character became")
class ReplacesHalves(ReferenceClient):
    """Puts question marks where it can't write."""

    @staticmethod
    def whole(text: str) -> str:
        """With marks."""
        return text.encode(errors="replace").decode()


@mutant(kills="UNI-03", words="the escaped text")
class KeepsEscapes(ReferenceClient):
    """Undoes no escapes but the simple ones."""

    def read(self, message: bytes, call: Call) -> list[Delta | Finish]:
        """Escapes as they came."""
        return super().read(message.replace(b"\\u", b"\\\\u"), call)


@mutant(kills="UNI-04", words="with line separators")
class SplitsLines(Rewrites):
    """Reads line by line."""

    @staticmethod
    def change(text: str) -> str:
        """With newlines for all separators."""
        return "\n".join(text.splitlines())


@mutant(kills="UNI-05", words="with controls")
class FiltersControls(Rewrites):
    """Leaves out what can't be printed."""

    @staticmethod
    def change(text: str) -> str:
        """What has a shape."""
        return "".join(each for each in text if unicodedata.category(each) != "Cc" or each == "\n")


@mutant(kills="UNI-05", words="with controls")
class EatsByteOrderMarks(Rewrites):
    """Decodes with utf-8-sig."""

    @staticmethod
    def change(text: str) -> str:
        """Without a mark at the beginning."""
        return text.removeprefix("\ufeff")


@mutant(kills="UNI-06", words="an answer that isn't UTF-8")
class IgnoresBadBytes(ReferenceClient):
    """Leaves out what isn't UTF-8."""

    def read(self, message: bytes, call: Call) -> list[Delta | Finish]:
        """What can be read of it."""
        return super().read(message.decode(errors="ignore").encode(), call)


@mutant(kills="UNI-06", words="an answer that isn't UTF-8")
class ReplacesBadBytes(ReferenceClient):
    """Replaces what isn't UTF-8."""

    def read(self, message: bytes, call: Call) -> list[Delta | Finish]:
        """With replacement characters."""
        return super().read(message.decode(errors="replace").encode(), call)


@mutant(kills="UNI-07", words="the prompt that arrived")
class SendsAscii(ReferenceClient):
    """Asks in ASCII."""

    def payload(self, request: ModelRequest) -> dict[str, Any]:
        """With question marks."""
        told = json.dumps(super().payload(request), ensure_ascii=False)
        return json.loads(told.encode("ascii", "replace"))  # type: ignore[no-any-return]  # an object


@mutant(kills="UNI-07", words="a prompt with half a character")
class SendsHalves(ReferenceClient):
    """Sends what can't be written, as something else."""

    def payload(self, request: ModelRequest) -> dict[str, Any]:
        """With question marks for halves."""
        told = json.dumps(super().payload(request), ensure_ascii=False)
        return json.loads(told.encode(errors="replace"))  # type: ignore[no-any-return]  # an object


@mutant(kills="UNI-08", words="that was answered")
class NormalisesAnswers(Rewrites):
    """Means well."""

    @staticmethod
    def change(text: str) -> str:
        """Composed."""
        return unicodedata.normalize("NFC", text)


@mutant(kills="UNI-08", words="that was asked")
class NormalisesQuestions(ReferenceClient):
    """Means well."""

    def payload(self, request: ModelRequest) -> dict[str, Any]:
        """Decomposed."""
        payload = super().payload(request)
        for message in payload["messages"]:
            message["content"] = unicodedata.normalize("NFD", message["content"])
        return payload
