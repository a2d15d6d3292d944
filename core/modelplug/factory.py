"""Making a client of what it is configured to be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import TYPE_CHECKING, NamedTuple, Protocol

from modelplug.client import ProxyLLMClient
from modelplug.configuration import Alternative, Configuration, alternatives, configured
from modelplug.errors import ConfigError, PluginContractError, ProxyLLMError
from modelplug.params import ProxyModelParameters, asks_for_policies
from modelplug.plugins import installed, load_attribute
from modelplug.registry import registry
from modelplug.settings import CREDENTIALS

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from modelplug.observers import Observer

__all__ = ["StandIn", "made", "new_client", "standing_in"]

OBSERVERS = "modelplug.observers"
"""The entry-point group of observers that params may name."""

_NO_CREDENTIAL = "none-is-needed-where-a-test-answers"


class StandIn(Protocol):
    """What answers in place of services, for the tests of an app."""

    def take_over(self, client: ProxyLLMClient) -> ProxyLLMClient:
        """The client of a plugin, made to ask this instead of its service."""
        ...  # pragma: no cover


class _Block(NamedTuple):
    """A stand-in for as long as it is there, and its number, by which it is told from others."""

    number: int
    stand_in: StandIn


# State of the whole process, on purpose: an app makes its clients wherever it likes, in any
# thread, and a test wants all of them.
_blocks: list[_Block] = []
_numbers = count(1)


@contextmanager
def standing_in(stand_in: StandIn) -> Iterator[None]:
    """Have ``stand_in`` take over every client of this process that is made in the block.

    What an app configures must still be right, but for credentials, which needn't be there. Its
    retries don't wait, unless the script of a failure says for how long (``retry_after``). What
    its clients share, budgets and circuits, they share within the block alone.
    """
    block = _Block(next(_numbers), stand_in)
    _blocks.append(block)
    try:
        yield
    finally:
        _blocks.remove(block)


def new_client(
    params: ProxyModelParameters | str | Mapping[str, object] | None = None,
    default_executor: Executor | None = None,
    *,
    observers: Iterable[Observer | str] = (),
    **overrides: object,
) -> ProxyLLMClient:
    """A client of the backend that ``params`` choose.

    Args:
        params: a config string, params, or a mapping of what either may hold; may be left
            out where ``overrides`` say it all, or a default profile does. ``"@prod"`` is the
            profile of that name in ``modelplug.toml``.
        default_executor: runs blocking streams; borrowed, never shut down.
        observers: who is told of calls, besides those that the params name; an installed one by
            its name, too.
        overrides: single values that win: params by their full or short name, request
            defaults, options of the backend; and ``profile``, the name of one whose values
            stand behind those of the config string.

    Raises:
        ConfigError: the configuration can't be; nothing was sent anywhere.
        PluginError: the backend isn't there, or its plugin is faulty.
    """
    asked: Sequence[Alternative] = ()
    try:
        told = _observers(observers)
        _check_executor(default_executor)
        asked = alternatives(params, overrides)
        if len(asked) == 1:
            return _new_client(asked[0], default_executor, observers=told)
        return _fallback(_new_client(each, default_executor, observers=told) for each in asked)
    except ProxyLLMError as error:
        # The frames below, and this one, hold values as they were given, secrets among them.
        failure = error.with_traceback(None)
    del params, overrides, asked
    raise failure


def _new_client(
    asked: Alternative, executor: Executor | None, *, observers: tuple[Observer, ...]
) -> ProxyLLMClient:
    if _blocks:
        overrides = {**dict.fromkeys(CREDENTIALS, _NO_CREDENTIAL), **asked.overrides}
        asked = asked._replace(overrides=overrides)
    configuration = configured(*asked)
    for fault in (configuration.missing(), configuration.useless()):
        if fault is not None:
            raise fault
    complete = configuration.params
    complete.credential()  # raises now, rather than at the first call
    named = _observers(complete.observers)
    client = made(configuration, executor, observers=(*observers, *named))
    if not asks_for_policies(complete):
        return client
    # Here: few ask for any, and nobody else is to wait for them.
    from modelplug.policies.configured import with_policies

    if _blocks:
        return with_policies(client, complete, jitter=_no_jitter, apart=_blocks[-1].number)
    return with_policies(client, complete)


def _no_jitter() -> float:
    """Has a test's retries wait for nothing but what its script asks for."""
    return 0.0


