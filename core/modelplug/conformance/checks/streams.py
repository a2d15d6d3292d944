"""STR: a stream streams, its outputs agree with one another, and it has one end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import accumulate, pairwise

from modelplug.client import ProxyLLMClient
from modelplug.conformance.calling import calling
from modelplug.conformance.calls import Running
from modelplug.conformance.check import check
from modelplug.conformance.directions import STREAMS, Reading
from modelplug.conformance.lab import Lab
from modelplug.conformance.verdict import Violation
from modelplug.delta import Finish, Usage
from modelplug.errors import ProxyLLMError, WrongUseError
from modelplug.output import ModelOutput
from modelplug.testing.steps import Drip, Fragment, Gate, HangUp, Lines, Noise, Split, Step


@check("STR-01", "really streams", profile="streaming", directions=STREAMS)
def really_streams(lab: Lab) -> None:
    """The first piece of an answer is seen before the service sends the second."""
    lab.play("first", Gate("second"), " second", Finish())
    with lab.client() as client:
        reading = lab.read(client)
        lab.expect.equal("the first output's text", "first", _first(reading).text)
        lab.upstream.release("second")
        texts = [output.text for output in reading.rest()]
        lab.expect.equal("the last output's text", "first second", texts[-1] if texts else None)


def _first(reading: Reading) -> ModelOutput:
    """The first output, while the service waits with the second piece."""
    try:
        return reading.next()
    except StopIteration:
        message = "the stream ended without any output"
    except TimeoutError:
        message = "the first piece was sent, and no output came while the service held the second"
    raise Violation(message)


@check("STR-02", "deltas add up", profile="streaming", directions=STREAMS)
def deltas_add_up(lab: Lab) -> None:
    """Each output's text is the sum of the deltas so far."""
    lab.play("Hel", "lo, ", "wor", "ld", Finish())
    with lab.client() as client:
        outputs = lab.ask(client)
    sums = list(accumulate(output.delta for output in outputs))
    lab.expect.equal("the sums of the deltas", [output.text for output in outputs], sums)
    lab.expect.equal("the whole text", "Hello, world", sums[-1] if sums else None)


@check("STR-03", "one terminal output", profile="streaming", directions=STREAMS)
def one_terminal_output(lab: Lab) -> None:
    """Exactly one output is final: the last, with a finish reason, whatever is sent after it."""
    lab.play("Hello", Finish(), Noise())
    with lab.client() as client:
        outputs = lab.ask(client)
    finals = [output.final for output in outputs]
    lab.expect.equal("which outputs are final", [False] * (len(outputs) - 1) + [True], finals)
    reasons = [output.finish_reason for output in outputs if output.final]
    lab.expect.that(all(reasons), "the final output has no finish reason")


@check("STR-04", "no invented end", profile="streaming", directions=STREAMS)
def no_invented_end(lab: Lab) -> None:
    """An answer is final only when the service said so: one that just stops is an error."""
    scripts: Sequence[Sequence[Step]] = (("Hel", "lo", HangUp()), (HangUp(),))
    for script in scripts:
        outputs, error = _until_error(lab, *script)
        ended = [output.finish_reason for output in outputs if output.final]
        lab.expect.equal("finish reasons of an answer that just stops", [], ended)
        lab.expect.that(error, "an answer that just stops ended without an error")


def _until_error(lab: Lab, *script: Step) -> tuple[list[ModelOutput], ProxyLLMError | None]:
    """What can be read of an answer, and the error that ends it."""
    lab.play(*script)
    outputs = []
    with lab.client() as client:
        reading = lab.read(client)
        try:
            while True:
                outputs.append(reading.next())
        except StopIteration:
            return outputs, None
        except ProxyLLMError as error:
            return outputs, error


@check("STR-05", "no empty outputs", profile="streaming", directions=STREAMS, must=False)
def no_empty_outputs(lab: Lab) -> None:
    """Each output but the final one adds something to the answer."""
    lab.play(Noise(), "Hel", Noise(), "", "lo", Noise(), Finish())
    with lab.client() as client:
        outputs = [output for output in lab.ask(client) if not output.final]
    said = [("", "", (), ()), *map(_content, outputs)]
    same = sum(before == after for before, after in pairwise(said))
    lab.expect.equal("outputs that add nothing", 0, same)


