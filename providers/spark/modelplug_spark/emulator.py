"""A local Spark: the service of ``service.py`` behind a real WebSocket, for demos and tests.

::

    async with SparkEmulator() as emulator:
        print(emulator.describe()["url"])

    with SparkEmulator(pace=0).running() as emulator:  # in a thread of its own
        os.environ.update(emulator.environment())
        print(new_client("spark:lite").sync_generate("Hello").text)

It behaves as the public hosts do (section 4.6 of the protocol notes): one question and one
answer a connection, then close 1000; a client that asks nothing is let go after a minute.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import Self
from urllib.parse import urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from modelplug import WrongUseError
from modelplug_spark.gateway import Account
from modelplug_spark.service import Settings, SparkService

__all__ = ["SparkEmulator"]

_IDLE_SECONDS = 60.0

_MAX_BYTES = 16 * 2**20
"""Of a question: the longest context has 128 K tokens, an image in base64 has 5.6 MB."""

# The library would log request lines, and a Spark URL holds a key and a signature. No logger of
# the tree: an app's own logging configuration may switch those on again.
_SILENT = logging.Logger("modelplug_spark.emulator.websockets")  # noqa: LOG001  # see above
_SILENT.disabled = True


class SparkEmulator:
    """A Spark service on this machine; it serves while it is entered.

    Args:
        host: the address to listen on.
        port: 0 takes any free one.
        app_id, api_key, api_secret: the one account that is let in; None makes one up.
        pace: seconds between two frames of an answer.
        empty_last, bare_sources, strict_host, strict_uid: see service.Settings.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        app_id: str | None = None,
        api_key: str | None = None,
        api_secret: str | None = None,
        pace: float = 0.02,
        empty_last: bool = False,
        bare_sources: bool = False,
        strict_host: bool = False,
        strict_uid: bool = False,
    ) -> None:
        self._host = host
        self._port = port
        self._pace = pace
        self._account = Account(
            app_id=app_id or secrets.token_hex(4),
            api_key=api_key or secrets.token_hex(16),
            api_secret=api_secret or secrets.token_urlsafe(24),
        )
        self._service = SparkService(
            Settings(
                account=self._account,
                empty_last=empty_last,
                bare_sources=bare_sources,
                strict_host=strict_host,
                strict_uid=strict_uid,
            )
        )
        self._server: Server | None = None

    def describe(self) -> Mapping[str, str]:
        """``url`` (an origin, to which a model's path is added) and the account.

        Raises:
            WrongUseError: it isn't entered.
        """
        if self._server is None:
            raise WrongUseError("the emulator has no address before it is entered")
        host, port = self._server.sockets[0].getsockname()[:2]
        return {
            "url": f"ws://[{host}]:{port}" if ":" in host else f"ws://{host}:{port}",
            "app_id": self._account.app_id,
            "api_key": self._account.api_key,
            "api_secret": self._account.api_secret,
        }

    def environment(self) -> Mapping[str, str]:
        """The variables that make ``new_client("spark")`` talk to it.

        Raises:
            WrongUseError: it isn't entered.
        """
        told = self.describe()
        return {
            "XUNFEI_SPARK_APPID": told["app_id"],
            "XUNFEI_SPARK_API_KEY": told["api_key"],
            "XUNFEI_SPARK_API_SECRET": told["api_secret"],
            "XUNFEI_SPARK_API_BASE": told["url"],
        }

    async def __aenter__(self) -> Self:
        """Listen."""
        self._server = await serve(
            self._converse,
            self._host,
            self._port,
            process_request=self._admit,
            compression=None,  # offered by clients and not needed (section 4.6)
            ping_interval=None,  # not documented for the service
            close_timeout=1,
            max_size=_MAX_BYTES,
            server_header=None,
            logger=_SILENT,
        )
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Let every client go, with 1001, and stop listening."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    @contextmanager
    def running(self) -> Iterator[Self]:
        """Serve from a thread and a loop of its own, for those who have no loop."""
        started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

        async def run() -> None:
            """Serve until told to stop."""
            stop = asyncio.Event()
            async with self:
                started.set_result((asyncio.get_running_loop(), stop))
                await stop.wait()

        def on_own_loop() -> None:
            """What the thread does."""
            try:
                asyncio.run(run())
            except OSError as error:  # no such address, or the port is taken
                started.set_exception(error)
            finally:
                started.cancel()  # only if it is still open: nobody shall wait for nothing

        thread = threading.Thread(target=on_own_loop, name="spark-emulator", daemon=True)
        thread.start()
        loop, stop = started.result()
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join()

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        url = urlsplit(request.path)
        refused = self._service.authorize(
            url.path, url.query, request.headers.get("Host", ""), time.time()
        )
        if refused is None:
            return None
        body = json.dumps({"message": refused.message})
        response = connection.respond(HTTPStatus(refused.status), body)
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = "application/json; charset=utf-8"
        return response

    async def _converse(self, connection: ServerConnection) -> None:
        """One question, one answer; a client that goes away ends it at once."""
        path = urlsplit(connection.request.path).path if connection.request else ""
        try:
            async with asyncio.timeout(_IDLE_SECONDS):
                question = await connection.recv(decode=False)
            for frame in self._service.answer(path, question, time.time()):
                await connection.send(frame, text=True)
                await self._pause(connection)
        except (TimeoutError, ConnectionClosed):
            pass
        await connection.close(1000, "close this ws conn")

    async def _pause(self, connection: ServerConnection) -> None:
        """Wait between two frames, but not for a client that has gone."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._pace):
                await connection.wait_closed()
