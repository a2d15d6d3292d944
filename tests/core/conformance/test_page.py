from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

from modelplug.conformance.page import page
from tests.core.conformance.samples import cell, report, rule

VOID = {"meta", "input"}


class Reader(HTMLParser):
    """Reads a page: what is open, ids, references to them, and text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One more is open."""
        found = dict(attrs)
        self.ids += [str(found["id"])] if "id" in found else []
        self.links += [str(found["href"])] if tag == "a" else []
        self.outside += [tag] if "src" in found or tag == "link" else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """The last one is closed."""
        assert self.open.pop() == tag


def read(text: str) -> Reader:
    """A page, read to its end."""
    reader = Reader()
    reader.feed(text)
    reader.close()
    return reader


ONE = report(
    cell("GEN-01", verdict="fail", told="</pre><script>alert(1)</script>", ended="client fin"),
    cell("GEN-01", "sync"),
    cell("REG-01", "-"),
    checks=(rule("GEN-01", title="<i>"), rule("REG-01", "complete", must=False)),
)
OTHER = report(cell("GEN-01"), backend="parrot")


def test_a_page_is_well_formed() -> None:
    """Every mark leads somewhere, every id is there once."""
    found = read(page([ONE, OTHER]))
    assert found.open == []
    assert len(set(found.ids)) == len(found.ids)
    assert found.links == ["#d0-GEN-01", "#d0-REG-01", "#d0-GEN-01", "#d1-GEN-01"]
    assert {link[1:] for link in found.links} <= set(found.ids)


def test_a_page_needs_nothing_else() -> None:
    """No picture, font, script or style of elsewhere."""
    text = page([ONE])
    assert read(text).outside == []
    assert not re.search(r"https?:|url\(|@import", text)


def test_what_a_report_says_is_text() -> None:
    """It can't become part of the page."""
    text = page([ONE])
    assert text.count("<script>") == 1
    assert "&lt;script&gt;alert(1)" in text
    assert "<i>◁</i>" in text
    assert "&lt;i&gt;" in text


def test_the_order_of_reports_does_not_matter() -> None:
    """Backends stand by name."""
    assert page([ONE, OTHER]) == page([OTHER, ONE])


def test_what_was_not_looked_at_is_no_pass() -> None:
    """A cell of the matrix without a mark."""
    assert page([ONE, OTHER]).count('title="not looked at"') == 1


def test_rows_know_their_level_and_whether_they_are_bad() -> None:
    """The filters go by it."""
    text = page([ONE])
    assert '<tr class="row" data-level="core" data-bad>' in text
    assert '<tr class="row" data-level="complete">' in text


def test_a_card_says_what_the_level_stands_on() -> None:
    """Set, kit and plugin, the side badges, and where the run was made."""
    seen = replace(report(cell("FEA-19")), claims={"images": "native"})
    text = page([seen])
    assert "level: complete<" in text
    assert "set 2026.1 · kit 0.1.0 · acme 1.5" in text
    assert "✓ Vision" in text
    assert "modelplug-acme; CPython 3.11.7, Linux x86_64, seed 7" in text


def test_what_was_cut_short_has_no_level() -> None:
    """The card says why."""
    assert "no level: something was left out" in page([replace(OTHER, asked=None)])


def test_reports_of_one_backend_are_held_against_each_other() -> None:
    """In the order given: rows that differ can be filtered, and columns tell them apart."""
    before = report(cell("GEN-01"), cell("GEN-02"))
    after = replace(report(cell("GEN-01", verdict="fail"), cell("GEN-02")), version="1.10")
    text = page([before, after])
    assert text.count(" data-changed>") == 1
    assert "1 backend, 2 reports." in text
    assert '<label><input type="checkbox" id="changed">' in text
    assert text.index(">acme 1.5<") < text.index(">acme 1.10<")
    assert ">acme 1.5 #1<" in page([before, before])


def test_other_backends_have_not_changed() -> None:
    """There is nothing to filter."""
    text = page([ONE, OTHER])
    assert "data-changed" not in text.partition("<script>")[0]
    assert '<label hidden><input type="checkbox" id="changed">' in text


def test_a_check_that_is_not_scored_is_marked() -> None:
    """In its row; the card has how many there are."""
    text = page([replace(ONE, not_scored=("GEN-01",))])
    assert text.count(">not scored</span>") == 1
    assert "<span>1 checks not scored</span>" in text


def test_many_backends_have_a_mark_each() -> None:
    """There is no room for four."""
    many = [report(cell("GEN-01"), backend=f"b{number}") for number in range(5)]
    assert '<table class="many">' in page(many)
    assert '<table class="several">' in page(many[:2])
    assert '<table class="one">' in page(many[:1])


def test_failures_come_first() -> None:
    """A list of them before the matrix, and their details before all others."""
    bad, gone = cell("STR-01", verdict="fail", told="no"), cell("GEN-99", "-", "stale", "gone")
    text = page([replace(report(cell("GEN-01"), bad), stale=(gone,))])
    listed, _, rest = text.partition("<table")
    assert '<a href="#d0-STR-01">STR-01[async]</a> title of STR-01 · acme' in listed
    assert "GEN-99 gone" in listed
    assert rest.index('id="d0-STR-01"') < rest.index('id="d0-GEN-01"')
    assert "What failed" not in page([OTHER])


def test_the_ways_are_explained_beside_the_head() -> None:
    """And in the legend; where there is a mark a check there is nothing to explain."""
    before = page([ONE]).partition("<table")[0]
    assert "<b>as</b> async-stream, <b>ss</b> sync-stream, <b>a</b> async" in before
    many = [report(cell("GEN-01"), backend=f"b{number}") for number in range(5)]
    assert "The four ways" not in page(many).partition("<table")[0]


def test_nothing_failed_is_said() -> None:
    """And only then."""
    assert "Nothing failed." in page([OTHER])
    assert "Nothing failed." not in page([ONE])
