"""The hooks that a plugin implements."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pluggy
import pytest

from modelplug import Backend, hookimpl, hookspecs

ACME = Backend(name="acme", summary="answers", contract=1, client="acme:Client")


@pytest.fixture
def manager() -> pluggy.PluginManager:
    """A manager that knows the hooks and no plugin."""
    manager = pluggy.PluginManager("modelplug")
    manager.add_hookspecs(hookspecs)
    return manager


def plugin(**hooks: Callable[..., object]) -> SimpleNamespace:
    """A plugin with these hooks."""
    return SimpleNamespace(**{name: hookimpl(hook) for name, hook in hooks.items()})


def test_there_is_one_hook(manager: pluggy.PluginManager) -> None:
    """A plugin implements this and need not look further."""
    assert [name for name in vars(manager.hook) if not name.startswith("_")] == [
        "modelplug_backend"
    ]


def test_the_hook_is_asked_by_name(manager: pluggy.PluginManager) -> None:
    """A plugin is asked for one backend and gives it."""
    manager.register(plugin(modelplug_backend=lambda name: ACME))
    assert manager.hook.modelplug_backend(name="acme") == [ACME]


def test_a_plugin_that_doesn_t_serve_a_name_gives_none(manager: pluggy.PluginManager) -> None:
    """None says that the backend isn't this plugin's."""
    manager.register(plugin(modelplug_backend=lambda name: None))
    assert manager.hook.modelplug_backend(name="acme") == []


def test_a_function_without_the_mark_is_no_hook(manager: pluggy.PluginManager) -> None:
    """What isn't marked by ``hookimpl`` is never called."""
    manager.register(SimpleNamespace(modelplug_backend=lambda name: ACME))
    assert manager.hook.modelplug_backend(name="acme") == []


def test_a_misspelt_hook_is_noticed(manager: pluggy.PluginManager) -> None:
    """A hook that the core doesn't have is an error and no silence."""
    manager.register(plugin(modelplug_backends=lambda name: ACME))
    with pytest.raises(pluggy.PluginValidationError, match="modelplug_backends"):
        manager.check_pending()


def test_a_hook_with_other_parameters_is_noticed(manager: pluggy.PluginManager) -> None:
    """A hook that asks for what the core doesn't give is an error."""
    with pytest.raises(pluggy.PluginValidationError, match="version"):
        manager.register(plugin(modelplug_backend=lambda name, version: None))


def test_a_mark_is_the_project_s_own() -> None:
    """Another project's plugins on the same module don't meet ours."""
    other = pluggy.PluginManager("another")
    other.register(plugin(modelplug_backend=lambda name: ACME))
    assert not hasattr(other.hook, "modelplug_backend")
