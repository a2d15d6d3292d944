"""The paragraph that the emulated service answers with."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelplug_spark.emulation.answers import chunks, compose, cut, tokens
from modelplug_spark.frames import Turn

DOCUMENT = """
# Tin robots

A robot of tin is a robot. Robots of tin rust; robots of brass shine.
""".strip()


def answered(*contents: str | None, system: str | None = None, **settings: float) -> str:
    """The answer to these messages, of which the last is the question."""
    turns = [Turn(role="user", content=content) for content in contents]
    if system is not None:
        turns.insert(0, Turn(role="system", content=system))
    return compose(turns, product="Spark Max", domain="generalv3.5", settings=settings)


def test_a_question_is_repeated() -> None:
    """Who asks sees that it arrived, and what was asked of whom."""
    expected = (
        "This is the local stand-in of Spark Max (generalv3.5); no model thinks here. "
        "Messages received: 1, with 12 characters in all. "
        "The question was: “How are you?”"
    )
    assert expected == answered("How are you?")


def test_a_chinese_question_has_a_chinese_answer() -> None:
    """The same in the question's language."""
    expected = (
        "这里是Spark Max（generalv3.5）的本地替身，没有真正的模型在思考。"
        "一共收到1条消息、4个字符。你的问题是：“你好吗？”"
    )
    assert expected == answered("你好吗？")


@pytest.mark.parametrize(
    ("question", "beginning"),
    [
        ("What does 模型 mean in this place?", "This"),
        ("API 是什么意思呢？", "这里"),
        ("😀", "This"),
        ("", "This"),
        (" \n" * 200, "This"),
        ("これはなんですか", "This"),
    ],
)
def test_the_script_of_the_question_decides(question: str, beginning: str) -> None:
    """A foreign word changes nothing."""
    assert answered(question).startswith(beginning)


def test_settings_and_system_message_are_told() -> None:
    """What was configured is seen to arrive."""
    text = answered("Hi", system="Be  brief.\n", temperature=0.2, max_tokens=100)
    assert "(generalv3.5), temperature 0.2, max_tokens 100;" in text
    assert "The system message says: “Be brief.”" in text


@pytest.mark.parametrize(
    "message",
    [
        f"What is it about?\n\n{DOCUMENT}\n{'.' * 300}",
        f"{DOCUMENT}\n{'.' * 300}\n\nWhat is it about?",
    ],
    ids=["question first", "question last"],
)
def test_a_text_is_described(message: str) -> None:
    """Size, heading, and the words that matter; the question is told apart from it."""
    text = answered(message)
    assert "brings a text of 4 lines and 17 words, headed “Tin robots”" in text
    assert "most frequent words are robots (3), robot (2). " in text
    assert text.endswith("The question was: “What is it about?”")


def test_the_question_stands_behind_the_files() -> None:
    """Whether it is one or an order: as the command line puts them together."""
    text = answered(f"File: robots.md\n{DOCUMENT}\n{'.' * 300}\n\nSum it up in a word.")
    assert "headed “Tin robots”" in text
    assert text.endswith("The question was: “Sum it up in a word.”")


def test_a_chinese_text_is_described() -> None:
    """By pairs of characters, for want of words."""
    text = answered("这篇文章讲了什么？\n\n# 机器人\n" + "机器人会生锈。\n" * 60)
    assert "带来一篇61行、363个词的文字，标题是“机器人”，最常见的词是机器（61）、器人（61）" in text


@pytest.mark.parametrize("message", ["word " * 100, "\n".join("abcdef"), "#\n" * 9], ids=repr)
def test_a_text_without_a_question_is_described_too(message: str) -> None:
    """The first line stands for what was asked."""
    assert "brings a text" in answered(message)


def test_words_of_no_meaning_are_left_out() -> None:
    """Neither short words nor those of every text."""
    text = answered("Look?\n" + "this that with from tin a1b2 robots robots\n" * 10)
    assert "words are robots (20). " in text


def test_an_answer_is_the_same_twice() -> None:
    """Tests can rely on it."""
    assert answered(DOCUMENT * 9) == answered(DOCUMENT * 9)


@given(st.lists(st.none() | st.text() | st.text("a?\n# 中\u2028", max_size=400), min_size=1))
def test_any_conversation_has_an_answer(contents: list[str | None]) -> None:
    """Nothing in a text is too odd to be described."""
    assert answered(*contents)


@pytest.mark.parametrize(
    ("text", "count"),
    [("", 0), ("一二三", 2), ("one two three four", 5), ("一 one", 2), ("...", 0), ("你好", 2)],
)
def test_tokens_are_counted_by_the_official_ratio(text: str, count: int) -> None:
    """1.5 Chinese characters or 0.8 words each, rounded up."""
    assert count == tokens(text)


@given(st.text(), st.integers(1, 50))
def test_a_cut_is_the_longest_beginning_within_the_limit(text: str, limit: int) -> None:
    """But one character at the least."""
    kept = cut(text, limit)
    assert text.startswith(kept)
    assert tokens(kept) <= limit or len(kept) == 1
    assert kept == text or len(kept) == 1 or tokens(text[: len(kept) + 1]) > limit


@pytest.mark.row("4.1 recorded answer")
def test_chunks_grow_as_they_were_recorded() -> None:
    """One character, then four to eight, then more."""
    sizes = [len(chunk) for chunk in chunks("x" * 120)]
    assert sizes == [1, 4, 6, 8, 5, 7, 12, 16, 20, 24, 17]


@given(st.text())
def test_chunks_make_the_whole(text: str) -> None:
    """None is empty, nothing is lost."""
    pieces = [*chunks(text)]
    assert (text, True) == ("".join(pieces), all(pieces))


def test_a_real_file_can_be_asked_about() -> None:
    """This one."""
    source = Path(__file__).read_text(encoding="utf-8")
    text = answered(f"What does this file test?\n\n{source}")
    assert "“What does this file test?”" in text
    assert f"a text of {len(source.splitlines())} lines" in text
