"""The content of an answer as it grows."""

from __future__ import annotations

import pytest

from modelplug import Delta, Finish, ToolCallDelta
from modelplug_openai.chunks import Choice, Detail, FunctionPiece, Part, Piece, ToolPiece
from modelplug_openai.content import Content, is_empty


def deltas(*pieces: Piece, think_tags: bool = False) -> list[Delta | Finish]:
    """What is made of some pieces, to the end."""
    content, made = Content(scrub=str, think_tags=think_tags), list[Delta | Finish]()
    for piece in pieces:
        content.take(piece, Choice(), made)
    content.end(made)
    return made


def test_text_thinking_and_calls_are_told_in_that_order() -> None:
    """Thinking and text in one delta, each call in its own."""
    call = ToolPiece(index=0, id="c", function=FunctionPiece("f", "{}"))
    piece = Piece(content="a", reasoning="b", tool_calls=[call, ToolPiece(index=1, id="d")])
    expected = [
        Delta("a", reasoning="b"),
        Delta(tool_call=ToolCallDelta(0, id="c", name="f", arguments="{}")),
        Delta(tool_call=ToolCallDelta(1, id="d")),
    ]
    assert expected == deltas(piece)


def test_a_content_of_parts_is_parted() -> None:
    """Its thinking goes with what else is thought."""
    parts = [Part("thinking", thinking="b"), Part("text", "c")]
    assert [Delta("c", reasoning="ab")] == deltas(Piece(content=parts, reasoning="a"))


def test_a_piece_that_says_nothing_makes_no_delta() -> None:
    """A role alone, say."""
    assert deltas(Piece(role="assistant", content=""), Piece(tool_calls=[ToolPiece()])) == []


def test_tags_are_read_where_that_is_wanted() -> None:
    """And what was kept back comes with the end."""
    pieces = (Piece(content="<think>a"), Piece(content="</think>b"))
    assert [Delta(reasoning="a"), Delta("b")] == deltas(*pieces, think_tags=True)
    assert [Delta("<")] == deltas(Piece(content="<"), think_tags=True)


def test_a_message_says_what_its_pieces_have_not_said() -> None:
    """Of each kind by itself."""
    content = Content(scrub=str)
    call = ToolPiece(index=0, id="c", function=FunctionPiece("f", "{}"))
    message = Piece(content="a", reasoning="b", tool_calls=[call], refusal="r", role="assistant")
    assert message == content.unsaid(message)
    for piece, rest in (
        (Piece(reasoning="b"), Piece(content="a", tool_calls=[call], refusal="r")),
        (Piece(content="a"), Piece(tool_calls=[call], refusal="r")),
        (Piece(tool_calls=[call]), Piece(refusal="r")),
        (Piece(refusal="r"), Piece()),
    ):
        content.take(piece, Choice(delta=piece), [])
        rest.role = "assistant"
        assert rest == content.unsaid(message)
    assert message.content == "a"


@pytest.mark.parametrize(
    ("said", "whole", "denied"),
    [
        ((), "ab", False),
        (("a", "b"), "ab", False),
        (("a", "b"), [Part("text", "ab")], False),
        (("a", "b"), "", False),
        (("a", "b"), None, False),
        (("a", "b"), "a", True),
        (("a", "b"), "abc", True),
    ],
    ids=repr,
)
def test_a_message_may_deny_its_pieces(
    said: tuple[str, ...], whole: str | list[Part] | None, denied: bool
) -> None:
    """By another text; one without a text says nothing."""
    content = Content(scrub=str, think_tags=True)
    for piece in map(Piece, said):
        content.take(piece, Choice(delta=piece), [])
    assert denied is content.is_denied_by(Piece(content=whole))


@pytest.mark.parametrize(
    ("piece", "empty"),
    [
        (Piece(role="assistant", content=""), True),
        (Piece(content="a"), False),
        (Piece(reasoning="a"), False),
        (Piece(refusal="a"), False),
        (Piece(tool_calls=[ToolPiece()]), False),
        (Piece(function_call=FunctionPiece("f")), False),
        (Piece(audio={"id": "a"}), False),
    ],
    ids=str,
)
def test_whether_a_piece_says_anything(piece: Piece, empty: bool) -> None:
    """Of whatever kind."""
    assert empty is is_empty(piece)


def test_parts_are_text_or_thinking() -> None:
    """Each in its order; what is neither says nothing."""
    nested = Part("thinking", thinking=[Part("text", "h"), Part("text", "m")])
    parts = [Part("thinking", thinking="a "), nested, Part("text", "so"), Part("reference")]
    assert [Delta("so", reasoning="a hm")] == deltas(Piece(content=parts))


def test_thinking_in_thinking_is_not_read_for_ever() -> None:
    """What is too deep says nothing."""
    part = Part("text", "hm")
    for _ in range(50):
        part = Part("thinking", thinking=[part])
    assert deltas(Piece(content=[part])) == []


@pytest.mark.parametrize(
    ("piece", "thinking"),
    [
        (Piece(), ""),
        (Piece(reasoning_content="a", reasoning="a"), "a"),
        (Piece(reasoning="b", thinking="c"), "b"),
        (Piece(thinking="c"), "c"),
        (Piece(reasoning="", reasoning_details=[Detail(text="d"), Detail(summary="e")]), "de"),
        (Piece(reasoning="f", reasoning_details=[Detail(text="f")]), "f"),
        (Piece(reasoning_details=[Detail(data="Zm9v")]), ""),
    ],
    ids=str,
)
def test_thinking_is_told_once(piece: Piece, thinking: str) -> None:
    """Whoever uses two spellings says the same in both."""
    assert ([Delta(reasoning=thinking)] if thinking else []) == deltas(piece)


@pytest.mark.parametrize(
    "annotations",
    [None, 7, [7], [{}], [{"url_citation": 7}], [{"url_citation": {"url": 7}}]],
    ids=repr,
)
def test_what_cites_nothing_is_no_source(annotations: object) -> None:
    """And loses nothing."""
    assert [Delta("a")] == deltas(Piece(content="a", annotations=annotations))


def test_a_page_without_a_title_is_a_source() -> None:
    """Its address is enough."""
    page = {"url": "https://a.example/", "title": None, "start_index": 3}
    expected = [Delta(sources=({"url": "https://a.example/"},))]
    assert expected == deltas(Piece(annotations=[{"url_citation": page}]))
