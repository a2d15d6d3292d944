"""MOD: what a client says of its models."""

from __future__ import annotations

from collections.abc import Callable

from modelplug.capabilities import Capabilities, ModelMetadata
from modelplug.client import ProxyLLMClient
from modelplug.configstring import ConfigString, Target
from modelplug.conformance.check import check
from modelplug.conformance.lab import Lab
from modelplug.conformance.verdict import NotApplicable
from modelplug.delta import Finish
from modelplug.errors import BadRequestError, ConfigError, ModelNotFoundError
from modelplug.request import ModelRequest, RequestLike

_NOBODY = "nobody-knows-7f3a"
"""A model that there isn't."""


@check("MOD-01", "models and the default", profile="core", directions=())
def models_and_the_default(lab: Lab) -> None:
    """models() has names, each once, the default one among them, and that is what is asked."""
    lab.play("hi", Finish(), times=2)
    with lab.client() as client:
        names = [each.model for each in _models(lab, client)]
        default = client.default_model
        named = all(name and str(name).strip() for name in names)
        lab.expect.that(names and named, f"models() gives {names!r}: a model has no name")
        lab.expect.equal("models() without repetitions", list(dict.fromkeys(names)), names)
        lab.expect.that(default in names, f"the default {default!r} isn't in models(): {names!r}")
        for request in ("hi", ModelRequest(model=default, messages="hi")):
            lab.ask(client, request)
    asked = [lab.asked(number).model for number in range(2)]
    lab.expect.equal("what is asked for by default, and by name", asked[1], asked[0])


@check("MOD-02", "metadata is sane", profile="core", directions=())
def metadata_is_sane(lab: Lab) -> None:
    """Every model has a context length, which is a positive number, and says what it can do."""
    with lab.client() as client:
        for each in _models(lab, client):
            length: object = each.context_length
            good = type(length) is int and length > 0
            lab.expect.that(good, f"the context length of {each.model!r} is {length!r}")
            able: object = each.capabilities
            message = f"the capabilities of {each.model!r} are a {type(able).__name__}"
            lab.expect.that(isinstance(able, Capabilities), message)
            claims = client.capabilities(each.model)
            lab.expect.equal(f"what {each.model!r} can do, by capabilities()", able, claims)


@check("MOD-03", "models of each client", profile="core", directions=())
def models_of_each_client(lab: Lab) -> None:
    """What one client says of its models doesn't depend on another client."""
    with lab.client() as one:
        before = _models(lab, one)
        other_name = next((m.model for m in before if m.model != one.default_model), None)
        if other_name is None:
            raise NotApplicable("there is only one model")
        target = Target(backend=lab.backend.name, model=other_name)
        other_made = lab.made(backend=str(ConfigString(targets=(target,))), max_context_size=1234)
        with other_made as other:
            others = _models(lab, other)
            lab.expect.equal("the other client's default", other_name, other.default_model)
            message = "the other client's models don't have the length that it was made with"
            mine = [each for each in others if each.model == other_name]
            lab.expect.that([each.context_length for each in mine] == [1234], message)
            lab.expect.equal("one's models after the other's were asked", before, _models(lab, one))


@check("MOD-04", "a list of one's own", profile="core", directions=())
def a_list_of_ones_own(lab: Lab) -> None:
    """Whoever changes the list that models() gave changes nothing for others."""
    with lab.client() as client:
        given = _models(lab, client)
        before = list(given)
        given.clear()
        lab.expect.equal("models() after its list was emptied", before, _models(lab, client))


@check("MOD-05", "asks nobody", profile="core", directions=())
def asks_nobody(lab: Lab) -> None:
    """Making a client and asking what it knows of its models connects to nobody."""
    with lab.client() as client:
        models = _models(lab, client)
        for each in models:
            client.metadata(each.model)
            client.capabilities(each.model)
    lab.expect.equal("connections after models()", 0, len(lab.exchanges))


@check("MOD-06", "models that there aren't", profile="core", directions=())
def models_that_there_arent(lab: Lab) -> None:
    """A model that nobody knows is refused, or asked for by its name; none stands in for it."""
    target = Target(backend=lab.backend.name, model=_NOBODY)
    ways: dict[str, Callable[[], str | None]] = {
        "a client made for": lambda: _asked_by(lab, lab.made(backend=str(target)), "hi"),
        "a request for": lambda: _asked_by(
            lab, lab.made(), ModelRequest(model=_NOBODY, messages="hi")
        ),
    }
    for way, ask in ways.items():
        try:
            model = ask()
        except (ModelNotFoundError, ConfigError, BadRequestError):
            continue
        if model is None:
            raise NotApplicable("the service doesn't hear of models")
        message = f"{way} the model {_NOBODY!r}, which there isn't, asked {model!r} instead"
        lab.expect.that(_NOBODY in model, message)


def _asked_by(lab: Lab, client: ProxyLLMClient, request: RequestLike) -> str | None:
    """The model that the service is asked for."""
    with client:
        return lab.sent(request, client).model


def _models(lab: Lab, client: ProxyLLMClient) -> list[ModelMetadata]:
    given: object = lab.direction.loop.run(client.models(), within=lab.direction.patience)
    lab.expect.that(
        isinstance(given, list) and all(isinstance(each, ModelMetadata) for each in given),
        f"models() gave {given!r}, no list of ModelMetadata",
    )
    return given if isinstance(given, list) else []
