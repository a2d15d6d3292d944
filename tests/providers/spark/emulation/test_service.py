"""The service: what it lets in, and the frames of its answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelplug_spark.emulation.gateway import Account, Refused
from modelplug_spark.emulation.inquiry import sid_of
from modelplug_spark.emulation.service import Answer, Settings, SparkService
from modelplug_spark.models import MODELS, SparkModel
from modelplug_spark.signing import date_of, sign
from tests.providers.spark.wire import encoded, golden

NOW = 1_723_993_352.720
ACCOUNT = Account(app_id="12345678", api_key="key" * 8, api_secret="secret" * 4)
SERVICE = SparkService(Settings(account=ACCOUNT))
HOST = "127.0.0.1:8080"


IMAGE = {"role": "user", "content": "aGk=", "content_type": "image"}


def asked(
    content: str = "How are you?",
    *,
    domain: str = "generalv3.5",
    image: bool = False,
    **chat: object,
) -> bytes:
    """A question."""
    text = [*([IMAGE] if image else []), {"role": "user", "content": content}]
    return encoded(
        {
            "header": {"app_id": ACCOUNT.app_id},
            "parameter": {"chat": {"domain": domain, **chat}},
            "payload": {"message": {"text": text}},
        }
    )


def answered(
    question: bytes, *, service: SparkService = SERVICE, path: str = "/v3.5/chat"
) -> list[Any]:
    """The frames of an answer, as plain JSON."""
    return [json.loads(frame.message) for frame in service.ask(path, question, NOW).frames]


def text_of(frames: list[Any]) -> str:
    """What they say together."""
    return "".join(frame["payload"]["choices"]["text"][0]["content"] for frame in frames)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_every_model_is_served_at_its_path(model: SparkModel) -> None:
    """A good signature is let in, and the domain that belongs there is answered."""
    signed = sign(
        HOST, model.path, key=ACCOUNT.api_key, secret=ACCOUNT.api_secret, date=date_of(NOW)
    )
    assert SERVICE.authorize(model.path, signed.query.reveal(), HOST, NOW) is None
    question = asked(domain=model.domain, image=model.images)
    assert model.product in text_of(answered(question, path=model.path))


def test_a_stranger_is_refused() -> None:
    """As the gateway does."""
    assert SERVICE.authorize("/v3.5/chat", "", HOST, NOW) == Refused(401, "Unauthorized")


def test_an_unknown_path_is_not_found() -> None:
    """Before anything else is looked at."""
    assert SERVICE.authorize("/v9/chat", "", HOST, NOW) == Refused(404, "404 page not found")


def test_the_strict_host_is_a_setting() -> None:
    """Off unless it is asked for."""
    signed = sign(
        HOST, "/v3.5/chat", key=ACCOUNT.api_key, secret=ACCOUNT.api_secret, date=date_of(NOW)
    )
    strict = SparkService(Settings(account=ACCOUNT, strict_host=True))
    admitted = [
        each.authorize("/v3.5/chat", signed.query.reveal(), "x", NOW) is None
        for each in (SERVICE, strict)
    ]
    assert admitted == [True, False]


def test_a_frame_has_the_documented_fields() -> None:
    """The same as in the golden answer, none more, none less."""
    frames = answered(asked())
    for ours, theirs in zip(
        (frames[0], frames[1], frames[-1]), golden("response_answer"), strict=True
    ):
        assert keys(ours) == keys(theirs)


def keys(value: object) -> object:
    """The shape of a JSON value."""
    if isinstance(value, dict):
        return {name: keys(inner) for name, inner in value.items()}
    return [keys(inner) for inner in value] if isinstance(value, list) else type(value)


@pytest.mark.row("4.1 header.status", "4.1 choices.status", "4.1 choices.seq")
def test_frames_are_numbered_and_say_where_they_stand() -> None:
    """Status 0 first, 1 then, 2 last; the header says the same as choices."""
    frames = answered(asked())
    choices = [frame["payload"]["choices"] for frame in frames]
    statuses = [0, *[1] * (len(frames) - 2), 2]
    assert [*range(len(frames))] == [each["seq"] for each in choices]
    assert statuses == [each["status"] for each in choices]
    assert statuses == [frame["header"]["status"] for frame in frames]


@pytest.mark.row("4.1 usage.text", "4.1 last frame")
def test_only_the_last_frame_has_a_usage() -> None:
    """And a text, which clients are known to drop."""
    frames = answered(asked())
    assert [len(frames) - 1] == [
        number for number, frame in enumerate(frames) if "usage" in frame["payload"]
    ]
    assert frames[-1]["payload"]["choices"]["text"][0]["content"]


def test_the_usage_adds_up() -> None:
    """What is billed is what went in and what came out."""
    counts = answered(asked("one two three four"))[-1]["payload"]["usage"]["text"]
    assert (counts["question_tokens"], counts["prompt_tokens"]) == (5, 5)
    assert counts["total_tokens"] == counts["prompt_tokens"] + counts["completion_tokens"]


@pytest.mark.row("4.1 last frame")
def test_the_last_frame_may_be_empty() -> None:
    """By a setting: the text is the same, the usage stands alone."""
    service = SparkService(Settings(account=ACCOUNT, empty_last=True))
    frames = answered(asked(), service=service)
    assert text_of(answered(asked())) == text_of(frames)
    assert frames[-1]["payload"]["choices"]["text"][0]["content"] == ""
    assert frames[-1]["payload"]["choices"]["status"] == 2


SEARCH = {"type": "web_search", "web_search": {"show_ref_label": True}}


@pytest.mark.row("4.1 text.reasoning_content")
def test_thinking_comes_before_the_answer() -> None:
    """In frames of its own, whose content is empty; all are numbered as one answer."""
    frames = answered(asked(domain="spark-x"), path="/v1/x1")
    choices = [frame["payload"]["choices"] for frame in frames]
    thinks = ["reasoning_content" in each["text"][0] for each in choices]
    assert sorted(thinks, reverse=True) == thinks
    assert (thinks[0], thinks[-1]) == (True, False)
    assert [each["seq"] for each in choices] == [*range(len(frames))]
    assert keys(frames[0]) == keys(golden("response_reasoning")[0])


@pytest.mark.row("4.2 one frame")
def test_a_call_is_one_frame_of_the_documented_shape() -> None:
    """The golden one's, with the last status and a usage."""
    question = json.loads(asked("what does weather say"))
    question["payload"]["functions"] = {"text": [{"name": "weather"}]}
    frames = answered(encoded(question))
    assert [keys(golden("response_function_call")[0])] == [keys(frame) for frame in frames]


