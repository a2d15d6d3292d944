"""What ``modelplug ask`` does once its arguments are read: the call, and how it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

import click

from modelplug.cli.attempts import note_of_answer, note_of_failure, records, tales
from modelplug.cli.logs import log_plainly
from modelplug.cli.signals import ended_by_signals
from modelplug.cli.terminal import Answer, one_line, to_json, write
from modelplug.delta import Usage
from modelplug.errors import ProxyLLMError
from modelplug.factory import new_client
from modelplug.messages import ModelMessage
from modelplug.output import ModelInferenceMetrics, ModelOutput
from modelplug.request import ModelRequest, ModelRequestContext

__all__ = ["answer"]

Config: TypeAlias = str | Mapping[str, object]
"""What a client is made from; see new_client."""


def answer(config: Config, prompt: str, *, system: str | None, form: str, verbose: bool) -> None:
    """Ask, and tell the answer in a form: ``stream``, ``whole`` or ``json``.

    Raises:
        ProxyLLMError: the call failed; what there is of an answer has been told.
        KeyboardInterrupt: Ctrl-C; the connection is closed.
        Exit: SIGTERM or SIGHUP came; the same.
    """
    log_plainly()
    messages = [ModelMessage("human", prompt)]
    if system:
        messages.insert(0, ModelMessage("system", system))
    context = ModelRequestContext(stream=form == "stream")
    try:
        with ended_by_signals("SIGINT", "SIGTERM", "SIGHUP"):
            output = _FORMS[form](config, ModelRequest(messages=messages, context=context))
    except ProxyLLMError as error:
        _tell_attempts(error.attempts, note_of_failure(error), verbose=verbose)
        raise
    if output.finish_reason in ("length", "content_filter"):
        click.echo(f"note: the answer is not whole ({output.finish_reason})", err=True)
    _tell_attempts(output.attempts, note_of_answer(output), verbose=verbose)
    for warning in output.warnings:
        click.echo(f"warning: {one_line(warning)}", err=True)
    if verbose:
        for label, told in _figures(output):
            click.echo(f"{label:8} {one_line(told)}", err=True)


def _tell_attempts(attempts: Iterable[object], note: str | None, *, verbose: bool) -> None:
    """What was tried before: in short, and where all is to be told one by one."""
    if verbose:
        for told in tales(attempts):
            click.echo(f"{'attempt':8} {one_line(told)}", err=True)
    if note is not None:
        click.echo(f"note: {one_line(note)}", err=True)


def _stream(config: Config, request: ModelRequest) -> ModelOutput:
    # The sync stream: its connection is served, and pings are answered, while a pager makes
    # standard output wait.
    with (
        new_client(config) as client,
        Answer() as text,
        client.sync_generate_stream(request) as stream,
    ):
        for output in stream:
            text.write(output.delta)
    return stream.partial


def _whole(config: Config, request: ModelRequest) -> ModelOutput:
    with new_client(config) as client, Answer() as text:
        try:
            output = client.sync_generate(request)
        except ProxyLLMError as error:
            text.write(error.partial.text if error.partial else "")
            raise
        text.write(output.text)
    return output


def _json(config: Config, request: ModelRequest) -> ModelOutput:
    try:
        with new_client(config) as client:
            output = client.sync_generate(request)
    except ProxyLLMError as error:
        failed = error.partial or ModelOutput()
        names = {"model": error.model, "backend": error.backend, "request_id": error.request_id}
        told = {
            **_record(failed),
            **names,
            "attempts": records(error.attempts),
            "error_code": error.code,
            "message": error.message,
        }
        write(to_json(told))
        raise
    write(to_json(_record(output)))
    return output


_FORMS: dict[str, Callable[[Config, ModelRequest], ModelOutput]] = {
    "stream": _stream,
    "whole": _whole,
    "json": _json,
}

_RECORD = (
    "text",
    "warnings",
    "sources",
    "reasoning",
    "finish_reason",
    "usage",
    "model",
    "backend",
    "served_by",
    "request_id",
    "error_code",
)


def _record(output: ModelOutput) -> dict[str, object]:
    values = output.to_dict()
    return {**{name: values[name] for name in _RECORD}, "attempts": records(output.attempts)}


def _figures(output: ModelOutput) -> Iterable[tuple[str, str]]:
    """What a call was and cost, line by line, as far as it is known."""
    yield "backend", f"{output.backend}, model {output.model}"
    yield "usage", _usage(output.usage)
    if (metrics := output.metrics) is not None:
        yield "timing", _timing(metrics)
    if output.finish_reason:
        yield "finish", output.finish_reason
    if output.request_id:
        yield "request", output.request_id


def _usage(usage: Usage | None) -> str:
    if usage is None:
        return "not reported"
    counted = f"{usage.prompt_tokens} + {usage.completion_tokens} = {usage.total_tokens} tokens"
    return counted if usage.source == "reported" else f"{counted} ({usage.source})"


def _timing(metrics: ModelInferenceMetrics) -> str:
    first, total = metrics.time_to_first_delta, metrics.total_time
    speed, count = metrics.speed_per_second, metrics.collect_index
    told = [
        f"first delta {first:.3f} s" if first is not None else "",
        f"total {total:.3f} s" if total is not None else "",
        f"{speed:.1f} tokens/s" if speed is not None else "",
    ]
    return ", ".join([*filter(None, told), f"{count} delta{'' if count == 1 else 's'}"])
