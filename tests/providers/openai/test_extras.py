"""What comes beside an answer."""

from __future__ import annotations

from modelplug_openai.chunks import Choice, Chunk, Detail, Piece
from modelplug_openai.extras import Extras


def test_nothing_is_none() -> None:
    """With a piece, and at the end."""
    extras = Extras(str)
    extras.of_chunk(Chunk())
    assert (extras.of_piece(Piece(), Choice()), extras.at_end()) == (None, None)
    assert not extras.refused


def test_a_chunks_are_kept_until_the_end() -> None:
    """What comes last counts."""
    extras = Extras(str)
    extras.of_chunk(Chunk(system_fingerprint="a", service_tier="flex"))
    extras.of_chunk(Chunk(system_fingerprint="b", prompt_filter_results=[1]))
    extras.keep("content_filter_results", {})
    assert extras.at_end() == {
        "system_fingerprint": "b",
        "service_tier": "flex",
        "prompt_filter_results": [1],
        "content_filter_results": {},
    }


def test_a_refusal_grows_and_the_rest_is_the_pieces_own() -> None:
    """A reader of the last piece has all of the refusal."""
    extras = Extras(str)
    assert extras.of_piece(Piece(refusal="a"), Choice()) == {"refusal": "a"}
    both = extras.of_piece(Piece(refusal="b", audio={"id": "x"}), Choice(logprobs={"content": []}))
    assert both == {"refusal": "ab", "audio": {"id": "x"}, "logprobs": {"content": []}}
    assert (extras.refused, extras.at_end()) == (True, {"refusal": "ab"})


def test_details_are_collected() -> None:
    """Without what they leave out."""
    extras = Extras(str)
    extras.of_piece(Piece(reasoning_details=[Detail(type="a", data="x")]), Choice())
    extras.of_piece(Piece(reasoning_details=[Detail(type="b", index=0)]), Choice())
    expected = [{"type": "a", "data": "x"}, {"type": "b", "index": 0}]
    assert extras.at_end() == {"reasoning_details": expected}


def test_what_is_the_services_is_cleaned() -> None:
    """It may repeat what it was sent; the model's words stay as they are."""
    extras = Extras(lambda said: said.replace("hunter2", "***"))
    extras.of_chunk(Chunk(system_fingerprint="hunter2\x1b" + "x" * 1000))
    extras.keep("content_filter_results", {"hunter2": {"text": "a hunter2"}})
    extras.of_piece(Piece(refusal="no hunter2\n" + "x" * 1000), Choice())
    assert extras.at_end() == {
        "system_fingerprint": "***\\x1b" + "x" * 249,
        "content_filter_results": {"***": {"text": "a ***"}},
        "refusal": "no hunter2\n" + "x" * 1000,
    }
