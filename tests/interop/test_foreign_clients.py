"""Clients that share no code with us, iFlytek's own first, believe that the emulator is Spark."""

from __future__ import annotations

import re

import pytest

from tests.interop.foreign import CLIENTS, ForeignClient

QUESTION = "Why is the sky blue, 小明?"

each_client = pytest.mark.parametrize("client", CLIENTS, ids=[each.script for each in CLIENTS])


@each_client
def test_it_completes_an_answer(client: ForeignClient) -> None:
    """The answer is whole, and the same in each way in which the client can ask."""
    answers = client.ask(QUESTION)
    text = answers[0]["text"]
    assert QUESTION in text
    assert [text] * len(answers) == [answer["text"] for answer in answers]


@pytest.mark.parametrize("script", ["official_sdk.py", "spark_llm_api.js"])
def test_it_streams(script: str) -> None:
    """A client that can stream gets the answer in pieces."""
    client = next(each for each in CLIENTS if each.script == script)
    streamed, _ = client.ask(QUESTION)
    assert streamed["pieces"] > 3


@each_client
def test_it_reads_the_usage(client: ForeignClient) -> None:
    """The bill comes with the answer, and adds up."""
    usage = client.ask(QUESTION)[-1]["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0


@each_client
def test_it_reads_an_error_frame(client: ForeignClient) -> None:
    """An app without a licence is told so in a frame, whose code the client shows."""
    for answer in client.ask(QUESTION, app_id="00000000"):
        assert "11200" in answer["error"]


@each_client
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"api_secret": "wrong"}, "HMAC signature does not match"),
        ({"api_key": "unknown"}, "fail to retrieve credential"),
    ],
    ids=["secret", "key"],
)
def test_it_is_refused_at_the_handshake(
    client: ForeignClient, wrong: dict[str, str], words: str
) -> None:
    """Wrong credentials end in the client's own error, with the service's status and words."""
    for answer in client.ask(QUESTION, **wrong):
        assert re.search(f"401.*{words}" if client.shows_words else "401", answer["error"])
