"""Whatever a client sends to the emulated service, reading it tells what it is and never raises.

An input is messages, a line each.
"""

from __future__ import annotations

from fuzz.mutation import json_lines as mutate
from modelplug_spark.frames import Misfit, decode_request, encode_request

__all__ = ["check", "mutate"]


def check(data: bytes) -> None:
    """Fail if a message is neither a request, and the same one once more, nor a misfit."""
    for message in data.split(b"\n"):
        request = decode_request(message)
        if isinstance(request, Misfit):
            assert request.reason
        else:
            assert decode_request(encode_request(request)) == request
