"""Counting tokens: the interface, and what a count says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

__all__ = ["ProxyTokenizer", "TokenCount"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenCount:
    """A number of tokens, and how far it can be trusted.

    Attributes:
        n: tokens; -1 when nothing here can count them.
        exact: whether it is the count that the service would make.
        method: what counted.
    """

    n: int
    exact: bool
    method: str


@runtime_checkable
class ProxyTokenizer(Protocol):
    """Counts tokens for a model, under DB-GPT's name.

    It is called off the event loop, may take its time and may raise; it never goes to the
    network.
    """

    def count_token(self, model_name: str, prompts: Sequence[str]) -> Sequence[int]:
        """Tokens of each prompt; -1 for one that can't be counted."""
        ...  # pragma: no cover
