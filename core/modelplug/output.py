"""What a caller reads: outputs, each a light view on the one answer of its stream.

A provider yields ``Delta`` values and then one ``Finish``. The core collects them in an
``Answer`` and hands the caller one ``ModelOutput`` for each: a light view that says how far
into the answer it reaches. So a delta costs a few slots, and text is joined only when read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING

from modelplug.delta import Delta, Finish, FinishReason, ToolCall, ToolCallDelta, Usage

if TYPE_CHECKING:
    from modelplug.errors import ProxyLLMError

__all__ = ["Answer", "ModelInferenceMetrics", "ModelOutput"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelInferenceMetrics:
    """When a call did what; times in milliseconds since the epoch, under DB-GPT's names."""

    collect_index: int = 0
    start_time_ms: int | None = None
    end_time_ms: int | None = None
    current_time_ms: int | None = None
    first_token_time_ms: int | None = None
    first_completion_time_ms: int | None = None
    first_completion_tokens: int | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    speed_per_second: float | None = None
    current_gpu_infos: Sequence[object] | None = None
    avg_gpu_infos: Sequence[object] | None = None
    time_to_first_delta: float | None = None
    """Seconds from the start of the call to its first delta, by the monotonic clock."""
    total_time: float | None = None
    """Seconds from the start of the call to its end, by the monotonic clock."""


class Answer:
    """The answer of one call as it grows; shared by all outputs of its stream.

    Only the stream that collects it writes to it. The attributes that are not about deltas
    hold for the whole answer and are read as they stand.
    """

    __slots__ = (
        "attempts",
        "backend",
        "error_code",
        "finish",
        "incremental",
        "metrics",
        "model",
        "model_context",
        "pieces",
        "request_id",
        "served_by",
        "warnings",
    )

    def __init__(self, *, backend: str | None = None, model: str | None = None) -> None:
        self.pieces: list[Delta | str] = []
        self.finish: Finish | None = None
        self.metrics: ModelInferenceMetrics | None = None
        self.backend = backend
        self.model = model
        self.request_id: str | None = None
        self.warnings: tuple[str, ...] = ()
        self.attempts: tuple[object, ...] = ()
        self.served_by: str | None = None
        self.error_code = 0
        self.incremental = False
        self.model_context: Mapping[str, object] | None = None

    def add(self, delta: Delta) -> None:
        """Collect what has come; of what is text and nothing else, the text alone.

        A text is no object that the garbage collector has to look at, which takes a fifth of all
        time where a thousand answers come at once.
        """
        has_more = delta.reasoning or delta.tool_call or delta.sources or delta.extra
        self.pieces.append(delta if has_more else delta.text)


_NOTHING = Delta()

_FIELDS = (
    "text",
    "error_code",
    "incremental",
    "model_context",
    "finish_reason",
    "usage",
    "metrics",
    "delta",
    "reasoning",
    "reasoning_delta",
    "tool_calls",
    "sources",
    "raw_finish_reason",
    "model",
    "backend",
    "request_id",
    "warnings",
    "final",
    "attempts",
    "served_by",
    "extra",
)