@pytest.mark.row("4.3 sources first", "4.3 no choices")
@pytest.mark.parametrize("bare", [False, True])
def test_sources_come_first(bare: bool) -> None:
    """With an empty piece of the answer beside them, or without choices where that is wanted."""
    service = SparkService(Settings(account=ACCOUNT, bare_sources=bare))
    frames = answered(asked(tools=[SEARCH]), service=service)
    with_sources = ["plugins" in frame["payload"] for frame in frames]
    assert [True] + [False] * (len(frames) - 1) == with_sources
    assert ("choices" in frames[0]["payload"]) is not bare
    contents = [
        each["payload"]["choices"]["text"][0]["content"]
        for each in frames
        if "choices" in each["payload"]
    ]
    assert (contents[0] == "", bool(contents[1])) == (not bare, True)
    numbers = [each["payload"]["choices"]["seq"] for each in frames if "choices" in each["payload"]]
    assert [*range(len(numbers))] == numbers
    assert [frames[0]["header"]["status"], frames[-1]["header"]["status"]] == [0, 2]


def test_an_answer_ends_at_its_limit() -> None:
    """max_tokens cuts it, with no word about that."""
    frames = answered(asked(max_tokens=5))
    assert text_of(frames) == "This is the local "[: len(text_of(frames))]
    assert frames[-1]["payload"]["usage"]["text"]["completion_tokens"] <= 5


@pytest.mark.row("4.1 one frame")
def test_an_answer_of_one_frame_is_its_own_end() -> None:
    """Status 2, number 0."""
    frames = answered(asked("你好", max_tokens=1))
    assert [
        (frame["payload"]["choices"]["status"], frame["payload"]["choices"]["seq"])
        for frame in frames
    ] == [(2, 0)]


def test_the_answer_names_the_parameters_that_came() -> None:
    """Those that were sent, as they were sent."""
    text = text_of(answered(asked(temperature=0.2, top_k=3, max_tokens=500)))
    assert "temperature 0.2, top_k 3, max_tokens 500;" in text


@pytest.mark.row("4.5 no payload")
@pytest.mark.parametrize(
    ("question", "code"),
    [(b"{", 10003), (b"{}", 10004), (asked(top_k=9), 10163), (asked(domain="lite"), 10003)],
    ids=["json", "schema", "range", "domain"],
)
def test_a_fault_is_one_frame_without_a_payload(question: bytes, code: int) -> None:
    """Of the golden error's shape."""
    frames = answered(question)
    assert [keys(golden("response_error")[0])] == [keys(frame) for frame in frames]
    assert (code, 2) == (frames[0]["header"]["code"], frames[0]["header"]["status"])


@pytest.mark.row("3.1 uid")
def test_a_uid_is_checked_where_that_is_wanted() -> None:
    """By a setting."""
    long = encoded({**json.loads(asked()), "header": {"app_id": "12345678", "uid": "x" * 36}})
    strict = SparkService(Settings(account=ACCOUNT, strict_uid=True))
    codes = [answered(long, service=each)[0]["header"]["code"] for each in (SERVICE, strict)]
    assert codes == [0, 10004]


