"""What a service's refusals and failures mean: each one typed error, with what to do next.

A failure comes as an HTTP status with a body, or with status 200 in the place of a chunk, or in
an answer's finish reason. A preset's own words go first, then those that mean the same wherever
they are used, then the status. A message's prose is looked at last, and only where a service has
one word for many things.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from modelplug import (
    BackendError,
    ContentFilterError,
    HandshakeError,
    ProxyLLMError,
    SchemaError,
)
from modelplug_openai.chunks import Choice, Chunk
from modelplug_openai.kinds import KINDS, Kind
from modelplug_openai.meanings import MEANINGS, PROSE, STATUSES, VAGUE
from modelplug_openai.reasons import FAILURES, REASONS
from modelplug_openai.refusals import Said, said_by
from modelplug_openai.remarks import plain

__all__ = [
    "failure_of",
    "has_odd",
    "look_for_failure",
    "misshapen_failure",
    "refused",
    "request_id_of",
]

_SAID_LIMIT = 2000
"""Characters of a message of the service's that are kept."""

_TEXT_LIMIT = 200
"""Characters of a text that isn't JSON."""

_ID_LIMIT = 128
"""Characters of a request's name; real ones have about 36."""

_GOOD = (None, 0, 200, "", "0", "200")
"""Values of ``code`` beside an answer: Spark's for none, and gateways' for their own status."""


def refused(
    status: int,
    body: bytes,
    *,
    headers: Mapping[str, str],
    failures: Mapping[str, Kind],
    scrub: Callable[[str], str],
    retry_after: float | None = None,
    has_key: bool = True,
) -> ProxyLLMError:
    """The error for a response that is no answer, whatever its body is.

    Args:
        status: its HTTP status. One below 400 is an error, too: a page with status 200 is
            nobody's answer.
        body: as much of it as was read.
        headers: names in lower case.
        failures: the preset's own words.
        scrub: takes secrets out of what the service says, which may repeat what it was sent.
        retry_after: seconds to wait, where a header says so; the body goes before it.
        has_key: whether a key was sent.
    """
    said = _shown(said_by(body))
    if status < 400 and not said.has_answered:
        error: ProxyLLMError = HandshakeError(
            f"the service answered with HTTP status {status} and no answer",
            status=status,
            hint="check api_base: this looks like a login page or a proxy",
        )
        error.complete(provider_message=_message(said, scrub) or None)
    else:
        refusing = status if status >= 400 else None
        error = _error_of(said, status=refusing, failures=failures, scrub=scrub, has_key=has_key)
        if isinstance(error, ContentFilterError):
            error.stage = error.stage or "input"
    error.complete(
        provider_code=status,
        request_id=request_id_of(headers, scrub=scrub),
        retry_after=retry_after,
    )
    return error


def has_odd(chunk: Chunk) -> bool:
    """Whether a chunk has anything that a failure has: one that has choices seldom does."""
    odd = (chunk.error, chunk.code, chunk.base_resp, chunk.x_groq)
    return odd != (None, None, None, None)


def look_for_failure(
    chunk: Chunk, data: bytes, *, failures: Mapping[str, Kind], scrub: Callable[[str], str]
) -> None:
    """Raise what came in the place of a chunk, if it is none.

    Args:
        chunk: what was made of it.
        data: the same as it came.
        failures: the preset's own words.
        scrub: takes secrets out of what the service says.

    Raises:
        BackendError: a failure.
        SchemaError: neither a chunk nor a failure.
    """
    if error := _of(chunk.x_groq, "error"):
        raise _within(error, failures, scrub)
    code = _of(chunk.base_resp, "status_code")
    has_failed = bool(chunk.error) or code not in _GOOD or chunk.code not in _GOOD
    if not chunk.choices:
        has_failed = has_failed or "error" in (chunk.kind, chunk.type)
        # Beside a code that is good, a message says that as well.
        told = chunk.message or chunk.detail or chunk.errors
        has_failed = has_failed or bool(told and chunk.code in (None, ""))
    if has_failed:
        raise _streamed(data, failures, scrub)
    is_chunk = isinstance(chunk.kind, str) and chunk.kind.startswith("chat.completion")
    if chunk.choices is None and not (is_chunk or chunk.usage or chunk.prompt_filter_results):
        raise SchemaError("an event is neither a chunk of an answer nor a failure")


class _Failed(msgspec.Struct):
    """What has nothing but a failure that can be read."""

    error: object = None


_decode_failed = msgspec.json.Decoder(_Failed | list[_Failed]).decode


def misshapen_failure(
    data: bytes, *, failures: Mapping[str, Kind], scrub: Callable[[str], str]
) -> BackendError | None:
    """The failure in what is no chunk: Gemini's is in a list, others' has odd choices beside it.

    Args:
        data: as it came.
        failures: the preset's own words.
        scrub: takes secrets out of what the service says.
    """
    try:
        found = _decode_failed(data)
    except (ValueError, RecursionError):
        return None
    told = found if isinstance(found, list) else [found]
    return _streamed(data, failures, scrub) if any(each.error for each in told) else None