def _fallback(making: Iterator[ProxyLLMClient]) -> ProxyLLMClient:
    """A client of several, the first of which is asked first; all of them, or none is made."""
    # Here, as above.
    from modelplug.call import warn
    from modelplug.policies.fallback import Fallback, unheard_deadline
    from modelplug.request import ModelRequest

    with ExitStack() as unless_all_are_made:
        clients = [unless_all_are_made.enter_context(client) for client in making]
        unless_all_are_made.pop_all()
    first, *others = (client.timeouts_of(ModelRequest(messages="")).total for client in clients)
    for other, total in zip(clients[1:], others, strict=True):
        if (told := unheard_deadline(first, total)) is not None:
            warn("%s:%s comes after another, and %s", other.backend, other.default_model, told)
    return Fallback(*clients)


def made(
    configuration: Configuration,
    executor: Executor | None = None,
    *,
    observers: Iterable[Observer] = (),
) -> ProxyLLMClient:
    """The client of a configuration, as its plugin makes it.

    Raises:
        PluginError: the plugin is faulty.
        ProxyLLMError: whatever else the plugin refuses.
    """
    backend, params = configuration.backend, configuration.params
    client_class = registry().load_client(backend, configuration.plugin)
    try:
        client: object = client_class.new_client(params, executor)
    except (ProxyLLMError, KeyboardInterrupt):
        raise
    except BaseException as error:  # noqa: BLE001  # a plugin may raise anything
        bug = error
    else:
        if isinstance(client, ProxyLLMClient):
            client.adopt(params, backend, observers=observers)
            return _blocks[-1].stand_in.take_over(client) if _blocks else client
        bug = TypeError(f"a client was expected, not a {type(client).__name__}")
    raise PluginContractError.blame(bug, doing=f" in new_client of {client_class.__name__}")


def _check_executor(executor: object) -> None:
    """Refuse what takes the place of an executor by mistake, such as a second config string.

    Raises:
        ConfigError: it is none.
    """
    if executor is None:
        return
    # Here: whoever has one has imported this, and few have one.
    from concurrent.futures import Executor

    if not isinstance(executor, Executor):
        raise ConfigError(
            f"default_executor is an executor, not a {type(executor).__name__}",
            hint="several backends are one config string: 'one | other'; all else is by keyword",
        )


def _observers(given: object) -> tuple[Observer, ...]:
    """Observers as they are given, the installed ones by their names.

    Raises:
        ConfigError: they are no list of observers, or a name is nobody's.
        PluginError: one that is installed is faulty.
    """
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ConfigError(
            f"observers are a list, not a {type(given).__name__}", hint="write observers=[...]"
        )
    return tuple(_observer(each) if isinstance(each, str) else _called(each) for each in given)


def _called(observer: object) -> Observer:
    if not callable(observer):
        raise ConfigError(
            f"an observer is a callable, not a {type(observer).__name__}",
            hint="give a callable that takes an event, or the name of an installed one",
        )
    return observer


def _observer(name: str) -> Observer:
    found = [each for each in installed(OBSERVERS) if each.name == name]
    if len(found) != 1:
        raise ConfigError(
            f"no installed observer is called {name!r}"
            if not found
            else f"{' and '.join(each.dist for each in found)} both bring an observer {name!r}",
            hint="correct the names in 'observers'",
        )
    observer = load_attribute(found[0].value, found[0])
    if not callable(observer):
        raise PluginContractError(f"the observer {name!r} can't be called")
    return observer
