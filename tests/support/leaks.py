"""What an error shows of the frames that are ours."""

from __future__ import annotations

import traceback
from pathlib import Path

import modelplug
import modelplug_echo
import modelplug_openai
import modelplug_spark

OURS = tuple(
    str(Path(str(package.__file__)).parent)
    for package in (modelplug, modelplug_echo, modelplug_openai, modelplug_spark)
)
"""Folders of the product: by their place, as a clone's folder may have any name."""


def our_locals(error: BaseException) -> str:
    """The locals of our frames in a traceback, as a collector of crashes would print them."""
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "\n".join(str(frame.locals) for frame in told.stack if frame.filename.startswith(OURS))