def test_the_same_question_has_the_same_answer() -> None:
    """To the byte, at the same time."""
    first, second = (SERVICE.ask("/v3.5/chat", asked(), NOW).frames for _ in range(2))
    assert first == second


@pytest.mark.row("4.4 pattern", "4.4 time")
def test_a_session_tells_when_it_began() -> None:
    """The eleven digits after @dx are milliseconds, as in the recorded one."""
    recorded, ours = "cht000b0c24@dx1916602ea10b808550", sid_of(b"x", NOW)
    assert recorded.partition("@dx")[2][:11] == ours.partition("@dx")[2][:11]
    assert (len(recorded), recorded[:3]) == (len(ours), ours[:3])


LITE = "/v1.1/chat"


def serving(**settings: Any) -> SparkService:
    """A service of its own, with these settings."""
    return SparkService(Settings(account=ACCOUNT, **settings))


def code(answer: Answer) -> int:
    """That of its first frame; 0 is an answer."""
    return int(json.loads(answer.frames[0].message)["header"]["code"])


def named(uid: str | None, **fields: str) -> bytes:
    """A question from a user."""
    header = {"app_id": ACCOUNT.app_id, "uid": uid, **fields}
    return encoded({**json.loads(asked()), "header": header})


def codes(service: SparkService, *questions: tuple[bytes, float], done: bool = True) -> list[int]:
    """What each question gets, asked after so many seconds; answers are read unless told not to."""
    told = []
    for message, seconds in questions:
        answer = service.ask("/v3.5/chat", message, NOW + seconds)
        told.append(code(answer))
        if done:
            service.done(answer)
    return told


THRICE = [(asked(), 0.0)] * 3

LIMITED = {
    "granted": ({"granted": ("lite",)}, True, [11200, 11200, 11200]),
    "tokens": ({"tokens": 1}, True, [0, 11200, 11200]),
    "daily": ({"daily": 2}, True, [0, 0, 11201]),
    "per_second": ({"per_second": 2}, True, [0, 0, 11202]),
    "concurrent": ({"concurrent": 2}, False, [0, 0, 11203]),
    "concurrent, done": ({"concurrent": 1}, True, [0, 0, 0]),
    "one_per_user, nobody": ({"one_per_user": True}, False, [0, 0, 0]),
    "nothing": ({}, False, [0, 0, 0]),
    "blacklisted": ({"blacklisted": True}, True, [10015, 10015, 10015]),
    "busy": ({"busy": True}, True, [10110, 10110, 10110]),
}


@pytest.mark.parametrize(("settings", "done", "expected"), LIMITED.values(), ids=LIMITED)
def test_limits_are_kept(settings: dict[str, Any], done: bool, expected: list[int]) -> None:
    """Each code comes when it would, and not before."""
    assert expected == codes(serving(**settings), *THRICE, done=done)


def test_a_user_is_answered_once_at_a_time() -> None:
    """10006 for the same uid while the first answer runs."""
    questions = [(named(uid), 0.0) for uid in ("me", "me", "you", None, "")]
    assert codes(serving(one_per_user=True), *questions, done=False) == [0, 10006, 0, 0, 0]
    assert codes(serving(one_per_user=True), *questions) == [0] * 5


def test_a_new_second_and_a_new_day_begin() -> None:
    """With the time that is given, not the clock's."""
    assert codes(serving(per_second=1), (asked(), 0), (asked(), 0.9), (asked(), 1)) == [0, 11202, 0]
    assert codes(serving(daily=1), (asked(), 0), (asked(), 86_400)) == [0, 0]


def test_a_wrong_question_uses_nothing_up() -> None:
    """Faults come before limits."""
    service = serving(daily=1, concurrent=1)
    wrong = [(asked(top_k=9), 0.0), (b"{", 0.0), (asked(domain="lite"), 0.0)]
    assert codes(service, *wrong, (asked(), 0), done=False) == [10163, 10003, 10003, 0]


def test_an_answer_runs_until_it_is_done() -> None:
    """And telling it twice, or for a refusal, is no harm."""
    service = serving(concurrent=1)
    answer, refused = (service.ask("/v3.5/chat", asked(), NOW) for _ in range(2))
    assert (code(refused), service.running) == (11203, 1)
    for each in (refused, answer, answer):
        service.done(each)
    assert service.running == 0


@pytest.mark.row("4.6 several questions", "5.1 10007")
def test_a_question_into_an_answer_is_told_to_wait() -> None:
    """10007, whatever it is; the answer before it goes on."""
    service = serving()
    service.ask("/v3.5/chat", asked(), NOW)
    frame = json.loads(service.busy(asked(), NOW).message)
    assert (frame["header"]["code"], "payload" in frame, service.running) == (10007, False, 1)


