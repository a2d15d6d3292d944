"""The hooks that a plugin implements."""

from __future__ import annotations

import pluggy

from modelplug.backend import Backend

__all__ = ["hookimpl", "hookspec"]

hookspec = pluggy.HookspecMarker("modelplug")
hookimpl = pluggy.HookimplMarker("modelplug")


@hookspec
def modelplug_backend(name: str) -> Backend | None:
    """The backend called ``name``, or None if this plugin doesn't serve it. Imports no client."""
