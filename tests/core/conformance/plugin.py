"""What the reference and its mutants tell of themselves; light, as plugins are."""

from __future__ import annotations

from modelplug import Backend, Capabilities, ModelMetadata, hookimpl

REFERENCE = "tests.core.conformance.reference"

CAPABILITIES = Capabilities(
    native=[
        "streaming",
        "usage",
        "system_role",
        "tool_role",
        "temperature",
        "top_p",
        "top_k",
        "seed",
        "presence_penalty",
        "frequency_penalty",
        "max_new_tokens",
        "stop",
        "tools",
    ],
    unsupported=[
        "stop_token_ids",
        "tool_choice",
        "response_format",
        "reasoning",
        "echo",
        "images",
    ],
)


def backend(name: str, client: str) -> Backend:
    """A backend of the reference's kind with this client."""
    return Backend(
        name=name,
        summary="does everything right",
        contract=1,
        client=client,
        harness=f"{REFERENCE}:HARNESS",
        models=[ModelMetadata(model="small", context_length=4096)],
        capabilities=CAPABILITIES,
        environment={"proxy_api_key": "REFERENCE_KEY", "proxy_api_base": "REFERENCE_BASE"},
        required=("proxy_api_key", "proxy_api_base"),
        home_page="https://reference.example",
    )


@hookimpl
def modelplug_backend(name: str) -> Backend:
    """The reference, or the mutant called ``name``."""
    if name == "reference":
        return backend(name, f"{REFERENCE}:ReferenceClient")
    # Deferred: the mutants have the client under them, which a plugin doesn't import.
    from tests.core.conformance.mutants import mutant_of

    found = mutant_of(name)
    return found.backend(name) if found else backend(name, f"{REFERENCE}:ReferenceClient")
