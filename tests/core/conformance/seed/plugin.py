"""What the old client would tell of itself."""

from __future__ import annotations

from modelplug import Backend, Capabilities, ModelMetadata, hookimpl

CLIENTS = {
    "seed": "SeedClient",
    "seed-with-domain": "WithDomain",
    "seed-sparing": "Sparing",
    "seed-on-a-framework": "OnAFramework",
}
"""Backends, by the class that serves them."""


@hookimpl
def modelplug_backend(name: str) -> Backend:
    """The old client, or one with fewer faults, in which the others show."""
    return Backend(
        name=name,
        summary="Spark as it was",
        contract=1,
        client=f"tests.core.conformance.seed.client:{CLIENTS[name]}",
        harness="modelplug_spark.harness:HARNESS",
        models=[ModelMetadata(model="v3", context_length=4096)],
        capabilities=Capabilities(
            native=["streaming", "temperature", "max_new_tokens"], emulated=["system_role"]
        ),
        home_page="https://seed.example",
    )
