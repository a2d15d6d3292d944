"""Mutants that give their key away."""

from __future__ import annotations

import base64
import json
import logging
import os
import sys
from collections.abc import AsyncIterator
from typing import Any

from modelplug import (
    BackendError,
    Call,
    Finish,
    ModelOutput,
    ModelRequest,
    ProxyLLMError,
    Secret,
    TruncatedStreamError,
)
from modelplug.transport import Endpoint
from modelplug.transport.handshake import Refusal
from modelplug.transport.websocket import connect
from tests.core.conformance.mutants import mutant
from tests.core.conformance.reference import ReferenceClient, seconds


class Tells(ReferenceClient):
    """Does ``tell`` with its key before each call."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """After telling."""
        self.tell(call.credential().api_key.reveal())
        async for piece in super().stream_deltas(request, call):
            yield piece

    def tell(self, key: str) -> None:
        """Whatever a mutant does."""


@mutant(kills="SEC-01", words="the key stands in repr of the client")
class KeyInRepr(ReferenceClient):
    """Shows how it was made."""

    def __repr__(self) -> str:
        return f"KeyInRepr(api_key={self.params.credential().api_key.reveal()!r})"


@mutant(kills="SEC-01", words="the key stands in vars of the client")
class KeyInVars(Tells):
    """Keeps its header."""

    def tell(self, key: str) -> None:
        """As Basic authentication has it."""
        self.header = "Basic " + base64.b64encode(f"user:{key}".encode()).decode()


@mutant(kills="SEC-01", words="the key stands in an output")
class KeyInOutput(ReferenceClient):
    """Says in each answer how it was asked."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """By the end's extras."""
        async for piece in super().stream_deltas(request, call):
            if isinstance(piece, Finish):
                yield Finish("stop", extra={"key": call.credential().api_key.reveal()})
            else:
                yield piece


class LibraryError(Exception):
    """What a library would raise: it makes its text of what it keeps."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url

    def __str__(self) -> str:
        return f"GET {self.url}"


@mutant(kills="SEC-02", words="the key stands in")
class KeyInCause(ReferenceClient):
    """Chains an error of a library's, whose text is the URL, where nobody cleans it."""

    async def generate(self, request: Any, message_converter: Any = None) -> ModelOutput:
        """With the key in it."""
        try:
            return await super().generate(request, message_converter)
        except TruncatedStreamError as error:
            key = self.params.credential().api_key.reveal()
            raise error from LibraryError(f"wss://example.test/?key={key}")


@mutant(kills="SEC-02", words="the key stands in the fields of")
class RepeatsTheService(ReferenceClient):
    """Passes on what the service said where nobody cleans it."""

    async def generate(self, request: Any, message_converter: Any = None) -> ModelOutput:
        """With what it sent."""
        try:
            return await super().generate(request, message_converter)
        except BackendError as error:
            error.provider_message = f"not {self.params.credential().api_key.reveal()}"
            raise


@mutant(kills="SEC-02", words="the key stands in the notes of")
class KeyInNotes(ReferenceClient):
    """Adds a note that helps whoever debugs, where nobody cleans it."""

    async def generate(self, request: Any, message_converter: Any = None) -> ModelOutput:
        """As hexadecimals."""
        try:
            return await super().generate(request, message_converter)
        except BackendError as error:
            error.add_note(f"it was {self.params.credential().api_key.reveal().encode().hex()}")
            raise


@mutant(kills="SEC-03", words="a INFO record of the logger acme")
class LogsUrl(Tells):
    """Logs the URL of each call."""

    def tell(self, key: str) -> None:
        """As httpx does."""
        logging.getLogger("acme").info("GET %s", f"wss://example.test/?key={key}")


@mutant(kills="SEC-04", words="a DEBUG record of the logger acme.wire")
class LogsHeaders(Tells):
    """Logs its headers at DEBUG."""

    def tell(self, key: str) -> None:
        """As websockets does."""
        logging.getLogger("acme.wire").debug("connects: %r", {"authorization": f"Bearer {key}"})


@mutant(kills="SEC-05", words="look out the resp")
class PrintsFrames(ReferenceClient):
    """Prints what it gets."""

    def read(self, message: bytes, call: Call) -> list[Any]:
        """To see it."""
        sys.stdout.write("look out the response: ")
        return super().read(message, call)


@mutant(kills="SEC-05", words="'debug")
class WritesPastPython(ReferenceClient):
    """Its library, which isn't written in Python, writes to standard error."""

    def payload(self, request: ModelRequest) -> dict[str, Any]:
        """As a library of C's does."""
        os.write(2, b"debug")
        return super().payload(request)


@mutant(kills="SEC-06", words="the key stands in what another host was sent")
class FollowsRedirectsOfSecrecy(ReferenceClient):
    """Goes wherever it is told to, with everything it has."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """As an HTTP library would."""
        try:
            async for piece in super().stream_deltas(request, call):
                yield piece
            return
        except BackendError as error:
            if error.provider_code not in (301, 302, 307, 308):
                raise
            location = error.message
        query = Secret(f"key={call.credential().api_key.reveal()}")
        endpoint = Endpoint.parse(location)
        async with connect(endpoint, query=query, call=call, on_refusal=self.refused) as ws:
            ws.send(json.dumps(self.payload(request)))
            async for piece in self.pieces(ws, call):
                yield piece

    @staticmethod
    def refused(refusal: Refusal) -> ProxyLLMError:
        """The error has the place to go to."""
        return BackendError(refusal.headers.get("location", ""), provider_code=refusal.status)


@mutant(kills="SEC-11", words="the key is sent in more than one place")
class SendsTheKeyTwice(ReferenceClient):
    """Has its key in the question, too, where services keep it for years."""

    def payload(self, request: ModelRequest) -> dict[str, Any]:
        """With the key."""
        key = self.params.credential().api_key.reveal()
        return {**super().payload(request), "user": key}


@mutant(kills="SEC-07", words="the service would turn call 1 away: another key")
class MistypesItsKey(ReferenceClient):
    """Sends what it was given, nearly."""

    def signed(self, call: Call) -> Secret:
        """Without what looks like padding."""
        key = call.credential().api_key.reveal()
        return Secret(f"key={key.rstrip('=')}&at={seconds():.0f}")


@mutant(kills="SEC-07", words="the clock +900 s away: too late")
class SignsOnce(ReferenceClient):
    """Keeps a signature for good."""

    kept: Secret | None = None

    def signed(self, call: Call) -> Secret:
        """The first one."""
        self.kept = self.kept or super().signed(call)
        return self.kept


@mutant(kills="SEC-07", words="the service would turn call 1 away: too late, or too early")
class SignsInLocalTime(ReferenceClient):
    """Takes its own time zone for the world's."""

    def signed(self, call: Call) -> Secret:
        """Eight hours ahead."""
        key = call.credential().api_key.reveal()
        return Secret(f"key={key}&at={seconds() + 8 * 3600:.0f}")


@mutant(kills="SEC-09", words="the key stands in key of stream_deltas")
class KeyInFrames(ReferenceClient):
    """Keeps the key in a variable while it waits."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """That every collector of crashes shows."""
        key = call.credential().api_key.reveal()
        async for piece in super().stream_deltas(request, call):
            yield piece
        del key
