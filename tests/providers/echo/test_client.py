"""The echo backend: the reference for authors, and a stand-in for apps' tests."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import modelplug_echo
from modelplug import ConfigError, ModelMessage, ModelRequest, ServerError, Usage, new_client
from tests.support.scripted import DIRECTIONS, Ask

directions = pytest.mark.parametrize("ask", DIRECTIONS.values(), ids=DIRECTIONS.keys())


@directions
def test_it_says_the_question_back(ask: Ask) -> None:
    """The answer is the last message, to the letter."""
    text = " The quick  brown\nfox.\n"
    assert text == ask(new_client("echo"), text)[-1].text


@given(st.text(min_size=1))
def test_any_text_comes_back_whole(text: str) -> None:
    """Whatever the text, its words and blanks all come back."""
    assert text == new_client("echo").sync_generate(text).text


def test_each_word_is_a_delta() -> None:
    """An answer of three words has three deltas and then the final output."""
    outputs = list(new_client("echo").sync_generate_stream("one two three"))
    assert [output.delta for output in outputs] == ["one", " two", " three", ""]


def test_it_is_the_last_question_that_comes_back() -> None:
    """What others said after it, or before, is not echoed."""
    messages = [ModelMessage("human", "q"), ModelMessage("ai", "a"), ModelMessage("system", "s")]
    assert new_client("echo").sync_generate(messages).text == "q"


def test_usage_counts_words_of_the_whole_conversation() -> None:
    """What went in is all messages, what came out is the answer."""
    messages = [ModelMessage("system", "be brief"), ModelMessage("human", "one two three")]
    output = new_client("echo").sync_generate(ModelRequest(messages=messages))
    assert Usage(prompt_tokens=5, completion_tokens=3) == output.usage


@directions
def test_it_fails_after_as_many_words_as_asked(ask: Ask) -> None:
    """``fail_after`` words come, then a typed error with them as its partial."""
    with pytest.raises(ServerError) as caught:
        ask(new_client("echo?fail_after=2"), "one two three")
    assert caught.value.partial is not None
    assert caught.value.partial.text == "one two"


@pytest.mark.parametrize(
    ("config", "question", "reason", "text"),
    [
        ("echo", "a b", "stop", "a b"),
        ("echo?finish_reason=content_filter", "a b", "content_filter", "a b"),
        ("echo?max_new_tokens=1", "a b", "length", "a"),
        ("echo?max_new_tokens=0", "a b", "length", ""),
        ("echo?fail_after=9", "a b", "stop", "a b"),
    ],
)
def test_it_ends_as_asked(config: str, question: str, reason: str, text: str) -> None:
    """The finish reason can be chosen, and a limit on tokens is kept."""
    output = new_client(config).sync_generate(question)
    assert (reason, text) == (output.finish_reason, output.text)


def test_usage_can_be_left_out() -> None:
    """Without usage the output has None, as from a service that doesn't say."""
    assert new_client("echo?usage=false").sync_generate("a").usage is None


def test_a_request_may_bring_options_of_its_own() -> None:
    """Options of one request win over the client's."""
    request = ModelRequest(messages="a b", options={"echo": {"usage": False}})
    assert new_client("echo?usage=true").sync_generate(request).usage is None


@pytest.mark.parametrize("option", ["delay=-1", "fail_after=x", "finish_reason=maybe", "no=1"])
def test_a_bad_option_is_refused(option: str) -> None:
    """An option that can't be is an error when the client is made."""
    with pytest.raises(ConfigError):
        new_client(f"echo?{option}")


def test_the_package_gives_the_client() -> None:
    """``modelplug_echo.EchoClient`` is the class behind the backend."""
    assert isinstance(new_client("echo"), modelplug_echo.EchoClient)  # type: ignore[arg-type]  # lazy
