"""Counting tokens by the ratio that iFlytek publishes; its tokenizer isn't public."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from modelplug import TokenCount

__all__ = ["CHINESE", "WORD", "SparkTokenizer", "tokens"]

CHINESE = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
WORD = re.compile(r"[^\W\u3400-\u4dbf\u4e00-\u9fff]+")

_CHINESE_RUN = re.compile(f"{CHINESE.pattern}+")


def tokens(*texts: str) -> int:
    """An estimate by the official ratio: 1 token is 1.5 Chinese characters or 0.8 words (D-Web)."""
    # One by one, so that a long text lets other threads run in between.
    characters = sum(len(run[0]) for text in texts for run in _CHINESE_RUN.finditer(text))
    words = sum(1 for text in texts for _ in WORD.finditer(text))
    return math.ceil(characters / 1.5 + words / 0.8)


class SparkTokenizer:
    """Spark's ratio as the client's tokenizer: the same for all models, always an estimate."""

    def count_token(self, model_name: str, prompts: Sequence[str]) -> Sequence[int]:
        """Tokens of each prompt, rounded up."""
        return [tokens(prompt) for prompt in prompts]

    def count_tokens(self, model_name: str, prompts: Sequence[str]) -> TokenCount:
        """Tokens of all prompts, each rounded up."""
        n = sum(self.count_token(model_name, prompts))
        return TokenCount(n=n, exact=False, method="iFlytek's published ratios")
