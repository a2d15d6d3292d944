"""FLT: whatever becomes of the connection, an answer is whole or the call fails, typed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

from modelplug.client import ProxyLLMClient
from modelplug.conformance.check import check
from modelplug.conformance.failing import BEGUN, CUT, MOMENTS, SAID, failed, failing, named
from modelplug.conformance.lab import Lab
from modelplug.conformance.mute import hanging_up, origin
from modelplug.conformance.verdict import NotApplicable, Untestable, Violation
from modelplug.delta import Delta, Finish
from modelplug.errors import (
    BackendError,
    ConnectError,
    ConnectionLostError,
    HandshakeError,
    MissingDependencyError,
    PluginError,
    ProtocolError,
    ProxyLLMError,
    TlsError,
    TransportError,
    TruncatedStreamError,
)
from modelplug.testing.steps import (
    CloseCode,
    CutFrame,
    EarlyStatus,
    Fail,
    Garbage,
    GarbageKind,
    HangUp,
    Message,
    Refuse,
    Reset,
    Status,
    Step,
)

_MORE = (" and more", Finish())
"""What would make an answer whole, were it not for what came before."""


@check("FLT-01", "ends without its end", profile="core")
def ends_without_its_end(lab: Lab) -> None:
    """An answer that stops without its terminal sign is an error, however polite the close.

    It is in the error's partial, and never passes for a whole one.
    """
    for moment, begun in MOMENTS.items():
        _expect_interrupted(lab, *begun, HangUp(), what=f"a polite close {moment}")


@check("FLT-02", "connection reset", profile="core")
def connection_reset(lab: Lab) -> None:
    """A connection that is reset is an error that can be retried, with the answer so far."""
    _expect_interrupted(lab, *BEGUN, CUT, Reset(), what="a reset after two deltas")
    _expect_interrupted(lab, Reset(), what="a reset before the first delta")


@check("FLT-03", "message cut short", profile="core")
def message_cut_short(lab: Lab) -> None:
    """Of a message that breaks off nothing is given out, and the call fails."""
    for share in (0.1, 0.5, 0.99):
        what = f"a connection that ends after {share:.0%} of the third delta"
        _expect_interrupted(lab, *BEGUN, CutFrame(share), what=what)


def _expect_interrupted(lab: Lab, *steps: Step, what: str) -> None:
    each = failed(lab, *steps, what=what)
    each.expect_one_of(lab, TruncatedStreamError, ConnectionLostError)
    lab.expect.that(each.error.retryable, f"{what}: the error says that it can't be retried")
    # A reset may overtake what was said before it; a caller who saw it keeps it.
    each.expect_kept(lab, all_of_it=Reset() not in steps)


_MESSAGES: Sequence[GarbageKind] = ("text", "shape", "utf8", "binary")
_FRAMES: Sequence[GarbageKind] = (
    "opcode",
    "reserved",
    "masked",
    "length",
    "continuation",
    "chunk",
)


@check("FLT-04", "malformed messages", profile="core")
def malformed_messages(lab: Lab) -> None:
    """A message that can't be read is an error and isn't passed over, even if good ones follow."""
    for kind in _MESSAGES:
        each = failed(lab, *BEGUN, Garbage(kind), *_MORE, what=f"a malformed message ({kind})")
        each.expect_one_of(lab, ProtocolError)
        each.expect_kept(lab)
    for kind in _FRAMES:
        if lab.leaves_out(Garbage(kind)):
            continue
        each = failed(lab, *BEGUN, Garbage(kind), *_MORE, what=f"a malformed frame ({kind})")
        each.expect_one_of(lab, ProtocolError, TransportError)
        each.expect_kept(lab)


@check("FLT-05", "nobody listens", profile="core")
def nobody_listens(lab: Lab) -> None:
    """Where nobody listens the call raises ConnectError, and says that nothing was sent."""
    each = failed(lab, Refuse(), what="a refused connection")
    each.expect_one_of(lab, ConnectError)
    lab.expect.equal("the outputs before the error", 0, len(each.outputs))
    lab.expect.equal("whether the question was sent", "no", each.error.sent)
    lab.expect.that(each.error.retryable, "the error says that it can't be retried")


@check("FLT-06", "hangs up at once", profile="core")
def hangs_up_at_once(lab: Lab) -> None:
    """A server that takes the connection and says nothing at all has given no empty answer."""
    lab.require_wire("there is no server to hang up")
    with hanging_up() as address, _elsewhere(lab, origin(lab.upstream, address)) as client:
        each = failing(lab, client, what="a server that hangs up at once")
    each.expect_one_of(lab, TransportError, ProtocolError)
    each.expect_kept(lab)


@contextmanager
def _elsewhere(lab: Lab, url: str) -> Iterator[ProxyLLMClient]:
    """A client of a service at another address."""
    params: dict[str, Any] = {**lab.harness.params(url, lab.account)}
    with lab.client(**params) as client:
        yield client


@check("FLT-07", "strangers' certificates", profile="resilient")
def strangers_certificates(lab: Lab) -> None:
    """A server whose certificate nobody vouches for means TlsError, and never sees the question.

    The client falls back to nothing.
    """
    try:
        with lab.another(tls=True) as stranger:
            stranger.play("Hello", Finish(), times=None)
            with _elsewhere(lab, stranger.url) as client:
                each = failing(lab, client, what="a certificate of nobody's")
            seen = list(stranger.exchanges)
    except MissingDependencyError as missing:
        raise Untestable(f"{missing}; {missing.hint}") from None
    each.expect_one_of(lab, TlsError)
    read = [exchange for exchange in seen if exchange.target]
    lab.expect.equal("handshakes that the stranger read", 0, len(read))
    lab.expect.equal("connections to the stranger", 1, len(seen))


@check("FLT-08", "talk after the end", profile="streaming")
def talk_after_the_end(lab: Lab) -> None:
    """What comes after an answer's end changes nothing: no text more, no second end, no error."""
    tails: dict[str, tuple[Step, ...]] = {
        "a delta": (" more",),
        "a second end": (Finish("length"),),
        "a malformed message": (Garbage("text"),),
        "a close for a fault": (CloseCode(1011),),
    }
    for what, tail in tails.items():
        if lab.leaves_out(*tail):
            continue
        output = lab.answer("Hello", Finish(), *tail)
        lab.expect.equal(f"the text with {what} after the end", "Hello", output.text)


