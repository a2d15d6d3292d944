"""What services say where they fail, in every shape."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelplug_openai.refusals import Said, said_by
from tests.providers.openai.wire import encoded

SHAPES: list[tuple[object, Said]] = [
    (
        {"error": {"message": "x", "type": "t", "param": "model", "code": "c"}},
        Said(message="x", words=("c", "t")),
    ),
    (
        {"error": {"message": "x", "type": "t", "param": None, "code": None}},
        Said(message="x", words=("t",)),
    ),
    ({"error": {"message": "x", "code": 429}}, Said(message="x", words=("429",))),
    ({"error": "x"}, Said(message="x")),
    ({"error": "x", "error_type": "validation"}, Said(message="x", words=("validation",))),
    ({"code": "Some resource", "error": "x"}, Said(message="x", words=("Some resource",))),
    (
        {"object": "error", "message": "x", "type": "T", "code": 400},
        Said(message="x", words=("400", "T")),
    ),
    (
        {"code": "InvalidApiKey", "message": "x", "request_id": "r"},
        Said(message="x", words=("InvalidApiKey",), request_id="r"),
    ),
    (
        {"error": {"code": "c", "message": "x"}, "request_id": "r"},
        Said(message="x", words=("c",), request_id="r"),
    ),
    (
        {"type": "error", "error": {"type": "overloaded_error", "message": "x"}, "request_id": "r"},
        Said(message="x", words=("overloaded_error",), request_id="r"),
    ),
    ({"message": "x"}, Said(message="x")),
    ({"detail": "x"}, Said(message="x")),
    (
        {"detail": [{"loc": ["body", "messages"], "msg": "field required", "type": "missing"}]},
        Said(message="body.messages: field required"),
    ),
    (
        {"type": "about:blank", "title": "t", "status": 404, "detail": "x"},
        Said(message="x", words=("404",)),
    ),
    ({"errors": [{"code": 7, "message": "x"}]}, Said(message="x", words=("7",))),
    (
        {"base_resp": {"status_code": 1004, "status_msg": "x"}},
        Said(message="x", words=("1004",)),
    ),
    (
        [
            {
                "error": {
                    "code": 429,
                    "message": "x",
                    "status": "RESOURCE_EXHAUSTED",
                    "details": [
                        {
                            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                            "reason": "RATE_LIMIT",
                        },
                        {
                            "@type": "type.googleapis.com/google.rpc.RetryInfo",
                            "retryDelay": "32.5s",
                        },
                    ],
                }
            }
        ],
        Said(message="x", words=("RATE_LIMIT", "429", "RESOURCE_EXHAUSTED"), retry_after=32.5),
    ),
    (
        {
            "error": {
                "code": "content_filter",
                "message": "x",
                "status": 400,
                "innererror": {"code": "ResponsibleAIPolicyViolation"},
            }
        },
        Said(message="x", words=("ResponsibleAIPolicyViolation", "content_filter", "400")),
    ),
    (
        {"error": {"code": 403, "message": "x", "metadata": {"flagged_input": "y", "reasons": []}}},
        Said(message="x", words=("flagged_input", "403")),
    ),
    (
        {"code": 11200, "message": "x", "sid": "cha1"},
        Said(message="x", words=("11200",), request_id="cha1"),
    ),
]


@pytest.mark.parametrize(("body", "said"), SHAPES, ids=lambda value: str(value)[:60])
def test_a_shape_is_understood(body: object, said: Said) -> None:
    """The same few facts, whoever tells them."""
    assert said == said_by(encoded(body))


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>502</html>", b"404 page not found", b"\xff", b"{}", b"[]", b"7", b'{"a": 1}'],
    ids=repr,
)
def test_what_is_of_no_shape_is_its_own_message(body: bytes) -> None:
    """And nobody takes it for the service's own."""
    assert Said(message=body.decode(errors="replace"), has_answered=False) == said_by(body)


@pytest.mark.parametrize("delay", ["-1s", "1e9s", "9999999s", "soon", 5, None, "1.5"], ids=repr)
def test_a_delay_that_makes_no_sense_is_none(delay: object) -> None:
    """As with the header."""
    body = {"error": {"message": "x", "details": [{"retryDelay": delay}]}}
    assert said_by(encoded(body)).retry_after is None


def test_a_failure_in_many_envelopes_is_not_opened_for_ever() -> None:
    """What is too deep says nothing."""
    body: object = "x"
    for _ in range(50):
        body = {"error": body}
    assert not said_by(encoded(body)).has_answered


NAMES = st.sampled_from(
    [
        *("error", "errors", "message", "code", "type", "status", "detail", "details", "param"),
        *("innererror", "metadata", "base_resp", "request_id", "loc", "msg", "reason"),
    ]
)
BODIES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64)
    | st.text(st.characters(codec="utf-8"), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(BODIES)
def test_anything_is_read(body: object) -> None:
    """Nothing raises, and the facts are of their types."""
    said = said_by(encoded(body))
    assert all(said.words)
    assert {str} >= {*map(type, said.words), type(said.message)}