def failure_of(
    choice: Choice, word: str, *, failures: Mapping[str, Kind], scrub: Callable[[str], str]
) -> BackendError | None:
    """The failure that a finish reason tells, if it is one.

    What is a reason to end is none, though the same word may be an error's code: Azure's
    ``content_filter`` is both.

    Args:
        choice: which has it, and may have more about it (OpenRouter).
        word: the reason, in the service's own words.
        failures: the preset's own words.
        scrub: takes secrets out of what the service says.
    """
    if choice.error:
        return _within(choice.error, failures, scrub)
    known = {**FAILURES, **failures}
    if word in known and word not in REASONS:
        return _error_of(Said(words=(word,)), failures=known, scrub=scrub)
    return None


def _within(
    error: object, failures: Mapping[str, Kind], scrub: Callable[[str], str]
) -> BackendError:
    """A failure that is told beside an answer, in the shape of one that is alone."""
    return _streamed(msgspec.json.encode({"error": error}), failures, scrub)


def _streamed(
    data: bytes, failures: Mapping[str, Kind], scrub: Callable[[str], str]
) -> BackendError:
    said = said_by(data)
    # What can't be read may be a piece of the answer.
    return _error_of(said if said.has_answered else Said(), failures=failures, scrub=scrub)


def _error_of(
    said: Said,
    *,
    failures: Mapping[str, Kind],
    scrub: Callable[[str], str],
    status: int | None = None,
    has_key: bool = True,
) -> BackendError:
    """The error that a service's words stand for, with the status if it refused by one."""
    words = tuple(plain(word, scrub, limit=100) for word in said.words)
    kind = _kind(said, status, failures)
    meaning = KINDS["no_key" if kind == "authentication" and not has_key else kind]
    message = _message(said, scrub)
    told = f"{meaning.told}: {_excerpt(message)}" if message else meaning.told
    if meaning.error is ContentFilterError:
        error: BackendError = ContentFilterError(told, stage=meaning.stage)
    else:
        error = meaning.error(told)
    if meaning.retryable is not None:
        error.retryable = meaning.retryable
    error.complete(
        provider_code=words[0] if words else status,
        provider_message=message or None,
        request_id=plain(said.request_id or "", scrub, limit=_ID_LIMIT) or None,
        retry_after=said.retry_after,
        hint=meaning.hint,
    )
    return error


def _kind(said: Said, status: int | None, failures: Mapping[str, Kind]) -> Kind:
    found = _by_word(said, status, failures) or _by_number(said, status)
    if found in VAGUE:
        found = next((kind for piece, kind in PROSE if piece in said.message), found)
    if found == "no_model" and not (said.has_answered and said.words):
        return "no_path"  # nobody who knows of models said so
    return found


def _by_word(said: Said, status: int | None, failures: Mapping[str, Kind]) -> Kind | None:
    for word in said.words:
        if word in failures:
            return failures[word]
        # Ark's and DashScope's are finer behind a dot: SensitiveContentDetected.Violence.
        kind = MEANINGS.get(word) or MEANINGS.get(word.partition(".")[0])
        # Some call every error of theirs a server's: a status that says otherwise knows better.
        if kind is not None and not (kind == "server" and 400 <= (status or 500) < 500):
            return kind
    return None


def _by_number(said: Said, status: int | None) -> Kind:
    """By the status; within a stream vLLM, OpenRouter and llama.cpp give that as the code."""
    number = status or next((int(word) for word in said.words if _is_status(word)), None)
    if number is None:
        # The type of most of OpenAI's refusals: beside a status it says nothing more.
        return "bad" if "invalid_request_error" in said.words else "unknown"
    if number in STATUSES or number >= 500:
        return STATUSES.get(number, "server")
    # An unknown status counts as 400 (RFC 9110, section 15), unless it has words of its own.
    return "bad" if all(map(_is_status, said.words)) else "unknown"


def _is_status(word: str) -> bool:
    return len(word) == 3 and word.isascii() and word.isdecimal() and "400" <= word <= "599"


def _shown(said: Said) -> Said:
    """A page says nothing."""
    is_page = not said.has_answered and said.message.lstrip()[:1] == "<"
    return Said(has_answered=False) if is_page else said


def _message(said: Said, scrub: Callable[[str], str]) -> str:
    """What isn't JSON says little: its beginning is enough."""
    return plain(said.message, scrub, limit=_SAID_LIMIT if said.has_answered else _TEXT_LIMIT)


_ID_HEADERS = (
    "x-request-id",  # OpenAI, https://platform.openai.com/docs/api-reference/debugging-requests
    "request-id",  # Anthropic, https://docs.anthropic.com/en/api/errors
    "apim-request-id",  # Azure
    "x-ds-trace-id",  # DeepSeek
    "x-tt-logid",  # Ark
    "trace-id",  # MiniMax
    "x-siliconcloud-trace-id",  # SiliconFlow
    "mistral-correlation-id",  # Mistral
    "cf-ray",  # whoever is behind Cloudflare
)
"""Headers with the service's name for a request, the service's own before its gateway's."""


def request_id_of(headers: Mapping[str, str], *, scrub: Callable[[str], str]) -> str | None:
    """The service's name for a request, from the headers of its response."""
    found = next((headers[name] for name in _ID_HEADERS if headers.get(name)), "")
    return plain(found, scrub, limit=_ID_LIMIT) or None


def _excerpt(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]}…"


def _of(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, Mapping) else None
