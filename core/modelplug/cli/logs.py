"""Log records as one line each on standard error: what libraries log may be a traceback."""

from __future__ import annotations

import logging

import click

from modelplug.cli.terminal import one_line

__all__ = ["LineHandler", "log_plainly"]


class LineHandler(logging.Handler):
    """Writes a record's level and the first line of its message, and no traceback.

    asyncio, for one, puts an exception's own words on the lines below, and what they say may
    be a secret.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        told = record.getMessage().partition("\n")[0]
        click.echo(f"{record.levelname.lower()}: {record.name}: {one_line(told)}", err=True)


def log_plainly() -> None:
    """Take the place of logging's last resort, which would write tracebacks."""
    root = logging.getLogger()
    if not any(isinstance(handler, LineHandler) for handler in root.handlers):
        root.addHandler(LineHandler(logging.WARNING))
