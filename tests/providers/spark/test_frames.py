"""The JSON messages, against golden ones from the documentation and against nonsense."""

from __future__ import annotations

import gc
import json
from contextlib import suppress
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from modelplug import BadRequestError, DecodeError, ProtocolError, SchemaError
from modelplug_spark.frames import (
    Chat,
    ChatTool,
    Choices,
    ChoicesText,
    FunctionCall,
    Message,
    Misfit,
    Parameter,
    Request,
    RequestHeader,
    RequestPayload,
    Response,
    ResponseHeader,
    ResponsePayload,
    Thinking,
    Turn,
    UsageBlock,
    WebSearch,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
)
from tests.providers.spark.wire import COUNTS, GOLDEN, SID, encoded, error, frame, golden

MINIMAL = Request(
    header=RequestHeader(app_id="12345678"),
    parameter=Parameter(chat=Chat(domain="generalv3.5")),
    payload=RequestPayload(message=Message(text=[Turn(role="user", content="hi")])),
)


def response_goldens() -> list[tuple[str, int]]:
    """Name and number of each golden response frame."""
    names = sorted(path.stem for path in GOLDEN.glob("response_*.json"))
    return [(name, number) for name in names for number in range(len(golden(name)))]


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_a_golden_file_names_its_source(path: Path) -> None:
    """Each says where its messages come from."""
    assert json.loads(path.read_text(encoding="utf-8"))["source"]


@pytest.mark.parametrize("name", ["request_minimal", "request_full"])
def test_a_golden_request_is_understood_and_encoded_alike(name: str) -> None:
    """Nothing is lost or added on the way through the types."""
    request = decode_request(encoded(golden(name)[0]))
    assert isinstance(request, Request)
    assert golden(name)[0] == json.loads(encode_request(request))


def test_the_smallest_request_is_the_documentations() -> None:
    """What is unset is left out."""
    assert golden("request_minimal")[0] == json.loads(encode_request(MINIMAL))


@pytest.mark.parametrize(("name", "number"), response_goldens())
def test_a_golden_response_is_understood_and_encoded_alike(name: str, number: int) -> None:
    """The known fields survive both ways, lists of sources included."""
    message = golden(name)[number]
    response = decode_response(encoded(message))
    assert message == json.loads(encode_response(response))


@pytest.mark.row(
    "4.1 header.code",
    "4.1 header.message",
    "4.1 header.sid",
    "4.1 header.status",
    "4.1 choices.status",
    "4.1 choices.seq",
    "4.1 choices.text",
    "4.1 text.content",
    "4.1 text.role",
    "4.1 text.index",
    "4.1 usage.text",
)
def test_a_frame_is_read_into_its_fields() -> None:
    """Every documented place of a last frame has its attribute."""
    response = decode_response(encoded(golden("response_answer")[2]))
    text = ChoicesText(content="智能模型，我可以帮助你。", role="assistant", index=0)
    counts = {"question_tokens": 37, "prompt_tokens": 37, "completion_tokens": 169}
    expected = Response(
        ResponseHeader(code=0, message="Success", sid=SID, status=2),
        ResponsePayload(
            choices=Choices(status=2, seq=2, text=[text]),
            usage=UsageBlock({**counts, "total_tokens": 206}),
        ),
    )
    assert expected == response


@pytest.mark.row("4.1 text.function_call")
def test_the_garbage_collector_passes_a_response_by() -> None:
    """A frame has no cycles; with thousands of streams each object that is looked at counts."""
    response = decode_response(frame("你", 0, usage=COUNTS))
    assert response.payload
    assert response.payload.choices
    parts = (response, response.header, response.payload, response.payload.choices)
    assert not [part for part in parts if gc.is_tracked(part)]


def test_a_function_call_is_read() -> None:
    """Name and arguments, the latter as JSON text."""
    response = decode_response(encoded(golden("response_function_call")[0]))
    assert response.payload
    assert response.payload.choices
    assert response.payload.choices.text
    expected = FunctionCall("天气查询", '{"datetime":"今天","location":"合肥"}')
    assert expected == response.payload.choices.text[0].function_call


@pytest.mark.row("4.5 no payload")
def test_an_error_frame_has_no_payload() -> None:
    """The header is all there is."""
    assert decode_response(error(11200, "no")).payload is UNSET


