"""What needs no server: listing what is installed, and counting tokens."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from benchmarks.case import Case, Program, Reading, Setting, Subject
from benchmarks.measure import Meter
from benchmarks.subjects import OURS

__all__ = ["CASES"]

BACKENDS = 50
GROUP = "modelplug.backends"
HERE = "benchmarks.themes.offline"

CHINESE = range(0x4E00, 0x4E00 + 3_000)
"""Where a text's characters are drawn from."""

SYLLABLES = (
    "ka",
    "to",
    "ri",
    "mo",
    "sun",
    "ber",
    "wor",
    "ing",
    "the",
    "lan",
    "der",
    "ist",
    "e",
    "a",
)


def listing(setting: Setting) -> Reading:
    """The first listing of a process in which 50 more backends are installed."""
    found = cast("Callable[[], Callable[[], int]]", setting.make)()
    with TemporaryDirectory(prefix="benchmark-") as folder:
        for at in range(BACKENDS):
            _install(Path(folder), at)
        sys.path.append(folder)
        meter = Meter()
        count = found()
        reading = meter.reading(1)
    assert count >= BACKENDS, f"{count} found"
    return reading


def _install(folder: Path, at: int) -> None:
    """Make up a distribution that brings one backend."""
    info = folder / f"modelplug_made_up_{at}-1.0.dist-info"
    info.mkdir()
    named = f"Metadata-Version: 2.1\nName: modelplug-made-up-{at}\nVersion: 1.0\n"
    (info / "METADATA").write_text(named, "utf-8")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\nmade-up-{at} = made_up_{at}\n", "utf-8")


def our_listing() -> Callable[[], int]:
    """What lists, once it is imported."""
    from modelplug.registry import Registry

    return lambda: len(Registry().backends())


def bare_listing() -> Callable[[], int]:
    """The same with the standard library alone: names, and whose they are."""

    def listed() -> int:
        found = entry_points(group=GROUP)
        return len([(each.name, each.dist.name) for each in found if each.dist])

    return listed


def counting_words(setting: Setting) -> Reading:
    """CPU of counting a million bytes of words, after a short text to load the vocabulary."""
    return _counted(setting, _words())


def counting_chinese(setting: Setting) -> Reading:
    """The same of Chinese."""
    return _counted(setting, _chinese())


def _counted(setting: Setting, text: str) -> Reading:
    count = cast("Callable[[], Callable[[str], int]]", setting.make)()
    count("warm up")
    size = len(text.encode()) / 1e6
    meter = Meter()
    for _ in range(setting.asks):
        assert count(text) > 0
    return meter.reading(setting.asks * size)


def _words() -> str:
    """A million bytes of words, always the same."""
    draw = random.Random(1)  # noqa: S311  # any text will do, as long as it is one text
    words = ("".join(draw.choices(SYLLABLES, k=draw.randint(1, 4))) for _ in range(200_000))
    return " ".join(words)[:1_000_000]


def _chinese() -> str:
    """A million bytes of Chinese characters, a comma after every twentieth; always the same."""
    draw = random.Random(2)  # noqa: S311  # any text will do, as long as it is one text
    clauses = ("".join(map(chr, draw.choices(CHINESE, k=20))) for _ in range(15_873))
    return "，".join(clauses)


def our_counting() -> Callable[[str], int]:
    """What counts for a client."""
    from modelplug.tokens import TiktokenProxyTokenizer

    tokenizer = TiktokenProxyTokenizer()
    return lambda text: tokenizer.count_tokens("gpt-4o", [text]).n


def bare_counting() -> Callable[[str], int]:
    """Count by tiktoken, on the whole text, with the same vocabulary."""
    from modelplug.vocabulary import vocabulary

    words, _ = vocabulary("gpt-4o")
    assert words is not None
    encoding = words._encoding  # tiktoken itself would download it
    return lambda text: len(encoding.encode_ordinary(text))


def _pair(ours: str, bare: str, name: str) -> tuple[Subject, Subject]:
    return (
        Subject(name=OURS, makes=f"{HERE}:{ours}", beside=name),
        Subject(name=name, makes=f"{HERE}:{bare}", beside=name, ours=OURS),
    )


def _counting(name: str, title: str, program: Program) -> Case:
    return Case(
        name=name,
        title=title,
        note="A million bytes with o200k_base; tiktoken gets the whole text at once.",
        subjects=_pair("our_counting", "bare_counting", "tiktoken"),
        shows=("cpu", "peak"),
        per="MB",
        program=program,
        asks=2,
    )


CASES = (
    Case(
        name="listing",
        title=f"Listing {BACKENDS} more backends",
        note="The first listing of a process; no plugin is imported.",
        subjects=_pair("our_listing", "bare_listing", "importlib.metadata"),
        shows=("wall", "cpu"),
        program=listing,
    ),
    _counting("tokens", "Counting tokens of words", counting_words),
    _counting("tokens-chinese", "Counting tokens of Chinese", counting_chinese),
)
