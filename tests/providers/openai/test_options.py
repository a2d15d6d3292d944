"""The backend's own options."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from modelplug.settings import RESERVED_OPTIONS
from modelplug_openai.options import OpenAIOptions


def test_the_defaults_ask_for_a_stream_and_add_nothing() -> None:
    """Nothing said means the preset's way."""
    options = OpenAIOptions()
    assert (options.stream, options.think_tags) == (True, False)
    rest = options.model_dump(exclude={"stream", "think_tags"})
    assert not any(rest.values())


def test_no_name_is_the_cores() -> None:
    """Those mean the same everywhere."""
    assert not RESERVED_OPTIONS & set(OpenAIOptions.model_fields)


def test_a_config_strings_texts_are_understood() -> None:
    """Numbers and yes or no come as text."""
    options = OpenAIOptions.model_validate(
        {"stream": "false", "top_logprobs": "5", "parallel_tool_calls": "true"}
    )
    assert (options.stream, options.top_logprobs, options.parallel_tool_calls) == (False, 5, True)


def test_headers_of_no_secret_are_taken() -> None:
    """OpenRouter's, say."""
    headers = {"HTTP-Referer": "https://a.example/", "X-Title": "an app", "anthropic-beta": "x"}
    assert headers == OpenAIOptions(headers=headers).headers


@pytest.mark.parametrize(
    "name",
    [
        *("Authorization", "authorization", "api-key", "x-api-key", "X-Goog-Api-Key", "Cookie"),
        *("Proxy-Authorization", "X-Auth-Token", "x-secret", "Password"),
        *("Content-Length", "transfer-encoding", "Host", "Connection", "content-type", "TE"),
        *("Accept-Encoding", "Expect", "Upgrade", "OpenAI-Organization", "openai-project"),
        *("", "a b", "a:b", "a\r\nb", "ä", "x" * 101),
    ],
)
def test_a_header_that_is_not_for_this_is_refused(name: str) -> None:
    """Credentials have a place where they are kept secret; framing is the client's."""
    with pytest.raises(ValidationError):
        OpenAIOptions(headers={name: "v"})


@pytest.mark.parametrize("value", ["", "a\r\nb: c", "a\n", "ä", " a", "a ", "\x00", "x" * 2001])
def test_a_header_that_cannot_be_sent_is_refused(value: str) -> None:
    """One line of ASCII, and no more."""
    with pytest.raises(ValidationError) as caught:
        OpenAIOptions(headers={"X-Title": value})
    assert "x" * 99 not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["model", "messages", "stream", "n", "temperature", "tools", "max_tokens", "user", "logprobs"],
)
def test_extra_fields_are_none_of_the_contracts(name: str) -> None:
    """Those are said in one way only."""
    with pytest.raises(ValidationError, match=name):
        OpenAIOptions(extra_body={name: 1})


@pytest.mark.parametrize(
    "values",
    [
        {"streem": True},
        {"organization": "a b"},
        {"organization": "a\nb"},
        {"project": ""},
        {"user": ""},
        {"top_logprobs": 21},
        {"logit_bias": {"1": 101}},
        {"verbosity": "loud"},
        {"limit_field": "max"},
        {"usage": "maybe"},
        {"headers": {"A": "1", "a": "2"}},
        {"extra_body": []},
    ],
    ids=str,
)
def test_what_is_no_option_is_refused(values: dict[str, object]) -> None:
    """Unknown names and values don't pass."""
    with pytest.raises(ValidationError):
        OpenAIOptions.model_validate(values)


def test_the_headers_are_all_but_the_keys() -> None:
    """What the answer is to be, what it bills, and one's own."""
    whole = OpenAIOptions(stream=False, project="p", headers={"X-Title": "mine"})
    assert whole.all_headers == {
        "accept": "application/json",
        "content-type": "application/json",
        "X-Title": "mine",
        "openai-project": "p",
    }
    assert OpenAIOptions().all_headers["accept"] == "text/event-stream"
