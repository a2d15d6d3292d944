"""Why an answer ended, in the words of all services, and which of those words are failures.

They mean the same wherever they are used.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from modelplug import FinishReason
from modelplug_openai.kinds import Kind

__all__ = ["FAILURES", "REASONS", "reason_of"]

REASONS: Final[Mapping[str, FinishReason]] = MappingProxyType(
    {
        # https://platform.openai.com/docs/api-reference/chat/object
        "stop": "stop",
        "length": "length",
        "content_filter": "content_filter",
        "tool_calls": "tool_calls",
        "function_call": "tool_calls",
        # https://huggingface.co/docs/text-generation-inference/reference/api_reference
        "eos_token": "stop",
        "stop_sequence": "stop",
        # https://docs.together.ai/reference/chat-completions-1
        "eos": "stop",
        # https://docs.mistral.ai/api
        "model_length": "length",
        # https://docs.anthropic.com/en/api/messages, where a gateway hands them on
        "end_turn": "stop",
        "max_tokens": "length",
        "tool_use": "tool_calls",
        "refusal": "content_filter",
        "model_context_window_exceeded": "length",
        # https://ai.google.dev/api/generate-content#FinishReason, likewise
        "safety": "content_filter",
        "recitation": "content_filter",
        # https://docs.z.ai/api-reference/llm/chat-completion
        "sensitive": "content_filter",
    }
)
"""The service's word in lower case, and ours."""

FAILURES: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        # https://openrouter.ai/docs/api-reference/errors
        "error": "server",
        # https://docs.z.ai/api-reference/llm/chat-completion
        "network_error": "server",
        # https://api-docs.deepseek.com/api/create-chat-completion
        "insufficient_system_resource": "overloaded",
        # A request that the server gave up:
        # https://github.com/vllm-project/vllm/blob/main/vllm/v1/engine/__init__.py
        "abort": "server",
    }
)
"""Words by which a service says in ``finish_reason`` that it failed, and what that means."""


def reason_of(word: str) -> FinishReason:
    """Ours for a service's word; ``other`` for one that nobody knows."""
    return REASONS.get(word.lower(), "other")
