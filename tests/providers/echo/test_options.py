"""Options of the echo backend."""

from __future__ import annotations

from modelplug_echo.options import EchoOptions


def test_defaults_change_nothing() -> None:
    """Without options echo is quick, complete and well-behaved."""
    assert EchoOptions().model_dump() == {
        "delay": 0.0,
        "fail_after": None,
        "finish_reason": "stop",
        "usage": True,
    }
