"""What HTTP statuses, services' words and pieces of their prose mean.

Tables, each row group with its source. ``codes`` looks things up in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from modelplug_openai.kinds import Kind, meaning

__all__ = ["MEANINGS", "PROSE", "STATUSES", "VAGUE"]

STATUSES: Final[Mapping[int, Kind]] = MappingProxyType(
    {
        400: "bad",
        401: "authentication",
        402: "quota",
        403: "permission",
        404: "no_model",
        405: "no_path",
        408: "gave_up",
        409: "conflict",
        413: "too_large",
        415: "bad",
        421: "no_path",
        422: "bad",
        424: "server",  # TGI: the generation failed (see ``refusals``)
        425: "too_early",
        429: "rate",
        498: "overloaded",  # Groq: https://console.groq.com/docs/errors
        500: "server",
        502: "overloaded",
        503: "overloaded",
        504: "overloaded",
        529: "overloaded",  # https://docs.anthropic.com/en/api/errors
    }
)
"""What a status means where no word says more (RFC 9110 section 15, and
https://platform.openai.com/docs/guides/error-codes)."""

_OPENAI = {
    **meaning("authentication", "invalid_api_key", "invalid_organization", "account_deactivated"),
    **meaning("quota", "insufficient_quota", "billing_hard_limit_reached", "billing_not_active"),
    **meaning("rate", "rate_limit_exceeded", "slow_down"),
    **meaning("too_long", "context_length_exceeded", "string_above_max_length"),
    **meaning("no_model", "model_not_found"),
    **meaning("no_path", "unknown_url"),
    **meaning("input_refused", "content_policy_violation"),
    **meaning("permission", "unsupported_country_region_territory"),
    **meaning("overloaded", "server_is_overloaded"),
    **meaning("server", "server_error"),
}
"""https://platform.openai.com/docs/guides/error-codes"""

_AZURE = {
    **meaning("input_refused", "ResponsibleAIPolicyViolation", "content_filter", "flagged_input"),
    **meaning("no_model", "DeploymentNotFound", "unknown_model"),
    **meaning("too_long", "tokens_limit_reached"),
    **meaning("rate", "RateLimitReached"),
}
"""https://learn.microsoft.com/azure/ai-foundry/openai/concepts/content-filter, and GitHub Models,
which are of the same house; ``flagged_input`` is in OpenRouter's ``metadata``
(https://openrouter.ai/docs/api-reference/errors)."""

_ANTHROPIC = {
    **meaning("authentication", "authentication_error"),
    **meaning("quota", "billing_error"),
    **meaning("permission", "permission_error"),
    **meaning("no_model", "not_found_error"),
    **meaning("too_large", "request_too_large"),
    **meaning("rate", "rate_limit_error"),
    **meaning("server", "api_error", "timeout_error"),
    **meaning("overloaded", "overloaded_error"),
}
"""https://docs.anthropic.com/en/api/errors"""

_GOOGLE = {
    **meaning("authentication", "API_KEY_INVALID", "UNAUTHENTICATED"),
    **meaning("permission", "PERMISSION_DENIED"),
    **meaning("rate", "RESOURCE_EXHAUSTED"),
    **meaning("bad", "INVALID_ARGUMENT"),
    **meaning("server", "INTERNAL"),
    **meaning("overloaded", "UNAVAILABLE", "DEADLINE_EXCEEDED"),
}
"""https://ai.google.dev/gemini-api/docs/troubleshooting"""

_LLAMA = {
    **meaning("too_long", "exceed_context_size_error"),
    **meaning("overloaded", "unavailable_error"),
}
"""https://github.com/ggml-org/llama.cpp/pull/15780 and tools/server/README.md there."""

_TGI = {
    **meaning("overloaded", "overloaded"),
    **meaning("server", "generation", "incomplete_generation"),
    **meaning("bad", "validation"),
}
"""https://huggingface.co/docs/text-generation-inference/reference/api_reference"""

_ALIYUN = {
    **meaning("authentication", "InvalidApiKey"),
    **meaning("quota", "Arrearage", "AllocationQuota.FreeTierOnly"),
    # With AllocationQuota behind it, too: that is the limit of tokens a minute.
    **meaning("rate", "Throttling", "limit_requests", "limit_burst_rate"),
    **meaning("input_refused", "DataInspectionFailed", "data_inspection_failed"),
    **meaning("no_model", "ModelNotFound"),
    **meaning("permission", "AccessDenied", "Model.AccessDenied"),
}
"""https://help.aliyun.com/zh/model-studio/error-code, and
https://help.aliyun.com/zh/model-studio/rate-limit on what limits there are."""

_MOONSHOT = {
    **meaning("authentication", "invalid_authentication_error", "incorrect_api_key_error"),
    **meaning("quota", "exceeded_current_quota_error"),
    **meaning("rate", "rate_limit_reached_error"),
    **meaning("overloaded", "engine_overloaded_error"),
    **meaning("permission", "permission_denied_error"),
}
"""https://platform.moonshot.ai/docs/api/errors"""

_ARK = {
    **meaning("authentication", "AuthenticationError"),
    **meaning("quota", "AccountOverdueError", "QuotaExceeded", "SetLimitExceeded"),
    **meaning("input_refused", "SensitiveContentDetected", "InputTextSensitiveContentDetected"),
    **meaning("input_refused", "InputTextRiskDetection", "InputImageRiskDetection"),
    **meaning("output_refused", "OutputTextSensitiveContentDetected", "OutputTextRiskDetection"),
    **meaning("no_model", "InvalidEndpointOrModel.NotFound", "InvalidEndpoint.NotFound"),
    **meaning("permission", "ModelNotOpen"),
    **meaning("overloaded", "ServerOverloaded"),
}
"""https://www.volcengine.com/docs/82379/1299023"""

_QIANFAN = {
    **meaning("authentication", "invalid_iam_token"),
    **meaning("permission", "invalid_appid", "no_parameter_permission"),
    **meaning("no_model", "invalid_model"),
    **meaning("too_long", "characters_too_long", "tokens_too_long"),
    **meaning("rate", "rpm_rate_limit_exceeded", "tpm_rate_limit_exceeded"),
    **meaning("input_refused", "unsafe_request", "image_url_unsafe"),
}
"""https://cloud.baidu.com/doc/qianfan-api/s/rmwbl43x7"""

MEANINGS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        **_QIANFAN,
        **_ARK,
        **_MOONSHOT,
        **_ALIYUN,
        **_TGI,
        **_LLAMA,
        **_GOOGLE,
        **_ANTHROPIC,
        **_AZURE,
        **_OPENAI,
    }
)
"""Words that mean the same whoever says them. What a preset has is numbers, which each service
counts by itself, and words by which it means something else than the others."""

