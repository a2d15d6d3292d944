"""What a codec is given."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from modelplug import Delta, Finish
from modelplug.testing import Codec, Fail, Gate, HangUp, Message, Noise, RawRequest, Step
from modelplug.testing.codec import said
from tests.core.testing.plain import PlainCodec

REQUEST = RawRequest(
    method="POST",
    target="/v1/chat?key=s%2Fcret",
    headers={"authorization": "s/cret"},
    body=b"hi",
)


def test_a_request_knows_its_path_and_query() -> None:
    """The query as it came."""
    assert (REQUEST.path, REQUEST.query) == ("/v1/chat", "key=s%2Fcret")


def test_a_request_shows_no_credential() -> None:
    """They may be in its target and in its headers."""
    assert repr(REQUEST) == "RawRequest(method='POST', body=b'hi')"


def test_a_codec_is_known_by_its_methods() -> None:
    """Nothing has to be inherited."""
    codec: Codec = PlainCodec()
    assert codec.encoder(REQUEST).noise() == [b"{}"]


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("a", ["delta a"]),
        (Delta("b"), ["delta b"]),
        (Finish("length"), ["finish length"]),
        (Fail("server"), ["fail server"]),
        (Noise(), ["noise"]),
        (Message(b"m"), []),
        (Gate("on"), []),
        (HangUp(), []),
    ],
    ids=str,
)
def test_a_step_is_said_in_an_encoders_words(step: Step, words: Sequence[str]) -> None:
    """One that it has none for says nothing."""
    assert words == [*said(step, Words())]


class Words:
    """Names what it is asked to say."""

    def delta(self, delta: Delta) -> Sequence[str]:
        """A piece."""
        return [f"delta {delta.text}"]

    def finish(self, finish: Finish) -> Sequence[str]:
        """An end."""
        return [f"finish {finish.reason}"]

    def fail(self, fail: Fail) -> Sequence[str]:
        """A failure."""
        return [f"fail {fail.kind}"]

    def noise(self) -> Sequence[str]:
        """Nothing."""
        return ["noise"]
