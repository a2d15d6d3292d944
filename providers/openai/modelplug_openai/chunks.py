r"""Pieces of an answer as they come over the wire, as typed values.

OpenAI's shapes (https://platform.openai.com/docs/api-reference/chat-streaming/streaming and
.../chat/object), and what other servers make of them. A chunk of a stream and a whole completion
differ in one name only, ``delta`` or ``message``, and so are one type. Any field may be missing or
null. Where the answer itself is, types are strict: text that is no text is a fault. What stands
beside it (counts, names, numbers of tool calls) isn't typed: who uses it looks at it then, and
what can't be read there is no reason to lose the answer.

Half a surrogate pair (``"\ud800"``) is refused as undecodable, in whatever field it stands: it
is no text, and replacing it would change an answer in silence.
"""

from __future__ import annotations

import hashlib

import msgspec
from msgspec import Struct

from modelplug import DecodeError, ProtocolError, SchemaError

__all__ = [
    "Choice",
    "Chunk",
    "Detail",
    "FunctionPiece",
    "Part",
    "Piece",
    "ToolPiece",
    "decode_chunk",
    "encode_chunk",
    "undecodable",
]


class FunctionPiece(Struct, omit_defaults=True):
    """What is to be called; ``arguments`` is JSON text, or from some servers the object itself."""

    name: object = None
    arguments: object = None


class ToolPiece(Struct, omit_defaults=True):
    """A piece of one tool call, or all of it. ``index`` may be missing, or wrong."""

    index: object = None
    id: object = None
    type: object = None
    function: FunctionPiece | None = None


class Part(Struct, omit_defaults=True):
    """A part of a content that is a list.

    Its type is ``text``, ``thinking`` (with parts of its own), or another, which isn't read
    (https://docs.mistral.ai/capabilities/reasoning).
    """

    type: str = ""
    text: str | None = None
    thinking: str | list[Part] | None = None


class Detail(Struct, omit_defaults=True):
    """One of OpenRouter's ``reasoning_details``.

    Its type is ``reasoning.text``, ``reasoning.summary`` or ``reasoning.encrypted``
    (https://openrouter.ai/docs/use-cases/reasoning-tokens).
    """

    type: object = None
    id: object = None
    format: object = None
    index: object = None
    text: str | None = None
    summary: str | None = None
    data: object = None
    signature: object = None


class Piece(Struct, omit_defaults=True):
    """What a chunk adds to the answer, or the whole message of a completion.

    Thinking has four spellings: ``reasoning_content`` (DeepSeek, and most others), ``reasoning``
    (OpenRouter, Ollama, newer vLLM), ``reasoning_details``, ``thinking``. Spark's ``tool_calls``
    is one object and no list unless it is asked for one. ``function_call`` is OpenAI's old
    spelling.
    """

    content: str | list[Part] | None = None
    role: object = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: list[Detail] | None = None
    thinking: str | None = None
    tool_calls: list[ToolPiece | None] | ToolPiece | None = None
    function_call: FunctionPiece | None = None
    refusal: str | None = None
    audio: object = None
    annotations: object = None


class Choice(Struct, omit_defaults=True):
    """One answer; there is only one, of index 0, since no more are asked for.

    The index is told by a service that means 0, as clients count on it; some leave it out.
    ``usage`` in here is Moonshot's (https://platform.moonshot.ai/docs/api/chat).
    """

    index: int | None = None
    delta: Piece | None = None
    message: Piece | None = None
    finish_reason: str | None = None
    logprobs: object = None
    usage: object = None
    content_filter_results: object = None
    error: object = None


class Chunk(Struct, omit_defaults=True):
    """A chunk of a stream, a whole completion, or a failure in the place of one.

    From ``error`` on are the names under which services put failures; ``code`` 0 is Spark's for
    none. ``x_groq`` has Groq's usage and id, ``prompt_filter_results`` is Azure's.
    """

    choices: list[Choice] | None = None
    id: object = None
    kind: object = msgspec.field(default=None, name="object")
    created: object = None
    model: object = None
    system_fingerprint: object = None
    service_tier: object = None
    usage: object = None
    x_groq: object = None
    prompt_filter_results: object = None
    sid: object = None
    error: object = None
    code: object = None
    message: object = None
    detail: object = None
    errors: object = None
    type: object = None
    base_resp: object = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Chunk).decode


def encode_chunk(chunk: Chunk) -> bytes:
    """A chunk as a service sends it, without what is unset."""
    return _encode(chunk)


def decode_chunk(data: bytes) -> Chunk:
    """The data of one event, or a whole completion.

    Raises:
        DecodeError: it is no JSON, or no UTF-8, or nested too deeply.
        SchemaError: it is JSON of another shape.
    """
    try:
        return _decode(data)
    except (ValueError, RecursionError) as error:
        kind = undecodable(error, data)
    raise kind  # here, where no library's exception, which may quote it, hangs on


def undecodable(error: Exception, data: bytes) -> ProtocolError:
    """What ``error``, of a decoder's, says of ``data``: never the text, only what identifies it."""
    digest = hashlib.sha256(data).hexdigest()[:12]
    about = f"({len(data)} bytes, SHA-256 {digest})"
    if isinstance(error, msgspec.ValidationError):
        return SchemaError(f"a chunk has the wrong shape: {error} {about}")
    if isinstance(error, RecursionError):
        told = "nested too deeply"
    else:
        told = "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
    return DecodeError(f"a chunk can't be decoded: {told} {about}")
