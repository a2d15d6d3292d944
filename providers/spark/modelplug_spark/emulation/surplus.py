"""Fields of a message that no documentation has; whether those are refused is open (section 11.2).

The service's schema isn't public, so the frames' types stand in for it, with what was documented
once or for other models.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from modelplug_spark.frames import Request

__all__ = ["surplus"]

_OTHERS = frozenset(f"$.parameter.chat.{name}" for name in ("random_threshold", "show_ref_label"))
"""Documented, and without effect here (section 3.2)."""


def surplus(message: bytes, request: Request) -> Iterator[str]:
    """The JSON paths of such fields.

    Args:
        message: as it came.
        request: the same, decoded, which has the known fields alone.
    """
    try:
        whole: object = msgspec.json.decode(message)
        found = list(_beyond(whole, msgspec.to_builtins(request), "$"))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        found = ["$"]  # what decoding skipped can't be read, and it skips unknown fields alone
    yield from found


def _beyond(whole: object, known: object, path: str) -> Iterator[str]:
    if isinstance(whole, dict) and isinstance(known, dict):
        for name, value in whole.items():
            inner = f"{path}.{name}"
            if name in known:
                yield from _beyond(value, known[name], inner)
            elif inner not in _OTHERS:
                yield inner
    elif isinstance(whole, list) and isinstance(known, list):
        for number, (value, same) in enumerate(zip(whole, known, strict=True)):
            yield from _beyond(value, same, f"{path}[{number}]")
