"""Counting tokens: the interface, what a count says of itself, and the default tokenizer.

Nothing here goes to the network. A backend that knows better than the default passes a tokenizer
of its own to ``ProxyLLMClient``: one method, ``count_token``, and ``count_tokens`` where it can
say how good its counts are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from modelplug.vocabulary import Vocabulary

__all__ = [
    "ProxyTokenizer",
    "TiktokenProxyTokenizer",
    "TokenCount",
    "TokenCounter",
    "counted",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenCount:
    """A number of tokens, and how far it can be trusted.

    Attributes:
        n: tokens of the texts; -1 when nothing here can count them.
        exact: whether the model's own tokenizer counted. What a service bills besides the
            texts, such as its marks between messages, is in no count.
        method: what counted.
    """

    n: int
    exact: bool
    method: str


NOT_COUNTED = TokenCount(n=-1, exact=False, method="none")


@runtime_checkable
class ProxyTokenizer(Protocol):
    """Counts tokens for a model, under DB-GPT's name.

    It is called off the event loop, may take its time and may raise; it never goes to the
    network. The same text has the same count, and an empty one has 0.
    """

    def count_token(self, model_name: str, prompts: Sequence[str]) -> Sequence[int]:
        """Tokens of each prompt; -1 for one that can't be counted."""
        ...  # pragma: no cover


@runtime_checkable
class TokenCounter(Protocol):
    """What a ``ProxyTokenizer`` may have besides: counts that say how good they are."""

    def count_tokens(self, model_name: str, prompts: Sequence[str]) -> TokenCount:
        """Tokens of all prompts: the sum of what ``count_token`` gives for each."""
        ...  # pragma: no cover


class TiktokenProxyTokenizer:
    """Counts with OpenAI's encodings; the tokenizer of clients that have no other.

    It needs the extra ``modelplug[tokens]`` and says -1 without it. A model that tiktoken
    doesn't know gets an estimate that says so. Making one costs nothing: the first count for an
    encoding loads it, for the whole process.
    """

    def count_token(self, model_name: str, prompts: Sequence[str]) -> Sequence[int]:
        """Tokens of each prompt; -1 for all of them without the extra."""
        words, _ = _vocabulary(model_name)
        if words is None:
            return [-1] * len(prompts)
        return [words.count(prompt)[0] for prompt in prompts]

    def count_tokens(self, model_name: str, prompts: Sequence[str]) -> TokenCount:
        """Tokens of all prompts, and by which encoding."""
        words, is_own = _vocabulary(model_name)
        if words is None:
            return NOT_COUNTED
        counts = [words.count(prompt) for prompt in prompts]
        in_one = all(exact for _, exact in counts)
        return TokenCount(
            n=sum(count for count, _ in counts),
            exact=is_own and in_one,
            method=_method(words, is_own=is_own, in_one=in_one),
        )


def _vocabulary(model: str) -> tuple[Vocabulary | None, bool]:
    # Here: every client has a tokenizer, and few count.
    from modelplug.vocabulary import vocabulary

    return vocabulary(model)


def _method(words: Vocabulary, *, is_own: bool, in_one: bool) -> str:
    method = f"tiktoken {words.name}"
    if not is_own:
        method += ", not known to be the model's own"
    return method if in_one else f"{method}, in pieces"


def counted(tokenizer: ProxyTokenizer | None, model: str, texts: Sequence[str]) -> TokenCount:
    """What ``tokenizer`` makes of texts together; -1 when it can't. It never raises.

    May take long: not for an event loop's thread.
    """
    if tokenizer is None:
        return NOT_COUNTED
    try:
        if isinstance(tokenizer, TokenCounter):
            return tokenizer.count_tokens(model, texts)
        counts = tokenizer.count_token(model, texts)
        if len(counts) == len(texts) and all(count >= 0 for count in counts):
            return TokenCount(n=sum(counts), exact=False, method=type(tokenizer).__name__)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  # a Rust tokenizer's panic is no Exception
        # Here: making a client needs no log.
        from logging import getLogger

        getLogger("modelplug").info("tokens can't be counted: %s", type(error).__name__)
    return NOT_COUNTED
