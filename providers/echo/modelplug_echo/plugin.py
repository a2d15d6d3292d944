"""What the core asks of the plugin; it imports no client, so that asking costs nothing."""

from modelplug import Backend, Capabilities, ModelMetadata, hookimpl
from modelplug_echo.options import EchoOptions


@hookimpl
def modelplug_backend(name: str) -> Backend:
    """The one backend of this plugin."""
    return Backend(
        name=name,
        summary="says back what it is asked, word by word",
        contract=1,
        client="modelplug_echo.client:EchoClient",
        harness="modelplug_echo.harness:HARNESS",
        options=EchoOptions,
        models=[ModelMetadata(model="echo")],
        capabilities=Capabilities(
            native=["streaming", "usage", "system_role", "tool_role", "max_new_tokens"],
            # Accepted so that an app can be tried against echo; they change nothing.
            emulated=["temperature", "top_p", "seed", "presence_penalty", "frequency_penalty"],
        ),
    )
