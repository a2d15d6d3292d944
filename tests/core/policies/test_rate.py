"""So many calls and tokens a minute."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelplug import (
    ClientClosedError,
    Delta,
    Finish,
    LifecycleError,
    ModelRequest,
    QueueTimeoutError,
    RateGateError,
    ServerError,
    Timeouts,
    TokenCount,
    TotalTimeoutError,
    Usage,
    WrongUseError,
)
from modelplug.policies import Retry
from modelplug.policies.rate import LocalGate, RateLimit
from tests.support.scripted import AsyncScripted, AsyncTurns
from tests.support.virtual import run_virtually

PATIENT = ModelRequest(messages="hi", timeout=Timeouts(queue=None, total=None))


def gate(a_minute: int, burst: int | None = None) -> LocalGate:
    """A gate by the running loop's clock."""
    return LocalGate(a_minute, burst=burst, now=asyncio.get_running_loop().time)


def spending(*tokens: int) -> AsyncTurns:
    """A provider whose answers cost so much, one after the other."""
    bills = (Usage(prompt_tokens=0, completion_tokens=n, total_tokens=n) for n in tokens)
    return AsyncTurns(*([Delta("a"), Finish(usage=bill)] for bill in bills))


class Heavy(AsyncTurns):
    """A provider that counts each character as a token."""

    async def count_tokens(self, messages, model=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201  # as the base
        """Exactly."""
        n = sum(len(each.text) for each in messages)
        return TokenCount(n=n, exact=True, method="characters")


def test_a_number_is_no_gate() -> None:
    """It is refused when the limit is made, with what is meant instead."""
    with pytest.raises(WrongUseError, match="by a gate, not a int") as caught:
        RateLimit(AsyncTurns(), requests=5)  # type: ignore[arg-type]
    assert "LocalGate" in str(caught.value.hint)


class TestLocalGate:
    @pytest.mark.parametrize(("a_minute", "burst"), [(0, None), (-1, None), (1, 0)])
    def test_impossible_rates_are_refused(self, a_minute: int, burst: int | None) -> None:
        """It is one at least."""
        with pytest.raises(ValueError, match="at least 1"):
            LocalGate(a_minute, burst=burst)

    @given(
        a_minute=st.integers(1, 6000),
        burst=st.integers(1, 50),
        calls=st.lists(st.tuples(st.floats(0, 5), st.integers(1, 60)), max_size=60),
    )
    def test_no_more_pass_than_the_burst_and_the_rate(
        self, a_minute: int, burst: int, calls: list[tuple[float, int]]
    ) -> None:
        """Over any span of time, whoever comes when."""
        now, passed = 0.0, [(0.0, 0)]
        gate = LocalGate(a_minute, burst=burst, now=lambda: now)
        for pause, units in calls:
            now += pause
            if asyncio.run(gate.acquire(units)) == 0:
                passed.append((now, min(units, burst)))
        for i, (since, _) in enumerate(passed):
            total = sum(units for _, units in passed[i:])
            assert total <= burst + a_minute / 60 * (now - since) + 1

    @given(a_minute=st.integers(1, 6000), burst=st.integers(1, 50), units=st.integers(1, 60))
    def test_after_the_wait_that_it_tells_they_pass(
        self, a_minute: int, burst: int, units: int
    ) -> None:
        """What is told is enough, and not much more."""
        now = 0.0
        gate = LocalGate(a_minute, burst=burst, now=lambda: now)
        assert asyncio.run(gate.acquire(burst)) == 0
        seconds = asyncio.run(gate.acquire(units))
        assert seconds == pytest.approx(min(units, burst) * 60 / a_minute, rel=0.01, abs=0.01)
        now += seconds
        assert asyncio.run(gate.acquire(units)) == 0

    @given(
        charges=st.lists(st.integers(1, 60), max_size=5),
        burst=st.integers(30, 60),
        idle=st.floats(0, 100),
    )
    def test_what_is_charged_beyond_the_burst_is_owed(
        self, charges: list[int], burst: int, idle: float
    ) -> None:
        """All of it: it is made up for by the time that passes, a unit a second here."""
        now = 0.0
        gate = LocalGate(60, burst=burst, now=lambda: now)
        for units in charges:
            gate.charge(units)
        now += idle
        left = min(burst, burst - sum(charges) + idle)
        assert asyncio.run(gate.acquire(1)) == pytest.approx(max(0, 1 - left), abs=0.01)

    def test_no_more_is_owed_than_ten_bursts(self) -> None:
        """A service's figure that is no possible one doesn't shut it for ever."""
        gate = LocalGate(60, burst=10, now=lambda: 0.0)
        for _ in range(3):
            gate.charge(10**18)
        assert asyncio.run(gate.acquire(1)) == pytest.approx(91)

    @pytest.mark.parametrize("units", [5, 10, 10**18])
    def test_what_is_given_back_may_pass_again(self, units: int) -> None:
        """Up to the burst and no further."""
        gate = LocalGate(60, burst=10, now=lambda: 0.0)
        assert asyncio.run(gate.acquire(10)) == 0
        gate.charge(-units)
        passing = min(units, 10)
        waits = [asyncio.run(gate.acquire(1)) for _ in range(passing + 1)]
        assert [*[0.0] * passing, 1.0] == waits

    def test_threads_share_it(self) -> None:
        """Ten pass, whoever asks."""
        gate = LocalGate(60, burst=10, now=lambda: 0.0)
        waits: list[float] = []

        def ask() -> None:
            waits.extend(asyncio.run(gate.acquire(1)) for _ in range(10))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(waits), waits.count(0)) == (40, 10)


