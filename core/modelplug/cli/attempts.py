"""What was tried of a call before it was answered, or failed for good: as users see it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from modelplug.errors import ProxyLLMError
from modelplug.opening import FailedAttempt
from modelplug.output import ModelOutput

__all__ = ["note_of_answer", "note_of_failure", "records", "tales"]


def note_of_answer(output: ModelOutput) -> str | None:
    """Who answered in whose place, and why; None where it is whoever was asked first."""
    before = [
        each
        for each in _failed(output.attempts)
        if output.served_by not in (None, _name(each.backend, each.model))
    ]
    if not before:
        return None
    failed = dict.fromkeys(_failure(each.backend, each.model, each.error) for each in before)
    return f"{output.served_by} answered, as {', '.join(failed)} failed"


def note_of_failure(error: ProxyLLMError) -> str | None:
    """All attempts of a call that failed; None where there was but one."""
    before = _failed(error.attempts)
    if not before:
        return None
    tried = Counter(_failure(each.backend, each.model, each.error) for each in before)
    tried[_failure(error.backend, error.model, error)] += 1
    told = [f"{one}, {times} times" if times > 1 else one for one, times in tried.items()]
    return f"{len(before) + 1} attempts failed: {'; '.join(told)}"


def tales(attempts: Iterable[object]) -> Sequence[str]:
    """What became of each attempt that was followed by another."""
    return [
        f"{_name(each.backend, each.model)} failed after {each.seconds:.3f} s, "
        f"{type(each.error).__name__}: {each.error}"
        for each in _failed(attempts)
    ]


def records(attempts: Iterable[object]) -> Sequence[Mapping[str, object]]:
    """The same for JSON."""
    return [
        {
            "backend": each.backend,
            "model": each.model,
            "seconds": each.seconds,
            "error_code": each.error.code,
            "message": each.error.message,
        }
        for each in _failed(attempts)
    ]


def _failed(attempts: Iterable[object]) -> Sequence[FailedAttempt]:
    return [each for each in attempts if isinstance(each, FailedAttempt)]


def _failure(backend: str | None, model: str | None, error: ProxyLLMError) -> str:
    return f"{_name(backend, model)} ({type(error).__name__})"


def _name(backend: str | None, model: str | None) -> str:
    return ":".join(filter(None, (backend, model))) or "no backend"
