"""GEN: what is asked gets there, what is answered comes back, in all four ways alike."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace

from modelplug.capabilities import ModelMetadata
from modelplug.client import ProxyLLMClient
from modelplug.conformance.check import check
from modelplug.conformance.corpus import SPACES
from modelplug.conformance.directions import DirectionName
from modelplug.conformance.harness import Asked
from modelplug.conformance.lab import Lab
from modelplug.conformance.verdict import NotApplicable
from modelplug.delta import Delta, Finish, Usage
from modelplug.errors import BadRequestError
from modelplug.messages import ModelMessage
from modelplug.output import ModelOutput
from modelplug.request import ModelRequest, ModelRequestContext
from modelplug.testing.steps import Gate, Noise, Step

_OWN = ("metrics", "request_id", "attempts")
"""What two calls needn't have in common."""

_ANSWER: Sequence[Step] = (
    Delta(reasoning="hm"),
    "Hel",
    "lo",
    Finish(usage=Usage(prompt_tokens=5, completion_tokens=2)),
)


@check("GEN-01", "exact text", profile="core")
def exact_text(lab: Lab) -> None:
    """The text is what the service said, with the blanks and newlines at its ends."""
    output = lab.answer(SPACES, "b", SPACES, Finish())
    lab.expect.equal("the text", f"{SPACES}b{SPACES}", output.text)


@check("GEN-02", "sync as async", profile="core", directions=())
def sync_as_async(lab: Lab) -> None:
    """The same answer makes the same output, whether it is waited for or not."""
    _expect_alike(lab, "async", "sync")
    _expect_alike(lab, "async-stream", "sync-stream")


@check("GEN-03", "stream as whole", profile="streaming", directions=())
def stream_as_whole(lab: Lab) -> None:
    """The last output of a stream is the output of a call that waits for the whole."""
    _expect_alike(lab, "async-stream", "async")
    _expect_alike(lab, "sync-stream", "sync")


def _expect_alike(lab: Lab, one: DirectionName, other: DirectionName) -> None:
    first, second = _values(lab, one), _values(lab, other)
    for name, value in first.items():
        lab.expect.equal(f"{name} of {other}, beside {one}", value, second[name])


def _values(lab: Lab, direction: DirectionName) -> dict[str, object]:
    lab.play(*_ANSWER)
    with lab.client() as client:
        output = replace(lab.direction, name=direction).final(client, "hi")
    lab.expect.that(isinstance(output, ModelOutput), f"{direction} gave {output!r}, no output")
    told = output.to_dict() if output else {}
    return {name: value for name, value in told.items() if name not in _OWN}


@check("GEN-04", "empty answer", profile="core")
def empty_answer(lab: Lab) -> None:
    """An answer without text is an output with its finish reason: no failure, and not nothing."""
    output = lab.answer(Finish())
    lab.expect.that(isinstance(output, ModelOutput), f"the call gave {output!r}, no output")
    lab.expect.equal("the text of an empty answer", "", output.text)
    lab.expect.equal("whether the output is final", True, output.final)
    lab.expect.equal("the finish reason", "stop", output.finish_reason)


@check("GEN-05", "empty question", profile="core")
def empty_question(lab: Lab) -> None:
    """A request without messages is refused before it is sent; an empty text is sent as it is."""
    lab.refused([], BadRequestError, what="a request without messages")
    heard = lab.sent("")
    lab.expect.equal("the last message for an empty question", ("user", ""), heard.messages[-1])


@check("GEN-06", "request untouched", profile="core")
def request_untouched(lab: Lab) -> None:
    """A call leaves its request as it was, and so the same request asks the same again."""
    loose: list[dict[str, object]] = [{"role": "user", "content": "hi"}]
    if lab.claims("system_role"):
        loose.insert(0, {"role": "system", "content": "be brief"})
    before = deepcopy(loose)
    request = ModelRequest(messages=loose)
    told = deepcopy(request.to_dict())
    with lab.client() as client:
        heard = [_plain(lab.sent(asking, client)) for asking in (loose, loose, request, request)]
    lab.expect.equal("the messages after the calls", before, loose)
    lab.expect.equal("the request after the calls", told, request.to_dict())
    for again in heard[1:]:
        lab.expect.equal("what the same request asks again", heard[0], again)


def _plain(asked: Asked) -> tuple[object, ...]:
    return ([*asked.messages], asked.model, dict(asked.params), [*asked.tools])


class _Recorder:
    """A converter that remembers how often it was called, and says something of its own."""

    def __init__(self) -> None:
        self.calls = 0

    def convert(
        self, messages: Sequence[ModelMessage], metadata: ModelMetadata | None = None
    ) -> Sequence[ModelMessage]:
        self.calls += 1
        return [ModelMessage("human", f"{message.text}, converted") for message in messages]


@check("GEN-07", "converter honoured", profile="core")
def converter_honoured(lab: Lab) -> None:
    """A message converter is called once for a call, and what it makes is what is sent."""
    recorder = _Recorder()
    lab.play("ok", Finish())
    with lab.client() as client:
        lab.ask(client, "hi", recorder)
    heard = [text for _, text in lab.asked().messages]
    lab.expect.equal("the messages that were sent", ["hi, converted"], heard)
    lab.expect.equal("calls of the converter", 1, recorder.calls)


