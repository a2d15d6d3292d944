"""What a codec is given."""

from __future__ import annotations

from modelplug.testing import Codec, RawRequest
from tests.core.testing.plain import PlainCodec

REQUEST = RawRequest(
    target="/v1/chat?key=s%2Fcret", headers={"authorization": "s/cret"}, body=b"hi"
)


def test_a_request_knows_its_path_and_query() -> None:
    """The query as it came."""
    assert (REQUEST.path, REQUEST.query) == ("/v1/chat", "key=s%2Fcret")


def test_a_request_shows_no_credential() -> None:
    """They may be in its target and in its headers."""
    assert repr(REQUEST) == "RawRequest(body=b'hi')"


def test_a_codec_is_known_by_its_methods() -> None:
    """Nothing has to be inherited."""
    codec: Codec = PlainCodec()
    assert codec.encoder(REQUEST).noise() == [b"{}"]
