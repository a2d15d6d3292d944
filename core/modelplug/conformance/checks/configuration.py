"""CFG: where a client's configuration comes from, and what is said when it can't be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

from pydantic import BaseModel

from modelplug.conformance.canaries import expect_hidden, on_wire
from modelplug.conformance.check import check
from modelplug.conformance.harness import Account
from modelplug.conformance.lab import Lab
from modelplug.conformance.mute import origin
from modelplug.conformance.verdict import NotApplicable, Violation
from modelplug.delta import Finish
from modelplug.errors import (
    ConfigError,
    InvalidCredentialError,
    MissingCredentialError,
    ProxyLLMError,
    UnsafeEndpointError,
    UnsupportedOptionError,
)
from modelplug.params import ProxyModelParameters
from modelplug.testing.steps import Step

_ANSWER: tuple[Step, ...] = ("Hello", Finish())

_SECRETS = ("proxy_api_key", "proxy_api_secret")


@check("CFG-01", "arguments before variables", profile="core")
def arguments_before_variables(lab: Lab) -> None:
    """What is given as an argument wins over the environment, which serves where nothing is."""
    variables = _variables(lab)
    shown = _shown_on_wire(lab)
    other = lab.another_account()
    elsewhere = _as_variables(lab, origin(lab.upstream, "127.0.0.1:9"), other)
    with _environment(elsewhere):
        lab.answer(*_ANSWER)
    expect_hidden(lab, {"a request, though another was given": _last_on_wire(lab)}, other)
    _expect_shown(lab, shown, lab.account, "a request with the environment full of others")
    with _environment(variables), lab.made(**_without_variables(lab)) as client:
        lab.play(*_ANSWER)
        lab.ask(client)
    _expect_shown(lab, shown, lab.account, "a request with everything in the environment")


@check("CFG-02", "read when a client is made", profile="core", directions=())
def read_when_a_client_is_made(lab: Lab) -> None:
    """The environment is read when a client is made: two that are made in two read two."""
    _variables(lab)
    shown = _shown_on_wire(lab)
    for number, account in enumerate((lab.another_account(), lab.another_account()), 1):
        variables = _as_variables(lab, lab.upstream.url, account)
        with _environment(variables), lab.made(**_without_variables(lab)) as client:
            lab.play(*_ANSWER)
            lab.ask(client)
        _expect_shown(lab, shown, account, f"the request of client {number}")


@check("CFG-03", "missing credentials", profile="core", directions=())
def missing_credentials(lab: Lab) -> None:
    """A client without its credentials isn't made; the error names all that are missing."""
    given = [name for name in _params(lab) if name in (*_SECRETS, "proxy_api_app_id")]
    if not given:
        raise NotApplicable("the harness gives no credentials")
    with _environment(dict.fromkeys(lab.backend.environment.values(), "")):
        told = _refused(lab, MissingCredentialError, dict.fromkeys(given), what="all credentials")
        for name in given:
            _refused(lab, MissingCredentialError, {name: None}, what=f"a client without {name}")
            short = name.removeprefix("proxy_")
            lab.expect.that(short in told, f"without any credential the error is silent on {short}")
    lab.expect.equal("connections of clients that can't be", 0, len(lab.exchanges))


@check("CFG-04", "unknown names", profile="core", directions=())
def unknown_names(lab: Lab) -> None:
    """A name that nobody knows is refused; what it may have been meant for is said."""
    options = list(_options(lab))
    for name in (*_params(lab), *options):
        wrong = f"{name}x"
        what = f"a client with {wrong}"
        told = _refused(lab, UnsupportedOptionError, {wrong: "1"}, what=what)
        lab.expect.that(wrong in told, f"the error about {wrong} doesn't name it: {told}")
        if name in options:
            near = f"did you mean {name}?"
            lab.expect.that(near in told, f"the error about {wrong} doesn't say {near!r}: {told}")