def test_calls_wait_for_their_turn() -> None:
    """One at once and one a second: ten calls take nine seconds."""

    async def main() -> float:
        limited = RateLimit(AsyncScripted(Finish()), requests=gate(60, 1))
        await asyncio.gather(*(limited.generate(PATIENT) for _ in range(10)))
        return asyncio.get_running_loop().time()

    assert run_virtually(main()) == pytest.approx(9, abs=0.1)


def test_a_turn_that_would_come_too_late_is_not_waited_for() -> None:
    """The call fails at once, and tells when it would come."""

    async def main() -> tuple[object, ...]:
        limited = RateLimit(AsyncScripted(Finish()), requests=gate(6, 1))
        asked = ModelRequest(messages="hi", timeout=Timeouts(queue=9))
        await limited.generate(asked)
        with pytest.raises(RateGateError) as caught:
            await limited.generate(asked)
        error = caught.value
        return asyncio.get_running_loop().time(), error.retry_after, error.sent

    assert run_virtually(main()) == (0, pytest.approx(10), "no")


def test_the_queue_s_limit_is_for_all_turns_together() -> None:
    """Whoever is overtaken again and again doesn't wait for ever."""

    async def main() -> float:
        class Slow(LocalGate):
            async def acquire(self, units: int) -> float:
                return 4.0

        limited = RateLimit(AsyncScripted(Finish()), requests=Slow(1))
        with pytest.raises(RateGateError):
            await limited.generate(ModelRequest(messages="hi", timeout=Timeouts(queue=10)))
        return asyncio.get_running_loop().time()

    assert run_virtually(main()) == 8


def test_the_deadline_ends_the_wait() -> None:
    """At its very moment."""

    async def main() -> float:
        limited = RateLimit(AsyncScripted(Finish()), requests=gate(1, 1))
        await limited.generate(PATIENT)
        with pytest.raises(TotalTimeoutError):
            await limited.generate(
                ModelRequest(messages="hi", timeout=Timeouts(queue=None, total=9))
            )
        return asyncio.get_running_loop().time()

    assert run_virtually(main()) == 9


@pytest.mark.parametrize("how", ["cancel", "aclose", "client"])
def test_whoever_leaves_at_the_gate_leaves_nothing(how: str) -> None:
    """The right end, at once; the next call has its turn as if nobody had waited."""

    async def main() -> tuple[type[object], float, object, int]:
        loop = asyncio.get_running_loop()
        provider, requests = AsyncScripted(Finish()), gate(6, 1)
        limited = RateLimit(provider, requests=requests)
        await limited.generate(PATIENT)
        stream = limited.generate_stream(PATIENT)
        task = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(5)
        if how == "cancel":
            task.cancel()
        elif how == "aclose":
            await stream.aclose()
        else:
            await limited.aclose()
        (gone,) = await asyncio.gather(task, return_exceptions=True)
        left = loop.time()
        await RateLimit(AsyncScripted(Finish()), requests=requests).generate(PATIENT)
        return type(gone), left, loop.time(), len(asyncio.all_tasks())

    kind, left, after, tasks = run_virtually(main())
    expected = {"aclose": LifecycleError, "client": ClientClosedError}
    assert kind is expected.get(how, asyncio.CancelledError)
    assert (left, after, tasks) == (5, pytest.approx(10, abs=0.01), 1)


class Counting:
    """A gate that lets all pass, and notes how much, and what is charged besides."""

    def __init__(self, burst: int = 10**9) -> None:
        self.burst = burst
        self.asked: list[int] = []
        self.charged: list[int] = []
        self.closed = 0

    async def acquire(self, units: int) -> float:
        """Nothing to wait for."""
        self.asked.append(units)
        return 0.0

    def charge(self, units: int) -> None:
        """Noted."""
        self.charged.append(units)

    def close(self) -> None:
        """Noted."""
        self.closed += 1


def test_tokens_are_estimated_and_settled() -> None:
    """What a call cost beyond its estimate is charged at its end, and what it cost less is not."""

    async def main() -> Counting:
        tokens = Counting()
        client = Heavy(*spending(50, 10, 2).steps)
        limited = RateLimit(client, tokens=tokens)
        for _ in range(3):
            await limited.generate(ModelRequest(messages="12345", max_new_tokens=5))
        return tokens

    tokens = asyncio.run(main())
    assert (tokens.asked, tokens.charged) == ([10, 10, 10], [40, -8])