PROSE: Final[tuple[tuple[str, Kind], ...]] = (
    # vLLM up to 0.15, DeepSeek, OpenRouter: https://github.com/vllm-project/vllm/pull/37011
    ("maximum context length is", "too_long"),
    # vLLM from 0.16 on: https://github.com/harbor-framework/harbor/pull/996
    ("context length is only", "too_long"),
    # Anthropic: https://docs.anthropic.com/en/api/errors
    ("prompt is too long", "too_long"),
    # Gemini: https://github.com/google-gemini/gemini-cli/issues/6678
    ("exceeds the maximum number of tokens allowed", "too_long"),
    # DashScope: https://github.com/QwenLM/qwen-code/issues/98
    ("Range of input length should be", "too_long"),
    # Moonshot: https://github.com/MoonshotAI/kimi-cli/issues/2011
    ("exceeded model token limit", "too_long"),
    # TGI: router/src/validation.rs of https://github.com/huggingface/text-generation-inference
    ("`inputs` tokens + `max_new_tokens` must be <=", "too_long"),
    # Spark's "AppIdNoAuthError:(12:17:04.432) domain.generalv3", of a model that isn't granted;
    # with "tokens.total" it is the volume: https://github.com/binary-husky/gpt_academic/issues/1230
    (") domain.", "permission"),
)
"""Pieces of messages, for services that have one word for many things."""

VAGUE: Final[frozenset[Kind]] = frozenset({"bad", "server", "unentitled", "unknown"})
"""What is so general that a message's prose may tell more."""
