"""Mutants of faults."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from modelplug import (
    BackendError,
    Call,
    ConnectError,
    ConnectionLostError,
    Delta,
    Finish,
    HandshakeError,
    ModelRequest,
    ProtocolError,
    ProxyLLMError,
    Secret,
    ServerError,
    TlsError,
    TooLargeError,
    TransportError,
    TruncatedStreamError,
)
from modelplug.transport import Endpoint
from modelplug.transport.handshake import Refusal
from modelplug.transport.websocket import WebSocket, connect
from tests.core.conformance.mutants import mutant
from tests.core.conformance.reference import ReferenceClient
from tests.core.conformance.reference_sse import Http, SseClient


class Swallows(ReferenceClient):
    """Takes some failures for the end of an answer."""

    swallowed: tuple[type[ProxyLLMError], ...] = ()

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """Makes up an end."""
        try:
            async for piece in super().stream_deltas(request, call):
                yield piece
        except self.swallowed:
            yield Finish("stop")


@mutant(kills="FLT-01", words="expected an error, but the call ended with the text ''")
class MakesUpStop(Swallows):
    """Takes a close for the end of an answer."""

    swallowed = (TruncatedStreamError,)


@mutant(kills="FLT-01", words="expected TruncatedStreamError or ConnectionLostError")
class BlamesTheService(ReferenceClient):
    """Takes a close for a failure of the service's own."""

    async def pieces(self, ws: WebSocket, call: Call) -> AsyncIterator[Delta | Finish]:
        """Another error."""
        try:
            async for piece in super().pieces(ws, call):
                yield piece
        except TruncatedStreamError:
            raise ServerError("the service failed") from None


@mutant(kills="FLT-02", words="expected an error, but the call ended with the text 'Hello, '")
class SwallowsResets(Swallows):
    """Takes a reset for the end of an answer."""

    swallowed = (ConnectionLostError,)


@mutant(kills="FLT-02", words="the error says that it can't be retried")
class DespairsOfResets(ReferenceClient):
    """Says that a connection which was reset is lost for good."""

    async def pieces(self, ws: WebSocket, call: Call) -> AsyncIterator[Delta | Finish]:
        """Never again."""
        try:
            async for piece in super().pieces(ws, call):
                yield piece
        except ConnectionLostError as error:
            error.retryable = False
            raise


@mutant(kills="FLT-03", words="expected an error, but the call ended with the text 'Hello, '")
class DropsHalfMessages(ReferenceClient):
    """Drops what breaks off, and takes what it has for all."""

    async def pieces(self, ws: WebSocket, call: Call) -> AsyncIterator[Delta | Finish]:
        """Tells an end from a reset."""
        try:
            async for piece in super().pieces(ws, call):
                yield piece
        except ConnectionLostError as error:
            if "reset" in str(error).lower():
                raise
            yield Finish("stop")


@mutant(kills="FLT-03", words="the partial's text: expected 'Hello, ', got 'Hello, …'")
class ShowsHalfMessages(ReferenceClient):
    """Gives out something for what breaks off."""

    async def pieces(self, ws: WebSocket, call: Call) -> AsyncIterator[Delta | Finish]:
        """A sign that there was more."""
        try:
            async for piece in super().pieces(ws, call):
                yield piece
        except ConnectionLostError as error:
            lost = error
            yield Delta("…")
            raise lost from None


@mutant(kills="FLT-04", words="but the call ended with the text 'Hello,  and more'")
class PassesOver(ReferenceClient):
    """Passes over what it can't read."""

    def read(self, message: bytes, call: Call) -> list[Delta | Finish]:
        """Nothing, for what is no message."""
        try:
            return super().read(message, call)
        except ProtocolError:
            return []


@mutant(kills="FLT-04", words="expected ProtocolError, got PluginContractError")
class ReadsBlindly(ReferenceClient):
    """Takes every message for JSON."""

    def read(self, message: bytes, call: Call) -> list[Delta | Finish]:
        """Without looking."""
        json.loads(message)
        return super().read(message, call)


@mutant(kills="FLT-04", words="a malformed frame (opcode): expected ProtocolError or Transport")
class BlamesForFrames(ReferenceClient):
    """Takes a broken frame for a failure of the service's own."""

    async def pieces(self, ws: WebSocket, call: Call) -> AsyncIterator[Delta | Finish]:
        """Another error."""
        try:
            async for piece in super().pieces(ws, call):
                yield piece
        except ProtocolError as error:
            if "broke the WebSocket protocol" not in str(error):
                raise
            raise ServerError("the service failed") from None


