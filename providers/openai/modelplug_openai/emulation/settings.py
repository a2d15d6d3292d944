"""How the emulated service behaves where services of this wire differ; and its limits.

Flat on purpose: each field can be set by keyword, as ``name=value`` on a command line, and be
listed in a table with its docstring.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

__all__ = ["EmulatorSettings"]

_Name = Annotated[str, StringConstraints(min_length=1)]
_Count = Annotated[int, Field(ge=0)]
_Limit = Annotated[int, Field(gt=0)]
_Seconds = Annotated[float, Field(ge=0)]


class EmulatorSettings(BaseModel):
    """The switches and limits of the emulated service; the key is not among them."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )

    pace: _Seconds = 0.02
    """Seconds between two chunks of an answer."""

    tls: bool = False
    """Whether it is https; clients have to be told to trust its certificate."""

    key_header: Literal["authorization", "api-key"] = "authorization"
    """Where the key is looked for: a bearer, or Azure's header."""

    models: tuple[_Name, ...] = ()
    """Models that there are; any if left out. One with `reason` or `think` in its name thinks."""

    reasoning_field: Literal["reasoning_content", "reasoning"] = "reasoning_content"
    """How the thinking is spelt: as DeepSeek does, or as OpenRouter and Ollama do."""

    usage: Literal["asked", "always", "never"] = "asked"
    """Whether a stream tells its usage: if `stream_options` asks for it, in any case, or not."""

    done: bool = True
    """Whether a stream ends with `[DONE]`."""

    empty_first: bool = False
    """Whether the first chunk has no choices, as Azure's has the filters of the prompt."""

    null_content: bool = False
    """Whether the first chunk has the role, and null for its content, as llama.cpp's."""

    context: _Limit = 128_000
    """Tokens that a question and its answer may have together, by estimate."""

    per_minute: _Count | None = None
    """Requests in any 60 seconds; for more 429, with `Retry-After`."""

    concurrent: _Count | None = None
    """Answers at the same time; for more 429."""

    busy: bool = False
    """Whether all is refused with 503."""

    forbidden: tuple[_Name, ...] = ()
    """Words that are refused in a question with `content_policy_violation`, and that end an
    answer with the reason `content_filter`."""