def _content(output: ModelOutput) -> tuple[object, ...]:
    return output.text, output.reasoning, output.tool_calls, output.sources


@check("STR-06", "usage without text", profile="streaming", needs="usage")
def usage_without_text(lab: Lab) -> None:
    """What an answer cost is told, even where nothing was said."""
    usage = lab.answer(Finish(usage=Usage(prompt_tokens=7, completion_tokens=0))).usage
    lab.expect.that(usage, "an answer without text has no usage, though the service told it")
    lab.expect.equal("its prompt tokens", 7, usage and usage.prompt_tokens)


@check("STR-07", "starts when read", profile="streaming", directions=STREAMS)
def starts_when_read(lab: Lab) -> None:
    """Making a stream sends nothing, and one that is never read leaves nothing behind."""
    with lab.client() as client:
        lab.read(client).close()
        lab.expect.equal("connections after a stream that nobody read", 0, len(lab.exchanges))


@check("STR-08", "stream protocol", profile="streaming", directions=STREAMS)
def stream_protocol(lab: Lab) -> None:
    """A stream can be closed, twice too, stays at its end, and is for one reader at a time."""
    lab.play("a", Finish())
    with lab.client() as client:
        lab.read(client).close()  # it asks nothing, see STR-07
        reading = lab.read(client)
        lab.expect.equal("outputs of a stream", True, bool(reading.rest()))
        lab.expect.equal("outputs after the end of a stream", [], reading.rest())
        reading.close()
        reading.close()
    if lab.direction.is_async:
        _expect_one_reader(lab)


async def _two_readers(lab: Lab, client: ProxyLLMClient) -> list[object]:
    """What two tasks get that read one stream at once."""
    stream = client.generate_stream("hi")
    first = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    second = asyncio.ensure_future(anext(stream))
    await asyncio.wait([second], timeout=4 * lab.quantum)
    lab.upstream.release("on")
    got = await asyncio.gather(first, second, return_exceptions=True)
    await stream.aclose()
    return [*got]


def _expect_one_reader(lab: Lab) -> None:
    lab.play(Gate("on"), "a", "b", Finish())
    with lab.client() as client:
        first, second = lab.direction.loop.run(_two_readers(lab, client), within=20 * lab.quantum)
    text = first.text if isinstance(first, ModelOutput) else first
    lab.expect.equal("what the first of two readers gets", "a", text)
    message = f"the second of two readers got {second!r}, where a WrongUseError belongs"
    lab.expect.that(isinstance(second, WrongUseError), message)


@check("STR-09", "one question each", profile="resilient", must=False)
def one_question_each(lab: Lab) -> None:
    """Each call asks once, on a connection that is its own as long as the answer lasts."""
    names = [f"call {number}" for number in range(3)]
    for name in names:
        lab.play(Gate("on"), "answer to ", name, Finish(), question=name)
    with lab.client() as client:
        calls = [Running(lab.direction, client, name) for name in names]
        try:
            lab.wait_until(lambda: lab.questions >= len(names), quanta=8)
            busy = [each.connection for each in lab.exchanges if each.closed is None]
            shared = len(busy) - len(set(busy)) if lab.upstream.wired else 0
        finally:
            lab.upstream.release("on")
        for name, each in zip(names, calls, strict=True):
            lab.expect.equal(f"the text of {name}", f"answer to {name}", each.text())
    lab.expect.equal("calls that came on a connection whose answer was under way", 0, shared)
    asked = [len(each.messages) for each in lab.exchanges if each.messages]
    lab.expect.equal("how often each of three calls asked", [1] * len(names), asked)


_FEW, _MANY = 700, 2800
"""So many pieces that what the text so far costs is more than what each costs anyway."""

_STEEP = 7.0
"""By how much four times the answer may cost more. Linear cost is 4, quadratic 16."""

_LEAST_SECONDS = 0.02
"""Less can't be told from nothing by every system's clock."""


