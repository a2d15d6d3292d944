"""The kinds of failure that a service may tell of: each an error class, with what to do next.

``meanings`` has the words for them that all services share, the presets those of one alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from modelplug import (
    AuthenticationError,
    BackendError,
    BadRequestError,
    ConcurrencyLimitError,
    ContentFilterError,
    ContextLengthError,
    ModelNotFoundError,
    OverloadedError,
    PermissionDeniedError,
    QuotaError,
    RateLimitError,
    ServerError,
)

__all__ = ["KINDS", "Kind", "Meaning", "meaning"]

Kind: TypeAlias = Literal[
    "authentication",
    "no_key",
    "permission",
    "quota",
    "unentitled",
    "rate",
    "concurrency",
    "overloaded",
    "server",
    "gave_up",
    "too_long",
    "too_large",
    "bad",
    "input_refused",
    "output_refused",
    "refused",
    "no_model",
    "no_path",
    "conflict",
    "too_early",
    "unknown",
]
"""A key of ``KINDS``, which tells what each is."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What is made of a kind.

    Attributes:
        error: the class that it is raised as.
        told: what it is in a few words.
        hint: what to do next.
        stage: for ContentFilterError, whose text was refused; None where that isn't said: who
            knows how far the answer was does.
        retryable: whether to try again, where the class's own answer isn't right.
    """

    error: type[BackendError]
    told: str
    _: KW_ONLY
    hint: str | None = None
    stage: Literal["input", "output"] | None = None
    retryable: bool | None = None


_SHORTEN = "shorten the history or the question, or take a model with a longer context"

KINDS: Final[Mapping[Kind, Meaning]] = MappingProxyType(
    {
        "authentication": Meaning(
            AuthenticationError,
            "the service refused the key",
            hint="check the key, and that it is for this service",
        ),
        "no_key": Meaning(
            AuthenticationError,
            "the service wants a key, and none was sent",
            hint="give one: ?api_key=env:NAME in the config string, or api_key in a profile",
        ),
        "permission": Meaning(
            PermissionDeniedError,
            "the key may not do this",
            hint="check what the key, its project and its region are allowed",
        ),
        "quota": Meaning(
            QuotaError,
            "the account's volume is used up",
            hint="check plan and billing: waiting won't help",
        ),
        "unentitled": Meaning(
            QuotaError,
            "the account has no right to this, or no volume left",
            hint="check what the account may use, and its plan and billing",
        ),
        "rate": Meaning(RateLimitError, "too many requests or tokens in this span of time"),
        "concurrency": Meaning(
            ConcurrencyLimitError, "too many requests at once", hint="send fewer requests at once"
        ),
        "overloaded": Meaning(OverloadedError, "the service has no capacity"),
        "server": Meaning(ServerError, "the service failed"),
        "gave_up": Meaning(ServerError, "the service gave up waiting"),
        "too_long": Meaning(ContextLengthError, "the conversation is too long", hint=_SHORTEN),
        "too_large": Meaning(BadRequestError, "the request is too large", hint=_SHORTEN),
        "bad": Meaning(
            BadRequestError,
            "the service can't make sense of the request",
            hint="its own words, in provider_message, may tell which part",
        ),
        "input_refused": Meaning(
            ContentFilterError, "the input was refused", stage="input", hint="change the wording"
        ),
        "output_refused": Meaning(ContentFilterError, "the answer was refused", stage="output"),
        "refused": Meaning(ContentFilterError, "the service's audit refused"),
        "no_model": Meaning(
            ModelNotFoundError,
            "the service has no such model",
            hint="check the model's name, and api_base",
        ),
        "no_path": Meaning(
            BadRequestError,
            "the service has nothing at this address",
            hint="check api_base: most end in /v1, azure's in its host, none in /chat/completions",
        ),
        "conflict": Meaning(BackendError, "another request was in the way", retryable=True),
        "too_early": Meaning(BackendError, "the service wants the request later", retryable=True),
        "unknown": Meaning(BackendError, "the service failed, and has no known word for why"),
    }
)
"""What is made of each. ``unknown`` is what no word, status or text tells."""


def meaning(kind: Kind, *words: str) -> dict[str, Kind]:
    """Words that all mean the same."""
    return dict.fromkeys(words, kind)
