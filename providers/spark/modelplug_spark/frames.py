r"""The JSON messages of a Spark conversation, both ways, as typed values.

One request goes out and response frames come back (sections 3 and 4 of the protocol notes,
after D-Web, D-MaaS-WS and S-Java). The client encodes requests and decodes responses; the
emulated service does the opposite, with the same types. Decoding ignores fields that it
doesn't know and is strict about the types of those that it does.

Half a surrogate pair (``"\ud800"``) is refused as undecodable, in whatever field it stands: it
is no text, and replacing it would change an answer in silence, where handing it on would break
whoever encodes the answer later.

A response has no cycles, so the garbage collector needn't look at it (``gc=False``).
"""

from __future__ import annotations

import hashlib
from typing import Literal, NamedTuple

import msgspec
from msgspec import UNSET, Struct, UnsetType

from modelplug import BadRequestError, DecodeError, SchemaError

__all__ = [
    "Chat",
    "ChatTool",
    "Choices",
    "ChoicesText",
    "FunctionCall",
    "Functions",
    "Message",
    "Misfit",
    "Parameter",
    "Request",
    "RequestHeader",
    "RequestPayload",
    "Response",
    "ResponseHeader",
    "ResponsePayload",
    "Thinking",
    "Turn",
    "UsageBlock",
    "WebSearch",
    "decode_request",
    "decode_response",
    "encode_request",
    "encode_response",
]


# ---------------------------------------------------------------- request, section 3


class RequestHeader(Struct, omit_defaults=True, kw_only=True):
    """Who asks (section 3.1). Some clients send ``uid: null`` (T: sparkapi-python)."""

    app_id: str
    uid: str | UnsetType | None = UNSET
    patch_id: list[str] | UnsetType | None = UNSET


class Thinking(Struct):
    """Whether a model thinks: ``enabled``, ``disabled`` or ``auto`` (D-X1HTTP; section 3.2)."""

    type: str


class WebSearch(Struct, omit_defaults=True, kw_only=True):
    """How a model looks things up; what is left out is on, without sources, ``normal`` (D-Web)."""

    enable: bool | UnsetType = UNSET
    show_ref_label: bool | UnsetType = UNSET
    search_mode: str | UnsetType = UNSET


class ChatTool(Struct, omit_defaults=True, kw_only=True):
    """A tool of the service's own; the only ``type`` is ``web_search`` (D-Web; section 3.2)."""

    type: str
    web_search: WebSearch | UnsetType | None = UNSET


class Chat(Struct, omit_defaults=True, kw_only=True):
    """``parameter.chat``: which model, and how it is to answer (section 3.2).

    Some clients send ``chat_id: null`` (C).
    """

    domain: str
    temperature: float | UnsetType = UNSET
    top_k: int | UnsetType = UNSET
    top_p: float | UnsetType = UNSET
    max_tokens: int | UnsetType = UNSET
    presence_penalty: float | UnsetType = UNSET
    frequency_penalty: float | UnsetType = UNSET
    chat_id: str | UnsetType | None = UNSET
    auditing: str | UnsetType | None = UNSET
    thinking: Thinking | UnsetType | None = UNSET
    tools: list[ChatTool] | UnsetType | None = UNSET
    search_disable: bool | UnsetType = UNSET


class Parameter(Struct, kw_only=True):
    """The envelope of ``chat``."""

    chat: Chat


class Turn(Struct, omit_defaults=True, kw_only=True):
    """One message (section 3.3). LangChain sends null for the content of a function call (C).

    ``content_type`` is ``image`` for an image in base64, else ``text`` (section 3.4).
    """

    role: str
    content: str | None
    content_type: str | UnsetType | None = UNSET


class Message(Struct, kw_only=True):
    """The conversation, the question last."""

    text: list[Turn]


class Functions(Struct, kw_only=True):
    """Functions that the model may call, as bare schemas (D-Android, S-Java; section 3.3).

    Not typed further: a schema in OpenAI's wrapper was never refused, it did nothing (C).
    """

    text: list[dict[str, object]]


class RequestPayload(Struct, omit_defaults=True, kw_only=True):
    """The conversation, and what may be called in it."""

    message: Message
    functions: Functions | UnsetType | None = UNSET


class Request(Struct, kw_only=True):
    """The one message that a client sends (section 3)."""

    header: RequestHeader
    parameter: Parameter
    payload: RequestPayload