@check("CFG-05", "wrong values", profile="core", directions=())
def wrong_values(lab: Lab) -> None:
    """A value of the wrong type is a ConfigError that names its field and doesn't repeat it."""
    wrong = {"x": lab.account.api_key, "y": lab.account.api_secret}
    for name in (*_params(lab), *_options(lab)):
        for value in (wrong, lab.account.api_secret):
            try:
                lab.made(**_given(lab, {name: value})).close()
            except ConfigError as error:
                told = f"{error} {error.hint} {vars(error)!r}"
                short = name.removeprefix("proxy_")
                named = short in told or isinstance(
                    error, InvalidCredentialError | UnsafeEndpointError
                )
                lab.expect.that(named, f"the error about a wrong {name} doesn't name it: {error}")
                expect_hidden(lab, {f"the error about a wrong {name}": told})
            except ProxyLLMError as error:
                if value is wrong:
                    raise Violation(
                        f"a wrong {name}: expected ConfigError, got {type(error).__name__}: {error}"
                    ) from None


@check("CFG-06", "blank credentials", profile="core")
def blank_credentials(lab: Lab) -> None:
    """A blank credential is a missing one, and blanks around one are never sent."""
    given = {name: value for name, value in _params(lab).items() if name in _SECRETS}
    if not given:
        raise NotApplicable("the harness gives no secrets")
    with _environment(dict.fromkeys(lab.backend.environment.values(), "")):
        for name in given:
            for blank in ("", "  \n"):
                what = f"a client whose {name} is {blank!r}"
                _refused(lab, MissingCredentialError, {name: blank}, what=what)
            what = f"a client whose {name} has a line break in it"
            _refused(lab, InvalidCredentialError, {name: "one\r\ntwo"}, what=what)
    before = _shown_on_wire(lab)
    with lab.made(**_given(lab, {name: f" {its}\n" for name, its in given.items()})) as client:
        lab.play(*_ANSWER)
        lab.ask(client)
    _expect_shown(lab, before, lab.account, "a request by a key with blanks around it")


@check("CFG-07", "addresses", profile="core")
def addresses(lab: Lab) -> None:
    """A base address is kept: its path, a slash at its end, its encryption."""
    base = str(_params(lab).get("proxy_api_base") or "")
    if not base.startswith(lab.upstream.url):
        raise NotApplicable("the harness gives no api_base")
    usual = _path(lab, base)
    lab.expect.equal("the path with a slash at the end of the base", usual, _path(lab, f"{base}/"))
    path = _path(lab, f"{base}/a/prefix")
    message = f"the base {base}/a/prefix leads to the path {path}"
    lab.expect.that(path.startswith(f"{urlsplit(base).path}/a/prefix"), message)
    _expect_not_downgraded(lab, base)
    _expect_not_unencrypted(lab, base)


_PROXY_VARIABLES = ("http", "https", "all", "ws", "wss", "socks")
"""Schemes that have a variable for their proxy, in capitals or not."""


@check("CFG-08", "proxies", profile="resilient", must=False)
def proxies(lab: Lab) -> None:
    """A proxy is used if it is asked for, or refused; one that only the environment has isn't.

    A client that passed over its http_proxy would go round what its network prescribes.
    """
    lab.require_wire("there is nothing that a proxy could pass on")
    with lab.another() as proxy:
        proxy.play(*_ANSWER, times=None)
        address = "http://" + urlsplit(proxy.url).netloc
        names = [f"{scheme}_proxy" for scheme in _PROXY_VARIABLES]
        there = dict.fromkeys((*names, *map(str.upper, names)), address)
        with _environment({**there, "no_proxy": "", "NO_PROXY": ""}):
            lab.answer(*_ANSWER)
        lab.expect.equal("connections to a proxy of the environment's", 0, len(proxy.exchanges))
        before = len(lab.exchanges)
        lab.play(*_ANSWER)
        try:
            with lab.made(http_proxy=address) as client:
                lab.ask(client)
        except ProxyLLMError as error:
            if isinstance(error, ConfigError):
                lab.expect.that("proxy" in str(error), f"the error doesn't name it: {error}")
        else:
            message = "a client with an http_proxy asked without it, and said nothing"
            lab.expect.that(len(proxy.exchanges), message)
        if not proxy.exchanges:
            lab.expect.equal("connections past the http_proxy", before, len(lab.exchanges))


