"""The iFlytek Spark backend of modelplug: ``new_client("spark:generalv3.5")``.

Importing the package is light: the client, and the WebSocket library under it, come with the
first use of ``SparkLLMClient``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modelplug_spark.client import SparkLLMClient

__all__ = ["SparkLLMClient"]


def __getattr__(name: str) -> object:
    """``SparkLLMClient``, imported on use."""
    if name == "SparkLLMClient":
        # Not at the top: the registry imports this package to read the plugin beside it.
        from modelplug_spark.client import SparkLLMClient

        return SparkLLMClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
