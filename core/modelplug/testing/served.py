"""A scripted service that listens: what those of all protocols share."""

from __future__ import annotations

from typing import Any, Self

from modelplug.testing.codec import Codec
from modelplug.testing.exchange import Exchanges
from modelplug.testing.faults import Faults
from modelplug.testing.server import Server
from modelplug.testing.upstream import Upstream

__all__ = ["ServedUpstream"]


class ServedUpstream(Upstream):
    """A scripted service with a server of its own, while it is entered.

    Args:
        codec: says things as the provider's service would.
        server: entered and left with it.
    """

    def __init__(self, codec: Codec, server: Server[Any]) -> None:
        super().__init__(codec)
        self._server = server

    def __enter__(self) -> Self:
        """Serve.

        Raises:
            MissingDependencyError: a certificate is wanted, and trustme isn't installed.
            OSError: there is no such address here, or it is taken.
            WrongUseError: it is entered already.
        """
        self._server.__enter__()
        return self

    def _stop(self) -> Faults:
        return self._server.stop()

    @property
    def url(self) -> str:
        """Its origin, such as ``ws://127.0.0.1:49152``.

        Raises:
            WrongUseError: it isn't entered.
        """
        return self._server.url

    @property
    def ca_file(self) -> str | None:
        """The authority of its own certificate, a PEM file, if it made one."""
        return self._server.ca_file

    @property
    def exchanges(self) -> Exchanges:
        """What it saw, in order."""
        return self._server.exchanges

    @property
    def connection_count(self) -> int:
        """How many connections are open: over HTTP also those on which nothing is asked now."""
        return self._server.connection_count

    def _refuse(self, *, refusing: bool) -> None:
        self._server.refuse(refusing=refusing)
