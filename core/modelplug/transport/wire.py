"""The client's side of a WebSocket without I/O: bytes in; messages, and how it ended, out.

The frames and their rules are websockets' own. What is added: the handshake's refusals, the
messages put together, and one error for each way to end badly.

Most of what a connection lives through is a plain yes, which ``upgrade`` reads, and plain text,
which ``PlainFrames`` cuts out. So the library's protocol is made where there is something for it,
and let go of with the handshake, all of which it would keep: that is 3 KiB less for each stream
that is open.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial

from modelplug.errors import (
    ConnectionLostError,
    DecodeError,
    HandshakeError,
    MissingDependencyError,
    ProtocolError,
    ProxyLLMError,
    SchemaError,
    TooLargeError,
)
from modelplug.secrets import Secret
from modelplug.transport.endpoint import Endpoint
from modelplug.transport.faults import lost, printable
from modelplug.transport.handshake import (
    Answer,
    Refusal,
    misunderstanding,
    refused,
)

try:
    from websockets.client import ClientProtocol
    from websockets.exceptions import PayloadTooBig
    from websockets.exceptions import ProtocolError as BrokenRuleError
    from websockets.frames import Close, CloseCode, Frame, Opcode
    from websockets.protocol import State
    from websockets.uri import WebSocketURI
    from websockets.utils import generate_key

    from modelplug.transport.plainframes import CLOSE, TEXT, PlainFrames, farewell, masked
    from modelplug.transport.upgrade import agrees, asking
except ImportError:
    raise MissingDependencyError(
        "the websockets package is missing, or too old",
        hint='pip install "modelplug[websocket]"',
    ) from None

__all__ = ["Wire"]

_MOST_FRAGMENTS = 4096
"""Pieces of one message; empty ones cost a peer next to nothing and never reach max_size."""

_NORMAL = Close(CloseCode.NORMAL_CLOSURE, "").serialize()
"""What the close frame of a conversation that is complete holds."""

_REASON_LIMIT = 123
"""Characters; what a close frame has room for."""

_VIOLATIONS: tuple[tuple[type[Exception], type[ProtocolError]], ...] = (
    (PayloadTooBig, TooLargeError),
    (UnicodeDecodeError, DecodeError),
    (Exception, ProtocolError),
)

# The library prints request lines, which hold keys. This logger has no parent, no name that
# could be looked up, and a level that nothing reaches, whatever the app configures.
_SILENT = logging.Logger("modelplug.transport.wire", logging.CRITICAL + 1)  # noqa: LOG001  # so


class Wire:
    """One connection, from the request of its handshake to its end.

    Args:
        endpoint: for the request, and for what errors tell.
        max_size: bytes of the largest message that is taken, all its fragments together.
        scrub: takes secrets out of what the server says.
        on_refusal: makes an error of an answer to the handshake that is no WebSocket.

    Attributes:
        messages: text messages in the order in which they came; the owner takes them out.
        is_open: whether the handshake is done.
        has_ended: whether nothing more will come.
        close_code, close_reason: of the server's close frame.
    """

    __slots__ = (
        "_answer",
        "_endpoint",
        "_fault",
        "_fragments",
        "_key",
        "_max_size",
        "_on_refusal",
        "_parting",
        "_plain",
        "_protocol",
        "_scrub",
        "close_code",
        "close_reason",
        "has_ended",
        "is_open",
        "messages",
    )

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        max_size: int,
        scrub: Callable[[str], str],
        on_refusal: Callable[[Refusal], ProxyLLMError] | None = None,
    ) -> None:
        self.messages: list[bytes] = []
        self.is_open = False
        self.has_ended = False
        self.close_code: int | None = None
        self.close_reason = ""
        self._endpoint = endpoint
        self._scrub = scrub
        self._on_refusal = on_refusal or partial(
            refused, endpoint=endpoint, instead_of="a WebSocket"
        )
        self._max_size = max_size
        self._key = generate_key()
        self._protocol: ClientProtocol | None = None
        self._plain: PlainFrames | None = PlainFrames(max_size=max_size)
        self._answer: Answer | None = None
        self._fragments: list[bytes] | None = None
        self._parting: tuple[bytes, ...] = ()
        self._fault: Callable[[], ProxyLLMError] | None = None

    def request(self, query: Secret) -> bytes:
        """What begins the handshake."""
        return asking(self._endpoint, query, key=self._key)

    def text(self, message: bytes) -> bytes:
        """A text message as it is to be written."""
        return masked(TEXT, message)

    def answers(self) -> Sequence[bytes]:
        """What is to be written without having been asked for: pongs and close frames."""
        answers, self._parting = self._parting, ()
        if self._protocol is not None:
            answers += tuple(filter(None, self._protocol.data_to_send()))
        return answers

    def feed(self, received: bytes) -> None:
        """Take the next bytes."""
        if not self.is_open:
            received = self._shake_hands(received)
        if received and self.is_open and self._plain is not None and not self.has_ended:
            received = self._plain.cut(received, self.messages)
            if received:
                self._plain = None
                if self._is_farewell(received):
                    return
        if received:
            self._parse(received)

    def _shake_hands(self, received: bytes) -> bytes:
        """Take the next bytes of the server's answer; those that come behind it."""
        answer = self._answer = self._answer or Answer()
        head, received = answer.feed(received)
        if self._protocol is None and agrees(head, key=self._key):
            self._agreed()
        else:
            self._parse(head)
        return received

    def feed_eof(self) -> None:
        """The server sends nothing more."""
        if self._plain is not None and (rest := self._plain.rest()):
            self._plain = None
            self._parse(rest)
        protocol = self._library()
        protocol.receive_eof()
        self._advance(protocol, at_eof=True)

    def finish(self) -> None:
        """End it well, with a close frame for ``answers`` if the server has agreed."""
        if self.is_open and not self.has_ended:
            self._parting += (masked(CLOSE, _NORMAL),)
        self._end(None)

    def lose(self, error: Exception | None) -> None:
        """The connection was cut, by ``error`` or for no reason that is known."""
        if not self.has_ended:
            self._end(self._refusal() or self._lost(error))

    def cut(self) -> None:
        """The connection is going to be cut from this side."""
        if self.has_ended:
            return
        wrong = f"the connection to {self._endpoint} was cut from this side"
        self._end(partial(ConnectionLostError, wrong))

    @property
    def is_refused(self) -> bool:
        """Whether the server has refused, and only the end of what it says is to come."""
        return self._answer is not None and not self.has_ended and self._answer.is_refusal

    @property
    def has_failed(self) -> bool:
        """Whether it has ended otherwise than by a close frame."""
        return self._fault is not None

    def failure(self) -> ProxyLLMError | None:
        """A new error for how it ended; None if it ended well, or hasn't."""
        return None if self._fault is None else self._fault()

    def _library(self) -> ClientProtocol:
        """The library's protocol; made where there is none, for the state that this is in."""
        if self._protocol is None:
            where = self._endpoint
            # Never the query: the library keeps what it is given, in objects with telling reprs.
            uri = WebSocketURI(where.secure, where.host, where.port, where.path, "")
            state = State.OPEN if self.is_open else State.CONNECTING
            self._protocol = ClientProtocol(
                uri, state=state, max_size=self._max_size, logger=_SILENT
            )
            self._protocol.key = self._key  # which the answer has to prove that it knows
        return self._protocol

    def _agreed(self) -> None:
        self.is_open = True
        self._protocol = None
        self._answer = None
        del self._on_refusal  # which is for the handshake alone

    def _is_farewell(self, received: bytes) -> bool:
        """End it well if the server says so, plainly, as it does behind most answers.

        That is a tenth less for a whole request than with the library's protocol.
        """
        told = farewell(received)
        try:
            close = None if told is None else Close.parse(told)
        except (BrokenRuleError, UnicodeDecodeError):
            close = None  # for the library to refuse
        if told is None or close is None:
            return False
        self._parting += (masked(CLOSE, told),)
        self._close(close)
        return True

    def _close(self, close: Close) -> None:
        self.close_code = int(close.code)
        self.close_reason = printable(self._scrub(close.reason), limit=_REASON_LIMIT)
        self._end(None)

    def _parse(self, received: bytes) -> None:
        protocol = self._library()
        protocol.receive_data(received)
        self._advance(protocol)

    def _advance(self, protocol: ClientProtocol, *, at_eof: bool = False) -> None:
        if not self.is_open:
            self._judge(protocol, at_eof=at_eof)
        messages = self.messages
        for event in protocol.events_received():
            if self.has_ended:
                return
            if not isinstance(event, Frame):
                continue  # the answer to the handshake
            if event.opcode is Opcode.TEXT and event.fin:
                messages.append(bytes(event.data))
            else:
                self._receive(event, protocol)
        # Frames that came before the one that broke a rule are among the events above.
        if protocol.parser_exc is not None:
            self._end(self._violation(protocol.parser_exc))

    def _judge(self, protocol: ClientProtocol, *, at_eof: bool) -> None:
        """End the handshake if the answer is complete, well or badly."""
        error, answer = protocol.handshake_exc, self._answer or Answer()
        if error is None and protocol.state is not State.CONNECTING:
            self._agreed()
        elif answer.is_enough or (at_eof and answer.may_be_http):
            self.lose(None)
        elif error is not None:
            # The error itself is not kept: it holds the server's answer, and frames.
            told = misunderstanding(error, self._scrub)
            wrong = f"{self._endpoint} didn't agree to a WebSocket ({told})"
            fault = partial(HandshakeError, wrong, status=answer.status)
            self._end(self._refusal() or fault)

    def _refusal(self) -> Callable[[], ProxyLLMError] | None:
        refusal = None if self._answer is None else self._answer.refusal(self._scrub)
        return None if refusal is None else partial(self._on_refusal, refusal)

    def _lost(self, error: Exception | None) -> Callable[[], ProxyLLMError]:
        return partial(ConnectionLostError, lost(error, self._endpoint))

    def _receive(self, frame: Frame, protocol: ClientProtocol) -> None:
        """Any frame but a whole text message; the protocol has answered the pings."""
        if frame.opcode is Opcode.CLOSE:
            self._close(Close.parse(frame.data))
        elif frame.opcode is Opcode.BINARY:
            protocol.fail(CloseCode.UNSUPPORTED_DATA)
            self._end(partial(SchemaError, f"{self._endpoint} sent a binary message"))
        elif frame.opcode in (Opcode.TEXT, Opcode.CONT):
            fragments = self._fragments = self._fragments or []
            fragments.append(bytes(frame.data))
            if frame.fin:
                self.messages.append(b"".join(fragments))
                self._fragments = None
            elif len(fragments) >= _MOST_FRAGMENTS:
                protocol.fail(CloseCode.MESSAGE_TOO_BIG)
                wrong = f"{self._endpoint} sent a message in more than {_MOST_FRAGMENTS} pieces"
                self._end(partial(TooLargeError, wrong))

    def _violation(self, error: Exception) -> Callable[[], ProxyLLMError]:
        if isinstance(error, EOFError):
            return self._lost(None)
        kind = next(ours for theirs, ours in _VIOLATIONS if isinstance(error, theirs))
        told = f"{type(error).__name__}: {error}"
        return partial(kind, f"{self._endpoint} broke the WebSocket protocol ({told})")

    def _end(self, fault: Callable[[], ProxyLLMError] | None) -> None:
        if not self.has_ended:
            self.has_ended = True
            self._fault = fault
            self._fragments = None
