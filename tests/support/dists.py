"""Installed distributions that a test makes up, on a folder of ``sys.path``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

PLUGIN = """
from modelplug import Backend, hookimpl

@hookimpl
def modelplug_backend(name):
    return Backend(name=name, summary="made up", contract=1, client="{module}:Client")

def __getattr__(name):
    if name == "Client":
        from tests.support.scripted import AsyncScripted
        return AsyncScripted
    raise AttributeError(name)
"""
"""A whole plugin: its hook, and a client that answers nothing."""


def install(
    folder: Path,
    *,
    dist: str = "modelplug-made-up",
    module: str = "made_up",
    source: str = PLUGIN,
    backends: Mapping[str, str] | None = None,
    requires: tuple[str, ...] = (),
    entry_points: str | None = None,
) -> None:
    """Write a distribution with one module into ``folder``.

    Args:
        folder: of ``sys.path``.
        dist: the distribution's name.
        module: its module, and ``source`` its text.
        source: see ``module``.
        backends: entry points by name; the module under the name ``made-up`` if None.
        requires: what it says it needs.
        entry_points: the whole of entry_points.txt instead of ``backends``.
    """
    named = {"made-up": module} if backends is None else backends
    lines = "".join(f"{name} = {value}\n" for name, value in named.items())
    info = folder / f"{dist.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    needs = "".join(f"Requires-Dist: {each}\n" for each in requires)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: 1.0\n{needs}")
    (info / "entry_points.txt").write_text(
        f"[modelplug.backends]\n{lines}" if entry_points is None else entry_points
    )
    (folder / f"{module}.py").write_text(source.replace("{module}", module))


@contextmanager
def on_path(folder: Path) -> Iterator[Path]:
    """``folder`` in front of ``sys.path``, its modules forgotten afterwards."""
    sys.path.insert(0, str(folder))
    before = set(sys.modules)
    try:
        yield folder
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            module = sys.modules[name]
            if str(getattr(module, "__file__", "") or "").startswith(str(folder)):
                del sys.modules[name]
