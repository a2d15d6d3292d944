"""SEC: keys and secrets show themselves nowhere but to the service that they are for."""

from __future__ import annotations

import logging
import pickle
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress

from modelplug.client import ProxyLLMClient
from modelplug.conformance.canaries import (
    error_texts,
    expect_hidden,
    forms,
    frame_texts,
    on_wire,
    printed,
    recorded,
)
from modelplug.conformance.check import check
from modelplug.conformance.harness import VerifiesAuth
from modelplug.conformance.lab import Lab
from modelplug.conformance.verdict import NotApplicable, Untestable
from modelplug.delta import Finish
from modelplug.errors import ProxyLLMError
from modelplug.output import ModelOutput
from modelplug.testing.exchange import Exchange
from modelplug.testing.steps import (
    CloseCode,
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

_ANSWER: tuple[Step, ...] = ("Hello", Finish())


@check("SEC-01", "dumps show no secret", profile="core")
def dumps_show_no_secret(lab: Lab) -> None:
    """No representation or dump of a client, its params or its answers shows a key or a secret."""
    _require_secrets(lab)
    lab.play(*_ANSWER)
    with lab.client() as client:
        outputs = lab.ask(client)
        expect_hidden(lab, _dumps(client))
        expect_hidden(lab, {"an output": f"{outputs!r} {[each.to_dict() for each in outputs]!r}"})


@check("SEC-02", "errors show no secret", profile="core")
def errors_show_no_secret(lab: Lab) -> None:
    """No error, its causes and notes included, shows a secret, even if the service repeats it."""
    _require_secrets(lab)
    for steps in _failures(lab, says=_repeating(lab)):
        with lab.client() as client:
            outcome = _outcome(lab, client, *steps)
        if isinstance(outcome, BaseException):
            expect_hidden(lab, error_texts(outcome))
        else:
            expect_hidden(lab, {"an output": repr(outcome)})


@check("SEC-03", "logs show no secret", profile="core")
def logs_show_no_secret(lab: Lab) -> None:
    """No record of any logger, at INFO and above, shows a key or a secret."""
    expect_hidden(lab, _logged(lab, logging.INFO))


@check("SEC-04", "nor logs at DEBUG", profile="resilient")
def nor_logs_at_debug(lab: Lab) -> None:
    """No record of any logger shows a key or a secret, at DEBUG either."""
    expect_hidden(lab, _logged(lab, logging.DEBUG))


@check("SEC-05", "prints nothing", profile="core")
def prints_nothing(lab: Lab) -> None:
    """Nothing is written to standard output or standard error, whether a call fails or not."""
    with recorded(logging.WARNING), printed() as told:
        for steps in (_ANSWER, (HangUp(),)):
            with lab.client() as client:
                _outcome(lab, client, *steps)
    hidden = "that shows a secret" if lab.account.api_key in told.text else repr(told.text[:200])
    lab.expect.that(not told.text, f"something was printed: {hidden}")


@check("SEC-06", "for this service alone", profile="core")
def for_this_service_alone(lab: Lab) -> None:
    """A service that points to another host doesn't have the key, or the question, sent there."""
    with lab.another() as other:
        other.play(*_ANSWER, times=None)
        for status in (300, 301, 302, 303, 307, 308):
            where = f"{other.url}/elsewhere"
            with lab.client() as client:
                _outcome(lab, client, Status(status, where, headers={"Location": where}))
            place = f"what another host was sent after {status}"
            expect_hidden(lab, {place: on_wire(other.exchanges)})
        asked = sum(len(each.messages) for each in other.exchanges)
        lab.expect.equal("questions that another host was sent", 0, asked)


_CLOCKS = (0, 900, -900, 0)
"""Seconds by which a plugin's clock is moved, call by call: farther than signatures are good."""


@check("SEC-07", "credentials that are taken", profile="core")
def credentials_that_are_taken(lab: Lab) -> None:
    """What is sent is what the service takes: this account's, and signed anew for each call.

    So a signature that goes by the clock is good whenever it is sent.
    """
    codec = lab.harness.codec
    if not isinstance(codec, VerifiesAuth):
        raise NotApplicable("the codec can't tell which credentials are good: no verify_auth")
    moved = lab.harness.clock_moved
    with lab.client() as client:
        for number, ahead in enumerate(_CLOCKS if moved else (0, 0), 1):
            with moved(ahead) if moved and ahead else nullcontext():
                lab.play(*_ANSWER)
                lab.ask(client)
            request = lab.exchanges[-1].request
            wrong = codec.verify_auth(request, lab.account, time.time() + ahead)
            when = f", the clock {ahead:+} s" if ahead else ""
            message = f"the service would turn call {number}{when} away: {wrong}"
            lab.expect.that(wrong is None, message)
            if codec.verify_auth(request, lab.another_account(), time.time() + ahead) is None:
                raise Untestable("verify_auth takes the credentials of another account as well")


@check("SEC-09", "no frame keeps one", profile="complete", must=False)
def no_frame_keeps_one(lab: Lab) -> None:
    """No frame of the plugin's in an error's traceback has a local that shows a secret."""
    _require_secrets(lab)
    for steps in _failures(lab):
        with lab.client() as client:
            outcome = _outcome(lab, client, *steps)
            if isinstance(outcome, BaseException):
                expect_hidden(lab, frame_texts(outcome, client))


@check("SEC-11", "sent in one place", profile="resilient", must=False)
def sent_in_one_place(lab: Lab) -> None:
    """A credential is sent in one place, such as a header, and not in the messages as well.

    Services keep messages, and what stands in them, for longer. One may demand it in two places:
    so this is no must.
    """
    _require_secrets(lab)
    lab.require_wire("what a library is called with goes nowhere")
    lab.answer(*_ANSWER)
    places = _places(lab.exchanges[-1])
    for name in ("key", "secret"):
        secret = forms(str(getattr(lab.account, f"api_{name}")))
        found = [place for place, text in places.items() if any(each in text for each in secret)]
        message = f"the {name} is sent in more than one place: {' and '.join(found)}"
        lab.expect.that(len(found) < 2, message)


def _places(exchange: Exchange) -> Mapping[str, str]:
    """All that was sent, by where it was."""
    places = {"the address": exchange.target}
    places |= {f"the header {name}": value for name, value in exchange.headers.items()}
    for number, each in enumerate(exchange.messages):
        places[f"message {number}"] = each.decode(errors="replace")
    return places


def _failures(lab: Lab, says: str = "no") -> list[Sequence[Step]]:
    """Ways for a call to fail, in which the service says something, or nothing."""
    return lab.possible(*_failing(says))


def _failing(says: str) -> Iterator[tuple[Step, ...]]:
    kinds: Sequence[FailKind] = ("auth", "bad_request", "server", "unknown_code")
    for kind in kinds:
        yield (Fail(kind, message=says),)
        yield "Hello", Fail(kind, message=says)
    for status in (401, 403, 302, 500):
        yield (Status(status, says),)
    yield "Hello", HangUp()
    yield "Hello", CloseCode(1011, says[:100])
    yield "Hello", CutFrame(0.5)
    yield "Hello", Reset()
    yield "Hello", Garbage()
    yield (Refuse(),)


def _secrets(lab: Lab) -> list[str]:
    """The key and the secret, as far as the plugin has them."""
    params = lab.harness.params(lab.upstream.url, lab.account).values()
    return [each for each in (lab.account.api_key, lab.account.api_secret) if each in params]


def _require_secrets(lab: Lab) -> None:
    if not _secrets(lab):
        raise NotApplicable("the harness gives no secrets")


def _repeating(lab: Lab) -> str:
    """What a service says that repeats them."""
    return f"not {' nor '.join(_secrets(lab))}"


def _outcome(lab: Lab, client: ProxyLLMClient, *steps: Step) -> BaseException | list[ModelOutput]:
    """What comes of a call that the service answers so."""
    lab.play(*steps)
    try:
        return lab.ask(client)
    except ProxyLLMError as error:
        return error
    except TimeoutError:
        raise
    except Exception as error:  # noqa: BLE001  # whatever it is, it is looked at
        return error


def _logged(lab: Lab, level: int) -> Mapping[str, str]:
    """What is logged in good times and in bad ones."""
    _require_secrets(lab)
    with recorded(level) as records:
        for steps in (_ANSWER, *_failures(lab, says=_repeating(lab))):
            with lab.client() as client:
                _outcome(lab, client, *steps)
    return records.texts


def _dumps(client: ProxyLLMClient) -> Mapping[str, str]:
    params = client.params
    places = {
        "repr of the client": repr(client),
        "str of the client": f"{client!s} {client}",
        "vars of the client": repr(vars(client)),
        "repr of the params": repr(params),
        "str of the params": str(params),
        "vars of the params": f"{vars(params)!r} {dict(params)!r}",
        "a dump of the params": f"{params.model_dump()!r} {params.model_dump_json()}",
        "repr of a stream": repr(client.sync_generate_stream("hi")),
    }
    for what, each in (("the params", params), ("the client", client)):
        with suppress(Exception):
            places[f"a pickle of {what}"] = pickle.dumps(each, protocol=0).decode("latin-1")
    return places