@mutant(kills="FLT-04", words="the partial's text: expected 'Hello, ', got ''")
class LosesWhatWasGood(ReferenceClient):
    """Throws away the answer with the message that spoils it."""

    async def pieces(self, ws: WebSocket, call: Call) -> AsyncIterator[Delta | Finish]:
        """All or nothing."""
        pieces = [piece async for piece in super().pieces(ws, call)]
        for piece in pieces:
            yield piece


@mutant(kills="FLT-05", words="the error says that it can't be retried")
class NobodyForGood(ReferenceClient):
    """Says that a service which isn't there never will be."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """For good."""
        try:
            async for piece in super().stream_deltas(request, call):
                yield piece
        except ConnectError as error:
            error.retryable = False
            raise


@mutant(kills="FLT-05", words="expected ConnectError, got ServerError")
class NobodyIsTheService(ReferenceClient):
    """Takes a service that isn't there for one that failed."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """Another error."""
        try:
            async for piece in super().stream_deltas(request, call):
                yield piece
        except ConnectError:
            raise ServerError("unavailable") from None


@mutant(kills="FLT-05", words="whether the question was sent: expected 'no', got 'yes'")
class SaysItWasSent(ReferenceClient):
    """Says that a question was sent before it was."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """Too early."""
        try:
            async for piece in super().stream_deltas(request, call):
                yield piece
        except ConnectError as error:
            error.sent = "yes"
            raise


@mutant(kills="FLT-06", words="expected an error, but the call ended with the text ''")
class EmptyIsFine(Swallows):
    """Takes silence for an empty answer."""

    swallowed = (ConnectionLostError, HandshakeError)


class Unverified(ReferenceClient):
    """Asks anybody."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """Whoever it is."""
        endpoint = Endpoint.parse(str(self.params.proxy_api_base), allow_insecure=True)
        query = Secret(f"key={call.credential().api_key.reveal()}")
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        context = tls if endpoint.secure else None
        async with connect(endpoint, query=query, call=call, tls=context) as ws:
            ws.send(json.dumps(self.payload(request)))
            async for piece in self.pieces(ws, call):
                yield piece


@mutant(kills="FLT-07", words="but the call ended with the text 'Hello'")
class TrustsEverybody(Unverified):
    """Looks at no certificate."""


@mutant(kills="FLT-07", words="handshakes that the stranger read: expected 0, got 1")
class FallsBack(Unverified):
    """Asks without looking, and complains afterwards."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """The answer is thrown away, but the key was sent."""
        if not str(self.params.proxy_api_base).startswith("wss:"):
            async for piece in super().stream_deltas(request, call):
                yield piece
            return
        async for _ in super().stream_deltas(request, call):
            raise TlsError("the certificate isn't good")


@mutant(kills="FLT-07", words="connections to the stranger: expected 1, got 2")
class DoesWithoutTls(ReferenceClient):
    """Asks in plain where TLS fails."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """For all to read."""
        try:
            async for piece in super().stream_deltas(request, call):
                yield piece
            return
        except TlsError as error:
            refused = error
        address = str(self.params.proxy_api_base).replace("wss:", "ws:")
        endpoint = Endpoint.parse(address, allow_insecure=True)
        with suppress(ProxyLLMError):
            async with connect(endpoint, query=Secret("key=..."), call=call):
                pass
        raise refused from None


@mutant(
    kills="FLT-08", words="the text with a delta after the end: expected 'Hello', got 'Hello more'"
)
class ReadsOn(ReferenceClient):
    """Reads on after the end of an answer, until the service closes."""

    async def pieces(self, ws: WebSocket, call: Call) -> AsyncIterator[Delta | Finish]:
        """The end comes last."""
        end: Finish | None = None
        async for piece in super().pieces(ws, call):
            if isinstance(piece, Finish) and end is None:
                end = piece
                continue
            yield piece
            if end is not None:
                yield end


@mutant(kills="FLT-09", words="the characters of the answer: expected 17825792, got 0")
class CutsHugeMessages(Swallows):
    """Leaves out what is too large."""

    swallowed = (TooLargeError,)


@mutant(kills="FLT-11", words="close code 1000 after two deltas: expected an error")
class ClosedOk(ReferenceClient):
    """Takes some close codes for success, as libraries name them."""

    async def pieces(self, ws: WebSocket, call: Call) -> AsyncIterator[Delta | Finish]:
        """Closed OK."""
        try:
            async for piece in super().pieces(ws, call):
                yield piece
        except TruncatedStreamError:
            if ws.close_code not in (1000, 1001):
                raise
            yield Finish("stop")


@mutant(kills="FLT-11", words="close code 3000 after two deltas: expected TransportError")
class KnowsItsCodes(ReferenceClient):
    """Looks close codes up in a table that isn't complete."""

    async def pieces(self, ws: WebSocket, call: Call) -> AsyncIterator[Delta | Finish]:
        """A KeyError for a code that isn't in it."""
        try:
            async for piece in super().pieces(ws, call):
                yield piece
        except TruncatedStreamError as error:
            known = dict.fromkeys(range(1000, 1016), error)
            raise known[ws.close_code or 1006] from None


