"""Results as tables."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.case import Answer, Kind
from benchmarks.running import NOT_INSTALLED
from benchmarks.table import amount, growth, table
from tests.benchmarks.cases import BARE, CASE, OURS, PEER, RESULTS, result


def test_a_table_begins_with_ratios() -> None:
    """Then come the case's metrics, with their spread."""
    told = table(RESULTS).splitlines()
    assert told[4] == "|  | CPU, × bare | CPU, × ours | CPU a delta | peak memory | threads |"  # noqa: RUF001
    assert told[6] == "| modelplug | 0.50 | – | 3.00 µs (2.00 µs – 4.00 µs) | 2.50 MiB | 1 |"  # noqa: RUF001
    assert told[7] == "| bare | 1 | 2.00 | 6.00 µs | 2.50 MiB | 1 |"


def test_who_failed_is_told_of() -> None:
    """A peer that can't do it isn't left out in silence; one that isn't there is."""
    failed = [*RESULTS[:2], result(PEER, fault="too many threads")]
    assert "\n<peer> wasn't measured: too many threads\n" in table(failed)
    missing = [*RESULTS[:2], result(PEER, fault=NOT_INSTALLED)]
    assert "<peer>" not in table(missing)


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (1.5, "seconds", "1.50 s"),
        (0.0123, "seconds", "12.3 ms"),
        (0.123, "seconds", "123 ms"),
        (2e-7, "seconds", "0.20 µs"),
        (3 * 2**20, "bytes", "3.00 MiB"),
        (512.0, "bytes", "0.50 KiB"),
        (7.0, "count", "7"),
    ],
)
def test_an_amount_has_the_unit_that_suits_it(value: float, kind: Kind, expected: str) -> None:
    """Three digits that matter."""
    assert expected == amount(value, kind)


def test_growth_compares_whole_answers() -> None:
    """Four times the deltas at half as much again for each is six times the cost."""
    short, long = (
        replace(CASE, answer=Answer(wire="spark", deltas=deltas)) for deltas in (5_000, 20_000)
    )
    told = growth(
        [replace(result(OURS, 2e-6), case=short), replace(result(BARE), case=short)],
        [replace(result(OURS, 3e-6), case=long), replace(result(BARE, 1e-6), case=long)],
    )
    assert "Linear is 4.00." in told
    assert [line for line in told.splitlines() if "6.00" in line] == ["| modelplug | 6.00 |"]
    assert "bare" not in told
