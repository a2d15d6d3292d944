"""What the core gives to one attempt at serving a request, and what the provider reports to it."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

from modelplug.errors import Phase, ProxyLLMError, Sent, UnsupportedOptionError
from modelplug.output import Answer
from modelplug.request import ModelRequest
from modelplug.secrets import Credential, Scrubber, Secret
from modelplug.timeouts import STANDARD, Timeouts

__all__ = ["Call", "warn"]

log = logging.getLogger("modelplug")

_MOST_WARNINGS = 50
"""Of one call: a service that gives cause for one in every message is not to use up memory."""

_SENT_BY_PHASE: dict[Phase, Sent] = {"sent": "maybe", "streaming": "yes", "ended": "yes"}


def warn(told: str, *details: object) -> None:
    """Log a warning; a handler of the app's that raises costs no call its outcome or its end."""
    with suppress(Exception):
        log.warning(told, *details)


class Call:
    """One attempt to serve one request: a provider's only tie to the core while it streams.

    A provider reads the attributes, asks for ``credential()``, and reports how far it has
    come. Whatever the contract comes to need later becomes a new member here, never a new
    argument of the author's method.

    Attributes:
        timeouts: the clocks of this call. The core keeps them; they are here for libraries
            that want to be told.
        deadline: when the call must be over, by the event loop's clock, which is
            ``time.monotonic()`` for asyncio's own loops; None for never.
        request_id: the caller's name for the call, to be passed on where the service takes one.
        attempt: 1 for the first try.
        phase: how far it has come; ``sent``: whether the service can have seen the request.
        answer: where the core collects; only the core writes to it.
        aborted: whether nobody waits for the answer any more.
    """

    __slots__ = (
        "_callbacks",
        "_concealed",
        "_credential",
        "_credentials",
        "_noted_id",
        "_on_phase",
        "_process_id",
        "_scrub",
        "aborted",
        "answer",
        "attempt",
        "deadline",
        "phase",
        "request_id",
        "sent",
        "timeouts",
    )

    def __init__(
        self,
        *,
        timeouts: Timeouts | None = None,
        deadline: float | None = None,
        request_id: str | None = None,
        attempt: int = 1,
        answer: Answer | None = None,
        credentials: Callable[[], Credential] = Credential,
        on_phase: Callable[[Phase, int], None] | None = None,
    ) -> None:
        self.timeouts = timeouts or STANDARD
        self.deadline = deadline
        self.request_id = request_id
        self.attempt = attempt
        self.answer = answer or Answer()
        self.phase: Phase = "start"
        self.sent: Sent = "no"
        self.aborted = False
        self._credentials = credentials
        self._credential: Credential | None = None
        self._on_phase = on_phase
        self._callbacks: list[Callable[[], None]] = []
        self._concealed: list[Secret] = []
        self._scrub: Callable[[str], str] | None = None
        self._noted_id: str | None = None
        self._process_id = os.getpid()

    def credential(self) -> Credential:
        """What to authenticate with, read afresh for this attempt, so that keys can rotate.

        Raises:
            InvalidCredentialError: what a callable gave can't be a credential.
            MissingCredentialError: a variable or file that is referred to is not there.
        """
        credential = self._credential = self._credentials()
        self.conceal(credential.api_key, credential.api_secret)
        return credential

    def has_new_credential(self) -> bool:
        """Whether there is another credential by now than this attempt was given.

        It is read once more: where a service refuses a key, it may just have been exchanged.
        """
        if self._credential is None:
            return False
        try:
            return self._credentials() != self._credential
        except ProxyLLMError:  # there is none any more
            return False

    def conceal(self, *secrets: Secret) -> None:
        """Name what must not show in an error of this call besides its credential.

        A signature or a signed URL, say: a server may repeat it in its answer, and the core
        takes it out of every error's text.
        """
        self._concealed += secrets
        self._scrub = None

    def scrub(self, text: str) -> str:
        """``text`` without this call's secrets in any form."""
        if not text:
            return text
        if self._scrub is None:  # made at the first need: most calls have none
            self._scrub = Scrubber(self._concealed)
        return self._scrub(text)

    def remaining(self) -> float | None:
        """Seconds until ``deadline``, never below 0; None without one."""
        return None if self.deadline is None else max(0.0, self.deadline - monotonic())

    def reached(self, phase: Phase, *, sent: Sent | None = None) -> None:
        """Report a phase: ``connecting``, ``open`` (connected), ``sent`` (the request is out).

        The clocks and the phase of an error hang on it. A provider that reports nothing is
        measured by the first-delta clock from its start. From any thread.

        Args:
            phase: what begins now.
            sent: whether the service can have seen the request, where the provider knows
                better than the phase tells.
        """
        self.phase = phase
        self.sent = sent or _SENT_BY_PHASE.get(phase, self.sent)
        if self._on_phase is not None:
            self._on_phase(phase, self.attempt)

    def note(
        self,
        *,
        request_id: str | None = None,
        model: str | None = None,
        warning: str | None = None,
    ) -> None:
        """Report what the service said besides the answer; once the call is aborted, nothing.

        Args:
            request_id: its own name for the call; on the outputs and on errors from now on.
            model: which model answers, where that is not the one that was asked for.
            warning: what was left out or looks odd but doesn't fail the call.
        """
        if self.aborted:
            return  # a thread that its abort hasn't reached yet: the answer may be another's now
        if request_id is not None and request_id != self._noted_id:
            self._noted_id = request_id
            self.answer.request_id = self.scrub(request_id)
        if model is not None:
            self.answer.model = model
        if warning is not None and len(self.answer.warnings) < _MOST_WARNINGS:
            self.answer.warnings += (self.scrub(warning),)

    def leave_out(self, request: ModelRequest, told: str, *, hint: str | None = None) -> None:
        """Leave out something that the model can't honour, as ``request.on_unsupported`` says.

        Without a word by ``drop``, with a warning by ``warn``; else it is refused.

        Args:
            request: what was asked for.
            told: what can't be, in one line.
            hint: what to do instead.

        Raises:
            UnsupportedOptionError: the request doesn't say otherwise.
        """
        if request.on_unsupported in (None, "error"):
            raise UnsupportedOptionError(
                told, hint=hint or "leave that out, or set on_unsupported='warn'"
            )
        if request.on_unsupported == "warn":
            self.note(warning=f"left out: {told}")

    def on_abort(self, callback: Callable[[], None]) -> None:
        """Have ``callback`` called once when the stream is abandoned, cancelled or timed out.

        It must not block and must cut the connection at once; it is called from any thread.
        A blocking provider needs it: its generator can't be closed from outside while it
        waits. Called right away when the call has been aborted already. What it raises is logged.
        """
        self._callbacks.append(callback)
        if self.aborted:
            self._run_callbacks()

    def abort(self) -> None:
        """Cut the connection: the core calls this, from any thread; a second time is harmless.

        In a forked child nothing is cut: the connection is the parent's.
        """
        self.aborted = True
        if os.getpid() != self._process_id:
            self._callbacks.clear()
        self._run_callbacks()

    def _run_callbacks(self) -> None:
        # No lock: this runs from finalisers too, and list.pop alone decides who runs which.
        while self._callbacks:
            try:
                callback = self._callbacks.pop()
            except IndexError:
                return
            try:
                callback()
            except (KeyboardInterrupt, SystemExit):
                self._run_callbacks()  # the others all the same
                raise
            except BaseException as error:  # noqa: BLE001  # the others must run, and the call's outcome stands
                warn("a plugin's abort failed: %s", type(error).__name__)
