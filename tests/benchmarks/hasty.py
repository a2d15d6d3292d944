"""A client that reads the first delta and calls it an answer."""

from __future__ import annotations

from benchmarks.clients.ours import Spark


class Hasty(Spark):
    async def ask(self) -> int:
        """The characters of the first delta."""
        pieces = self.pieces()
        try:
            return len(await anext(pieces))
        finally:
            await pieces.aclose()
