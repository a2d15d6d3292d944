"""The echo backend: it says back what it was asked, word by word."""

import importlib


def __getattr__(name: str) -> object:
    """``EchoClient``, imported on use: asking about a plugin should cost nothing."""
    return getattr(importlib.import_module("modelplug_echo.client"), name)
