"""What a check holds in its hands: a service that does what it says, and the plugin's client."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from random import Random

from modelplug.capabilities import Capabilities
from modelplug.client import ProxyLLMClient
from modelplug.conformance.directions import Direction, Reading
from modelplug.conformance.expect import ErrorT, Expect
from modelplug.conformance.harness import Account, Asked
from modelplug.conformance.subject import Subject
from modelplug.conformance.verdict import NotApplicable, Violation
from modelplug.conformance.voice import HarnessFaultError, raised, where_of
from modelplug.conformance.wording import Wording
from modelplug.delta import Finish
from modelplug.factory import new_client
from modelplug.messages import MessageConverter
from modelplug.output import ModelOutput
from modelplug.request import RequestLike
from modelplug.testing.codec import RawRequest
from modelplug.testing.exchange import Exchange, Exchanges
from modelplug.testing.steps import Fail, Step
from modelplug.testing.upstream import Upstream

__all__ = ["Lab"]


class Lab:
    """One check's own service, account and way of asking.

    Attributes:
        subject: who is checked.
        backend: what the plugin says of itself.
        harness: what its author wrote for the kit.
        expect: the assertions.
        random: where every random choice comes from, so that a seed makes it again.
        account: the credentials of this check alone.
        quantum: seconds; every limit of a check is a multiple of it.
        wording: what the service says, byte by byte.
    """

    def __init__(
        self,
        subject: Subject,
        *,
        direction: Direction,
        quantum: float = 0.25,
        expect: Expect | None = None,
        random: Random | None = None,
    ) -> None:
        self.subject = subject
        self.backend = subject.backend
        self.harness = subject.harness
        self.expect = expect or Expect()
        self.random = random or Random()  # noqa: S311  # nothing of it is secret
        self.account = Account.drawn(self.random)
        self.quantum = quantum
        self.direction = direction
        self.script: list[str] = []
        self.wording = Wording(self.harness.codec)
        self.upstream = self.harness.wire(self.wording)
        self._open = ExitStack()

    def __enter__(self) -> Lab:
        self._open.enter_context(self.upstream)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._open.close()
        gc.collect()

    # ------------------------------------------------------------------ the service

    def play(self, *steps: Step, times: int | None = 1, question: str | None = None) -> None:
        """Queue an answer of the service's; with ``question``, to that last message alone.

        Raises:
            NotApplicable: the service has no words for a step, or its wire no place.
        """
        if lacking := self.cannot(*steps):
            raise NotApplicable(lacking)
        self.script.append(", ".join(map(_worded, steps)) + ("" if times == 1 else ", every time"))
        when = None if question is None else lambda request: self._is_asked(question, request)
        self.upstream.play(*steps, times=times, when=when)

    def _is_asked(self, question: str, request: RawRequest) -> bool:
        """Whether a request's last message is this; what the service can't read isn't."""
        try:
            messages = self.harness.codec.asked(request).messages
        except ValueError as error:
            if (told := f"can't read what it was asked: {error}") not in self.script:
                self.script.append(told)
            return False
        return bool(messages) and messages[-1][1] == question

    def cannot(self, *steps: Step) -> str:
        """Why the service can't do one of these steps; empty if it can do them all."""
        for step in steps:
            told = self.upstream.cannot(step)
            if isinstance(step, Fail):
                told = told or self.harness.cannot_express.get(step.kind, "")
            if told:
                return told
        return ""

    def leaves_out(self, *steps: Step) -> str:
        """Why a check has to do without these steps, which its cell's script tells, too; or empty.

        It is for a part of a check. Where there is nothing else to look at, ``play`` raises.
        """
        if (why := self.cannot(*steps)) and (line := f"left out: {why}") not in self.script:
            self.script.append(line)
        return why

    def possible(self, *scripts: Sequence[Step]) -> list[Sequence[Step]]:
        """Those of the scripts that the service can play; what it leaves out is told.

        Raises:
            NotApplicable: it can play none.
        """
        found = [steps for steps in scripts if not self.leaves_out(*steps)]
        if not found:
            raise NotApplicable("; ".join(dict.fromkeys(self.cannot(*each) for each in scripts)))
        return found

    def another(self, *, tls: bool = False) -> Upstream:
        """Another service of the same kind, to be entered.

        Raises:
            NotApplicable: a process has but one library of a kind.
        """
        self.require_wire("there is no other service")
        return self.harness.wire(self.harness.codec, tls=tls)

    def require_wire(self, otherwise: str) -> None:
        """Go on only where the service is at an address, and bytes come from it.

        Raises:
            NotApplicable: it is a library in this process; ``otherwise`` says what that means.
        """
        if not self.upstream.wired:
            raise NotApplicable(f"nothing goes over a wire: {otherwise}")

    @property
    def exchanges(self) -> Exchanges:
        """What the service saw."""
        return self.upstream.exchanges

    def asked(self, number: int = -1) -> Asked:
        """What a connection's last message asked.

        Raises:
            Violation: nothing that the service can read.
            HarnessFaultError: the codec raises anything else.
        """
        codec, request = self.harness.codec, self.exchanges[number].request
        try:
            return codec.asked(request)
        except ValueError as error:  # as a codec says so; any other is the codec's own
            told = str(error)
        except Exception as error:
            raise HarnessFaultError(
                f"{where_of(codec, 'asked')} raised {raised(error, codec)}"
            ) from error
        raise Violation(f"the service can't read what it was asked: {told}")

    def wait_until(self, holds: Callable[[], bool], *, quanta: int) -> bool:
        """Wait until something holds, or so many quanta have passed; whether it does."""
        until = time.monotonic() + quanta * self.quantum
        while not holds() and time.monotonic() < until:
            time.sleep(self.quantum / 20)
        return holds()

    def expect_gone(self, exchange: Exchange, *, quanta: int = 4) -> None:
        """The client lets go of a connection in time, by itself."""
        limit = quanta * self.quantum
        gone = exchange.wait_gone(limit)
        self.expect.that(gone, f"the connection was still open {limit:g} s later")

    # ------------------------------------------------------------------ the client

    @contextmanager
    def client(
        self, *, executor: Executor | None = None, **overrides: object
    ) -> Iterator[ProxyLLMClient]:
        """The plugin's client of this service."""
        with self.made(executor=executor, **overrides) as client:
            yield client

    def made(self, *, executor: Executor | None = None, **overrides: object) -> ProxyLLMClient:
        """The same, to be closed by whoever asked for it."""
        params = self.subject.params(self.upstream.url, self.account)
        return new_client({**params, **overrides}, executor)

    def another_account(self) -> Account:
        """Credentials that aren't this check's; the same seed makes the same."""
        return Account.drawn(self.random)

    def ask(
        self,
        client: ProxyLLMClient,
        request: RequestLike = "hi",
        converter: MessageConverter | None = None,
    ) -> list[ModelOutput]:
        """All outputs, in this check's direction."""
        return self.direction.ask(client, request, converter)

    def answer(self, *steps: Step, request: RequestLike = "hi") -> ModelOutput:
        """The last output of a call that the service answers with these steps."""
        self.play(*steps)
        with self.client() as client:
            outputs = self.ask(client, request)
        self.expect.that(outputs, "the call ended without any output")
        return outputs[-1]

    def sent(self, request: RequestLike, client: ProxyLLMClient | None = None) -> Asked:
        """What the service hears of a request."""
        self.play("ok", Finish())
        before = len(self.exchanges)
        with nullcontext(client) if client else self.client() as asking:
            self.ask(asking, request)
        self.expect.that(len(self.exchanges) > before, "the service was never asked")
        return self.asked()

    def refused(self, request: RequestLike, kind: type[ErrorT], *, what: str) -> ErrorT:
        """The error by which a request is refused, before the service hears of it."""
        before = self.questions
        with self.client() as client:
            error = self.expect.raises(kind, lambda: self.ask(client, request), what=what)
        self.expect.equal(f"messages to the service for {what}", before, self.questions)
        return error

    @property
    def questions(self) -> int:
        """How many messages the service has had."""
        return sum(len(exchange.messages) for exchange in self.exchanges)

    def read(self, client: ProxyLLMClient, request: RequestLike = "hi") -> Reading:
        """A stream, in this check's direction; closed at the end of the check if not before."""
        reading = self.direction.read(client, request)
        self._open.callback(_let_go, reading)
        return reading

    def claims(self, capability: str) -> bool:
        """Whether the plugin claims to have something, by itself or with the plugin's help."""
        return self.claimed().supports(capability)

    def claimed(self) -> Capabilities:
        """All that the plugin claims of the model that is checked."""
        with self.made() as client:
            return client.capabilities(self.harness.model or client.default_model)


def _let_go(reading: Reading) -> None:
    """Close a stream that a check may have left where it was."""
    with suppress(BaseException):  # what became of it is told already
        reading.close()


def _worded(step: Step) -> str:
    """A step as a report says it."""
    return f"says {step!r}" if isinstance(step, str) else repr(step)


def told(exchanges: Sequence[Exchange], *, wired: bool = True) -> list[str]:
    """The service's own account of its connections, or of a library's calls, a line each."""
    lines = []
    each_of, counted = ("connection", "bytes") if wired else ("call", "pieces")
    for number, each in enumerate(exchanges):
        asked = f"asked {len(each.messages)} times" if each.messages else "asked nothing"
        lasted = f"{(each.closed or 0) - each.opened:.3f} s" if each.closed else "still open"
        ended = f"ended by the {each.closed_by}, {each.how}" if each.closed_by else "not ended"
        lines.append(
            f"{each_of} {number}: {asked}, {each.bytes_accepted} {counted} out, {lasted}, {ended}"
        )
    return lines