@pytest.mark.row("4.6 cut")
@pytest.mark.parametrize(
    ("settings", "ending"),
    [({}, "frame"), ({"close": "cut"}, "cut"), ({"second_question": True}, "stay")],
)
@pytest.mark.parametrize("question", [asked(), b"{", asked(top_k=9)])
def test_a_public_connection_ends_as_the_settings_say(
    settings: dict[str, Any], ending: str, question: bytes
) -> None:
    """After an answer and after a failure alike."""
    assert ending == serving(**settings).ask("/v3.5/chat", question, NOW).close


@pytest.mark.row("1.1 hosted", "4.6 hosted open")
@pytest.mark.parametrize(("temperature", "expected"), [(0, 0), (1, 0), (1.1, 10163)])
def test_a_hosted_model_is_served_beside_lite(temperature: float, expected: int) -> None:
    """In its own range, with a system message and a patch_id; its connection stays open."""
    question = json.loads(asked(domain="xdeepseekv3", temperature=temperature))
    question["payload"]["message"]["text"].insert(0, {"role": "system", "content": "Be brief."})
    question["header"]["patch_id"] = ["0"]
    answer = serving(hosted=("xdeepseekv3",)).ask(LITE, encoded(question), NOW)
    assert (expected, "stay") == (code(answer), answer.close)


def test_lite_stays_what_it_is_beside_a_hosted_model() -> None:
    """Its connection is closed."""
    answer = serving(hosted=("xdeepseekv3",)).ask(LITE, asked(domain="lite"), NOW)
    assert (code(answer), answer.close) == (0, "frame")


def test_a_service_id_is_unknown_unless_it_is_hosted() -> None:
    """10004."""
    assert code(SERVICE.ask(LITE, asked(domain="xdeepseekv3"), NOW)) == 10004


def test_a_hosted_reasoning_model_thinks() -> None:
    """As DeepSeek's R1 does."""
    service = serving(hosted=("xdeepseekr1",))
    frames = answered(asked(domain="xdeepseekr1"), service=service, path=LITE)
    assert frames[0]["payload"]["choices"]["text"][0]["reasoning_content"]


@pytest.mark.parametrize(("setting", "expected"), [("clamp", 0), ("refuse", 10163)])
def test_a_value_out_of_range_may_be_clamped(setting: str, expected: int) -> None:
    """The answer names the value that it was made with, and keeps to it."""
    frames = answered(asked(max_tokens=9999), service=serving(out_of_range=setting))
    assert expected == frames[0]["header"]["code"]
    assert expected or "max_tokens 8192;" in text_of(frames)


def test_an_account_stays_out_of_sight() -> None:
    """In logs and tracebacks there is the app's name only."""
    assert ACCOUNT.api_secret not in repr(Settings(account=ACCOUNT))


ROLES = st.sampled_from(["user", "assistant", "system", "tool"])
TURNS = st.fixed_dictionaries(
    {"role": ROLES, "content": st.none() | st.text(max_size=20)},
    optional={"content_type": st.sampled_from(["text", "image", None])},
)


@given(
    st.sampled_from([(model.path, model.domain) for model in MODELS] + [(LITE, "r1"), (LITE, "x")]),
    st.lists(TURNS, max_size=4),
    st.sampled_from(["any", "ends", "strict"]),
    st.sampled_from(["clamp", "refuse"]),
    st.integers(-5, 10**6),
)
def test_any_question_has_an_answer(
    place: tuple[str, str],
    turns: list[dict[str, object]],
    order: str,
    out_of_range: str,
    max_tokens: int,
) -> None:
    """Nothing that is well-formed is too odd to be answered or refused."""
    question = json.loads(asked(domain=place[1], max_tokens=max_tokens))
    question["payload"]["message"]["text"] = turns
    service = serving(hosted=("r1",), role_order=order, out_of_range=out_of_range)
    answer = service.ask(place[0], encoded(question), NOW)
    assert json.loads(answer.frames[-1].message)["header"]["status"] == 2


@pytest.mark.parametrize("required", [[["a"]], [{}], [None], ["a", 1]])
def test_odd_functions_are_answered(required: list[object]) -> None:
    """A schema that makes no sense is the caller's affair, and holds no place."""
    properties = {"a": {"type": "string"}}
    parameters = {"properties": properties, "required": required}
    message = json.loads(asked("What of the sky?"))
    message["payload"]["functions"] = {"text": [{"name": "sky", "parameters": parameters}]}
    service = SparkService(Settings(account=ACCOUNT, concurrent=1))
    service.done(service.ask("/v3.5/chat", encoded(message), NOW))
    assert service.running == 0
