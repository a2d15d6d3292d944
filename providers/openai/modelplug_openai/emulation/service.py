"""The service's side of chat completions, for local use: let in, check, answer. No I/O."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass

import msgspec

from modelplug import Delta, Finish
from modelplug_openai.chunks import Choice, Chunk, FunctionPiece, Piece, ToolPiece, encode_chunk
from modelplug_openai.codec import DONE, FAILURES, Failure, OpenAIEncoder, counts, error_body, id_of
from modelplug_openai.emulation.inquiry import Asked, inquiry, tokens
from modelplug_openai.emulation.limits import Limits
from modelplug_openai.emulation.replies import reply
from modelplug_openai.emulation.settings import EmulatorSettings

__all__ = ["Answer", "OpenAIService", "Refused"]

_CHAT, _MODELS = "/chat/completions", "/models"
"""What paths end in: before it each service has its own, ``/v1`` or Azure's deployments."""


@dataclass(frozen=True, slots=True)
class Refused:
    """What is answered instead: an HTTP status, a body in JSON, and how long to wait."""

    status: int
    body: bytes
    _: KW_ONLY
    retry_after: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What is answered: the data of events, or one whole body.

    Attributes:
        events: the data of the events of a stream.
        body: a whole answer in JSON; None for a stream.
        counted: whether it is under way until ``done`` is told.
    """

    events: Sequence[bytes] = ()
    body: bytes | None = None
    counted: bool = False


class OpenAIService:
    """One service with one key; the limits are all that it remembers. For one loop.

    Args:
        settings: its switches.
        key: the key that is let in.
    """

    def __init__(self, settings: EmulatorSettings, *, key: str) -> None:
        self._settings = settings
        self._key = key
        self._limits = Limits(settings)

    @property
    def running(self) -> int:
        """How many answers are under way: given by ``ask`` and not yet ``done``."""
        return self._limits.running

    def ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, *, now: float
    ) -> Answer | Refused:
        """What is answered to a request, all of it; ``done`` is to be told of the answer's end.

        Args:
            method: of the request.
            path: of its target, without the query.
            headers: names in lower case.
            body: all of it.
            now: seconds since the epoch.
        """
        if not self._lets_in(headers):
            return _refused(FAILURES["auth"])
        if path.endswith(_MODELS):
            return self._listed() if method == "GET" else _refused(_METHOD)
        if not path.endswith(_CHAT):
            return _refused(_PATH)
        if method != "POST":
            return _refused(_METHOD)
        asked = inquiry(body)
        if isinstance(asked, Failure):
            return _refused(asked)
        wrong = self._objection(asked, now)
        return wrong or self._answer(asked, body, now)

    def done(self, answer: Answer) -> None:
        """The answer's last byte is out, or nobody waits for it; to be told once."""
        if answer.counted:
            self._limits.leave()

    def _lets_in(self, headers: Mapping[str, str]) -> bool:
        given = headers.get(self._settings.key_header, "")
        bearer = self._settings.key_header == "authorization"
        wanted = f"Bearer {self._key}" if bearer else self._key
        return hmac.compare_digest(given.encode(), wanted.encode())

    def _listed(self) -> Answer:
        names = self._settings.models or ("any",)
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "you"} for name in names]
        return Answer(body=msgspec.json.encode({"object": "list", "data": data}))

    def _objection(self, asked: Asked, now: float) -> Refused | None:
        settings = self._settings
        if settings.busy:
            return _refused(FAILURES["overloaded"])
        if settings.models and asked.model not in settings.models:
            return _refused(FAILURES["unknown_model"])
        texts = [turn.text for turn in asked.messages]
        if any(word in text for text in texts for word in settings.forbidden):
            return _refused(FAILURES["content_filter_input"])
        if tokens(*texts) + (asked.limit or 0) > settings.context:
            return _refused(FAILURES["context_length"])
        wait = self._limits.wait(now)
        return None if wait is None else _refused(FAILURES["rate_limit"], retry_after=wait)

    def _answer(self, asked: Asked, body: bytes, now: float) -> Answer:
        said = reply(asked, forbidden=self._settings.forbidden)
        self._limits.enter(now)
        name, created = id_of(body, now), int(now)
        if not asked.stream:
            return Answer(body=_whole(asked, said, name=name, created=created), counted=True)
        wants = asked.stream_options is not None and asked.stream_options.include_usage
        encoder = OpenAIEncoder(
            name=name,
            model=asked.model,
            created=created,
            tells_usage={"asked": wants, "always": True, "never": False}[self._settings.usage],
            reasoning_field=self._settings.reasoning_field,
        )
        return Answer(events=self._events(said, encoder), counted=True)

    def _events(self, said: Sequence[Delta | Finish], encoder: OpenAIEncoder) -> list[bytes]:
        events: list[bytes] = []
        if self._settings.empty_first:
            events += encoder.noise()
        if self._settings.null_content:
            events += encoder.role()
        for piece in said:
            events += encoder.delta(piece) if isinstance(piece, Delta) else encoder.finish(piece)
        return events if self._settings.done else [each for each in events if each != DONE]


_PATH = Failure(404, "unknown_url", "invalid_request_error", "Unknown request URL.")
_METHOD = Failure(405, None, "invalid_request_error", "Not allowed to use this method here.")


def _refused(failure: Failure, *, retry_after: float | None = None) -> Refused:
    return Refused(failure.status, error_body(failure), retry_after=retry_after)


def _whole(asked: Asked, said: Sequence[Delta | Finish], *, name: str, created: int) -> bytes:
    """An answer that isn't a stream (https://platform.openai.com/docs/api-reference/chat/object)."""
    deltas = [piece for piece in said if isinstance(piece, Delta)]
    (finish,) = (piece for piece in said if isinstance(piece, Finish))
    message = Piece(content="".join(each.text for each in deltas), role="assistant")
    message.reasoning_content = "".join(each.reasoning for each in deltas) or None
    pieces = [each.tool_call for each in deltas if each.tool_call]
    if pieces:
        function = FunctionPiece(
            name=pieces[0].name, arguments="".join(each.arguments for each in pieces)
        )
        message.tool_calls = [
            ToolPiece(index=0, id=pieces[0].id, type="function", function=function)
        ]
    chunk = Chunk(
        choices=[Choice(index=0, message=message, finish_reason=finish.reason)],
        id=name,
        kind="chat.completion",
        created=created,
        model=asked.model,
        usage=counts(finish.usage) if finish.usage else None,
    )
    return encode_chunk(chunk)
