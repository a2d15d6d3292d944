"""The echo backend: it says back what it was asked, word by word."""


def __getattr__(name: str) -> object:
    """``EchoClient``, imported on use: asking about a plugin should cost nothing."""
    return getattr(__import__("modelplug_echo.client", fromlist=["EchoClient"]), name)
