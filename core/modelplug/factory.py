"""Making a client of what it is configured to be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from typing import Protocol

from modelplug.client import ProxyLLMClient
from modelplug.configstring import ConfigString
from modelplug.configuration import Configuration, configured, targets_of
from modelplug.errors import ConfigError, PluginContractError, ProxyLLMError
from modelplug.observers import Observer
from modelplug.params import ProxyModelParameters, asks_for_policies
from modelplug.plugins import installed, load_attribute
from modelplug.registry import registry
from modelplug.settings import CREDENTIALS

__all__ = ["StandIn", "made", "new_client", "standing_in"]

OBSERVERS = "modelplug.observers"
"""The entry-point group of observers that params may name."""

_NO_CREDENTIAL = "none-is-needed-where-a-test-answers"


class StandIn(Protocol):
    """What answers in place of services, for the tests of an app."""

    def take_over(self, client: ProxyLLMClient) -> ProxyLLMClient:
        """The client of a plugin, made to ask this instead of its service."""
        ...  # pragma: no cover


# State of the whole process, on purpose: an app makes its clients wherever it likes, in any
# thread, and a test wants all of them.
_stand_ins: list[StandIn] = []


@contextmanager
def standing_in(stand_in: StandIn) -> Iterator[None]:
    """Have ``stand_in`` take over every client of this process that is made in the block.

    What an app configures must still be right, but for credentials, which needn't be there.
    """
    _stand_ins.append(stand_in)
    try:
        yield
    finally:
        _stand_ins.remove(stand_in)


def new_client(
    params: ProxyModelParameters | str | Mapping[str, object] | None = None,
    default_executor: Executor | None = None,
    *,
    observers: Iterable[Observer] = (),
    **overrides: object,
) -> ProxyLLMClient:
    """A client of the backend that ``params`` choose.

    Args:
        params: a config string, params, or a mapping of what either may hold; may be left
            out where ``overrides`` say it all, or a default profile does. ``"@prod"`` is the
            profile of that name in ``modelplug.toml``.
        default_executor: runs blocking streams; borrowed, never shut down.
        observers: who is told of calls, besides those that the params name.
        overrides: single values that win: params by their full or short name, request
            defaults, options of the backend; and ``profile``, the name of one whose values
            stand behind those of the config string.

    Raises:
        ConfigError: the configuration can't be; nothing was sent anywhere.
        PluginError: the backend isn't there, or its plugin is faulty.
    """
    try:
        return _new_client(params, overrides, executor=default_executor, observers=tuple(observers))
    except ProxyLLMError as error:
        # The frames below, and this one, hold values as they were given, secrets among them.
        failure = error.with_traceback(None)
    del params, overrides
    raise failure


def _new_client(
    params: ProxyModelParameters | str | Mapping[str, object] | None,
    overrides: Mapping[str, object],
    *,
    executor: Executor | None,
    observers: tuple[Observer, ...],
) -> ProxyLLMClient:
    for observer in observers:
        if not callable(observer):
            raise ConfigError(f"an observer is a callable, not a {type(observer).__name__}")
    targets = targets_of(params, overrides)
    if len(targets) > 1:
        others = None if isinstance(params, str) else params
        shared = {name: value for name, value in overrides.items() if name != "backend"}
        each = (
            {**shared, "proxyllm_backend": str(ConfigString(targets=(target,)))}
            for target in targets
        )
        return _fallback(
            _new_client(others, its, executor=executor, observers=observers) for its in each
        )
    if _stand_ins:
        overrides = {**dict.fromkeys(CREDENTIALS, _NO_CREDENTIAL), **overrides}
    configuration = configured(params, overrides)
    if (missing := configuration.missing()) is not None:
        raise missing
    complete = configuration.params
    complete.credential()  # raises now, rather than at the first call
    named = tuple(_observer(name) for name in complete.observers)
    client = made(configuration, executor, observers=(*observers, *named))
    if not asks_for_policies(complete):
        return client
    # Here: few ask for any, and nobody else is to wait for them.
    from modelplug.policies.configured import with_policies

    return with_policies(client, complete)


def _fallback(making: Iterator[ProxyLLMClient]) -> ProxyLLMClient:
    """A client of several, the first of which is asked first; all of them, or none is made."""
    # Here, as above.
    from modelplug.policies.fallback import Fallback

    with ExitStack() as unless_all_are_made:
        clients = [unless_all_are_made.enter_context(client) for client in making]
        unless_all_are_made.pop_all()
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
            return _stand_ins[-1].take_over(client) if _stand_ins else client
        bug = TypeError(f"a client was expected, not a {type(client).__name__}")
    raise PluginContractError.blame(bug, doing=f" in new_client of {client_class.__name__}")


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
