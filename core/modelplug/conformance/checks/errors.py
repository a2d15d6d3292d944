"""ERR: what a service refuses is raised, as what it is, with the service's own words."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Callable, Mapping

from modelplug.conformance.check import check
from modelplug.conformance.directions import STREAMS
from modelplug.conformance.failing import (
    BEGUN,
    CUT,
    MOMENTS,
    Failed,
    expressible,
    failed,
    named,
    refused,
)
from modelplug.conformance.lab import Lab
from modelplug.conformance.verdict import Violation
from modelplug.errors import (
    BackendError,
    ContentFilterError,
    HandshakeError,
    PluginError,
    ProxyLLMError,
)
from modelplug.testing.steps import (
    CutFrame,
    Fail,
    FailKind,
    Garbage,
    HangUp,
    Refuse,
    Reset,
    Status,
    Step,
)

_TOLD = "not today 7f3a"
"""Words of the service's that stand nowhere else."""


@check("ERR-01", "wrong credentials", profile="core")
def wrong_credentials(lab: Lab) -> None:
    """Credentials that are refused raise AuthenticationError.

    Those that are good, but not for this, raise PermissionDeniedError; neither can be retried.
    """
    refused(lab, "auth", "permission")


@check("ERR-02", "volume used up", profile="core")
def volume_used_up(lab: Lab) -> None:
    """A volume that is used up raises QuotaError, for which trying again doesn't help."""
    refused(lab, "quota")


@check("ERR-03", "rate limit", profile="core")
def rate_limit(lab: Lab) -> None:
    """Too many requests raise RateLimitError, which can be retried.

    Its retry_after has the seconds that the service told, and is None where it told none.
    """
    for each in refused(lab, "rate_limit"):
        lab.expect.equal(f"{each.what}: retry_after", None, each.error.retry_after)
    fail = Fail("rate_limit", retry_after=71963.0)
    seconds = failed(lab, fail, what="a rate limit of 71963 s").error.retry_after
    if seconds is not None or _tells_seconds(lab, fail):
        lab.expect.equal("retry_after, in seconds", fail.retry_after, seconds)


def _tells_seconds(lab: Lab, fail: Fail) -> bool:
    """Whether the service's words for a failure have the seconds in them, for all to see."""
    codec, request = lab.harness.codec, lab.exchanges[-1].request
    if (status := codec.refusal(fail)) is not None:
        said = [status.body.encode(), repr(dict(status.headers)).encode()]
    else:
        said = [*codec.encoder(request).fail(fail)]
    return any(re.search(rb"(?<![0-9A-Za-z])71963(000)?(?![0-9A-Za-z])", each) for each in said)


@check("ERR-04", "too many at once", profile="core")
def too_many_at_once(lab: Lab) -> None:
    """Too many requests at once raise ConcurrencyLimitError and no other limit's error."""
    refused(lab, "concurrency")


@check("ERR-05", "context too long", profile="core")
def context_too_long(lab: Lab) -> None:
    """A conversation that the model can't take raises ContextLengthError."""
    refused(lab, "context_length")


@check("ERR-06", "refused input", profile="core")
def refused_input(lab: Lab) -> None:
    """Input that the service's audit refuses raises ContentFilterError, its stage "input"."""
    _expect_stage(lab, "content_filter_input", "input")


@check("ERR-07", "refused output", profile="core")
def refused_output(lab: Lab) -> None:
    """Output that the service's audit refuses raises ContentFilterError, its stage "output".

    Its partial has what was said before.
    """
    for each in _expect_stage(lab, "content_filter_output", "output"):
        each.expect_kept(lab)


def _expect_stage(lab: Lab, kind: FailKind, stage: str) -> list[Failed]:
    found = refused(lab, kind)
    for each in found:
        if isinstance(each.error, ContentFilterError):
            lab.expect.equal(f"{each.what}: the stage", stage, each.error.stage)
    return found


@check("ERR-08", "bad requests", profile="core")
def bad_requests(lab: Lab) -> None:
    """A request that makes no sense raises BadRequestError, a wrong model ModelNotFoundError."""
    refused(lab, "bad_request", "unknown_model")


@check("ERR-09", "the service's own failures", profile="core")
def own_failures(lab: Lab) -> None:
    """A service without capacity raises OverloadedError, one that fails inside ServerError.

    Both can be retried, also in the middle of an answer.
    """
    refused(lab, "overloaded", "server")


