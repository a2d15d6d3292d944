"""Hears all that comes out while a test runs, through whatever channel, and searches it.

It stands in the product's way nowhere: a test may ask, catch and drop as it likes. An error is
looked at when it dies, or at the end of the test, so that nothing lives longer for being seen.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import time
import warnings
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, TextIO

import pytest

from modelplug import ModelStream, ProxyLLMClient, ProxyLLMError, Secret
from modelplug.output import Answer
from modelplug.params import ProxyModelParameters
from modelplug_spark import client as spark_client
from modelplug_spark.signing import Signed, sign
from tests.faults.canary import Canaries, error_texts, shown, texts_within
from tests.support.spark import APP_ID, KEY, SECRET

__all__ = ["CHANNELS", "Witness"]

CHANNELS = ("stdout", "stderr", "logs", "warnings", "errors", "events", "outputs", "clients")
"""Ways in which something comes out."""

_RUN = re.compile(r"(.)\1{63,}", re.DOTALL)

_PATIENCE = 10.0
"""Seconds until another thread has looked at what it lets go; nothing is measured by it."""


class Witness:
    """What came out, by channel, and the secrets that must not be in it.

    Attributes:
        canaries: the secrets; those that are made or derived while it watches are added.
        texts: what came out, each text once.
    """

    def __init__(self, *secrets: str) -> None:
        self.canaries = Canaries(secrets)
        # All there from the beginning: a finaliser may hear something at any moment, this one too.
        self.texts: Mapping[str, set[str]] = {channel: set() for channel in CHANNELS}
        self._made: dict[int, weakref.ref[ProxyLLMError]] = {}
        self._clients: list[weakref.ref[ProxyLLMClient]] = []

    @property
    def searched(self) -> int:
        """How many texts came out."""
        return sum(map(len, self.texts.values()))

    def found(self) -> list[str]:
        """Where which secret shows."""
        return self.canaries.found({name: frozenset(each) for name, each in self.texts.items()})

    def hear(self, channel: str, texts: Iterable[str]) -> None:
        """Keep what came through a channel."""
        self.texts[channel].update(_squeezed(text) for text in texts)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Hear everything until the block is left."""
        with pytest.MonkeyPatch.context() as patch, _recorded(self):
            self._learn_secrets(patch)
            self._hear_printed(patch)
            self._hear_warnings(patch)
            self._hear_errors(patch)
            self._hear_calls(patch)
            try:
                yield
            finally:
                self._hear_of_the_rest()

    # ------------------------------------------------------------------------------ secrets

    def _learn_secrets(self, patch: pytest.MonkeyPatch) -> None:
        """Know what is told to be a secret, what one gives, and what is derived by signing."""
        make, reveal = Secret.__init__, Secret.reveal

        def made(secret: Secret, given: Any = "") -> None:
            if isinstance(given, str):
                self.canaries.add(given)
            make(secret, given)

        def revealed(secret: Secret) -> str:
            text = reveal(secret)
            self.canaries.add(text)
            return text

        def signing(*arguments: str, **more: str) -> Signed:
            signed = sign(*arguments, **more)
            self.canaries.add_query(signed.query.reveal())
            return signed

        patch.setattr(Secret, "__init__", made)
        patch.setattr(Secret, "reveal", revealed)
        patch.setattr(spark_client, "sign", signing)

    # ----------------------------------------------------------------------------- channels

    def _hear_printed(self, patch: pytest.MonkeyPatch) -> None:
        for name in ("stdout", "stderr"):
            stream: TextIO = getattr(sys, name)
            patch.setattr(stream, "write", _Tee(self, name, stream))

    def _hear_warnings(self, patch: pytest.MonkeyPatch) -> None:
        warn = warnings.warn

        def warned(
            message: Any, category: Any = None, stacklevel: int = 1, source: Any = None
        ) -> None:
            self.hear("warnings", (str(message), repr(source)))
            warn(message, category, stacklevel + 1, source)

        patch.setattr(warnings, "warn", warned)

    def _hear_errors(self, patch: pytest.MonkeyPatch) -> None:
        """Hear of ours, whoever gets them, and of any other that a test expects."""
        make, raises = ProxyLLMError.__init__, pytest.raises
        earlier = getattr(ProxyLLMError, "__del__", None)

        def made(error: ProxyLLMError, message: str, **fields: Any) -> None:
            make(error, message, **fields)
            self._made[id(error)] = weakref.ref(error)

        def died(error: ProxyLLMError) -> None:
            if id(error) in self._made:
                self.hear("errors", error_texts(error))
                self._made.pop(id(error), None)
            if earlier is not None:  # of a witness around this one
                earlier(error)

        def raising(*expected: Any, **more: Any) -> Any:
            caught = raises(*expected, **more)
            return caught if len(expected) > 1 else _Expecting(self, caught)

        patch.setattr(ProxyLLMError, "__init__", made)
        patch.setattr(ProxyLLMError, "__del__", died, raising=False)
        patch.setattr(pytest, "raises", raising)

    def _hear_of_the_rest(self) -> None:
        """Hear of errors that live still; of what dies just now, its own thread hears."""
        until = time.monotonic() + _PATIENCE
        while self._made:
            for place, made in list(self._made.items()):
                if (error := made()) is not None:
                    self.hear("errors", error_texts(error))
                    self._made.pop(place, None)
                del error
            assert time.monotonic() < until, "an error is gone that nobody has looked at"
            threading.Event().wait(0.001 if self._made else 0)

    def _hear_calls(self, patch: pytest.MonkeyPatch) -> None:
        """Hear what observers are told and outputs warn of, and what clients show of themselves."""
        begin, make = ModelStream.__init__, ProxyLLMClient.__init__

        def begun(stream: ModelStream, *arguments: Any, **more: Any) -> None:
            answer: Answer = more["answer"]

            def observer(event: object) -> None:
                self.hear("events", texts_within(event))
                self.hear("outputs", texts_within([answer.warnings, answer.request_id]))
                for client in filter(None, [made() for made in self._clients]):
                    self.hear("clients", (shown(client), shown(dict(vars(client)))))

            more["observers"] = (observer, *more.get("observers", ()))
            begin(stream, *arguments, **more)

        def made(client: ProxyLLMClient, *arguments: Any, **more: Any) -> None:
            account = {"proxy_api_key": KEY, "proxy_api_secret": SECRET, "proxy_api_app_id": APP_ID}
            more["params"] = more.get("params") or ProxyModelParameters.model_validate(account)
            make(client, *arguments, **more)
            self._clients.append(weakref.ref(client))
            params = client.params
            self.hear("clients", (repr(params), str(dict(params)), params.model_dump_json()))

        patch.setattr(ModelStream, "__init__", begun)
        patch.setattr(ProxyLLMClient, "__init__", made)


