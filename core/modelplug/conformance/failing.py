"""Calls that are meant to fail: what came of one, and what every failure has to be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product, takewhile

from modelplug import errors
from modelplug.client import ProxyLLMClient
from modelplug.conformance.lab import Lab
from modelplug.conformance.verdict import NotApplicable, Violation
from modelplug.errors import ProxyLLMError
from modelplug.output import ModelOutput
from modelplug.testing.scripted import failure
from modelplug.testing.steps import Fail, FailKind, Gate, Step

__all__ = [
    "BEGUN",
    "MOMENTS",
    "SAID",
    "Failed",
    "expressible",
    "failed",
    "failing",
    "named",
    "refused",
]

BEGUN = ("Hello", ", ")
"""An answer that has begun."""

SAID = "".join(BEGUN)

MOMENTS: dict[str, Sequence[str]] = {"before the first delta": (), "after two deltas": BEGUN}
"""When a failure can come."""

CUT = Gate("seen")
"""A script waits here until the caller has all that was said, where the answer is a stream."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A call that failed, as it should.

    Attributes:
        what: what the service did, for what is said of the call.
        said: the text that the service said before.
        outputs: what the caller got before; none where the answer comes whole.
        error: what it got then.
    """

    what: str
    said: str
    outputs: Sequence[ModelOutput]
    error: ProxyLLMError

    def expect_kept(self, lab: Lab, *, all_of_it: bool = True) -> None:
        """Nothing of what came before was lost, and nothing was made up."""
        partial = self.error.partial
        if partial is None:
            raise Violation(f"{self.what}: the error has no partial")
        said = self.said if all_of_it or lab.direction.streams else partial.text
        lab.expect.equal(f"{self.what}: the partial's text", said, partial.text)
        lab.expect.that(
            not partial.final and partial.finish_reason is None,
            f"{self.what}: the partial says that the answer is whole",
        )
        if lab.direction.streams:
            text = "".join(output.delta for output in self.outputs)
            lab.expect.equal(f"{self.what}: the deltas before the error", said, text)
            finals = [output for output in self.outputs if output.final]
            lab.expect.that(not finals, f"{self.what}: a final output came before the error")

    def expect_one_of(self, lab: Lab, *kinds: type[ProxyLLMError]) -> None:
        """The error is of one of these classes, or of one below them."""
        names = " or ".join(kind.__name__ for kind in kinds)
        told = f"{self.what}: expected {names}, got {type(self.error).__name__}: {self.error}"
        lab.expect.that(isinstance(self.error, kinds), told)


def failed(
    lab: Lab, *steps: Step, what: str, before: Callable[[ProxyLLMClient], object] | None = None
) -> Failed:
    """What comes of a call of a new client's that the service fails by these steps."""
    lab.play(*steps)
    with lab.client() as client:
        if before is not None:
            before(client)
        return failing(lab, client, what=what, said=said_by(steps))


def failing(lab: Lab, client: ProxyLLMClient, *, what: str, said: str = "") -> Failed:
    """What comes of a call that should fail.

    Raises:
        Violation: it doesn't, or with an error that isn't modelplug's.
    """
    outputs: list[ModelOutput] = []
    try:
        if lab.direction.streams:
            _read(lab, client, outputs, said)
        else:
            lab.upstream.release(CUT.name)
            outputs += lab.ask(client)
    except ProxyLLMError as error:
        return Failed(what, said, outputs, error)
    except TimeoutError:
        raise Violation(f"{what}: the call neither failed nor ended in time") from None
    except Exception as error:  # a plugin may raise anything
        told = f"{type(error).__name__} from outside modelplug's errors: {error}"
        raise Violation(f"{what}: expected a ProxyLLMError, got {told}") from error
    raise Violation(f"{what}: expected an error, but the call ended {_ended(outputs)}")


def _ended(outputs: Sequence[object]) -> str:
    """How a call came to an end, in words."""
    last = outputs[-1] if outputs else None
    if not isinstance(last, ModelOutput):
        return f"with {last!r}" if outputs else "without any output"
    return f"with the text {last.text[:200]!r} and the finish reason {last.finish_reason}"


def _read(lab: Lab, client: ProxyLLMClient, outputs: list[ModelOutput], said: str) -> None:
    reading = lab.read(client)
    while True:
        try:
            outputs.append(reading.next())
        except StopIteration:
            return
        if outputs[-1].text == said:
            lab.upstream.release(CUT.name)


def named(*steps: Step) -> str:
    """The last of some steps, and when it comes, in words."""
    last = steps[-1]
    told = last.kind if isinstance(last, Fail) else repr(last)
    return f"{told} {'after two deltas' if len(steps) > 1 else 'at first'}"


def said_by(steps: Sequence[Step]) -> str:
    """The text in steps, up to where they fail."""
    said = takewhile(lambda step: isinstance(step, str), steps)
    return "".join(map(str, said))


def expressible(lab: Lab, *kinds: FailKind) -> Sequence[FailKind]:
    """Those of the failures that the service has words for.

    Raises:
        NotApplicable: it has words for none.
    """
    lacking = lab.harness.cannot_express
    if not (found := [kind for kind in kinds if kind not in lacking]):
        raise NotApplicable("; ".join(dict.fromkeys(lacking[kind] for kind in kinds)))
    return found


def refused(lab: Lab, *kinds: FailKind) -> list[Failed]:
    """Calls that the service refuses for these reasons, at every moment, each rightly typed."""
    found = []
    for kind, (moment, begun) in product(expressible(lab, *kinds), MOMENTS.items()):
        each = failed(lab, *begun, Fail(kind), what=f"{kind} {moment}")
        wanted = lab.harness.errors.get(kind) or type(failure(Fail(kind)))
        lab.expect.equal(f"{each.what}: the error", wanted.__name__, _kind(each.error).__name__)
        if kind != "unknown_code":
            lab.expect.equal(
                f"{each.what}: whether to try again", wanted.retryable, each.error.retryable
            )
        found.append(each)
    return found


def _kind(error: ProxyLLMError) -> type[BaseException]:
    """The class of modelplug's that an error is of: a plugin may have classes below it."""
    return next(kind for kind in type(error).__mro__ if kind.__module__ == errors.__name__)
