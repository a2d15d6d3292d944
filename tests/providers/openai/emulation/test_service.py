"""The service: what it lets in, what it refuses, and the chunks of its answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelplug_openai.emulation.service import Answer, OpenAIService, Refused
from modelplug_openai.emulation.settings import EmulatorSettings
from tests.providers.openai.emulation.test_inquiry import asked
from tests.providers.openai.emulation.test_replies import FITS, SCHEMA, TOOLS
from tests.providers.openai.wire import DONE

NOW = 1_795_255_200.5
KEY = "sk-123"
CHAT, MODELS = "/v1/chat/completions", "/v1/models"
BEARER = {"authorization": f"Bearer {KEY}"}
COUNTED = {"stream": True, "stream_options": {"include_usage": True}}


def service(**settings: Any) -> OpenAIService:
    """A service that nobody has asked."""
    return OpenAIService(EmulatorSettings(**settings), key=KEY)


def told(
    to: OpenAIService,
    body: bytes = b"",
    *,
    method: str = "POST",
    path: str = CHAT,
    headers: dict[str, str] | None = None,
) -> Answer | Refused:
    """What a service says to a request."""
    return to.ask(method, path, BEARER if headers is None else headers, body, now=NOW)


def answered(body: bytes, *, to: OpenAIService | None = None) -> Answer:
    """Its answer."""
    found = told(to or service(), body)
    assert isinstance(found, Answer), found
    return found


def chunks(body: bytes, **settings: Any) -> list[Any]:
    """The chunks of a streamed answer, as plain JSON."""
    events = answered(body, to=service(**settings)).events
    return [json.loads(event) for event in events if event != DONE]


def whole(body: bytes) -> Any:
    """An answer that comes at once."""
    return json.loads(answered(body).body or b"")


def error(found: Answer | Refused) -> tuple[int, Any]:
    """The status of a refusal, and its words."""
    assert isinstance(found, Refused)
    return found.status, json.loads(found.body)["error"]


# ---------------------------------------------------------------------------- who is let in


@pytest.mark.parametrize(
    ("setting", "headers", "lets_in"),
    [
        ("authorization", BEARER, True),
        ("authorization", {"authorization": KEY}, False),
        ("authorization", {"authorization": f"Bearer {KEY}x"}, False),
        ("authorization", {"authorization": "Bearer ключ"}, False),
        ("authorization", {"api-key": KEY}, False),
        ("authorization", {}, False),
        ("api-key", {"api-key": KEY}, True),
        ("api-key", BEARER, False),
    ],
)
def test_a_key_is_looked_at(setting: str, headers: dict[str, str], lets_in: bool) -> None:
    """In the header of the setting, and before anything else."""
    found = told(service(key_header=setting), asked(), headers=headers)
    assert lets_in == isinstance(found, Answer)
    if not lets_in:
        status, words = error(found)
        assert (status, words["code"]) == (401, "invalid_api_key")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", CHAT, 405),
        ("POST", MODELS, 405),
        ("POST", "/v1/completions", 404),
        ("GET", "/", 404),
    ],
)
def test_there_are_two_places(method: str, path: str, status: int) -> None:
    """Anywhere else is nothing."""
    assert error(told(service(), asked(), method=method, path=path))[0] == status


@pytest.mark.parametrize(
    "path", [CHAT, "/chat/completions", "/openai/deployments/mine/chat/completions"]
)
def test_what_stands_before_the_place_is_free(path: str) -> None:
    """Each service has its own."""
    assert isinstance(told(service(), asked(), path=path), Answer)


@pytest.mark.parametrize(("models", "names"), [((), ["any"]), (("a", "b"), ["a", "b"])])
def test_models_are_listed(models: tuple[str, ...], names: list[str]) -> None:
    """Those that there are."""
    found = told(service(models=models), method="GET", path=MODELS)
    assert isinstance(found, Answer)
    listed = json.loads(found.body or b"")
    assert (listed["object"], found.counted) == ("list", False)
    assert names == [each["id"] for each in listed["data"]]
    fields = {"id", "object", "created", "owned_by"}
    assert all(each.keys() == fields for each in listed["data"])


# ------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("settings", "fields", "expected"),
    [
        ({"busy": True}, {}, (503, "server_is_overloaded")),
        ({"models": ("a",)}, {"model": "b"}, (404, "model_not_found")),
        ({"forbidden": ("hi",)}, {}, (400, "content_policy_violation")),
        ({"context": 10}, {"max_tokens": 10}, (400, "context_length_exceeded")),
        ({"per_minute": 0}, {}, (429, "rate_limit_exceeded")),
        ({"concurrent": 0}, {}, (429, "rate_limit_exceeded")),
        ({}, {"temperature": 3}, (400, None)),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_a_refusal_has_its_status_and_code(
    settings: dict[str, Any], fields: dict[str, Any], expected: tuple[int, str | None]
) -> None:
    """As the service's documents have them; nothing is under way then."""
    to = service(**settings)
    status, words = error(told(to, asked(**fields)))
    assert expected == (status, words["code"])
    assert words.keys() == {"message", "type", "param", "code"}
    assert to.running == 0


