"""A model for the tests of apps: it says what the test says, without a wire.

::

    model = ScriptedClient("Paris.")
    assert model.sync_generate("Where is the Louvre?").text == "Paris."
    assert model.requests[0].question == "Where is the Louvre?"

With nothing to say it echoes the question, word by word. ``play`` takes steps, so that an app
can be shown a slow answer, one that breaks off, or any failure::

    model.play("Par", Fail("overloaded"))
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Self

from modelplug.call import Call
from modelplug.capabilities import CAPABILITY_NAMES, Capabilities
from modelplug.client import ProxyLLMClient
from modelplug.delta import Delta, DeltaStream, Finish, Usage
from modelplug.errors import (
    AuthenticationError,
    BackendError,
    BadRequestError,
    ConcurrencyLimitError,
    ConnectError,
    ConnectionLostError,
    ContentFilterError,
    ContextLengthError,
    HandshakeError,
    ModelNotFoundError,
    OverloadedError,
    PermissionDeniedError,
    ProxyLLMError,
    QuotaError,
    RateLimitError,
    SchemaError,
    ServerError,
)
from modelplug.params import ProxyModelParameters
from modelplug.request import ModelRequest
from modelplug.testing.gates import Gates
from modelplug.testing.scripts import Script, Scripts
from modelplug.testing.steps import (
    CloseCode,
    CutFrame,
    Drip,
    Fail,
    FailKind,
    Garbage,
    Gate,
    Hang,
    HangUp,
    KeepAlive,
    Refuse,
    Reset,
    Silence,
    Status,
    Step,
)

__all__ = ["ScriptedClient", "failure"]

_ERRORS: dict[FailKind, type[BackendError]] = {
    "auth": AuthenticationError,
    "permission": PermissionDeniedError,
    "quota": QuotaError,
    "rate_limit": RateLimitError,
    "concurrency": ConcurrencyLimitError,
    "context_length": ContextLengthError,
    "bad_request": BadRequestError,
    "unknown_model": ModelNotFoundError,
    "server": ServerError,
    "overloaded": OverloadedError,
    "unknown_code": BackendError,
}


def failure(fail: Fail) -> BackendError:
    """The error that a failure is to a caller, whatever the provider."""
    message = fail.message or f"the script says so: {fail.kind}"
    if fail.kind == "content_filter_input":
        error: BackendError = ContentFilterError(message, stage="input")
    elif fail.kind == "content_filter_output":
        error = ContentFilterError(message, stage="output")
    else:
        error = _ERRORS[fail.kind](message)
    error.retry_after, error.hint = fail.retry_after, "the script of a test"
    return error


class ScriptedClient(ProxyLLMClient):
    """Says what it is told, and remembers what it was asked.

    Args:
        answers: what it says to the first calls, one each; afterwards it echoes.
        models: the names that it answers to, the default first.
        params: as for any client.
        executor: borrowed, as for any client.

    Attributes:
        requests: the requests of all calls, as a provider gets them: defaults filled in.
    """

    def __init__(
        self,
        *answers: str,
        models: Sequence[str] = ("scripted",),
        params: ProxyModelParameters | None = None,
        executor: Executor | None = None,
    ) -> None:
        super().__init__(list(models), executor=executor, params=params)
        self.requests: list[ModelRequest] = []
        self._gates = Gates()
        self._scripts: Scripts[ModelRequest] = Scripts()
        for answer in answers:
            self.say(answer)

    @classmethod
    def new_client(
        cls, model_params: ProxyModelParameters, default_executor: Executor | None = None
    ) -> Self:
        """One that echoes, under the name that the params give."""
        names = [model_params.model] if model_params.model else ["scripted"]
        return cls(models=names, params=model_params, executor=default_executor)

    def capabilities(self, model: str | None = None) -> Capabilities:
        """All that there is: a script decides what becomes of it."""
        return Capabilities(native=CAPABILITY_NAMES)

    def say(
        self,
        text: str,
        *,
        times: int | None = 1,
        when: Callable[[ModelRequest], bool] | None = None,
    ) -> None:
        """Queue a whole answer, which comes word by word and without a bill; see ``play``.

        Raises:
            TypeError: it is no text.
        """
        if not isinstance(text, str):
            raise TypeError(f"an answer is a text, not a {type(text).__name__}; play() takes steps")
        self._scripts.add(Script([*_words(text), Finish()], when, times))

    def play(
        self,
        *steps: Step,
        times: int | None = 1,
        when: Callable[[ModelRequest], bool] | None = None,
    ) -> None:
        """Queue an answer step by step, as it is: without a Finish it breaks off.

        Args:
            steps: see ``modelplug.testing.steps``; those about bytes and frames have no
                meaning without a wire and are passed over.
            times: for how many calls; None for all that come.
            when: for which requests; None for any.
        """
        self._scripts.add(Script(steps, when, times))

    def release(self, gate: str) -> None:
        """Open a gate."""
        self._gates.release(gate)

    def wait_reached(self, gate: str, within: float = 10.0) -> bool:
        """Wait until an answer has come to a gate, ``within`` seconds; whether it has."""
        return self._gates.wait_reached(gate, within)

    async def stream_deltas(self, request: ModelRequest, call: Call) -> DeltaStream:
        """Play the script for this request, or echo its question."""
        self.requests.append(request)
        steps = self._scripts.take(request)
        pause = 0.0
        for step in _echo(request) if steps is None else steps:
            match step:
                case str() | Delta() | Finish():
                    await asyncio.sleep(pause)
                    yield Delta(step) if isinstance(step, str) else step
                case Drip():
                    pause = step.seconds
                case Gate():
                    await self._gates.wait(step.name)
                case Silence() | KeepAlive() | Hang():
                    await asyncio.Future()
                case HangUp():
                    return
                case _ if error := _error(step):
                    raise error


def _error(step: Step) -> ProxyLLMError | None:
    """What a client of a wire would raise at a step, if it is one that fails."""
    match step:
        case Fail():
            return failure(step)
        case Refuse():
            return ConnectError("the script refuses connections", sent="no")
        case Reset() | CutFrame() | CloseCode():
            return ConnectionLostError("the script cut the connection", sent="yes")
        case Garbage():
            return SchemaError("the script sent garbage", sent="yes")
        case Status():
            return HandshakeError(
                f"the script answered with HTTP status {step.status}", status=step.status, sent="no"
            )
    return None


def _words(text: str) -> list[str]:
    return re.findall(r"\s*\S+|\s+$", text)


def _echo(request: ModelRequest) -> list[Step]:
    question = request.question
    words = len(question.split())
    usage = Usage(prompt_tokens=words, completion_tokens=words)
    return [*_words(question), Finish(usage=usage)]
