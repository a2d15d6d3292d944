"""Backends that speak OpenAI's chat completions: ``new_client("openai:gpt-5")`` and many more.

Importing the package is light: the client, and the HTTP library under it, come with the first
use of ``OpenAILLMClient``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modelplug_openai.client import OpenAILLMClient

__all__ = ["OpenAILLMClient"]


def __getattr__(name: str) -> object:
    """``OpenAILLMClient``, imported on use."""
    if name == "OpenAILLMClient":
        # Not at the top: the registry imports this package to read the plugin beside it.
        from modelplug_openai.client import OpenAILLMClient

        return OpenAILLMClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
