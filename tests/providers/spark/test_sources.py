"""The pages that a search found."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelplug_spark.sources import plugins_of, sources_of
from tests.providers.spark.wire import golden

PAGE = {"index": 1, "url": "https://example.org/", "title": "例子"}


def records(*contents: object) -> dict[str, object]:
    """Plugins whose records have these contents."""
    return {"text": [{"name": "ifly_search", "content": content} for content in contents]}


@pytest.mark.row("4.3 record")
def test_the_documented_record_is_understood() -> None:
    """S-Java's: a list as JSON text."""
    frame = golden("response_sources")[0]
    assert isinstance(frame, dict)
    assert sources_of(frame["payload"]["plugins"]) == ([PAGE], True)


@pytest.mark.row("4.3 record")
def test_the_services_record_is_the_documented_one() -> None:
    """Field by field."""
    frame = golden("response_sources")[0]
    assert isinstance(frame, dict)
    assert plugins_of([PAGE]) == frame["payload"]["plugins"]


@pytest.mark.row("4.3 record")
def test_known_fields_are_kept() -> None:
    """Of every record, in order."""
    first = json.dumps([{**PAGE, "score": [1]}])
    second = json.dumps([{"url": "u", "title": None}])
    assert sources_of(records(first, "[]", second)) == ([PAGE, {"url": "u"}], True)


@pytest.mark.parametrize(
    "plugins",
    [
        "text",
        [],
        {},
        {"text": None},
        {"text": ["x"]},
        {"text": [{}]},
        records(None),
        records("{oops"),
        records("{}"),
        records("[1]"),
        records('[{"title":"no address"}]'),
        records('[{"url":1}]'),
        records('["\\ud800"]'),
        records("[" * 100_000),
    ],
    ids=range(14),
)
def test_what_cannot_be_read_is_told(plugins: object) -> None:
    """And never raised."""
    assert sources_of(plugins) == ([], False)


def test_what_can_be_read_is_kept_beside_what_cannot() -> None:
    """A good page, a bad one, a bad record."""
    plugins = records(json.dumps([PAGE, {"title": "x"}]), "oops")
    assert sources_of(plugins) == ([PAGE], False)


@given(st.text())
def test_any_content_is_survived(content: str) -> None:
    """Whatever a plugin writes."""
    sources, _ = sources_of(records(content))
    assert all("url" in source for source in sources)
