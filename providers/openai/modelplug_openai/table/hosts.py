"""Services that run the models of others."""

from __future__ import annotations

from modelplug_openai.preset import Preset

__all__ = ["HOSTS"]

HOSTS = (
    Preset(
        name="azure",
        summary="Azure OpenAI: a resource of your own, whose deployments are the models",
        source="https://learn.microsoft.com/en-us/azure/ai-services/openai/reference",
        base=None,
        key="AZURE_OPENAI_API_KEY",
        base_variable="AZURE_OPENAI_ENDPOINT",
        version_variable="OPENAI_API_VERSION",
        key_header="api-key",
        path="/openai/deployments/{model}/chat/completions",
        models_path=None,
        api_version="2024-10-21",
    ),
    Preset(
        name="cerebras",
        summary="Cerebras Inference",
        source="https://inference-docs.cerebras.ai/resources/openai",
        base="https://api.cerebras.ai/v1",
        key="CEREBRAS_API_KEY",
        models=(("gpt-oss-120b", 131_072), ("zai-glm-4.7", 131_072)),
    ),
    Preset(
        name="fireworks",
        summary="Fireworks AI",
        source="https://docs.fireworks.ai/tools-sdks/openai-compatibility",
        base="https://api.fireworks.ai/inference/v1",
        key="FIREWORKS_API_KEY",
        models=(("accounts/fireworks/models/gpt-oss-120b", 131_072),),
        limit_field="max_tokens",
        usage="always",
        fields={"top_k": "top_k"},
    ),
    Preset(
        name="github-models",
        summary="GitHub Models",
        source="https://docs.github.com/en/rest/models/inference",
        base="https://models.github.ai/inference",
        key="GITHUB_TOKEN",
        models=(("openai/gpt-4.1", 128_000), ("openai/gpt-4.1-mini", 128_000)),
        models_path=None,
        limit_field="max_tokens",
        reasoning=None,
    ),
    Preset(
        name="groq",
        summary="Groq",
        source="https://console.groq.com/docs/openai",
        base="https://api.groq.com/openai/v1",
        key="GROQ_API_KEY",
        models=(
            ("openai/gpt-oss-120b", 131_072),
            ("openai/gpt-oss-20b", 131_072),
            ("llama-3.3-70b-versatile", 131_072),
        ),
        usage="always",
        unsupported={"presence_penalty", "frequency_penalty"},
    ),
    Preset(
        name="nvidia",
        summary="NVIDIA's hosted NIM",
        source="https://docs.api.nvidia.com/nim/reference/llm-apis",
        base="https://integrate.api.nvidia.com/v1",
        key="NVIDIA_API_KEY",
        models=(
            ("nvidia/nemotron-3-super-120b-a12b", 262_144),
            ("meta/llama-3.3-70b-instruct", 128_000),
        ),
        limit_field="max_tokens",
        reasoning=None,
    ),
    Preset(
        name="openrouter",
        summary="OpenRouter: models of many services under one key",
        source="https://openrouter.ai/docs/api-reference/overview",
        base="https://openrouter.ai/api/v1",
        key="OPENROUTER_API_KEY",
        limit_field="max_tokens",
        reasoning="object",
        fields={"top_k": "top_k"},
    ),
    Preset(
        name="together",
        summary="Together AI",
        source="https://docs.together.ai/docs/inference/openai-compatibility",
        base="https://api.together.ai/v1",
        key="TOGETHER_API_KEY",
        models=(("openai/gpt-oss-120b", 131_072), ("openai/gpt-oss-20b", 131_072)),
        limit_field="max_tokens",
        fields={"top_k": "top_k"},
    ),
)
"""One row each."""