# ---------------------------------------------------------------- response, section 4


class ResponseHeader(Struct, omit_defaults=True, gc=False):
    """In every frame; ``code`` other than 0 is a failure (sections 4.1, 4.5)."""

    code: int
    message: str = ""
    sid: str = ""
    status: int | UnsetType = UNSET


class FunctionCall(Struct, gc=False):
    """The model's wish to have a function called; ``arguments`` is JSON text (section 4.2)."""

    name: str
    arguments: str


class ChoicesText(Struct, omit_defaults=True, gc=False):
    """One piece of the answer, never the answer so far (section 4.1).

    ``index`` is reserved and read by nobody; logs show it as a number and as a text.
    """

    content: str | UnsetType | None = UNSET
    role: str | UnsetType | None = UNSET
    index: int | str | UnsetType = UNSET
    reasoning_content: str | UnsetType | None = UNSET
    function_call: FunctionCall | UnsetType | None = UNSET


class Choices(Struct, omit_defaults=True, gc=False):
    """What a frame adds to the answer; ``status`` is 0 first, 1 then, 2 last (section 4.1)."""

    seq: int
    status: int | UnsetType = UNSET
    text: list[ChoicesText] | UnsetType = UNSET


class UsageBlock(Struct, gc=False):
    """``payload.usage``, in the last frame only; its counts are kept as they come."""

    text: dict[str, object]


class ResponsePayload(Struct, omit_defaults=True, gc=False):
    """What a frame is about; error frames have none. A list of sources may come without choices.

    ``plugins`` and ``question_type``, which the multilingual model sends (S-Java), aren't typed:
    what is beside an answer and can't be read is no reason to lose it.
    """

    plugins: object = UNSET
    question_type: object = UNSET
    choices: Choices | UnsetType | None = UNSET
    usage: UsageBlock | UnsetType | None = UNSET


class Response(Struct, omit_defaults=True, gc=False):
    """One frame from the service (section 4)."""

    header: ResponseHeader
    payload: ResponsePayload | UnsetType | None = UNSET


# ---------------------------------------------------------------- both ways

_encode = msgspec.json.Encoder().encode
_requests = msgspec.json.Decoder(Request)
_responses = msgspec.json.Decoder(Response)

_UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Misfit(NamedTuple):
    """Why bytes are no message of the wanted type.

    Attributes:
        kind: ``json`` for what is no JSON, ``shape`` for JSON of another shape.
        reason: what is wrong, by types and places; nothing of the message's content.
    """

    kind: Literal["json", "shape"]
    reason: str


def encode_request(request: Request) -> bytes:
    """The message as it goes out. What is unset is left out; 0 is sent.

    Raises:
        BadRequestError: a text has half a surrogate pair, which UTF-8 can't express.
    """
    try:
        return _encode(request)
    except UnicodeEncodeError:
        pass
    raise BadRequestError(
        "a message has half a surrogate pair, which can't be sent",
        sent="no",
        hint="decode the text with errors='replace' where it comes from",
    )


def decode_request(message: bytes) -> Request | Misfit:
    """A client's message, or why it is none: the service answers that, it doesn't raise it."""
    try:
        return _requests.decode(message)
    except _UNDECODABLE as error:
        return _misfit(error)


def encode_response(response: Response) -> bytes:
    """A frame as the service sends it."""
    return _encode(response)


def decode_response(message: bytes) -> Response:
    """A frame from the service.

    Raises:
        DecodeError: it is no JSON, or no UTF-8, or nested too deeply.
        SchemaError: it is JSON of another shape.
    """
    try:
        return _responses.decode(message)
    except _UNDECODABLE as error:
        kind, reason = _misfit(error)
    # Neither the text nor the library's error, which may quote it: only what identifies it.
    digest = hashlib.sha256(message).hexdigest()[:12]
    told = f"{reason} ({len(message)} bytes, SHA-256 {digest})"
    if kind == "json":
        raise DecodeError(f"a frame can't be decoded: {told}")
    raise SchemaError(f"a frame has the wrong shape: {told}")


def _misfit(error: Exception) -> Misfit:
    if isinstance(error, msgspec.ValidationError):
        return Misfit("shape", str(error))
    if isinstance(error, RecursionError):
        return Misfit("json", "nested too deeply")
    if isinstance(error, UnicodeDecodeError):
        return Misfit("json", "not UTF-8")
    return Misfit("json", str(error))
