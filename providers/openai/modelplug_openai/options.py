"""The options that this wire has and the contract hasn't."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from modelplug_openai.plainjson import plain

__all__ = ["OpenAIOptions"]

_CREDENTIALS = ("auth", "api-key", "apikey", "cookie", "secret", "token", "credential", "password")
"""What the name of a header has in it that is a credential's. Those come by ``api_key`` alone,
which is kept out of logs, dumps and errors."""

_CONTENT = ("accept", "content-encoding", "content-type")
"""Headers that say what is in a body, which is the client's to say."""

_NAMED = ("openai-organization", "openai-project")
"""Headers for which there are options."""

_LONGEST_NAME, _LONGEST_VALUE = 100, 2000
"""Characters, so that no server refuses the head for its length."""

_OWNED = frozenset(
    {
        *("model", "messages", "stream", "stream_options", "n", "temperature", "top_p", "seed"),
        *("stop", "max_tokens", "max_completion_tokens", "presence_penalty", "frequency_penalty"),
        *("tools", "tool_choice", "functions", "function_call", "response_format"),
        *("user", "service_tier", "parallel_tool_calls", "logprobs", "top_logprobs"),
        *("logit_bias", "verbosity"),
    }
)
"""Fields of the body that a request's own fields, or other options, say."""


def _headers(headers: Mapping[str, str]) -> Mapping[str, str]:
    # Not before there are headers: who only looks at the plugin needs no transport.
    from modelplug.transport import header_fault

    for name, value in headers.items():
        low = name.lower()
        if len(name) > _LONGEST_NAME or len(value) > _LONGEST_VALUE:
            raise ValueError("a header is too long")
        if fault := header_fault(name, value):
            raise ValueError(fault)
        if any(word in low for word in _CREDENTIALS):
            raise ValueError(f"{name} is for credentials, which are given as api_key")
        if low in _CONTENT:
            raise ValueError(f"{name} is the client's own to say")
        if low in _NAMED:
            raise ValueError(f"{name} has an option of its own")
    if len({name.lower() for name in headers}) < len(headers):
        raise ValueError("a header is given twice")
    return headers


def _body(body: Mapping[str, object]) -> Mapping[str, object]:
    if owned := sorted(_OWNED & body.keys()):
        raise ValueError(f"{', '.join(owned)} can't be in extra_body: it has a name of its own")
    # A copy: what the caller changes in its own, later, is nothing to the client.
    return {name: plain(value, f"extra_body.{name}") for name, value in body.items()}


_Word = Annotated[str, StringConstraints(min_length=1, max_length=512)]
_Line = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,200}$")]


class OpenAIOptions(BaseModel):
    """What a config string, or ``request.options["openai"]``, may say besides.

    Facts are from https://platform.openai.com/docs/api-reference/chat/create; not every service
    takes notice of each. ``limit_field`` and ``usage`` are for servers by URL that differ from
    their backend's row.

    Attributes:
        stream: whether the answer is asked for in pieces; else it comes whole, in one delta.
        organization: whom to bill, as the header ``OpenAI-Organization``.
        project: the same for ``OpenAI-Project``.
        user: a name for the end user, for the service to tell abuse by. Nothing of the
            request's context is sent as it.
        service_tier: ``auto``, ``default``, ``flex``, ``priority`` or another.
        parallel_tool_calls: whether several tools may be called in one answer.
        logprobs: whether ``output.extra["logprobs"]`` has how likely each token was.
        top_logprobs: how many of the likeliest tokens at each place it tells, 0 to 20.
        logit_bias: tokens by number, and how much more or less likely they are to be, -100 to 100.
        verbosity: how much is said: ``low``, ``medium`` or ``high``.
        think_tags: whether ``<think>`` at the start of an answer begins the model's thinking;
            else it is text, as the service sent it.
        headers: sent with each request. None that is for a credential, or for how a message is
            to be read.
        extra_body: fields of the body that nothing else here says, as JSON.
        limit_field: where ``max_new_tokens`` goes.
        usage: whether the counts in a stream are asked for by ``stream_options`` (``asked``), or
            come by themselves (``always``), or don't (``never``).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    stream: bool = True
    organization: _Line | None = None
    project: _Line | None = None
    user: _Word | None = None
    service_tier: _Word | None = None
    parallel_tool_calls: bool | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    logit_bias: Mapping[str, Annotated[float, Field(ge=-100, le=100)]] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    think_tags: bool = False
    headers: Annotated[Mapping[str, str], AfterValidator(_headers)] = Field(default_factory=dict)
    extra_body: Annotated[Mapping[str, object], AfterValidator(_body)] = Field(default_factory=dict)
    limit_field: Literal["max_tokens", "max_completion_tokens"] | None = None
    usage: Literal["asked", "always", "never"] | None = None

    @property
    def all_headers(self) -> Mapping[str, str]:
        """What a request has of headers beside HTTP's own and the key's."""
        named = zip(_NAMED, (self.organization, self.project), strict=True)
        return {
            "accept": "text/event-stream" if self.stream else "application/json",
            "content-type": "application/json",
            **self.headers,
            **{name: value for name, value in named if value},
        }
