"""What was tried of a call, as the command line tells it."""

from __future__ import annotations

from modelplug import ModelOutput, OverloadedError, ProxyLLMError, ServerError
from modelplug.cli.attempts import note_of_answer, note_of_failure, records, tales
from modelplug.opening import FailedAttempt


def failed(model: str | None, error: ProxyLLMError, seconds: float = 0.25) -> FailedAttempt:
    """An attempt that didn't serve."""
    backend = "echo" if model else None
    return FailedAttempt(backend=backend, model=model, error=error, seconds=seconds)


def test_who_answered_in_whose_place() -> None:
    """Each failure is named once, and none of the one that answered in the end."""
    attempts = [failed("a", ServerError("x")), failed("a", ServerError("y"))]
    attempts += [failed("b", OverloadedError("z"))]
    output = ModelOutput("hi", attempts=attempts, served_by="echo:b")
    assert note_of_answer(output) == "echo:b answered, as echo:a (ServerError) failed"
    assert note_of_answer(ModelOutput("hi", attempts=attempts)) is None


def test_all_attempts_of_a_call_that_failed() -> None:
    """The last one is counted, too; where there was but one there is nothing to tell."""
    error = ServerError("last", backend="echo", model="a")
    assert note_of_failure(error) is None
    error.complete(attempts=(failed("a", ServerError("x")), failed(None, OverloadedError("z"))))
    told = "3 attempts failed: echo:a (ServerError), 2 times; no backend (OverloadedError)"
    assert note_of_failure(error) == told


def test_each_attempt_one_by_one() -> None:
    """With the time that it took, and what the error says."""
    attempts = [failed("a", ServerError("out of order")), "something else"]
    assert tales(attempts) == ["echo:a failed after 0.250 s, ServerError: out of order"]
    assert records(attempts) == [
        {
            "backend": "echo",
            "model": "a",
            "seconds": 0.25,
            "error_code": ServerError.code,
            "message": "out of order",
        }
    ]
