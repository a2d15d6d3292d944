"""TOK: counting tokens, which never fails, never asks anybody and never keeps anybody waiting."""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc
from collections.abc import Callable

from modelplug.client import ProxyLLMClient
from modelplug.conformance.check import check
from modelplug.conformance.importing import importing
from modelplug.conformance.lab import Lab
from modelplug.tokens import TokenCount

_TEXTS = {
    "an empty text": "",
    "a text": "Hello, world",
    "Chinese": "你好，世界",
    "emoji": "👩‍👩‍👧‍👦🇨🇳",
    "a special token": "<|endoftext|> and <|im_start|>",
    "a lone surrogate": "\ud800",
    "a NUL": "a\0b",
    "blanks": " \n\t" * 50,
}

_LONG = "Hello, wörld 你好. " * 55_000
"""More than a megabyte."""


@check("TOK-01", "a number, whatever the text", profile="core", directions=())
def a_number(lab: Lab) -> None:
    """count_token gives a number of 0 or more, or -1 where it can't count, for every text."""
    with lab.client() as client:
        for model in (client.default_model, "nobody-knows-this-model"):
            for what, text in _TEXTS.items():
                count: object = _count(lab, client, text, model=model)
                good = type(count) is int and count >= -1
                lab.expect.that(good, f"count_token of {what} for {model!r} gave {count!r}")


@check("TOK-02", "can count or can't", profile="core", directions=())
def can_count_or_cant(lab: Lab) -> None:
    """A model's tokens can be counted always or never, and both ways to count agree."""
    with lab.client() as client:
        counts = {what: _count(lab, client, text) for what, text in _TEXTS.items()}
        cant = [what for what, count in counts.items() if count == -1]
        message = f"count_token gave -1 for {', '.join(cant)}, and counts for others"
        lab.expect.that(len(cant) in (0, len(counts)), message)
        for what, text in _TEXTS.items():
            number = _counts(lab, client, text).n
            lab.expect.equal(f"count_tokens of {what}", counts[what], number)


@check("TOK-03", "counts offline", profile="core", directions=())
def counts_offline(lab: Lab) -> None:
    """Counting tokens connects to nobody and looks no name up, at the first time either."""
    found = importing(lab, "count")
    message = f"in a process of its own counting tokens raised {found['error']}"
    lab.expect.that(not found["error"], message)
    lab.expect.equal("what counting tokens reached for", [], found["reached"])


@check("TOK-04", "counts add up", profile="core", directions=())
def counts_add_up(lab: Lab) -> None:
    """An empty text has no tokens, a text has always as many, and more text has no fewer."""
    with lab.client() as client:
        text, more = "Hello, world. ", "Hello, world. And you?"
        count = _count(lab, client, text)
        if count == -1:
            return
        lab.expect.equal("tokens of an empty text", 0, _count(lab, client, ""))
        lab.expect.equal("tokens of the same text again", count, _count(lab, client, text))
        longer = _count(lab, client, more)
        message = f"{text!r} has {count} tokens, and {more!r} has {longer}"
        lab.expect.that(0 < count <= longer, message)
        both = lab.direction.loop.run(
            client.count_tokens([{"role": "user", "content": each} for each in (text, more)]),
            within=lab.direction.patience,
        )
        lab.expect.equal("tokens of two messages together", count + longer, both.n)


@check("TOK-05", "long texts", profile="core", directions=())
def long_texts(lab: Lab) -> None:
    """A megabyte of text is counted, of words and without any blank, before anybody gives up."""
    with lab.client() as client:
        for what, text in (("words", _LONG), ("one word", "x" * 1_000_000)):
            count: object = _count(lab, client, text)
            good = type(count) is int and count != 0
            lab.expect.that(good, f"count_token of a megabyte of {what} gave {count!r}")


@check("TOK-06", "keeps no loop waiting", profile="resilient", directions=())
def keeps_no_loop_waiting(lab: Lab) -> None:
    """While tokens of a long text are counted the event loop goes on with its other work."""
    with lab.client() as client:
        gaps = []
        for _ in range(2):  # one may be the machine's
            counting = _longest_gap(client, _LONG)
            gaps.append(lab.direction.loop.run(counting, within=lab.direction.patience))
    message = f"the event loop stood still for {min(gaps):.2f} s while tokens were counted"
    lab.expect.that(min(gaps) < 2 * lab.quantum, message)


@check("TOK-07", "says how exact", profile="complete", must=False, directions=())
def says_how_exact(lab: Lab) -> None:
    """count_tokens says what counted, and what couldn't be counted isn't called exact."""
    with lab.client() as client:
        count = _counts(lab, client, "Hello, world")
        lab.expect.that(count.method.strip(), "count_tokens doesn't say what counted")
        wrong = count.exact and (count.n == -1 or not client.proxy_tokenizer)
        lab.expect.that(not wrong, f"{count} calls itself exact")


@check("TOK-08", "keeps no prompts", profile="complete", must=False, directions=())
def keeps_no_prompts(lab: Lab) -> None:
    """Counting the tokens of many texts doesn't keep them."""
    with lab.client() as client:
        _count(lab, client, "Hello, world")
        size, many = 20_000, 200
        kept = _growth(lambda: [_count(lab, client, f"{n} " * (size // 4)) for n in range(many)])
    message = f"{kept // 1000} kB are kept after {many} texts of {size // 1000} kB"
    lab.expect.that(kept < many * size // 8, message)


def _count(lab: Lab, client: ProxyLLMClient, text: str, *, model: str | None = None) -> int:
    asked = client.count_token(model or client.default_model, text)
    return lab.direction.loop.run(asked, within=lab.direction.patience)


def _counts(lab: Lab, client: ProxyLLMClient, text: str) -> TokenCount:
    count: object = lab.direction.loop.run(
        client.count_tokens(text, client.default_model), within=lab.direction.patience
    )
    lab.expect.that(isinstance(count, TokenCount), f"count_tokens gave {count!r}, no TokenCount")
    return count if isinstance(count, TokenCount) else TokenCount(n=-1, exact=False, method="")


async def _longest_gap(client: ProxyLLMClient, text: str) -> float:
    """Seconds for which the loop turned to nothing else, at most."""
    counting = asyncio.ensure_future(client.count_token(client.default_model, text))
    longest, last = 0.0, time.monotonic()
    while not counting.done():
        await asyncio.sleep(0.001)
        now = time.monotonic()
        longest, last = max(longest, now - last), now
    await counting
    return longest


def _growth(work: Callable[[], object]) -> int:
    """Bytes that are held after ``work`` and weren't before."""
    was_tracing = tracemalloc.is_tracing()
    tracemalloc.start()
    try:
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        work()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        if not was_tracing:
            tracemalloc.stop()
    return after - before
