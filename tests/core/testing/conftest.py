"""Fixtures of the tests of upstreams."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from modelplug.testing.websocket import WebSocketUpstream
from tests.core.testing.plain import PlainCodec


@pytest.fixture
def upstream() -> Iterator[WebSocketUpstream]:
    """A scripted service that speaks nobody's language."""
    with WebSocketUpstream(PlainCodec()) as upstream:
        yield upstream
