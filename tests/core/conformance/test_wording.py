"""What a service says can be changed on its way out."""

from __future__ import annotations

import json

from modelplug import Delta, Finish
from modelplug.conformance import Cassette
from modelplug.conformance.wording import MARK, Wording, escaped
from modelplug.testing import Fail, RawRequest
from tests.core.conformance import reference_inprocess
from tests.core.conformance.reference import Codec
from tests.core.conformance.test_cassette import FILE

QUESTION = RawRequest(target="/", body=b'{"messages": [], "model": "m", "params": {}, "tools": []}')


def test_a_message_goes_out_as_rewritten() -> None:
    """Of whatever kind it is."""
    wording = Wording(Codec())
    wording.rewrite = lambda message: b"changed"
    encoder = wording.encoder(QUESTION)
    said = [encoder.delta(Delta("a")), encoder.finish(Finish()), encoder.noise()]
    assert [*said, encoder.fail(Fail("server"))] == [[b"changed"]] * 4


def test_messages_go_out_as_they_are_by_default() -> None:
    """The codec's own."""
    plain = Codec().encoder(QUESTION).delta(Delta("wörld"))
    assert Wording(Codec()).encoder(QUESTION).delta(Delta("wörld")) == plain


def test_refusals_and_questions_are_the_codecs() -> None:
    """They aren't touched."""
    wording = Wording(Codec())
    assert wording.refusal(Fail("auth")) == Codec().refusal(Fail("auth"))
    assert wording.asked(QUESTION) == Codec().asked(QUESTION)


def test_it_knows_what_the_service_can_say() -> None:
    """A piece without a place leaves no trace."""
    wording = Wording(Codec())
    assert wording.can_say(Delta(reasoning=MARK))
    assert not wording.can_say(Delta(extra={"novelty": MARK}))


def test_it_knows_what_the_service_tells_apart() -> None:
    """Two ends that come in the same words are one to everybody."""
    wording = Wording(Codec())
    assert wording.tells_apart(Finish("length"), Finish("stop"))
    assert not wording.tells_apart(Finish("stop"), Finish("stop"))


def test_escaped_json_says_the_same() -> None:
    """In ASCII alone, with pairs for what needs them."""
    message = json.dumps({"text": "wörld 😀"}, ensure_ascii=False).encode()
    assert escaped(message) == rb'{"text": "w\u00f6rld \ud83d\ude00"}'
    assert json.loads(escaped(message)) == json.loads(message)


def test_names_of_sessions_tell_nothing_apart() -> None:
    """Recordings draw one for each answer."""
    wording = Wording(Cassette(FILE))
    assert wording.says(Finish()) != wording.says(Finish())
    assert not wording.tells_apart(Finish(), Finish())
    assert wording.tells_apart(Finish("length"), Finish())


def test_objects_go_out_as_they_are() -> None:
    """In process nothing is in bytes; what can be said is seen in what is shown of an object."""
    wording = Wording(reference_inprocess.Codec())
    wording.rewrite = lambda message: b"changed"
    assert wording.encoder(QUESTION).delta(Delta("a"))[0]["text"] == "a"
    assert wording.can_say(Delta(MARK))
    assert not wording.can_say(Delta(extra={"novelty": MARK}))
