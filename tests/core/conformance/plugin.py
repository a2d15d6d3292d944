"""What the reference and its mutants tell of themselves; light, as plugins are."""

from __future__ import annotations

from dataclasses import replace

from modelplug import Backend, Capabilities, ModelMetadata, hookimpl

REFERENCE = "tests.core.conformance.reference"
REFERENCE_SSE = "tests.core.conformance.reference_sse"
REFERENCE_INPROCESS = "tests.core.conformance.reference_inprocess"
REFERENCE_BLOCKING = "tests.core.conformance.reference_blocking"

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
        "response_format",
    ],
    unsupported=[
        "stop_token_ids",
        "tool_choice",
        "reasoning",
        "echo",
        "images",
    ],
)

SEEING = replace(
    CAPABILITIES,
    native=[*CAPABILITIES.native, "images"],
    unsupported=[each for each in CAPABILITIES.unsupported if each != "images"],
)
"""Those of the references without a wire."""


def backend(name: str, client: str, reference: str = REFERENCE) -> Backend:
    """A backend of the reference's kind with this client, and a reference's harness."""
    variables = {"proxy_api_key": "REFERENCE_KEY"}
    wired = reference not in (REFERENCE_INPROCESS, REFERENCE_BLOCKING)
    if wired:
        variables["proxy_api_base"] = "REFERENCE_BASE"
    return Backend(
        name=name,
        summary="does everything right",
        contract=1,
        client=client,
        harness=f"{reference}:HARNESS",
        models=[ModelMetadata(model="small", context_length=4096)],
        capabilities=CAPABILITIES if wired else SEEING,
        environment=variables,
        required=tuple(variables),
        home_page="https://reference.example",
    )


@hookimpl
def modelplug_backend(name: str) -> Backend:
    """The reference, or the mutant called ``name``."""
    if name == "reference":
        return backend(name, f"{REFERENCE}:ReferenceClient")
    if name == "reference-sse":
        return backend(name, f"{REFERENCE_SSE}:SseClient", REFERENCE_SSE)
    if name == "reference-inprocess":
        return backend(name, f"{REFERENCE_INPROCESS}:InProcessClient", REFERENCE_INPROCESS)
    if name == "reference-blocking":
        return backend(name, f"{REFERENCE_BLOCKING}:BlockingClient", REFERENCE_BLOCKING)
    # Deferred: the mutants have the client under them, which a plugin doesn't import.
    from tests.core.conformance.mutants import mutant_of

    found = mutant_of(name)
    return found.backend(name) if found else backend(name, f"{REFERENCE}:ReferenceClient")
