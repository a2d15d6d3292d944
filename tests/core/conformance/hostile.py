"""Plugins that do what no plugin should, at a moment of their choice."""

from __future__ import annotations

from pathlib import Path

from tests.support.dists import install

__all__ = ["DIST", "HANGS", "hostile"]

DIST = "modelplug-hostile"

HANGS = "threading.Event().wait()"

_SOURCE = """
import os, signal, sys, threading
from modelplug import hookimpl
from tests.core.conformance.plugin import backend
from tests.core.conformance.reference import ReferenceClient

def at(moment):
    if moment == {moment!r}:
        {deed}

at("import")

class Hostile(ReferenceClient):
    @classmethod
    def new_client(cls, *args, **kwargs):
        at("new_client")
        return super().new_client(*args, **kwargs)

    def capabilities(self, *args):
        at("capabilities")
        return super().capabilities(*args)

    def close(self):
        at("close")
        super().close()

    async def stream_deltas(self, *args):
        at("stream_deltas")
        async for each in super().stream_deltas(*args):
            yield each

@hookimpl
def modelplug_backend(name):
    return backend(name, "hostile_plugin:Hostile")
"""


def hostile(folder: Path, moment: str, deed: str) -> None:
    """Install one, the backend ``hostile``.

    Args:
        folder: where, on ``sys.path``.
        moment: when it does it: ``import``, or a method.
        deed: a line of Python.
    """
    install(
        folder,
        dist=DIST,
        module="hostile_plugin",
        source=_SOURCE.format(moment=moment, deed=deed),
        backends={"hostile": "hostile_plugin"},
    )
