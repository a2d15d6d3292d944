"""Who gets which script."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from modelplug.testing import Hang, Step
from modelplug.testing.scripts import Script, Scripts


def queue(*scripts: Script[str]) -> Scripts[str]:
    """Some scripts."""
    made: Scripts[str] = Scripts()
    for script in scripts:
        made.add(script)
    return made


def hanging(steps: Sequence[Step]) -> str | None:
    """A verdict on steps that hang."""
    return "hang" if steps[0] == Hang() else None


def test_scripts_are_taken_in_order() -> None:
    """Each once; then there is none."""
    scripts = queue(Script(["a"]), Script(["b"]))
    assert [scripts.take("?") for _ in range(3)] == [["a"], ["b"], None]


def test_a_script_may_be_taken_several_times() -> None:
    """Or for ever."""
    scripts = queue(Script(["a"], times=2), Script(["b"], times=None))
    assert [scripts.take("?") for _ in range(4)] == [["a"], ["a"], ["b"], ["b"]]


def test_a_script_may_be_for_some_requests_alone() -> None:
    """The others get the next one."""
    scripts = queue(Script(["a"], when=lambda request: request == "A"), Script(["b"]))
    assert [scripts.take(request) for request in ("B", "A")] == [["b"], ["a"]]


def test_a_beginning_takes_what_is_for_beginnings() -> None:
    """A script that is for later keeps its place, and what stands behind it."""
    scripts = queue(Script([Hang()]), Script(["a"]), Script([Hang()]))
    assert [scripts.take_early("?", hanging) for _ in range(2)] == ["hang", None]
    assert [scripts.take("?"), scripts.take("?")] == [["a"], [Hang()]]


def test_a_script_that_wants_to_see_the_request_is_not_asked_too_early() -> None:
    """It is passed over."""
    scripts = queue(Script(["a"], when=lambda _: 1 / 0 > 0), Script([Hang()]))
    assert scripts.take_early("?", hanging) == "hang"


def test_a_script_may_queue_another() -> None:
    """While it is asked whether it is for a request."""
    scripts: Scripts[str] = Scripts()

    def suits(_: str) -> bool:
        scripts.add(Script(["b"]))
        return True

    scripts.add(Script(["a"], when=suits))
    assert [scripts.take("?"), scripts.take("?")] == [["a"], ["b"]]


@pytest.mark.parametrize("times", [0, -1])
def test_a_script_is_played_at_least_once(times: int) -> None:
    """Anything else is a slip."""
    with pytest.raises(ValueError, match="times"):
        Script(["a"], times=times)