_HUGE = 17 * 2**20
"""Characters; more than any answer's piece has."""


@check("FLT-09", "huge messages", profile="resilient")
def huge_messages(lab: Lab) -> None:
    """A message of 17 MiB is taken whole, or refused with an error; no part of it is lost."""
    lab.play("x" * _HUGE, Finish())
    with lab.client() as client:
        try:
            outputs = lab.ask(client)
        except (ProtocolError, TransportError):
            return
    size = len(outputs[-1].text) if outputs else 0
    lab.expect.equal("the characters of the answer", _HUGE, size)


_UPLOAD = "wörld " * (1 << 20)
"""A question that is still on its way when the service has had enough of it."""


@check("FLT-10", "refused while asking", profile="resilient")
def refused_while_asking(lab: Lab) -> None:
    """A service that refuses a request which it hasn't read to its end is heard all the same.

    That it ends its half of the connection, too, doesn't hide the status.
    """
    what = "HTTP status 413 while the question was being sent"
    lab.play(EarlyStatus(413, "that is too much"))
    with lab.client() as client:
        error = lab.expect.raises(ProxyLLMError, lambda: lab.ask(client, _UPLOAD), what=what)
    if not lab.exchanges:
        raise NotApplicable(f"so long a question is refused before it is sent: {error}")
    got = f"{type(error).__name__}: {error}"
    message = f"{what}: expected HandshakeError or BackendError, got {got}"
    lab.expect.that(isinstance(error, HandshakeError | BackendError), message)
    known = (error.provider_code, getattr(error, "status", None))
    lab.expect.that(413 in known, f"{what}: the error doesn't have the status")


_CODES = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011, 1012, 1013, 3000, 4000, 4401, 4999)


@check("FLT-11", "close codes and statuses", profile="core")
def close_codes_and_statuses(lab: Lab) -> None:
    """A WebSocket that is closed before the answer's end is an error, whatever the code.

    So is a handshake that is answered by an HTTP status, which the error has.
    """
    for code in _CODES:
        steps = (*BEGUN, CloseCode(code, "so long"))
        if lab.leaves_out(*steps):
            break
        each = failed(lab, *steps, what=f"close code {code} after two deltas")
        each.expect_one_of(lab, TransportError, ProtocolError, BackendError)
        each.expect_kept(lab)
    for status, is_passing in _STATUSES.items():
        each = failed(lab, Status(status), what=f"HTTP status {status} to the handshake")
        each.expect_one_of(lab, HandshakeError, BackendError)
        known = (each.error.provider_code, getattr(each.error, "status", None))
        lab.expect.that(status in known, f"{each.what}: the error doesn't have the status")
        lab.expect.equal(f"{each.what}: whether to try again", is_passing, each.error.retryable)


_STATUSES = {401: False, 403: False, 404: False, 429: True, 503: True}
"""HTTP statuses, and whether they may pass."""


