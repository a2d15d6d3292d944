"""Who gets which script."""

from __future__ import annotations

from modelplug.testing.scripts import Script, Scripts


def queue(*scripts: Script[str]) -> Scripts[str]:
    """Some scripts."""
    made: Scripts[str] = Scripts()
    for script in scripts:
        made.add(script)
    return made


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


def test_looking_takes_nothing() -> None:
    """What is seen is what is taken next."""
    scripts = queue(Script(["a"]))
    assert [scripts.peek("?"), scripts.take("?"), scripts.peek("?")] == [["a"], ["a"], None]