@given(st.lists(st.integers(0, 100), min_size=1, max_size=15), st.integers(1, 10))
def test_in_the_end_all_tokens_are_paid(costs: list[int], burst: int) -> None:
    """What passed and what was charged is together what the calls cost."""
    tokens = Counting(burst)
    limited = RateLimit(Heavy(*spending(*costs).steps), tokens=tokens)

    async def main() -> None:
        for _ in costs:
            await limited.generate("12345")

    asyncio.run(main())
    assert {min(5, burst)} == set(tokens.asked)
    assert sum(costs) == sum(tokens.asked) + sum(tokens.charged)


def test_a_cost_beyond_the_burst_is_made_up_for() -> None:
    """The call after one that cost four minutes' worth waits until they are over."""

    async def main() -> tuple[float, float | None]:
        loop = asyncio.get_running_loop()
        limited = RateLimit(Heavy(*spending(400, 100).steps), tokens=gate(100))
        await limited.generate(ModelRequest(messages="12345", max_new_tokens=95))
        with pytest.raises(RateGateError) as caught:
            await limited.generate("1")
        await limited.generate(ModelRequest(messages="x" * 100, timeout=PATIENT.timeout))
        return loop.time(), caught.value.retry_after

    over, retry_after = run_virtually(main())
    assert (over, retry_after) == pytest.approx((240, 180.6), abs=0.1)


@pytest.mark.parametrize("cost", [-(10**9), True, -1])
def test_a_cost_that_can_t_be_gives_nothing_back(cost: int) -> None:
    """It is the service's word, and would open the gate for all that follow."""
    tokens = Counting()
    bill = Usage(prompt_tokens=1, completion_tokens=1, total_tokens=cost)
    RateLimit(Heavy([Finish(usage=bill)]), tokens=tokens).sync_generate("12345")
    assert (tokens.asked, tokens.charged) == ([5], [])


def test_the_queue_s_limit_is_for_counting_and_for_gates_too() -> None:
    """Where the threads that they need are busy, or a gate hangs."""

    async def main() -> list[tuple[float, float | None]]:
        class Hanging(Counting):
            async def acquire(self, units: int) -> float:
                await asyncio.sleep(99)
                return 0.0

        class Lost(Heavy):
            async def count_tokens(self, messages, model=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202  # as the base
                await asyncio.sleep(2)
                return TokenCount(n=1, exact=True, method="at last")

        loop, ends = asyncio.get_running_loop(), []
        for client, gates in (
            (Lost([Finish()]), Hanging()),
            (Lost([Finish()]), Counting()),
        ):
            began = loop.time()
            limited = RateLimit(client, tokens=gates)
            seconds = 3 if isinstance(gates, Hanging) else 1
            with pytest.raises(QueueTimeoutError) as caught:
                await limited.generate(ModelRequest(messages="hi", timeout=Timeouts(queue=seconds)))
            ends.append((loop.time() - began, caught.value.limit))
        return ends

    assert run_virtually(main()) == [(3, 3), (1, 1)]


def test_its_gates_are_closed_with_it() -> None:
    """And with whatever stands around it."""
    gates = [Counting(), Counting()]
    limited = RateLimit(AsyncScripted(Finish()), requests=gates[0], tokens=gates[1])
    Retry(limited).close()
    assert [each.closed for each in gates] == [1, 1]


def test_a_call_that_never_was_costs_no_tokens() -> None:
    """The gate of calls refused it, after that of tokens had let it pass."""

    async def main() -> Counting:
        tokens = Counting()
        limited = RateLimit(Heavy([Finish()]), tokens=tokens, requests=gate(1, 1))
        request = ModelRequest(messages="12345", timeout=Timeouts(queue=1))
        await limited.generate(request)
        with pytest.raises(RateGateError):
            await limited.generate(request)
        return tokens

    tokens = run_virtually(main())
    assert (tokens.asked, tokens.charged) == ([5, 5], [-5])


def test_a_call_that_fails_has_paid_its_estimate() -> None:
    """Nobody knows what it cost; no more is owed."""
    tokens = Counting()
    limited = RateLimit(Heavy([ServerError]), tokens=tokens)
    for _ in range(2):
        with pytest.raises(ServerError):
            limited.sync_generate("12345")
    assert (tokens.asked, tokens.charged) == ([5, 5], [])


def test_without_its_library_it_says_what_to_install() -> None:
    """And nothing else of the package needs it."""
    code = (
        "import sys; sys.modules['pyrate_limiter'] = None\n"
        "import modelplug.policies, modelplug\n"
        "try:\n    import modelplug.policies.rate\n"
        "except modelplug.MissingDependencyError as error:\n    print(error.hint)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "pip install 'modelplug[limits]'\n"


async def test_a_question_too_long_to_count_is_estimated_by_its_length() -> None:
    """A megabyte isn't counted before it is sent: what it cost is settled afterwards."""
    gate = Counting()
    client = RateLimit(spending(1), tokens=gate)
    await client.generate("x" * 1_000_000)
    assert gate.asked == [250_000]