@check("GEN-08", "who asks", profile="complete", must=False)
def who_asks(lab: Lab) -> None:
    """What is sent of who asks is of the request itself, and never of one before it."""
    who = f"somebody-{lab.account.app_id}"
    first = ModelRequestContext(user_name=who, sys_code=who, conv_uid=who, chat_param=who)
    with lab.client() as client:
        lab.sent(ModelRequest(messages="hi", context=first), client)
        for other in (ModelRequestContext(user_name="another"), ModelRequestContext()):
            lab.sent(ModelRequest(messages="hi", context=other), client)
            heard = lab.exchanges[-1]
            places = {
                "what the next request sent": b" ".join(heard.messages).decode(errors="replace"),
                "the address that it asked": heard.target,
                "its headers": " ".join(heard.headers.values()),
            }
            lab.expect.absent("who asked before", [who], places)


@check("GEN-09", "model of the request", profile="core")
def model_of_the_request(lab: Lab) -> None:
    """The model that a request names is asked, not the client's own."""
    with lab.client() as client:
        known = [each.model for each in lab.direction.loop.run(client.models())]
        others = [name for name in known if name != client.default_model]
        if not others:
            raise NotApplicable("the client serves one model only")
        usual = lab.sent("hi", client).model
        named = lab.sent(ModelRequest(model=client.default_model, messages="hi"), client).model
        other = lab.sent(ModelRequest(model=others[0], messages="hi"), client).model
    lab.expect.equal("the model, where a request names the default", usual, named)
    lab.expect.that(other != usual, f"a request for {others[0]!r} went to {usual!r} all the same")


@check("GEN-10", "request id", profile="complete", must=False)
def request_id(lab: Lab) -> None:
    """An output has the service's name for the call, and that holds no credential."""
    output = lab.answer("ok", Finish())
    if not output.request_id:
        lab.require_wire("a call of a library needs no name")
    lab.expect.that(output.request_id, "the output has no request id")
    keys = [lab.account.api_key, lab.account.api_secret]
    lab.expect.absent("a credential", keys, {"the request id": output.request_id or ""})


@check("GEN-11", "unknown extras", profile="core")
def unknown_extras(lab: Lab) -> None:
    """What the service says and the plugin doesn't know is passed over."""
    output = lab.answer(Noise(), "Hel", Noise(), Noise(), "lo", Noise(), Finish())
    lab.expect.equal("the text among unknown messages", "Hello", output.text)


_LARGE = 2_000_000
"""Characters of a large prompt: more than any buffer on the way holds."""


@check("GEN-12", "large prompt", profile="resilient")
def large_prompt(lab: Lab) -> None:
    """A prompt of megabytes is sent as it is, and isn't logged."""
    prompt = "".join(f"{number:07d}," for number in range(_LARGE // 8))
    with _logged() as texts:
        heard = lab.sent(prompt)
    arrived = heard.messages[-1][1] if heard.messages else ""
    lab.expect.that(
        arrived == prompt, f"of {len(prompt)} characters {len(arrived)} arrived, or others"
    )
    lab.expect.that(
        not any("0000042,0000043" in text for text in texts), "the prompt stands in the log"
    )


@contextmanager
def _logged() -> Iterator[list[str]]:
    """What is logged meanwhile at INFO or above, by whomever."""
    texts: list[str] = []
    handler = logging.Handler(logging.INFO)
    handler.emit = lambda record: texts.append(record.getMessage())  # type: ignore[method-assign]  # one method
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield texts
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


@check("GEN-13", "loop not blocked", profile="core", directions=("async-stream", "async"))
def loop_not_blocked(lab: Lab) -> None:
    """While the service is silent, other tasks of the event loop run."""
    lab.play(Gate("first"), "a", Gate("second"), "b", Finish())
    with lab.client() as client:
        asking = lab.direction.loop.start(_last(lab, client))
        try:
            for gate in ("first", "second"):
                arrived = lab.upstream.wait_reached(gate, lab.direction.patience)
                lab.expect.that(arrived, "the service was never asked")
                _expect_turns(lab)
                lab.upstream.release(gate)
        finally:
            lab.upstream.release("first")
            lab.upstream.release("second")
        output = asking.result(lab.direction.patience)
    lab.expect.equal("the text", "ab", output and output.text)


async def _last(lab: Lab, client: ProxyLLMClient) -> ModelOutput | None:
    if not lab.direction.streams:
        return await client.generate("hi")
    outputs = [output async for output in client.generate_stream("hi")]
    return outputs[-1] if outputs else None


def _expect_turns(lab: Lab) -> None:
    """The loop gets round to something else, while the call under way can't."""
    turn = lab.direction.loop.start(asyncio.sleep(0, True))
    try:
        turn.result(4 * lab.quantum)
    except TimeoutError:
        turned = False
    else:
        turned = True
    lab.expect.that(turned, "the event loop stood still while the service was silent")
