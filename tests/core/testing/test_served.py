"""What scripted services share that listen."""

from __future__ import annotations

import pytest

from modelplug import WrongUseError
from modelplug.testing.http import HttpUpstream
from modelplug.testing.served import ServedUpstream
from modelplug.testing.websocket import WebSocketUpstream
from tests.core.testing.plain import PlainCodec


@pytest.mark.parametrize(
    ("kind", "scheme"), [(HttpUpstream, "https"), (WebSocketUpstream, "wss")], ids=["http", "ws"]
)
def test_it_is_at_its_address_while_it_is_entered(
    kind: type[HttpUpstream] | type[WebSocketUpstream], scheme: str
) -> None:
    """Over TLS with an authority of its own."""
    upstream: ServedUpstream = kind(PlainCodec(), tls=True)
    with pytest.raises(WrongUseError):
        _ = upstream.url
    with upstream:
        assert upstream.url.startswith(f"{scheme}://127.0.0.1:")
        assert upstream.ca_file
        assert (len(upstream.exchanges), upstream.connection_count) == (0, 0)
    assert upstream.ca_file is None
