"""What every scripted service has, whatever its wire."""

from __future__ import annotations

from typing import ClassVar

import pytest

from modelplug.testing import Garbage, Gate, Upstream
from modelplug.testing.http import HttpUpstream
from modelplug.testing.inprocess import InProcessUpstream
from modelplug.testing.websocket import WebSocketUpstream
from tests.core.testing.plain import PlainCodec


class Wordless(WebSocketUpstream):
    """A service that has no place for gates, nor for one kind of garbage."""

    lacks: ClassVar = {Gate: "it waits for nobody", (Garbage, "opcode"): "it has no frames"}


def test_a_step_that_a_wire_lacks_is_told_by_its_reason() -> None:
    """So that a check can say why it doesn't apply."""
    upstream: Upstream = Wordless(PlainCodec())
    told = [upstream.cannot(step) for step in (Gate("a"), Garbage("opcode"), Garbage("text"))]
    assert told == ["it waits for nobody", "it has no frames", ""]


def test_such_a_step_is_not_played() -> None:
    """A script that would stop halfway is refused before anybody asks."""
    with Wordless(PlainCodec()) as upstream, pytest.raises(ValueError, match="waits for nobody"):
        upstream.play("a", Gate("b"))


def test_what_a_client_meets_first_is_told() -> None:
    """A check asks for that, and not for a protocol."""
    kinds: list[type[Upstream]] = [WebSocketUpstream, HttpUpstream, InProcessUpstream]
    told = [(kind.wired, kind.handshakes) for kind in kinds]
    assert told == [(True, True), (True, False), (False, False)]