@check("ERR-10", "unknown codes", profile="core")
def unknown_codes(lab: Lab) -> None:
    """A code that nobody documented raises BackendError itself, with the code or words in it."""
    for each in refused(lab, "unknown_code"):
        told = each.error.provider_code or each.error.provider_message
        lab.expect.that(told, f"{each.what}: the error has neither code nor words of the service's")


@check("ERR-11", "failing at first", profile="core", directions=STREAMS)
def failing_at_first(lab: Lab) -> None:
    """A failure before the first delta is raised where the first output is asked for."""
    for steps in lab.possible(*_EARLY):
        each = failed(lab, *steps, what=named(*steps))
        lab.expect.equal(f"{each.what}: the outputs before the error", 0, len(each.outputs))


_EARLY: tuple[tuple[Step], ...] = (
    (Fail("bad_request"),),
    (Fail("server"),),
    (Fail("auth"),),
    (Status(503),),
    (HangUp(),),
)


@check("ERR-12", "failing in the middle", profile="core")
def failing_in_the_middle(lab: Lab) -> None:
    """A failure after deltas comes after all of them, and has them in its partial."""
    for kind in expressible(lab, "server", "bad_request"):
        each = failed(lab, *BEGUN, Fail(kind), what=f"{kind} after two deltas")
        each.expect_kept(lab)
        named = {output.request_id for output in each.outputs if output.request_id}
        if named:
            lab.expect.equal(f"{each.what}: request ids", named, {each.error.request_id})


@check("ERR-13", "never as text", profile="core")
def never_as_text(lab: Lab) -> None:
    """A failure is raised, and none of its words is given out as the model's."""
    for kind in expressible(lab, "auth", "quota", "server", "content_filter_output"):
        for moment, begun in MOMENTS.items():
            fail = Fail(kind, message=_TOLD)
            each = failed(lab, *begun, fail, what=f"{kind} {moment}")
            texts = [output.text + output.reasoning for output in each.outputs]
            partial = each.error.partial
            texts.append(partial.text + partial.reasoning if partial else "")
            longest = max(texts, key=len)
            lab.expect.that(
                each.said.startswith(longest),
                f"{each.what}: the model is said to have said {longest!r}",
            )


@check("ERR-14", "no answer twice", profile="resilient")
def no_answer_twice(lab: Lab) -> None:
    """Once a piece of an answer was given out, the question isn't asked again unasked."""
    ends = ((CUT, Reset()), (HangUp(),), (Fail("overloaded"),), (Fail("server"),))
    for steps in lab.possible(*ends):
        _expect_asked_once(lab, *BEGUN, *steps)


@check("ERR-15", "asks once", profile="core")
def asks_once(lab: Lab) -> None:
    """A client that wasn't told to try again asks once, whatever comes of it.

    To try again is its caller's choice, and two who do so multiply.
    """
    kinds = expressible(lab, "auth", "bad_request", "rate_limit", "overloaded", "server")
    steps: list[Step] = [*map(Fail, kinds), Status(503), Reset(), HangUp()]
    for each in lab.possible(*([step] for step in steps)):
        _expect_asked_once(lab, *each)


def _expect_asked_once(lab: Lab, *steps: Step) -> None:
    before = len(lab.exchanges)
    each = failed(lab, *steps, what=named(*steps))
    lab.expect.equal(f"{each.what}: connections of one call", 1, len(lab.exchanges) - before)


_LONG = 64 * 1024
"""Bytes of a page that has nothing to do with the service."""

_SHORT = 2000
"""Characters of an error's text that a log can bear."""


@check("ERR-16", "pages instead of answers", profile="resilient")
def pages_instead_of_answers(lab: Lab) -> None:
    """What a gateway or login page answers in the service's place is an error, typed and short.

    It has none of the credentials that the page repeats, and redirects aren't followed.
    """
    account = lab.account
    page = f"<html>{account.api_key} {account.api_secret}{'<p>' * (_LONG // 3)}</html>"
    given = lab.harness.params(lab.upstream.url, account).values()
    keys = [key for key in (account.api_key, account.api_secret) if key in given]
    there = {"location": f"{lab.upstream.url}/elsewhere"}
    answers = [
        Status(200, page, headers={"content-type": "text/html"}),
        Status(204),
        Status(302, page, headers=there),
        Status(400, ""),
        Status(502, page, headers={"content-type": "text/html"}),
    ]
    for answer in answers:
        before = len(lab.exchanges)
        each = failed(lab, answer, what=f"HTTP status {answer.status} to the handshake")
        each.expect_one_of(lab, HandshakeError, BackendError)
        lab.expect.equal(f"{each.what}: connections", 1, len(lab.exchanges) - before)
        size = len(str(each.error))
        lab.expect.that(size <= _SHORT, f"{each.what}: the error's text has {size} characters")
        places = {f"the error's {name}": str(value) for name, value in vars(each.error).items()}
        lab.expect.absent("a key", keys, {"the error's text": str(each.error), **places})