@check("STR-10", "linear cost", profile="streaming", directions=STREAMS)
def linear_cost(lab: Lab) -> None:
    """An answer four times as long takes four times the work, and not sixteen times."""
    rounds = 2  # the least of them counts: others may have been disturbed
    scripts = [_long(count, 2048) for count in (_FEW, _MANY)] * rounds
    say = f"says {_FEW} and {_MANY} times 2048 characters, {rounds} times each"
    with calling(lab, "cost", *scripts, say=say, calls=len(scripts)) as process:
        told = process.next("cost")
    lengths = [2048 * count for count in (_FEW, _MANY)] * rounds
    lab.expect.equal("the lengths of the texts", lengths, told["lengths"])
    few, many = min(told["seconds"][::2]), min(told["seconds"][1::2])
    times = many / max(few, _LEAST_SECONDS)
    lab.expect.that(
        times < _STEEP,
        f"{_FEW} pieces cost {few:.3f} s of processor time, {_MANY} cost {many:.3f} s: each piece"
        " costs more, the more came before it",
    )


_MOST_COPIES = 10
"""How much of an answer's length reading it may take: as pieces, as text, read but not yet used."""


@check("STR-11", "memory", profile="resilient", directions=STREAMS)
def memory(lab: Lab) -> None:
    """Reading an answer takes memory for a few copies of it, not for one as of each piece."""
    size, count = 16_384, 100
    length = size * count
    say = f"says {count} times {size} characters"
    with calling(lab, "memory", ["hi", Finish()], _long(count, size), say=say, calls=1) as process:
        told = process.next("memory")
    lab.expect.equal("the length of the text", [length], told["lengths"])
    peak = max(told["peaks"])
    lab.expect.that(
        peak <= _MOST_COPIES * length,
        f"reading an answer of {length} characters took {peak} bytes at the most",
    )


def _long(count: int, size: int) -> Sequence[Step]:
    return [*["x" * size] * count, Finish()]


@check("STR-12", "back-pressure", profile="resilient", directions=STREAMS)
def back_pressure(lab: Lab) -> None:
    """Who reads slowly holds up the service: an answer isn't gathered before it is asked for."""
    piece, count = "x" * 65_536, 1024
    lab.play(*[piece] * count, Finish())
    with lab.client() as client:
        reading = lab.read(client)
        reading.next()
        # What a library gives is counted by the piece, whatever its size.
        limit = (len(piece) if lab.upstream.wired else 1) * count // 4
        taken = _taken(lab, limit)
        what = "bytes" if lab.upstream.wired else f"of {count} pieces"
        lab.expect.that(taken <= limit, f"{taken} {what} were taken in, and one output was read")
        reading.close()


def _taken(lab: Lab, limit: int) -> int:
    """How many bytes the service gets rid of until it is held up, or past the limit.

    It is held up if nothing goes while calls beside it are answered: on a machine that is busy
    with other things those take longer as well.
    """
    exchange = lab.exchanges[0]
    taken = -1
    lab.play("ok", Finish(), times=None)
    with lab.client() as other:
        while taken < exchange.bytes_accepted <= limit:
            taken = exchange.bytes_accepted
            _answer_some(lab, other, until=lambda: exchange.bytes_accepted > taken)  # noqa: B023  # now
    return exchange.bytes_accepted


def _answer_some(lab: Lab, client: ProxyLLMClient, *, until: Callable[[], bool]) -> None:
    """Have four calls answered, each with a quantum after it, unless something happens first."""
    for _ in range(4):
        lab.ask(client)
        if lab.wait_until(until, quanta=1):
            return


@check("STR-13", "no cross-talk", profile="resilient", directions=STREAMS)
def no_cross_talk(lab: Lab) -> None:
    """Streams of one client that are read by turns each get their own answer."""
    names = [f"stream {number}" for number in range(20)]
    for name in names:
        lab.play(f"{name} says ", Gate("on"), name, Finish(), question=name)
    with lab.client() as client:
        readings = {name: lab.read(client, name) for name in names}
        for name, reading in readings.items():
            text = _text(_next(reading), name)
            lab.expect.equal(f"the beginning of {name}", f"{name} says ", text)
        lab.upstream.release("on")
        for name, reading in readings.items():
            text = _text(reading.rest(), f"the rest of {name}")
            lab.expect.equal(f"the end of {name}", f"{name} says {name}", text)


def _next(reading: Reading) -> list[ModelOutput]:
    """The next output; none at the end."""
    try:
        return [reading.next()]
    except StopIteration:
        return []


def _text(outputs: Sequence[object], what: str) -> str:
    """The text of the last output of what there was to be read."""
    if not outputs:
        raise Violation(f"{what} ended without any output")
    if not isinstance(last := outputs[-1], ModelOutput):
        raise Violation(f"{what} gave {last!r}, no output")
    return last.text