@pytest.mark.row("3.1 patch_id", "3.2 chat_id", "3.2 thinking", "3.2 tools")
def test_every_extra_of_a_request_is_read() -> None:
    """Sections 3.1 to 3.4: fine-tuning, thinking, search, functions, images; nulls besides."""
    chat = {
        "domain": "spark-x",
        "top_p": 0.5,
        "chat_id": None,
        "thinking": {"type": "auto"},
        "tools": [{"type": "web_search", "web_search": {"search_mode": "deep"}}],
    }
    message = {
        "header": {"app_id": "12345678", "patch_id": ["0"]},
        "parameter": {"chat": chat},
        "payload": {
            "message": {"text": [{"role": "user", "content": "x", "content_type": "image"}]},
            "functions": {"text": [{"name": "f", "anything": [None]}]},
        },
    }
    request = decode_request(encoded(message))
    assert isinstance(request, Request)
    assert request.parameter.chat == Chat(
        domain="spark-x",
        top_p=0.5,
        chat_id=None,
        thinking=Thinking("auto"),
        tools=[ChatTool(type="web_search", web_search=WebSearch(search_mode="deep"))],
    )
    assert message == json.loads(encode_request(request))


def asked(**changes: object) -> dict[str, object]:
    """The smallest request as plain JSON, with changes made to its parts."""
    message = golden("request_minimal")[0]
    assert isinstance(message, dict)
    return {**message, **changes}


@pytest.mark.row("3 text frame")
def test_a_request_may_have_escapes() -> None:
    """Text is the same with them and without."""
    turn = {"role": "user", "content": "你好😀"}
    message = asked(payload={"message": {"text": [turn]}})
    assert decode_request(json.dumps(message).encode()) == decode_request(encoded(message))


@pytest.mark.parametrize(
    ("place", "missing"),
    [
        pytest.param("", "header", marks=pytest.mark.row("3 parts")),
        pytest.param("", "parameter", marks=pytest.mark.row("3 parts")),
        pytest.param("", "payload", marks=pytest.mark.row("3 parts")),
        pytest.param("header", "app_id", marks=pytest.mark.row("3.1 app_id")),
        pytest.param("parameter.chat", "domain", marks=pytest.mark.row("3.2 domain")),
        pytest.param("payload.message", "text", marks=pytest.mark.row("3.3 message.text")),
    ],
    ids=["header", "parameter", "payload", "app_id", "domain", "text"],
)
def test_what_is_required_is_missed(place: str, missing: str) -> None:
    """The service tells what is missing, and where."""
    message: Any = json.loads(encoded(asked()))
    inner = reduce(getitem, filter(None, place.split(".")), message)
    del inner[missing]
    misfit = decode_request(encoded(message))
    where = f" - at `$.{place}`" if place else ""
    assert misfit == Misfit("shape", f"Object missing required field `{missing}`{where}")


@pytest.mark.row("3.2 unknown fields")
def test_unknown_fields_of_a_request_are_ignored() -> None:
    """Whatever clients add, old fields and invented ones."""
    chat = {"domain": "generalv3.5", "random_threshold": 0.5, "new": [None]}
    message = asked(parameter={"chat": chat, "new": 1}, new={})
    assert decode_request(encoded(message)) == MINIMAL


@pytest.mark.row("3.1 uid", "3.2 chat_id", "3.3 content")
def test_nulls_that_clients_send_are_read() -> None:
    """For the user, for the session, and for the content beside a function call."""
    message = asked(
        header={"app_id": "12345678", "uid": None},
        parameter={"chat": {"domain": "generalv3.5", "chat_id": None}},
        payload={"message": {"text": [{"role": "assistant", "content": None}]}},
    )
    request = decode_request(encoded(message))
    assert isinstance(request, Request)
    nulls = (request.header.uid, request.parameter.chat.chat_id)
    assert (*nulls, request.payload.message.text[0].content) == (None, None, None)


@pytest.mark.row("4.1 choices.seq")
def test_a_number_of_seven_digits_is_read() -> None:
    """The largest that is documented."""
    response = decode_response(frame("a", 9_999_999))
    assert response.payload
    assert response.payload.choices == Choices(
        seq=9_999_999, status=1, text=[ChoicesText(content="a")]
    )


def test_zero_is_sent_and_null_never() -> None:
    """0 is a value; what isn't set is no field at all."""
    request = Request(
        header=MINIMAL.header,
        parameter=Parameter(chat=Chat(domain="x", temperature=0)),
        payload=MINIMAL.payload,
    )
    chat = json.loads(encode_request(request))["parameter"]["chat"]
    assert chat == {"domain": "x", "temperature": 0}


@pytest.mark.row("3 text frame")
def test_text_goes_out_as_utf_8() -> None:
    """Not as escapes: a third of the bytes."""
    turn = Turn(role="user", content="你好😀")
    request = Request(
        header=MINIMAL.header,
        parameter=MINIMAL.parameter,
        payload=RequestPayload(message=Message(text=[turn])),
    )
    assert "你好😀".encode() in encode_request(request)


