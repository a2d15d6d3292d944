"""A local Spark: ``emulation/service.py`` behind a real WebSocket, for demos and tests.

::

    with SparkEmulator(pace=0, per_second=2) as emulator:
        client = new_client("spark:lite", **emulator.params())
        print(client.sync_generate("Hello").text)

        emulator.play("Hel", Reset())  # the next answer, see modelplug.testing
        ...

It behaves as the public hosts do (section 4.6 of the protocol notes): one question and one
answer a connection, then close 1000; a client that asks nothing is let go after a minute.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel

from modelplug.testing import RawRequest, Status
from modelplug.testing.websocket import Connection, WebSocketUpstream
from modelplug_spark.codec import SparkCodec
from modelplug_spark.emulation.engine import Frame
from modelplug_spark.emulation.gateway import Account
from modelplug_spark.emulation.service import Answer, Settings, SparkService
from modelplug_spark.emulation.settings import EmulatorSettings

__all__ = ["SparkEmulator"]

_GOODBYE = "close this ws conn"
"""The real service's words (L-HMOS)."""


class SparkEmulator(WebSocketUpstream):
    """A Spark service on this machine; it serves while it is entered, in a thread of its own.

    Args:
        host: the address to listen on.
        port: 0 takes any free one.
        app_id, api_key, api_secret: the one account that is let in; None makes one up.
        switches: fields of ``EmulatorSettings``, by keyword.

    Raises:
        ValidationError: pydantic's, a ValueError, for a switch that there isn't, or a bad value.
    """

    settings: ClassVar[type[BaseModel]] = EmulatorSettings

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        app_id: str | None = None,
        api_key: str | None = None,
        api_secret: str | None = None,
        **switches: Any,
    ) -> None:
        self._account = Account(
            app_id=app_id or secrets.token_hex(4),
            api_key=api_key or secrets.token_hex(16),
            api_secret=api_secret or secrets.token_urlsafe(24),
        )
        chosen = EmulatorSettings.model_validate(switches)
        settings = Settings(**chosen.model_dump(), account=self._account)
        self._pace = settings.pace
        self._service = SparkService(settings)
        super().__init__(
            SparkCodec(), host=host, port=port, tls=settings.tls, patience=settings.patience
        )

    def describe(self) -> Mapping[str, str]:
        """``url`` (an origin, to which a model's path is added), the account, and ``ca_file``.

        Raises:
            WrongUseError: it isn't entered.
        """
        told = {
            "url": self.url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:"),
            "app_id": self._account.app_id,
            "api_key": self._account.api_key,
            "api_secret": self._account.api_secret,
        }
        return {**told, "ca_file": self.ca_file} if self.ca_file else told

    def environment(self) -> Mapping[str, str]:
        """The variables that make ``new_client("spark")`` talk to it, in a new process.

        Raises:
            WrongUseError: it isn't entered.
        """
        told = self.describe()
        variables = {
            "XUNFEI_SPARK_APPID": told["app_id"],
            "XUNFEI_SPARK_API_KEY": told["api_key"],
            "XUNFEI_SPARK_API_SECRET": told["api_secret"],
            "XUNFEI_SPARK_API_BASE": told["url"],
        }
        # OpenSSL's own variable: a context reads it when it is made.
        return {**variables, "SSL_CERT_FILE": self.ca_file} if self.ca_file else variables

    def params(self) -> Mapping[str, str]:
        """The arguments that make ``new_client("spark", **params)`` talk to it.

        Raises:
            WrongUseError: it isn't entered.
        """
        told = self.describe()
        return {
            "proxy_api_base": told["url"],
            "proxy_api_app_id": told["app_id"],
            "proxy_api_key": told["api_key"],
            "proxy_api_secret": told["api_secret"],
        }

    def admit(self, request: RawRequest) -> Status | None:
        """Verify the signature."""
        host = request.headers.get("host", "")
        refused = self._service.authorize(request.path, request.query, host, time.time())
        if refused is None:
            return None
        body = json.dumps({"message": refused.message})
        kind = "application/json; charset=utf-8"
        return Status(refused.status, body, headers={"Content-Type": kind})

    async def answer(self, connection: Connection, request: RawRequest) -> None:
        """Answer a question, and close as the service does."""
        answer = self._service.ask(request.path, request.body, time.time())
        try:
            await self._tell(connection, answer)
        finally:
            self._service.done(answer)
        if answer.close == "frame":
            await self.leave(connection)
        elif answer.close == "cut":
            connection.finish()

    async def leave(self, connection: Connection) -> None:
        """Close with 1000, in the service's words."""
        await connection.close(1000, _GOODBYE)

    async def _tell(self, connection: Connection, answer: Answer) -> None:
        for number, frame in enumerate(answer.frames):
            pace = self._pace if number and frame.paced else 0
            await self._wait(connection, frame.after + pace)
            await _send(connection, frame)

    async def _wait(self, connection: Connection, seconds: float) -> None:
        """Let time pass; who asks again meanwhile is told to wait (10007)."""
        until = asyncio.get_running_loop().time() + seconds
        while True:
            try:
                async with asyncio.timeout_at(until):
                    request = await connection.receive()
            except TimeoutError:
                return
            await _send(connection, self._service.busy(request.body, time.time()))


async def _send(connection: Connection, frame: Frame) -> None:
    await connection.write(*connection.message_frames(frame.message))
