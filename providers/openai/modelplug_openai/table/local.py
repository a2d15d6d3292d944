"""Servers on one's own machine: at the port where each listens unless told otherwise.

They need no key. What a model there can do is the model's affair and the operator's.
"""

from __future__ import annotations

from modelplug_openai.preset import Preset

__all__ = ["LOCAL"]

LOCAL = (
    Preset(
        name="llamacpp",
        summary="llama-server of llama.cpp, on this machine",
        source="https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md",
        base="http://127.0.0.1:8080/v1",
        needs_key=False,
        limit_field="max_tokens",
        fields={"top_k": "top_k"},
    ),
    Preset(
        name="lmstudio",
        summary="LM Studio, on this machine",
        source="https://lmstudio.ai/docs/developer/openai-compat/chat-completions",
        base="http://127.0.0.1:1234/v1",
        needs_key=False,
        limit_field="max_tokens",
        reasoning=None,
        fields={"top_k": "top_k"},
    ),
    Preset(
        name="ollama",
        summary="Ollama, on this machine",
        source="https://docs.ollama.com/api/openai-compatibility",
        base="http://127.0.0.1:11434/v1",
        needs_key=False,
        limit_field="max_tokens",
        unsupported={"tool_choice"},
    ),
    Preset(
        name="sglang",
        summary="SGLang, on this machine",
        source="https://docs.sglang.io/docs/basic_usage/openai_api_completions",
        base="http://127.0.0.1:30000/v1",
        needs_key=False,
        fields={"top_k": "top_k", "stop_token_ids": "stop_token_ids"},
    ),
    Preset(
        name="tgi",
        summary="Text Generation Inference of Hugging Face, on this machine",
        source="https://github.com/huggingface/text-generation-inference/blob/main/docs/openapi.json",
        base="http://127.0.0.1:8080/v1",
        needs_key=False,
        limit_field="max_tokens",
        reasoning=None,
    ),
    Preset(
        name="vllm",
        summary="vLLM, on this machine",
        source="https://docs.vllm.ai/en/stable/serving/openai_compatible_server/",
        base="http://127.0.0.1:8000/v1",
        needs_key=False,
        reasoning="template",
        fields={"top_k": "top_k", "stop_token_ids": "stop_token_ids"},
    ),
)
"""One row each."""