@mutant(kills="FLT-11", words="the error doesn't have the status")
class LosesTheStatus(ReferenceClient):
    """Doesn't say with which status it was refused."""

    @staticmethod
    def refused(refusal: Refusal) -> ProxyLLMError:
        """That it was."""
        return BackendError("refused")


@mutant(kills="FLT-11", words="HTTP status 429 to the handshake: whether to try again")
class RefusedForGood(ReferenceClient):
    """Takes every refusal for the last word."""

    @staticmethod
    def refused(refusal: Refusal) -> ProxyLLMError:
        """For good."""
        return HandshakeError("refused", status=refusal.status)


@mutant(kills="FLT-12", words="the plugin raised TypeError")
class AddsNull(ReferenceClient):
    """Adds texts without looking whether they are."""

    def read(self, message: bytes, call: Call) -> list[Delta | Finish]:
        """As in ``content + None``."""
        told = json.loads(message)
        if isinstance(told, dict) and "text" in told:
            return [Delta("" + told["text"])]
        return super().read(message, call)


@mutant(kills="FLT-12", words="the plugin raised KeyError")
class ExpectsAll(ReferenceClient):
    """Takes every field for granted."""

    def read(self, message: bytes, call: Call) -> list[Delta | Finish]:
        """Also the one that need not be there."""
        told = json.loads(message)
        if isinstance(told, dict):
            call.note(request_id=str(told["id"]))
        return super().read(message, call)


@mutant(kills="FLT-12", words="a message whose text is 7: the plugin yielded a int where a Delta")
class PassesAnything(ReferenceClient):
    """Takes whatever stands where a text belongs for one."""

    def read(self, message: bytes, call: Call) -> list[Delta | Finish]:
        """Without looking."""
        told = json.loads(message)
        if isinstance(told, dict) and "text" in told:
            return [Delta(told["text"])]
        return super().read(message, call)


@mutant(kills="FLT-13", words="the call after CutFrame(share=0.5) failed as well")
class Poisoned(ReferenceClient):
    """Keeps a connection that was lost."""

    lost: TransportError | None = None

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """The same failure again."""
        if self.lost is not None:
            raise self.lost
        try:
            async for piece in super().stream_deltas(request, call):
                yield piece
        except ConnectionLostError as error:
            self.lost = ConnectionLostError(error.message)
            raise


@mutant(kills="FLT-13", words="the answer to the call after HangUp(): expected 'Hello', got ")
class MixesAnswers(ReferenceClient):
    """Keeps what was cut short, and puts it before the next answer."""

    left = ""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """First what was left."""
        if self.left:
            yield Delta(self.left)
        try:
            async for piece in super().stream_deltas(request, call):
                yield piece
        except TruncatedStreamError:
            self.left = "As I said, "
            raise


@mutant(kills="FLT-14", words="how the connection ended: expected 'client ws:1000'")
class SlamsTheDoor(ReferenceClient):
    """Cuts the connection after a good answer."""

    async def pieces(self, ws: WebSocket, call: Call) -> AsyncIterator[Delta | Finish]:
        """Aborts first."""
        async for piece in super().pieces(ws, call):
            if isinstance(piece, Finish):
                ws.abort()
            yield piece


class _BreaksOff(Http):
    """Sends all of a question before it listens."""

    has_left = False

    def eof_received(self) -> bool | None:
        """The service has ended its half."""
        self.has_left = True
        return super().eof_received()

    async def upload(self, data: bytes) -> None:
        """Gives up when the service has."""
        await super().upload(data)
        await asyncio.sleep(0.05)
        if self.has_left:
            raise ConnectionLostError("the service left while it was asked")


@mutant(kills="FLT-10", words="got ConnectionLostError")
class HearsNoReason(SseClient):
    """Takes an early answer for a broken pipe."""

    def connection(self, endpoint: Endpoint, call: Call) -> Http:
        """One that doesn't look what was said."""
        return _BreaksOff(endpoint, call)
