"""Whatever a Spark service refuses with, it is one typed error of one line, without a secret.

An input is lines: a code, which is an HTTP status too; the session; the headers Date and
Retry-After; then the service's own words, with forms of a secret (see canaries.py).
"""

from __future__ import annotations

import json
import re
from random import Random

from fuzz.canaries import FORMS, HIDDEN, expect_hidden, planted
from modelplug import (
    AuthenticationError,
    BackendError,
    HandshakeError,
    ModelNotFoundError,
    OverloadedError,
    ProtocolError,
    ProxyLLMError,
    RateLimitError,
    Secret,
    ServerError,
)
from modelplug.secrets import Scrubber
from modelplug.transport.handshake import Answer
from modelplug_spark.codes import MEANINGS, NOTICE, SPLIT, refused
from modelplug_spark.protocol import SparkProtocol

__all__ = ["check", "mutate"]

KEY = "Zq7Canary+X9/Zq7Canary="

SCRUB = Scrubber([Secret(KEY)])

_BY_STATUS: dict[int, type[ProxyLLMError]] = {
    **dict.fromkeys((401, 403), AuthenticationError),
    404: ModelNotFoundError,
    429: RateLimitError,
    **dict.fromkeys(range(500, 600), ServerError),
    **dict.fromkeys((502, 503, 504), OverloadedError),
}

_STATUSES = (100, 200, 302, 400, 401, 403, 404, 407, 408, 418, 429, 500, 502, 503, 504, 599)

_CODES = ("0", "-1", "12345", "4294967296", "9" * 25, *map(str, (*MEANINGS, *SPLIT, *_STATUSES)))

_PIECES = (
    *(f"<{word}0>" for word in (*FORMS, *HIDDEN)),
    *(piece for pieces in SPLIT.values() for piece, _ in pieces),
    *("x" * 190, "x" * 1990, '{"message": "', '"}', "\n", "\r", "\x1b[2J", "\u2028", "\ud800", "["),
    *("retrieve credential", "does not match", "Sun, 06 Nov 1994 08:49:37 GMT", "7", "1e9", "-1"),
)
"""What means something to the table, to the gateway's words or to a terminal."""


def mutate(data: bytes, random: Random) -> bytes:
    """The input with another code, or with a piece put in, taken out or doubled."""
    text = data.decode(errors="surrogateescape")
    for _ in range(random.randint(1, 3)):
        if random.random() < 0.3:
            text = random.choice(_CODES) + "\n" + text.partition("\n")[2]
            continue
        start = random.randint(0, len(text))
        end = min(len(text), start + random.choice((0, 0, 1, 8)))
        text = text[:start] + random.choice((*_PIECES, text[start:end] * 2)) + text[end:]
    return text.encode(errors="surrogatepass")


def check(data: bytes) -> None:
    """Fail if a refusal, in a frame or of a handshake, is anything but what the table says."""
    given = planted(data.decode(errors="replace"), KEY).split("\n", 4)
    code, session, date, retry_after, said = given + [""] * (5 - len(given))
    number = int(code) if re.fullmatch(r"-?[0-9]{1,30}", code, re.ASCII) else 0
    for begun in (False, True):
        check_frame(number, said, session, begun=begun)
    if 100 <= number <= 599 and number != 101:
        head = f"HTTP/1.1 {number} No\r\nDate: {date}\r\nRetry-After: {retry_after}\r\n\r\n"
        check_refusal(number, head + said)


def check_frame(code: int, said: str, session: str, *, begun: bool) -> None:
    """The conversation fails by one error, unless the code is 0, or a notice at the end."""
    protocol = SparkProtocol(scrub=SCRUB)
    if begun:
        choices = {"status": 0, "seq": 0, "text": [{"content": "x"}]}
        protocol.receive([frame({"code": 0, "message": "", "sid": session}, choices)])
    protocol.receive([frame({"code": code, "message": said, "sid": session, "status": 1})])
    if code == 0 or (code == NOTICE and begun):
        assert protocol.failure is None
        expect_hidden(str(protocol.warnings), KEY)
        return
    error = protocol.failure
    assert error is not None, "a failure passes for an answer"
    if -(2**63) <= code < 2**63:
        meanings = [MEANINGS[code]] if code in MEANINGS else []
        meanings += [meaning for _, meaning in SPLIT.get(code, ())]
        assert type(error) in ({meaning.error for meaning in meanings} or {BackendError})
        assert error.provider_code == code
    else:
        assert isinstance(error, ProtocolError | BackendError)
    check_error(error)


def frame(header: dict[str, object], choices: object = None) -> bytes:
    """A message of the service's."""
    payload = {"choices": choices} if choices else None
    return json.dumps({"header": header, "payload": payload}).encode()


def check_refusal(status: int, answer: str) -> None:
    """It is one error, by the status; and a time to wait is one that anybody would wait."""
    received = Answer()
    received.feed(answer.encode(errors="replace"))
    refusal = received.refusal(SCRUB)
    assert refusal is not None
    error = refused(refusal, now=1_760_000_000.0, scrub=SCRUB)
    assert type(error) is _BY_STATUS.get(status, HandshakeError)
    assert (error.provider_code, error.sent) == (status, "no")
    assert error.retry_after is None or 0 <= error.retry_after <= 86_400
    check_error(error)


def check_error(error: ProxyLLMError) -> None:
    """It is one line that anybody can print, has no secret, and hangs on nothing."""
    assert str(error).isprintable(), "a terminal or a log would be steered"
    expect_hidden(f"{error} {error!r} {error.args} {vars(error)}", KEY)
    expect_hidden("\n".join(map(str, vars(error).values())), KEY)
    assert KEY[:12] not in f"{error} {vars(error)}", "a half is left of a secret"
    assert error.__cause__ is error.__context__ is None, "what lies behind may show it"
