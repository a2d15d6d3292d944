"""The function that DB-GPT's model workers call for Spark, under its own name and arguments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from modelplug import ModelOutput, ProxyLLMClient, worker_stream

__all__ = ["spark_generate_stream"]


def spark_generate_stream(  # noqa: PLR0917  # the arguments that a worker passes, in its order
    model: object,
    tokenizer: object,  # noqa: ARG001  # see Args
    params: Mapping[str, object],
    device: object,  # noqa: ARG001  # see Args
    context_len: int = 2048,  # noqa: ARG001  # see Args
) -> Iterator[ModelOutput]:
    """Outputs for a worker; it never raises, a failure is the last output.

    Args:
        model: a client, or a worker's model with one in ``proxy_llm_client``.
        tokenizer: not used: the service counts.
        params: see ``modelplug.worker_stream``.
        device: not used: the model runs elsewhere.
        context_len: not used: history is trimmed by a converter, where that is wanted.

    Raises:
        TypeError: ``model`` is neither.
    """
    client = getattr(model, "proxy_llm_client", model)
    if not isinstance(client, ProxyLLMClient):
        raise TypeError("model is a client, or has one in proxy_llm_client")
    return worker_stream(client, params)