@check("FLT-12", "values of other types", profile="resilient")
def values_of_other_types(lab: Lab) -> None:
    """A message in which a value is missing, null or of another type is understood, or refused.

    A plugin doesn't trip over it.
    """
    lab.require_wire("what a library gives are its own objects, and no JSON")
    first, others, ended = _messages(lab)
    if not any(map(_is_json, others)):
        raise Untestable("the service's messages aren't JSON")
    with lab.client() as client:
        for place, spoilt in chain.from_iterable(map(_spoilt, filter(_is_json, others))):
            lab.upstream.play(Message(first), Message(spoilt), *map(Message, ended), HangUp())
            lab.script[1:] = [place]
            _expect_borne(lab, client, what=place)


def _expect_borne(lab: Lab, client: ProxyLLMClient, *, what: str) -> None:
    try:
        texts: list[object] = [output.text for output in lab.ask(client)]
    except TypeError as error:
        raise Violation(f"{what}: an output has no text ({error})") from None
    except ProxyLLMError as error:
        cause = f"{type(error.__cause__).__name__}: {error.__cause__}"
        lab.expect.that(not isinstance(error, PluginError), f"{what}: {error} ({cause})")
    else:
        lab.expect.that(texts and isinstance(texts[-1], str), f"{what}: the texts are {texts}")


def _messages(lab: Lab) -> tuple[bytes, Sequence[bytes], Sequence[bytes]]:
    """What the service says: a piece of an answer; a piece, the end, a failure; the end alone."""
    lab.answer("Hello", Finish())
    encoder = lab.harness.codec.encoder(lab.exchanges[-1].request)
    first, second = (encoder.delta(Delta(text))[0] for text in BEGUN)
    end = encoder.finish(Finish())
    return first, [second, *end, *encoder.fail(Fail("unknown_code"))], end


def _spoilt(message: bytes) -> Iterator[tuple[str, bytes]]:
    """A JSON message with each of its values in turn made another, and what was made of which."""
    whole = json.loads(message)
    for path in _paths(whole):
        for value in (None, 7, "7", [], {}, _MISSING):
            shown = "missing" if value is _MISSING else json.dumps(value)
            changed = json.dumps(_changed(whole, path, value), ensure_ascii=False)
            yield f"a message whose {'.'.join(path)} is {shown}", changed.encode()


def _is_json(message: bytes) -> bool:
    try:
        json.loads(message)
    except ValueError:
        return False
    return True


_MISSING = object()


def _paths(whole: object) -> Iterator[tuple[str, ...]]:
    """The places of all values within a JSON value."""
    for key, value in _items(whole).items():
        yield (key,)
        for rest in _paths(value):
            yield (key, *rest)


def _changed(whole: object, path: Sequence[str], value: object) -> object:
    """The same with another value at one place."""
    if not path:
        return value
    items = {**_items(whole)}
    items[path[0]] = _changed(items[path[0]], path[1:], value)
    left = {key: each for key, each in items.items() if each is not _MISSING}
    return [*left.values()] if isinstance(whole, list) else left


def _items(whole: object) -> Mapping[str, object]:
    """A JSON value's parts by name, or by number."""
    if isinstance(whole, list):
        return {str(number): each for number, each in enumerate(whole)}
    return whole if isinstance(whole, dict) else {}


_FAULTS: tuple[tuple[Step, ...], ...] = (
    (*BEGUN, Fail("server")),
    (Refuse(),),
    (Status(503),),
    (HangUp(),),
    (CloseCode(1011),),
    (Garbage("text"),),
    (*BEGUN, CutFrame()),
    (*BEGUN, CUT, Reset()),
    (*BEGUN, Garbage("masked")),
)


@check("FLT-13", "recovery", profile="resilient")
def recovery(lab: Lab) -> None:
    """After any fault the same client answers the next question as if nothing had been."""
    with lab.client() as client:
        for steps in lab.possible(*_FAULTS):
            lab.play(*steps)
            failing(lab, client, what=named(*steps), said=SAID if len(steps) > 1 else "")
            lab.play("Hello", Finish())
            try:
                outputs = lab.ask(client)
            except ProxyLLMError as error:
                raise Violation(f"the call after {steps[-1]} failed as well: {error}") from error
            text = outputs[-1].text if outputs else None
            lab.expect.equal(f"the answer to the call after {steps[-1]}", "Hello", text)


@check("FLT-14", "ends politely", profile="resilient", must=False)
def ends_politely(lab: Lab) -> None:
    """After a whole answer the client ends the WebSocket with a close frame.

    A library's iterator it closes, and doesn't leave to the collector.
    """
    if lab.upstream.wired and not lab.upstream.handshakes:
        raise NotApplicable("no leave is taken: a client that has its answer may go as it likes")
    lab.answer("Hello", Finish())
    lab.exchanges[-1].wait_gone(4 * lab.quantum)
    ended = f"{lab.exchanges[-1].closed_by} {lab.exchanges[-1].how}"
    polite = "client ws:1000" if lab.upstream.wired else "client generator"
    lab.expect.equal("how the connection ended", polite, ended)
