"""What is kept of a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.record import Record
from tests.benchmarks.cases import CASE, OURS, RESULTS, result

OTHER = replace(CASE, name="other")
CATALOGUE = (OTHER, CASE)
RECORD = Record(machine={"cores": "2"}, outcome=(tuple(RESULTS),))
OTHERS = (replace(result(OURS, 1e-6), case=OTHER),)


def test_what_was_kept_is_read_again() -> None:
    """Every reading, and why there is none."""
    failed = replace(RESULTS[2], readings=(), fault="gone")
    record = RECORD.having((*RESULTS[:2], failed), [CASE])
    assert record == Record.from_json(record.to_json(), [CASE])


def test_cases_that_are_others_now_are_left_out() -> None:
    """They are measured again, or gone."""
    fewer = replace(CASE, subjects=CASE.subjects[:2])
    for catalogue in ([fewer], [OTHER], []):
        assert Record.from_json(RECORD.to_json(), catalogue).outcome == ()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"machine": {}}'])
def test_what_is_no_record_is_refused(text: str) -> None:
    """Whatever it is."""
    with pytest.raises(ValueError, match=r"."):
        Record.from_json(text, CATALOGUE)


def test_results_come_in_the_order_of_the_catalogue() -> None:
    """Whenever they were measured."""
    record = RECORD.having(OTHERS, CATALOGUE)
    assert [each[0].case.name for each in record.outcome] == ["other", "made-up"]
    assert record.names == {"other", "made-up"}


def test_a_case_that_was_measured_again_has_its_new_results() -> None:
    """None of the old ones is left among them: ratios are of one run."""
    [results] = RECORD.having(RESULTS[:1], CATALOGUE).outcome
    assert results == RESULTS[:1]


def test_facts_that_have_changed_are_told_both() -> None:
    """A page shows that its figures are of two days."""
    first = Record(machine={"date": "Monday", "cores": "2"})
    second = first.on({"date": "Tuesday", "cores": "2", "load": "0"})
    assert second.machine == {"date": "Monday; Tuesday", "cores": "2", "load": "0"}
    assert second == second.on({"date": "Monday"})


def test_a_record_is_kept_whole(tmp_path: Path) -> None:
    """In a folder that it makes; the one before is replaced at once, and nothing lies about."""
    path = tmp_path / "new" / "results.json"
    RECORD.keep(path)
    RECORD.having(OTHERS, CATALOGUE).keep(path)
    assert [path] == [*path.parent.iterdir()]
    assert RECORD.having(OTHERS, CATALOGUE).to_json() == path.read_text("utf-8")
