"""What programs make of answers."""

from __future__ import annotations

from collections.abc import Generator
from itertools import count

import pytest

from benchmarks import programs
from benchmarks.case import Reading, Setting
from benchmarks.clients.face import SyncClient
from benchmarks.measure import Meter


class Flaky(SyncClient):
    """It answers twice, and fails from then on."""

    def __init__(self, port: int, *, tls: bool = False) -> None:
        super().__init__(port, tls=tls)
        self.asked = count(1)  # its next is one step, whatever the thread

    def pieces(self) -> Generator[str]:
        """See ``SyncClient``."""
        if next(self.asked) > 2:
            raise ConnectionError
        yield "a" * 8


class Shares(Meter):
    """It tells among how many the CPU is shared."""

    def reading(self, units: float, *, rounds: int = 1, **more: float) -> Reading:
        """See ``Meter``."""
        return {"units": units, "rounds": rounds, **more}


def test_streams_that_fail_take_no_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that loses most of them isn't cheap by it."""
    monkeypatch.setattr(programs, "Meter", Shares)
    client = Flaky(0)
    setting = Setting(
        make=lambda: client, port=0, control=0, asks=1, crowd=4, units=50, characters=8
    )
    reading = programs.threads(setting)
    assert (reading["failed"], reading["units"], reading["callers"]) == (3, 50, 5)