_CHINESE = "鉴权失败：余额不足，请检查 naïve ✓"


@check("ERR-17", "words intact", profile="core")
def words_intact(lab: Lab) -> None:
    """The service's own words are in provider_message as they came, in whatever language."""
    for kind in expressible(lab, "auth", "bad_request", "server"):
        for moment, begun in MOMENTS.items():
            fail = Fail(kind, message=_CHINESE)
            each = failed(lab, *begun, fail, what=f"{kind} {moment}")
            said = each.error.provider_message or ""
            message = f"{each.what}: provider_message is {said!r} and lacks {_CHINESE!r}"
            lab.expect.that(_CHINESE in said, message)


@check("ERR-18", "one family", profile="core")
def one_family(lab: Lab) -> None:
    """Whatever goes wrong is a ProxyLLMError.

    No library's exception comes out, neither raw nor as a bug of the plugin's.
    """
    for steps in lab.possible(*_FAULTS):
        each = failed(lab, *steps, what=named(*steps))
        cause = each.error.__cause__
        message = f"{each.what}: {each.error} ({type(cause).__name__ if cause else 'no cause'})"
        lab.expect.that(not isinstance(each.error, PluginError), message)


_FAULTS: tuple[tuple[Step, ...], ...] = (
    (Fail("server"),),
    (*BEGUN, Fail("server")),
    (Refuse(),),
    (Status(503),),
    (HangUp(),),
    (Reset(),),
    (*BEGUN, CutFrame()),
    (*BEGUN, Garbage("text")),
    (*BEGUN, Garbage("shape")),
    (*BEGUN, Garbage("utf8")),
    (*BEGUN, Garbage("binary")),
    (*BEGUN, Garbage("opcode")),
    (*BEGUN, CUT, Reset()),
)


@check("ERR-19", "errors travel", profile="resilient")
def errors_travel(lab: Lab) -> None:
    """Errors pickle and copy with all that they hold, as they must between processes."""
    for steps in lab.possible(*_TRAVELLERS):
        each = failed(lab, *steps, what=named(*steps))
        for manner, there in _JOURNEYS.items():
            try:
                arrived = there(each.error)
            except Exception as error:  # pickle raises anything
                told = f"{type(error).__name__}: {error}"
                raise Violation(f"{each.what}: the error can't be {manner}: {told}") from error
            _expect_same(lab, each, arrived, manner)


_TRAVELLERS: tuple[tuple[Step, ...], ...] = (
    (*BEGUN, HangUp()),
    (*BEGUN, CutFrame()),
    (Status(502),),
    (*BEGUN, Fail("auth")),
    (*BEGUN, Fail("rate_limit")),
    (*BEGUN, Fail("content_filter_output")),
    (*BEGUN, Fail("server")),
    (*BEGUN, Fail("unknown_code")),
)

_JOURNEYS: Mapping[str, Callable[[ProxyLLMError], object]] = {
    "pickled": lambda error: pickle.loads(pickle.dumps(error)),  # noqa: S301  # its own bytes
    "copied": copy.copy,
}


def _expect_same(lab: Lab, each: Failed, arrived: object, manner: str) -> None:
    error = each.error
    what = f"{each.what}: the error, {manner}"
    lab.expect.equal(f"{what}, is a", type(error).__name__, type(arrived).__name__)
    lab.expect.equal(f"{what}, says", str(error), str(arrived))
    lab.expect.equal(f"{what}, holds", vars(error), vars(arrived))


@check("ERR-20", "errors help", profile="complete", must=False)
def errors_help(lab: Lab) -> None:
    """An error that one can do something about names the backend, its code, and what to do."""
    for kind in expressible(lab, "auth", "permission", "quota", "context_length", "bad_request"):
        error = failed(lab, Fail(kind), what=kind).error
        lab.expect.equal(f"{kind}: the error's backend", lab.backend.name, error.backend)
        lab.expect.that(error.provider_code is not None, f"{kind}: the error has no provider_code")
        lab.expect.that(error.hint, f"{kind}: the error has no hint")
