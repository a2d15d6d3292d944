"""Codecs that are called with care."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from modelplug import Delta, Finish
from modelplug.conformance.voice import HarnessFaultError, Voice, called, kind_of, raised, where_of
from modelplug.testing import Fail, Noise
from modelplug.testing.http import HttpUpstream, ndjson
from modelplug.testing.inprocess import InProcess
from tests.core.conformance.reference import HARNESS, Codec, Encoder


class Texts(Encoder):
    """Gives texts where bytes belong."""

    def noise(self) -> Any:
        """A text."""
        return ["{}"]


class TextCodec(Codec):
    """Has such an encoder."""

    def encoder(self, request: object) -> Texts:
        """A new one."""
        return Texts()


def test_it_says_what_the_codec_says() -> None:
    """Several steps by one encoder, which may be another's."""
    voice = Voice(HARNESS)
    encoder = voice.encoder()
    assert len(voice.says(Delta("a"), Noise(), Finish(), encoder=encoder)) == 3
    assert voice.refusal(Fail("server")) == []
    assert voice.refusal(Fail("auth", message="no"))[:2] == [401, "no"]


def test_it_tells_answers_apart() -> None:
    """By what is said."""
    voice = Voice(HARNESS)
    assert voice.apart(Delta("a"), Delta("b"))
    assert not voice.apart(Delta("a"), Delta("a"))


@pytest.mark.parametrize("wire", [HARNESS.wire, partial(HttpUpstream, frame=ndjson)])
def test_on_a_wire_messages_are_bytes(wire: Any) -> None:
    """However the wire is made."""
    voice = Voice(replace(HARNESS, codec=TextCodec(), wire=wire))
    with pytest.raises(HarnessFaultError, match=r"Texts.noise .* gave a str .* are bytes"):
        voice.says(Noise())


def test_without_a_wire_they_may_be_anything() -> None:
    """As a library gives them."""
    voice = Voice(replace(HARNESS, codec=TextCodec(), wire=InProcess("library:speak")))
    assert voice.says(Noise()) == ["{}"]


def test_what_is_called_and_raises_is_named() -> None:
    """With the line of the author's, and what was asked for."""

    class Odd:
        def method(self) -> None:
            """Fails."""
            raise KeyError("x")

    with pytest.raises(HarnessFaultError, match=r"Odd.method \(test_voice.py, line \d+\) for y ra"):
        called(Odd(), "method", what="for y")
    with pytest.raises(HarnessFaultError, match="Odd has no method other"):
        called(Odd(), "other", what="")
    assert where_of(Odd(), "method").startswith("Odd.method (test_voice.py, line ")
    with pytest.raises(KeyError) as caught:
        Odd().method()
    assert raised(caught.value, Odd()).startswith("KeyError at test_voice.py, line ")


def test_kinds_are_told_in_words() -> None:
    """Nothing is None."""
    assert [kind_of(None), kind_of(b"")] == ["None", "a bytes"]