@check("STR-14", "parallel streams", profile="resilient", directions=STREAMS)
def parallel_streams(lab: Lab) -> None:
    """Many streams of one client are under way at once: none waits for another to end."""
    names = [f"stream {number}" for number in range(12)]
    for name in names:
        lab.play("a", Gate(name), "b", Finish(), question=name)
    with lab.client() as client, ExitStack() as gates:
        for name in names:
            gates.callback(lab.upstream.release, name)
        readings = _begun(lab, client, names)
        for name, reading in zip(names, readings, strict=True):
            lab.upstream.release(name)
            lab.expect.equal(f"the text of {name}", "ab", reading.rest()[-1].text)


def _begun(lab: Lab, client: ProxyLLMClient, names: Sequence[str]) -> list[Reading]:
    """Streams that each have had their first output."""
    readings = []
    for number, name in enumerate(names):
        reading = lab.read(client, name)
        try:
            reading.next()
        except TimeoutError:
            lab.expect.that(False, f"with {number} streams open, the next one didn't begin")
        readings.append(reading)
    return readings


@check("STR-16", "split and whole", profile="streaming")
def split_and_whole(lab: Lab) -> None:
    """The same answer comes out however its bytes are cut, byte by byte and in fragments."""
    for manner in (Split(1), Split(7), Fragment(5, ping_between=True)):
        output = lab.answer(manner, "Hello, ", "wörld 你好", Finish())
        lab.expect.equal(f"the text after {manner}", "Hello, wörld 你好", output.text)


_MANNERS: Sequence[Sequence[Step]] = (
    (Lines("\r\n"),),
    (Lines("\r"),),
    (Lines(comments=True),),
    (Lines(fields=True),),
    (Lines(blank=False),),
    (Lines(several=True),),
    (Lines(bom=True),),
    (Lines("\r\n", comments=True, fields=True, several=True, bom=True), Split(1)),
)
"""Ways to write events, as the standard of SSE has them (sections 9.2.5 and 9.2.6)."""


@check("STR-17", "events however they are written", profile="streaming")
def events_however_they_are_written(lab: Lab) -> None:
    """SSE's events say the same in whatever way of the standard's they are written.

    Lines end with CR, LF or both; there are comments, other fields, a byte order mark, no blank
    after the colon, and data on several lines.
    """
    for manner in _MANNERS:
        try:
            text = lab.answer(*manner, "Hello, ", "wörld 你好", Finish()).text
        except ProxyLLMError as error:
            told = f"{type(error).__name__}: {error}"
            raise Violation(f"of events with {manner[0]} the plugin made {told}") from None
        lab.expect.equal(f"the text of events with {manner[0]}", "Hello, wörld 你好", text)


@check("STR-18", "frames of all sizes", profile="streaming")
def frames_of_all_sizes(lab: Lab) -> None:
    """A message of many frames, down to a byte each, and one of a megabyte say the same."""
    many = Fragment(4096, ping_between=True)
    if not lab.leaves_out(many):
        output = lab.answer(many, "Hello, wörld 你好", Finish())
        lab.expect.equal(
            "the text of a message in thousands of frames", "Hello, wörld 你好", output.text
        )
    large = "wörld 你好 " * 65_536
    output = lab.answer(large, Finish())
    lab.expect.that(
        output.text == large,
        f"of {len(large)} characters in one message {len(output.text)} came, or others",
    )


@check("STR-19", "time to first piece", profile="complete", directions=STREAMS, must=False)
def time_to_first_piece(lab: Lab) -> None:
    """The time to the first piece of text runs from when the question is asked, and not before."""
    pause = 2 * lab.quantum
    lab.play(Noise(), Drip(pause), "a", Finish())
    with lab.client() as client:
        reading = lab.read(client)
        lab.wait_until(lambda: False, quanta=2)
        began = time.monotonic()
        first = reading.next()
        longest = time.monotonic() - began
        metrics = [first, *reading.rest()][-1].metrics
    told = metrics.time_to_first_delta if metrics else None
    lab.expect.that(told is not None, "the final output doesn't say when the first piece came")
    if told is not None:
        lab.expect.that(told <= longest, "the time to the first piece is longer than it took")
        lab.expect.that(told >= 0.9 * pause, "the time to the first piece ends before it came")