def test_half_a_surrogate_pair_is_not_sent() -> None:
    """A text that UTF-8 can't express is refused before the wire, without being quoted."""
    turn = Turn(role="user", content="secret \ud800")
    payload = RequestPayload(message=Message(text=[turn]))
    request = Request(header=MINIMAL.header, parameter=MINIMAL.parameter, payload=payload)
    with pytest.raises(BadRequestError) as caught:
        encode_request(request)
    assert (caught.value.sent, caught.value.__context__) == ("no", None)
    assert "secret" not in str(caught.value)


def test_escaped_and_plain_text_are_the_same() -> None:
    """Non-ASCII text may come as escapes, a pair of surrogates included."""
    message = json.loads(frame("你好😀", 0))
    assert decode_response(json.dumps(message).encode()) == decode_response(encoded(message))


def test_unknown_fields_are_ignored() -> None:
    """Whatever the service adds tomorrow."""
    message = json.loads(frame("a", 0))
    message["new"] = message["header"]["new"] = message["payload"]["new"] = [{"a": None}]
    assert decode_response(frame("a", 0)) == decode_response(encoded(message))


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"{oops",
        b"\xff\xfe",
        frame("a", 0)[:-1],
        b'{"header":{"code":0,"message":"\xff"}}',
        rb'{"header":{"code":0,"message":"\ud800"}}',
        rb'{"header":{"code":0,"message":"\udc00\ud800"}}',
        rb'{"header":{"code":0},"unknown":"\ud800"}',
        b'{"header":{"code":NaN}}',
        b'{"header":{"code":0}}{}',
        b'{"header":{"code":0},"unknown":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"header":{"code":0},"payload":{"usage":{"text":{"a":'
        + b"[" * 100_000
        + b"]" * 100_000
        + b"}}}}",
    ],
    ids=[
        "empty",
        "oops",
        "bom",
        "cut",
        "latin",
        "surrogate",
        "surrogates",
        "unknown-surrogate",
        "nan",
        "trailing",
        "deep-unknown",
        "deep-known",
    ],
)
def test_what_is_no_json_is_a_decode_error(message: bytes) -> None:
    """Broken bytes, broken text, nesting without end."""
    with pytest.raises(DecodeError):
        decode_response(message)


@pytest.mark.parametrize(
    "message",
    [
        "text",
        [],
        None,
        {},
        {"header": None},
        {"header": {}},
        {"header": {"code": "0"}},
        {"header": {"code": True}},
        {"header": {"code": 0.5}},
        {"header": {"code": 0, "status": "2"}},
        {"header": {"code": 0, "message": None}},
        {"header": {"code": 0}, "payload": []},
        {"header": {"code": 0}, "payload": {"choices": {"status": 1}}},
        {"header": {"code": 0}, "payload": {"choices": {"seq": 0, "text": None}}},
        {"header": {"code": 0}, "payload": {"choices": {"seq": 0, "text": [{"content": 7}]}}},
        {"header": {"code": 0}, "payload": {"usage": {"text": 1}}},
    ],
    ids=str,
)
def test_json_of_another_shape_is_a_schema_error(message: object) -> None:
    """Types are not guessed at: a code that is a text is no code."""
    with pytest.raises(SchemaError):
        decode_response(encoded(message))


@pytest.mark.parametrize("number", [b"9" * 5000, b"1e999"], ids=["long", "huge"])
def test_a_number_out_of_all_range_is_a_schema_error(number: bytes) -> None:
    """No endless digits, no infinity."""
    with pytest.raises(SchemaError):
        decode_response(b'{"header":{"code":0},"payload":{"usage":{"text":{"a":%b}}}}' % number)


def test_an_error_tells_of_the_message_by_size_and_digest_only() -> None:
    """What the service said stays out of logs, and so does the library's own error."""
    with pytest.raises(SchemaError) as caught:
        decode_response(b'{"header":{"code":"secret words"}}')
    assert "Expected `int`, got `str` - at `$.header.code`" in str(caught.value)
    assert "34 bytes, SHA-256 " in str(caught.value)
    assert "secret" not in str(caught.value)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


@given(st.binary())
def test_any_bytes_are_a_frame_or_a_typed_error(message: bytes) -> None:
    """Nothing else comes out."""
    with suppress(ProtocolError):
        assert isinstance(decode_response(message), Response)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
shapes = st.fixed_dictionaries(
    {},
    optional={
        "header": st.fixed_dictionaries(
            {}, optional=dict.fromkeys(("code", "message", "sid", "status"), json_values)
        ),
        "payload": st.fixed_dictionaries(
            {}, optional={"choices": json_values, "usage": json_values}
        ),
    },
)


@given(json_values | shapes)
def test_any_json_is_a_frame_or_a_typed_error(message: object) -> None:
    """For responses an error, for requests a misfit; text that comes through can be encoded."""
    sent = json.dumps(message).encode()
    with suppress(ProtocolError):
        assert encode_response(decode_response(sent))
    assert isinstance(decode_request(sent), Misfit)
