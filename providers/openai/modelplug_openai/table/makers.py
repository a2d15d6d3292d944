"""Services of those who make the models, outside China."""

from __future__ import annotations

from modelplug_openai.preset import Preset

__all__ = ["MAKERS", "OPENAI"]

OPENAI = Preset(
    name="openai",
    summary="OpenAI, and any server that speaks its chat completions",
    source="https://platform.openai.com/docs/api-reference/chat",
    base="https://api.openai.com/v1",
    key="OPENAI_API_KEY",
    base_variable="OPENAI_BASE_URL",
    aliases=("chatgpt",),
    models=(
        ("gpt-5.6-terra", 1_050_000),
        ("gpt-5.6-sol", 1_050_000),
        ("gpt-5.6-luna", 1_050_000),
        ("gpt-5.5", 1_050_000),
    ),
)
"""The wire as OpenAI has it; what ``openai:MODEL?api_base=URL`` uses for any other server."""

MAKERS = (
    OPENAI,
    Preset(
        name="anthropic",
        summary="Claude, by Anthropic's layer for OpenAI's SDKs",
        source="https://platform.claude.com/docs/en/api/openai-sdk",
        base="https://api.anthropic.com/v1",
        key="ANTHROPIC_API_KEY",
        models=(
            ("claude-sonnet-5", 1_000_000),
            ("claude-opus-4-8", 1_000_000),
            ("claude-opus-5-5", None),
        ),
        reasoning=None,
        unsupported={"response_format", "presence_penalty", "frequency_penalty", "seed"},
    ),
    Preset(
        name="gemini",
        summary="Google Gemini, by its layer for OpenAI's SDKs",
        source="https://ai.google.dev/gemini-api/docs/openai",
        base="https://generativelanguage.googleapis.com/v1beta/openai",
        key="GEMINI_API_KEY",
        models=(("gemini-3.8-flash", 1_048_576), ("gemini-3.5-flash", 1_048_576)),
    ),
    Preset(
        name="mistral",
        summary="Mistral AI",
        source="https://docs.mistral.ai/api/endpoint/chat",
        base="https://api.mistral.ai/v1",
        key="MISTRAL_API_KEY",
        models=(
            ("mistral-medium-latest", 262_144),
            ("mistral-large-latest", 262_144),
            ("mistral-small-latest", 256_000),
        ),
        limit_field="max_tokens",
        usage="always",
        fields={"seed": "random_seed"},
    ),
    Preset(
        name="xai",
        summary="xAI, which makes Grok",
        source="https://docs.x.ai/docs/models",
        base="https://api.x.ai/v1",
        key="XAI_API_KEY",
        models=(("grok-4.5", 500_000), ("grok-4.3", 1_000_000)),
    ),
)
"""One row each."""
