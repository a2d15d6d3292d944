"""The echo backend: it says back what it was asked, word by word."""


def __getattr__(name: str) -> object:
    """``EchoClient``, imported on use: the plugin is to be light."""
    from modelplug_echo import client  # see above

    return getattr(client, name)
