"""The emulated service's answer: a paragraph made from the question, so that input shows.

It tells what was received, in the question's language, and repeats the question. The same
conversation gives the same answer.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise, repeat

from modelplug_spark.frames import Turn
from modelplug_spark.tokens import CHINESE, WORD, tokens

__all__ = ["chunks", "compose", "cut", "tokens"]

_LONG_TEXT, _LONG_LINES = 300, 5
"""From so many characters, or lines, a message counts as a text with a question about it."""

_GIST, _QUESTION = 60, 200
"""Characters of a quotation at the most."""

_ASKING = ("?", "？")
_FILE = "File: "

# Words of every text, and of every program: they say nothing about this one.
_PLAIN = (
    "about after also because been before being both cannot could does doing each else every "
    "from have here html http https into itself just like made make many more most much must "
    "need none only onto other over same shall should some such than that their them then there "
    "these they this those through under until upon used uses using very want well were what "
    "when where which while will with within without would your yours "
    "class false import null return self true"
)
_PLAIN_WORDS = frozenset(_PLAIN.split())
_PLAIN_CHARACTERS = frozenset(
    "的了是在和有不我你他她它们这那就也都而及与或一个上下中为以于到从被把对等会能要可以其之所并但很让向给"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Phrases:
    """The sentences of an answer in one language."""

    opening: str
    setting: str
    received: str
    system: str
    text: str
    heading: str
    frequent: str
    counted: str
    between: str
    stop: str
    question: str


_ENGLISH = _Phrases(
    opening="This is the local stand-in of {product} ({domain}){settings}; no model thinks here. ",
    setting=", {name} {value:g}",
    received="Messages received: {messages}, with {characters} characters in all. ",
    system="The system message says: “{gist}”. ",
    text="The last message brings a text of {lines} lines and {words} words",
    heading=", headed “{heading}”",
    frequent="; its most frequent words are {words}",
    counted="{word} ({times})",
    between=", ",
    stop=". ",
    question="The question was: “{question}”",
)
_CHINESE_PHRASES = _Phrases(
    opening="这里是{product}（{domain}）的本地替身{settings}，没有真正的模型在思考。",
    setting="，{name} {value:g}",
    received="一共收到{messages}条消息、{characters}个字符。",
    system="系统消息说：“{gist}”。",
    text="最后一条消息带来一篇{lines}行、{words}个词的文字",
    heading="，标题是“{heading}”",
    frequent="，最常见的词是{words}",
    counted="{word}（{times}）",
    between="、",
    stop="。",
    question="你的问题是：“{question}”",
)


def compose(
    turns: Sequence[Turn], *, product: str, domain: str, settings: Mapping[str, float]
) -> str:
    """The answer to a conversation.

    Args:
        turns: the messages, the question last.
        product: the model's name.
        domain: its name on the wire.
        settings: parameters that were asked for.
    """
    question, text = _divided(turns[-1].content or "")
    phrases = _CHINESE_PHRASES if _is_chinese(question) else _ENGLISH
    told = "".join(phrases.setting.format(name=name, value=settings[name]) for name in settings)
    characters = sum(len(turn.content or "") for turn in turns)
    parts = [
        phrases.opening.format(product=product, domain=domain, settings=told),
        phrases.received.format(messages=len(turns), characters=characters),
    ]
    if turns[0].role == "system":
        parts.append(phrases.system.format(gist=_shortened(turns[0].content or "", _GIST)))
    if text:
        parts.append(_described(text, phrases))
    parts.append(phrases.question.format(question=_shortened(question, _QUESTION)))
    return "".join(parts)


def _described(text: str, phrases: _Phrases) -> str:
    """What can be seen of a text: its size, its heading, the words that it uses most."""
    words = len(WORD.findall(text)) + len(CHINESE.findall(text))
    parts = [phrases.text.format(lines=len(text.splitlines()), words=words)]
    parts.append(phrases.heading.format(heading=_shortened(_heading(text), _GIST)))
    frequent = [
        phrases.counted.format(word=word, times=times)
        for word, times in _terms(text).most_common(5)
        if times > 1
    ]
    if frequent:
        parts.append(phrases.frequent.format(words=phrases.between.join(frequent)))
    return "".join(parts) + phrases.stop


def _divided(message: str) -> tuple[str, str]:
    """A message as a question and the text that it is about; the text is empty in a short one.

    The question is the first line; or the last, where only that one ends like a question, or
    where the first announces a file, as ``modelplug ask -f`` has it.
    """
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    if not lines or (len(message) < _LONG_TEXT and len(lines) < _LONG_LINES):
        return message.strip(), ""
    first, last = lines[0], lines[-1]
    if first.startswith(_FILE) or (last.endswith(_ASKING) and not first.endswith(_ASKING)):
        return last, message.rpartition(last)[0].strip()
    return first, message.partition(first)[2].strip() or message


def _heading(text: str) -> str:
    """The first Markdown heading, else the first line."""
    marked = re.search(r"^#{1,6}\s+(\S.*)$", text, re.MULTILINE)
    return marked[1] if marked else text.strip().splitlines()[0]


def _terms(text: str) -> Counter[str]:
    """Words that say something, and pairs of Chinese characters for want of words."""
    words = (word.lower() for word in WORD.findall(text))
    terms = Counter(filter(_says_something, words))
    # A pair that stands across the border of two words is no word; what is frequent mostly is.
    terms.update(
        first + second
        for first, second in pairwise(text)
        if _is_telling(first) and _is_telling(second)
    )
    return terms


def _says_something(word: str) -> bool:
    return len(word) > 3 and word.isalpha() and word not in _PLAIN_WORDS


def _is_telling(character: str) -> bool:
    return bool(CHINESE.match(character)) and character not in _PLAIN_CHARACTERS


def _is_chinese(text: str) -> bool:
    return len(CHINESE.findall(text)) > len(WORD.findall(text))


def _shortened(text: str, length: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= length else f"{text[:length]}…"


def cut(text: str, limit: int) -> str:
    """The longest beginning of ``text`` that has ``limit`` tokens, but one character at least."""
    if tokens(text) <= limit:
        return text
    # A longer text never has fewer tokens, so halving finds the place.
    fits, over = 1, len(text)
    while over - fits > 1:
        middle = (fits + over) // 2
        fits, over = (middle, over) if tokens(text[:middle]) <= limit else (fits, middle)
    return text[:fits]


def chunks(text: str) -> Iterator[str]:
    """``text`` in pieces as they were recorded: one character, then a few, then more (L-HMOS)."""
    start = 0
    for size in chain((1, 4, 6, 8, 5, 7, 12, 16, 20), repeat(24)):
        if start >= len(text):
            return
        yield text[start : start + size]
        start += size
