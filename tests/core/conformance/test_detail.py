from __future__ import annotations

from dataclasses import replace

from modelplug.conformance.detail import detail, is_good, reference, stale
from tests.core.conformance.samples import cell, report, rule


def test_a_detail_has_all_directions() -> None:
    """Each with what happened, the script, the timeline and the command."""
    found = report(cell("GEN-01", verdict="fail", told="<b>no</b>"), cell("GEN-01", "sync"))
    told = "\n".join(detail(3, found, found.checks[0], label="acme"))
    assert told.startswith('<article id="d3-GEN-01">')
    assert "&lt;b&gt;no&lt;/b&gt;" in told
    assert told.count("says &#x27;Hel&#x27;, Gate(&#x27;more&#x27;)") == 2
    assert "modelplug conformance acme --only GEN-01 --direction sync" in told


def test_a_good_one_is_marked_as_such() -> None:
    """The page shows it when asked."""
    found = report(cell("GEN-01", "-"))
    told = "\n".join(detail(0, found, found.checks[0], label="acme 1.5"))
    assert 'class="good"' in told
    assert "<b>pass</b>" in told
    assert "· acme 1.5<" in told


def test_what_does_not_apply_has_its_reason() -> None:
    """It isn't something that happened."""
    found = report(cell("GEN-01", verdict="n/a", told="no tools"))
    told = "\n".join(detail(0, found, found.checks[0], label="acme"))
    assert "<dt>why not</dt><dd><pre>no tools</pre></dd>" in told


def test_what_is_not_scored_says_against_which_set() -> None:
    """Nobody has to wonder why it fails nothing."""
    found = replace(report(cell("GEN-01", verdict="fail")), not_scored=("GEN-01",))
    told = "\n".join(detail(0, found, found.checks[0], label="acme"))
    assert "Not in set 2026.1, so not scored" in told


def test_good_is_what_nobody_has_to_look_at() -> None:
    """A warning isn't."""
    assert is_good([cell("GEN-01"), cell("GEN-01", verdict="n/a")])
    assert not is_good([cell("GEN-01", verdict="warn")])


def test_a_reference_is_an_attribute() -> None:
    """Whatever a report calls its checks."""
    assert reference(0, rule('GEN-"x')) == "d0-GEN-&quot;x"


def test_what_is_stale_is_told() -> None:
    """With its reason."""
    found = replace(report(), stale=(cell("GEN-99", "-", "stale", "no <such> check"),))
    assert "no &lt;such&gt; check" in "\n".join(stale(found))
