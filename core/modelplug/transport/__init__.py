"""What providers share below their protocols: addresses, TLS, sockets, and two shells.

``modelplug.transport.websocket`` needs the ``websocket`` extra, ``modelplug.transport.http``
the ``http`` extra. What is here costs nothing to import: no asyncio, no ssl, no library.
"""

from __future__ import annotations

from modelplug.transport.endpoint import Endpoint
from modelplug.transport.headers import header_fault
from modelplug.transport.retry_after import parse_retry_after
from modelplug.transport.tls import tls_context

__all__ = ["Endpoint", "header_fault", "parse_retry_after", "tls_context"]
