"""What modelplug asks of this plugin; it imports no client, so that asking costs nothing."""

from modelplug import Backend, Capabilities, ModelMetadata, hookimpl

CAN = Capabilities(
    native=["streaming", "usage", "system_role", "temperature", "max_new_tokens"],
    unsupported=["tools", "images"],
)


@hookimpl
def modelplug_backend(name: str) -> Backend:
    """The one backend of this plugin."""
    return Backend(
        name=name,
        summary="says back what it hears, over a WebSocket",
        contract=1,
        client="modelplug_parrot.client:ParrotClient",
        harness="modelplug_parrot.harness:HARNESS",
        models=[
            ModelMetadata(model=model, context_length=8192, capabilities=CAN)
            for model in ("macaw", "budgie")
        ],
        capabilities=CAN,
        environment={"proxy_api_key": "PARROT_KEY", "proxy_api_base": "PARROT_URL"},
        required=["proxy_api_key", "proxy_api_base"],
        home_page="https://parrot.example",
    )