class ModelOutput:
    """The answer so far. Compares, prints and pickles by value; read-only in spirit.

    ``text``, ``reasoning``, ``tool_calls`` and ``sources`` are cumulative and made when read;
    ``delta`` is what this output adds and costs nothing. The last output of a stream is
    ``final``: its delta is empty and it alone has ``finish_reason``, ``usage``, ``metrics``.

    ``ModelOutput("text")`` makes one by hand, for tests and adapters.
    """

    __slots__ = ("_answer", "_last", "_upto", "final")

    _answer: Answer
    _upto: int
    _last: Delta
    final: bool

    def __init__(
        self,
        text: str = "",
        error_code: int = 0,
        *,
        incremental: bool = False,
        model_context: Mapping[str, object] | None = None,
        finish_reason: FinishReason | None = None,
        usage: Usage | None = None,
        metrics: ModelInferenceMetrics | None = None,
        delta: str = "",
        reasoning: str = "",
        reasoning_delta: str = "",
        tool_calls: Iterable[ToolCall] = (),
        sources: Sequence[Mapping[str, object]] = (),
        raw_finish_reason: str | None = None,
        model: str | None = None,
        backend: str | None = None,
        request_id: str | None = None,
        warnings: Iterable[str] = (),
        final: bool = True,
        attempts: Iterable[object] = (),
        served_by: str | None = None,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        answer = self._answer = Answer(backend=backend, model=model)
        answer.pieces = [
            Delta(text, reasoning=reasoning, sources=sources, extra=extra),
            *map(_piece, _numbered(tool_calls)),
        ]
        if (finish_reason, raw_finish_reason, usage) != (None, None, None):
            # An adapter may know what a call cost and not why it ended.
            answer.finish = Finish(finish_reason, raw=raw_finish_reason, usage=usage)  # type: ignore[arg-type]  # None by hand only
        answer.metrics = metrics
        answer.request_id = request_id
        answer.warnings = tuple(warnings)
        answer.attempts = tuple(attempts)
        answer.served_by = served_by
        answer.error_code = error_code
        answer.incremental = incremental
        answer.model_context = model_context
        self._upto = len(answer.pieces)
        self._last = Delta(delta, reasoning=reasoning_delta)
        self.final = final

    @classmethod
    def of(cls, answer: Answer, last: Delta | None = None) -> ModelOutput:
        """A view on all that ``answer`` holds now; final when there is no ``last`` delta."""
        output = _new(cls)
        output._answer = answer
        output._upto = len(answer.pieces)
        output._last = last or _NOTHING
        output.final = last is None
        return output

    @classmethod
    def so_far(cls, answer: Answer) -> ModelOutput:
        """A view on an answer that has not ended, or never will: what ``partial`` is."""
        output = cls.of(answer)
        output.final = False
        return output

    @classmethod
    def from_error(cls, error: ProxyLLMError) -> ModelOutput:
        """The error as DB-GPT's workers want it: an output, its text the partial and a notice."""
        partial = error.partial or cls()
        return cls(
            f"{partial.text}**LLMServer Generate Error, Please CheckErrorInfo.**: {error}",
            error.code,
            reasoning=partial.reasoning,
            model=error.model,
            backend=error.backend,
            request_id=error.request_id,
        )

    @property
    def text(self) -> str:
        """The answer's text up to here. Joined at each read: linear in its length."""
        return "".join([each if isinstance(each, str) else each.text for each in self._pieces])

    @property
    def delta(self) -> str:
        """The text that this output adds."""
        return self._last.text

    @property
    def reasoning(self) -> str:
        """The model's thinking up to here."""
        return "".join([delta.reasoning for delta in self._deltas])

    @property
    def reasoning_delta(self) -> str:
        """The thinking that this output adds."""
        return self._last.reasoning

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tool calls up to here, in the order of their index."""
        return _joined(delta.tool_call for delta in self._deltas if delta.tool_call)

    @property
    def sources(self) -> tuple[Mapping[str, object], ...]:
        """The sources up to here."""
        return tuple(source for delta in self._deltas for source in delta.sources)

    @property
    def finish_reason(self) -> FinishReason | None:
        """Why the answer ended; None until it has."""
        return self._finish.reason if self._finish else None

    @property
    def raw_finish_reason(self) -> str | None:
        """The service's own word for why the answer ended."""
        return self._finish.raw if self._finish else None

    @property
    def usage(self) -> Usage | None:
        """What the call cost; None until it has ended, and when the service didn't say."""
        return self._finish.usage if self._finish else None

    @property
    def metrics(self) -> ModelInferenceMetrics | None:
        """When the call did what; None until it has ended."""
        return self._answer.metrics if self.final else None

    @property
    def error_code(self) -> int:
        """0 for an answer; an error's code where a failure was made an output."""
        return self._answer.error_code

    @property
    def success(self) -> bool:
        """Whether this is an answer and not a failure."""
        return self.error_code == 0

    @property
    def incremental(self) -> bool:
        """DB-GPT's mark for outputs whose ``text`` is a piece; ours are cumulative: False."""
        return self._answer.incremental

    @property
    def model_context(self) -> Mapping[str, object] | None:
        """Whatever a worker wants to tell about the model."""
        return self._answer.model_context

    @property
    def model(self) -> str | None:
        """The model that answers, as the service names it where it does."""
        return self._answer.model

    @property
    def backend(self) -> str | None:
        """The backend that answers."""
        return self._answer.backend

    @property
    def request_id(self) -> str | None:
        """The service's name for this call: what its support asks for."""
        return self._answer.request_id

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was left out or looked odd, and didn't fail the call."""
        return self._answer.warnings

    @property
    def attempts(self) -> tuple[object, ...]:
        """What was tried before this answer came (policies)."""
        return self._answer.attempts

    @property
    def served_by(self) -> str | None:
        """Which of several backends answered (policies); None where only one could."""
        return self._answer.served_by

    def to_dict(self) -> dict[str, object]:
        """All fields by name, with plain dicts for the values within."""
        return {name: _plain(value) for name, value in self._values().items()}

    @property
    def extra(self) -> Mapping[str, object]:
        """Whatever else the service sent up to here, by the provider's names; the last wins."""
        parts = [delta.extra for delta in self._deltas] + [self._finish and self._finish.extra]
        return {name: value for part in parts if part for name, value in part.items()}

    @property
    def _pieces(self) -> list[Delta | str]:
        return self._answer.pieces[: self._upto]

    @property
    def _deltas(self) -> list[Delta]:
        """Those that hold more than text."""
        return [each for each in self._pieces if not isinstance(each, str)]

    @property
    def _finish(self) -> Finish | None:
        return self._answer.finish if self.final else None

    def _values(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in _FIELDS}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ModelOutput):
            return NotImplemented
        return self._values() == other._values()

    __hash__ = None  # type: ignore[assignment]  # compares by value and grows: no key

    def __repr__(self) -> str:
        # What __init__ takes for granted isn't shown, so that what is shown makes the same output.
        told = {name: value for name, value in self._values().items() if value or name == "final"}
        if self.final:
            del told["final"]
        return f"ModelOutput({', '.join(f'{name}={value!r}' for name, value in told.items())})"

    def __reduce__(self) -> tuple[object, ...]:
        return _from_values, (self._values(),)


