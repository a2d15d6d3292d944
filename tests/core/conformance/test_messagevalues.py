"""What can be read in messages."""

from __future__ import annotations

from itertools import count
from uuid import uuid4

import pytest

from modelplug.conformance.messagevalues import Value, differ, holds, is_json, values


def test_values_have_their_places() -> None:
    """In JSON, in lines of it, and in objects."""
    sse = b'event: x\ndata: {"a": [1, "b"]}\n\n'
    assert Value(0, ("a", "1"), "b") in values([b'{"a": [1, "b"]}'])
    assert Value(1, ("1", "a", "0"), 1) in values([b"{}", sse])
    error = ValueError("no", 7)
    error.code = 3  # type: ignore[attr-defined]
    assert {each.value for each in values([error])} == {"ValueError", "no", 7, 3}


def test_what_is_no_text_is_a_value() -> None:
    """Bytes stay bytes."""
    assert values([b"\xff"]) == [Value(0, (), b"\xff")]


def test_objects_may_hold_themselves() -> None:
    """They are looked into so far, and no farther."""

    class Node:
        def __init__(self) -> None:
            self.owner = self

    assert values([Node()]) == []


def test_objects_may_know_each_other() -> None:
    """However many they are, each is looked into once."""

    class Node:
        def __init__(self, name: str) -> None:
            self.name = name
            self.others: list[Node] = []

    nodes = [Node(str(number)) for number in range(20)]
    for node in nodes:
        node.others = nodes
    assert [each.value for each in values([nodes[0]])] == [str(number) for number in range(20)]


def test_bytes_that_are_no_text_may_hold_one() -> None:
    """As formats do that aren't made of text."""
    assert holds([b"\x92\xff" + "wörld".encode()], "wörld")
    assert not holds([b"\x92\xff"], "wörld")


def test_slots_are_looked_into() -> None:
    """As far as they are set."""

    class Pair:
        __slots__ = ("one", "other")

    pair = Pair()
    pair.one = "a"  # type: ignore[attr-defined]
    assert values([pair]) == [Value(0, ("one",), "a")]


@pytest.mark.parametrize(
    ("message", "expected"),
    [(b'{"a": 1}', True), (b'data: {"a": 1}\n\n', True), (b": hm", False), (b"\xff", False)],
    ids=["json", "sse", "comment", "bytes"],
)
def test_json_is_known(message: bytes, expected: bool) -> None:
    """Also as the data of an event."""
    assert is_json(message) is expected
    assert not is_json({"a": 1})


def test_a_text_may_come_in_pieces() -> None:
    """And is found in escapes."""
    assert holds([rb'{"a": "w\u00f6r"}', b'{"a": "ld"}'], "wörld")
    assert not holds([b'{"a": "world"}'], "wörld")


def test_names_that_are_drawn_tell_nothing() -> None:
    """Or any two answers would differ."""
    assert not differ(lambda: [{"id": uuid4().hex, "a": 1}], lambda: [{"id": uuid4().hex, "a": 1}])
    assert differ(lambda: [{"id": uuid4().hex, "a": 1}], lambda: [{"id": uuid4().hex, "a": 2}])


@pytest.mark.parametrize("every", range(1, 12))
def test_the_clock_tells_nothing(every: int) -> None:
    """Wherever between two answers it goes on."""
    said = count()
    assert not differ(
        lambda: [{"at": next(said) // every, "a": 1}], lambda: [{"at": next(said) // every, "a": 1}]
    )


def test_what_is_only_drawn_is_compared_as_it_is() -> None:
    """There is nothing else."""
    assert differ(lambda: [uuid4().hex], lambda: [uuid4().hex])
    assert not differ(list, list)


def test_a_field_more_is_a_difference() -> None:
    """Or a field less."""
    assert differ(lambda: [{"a": 1}], lambda: [{"a": 1, "b": 2}])
    assert differ(lambda: [{"a": 1}], list)
