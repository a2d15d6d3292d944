"""Where a check's credentials turn up: in which forms they may, and where one can look."""

from __future__ import annotations

import io
import logging
import os
import pickle
import sys
import traceback
from base64 import b64decode, b64encode, urlsafe_b64encode
from binascii import Error as NoBase64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from tempfile import TemporaryFile
from urllib.parse import parse_qsl, quote, quote_plus, unquote_plus, urlsplit

from modelplug.client import ProxyLLMClient
from modelplug.conformance.harness import Account
from modelplug.conformance.lab import Lab
from modelplug.testing.exchange import Exchange

__all__ = [
    "Printed",
    "Records",
    "error_texts",
    "expect_hidden",
    "forms",
    "frame_texts",
    "on_wire",
    "printed",
    "recorded",
]


def forms(secret: str) -> set[str]:
    """The forms in which a secret may turn up: as it is, URL-encoded, hexadecimal, base64.

    Base64 is of the secret alone, or of anything that it is a part of.
    """
    raw = secret.encode()
    plain = {secret, raw.hex(), raw.hex().upper(), *_base64s(raw)}
    quoted = {
        way(each) for each in plain for way in (quote, quote_plus, lambda text: quote(text, ""))
    }
    return plain | quoted


def _base64s(raw: bytes) -> Iterator[str]:
    """What base64 has of ``raw`` whatever stands around it, which depends on where it begins."""
    for before, first in ((0, 0), (1, 2), (2, 3)):
        last = (before + len(raw)) * 8 // 6
        for encode in (b64encode, urlsafe_b64encode):
            yield encode(b"\0" * before + raw).decode()[first:last]


def expect_hidden(lab: Lab, places: Mapping[str, str], account: Account | None = None) -> None:
    """No place shows the key or the secret of an account, this check's if it isn't said.

    Raises:
        Violation: one does; the message says which, and not what stands there.
    """
    account = account or lab.account
    for what, secret in (("the key", account.api_key), ("the secret", account.api_secret)):
        lab.expect.absent(what, forms(secret), dict(places))


# --------------------------------------------------------------------------- places to look at


def error_texts(error: BaseException) -> Mapping[str, str]:
    """All that an error can tell, by where it tells it."""
    places: dict[str, str] = {}
    seen: list[BaseException] = []
    part: BaseException | None = error
    while part is not None and part not in seen:
        seen.append(part)
        part = part.__cause__ or part.__context__
    for part in seen:
        name = type(part).__name__
        places |= {
            f"the text of {name}": f"{part} {part!r} {part.args!r}",
            f"the fields of {name}": repr(
                {name: its for name, its in vars(part).items() if name != "__notes__"}
            ),
            f"the notes of {name}": repr(getattr(part, "__notes__", ())),
            f"the traceback of {name}": "".join(traceback.format_exception(part)),
        }
        with suppress(Exception):
            places[f"the pickle of {name}"] = pickle.dumps(part, protocol=0).decode("latin-1")
    return places


def frame_texts(error: BaseException, client: ProxyLLMClient) -> Mapping[str, str]:
    """The locals of the plugin's own frames, as collectors of crashes print them."""
    folder = _folder(client)
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    return {
        f"{local} of {frame.name}, line {frame.lineno} of {Path(frame.filename).name}": text
        for frame in told.stack
        if frame.filename.startswith(folder)
        for local, text in (frame.locals or {}).items()
    }


def _folder(client: ProxyLLMClient) -> str:
    """Where the plugin's modules are."""
    module = type(client).__module__
    top = getattr(sys.modules[module.partition(".")[0]], "__file__", None)
    return str(Path(top or str(sys.modules[module].__file__)).parent)


class Records(logging.Handler):
    """Log records of all threads but the kit's own service."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: dict[str, str] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what a record says."""
        if record.threadName == "modelplug-upstream":
            return
        failure = record.exc_info[1] if record.exc_info else None
        told = "".join(traceback.format_exception(failure)) if failure else ""
        place = f"a {record.levelname} record of the logger {record.name}"
        text = f"{record.getMessage()} {record.args!r} {vars(record)!r} {told}"
        self.texts[place] = self.texts.get(place, "") + text


@contextmanager
def recorded(level: int) -> Iterator[Records]:
    """What anybody logs at ``level`` or above while the block runs."""
    records = Records()
    root = logging.getLogger()
    before = root.level
    loggers = [root, *_of_their_own()]
    for logger in loggers:
        logger.addHandler(records)
    root.setLevel(level)
    try:
        yield records
    finally:
        root.setLevel(before)
        for logger in loggers:
            logger.removeHandler(records)


def _of_their_own() -> list[logging.Logger]:
    """Loggers that pass nothing on to the root."""
    every = logging.getLogger().manager.loggerDict.values()
    return [each for each in every if isinstance(each, logging.Logger) and not each.propagate]


class Printed:
    """What was written to standard output and standard error; there once the block is over."""

    text = ""


@contextmanager
def printed() -> Iterator[Printed]:
    """Collect what is written to them, by Python or past it."""
    found, python = Printed(), io.StringIO()
    with TemporaryFile() as file:
        saved = [(number, os.dup(number)) for number in (1, 2)]
        try:
            for number, _ in saved:
                os.dup2(file.fileno(), number)
            with redirect_stdout(python), redirect_stderr(python):
                yield found
        finally:
            for number, copy in saved:
                os.dup2(copy, number)
                os.close(copy)
            file.seek(0)
            found.text = python.getvalue() + file.read().decode(errors="replace")


# --------------------------------------------------------------------------- what the service got


def on_wire(exchanges: Sequence[Exchange]) -> str:
    """All that a service was sent, and what is encoded in it."""
    parts: list[str] = []
    for each in exchanges:
        parts += [each.target, unquote_plus(each.target), *each.headers.values()]
        parts += [message.decode(errors="replace") for message in each.messages]
        values = [value for _, value in parse_qsl(urlsplit(each.target).query)]
        words = [word for value in (*values, *each.headers.values()) for word in value.split()]
        parts += filter(None, map(_from_base64, words))
    return "\n".join(parts)


def _from_base64(text: str) -> str:
    with suppress(NoBase64, ValueError):
        return b64decode(text, validate=True).decode()
    return ""
