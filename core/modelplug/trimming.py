"""Cutting a conversation to what the model takes in, from its oldest end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from modelplug.capabilities import ASSUMED_CONTEXT, ModelMetadata
from modelplug.messages import DefaultMessageConverter, MessageConverter, ModelMessage
from modelplug.request import ModelRequest
from modelplug.tokens import ProxyTokenizer, TiktokenProxyTokenizer, counted

__all__ = ["CallConverter", "TrimmingConverter"]

log = logging.getLogger("modelplug")

_ROOM = 1024
"""Tokens for an answer whose length nobody limits; a quarter of the context at the most."""

_MOST = 1 << 18
"""Characters that are counted in one conversion, as it keeps the event loop waiting. What goes
beyond counts as a token for each byte: no encoding makes more of it."""


@runtime_checkable
class CallConverter(MessageConverter, Protocol):
    """A ``MessageConverter`` that wants to know the request, and may have something to say."""

    def for_request(
        self,
        request: ModelRequest,
        *,
        tokenizer: ProxyTokenizer | None,
        warn: Callable[[str], None],
    ) -> MessageConverter:
        """The converter for one request. The client calls this once a call, then ``convert``.

        Args:
            request: as it will be sent, but for its messages; ``model`` and defaults are set.
            tokenizer: the client's.
            warn: takes what the caller is to know: it will be in the outputs' ``warnings``.
        """
        ...  # pragma: no cover


@dataclass(frozen=True, kw_only=True, slots=True)
class TrimmingConverter:
    """Leaves out the oldest rounds of a conversation that is too long for the model.

    Pass it as ``message_converter``; without it nothing is ever cut. A round is a question with
    all that follows it, and goes as a whole. System messages and the last round stay, whatever
    their length: a question that is too long by itself is for the service to refuse. What was
    left out is told in the outputs' ``warnings``.

    There is room for the model's context less ``max_new_tokens``, and less than that where the
    request's ``context_len`` or ``limit`` say so. Where a model's context isn't known it is taken
    for 4096 tokens, unless the params' ``max_context_size`` says otherwise. Counted are the texts,
    by estimate for most models; to keep clear of what a service adds to them, or of images, set a
    lower ``limit``.

    Conversion keeps the event loop waiting: up to 20 ms for the longest conversations in
    English, and once a process for as long as a vocabulary of the default tokenizer takes to
    load. ``await client.count_token(model, "")`` when the app starts loads it beforehand.

    Attributes:
        limit: tokens of input at the most.
        tokenizer: what counts; None is the client's.
        before: what converts first: what is counted is what will be sent.
    """

    limit: int | None = None
    tokenizer: ProxyTokenizer | None = None
    before: MessageConverter = field(default_factory=DefaultMessageConverter)

    def for_request(
        self,
        request: ModelRequest,
        *,
        tokenizer: ProxyTokenizer | None,
        warn: Callable[[str], None],
    ) -> MessageConverter:
        """See ``CallConverter``."""
        return _Trimming(
            request=request,
            limit=self.limit,
            tokenizer=self.tokenizer or tokenizer,
            before=self.before,
            warn=warn,
        )

    def convert(
        self, messages: Sequence[ModelMessage], metadata: ModelMetadata | None = None
    ) -> Sequence[ModelMessage]:
        """As for a request that sets no limits; what is left out is told in the log."""
        alone = self.for_request(
            ModelRequest(), tokenizer=TiktokenProxyTokenizer(), warn=log.warning
        )
        return alone.convert(messages, metadata)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Trimming:
    """A ``TrimmingConverter`` for one request."""

    request: ModelRequest
    limit: int | None
    tokenizer: ProxyTokenizer | None
    before: MessageConverter
    warn: Callable[[str], None]

    def convert(
        self, messages: Sequence[ModelMessage], metadata: ModelMetadata | None = None
    ) -> Sequence[ModelMessage]:
        """The messages that there is room for, in their order."""
        known = metadata or ModelMetadata(model=self.request.model or "")
        given = self.before.convert(messages, metadata)
        if not given:
            return given
        room = self._room(known)
        kept = self._kept(given, _Meter(self.tokenizer, known.model), room)
        is_limited = room in (self.request.context_len, self.limit)
        if len(kept) < len(given) and known.context_length == ASSUMED_CONTEXT and not is_limited:
            self.warn(
                f"the context was taken for {ASSUMED_CONTEXT} tokens, as it is where a model's"
                " isn't known: max_context_size sets it"
            )
        return [message for at, message in enumerate(given) if at in kept]

    def _room(self, known: ModelMetadata) -> int:
        answer = self.request.max_new_tokens
        if answer is None:
            answer = min(_ROOM, known.context_length // 4)
        limits = (known.context_length - answer, self.request.context_len, self.limit)
        return max(0, min(limit for limit in limits if limit is not None))

    def _kept(self, given: Sequence[ModelMessage], meter: _Meter, room: int) -> set[int]:
        """Which messages stay, by their places."""
        *rounds, last = _rounds(given)
        kept = {*last, *(at for at, message in enumerate(given) if message.role == "system")}
        meter.add(given[at] for at in sorted(kept))
        if meter.n > room:
            self.warn(
                f"the system message and the last question have {meter}, and there is room for"
                f" {room}: they are sent whole, and the service may refuse them"
            )
        for each in reversed(rounds):  # the newest first, and no more than are needed
            meter.add(given[at] for at in each)
            if meter.n > room:
                break
            kept.update(each)
        if meter.n < 0:
            self.warn("the conversation was not cut to the context: its tokens can't be counted")
            return set(range(len(given)))
        if left_out := len(given) - len(kept):
            told = f"left out the oldest {left_out} of {len(given)} messages"
            self.warn(f"{told}: there is room for {room} tokens ({meter.method})")
        return kept


class _Meter:
    """A sum of tokens, as far as they may be counted; -1 once they can't."""

    def __init__(self, tokenizer: ProxyTokenizer | None, model: str) -> None:
        self.n = 0
        self.method = ""
        self._exact = True
        self._left = _MOST
        self._tokenizer, self._model = tokenizer, model

    def add(self, messages: Iterator[ModelMessage]) -> None:
        """Count some messages in."""
        if self.n < 0:
            return
        beyond, heads = 0, []
        for message in messages:
            text = message.text
            heads.append(text[: self._left])
            beyond += len(text[self._left :].encode("utf-8", "surrogatepass"))
            self._left -= len(heads[-1])
        count = counted(self._tokenizer, self._model, heads)
        self.n = -1 if count.n < 0 else self.n + count.n + beyond
        self.method = count.method
        self._exact = self._exact and count.exact and not beyond

    def __str__(self) -> str:
        return f"{self.n} tokens" if self._exact else f"about {self.n} tokens"


def _rounds(messages: Sequence[ModelMessage]) -> list[list[int]]:
    """The places of all but system messages: a round begins at each human one."""
    rounds: list[list[int]] = [[]]
    for at, message in enumerate(messages):
        if message.role == "human" and rounds[-1]:
            rounds.append([])
        if message.role != "system":
            rounds[-1].append(at)
    return rounds
