from __future__ import annotations

import asyncio
import logging

import pytest

from modelplug.cli.logs import LineHandler, log_plainly


def test_a_record_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A logged exception shows neither its traceback nor its words."""
    log_plainly()
    try:
        raise ValueError("s3cret")
    except ValueError as error:
        logging.getLogger("acme").error("it broke\nfuture: %r", error, exc_info=error)
    assert capsys.readouterr().err == "error: acme: it broke\n"


def test_what_asyncio_complains_of_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The event loop's own reports are told like all others."""

    async def complain() -> None:
        loop = asyncio.get_running_loop()
        loop.call_exception_handler({"message": "oh", "exception": ValueError("s3cret")})

    log_plainly()
    asyncio.run(complain())
    assert capsys.readouterr().err == "error: asyncio: oh\n"


def test_records_below_a_warning_are_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Information and debugging are for nobody here."""
    log_plainly()
    logging.getLogger("acme").info("by the way")
    assert capsys.readouterr().err == ""


def test_it_is_set_up_once() -> None:
    """A second call adds no second line to each record."""
    log_plainly()
    log_plainly()
    ours = [each for each in logging.getLogger().handlers if isinstance(each, LineHandler)]
    assert len(ours) == 1
