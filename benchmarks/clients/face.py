"""What all clients look like to the programs: one answer, as an iterator of pieces of text.

Everybody is read through the same generator, which costs each of them the same 0.05 to 0.1 us a
piece; so ratios lie a little nearer to 1 than they are.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Generator
from typing import TypeAlias

__all__ = ["AnyClient", "AsyncClient", "SyncClient"]


class AsyncClient(ABC):
    """A client that is awaited.

    Args:
        port: of the server, on 127.0.0.1.
        tls: whether to connect with it.
    """

    def __init__(self, port: int, *, tls: bool = False) -> None:
        self.port = port
        self.tls = tls

    @abstractmethod
    def pieces(self) -> AsyncGenerator[str]:
        """Ask, and give the answer's text piece by piece, each as it comes."""

    async def ask(self) -> int:
        """The characters of one answer, all of them read."""
        return sum([len(piece) async for piece in self.pieces()])

    async def first(self) -> float:
        """Seconds from the question to the first piece; the answer is read to its end."""
        began, came = time.perf_counter(), 0.0
        async for _ in self.pieces():
            came = came or time.perf_counter()
        return came - began

    async def close(self) -> None:
        """Let go of whatever it keeps."""
        return


class SyncClient(ABC):
    """A client that blocks. Arguments and methods are those of ``AsyncClient``."""

    shared = True
    """Whether one serves many threads; else each thread gets its own."""

    def __init__(self, port: int, *, tls: bool = False) -> None:
        self.port = port
        self.tls = tls

    @abstractmethod
    def pieces(self) -> Generator[str]:
        """Ask, and give the answer's text piece by piece, each as it comes."""

    def ask(self) -> int:
        """The characters of one answer, all of them read."""
        return sum([len(piece) for piece in self.pieces()])

    def first(self) -> float:
        """Seconds from the question to the first piece; the answer is read to its end."""
        began, came = time.perf_counter(), 0.0
        for _ in self.pieces():
            came = came or time.perf_counter()
        return came - began

    def close(self) -> None:
        """Let go of whatever it keeps."""
        return


AnyClient: TypeAlias = AsyncClient | SyncClient
