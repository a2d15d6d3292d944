"""A provider that does everything right around a library in the process; mutants break it.

``generate`` stands for that library. It gets what the reference sends over its wire, and the key
of a licence, and gives the same answers as dictionaries; what goes wrong it raises.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from io import BytesIO
from typing import Any

from modelplug import Call, Capabilities, DecodeError, Delta, Finish, ModelRequest
from modelplug.conformance import Account, Asked, Harness
from modelplug.testing import Fail, RawRequest, Status
from modelplug.testing.inprocess import InProcess
from tests.core.conformance.plugin import REFERENCE_INPROCESS, SEEING
from tests.core.conformance.reference import ReferenceClient

Chunk = dict[str, Any]


class LibraryError(Exception):
    """What the library raises.

    Attributes:
        told: the code under ``error``, and the message.
    """

    def __init__(self, told: Mapping[str, Any]) -> None:
        super().__init__(told["message"])
        self.told = told


def generate(question: Mapping[str, Any], *, key: str) -> AsyncGenerator[Chunk]:
    """An answer, for coroutines; the kit takes its place."""
    raise NotImplementedError


class InProcessClient(ReferenceClient):
    """Does everything right."""

    def capabilities(self, model: str | None = None) -> Capabilities:
        """All but a few; it sees."""
        return SEEING

    def payload(self, request: ModelRequest) -> dict[str, Any]:
        """The question; images as the library wants them."""
        payload = super().payload(request)
        for message in payload["messages"]:
            if isinstance(message["content"], list):
                message["content"] = [*map(self.part, message["content"])]
        return payload

    @staticmethod
    def part(part: Mapping[str, Any]) -> Mapping[str, Any]:
        """A part of a message: of an image, a file of its bytes."""
        if part["type"] != "image_url":
            return part
        encoded = part["image_url"]["url"].partition("base64,")[2]
        return {"type": "image", "file": BytesIO(b64decode(encoded))}

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """Ask, pass on what comes, and close in any case."""
        try:
            async with aclosing(self.asked(request, call)) as chunks:
                async for chunk in chunks:
                    yield self.read_chunk(chunk, call)
            return
        except LibraryError as error:
            failed = self.failure(error.told)
        raise failed

    def asked(self, request: ModelRequest, call: Call) -> AsyncGenerator[Chunk]:
        """The library's answer."""
        return generate(self.payload(request), key=call.credential().api_key.reveal())

    def read_chunk(self, chunk: Chunk, call: Call) -> Sequence[Delta | Finish]:
        """What a chunk says."""
        call.note(request_id=str(chunk["id"]))
        return self.said(chunk)

    @staticmethod
    def whole(text: str) -> str:
        """The text, if it is one; told fast, as pieces can be huge."""
        try:
            text.encode()
        except UnicodeEncodeError:
            pass
        else:
            return text
        raise DecodeError("a text has half a character")


class Encoder:
    """Says things in dictionaries."""

    def _chunk(self, **told: object) -> list[Chunk]:
        return [{"id": "session-7", **told}]

    def delta(self, delta: Delta) -> Sequence[Chunk]:
        """Text, thinking, a piece of a tool call, or sources."""
        if delta.tool_call is not None:
            call = delta.tool_call
            named = {"id": call.id, "name": call.name, "arguments": call.arguments}
            return self._chunk(tool={"index": call.index, **named})
        if delta.sources:
            return self._chunk(sources=[*map(dict, delta.sources)])
        return self._chunk(text=delta.text, think=delta.reasoning)

    def finish(self, finish: Finish) -> Sequence[Chunk]:
        """The reason, and what it cost."""
        usage = finish.usage
        counts = usage and {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
        }
        return self._chunk(done=finish.raw or finish.reason, usage=counts)

    def fail(self, fail: Fail) -> Sequence[LibraryError]:
        """The kind, as its code."""
        kind = "E999" if fail.kind == "unknown_code" else fail.kind
        more = {"retry_after": fail.retry_after} if fail.retry_after is not None else {}
        message = fail.message or f"so much for {kind}"
        return [LibraryError({"error": kind, "message": message, **more})]

    def noise(self) -> Sequence[Chunk]:
        """Something new."""
        return self._chunk(novelty={"x": 1})


class Codec:
    """The library's way of saying and hearing things."""

    def encoder(self, request: RawRequest) -> Encoder:
        """One for each answer."""
        return Encoder()

    def refusal(self, fail: Fail) -> Status | None:
        """Nobody is refused before there is a question."""
        return None

    def asked(self, request: RawRequest) -> Asked:
        """The question, which is nearly in the kit's words.

        Raises:
            ValueError: it is none.
        """
        told = next(iter(request.called.args), None)
        if not (isinstance(told, dict) and "messages" in told):
            raise ValueError(f"no question: {told!r}")
        return Asked(
            messages=[(each["role"], each["content"]) for each in told["messages"]],
            model=told["model"],
            params=told["params"],
            tools=[each["function"]["name"] for each in told["tools"]],
        )


def params(url: str, account: Account) -> Mapping[str, object]:
    """The licence's key; there is no address."""
    return {"api_key": account.api_key}


HARNESS = Harness(codec=Codec(), params=params, wire=InProcess(f"{REFERENCE_INPROCESS}:generate"))