def _squeezed(text: str) -> str:
    """A long text without its long runs of one character, of which no secret is made."""
    return _RUN.sub(r"\1\1", text) if len(text) > 1 << 16 else text


class _Tee:
    """Writes to a stream, and has it heard."""

    def __init__(self, witness: Witness, name: str, stream: TextIO) -> None:
        self._witness, self._name, self._write = witness, name, stream.write

    def __call__(self, text: str) -> int:
        """Write."""
        self._witness.hear(self._name, [text])
        return self._write(text)


class _Expecting:
    """What ``pytest.raises`` gives, with an ear. A class, so that no frame of it is anywhere."""

    def __init__(self, witness: Witness, context: Any) -> None:
        self._witness, self._context = witness, context

    def __enter__(self) -> Any:
        return self._context.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        if error is not None and not isinstance(error, ProxyLLMError):  # those are heard of anyway
            self._witness.hear("errors", error_texts(error))
        suppressed: bool | None = self._context.__exit__(kind, error, traceback)
        return suppressed


class _Records(logging.Handler):
    """Has a witness hear what is logged."""

    def __init__(self, witness: Witness) -> None:
        super().__init__(logging.DEBUG)
        self._witness = witness

    def emit(self, record: logging.LogRecord) -> None:
        """Hear the message, what it is made of, and whatever else hangs on the record."""
        self._witness.hear("logs", (record.getMessage(), *texts_within(vars(record))))
        if record.exc_info and record.exc_info[1] is not None:
            self._witness.hear("logs", error_texts(record.exc_info[1]))


@contextmanager
def _recorded(witness: Witness) -> Iterator[None]:
    """Hear all loggers, those too that keep to themselves, at DEBUG."""
    root, handler = logging.getLogger(), _Records(witness)
    every = [each for each in root.manager.loggerDict.values() if isinstance(each, logging.Logger)]
    levels = {logger: logger.level for logger in (root, *every) if logger.level or logger is root}
    apart = [root, *(each for each in every if not each.propagate)]
    for logger in levels:
        logger.setLevel(logging.DEBUG)
    for logger in apart:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)
        for logger in apart:
            logger.removeHandler(handler)