@check("CFG-09", "round trip", profile="core", directions=())
def round_trip(lab: Lab) -> None:
    """A client's params make the same client again; as text they hide secrets, and make none."""
    with lab.client() as client:
        params = client.params
    values = {name: getattr(params, name) for name in params.model_fields_set}
    values.pop("proxyllm_backend")  # the lab says it
    with lab.made(**_given(lab, values)) as again:
        lab.expect.equal("the params of a client made of another's", params, again.params)
    given = [name for name in _params(lab) if name in _SECRETS]
    masked = params.model_dump(mode="json")
    for name in given:
        what = f"a client of a dump, with its masked {name}"
        _refused(lab, InvalidCredentialError, {name: masked[name]}, what=what)


@check("CFG-10", "a configuration of its own", profile="core")
def a_configuration_of_its_own(lab: Lab) -> None:
    """What a caller changes in what it gave, once a client is made, is nothing to the client."""
    usual: dict[str, Any] = {"temperature": 0.5, "max_new_tokens": 16, "stop": ["END"]}
    defaults = {name: value for name, value in usual.items() if lab.claims(name)}
    changed = _expect_kept(lab, "the defaults", {"defaults": defaults}) if defaults else 0
    for name in _options(lab):
        for value in _MUTABLE:
            given: dict[str, Any] = {name: deepcopy(value)}
            if _is_taken(lab, given):
                changed += _expect_kept(lab, f"the option {name}", given)
    if not changed:
        raise NotApplicable("a client takes nothing that its caller could change later")


_MUTABLE: tuple[object, ...] = ({"a": ["b"]}, ["a"], [["a"]], [{"a": "b"}])
"""What an option may take, and its caller change later."""


def _is_taken(lab: Lab, given: Mapping[str, Any]) -> bool:
    """Whether an option's value of the kit's own means anything to the plugin and its service."""
    try:
        with lab.made(**given) as client:
            lab.sent("hi", client)
    except ProxyLLMError:
        return False
    return True


def _expect_kept(lab: Lab, what: str, given: dict[str, Any]) -> int:
    """A client sends the same when its caller has changed what it gave; how much was changed."""
    with lab.made(**given) as client:
        before = lab.sent("hi", client)
        changed = _spoil(given)
        when = f"what is sent once a caller has changed {what} that it gave"
        lab.expect.equal(when, before, lab.sent("hi", client))
    return changed


def _spoil(value: Any) -> int:
    """Change all that can be changed in a value, deep down first; how many places there were."""
    changed = 0
    for name, part in list(value.items() if isinstance(value, dict) else enumerate(value)):
        if isinstance(part, dict | list):
            changed += _spoil(part)
        else:
            value[name] = "END2" if isinstance(part, str) else 1
            changed += 1
    return changed


@check("CFG-11", "two clients, two accounts", profile="core")
def two_clients_two_accounts(lab: Lab) -> None:
    """Two clients of two accounts and two services never mix them, however calls alternate."""
    account = lab.another_account()
    with ExitStack() as open_now:
        other_service = open_now.enter_context(lab.another())
        params: Mapping[str, Any] = lab.harness.params(other_service.url, account)
        one = open_now.enter_context(lab.client())
        other = open_now.enter_context(lab.made(**params))
        for _ in range(2):
            lab.play(*_ANSWER)
            other_service.play(*_ANSWER)
            lab.ask(one)
            lab.ask(other)
        lab.expect.equal("questions to one service", 2, len(lab.exchanges))
        lab.expect.equal("questions to the other", 2, len(other_service.exchanges))
        place = "what the other client's service was sent"
        expect_hidden(lab, {place: on_wire(other_service.exchanges)}, lab.account)
        expect_hidden(lab, {"what one client's service was sent": on_wire(lab.exchanges)}, account)


# ------------------------------------------------------------------------------ what is given


def _full(name: str) -> str:
    """A params field by its full name."""
    fields = ProxyModelParameters.model_fields
    return f"proxy_{name}" if name not in fields and f"proxy_{name}" in fields else name


def _params(lab: Lab) -> dict[str, object]:
    """What the harness gives, by full names."""
    params = lab.harness.params(lab.upstream.url, lab.account)
    return {_full(name): value for name, value in params.items()}


