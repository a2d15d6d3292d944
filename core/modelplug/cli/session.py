"""The chat itself: inputs become questions or commands, until there is no more."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from types import FrameType

import click

from modelplug.cli.attempts import note_of_answer, note_of_failure, tales
from modelplug.cli.conversation import Conversation
from modelplug.cli.failure import FAILED, Failure
from modelplug.cli.keyboard import Input, InputError, Inputs, Pipe
from modelplug.cli.slash import COMMAND, TEXT, Chat, run, tokens
from modelplug.cli.view import View
from modelplug.client import ProxyLLMClient
from modelplug.errors import ContextLengthError, ProxyLLMError
from modelplug.messages import ModelMessage
from modelplug.output import ModelOutput
from modelplug.request import ModelRequest, ModelRequestContext
from modelplug.syncstream import SyncModelStream

__all__ = ["Session"]

_FULL = "/undo and /clear make room, and so may another model: /model"


class Session(Chat):
    """One chat.

    Answers go to standard output, all else to standard error.

    Args:
        client: who is asked.
        conversation: what was said before.
        view: makes what shows an answer.
        verbose: whether to tell what each answer cost.
    """

    def __init__(
        self,
        client: ProxyLLMClient,
        conversation: Conversation,
        *,
        view: Callable[[], View],
        verbose: bool = False,
    ) -> None:
        super().__init__(client, conversation)
        self._inputs: Inputs = Pipe()
        self._view = view
        self._verbose = verbose

    def run(self, inputs: Inputs) -> int:
        """Serve inputs to their end; the exit status.

        At a terminal whoever sits there has seen what failed: that is no failure of the chat.
        """
        self._inputs, status = inputs, 0
        while not self.is_over:
            try:
                given = inputs.read()
            except EOFError:
                break
            except InputError as error:
                self._tell_failure(Failure(str(error)))
                status = FAILED
                continue
            try:
                self._serve(given)
            except click.ClickException as error:
                self._tell_failure(error)
                status = FAILED
            except KeyboardInterrupt:
                if not inputs.is_terminal:
                    raise
        return 0 if self._inputs.is_terminal else status

    def ask(self, messages: Sequence[ModelMessage]) -> None:
        """Ask, show the answer, and keep it.

        One that is stopped is kept as far as it came, as it was read. One that fails isn't:
        the service may have withdrawn it.

        Raises:
            Failure: the call failed.
        """
        stream = self.client.sync_generate_stream(
            ModelRequest(
                messages=messages,
                model=self.model,
                context=ModelRequestContext(stream=True),
            )
        )
        pressed: list[int] = []
        failure = None
        seen = ModelOutput(final=False)  # not stream.partial, which may be ahead of the screen
        try:
            with (
                self._inputs.paused(),
                self._view() as view,
                stream,
                _stopped_by_ctrl_c(stream, pressed) if self._inputs.is_terminal else nullcontext(),
            ):
                for output in stream:
                    seen = output
                    view.add(output)
        except ProxyLLMError as error:
            failure = error
        if pressed and not seen.final:
            self._stopped(seen)
        elif failure is not None:
            self._tell_attempts(failure.attempts, note_of_failure(failure))
            raise _explained(failure)
        else:
            self._ended(seen)

    def _serve(self, given: Input) -> None:
        text = given.text
        if not text.strip():
            return
        if given.fenced or not text.startswith(COMMAND):
            self.ask(self.conversation.ask(text))
        elif text.startswith(TEXT):
            self.ask(self.conversation.ask(text.removeprefix(COMMAND)))
        else:
            run(self, text)
        self._part()

    def _tell_failure(self, error: click.ClickException) -> None:
        failure = error if isinstance(error, Failure) else Failure(error.format_message())
        told = {"error": failure.message, "cause": failure.cause, "hint": failure.hint}
        for label, text in told.items():
            if text:
                self.tell(f"{label}: {text}")
        self._part()

    def _part(self) -> None:
        """Part what was from the next prompt."""
        if self._inputs.is_terminal:
            click.echo(err=True)

    def _stopped(self, partial: ModelOutput) -> None:
        if partial.text.strip():
            self.conversation.answered(partial.text)
            self.tell("stopped: it is kept as far as it came; /retry asks again")
        else:
            self.tell("stopped before there was anything to keep; /retry asks again")

    def _ended(self, output: ModelOutput) -> None:
        if output.text.strip():
            self.conversation.answered(output.text)
        else:
            self.tell("note: the answer is empty, and isn't kept; /retry asks again")
        if output.finish_reason in ("length", "content_filter"):
            self.tell(f"note: the answer is not whole ({output.finish_reason})")
        self._tell_attempts(output.attempts, note_of_answer(output))
        for warning in output.warnings:
            self.tell(f"warning: {warning}")
        self.usages.append(output.usage)
        if self._verbose:
            self.tell(_figures(output))

    def _tell_attempts(self, attempts: Iterable[object], note: str | None) -> None:
        if self._verbose:
            for told in tales(attempts):
                self.tell(told)
        if note is not None:
            self.tell(f"note: {note}")


@contextmanager
def _stopped_by_ctrl_c(stream: SyncModelStream, pressed: list[int]) -> Iterator[None]:
    """Have Ctrl-C close the stream; the signals that come are added to ``pressed``.

    It isn't raised: it could come where something has begun and isn't yet known, such as the
    call itself, which would then go on. Only one that follows another is.
    """

    def stop(number: int, _frame: FrameType | None) -> None:
        pressed.append(number)
        if len(pressed) > 1:
            raise KeyboardInterrupt
        stream.close()

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _explained(error: ProxyLLMError) -> Failure:
    failure = Failure.of(error)
    if isinstance(error, ContextLengthError):
        failure.hint = f"{failure.hint}; {_FULL}" if failure.hint else _FULL
    return failure


def _figures(output: ModelOutput) -> str:
    metrics = output.metrics
    first, total = (metrics.time_to_first_delta, metrics.total_time) if metrics else (None, None)
    told = [
        tokens(output.usage),
        f"first delta {first:.3f} s" if first is not None else "",
        f"total {total:.3f} s" if total is not None else "",
    ]
    return ", ".join(filter(None, told))
