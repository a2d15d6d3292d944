"""The call that DB-GPT's workers make: a stream of outputs that never raises."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from modelplug.client import ProxyLLMClient
from modelplug.errors import BadRequestError, ProxyLLMError
from modelplug.output import ModelOutput
from modelplug.request import ModelRequest

__all__ = ["worker_stream"]

_PARAMETERS = ("temperature", "max_new_tokens", "stop", "span_id")


def worker_stream(client: ProxyLLMClient, params: Mapping[str, object]) -> Iterator[ModelOutput]:
    """Serve what a DB-GPT worker asks for.

    A failure is the last output: its ``error_code`` isn't 0, and its ``text`` is the answer so
    far with a notice behind it, as workers show ``text[len(previous):]``. Only here does an
    error become text. Leaving the iteration early closes the connection.

    Args:
        client: who answers.
        params: the worker's: ``messages``, ``temperature``, ``max_new_tokens``, ``stop``,
            ``span_id``, ``user_name`` and ``request_id``; what else is there is not for models.
    """
    try:
        with client.sync_generate_stream(_request(client, params)) as stream:
            yield from stream
    except ProxyLLMError as error:
        failed = ModelOutput.from_error(error)
    else:
        return
    yield failed


def _request(client: ProxyLLMClient, params: Mapping[str, object]) -> ModelRequest:
    messages = params.get("messages")
    try:
        return ModelRequest.build_request(
            client.default_model,
            messages if isinstance(messages, str | Sequence) else (),
            {name: params.get(name) for name in ("user_name", "request_id")},
            stream=True,
            **{name: params.get(name) for name in _PARAMETERS},
        )
    except (TypeError, ValueError) as error:
        refused = BadRequestError(str(error), hint="correct the worker's params")
    raise refused