def _given(lab: Lab, changed: Mapping[str, object]) -> dict[str, Any]:
    """The harness's params with some changed, all by the names that the harness has for them."""
    named = {_full(name): name for name in lab.harness.params(lab.upstream.url, lab.account)}
    return {named.get(name, name): value for name, value in changed.items()}


def _options(lab: Lab) -> Mapping[str, object]:
    """The backend's own options."""
    model: type[BaseModel] | None = lab.backend.options
    return model.model_fields if model is not None else {}


def _refused(
    lab: Lab, kind: type[ProxyLLMError], changed: Mapping[str, object], *, what: str
) -> str:
    """What is said when a client can't be made."""
    error = lab.expect.raises(kind, lambda: lab.made(**_given(lab, changed)).close(), what=what)
    return f"{error} ({error.hint})"


# ------------------------------------------------------------------------------ the environment


def _variables(lab: Lab) -> dict[str, str]:
    """What the harness gives, as variables; NotApplicable if they can't say it all."""
    variables = _as_variables(lab, lab.upstream.url, lab.account)
    fields = {_full(name) for name in lab.harness.params(lab.upstream.url, lab.account)}
    credentials = fields.intersection((*_SECRETS, "proxy_api_app_id"))
    if not credentials or not credentials <= set(lab.backend.environment):
        raise NotApplicable("the backend names no variables for its credentials")
    return variables


def _as_variables(lab: Lab, url: str, account: Account) -> dict[str, str]:
    params = {_full(name): value for name, value in lab.harness.params(url, account).items()}
    return {
        variable: str(params.get(name, "")) for name, variable in lab.backend.environment.items()
    }


def _without_variables(lab: Lab) -> dict[str, Any]:
    """Nothing for what variables can say."""
    return _given(lab, {name: None for name in _params(lab) if name in lab.backend.environment})


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    with patch.dict("os.environ", variables):
        yield


# ------------------------------------------------------------------------------ the wire


def _last_on_wire(lab: Lab) -> str:
    return on_wire(lab.exchanges[-1:])


def _shown_on_wire(lab: Lab) -> list[str]:
    """Which parts of an account can be read in a request; others only sign it."""
    lab.answer(*_ANSWER)
    sent = _last_on_wire(lab)
    return [
        name for name in ("app_id", "api_key", "api_secret") if _part(lab.account, name) in sent
    ]


def _part(account: Account, name: str) -> str:
    value: Any = getattr(account, name)
    return str(value)


def _expect_shown(lab: Lab, shown: list[str], account: Account, what: str) -> None:
    sent = _last_on_wire(lab)
    for name in shown:
        lab.expect.that(_part(account, name) in sent, f"{what} doesn't have its own {name}")


def _path(lab: Lab, base: str) -> str:
    """The path that is asked for at a base address."""
    with lab.made(**_given(lab, {"proxy_api_base": base})) as client:
        lab.play(*_ANSWER)
        lab.ask(client)
    path = urlsplit(lab.exchanges[-1].target).path
    lab.expect.that("//" not in path, f"the base {base} leads to the path {path}")
    return path.rstrip("/")


def _expect_not_downgraded(lab: Lab, base: str) -> None:
    """Where encryption is asked for, a service without it is sent nothing."""
    secure = base.replace("://", "s://", 1)
    before = len(lab.exchanges)
    with lab.made(**_given(lab, {"proxy_api_base": secure})) as client:
        what = "a call to an encrypted address where nothing is encrypted"
        lab.expect.raises(ProxyLLMError, lambda: lab.ask(client), what=what)
    sent = on_wire(lab.exchanges[before:])
    lab.expect.that(not sent.strip(), "a request to an encrypted address was sent in the clear")


def _expect_not_unencrypted(lab: Lab, base: str) -> None:
    """Credentials aren't sent in the clear to what isn't this machine by its name."""
    foreign = base.replace("127.0.0.1", "0.0.0.0")  # noqa: S104  # an address to connect to
    before = len(lab.exchanges)

    def asks() -> None:
        with lab.made(**_given(lab, {"proxy_api_base": foreign})) as client:
            lab.ask(client)

    what = "a call in the clear to another machine"
    lab.expect.raises(UnsafeEndpointError, asks, what=what)
    lab.expect.equal("connections to it", before, len(lab.exchanges))
