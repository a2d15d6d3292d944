"""The file ``modelplug.toml``: which one holds, and what is written there.

It is the one that ``MODELPLUG_CONFIG`` names (``none`` is no file), else the nearest one from the
working directory upwards, else the one in the user's own folder: ``~/.config/modelplug``, or what
``XDG_CONFIG_HOME`` or, on Windows, ``APPDATA`` has in the place of ``~/.config``. Only one holds:
what it doesn't say isn't looked for in the next.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from modelplug.errors import ConfigError, ConfigSyntaxError
from modelplug.params import read_variable

__all__ = ["CONFIG_VARIABLE", "FILE", "find", "read"]

CONFIG_VARIABLE = "MODELPLUG_CONFIG"
"""Names the file, or is ``none``; else it is searched."""

FILE = "modelplug.toml"

_MOST = 1 << 20
"""Bytes of a file: a profile has hundreds."""

_PLACE = re.compile(r"line (\d+), column (\d+)")


def find() -> Path | None:
    """The file that holds here and now; None if there is none.

    Raises:
        ConfigError: the nearest one belongs to another user.
    """
    named = read_variable(CONFIG_VARIABLE)
    if named is None:
        return next(filter(_is_there, _places()), None)
    if named.lower() == "none":
        return None
    try:
        return Path(named).expanduser().absolute()
    except (OSError, RuntimeError):
        pass  # below: no home, or no working directory
    raise ConfigError(
        f"{CONFIG_VARIABLE} names a file that can't be found from here", hint="give its whole path"
    )


def _places() -> Iterator[Path]:
    with suppress(OSError):  # the working directory is gone
        here = Path.cwd()
        for folder in (here, *here.parents):
            yield folder / FILE
    with suppress(RuntimeError):  # there is no home
        yield _users_folder() / "modelplug" / FILE


def _users_folder() -> Path:
    name = "APPDATA" if os.name == "nt" else "XDG_CONFIG_HOME"
    folder = Path(read_variable(name) or "")
    # A relative one is to be ignored, says the standard that the variable is from.
    return folder if folder.is_absolute() else Path.home() / ".config"


def _is_there(file: Path) -> bool:
    try:
        status = file.stat()
    except OSError:
        return False
    if not stat.S_ISREG(status.st_mode):
        return False
    # Above the working directory may be a folder for all, such as /tmp: whoever puts a file
    # there must not choose where other people's keys are sent.
    if hasattr(os, "getuid") and status.st_uid not in (0, os.getuid()):
        raise ConfigError(
            f"{file} belongs to another user",
            hint=f"name it in {CONFIG_VARIABLE} to use it all the same; none is for no file",
        )
    return True


def read(file: Path) -> Mapping[str, object]:
    """What is written in a file.

    Raises:
        ConfigError: it can't be read.
        ConfigSyntaxError: it isn't TOML; the message has the line.
    """
    # Deferred: most clients are made where there is no file.
    import tomllib

    text = _text(file)
    place, column = "", None
    try:
        return tomllib.loads(text)
    except RecursionError:
        place = ": nested too deeply"
    except ValueError as error:
        # Its own words are left out: they may quote what stands there.
        found = _PLACE.search(str(error))
        place, column = (f", {found[0]}", int(found[2])) if found else (", at its end", None)
    raise ConfigSyntaxError(
        f"{file}{place}: this isn't TOML",
        column=column,
        hint='texts stand in quotation marks, a table is [profiles.NAME], a key is name = "value"',
    )


def _text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            data = stream.read(_MOST + 1)
        if len(data) <= _MOST:
            return data.decode("utf-8-sig")  # Windows' editors begin a file with a mark
        reason = f"it has more than {_MOST >> 20} MiB"
    except UnicodeDecodeError:
        reason = "it is not text in UTF-8"
    except (OSError, ValueError) as error:
        # A ValueError for a name with a NUL in it.
        reason = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
    raise ConfigError(
        f"{file} can't be read: {reason}", hint=f"mend it, or name another in {CONFIG_VARIABLE}"
    )