def test_what_fits_is_let_in() -> None:
    """Just within the limits."""
    to = service(models=("m",), context=11, forbidden=("bomb",), per_minute=1, concurrent=1)
    answered(asked(max_tokens=10), to=to)
    assert to.running == 1


def test_a_limit_tells_how_long_to_wait() -> None:
    """Until the minute is over; other refusals tell nothing."""
    to = service(per_minute=1)
    answered(asked(), to=to)
    refused = told(to, asked())
    assert isinstance(refused, Refused)
    assert refused.retry_after == 60
    other = told(service(busy=True), asked())
    assert isinstance(other, Refused)
    assert other.retry_after is None


def test_an_answer_is_under_way_until_it_is_done() -> None:
    """Then there is room again."""
    to = service(concurrent=1)
    first = answered(asked(), to=to)
    assert (to.running, isinstance(told(to, asked()), Refused)) == (1, True)
    to.done(first)
    assert to.running == 0
    assert isinstance(told(to, asked()), Answer)


def test_a_list_of_models_isnt_counted() -> None:
    """It is no answer."""
    to = service()
    found = told(to, method="GET", path=MODELS)
    assert isinstance(found, Answer)
    to.done(found)
    assert to.running == 0


# ------------------------------------------------------------------------------- streams


def test_chunks_have_the_documented_fields() -> None:
    """One id, one time and one model, a role first and a reason last."""
    found = chunks(asked(stream=True))
    names = {
        (each["object"], each["id"], each["created"], each["model"], len(each["choices"]))
        for each in found
    }
    ((kind, id_, created, model, count),) = names
    assert (kind, created, model, count) == ("chat.completion.chunk", int(NOW), "m", 1)
    assert id_.startswith("chatcmpl-")
    assert {each["choices"][0]["index"] for each in found} == {0}
    roles = [each["choices"][0]["delta"].get("role") for each in found]
    reasons = [each["choices"][0]["finish_reason"] for each in found]
    assert roles == ["assistant", *[None] * (len(found) - 1)]
    assert reasons == [*[None] * (len(found) - 1), "stop"]


def test_a_stream_says_what_the_whole_answer_says() -> None:
    """Word by word."""
    pieces = [each["choices"][0]["delta"].get("content", "") for each in chunks(asked(stream=True))]
    assert len(pieces) > 3
    assert "".join(pieces) == whole(asked())["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    ("setting", "fields", "tells"),
    [
        ("asked", COUNTED, True),
        ("asked", {"stream": True}, False),
        ("asked", {"stream": True, "stream_options": {}}, False),
        ("always", {"stream": True}, True),
        ("never", COUNTED, False),
    ],
)
def test_usage_is_told_as_the_setting_says(
    setting: str, fields: dict[str, Any], tells: bool
) -> None:
    """In a chunk of its own, without choices."""
    last = chunks(asked(**fields), usage=setting)[-1]
    assert tells == ("usage" in last)
    if tells:
        assert last["choices"] == []
        usage = last["usage"]
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


