"""The table of backends, one row each, and how a name leads to one.

``preset`` says what a row can say. Every row has its public source; SOURCES.md beside the package
tells what was taken from which document.
"""

from __future__ import annotations

from types import MappingProxyType

from modelplug_openai.preset import Preset
from modelplug_openai.table.china import CHINA
from modelplug_openai.table.hosts import HOSTS
from modelplug_openai.table.local import LOCAL
from modelplug_openai.table.makers import MAKERS, OPENAI

__all__ = ["OPENAI", "PRESETS", "find"]

PRESETS = (*MAKERS, *HOSTS, *CHINA, *LOCAL)
"""All rows."""

_BY_NAME = MappingProxyType({name: each for each in PRESETS for name in each.names})


def find(name: str) -> Preset | None:
    """The row of the backend called ``name``, or None."""
    return _BY_NAME.get(name)
