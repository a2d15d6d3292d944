"""What providers share below their protocols: addresses, TLS, sockets, the WebSocket shell.

The shell is in ``modelplug.transport.websocket`` and needs the ``websocket`` extra. What is
here costs nothing to import: no asyncio, no ssl, no websockets.
"""

from __future__ import annotations

from modelplug.transport.endpoint import Endpoint
from modelplug.transport.retry_after import parse_retry_after
from modelplug.transport.tls import tls_context

__all__ = ["Endpoint", "parse_retry_after", "tls_context"]
