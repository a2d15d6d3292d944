"""Clients in a hurry: one takes the first delta for an answer, one is gone at once."""

from __future__ import annotations

import sys
from typing import NoReturn

from benchmarks.clients.ours import Spark


class Hasty(Spark):
    async def ask(self) -> int:
        """The characters of the first delta."""
        pieces = self.pieces()
        try:
            return len(await anext(pieces))
        finally:
            await pieces.aclose()


def leave(port: int, *, tls: bool) -> NoReturn:
    """End the process, and well."""
    del port, tls
    sys.exit()
