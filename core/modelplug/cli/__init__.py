"""The command line ``modelplug``: asks, lists backends, runs their emulators.

The one part of the package that prints.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec

__all__ = ["main"]

_MISSING = 'modelplug\'s command line needs its extra: pip install "modelplug[cli]"\n'


def main() -> None:
    """Run the command line; without the libraries of its extra, say what to install."""
    if find_spec("click") is None or find_spec("rich") is None:
        sys.stderr.write(_MISSING)  # click.echo is what is missing
        sys.exit(2)
    try:
        # Not above: it needs click, which an installation without the extra hasn't.
        from modelplug.cli.app import app

        app(prog_name="modelplug")
    except KeyboardInterrupt:  # while it was being imported; later ones are the app's
        sys.exit(130)
    except OSError as error:  # help and version are written before any command runs
        # Not above: it needs click, too.
        from modelplug.cli.terminal import drop_output

        drop_output()
        sys.stderr.write(f"error: standard output can't be written: {error.strerror}\n")
        sys.exit(1)