@pytest.mark.parametrize("done", [True, False])
def test_the_sign_of_the_end_is_a_setting(done: bool) -> None:
    """Once, and last."""
    events = answered(asked(stream=True), to=service(done=done)).events
    assert [DONE] * done == [event for event in events if event == DONE]
    assert (events[-1] == DONE) == done


def test_the_first_chunk_may_have_no_choices() -> None:
    """As Azure's."""
    first, second, *_ = chunks(asked(stream=True), empty_first=True)
    assert first["choices"] == []
    assert second["choices"][0]["delta"]["role"] == "assistant"


def test_the_first_chunk_may_have_no_content() -> None:
    """As llama.cpp's; the role isn't repeated."""
    first, second, *_ = chunks(asked(stream=True), null_content=True)
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": None}
    assert second["choices"][0]["delta"].keys() == {"content"}


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_thinking_has_two_spellings(field: str) -> None:
    """That of the setting."""
    found = chunks(asked(model="a-thinker", stream=True), reasoning_field=field)
    assert found[0]["choices"][0]["delta"].keys() == {"role", field}


def test_a_call_has_its_id_once() -> None:
    """And its arguments in pieces."""
    found = chunks(asked({"role": "user", "content": "weather?"}, tools=TOOLS, stream=True))
    pieces = [
        piece for each in found for piece in each["choices"][0]["delta"].get("tool_calls", [])
    ]
    assert {piece["index"] for piece in pieces} == {0}
    first, *rest = pieces
    assert (first["type"], first["function"]["name"]) == ("function", "weather")
    assert not [piece for piece in rest if "id" in piece or "name" in piece["function"]]
    arguments = "".join(piece["function"].get("arguments", "") for piece in pieces)
    assert json.loads(arguments) == FITS


def test_every_answer_has_a_name_of_its_own() -> None:
    """Made of the request and the time; not of the key."""
    first, second = chunks(asked(stream=True)), chunks(asked(stream=True, user="me"))
    assert first[0]["id"] != second[0]["id"]


# ------------------------------------------------------------------------- whole answers


def test_a_whole_answer_has_the_documented_fields() -> None:
    """A message, a reason, and always the usage."""
    found = whole(asked())
    assert found.keys() == {"id", "object", "created", "model", "choices", "usage"}
    (choice,) = found["choices"]
    assert (found["object"], choice["finish_reason"]) == ("chat.completion", "stop")
    assert (choice["index"], choice["message"].keys()) == (0, {"role", "content"})


def test_a_whole_answer_has_calls() -> None:
    """Put together."""
    found = whole(asked({"role": "user", "content": "weather?"}, tools=TOOLS))
    (choice,) = found["choices"]
    (call,) = choice["message"]["tool_calls"]
    assert (choice["finish_reason"], call["function"]["name"]) == ("tool_calls", "weather")
    assert json.loads(call["function"]["arguments"]) == FITS


def test_a_whole_answer_has_its_thinking() -> None:
    """Beside the text, with its tokens."""
    found = whole(asked(model="a-thinker"))
    assert found["choices"][0]["message"]["reasoning_content"]
    assert found["usage"]["completion_tokens_details"]["reasoning_tokens"] > 0


def test_a_whole_answer_may_be_json() -> None:
    """That fits its schema."""
    wanted = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}
    body = asked({"role": "user", "content": "weather?"}, response_format=wanted)
    assert json.loads(whole(body)["choices"][0]["message"]["content"]) == FITS


@given(st.binary(max_size=200))
def test_whatever_comes_is_answered_or_refused(body: bytes) -> None:
    """Nothing brings the service down."""
    assert isinstance(told(service(), body), Answer | Refused)
