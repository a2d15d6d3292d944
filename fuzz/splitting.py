"""The ways in which the bytes of one stream can come, which are to make no difference."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from zlib import crc32

__all__ = ["splits"]

_SPLITS = 4
"""Splits by chance; which they are is the input's own, so that a find stays one."""


def splits(data: bytes) -> Iterator[list[bytes]]:
    """All at once, byte by byte, and in some other pieces; none of a piece is empty."""
    yield [data] if data else []
    yield [data[at : at + 1] for at in range(len(data))]
    random = Random(crc32(data))
    for _ in range(_SPLITS):
        borders = sorted(random.sample(range(1, len(data)), min(len(data) - 1, 3))) if data else []
        ends = zip([0, *borders], [*borders, len(data)], strict=True)
        yield [data[begin:end] for begin, end in ends]
