"""A Spark client of a service that a test plays."""

from __future__ import annotations

from modelplug import ProxyLLMClient, new_client
from modelplug.testing.websocket import WebSocketUpstream

APP_ID, KEY, SECRET = "12345678", "key-0123456789abcdef+/=", "secret-0123456789abcdef+/="
"""An account whose secrets' encoded forms all differ from the raw ones."""

NOWHERE = "ws://127.0.0.1:1"
"""Where nobody listens: for clients that are never to ask."""


def client_of(
    service: WebSocketUpstream | str, config: str = "spark", **more: object
) -> ProxyLLMClient:
    """A client of an upstream, or of whatever is at a URL."""
    url = service if isinstance(service, str) else service.url
    account = {"api_app_id": APP_ID, "api_key": KEY, "api_secret": SECRET}
    return new_client({"backend": config, "api_base": url, **account, **more})