_new = object.__new__


def _from_values(values: Mapping[str, object]) -> ModelOutput:
    return ModelOutput(**values)  # type: ignore[arg-type]  # the values of an output


def _numbered(calls: Iterable[ToolCall]) -> Sequence[ToolCall]:
    """The calls with an index each, for those that were made without one."""
    calls = tuple(calls)
    if len({call.index for call in calls}) == len(calls):
        return calls
    return [replace(call, index=at) for at, call in enumerate(calls)]


def _piece(call: ToolCall) -> Delta:
    piece = ToolCallDelta(call.index, id=call.id, name=call.name, arguments=call.arguments)
    return Delta(tool_call=piece)


def _joined(pieces: Iterable[ToolCallDelta]) -> tuple[ToolCall, ...]:
    by_index: dict[int, list[ToolCallDelta]] = {}
    for piece in pieces:
        by_index.setdefault(piece.index, []).append(piece)
    return tuple(
        ToolCall(
            index=index,
            id=next((piece.id for piece in parts if piece.id), None),
            name=next((piece.name for piece in parts if piece.name), None),
            arguments="".join(piece.arguments for piece in parts),
        )
        for index, parts in sorted(by_index.items())
    )


def _plain(value: object) -> object:
    # Not asdict(): that copies deeply, which a mapping of a provider's may not bear.
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return value
