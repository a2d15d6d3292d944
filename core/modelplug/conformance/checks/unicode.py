"""UNI: text is text: nothing is lost, changed or made up on its way, in either direction."""

from __future__ import annotations

import unicodedata

from modelplug.conformance.check import check
from modelplug.conformance.corpus import CONTROLS, CORPUS, FORMS, SEPARATORS
from modelplug.conformance.lab import Lab
from modelplug.conformance.verdict import NotApplicable
from modelplug.conformance.wording import MARK, escaped
from modelplug.delta import Delta, Finish
from modelplug.errors import BadRequestError, ProtocolError
from modelplug.testing.steps import Fragment, Split


@check("UNI-01", "cut anywhere", profile="streaming")
def cut_anywhere(lab: Lab) -> None:
    """Text of many bytes a character is whole, wherever its bytes were cut."""
    for manner in (Split(1), Split(3), Fragment(997)):
        text = "".join(CORPUS.values())
        output = lab.answer(manner, *CORPUS.values(), Finish())
        lab.expect.equal(f"the text after {manner}", text, output.text)


@check("UNI-02", "half a character", profile="streaming")
def half_a_character(lab: Lab) -> None:
    r"""``\ud83d`` in one message and ``\ude00`` in the next are one emoji, or a typed error."""
    lab.require_wire("text comes as text, and isn't escaped")
    if not lab.wording.can_say(Delta(MARK)):
        raise NotApplicable("the service doesn't write text as it is")
    halves = iter((rb"\ud83d", rb"\ude00"))
    lab.wording.rewrite = lambda message: (
        message.replace(MARK.encode(), next(halves)) if MARK.encode() in message else message
    )
    try:
        text = lab.answer(f"a{MARK}", f"{MARK}b", Finish()).text
    except ProtocolError as error:
        text = error.partial.text if error.partial else ""
    whole = not any(unicodedata.category(character) == "Cs" for character in text)
    lab.expect.that(whole, f"the text has half a character, which nobody can write: {text!r}")
    lab.expect.that("a\U0001f600b".startswith(text), f"two halves of a character became {text!r}")


@check("UNI-03", "escaped or not", profile="core")
def escaped_or_not(lab: Lab) -> None:
    r"""Text comes out the same whether the service writes ``é`` or ``\u00e9``."""
    lab.require_wire("text comes as text, and isn't escaped")
    text = "".join(CORPUS.values())
    if any(message == escaped(message) for message in lab.wording.says(Delta(text))[:1]):
        raise NotApplicable("the service escapes all that isn't ASCII")
    lab.wording.rewrite = escaped
    lab.expect.equal("the escaped text", text, lab.answer(*CORPUS.values(), Finish()).text)


@check("UNI-04", "line separators", profile="streaming")
def line_separators(lab: Lab) -> None:
    """Whatever some library takes for the end of a line stays within the text."""
    output = lab.answer(SEPARATORS, SEPARATORS, Finish())
    lab.expect.equal("the text with line separators", SEPARATORS * 2, output.text)


@check("UNI-05", "control characters", profile="core")
def control_characters(lab: Lab) -> None:
    """NUL, controls, a byte order mark within, and the longest grapheme stay as they are."""
    output = lab.answer(CONTROLS, "\ufeff", CONTROLS, Finish())
    lab.expect.equal("the text with controls", f"{CONTROLS}\ufeff{CONTROLS}", output.text)


@check("UNI-06", "not UTF-8", profile="resilient")
def not_utf8(lab: Lab) -> None:
    """Bytes that are no text are a ProtocolError: not left out, and not replaced."""
    lab.require_wire("text comes as text, and has no bytes")
    if not lab.wording.can_say(Delta(MARK)):
        raise NotApplicable("the service doesn't write text as it is")
    lab.wording.rewrite = lambda message: message.replace(MARK.encode(), b"\xff\xfe\xc3")
    lab.play("good ", f"b{MARK}d", Finish())
    with lab.client() as client:
        error = lab.expect.raises(
            ProtocolError, lambda: lab.ask(client), what="an answer that isn't UTF-8"
        )
    text = error.partial.text if error.partial else ""
    lab.expect.that("good ".startswith(text), f"the text before the error became {text!r}")


@check("UNI-07", "text that is asked", profile="core")
def text_that_is_asked(lab: Lab) -> None:
    """A prompt arrives as it was given; one that can't be written is refused before it is sent."""
    prompt = "".join((*CORPUS.values(), SEPARATORS, CONTROLS, *FORMS, " "))
    heard = lab.sent(prompt).messages[-1][1]
    lab.expect.equal("the prompt that arrived", prompt, heard)
    if lab.upstream.wired:  # a library gets texts as they are: nothing has to be written
        lab.refused("half \ud83d of it", BadRequestError, what="a prompt with half a character")


@check("UNI-08", "no normalising", profile="core")
def no_normalising(lab: Lab) -> None:
    """Characters that look alike stay what they are, composed or not, both ways."""
    for text in FORMS:
        lab.expect.equal("the text that was answered", text, lab.answer(text, Finish()).text)
        heard = lab.sent(text).messages[-1][1]
        lab.expect.equal("the text that was asked", text, heard)
