"""Results as pictures."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

from benchmarks.plot import bars
from tests.benchmarks.cases import CASE, PEER, RESULTS, result

SVG = "{http://www.w3.org/2000/svg}"


def parsed(svg: str) -> ElementTree.Element:
    """A picture as a tree."""
    return ElementTree.fromstring(svg)  # noqa: S314  # our own


def test_each_subject_has_its_bar() -> None:
    """As long as its median; ours, the bare ones and others have each their colour."""
    drawn = parsed(bars(RESULTS)).findall(f"{SVG}rect")
    assert [each.get("class") for each in drawn] == ["ours", "bare", "other"]
    ours, bare, peer = (float(each.get("width", "")) for each in drawn)
    assert (round(bare / ours, 1), round(peer / ours)) == (2.0, 30)


def test_the_figures_stand_beside_the_bars() -> None:
    """Amount and ratio; names are text, whatever is in them."""
    told = [each.text for each in parsed(bars(RESULTS)).findall(f"{SVG}text")]
    assert {"<peer>", "90.0 µs, 15 ×"} <= set(told)  # noqa: RUF001


def test_colours_are_told() -> None:
    """Each of those that bars may have."""
    told = parsed(bars(RESULTS)).iter(f"{SVG}tspan")
    assert [each.get("class") for each in told] == ["ours", "bare", "other"]


def test_a_share_is_told_of_cpu_alone() -> None:
    """Nobody waits for a part of the first delta."""
    waited = replace(RESULTS[0], case=replace(CASE, shows=("peak",)))
    assert ">CPU a delta, median" in bars(RESULTS)
    assert ">peak memory, median" in bars([waited])


def test_who_failed_has_no_bar() -> None:
    """Nothing is drawn of what wasn't measured."""
    drawn = parsed(bars([*RESULTS[:2], result(PEER, fault="gone")]))
    assert len(drawn.findall(f"{SVG}rect")) == 2
