"""What the wrapped plugins tell: what those in them do."""

from __future__ import annotations

from dataclasses import replace

from modelplug import Backend, hookimpl
from modelplug_echo import plugin as echo
from modelplug_spark import plugin as spark

CLIENTS = {"wrapped-echo": "WrappedEcho", "wrapped-spark": "WrappedSpark"}


@hookimpl
def modelplug_backend(name: str) -> Backend:
    """The backend in the wrapped one, but for the client."""
    module = echo if name == "wrapped-echo" else spark
    told: Backend = module.modelplug_backend(name.removeprefix("wrapped-"))
    client = f"tests.core.conformance.wrapped.clients:{CLIENTS[name]}"
    return replace(told, name=name, client=client)
