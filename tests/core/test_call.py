"""What a provider is given for one attempt, and what it reports."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from unittest.mock import Mock

import pytest

from modelplug import (
    Call,
    Credential,
    ModelOutput,
    ModelRequest,
    Secret,
    Timeouts,
    UnsupportedOptionError,
)
from modelplug import call as call_module
from modelplug.errors import Phase, Sent
from modelplug.output import Answer
from modelplug.request import OnUnsupported

KEY = "Zq7Canary+X9/secret"


def at_once(*jobs: Callable[[], object]) -> None:
    """Run ``jobs`` on a thread each, all begun together, and wait for their end."""
    barrier = threading.Barrier(len(jobs))

    def run(job: Callable[[], object]) -> None:
        barrier.wait()
        job()

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def each(jobs: Iterable[Callable[[], object]]) -> None:
    """Run ``jobs`` one after the other."""
    for job in jobs:
        job()


class TestAttributes:
    def test_a_call_knows_little_by_itself(self) -> None:
        """It is the first attempt, with the usual clocks, and nothing has happened."""
        call = Call()
        assert (call.timeouts, call.deadline, call.request_id) == (Timeouts(), None, None)
        assert (call.attempt, call.phase, call.sent, call.aborted) == (1, "start", "no", False)

    def test_a_call_says_what_it_was_made_with(self) -> None:
        """A provider reads its clocks, the caller's name for the call and the attempt."""
        answer = Answer()
        call = Call(
            timeouts=Timeouts(idle=1), deadline=5.0, request_id="r", attempt=2, answer=answer
        )
        assert (call.timeouts, call.deadline, call.request_id) == (Timeouts(idle=1), 5.0, "r")
        assert (call.attempt, call.answer) == (2, answer)

    def test_a_misspelt_attribute_is_refused(self) -> None:
        """What a call doesn't have can't be put on it by accident."""
        with pytest.raises(AttributeError):
            setattr(Call(), "atempt", 2)  # noqa: B010  # mypy refuses the other way

    @pytest.mark.parametrize(
        ("deadline", "expected"), [(None, None), (160.0, 60.0), (100.0, 0.0), (99.0, 0.0)]
    )
    def test_what_remains_is_never_negative(
        self, monkeypatch: pytest.MonkeyPatch, deadline: float | None, expected: float | None
    ) -> None:
        """Seconds until the deadline, by the monotonic clock; 0 once it has passed."""
        monkeypatch.setattr(call_module, "monotonic", lambda: 100.0)
        assert expected == Call(deadline=deadline).remaining()


class TestReached:
    @pytest.mark.parametrize(
        ("phases", "expected"),
        [
            ([], "no"),
            (["connecting"], "no"),
            (["connecting", "open"], "no"),
            (["connecting", "open", "sent"], "maybe"),
            (["streaming"], "yes"),
            (["sent", "streaming", "ended"], "yes"),
            (["ended"], "yes"),
            (["sent", "open"], "maybe"),
        ],
        ids=lambda value: "-".join(value) if isinstance(value, list) else value,
    )
    def test_a_phase_tells_whether_the_request_was_sent(
        self, phases: list[Phase], expected: Sent
    ) -> None:
        """Until it is sent the service can't have seen it; once it answers it has."""
        call = Call()
        each(partial(call.reached, phase) for phase in phases)
        assert (call.phase, call.sent) == ((phases or ["start"])[-1], expected)

    @pytest.mark.parametrize("sent", ["no", "maybe", "yes"])
    @pytest.mark.parametrize("phase", ["connecting", "open", "sent", "streaming", "ended"])
    def test_a_provider_may_know_better(self, phase: Phase, sent: Sent) -> None:
        """What the provider says of the request wins over what the phase tells."""
        call = Call()
        call.reached(phase, sent=sent)
        assert (phase, sent) == (call.phase, call.sent)

    def test_the_clocks_are_told_of_each_phase(self) -> None:
        """Whoever keeps the clocks hears of every phase, in order, after it has begun."""
        heard: list[tuple[Phase, Phase, int]] = []
        call = Call(
            attempt=2, on_phase=lambda phase, attempt: heard.append((phase, call.phase, attempt))
        )
        phases: list[Phase] = ["connecting", "open", "sent"]
        each(partial(call.reached, phase) for phase in phases)
        assert heard == [(phase, phase, 2) for phase in phases]


class TestNote:
    def test_what_is_noted_is_on_the_outputs(self) -> None:
        """The service's name for the call and the model that answers show at once."""
        call = Call(answer=Answer(model="asked-for"))
        output = ModelOutput.so_far(call.answer)
        call.note(request_id="r", model="answering")
        assert (output.request_id, output.model) == ("r", "answering")

    def test_what_isn_t_noted_stays(self) -> None:
        """Noting one thing doesn't forget another."""
        call = Call()
        call.note(request_id="r", model="m")
        call.note(warning="odd")
        call.note()
        assert (call.answer.request_id, call.answer.model) == ("r", "m")

    def test_the_last_word_counts(self) -> None:
        """A service that renames the call is believed."""
        call = Call()
        call.note(request_id="a")
        call.note(request_id="b")
        assert call.answer.request_id == "b"

    def test_warnings_add_up(self) -> None:
        """Every warning is kept, in the order in which they came."""
        call = Call()
        each(partial(call.note, warning=text) for text in ("a", "b", "a"))
        assert call.answer.warnings == ("a", "b", "a")

    def test_once_it_is_aborted_nothing_is_noted(self) -> None:
        """A thread that its abort hasn't reached yet spoils no answer that comes after it."""
        answer = Answer(model="another's")
        call = Call(answer=answer)
        call.abort()
        call.note(request_id="r", model="m", warning="w")
        assert (answer.request_id, answer.model, answer.warnings) == (None, "another's", ())

    def test_the_caller_s_own_name_stays(self) -> None:
        """The service's name for the call doesn't replace the caller's."""
        call = Call(request_id="mine")
        call.note(request_id="theirs")
        assert (call.request_id, call.answer.request_id) == ("mine", "theirs")


class TestLeaveOut:
    @pytest.mark.parametrize("policy", [None, "error"])
    @pytest.mark.parametrize(
        ("hint", "told"), [("use that", "use that"), (None, "on_unsupported='warn'")]
    )
    def test_what_cant_be_is_refused(
        self, policy: OnUnsupported | None, hint: str | None, told: str
    ) -> None:
        """With the plugin's hint, or the one that fits all."""
        call, request = Call(), ModelRequest(messages="hi", on_unsupported=policy)
        with pytest.raises(UnsupportedOptionError, match=r"^not that") as caught:
            call.leave_out(request, "not that", hint=hint)
        assert told in str(caught.value.hint)
        assert call.answer.warnings == ()

    @pytest.mark.parametrize(
        ("policy", "warnings"), [("warn", ("left out: not that",)), ("drop", ())]
    )
    def test_it_may_be_a_warning_or_nothing(
        self, policy: OnUnsupported, warnings: tuple[str, ...]
    ) -> None:
        """As the request wants it."""
        call = Call()
        call.leave_out(ModelRequest(messages="hi", on_unsupported=policy), "not that")
        assert warnings == call.answer.warnings


class TestCredential:
    def test_a_call_needs_no_credential(self) -> None:
        """A backend that needs none gets an empty one."""
        assert Call().credential() == Credential()

    def test_a_credential_is_read_at_each_attempt(self) -> None:
        """A key that was rotated is used from the next time on."""
        given = iter([Credential(app_id="a"), Credential(app_id="b")])
        call = Call(credentials=lambda: next(given))
        assert [call.credential().app_id, call.credential().app_id] == ["a", "b"]

    def test_nothing_is_read_before_it_is_asked_for(self) -> None:
        """Making a call doesn't touch the secrets."""
        credentials = Mock(return_value=Credential())
        call = Call(credentials=credentials)
        call.abort()
        assert credentials.mock_calls == []

    @pytest.mark.parametrize("field", ["api_key", "api_secret"])
    def test_a_credential_is_scrubbed(self, field: str) -> None:
        """What was used to authenticate is taken out of what the service says."""
        credential = Credential(**{field: Secret(KEY)})  # type: ignore[arg-type]  # a secret field
        call = Call(credentials=lambda: credential)
        call.credential()
        assert call.scrub(f"bad key {KEY}") == "bad key **********"

    def test_every_credential_of_the_call_is_scrubbed(self) -> None:
        """Also the one that was rotated away, which a late error may repeat."""
        given = iter([Secret("first-key"), Secret("second-key")])
        call = Call(credentials=lambda: Credential(api_key=next(given)))
        call.credential()
        call.credential()
        assert call.scrub("first-key second-key") == "********** **********"

    def test_what_is_concealed_is_scrubbed(self) -> None:
        """A signature is as secret as the key that it was made with."""
        call = Call()
        call.conceal(Secret("signature-1"), Secret("signature-2"))
        assert call.scrub("signature-1, signature-2") == "**********, **********"

    def test_a_call_without_secrets_scrubs_nothing(self) -> None:
        """Text without secrets is left alone."""
        assert Call().scrub(f"bad key {KEY}") == f"bad key {KEY}"


class TestAbort:
    def test_abort_calls_every_callback(self) -> None:
        """Whatever was registered to cut the connection is called."""
        called: Counter[str] = Counter()
        call = Call()
        each(partial(call.on_abort, partial(called.update, [name])) for name in "abc")
        assert called == Counter()
        call.abort()
        assert called == Counter("abc")

    def test_abort_calls_nothing_twice(self) -> None:
        """A second abort is harmless."""
        called: Counter[str] = Counter()
        call = Call()
        call.on_abort(partial(called.update, ["a"]))
        each([call.abort, call.abort])
        assert called == Counter("a")

    def test_a_callback_that_comes_late_is_called_at_once(self) -> None:
        """A connection that comes about after the caller has left is cut right away."""
        called: Counter[str] = Counter()
        call = Call()
        call.abort()
        call.on_abort(partial(called.update, ["a"]))
        assert called == Counter("a")
        call.abort()
        assert called == Counter("a")

    def test_a_call_is_aborted_before_callbacks_run(self) -> None:
        """A provider that is woken by its callback sees why."""
        seen: list[bool] = []
        call = Call()
        call.on_abort(lambda: seen.append(call.aborted))
        call.abort()
        assert seen == [True]

    def test_a_callback_may_register_another(self) -> None:
        """What is registered while the call is being aborted is called too."""
        called: Counter[str] = Counter()
        call = Call()
        call.on_abort(lambda: call.on_abort(partial(called.update, ["a"])))
        call.abort()
        assert called == Counter("a")

    @pytest.mark.parametrize("kind", [OSError, BaseException, asyncio.CancelledError])
    def test_a_callback_that_fails_stops_no_other(
        self, caplog: pytest.LogCaptureFixture, kind: type[BaseException]
    ) -> None:
        """The others are called, nothing is raised, and the log names the kind of failure alone."""
        called: Counter[str] = Counter()
        call = Call()

        def fail() -> None:
            raise kind(KEY)

        each(partial(call.on_abort, job) for job in (partial(called.update, ["a"]), fail))
        call.abort()
        assert called == Counter("a")
        assert caplog.record_tuples == [
            ("modelplug", logging.WARNING, f"a plugin's abort failed: {kind.__name__}")
        ]

    def test_an_interrupt_passes_through(self) -> None:
        """Ctrl-C during an abort is not a plugin's failure."""

        def interrupt() -> None:
            raise KeyboardInterrupt

        called: Counter[str] = Counter()
        call = Call()
        call.on_abort(partial(called.update, ["a"]))
        call.on_abort(interrupt)
        with pytest.raises(KeyboardInterrupt):
            call.abort()
        assert called == Counter("a")

    def test_callbacks_are_called_once_from_any_thread(self) -> None:
        """However many threads abort at once, each callback runs once."""
        called: Counter[int] = Counter()
        call = Call()
        each(partial(call.on_abort, partial(called.update, [at])) for at in range(500))
        at_once(*[call.abort] * 8)
        assert called == Counter(range(500))

    def test_a_log_handler_that_raises_stops_no_callback(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What can't be logged keeps no connection from being cut."""
        monkeypatch.setattr(call_module.log, "warning", Mock(side_effect=OSError("disk full")))
        called: Counter[str] = Counter()
        call = Call()
        for job in (partial(called.update, ["a"]), Mock(side_effect=ValueError)):
            call.on_abort(job)
        call.abort()
        assert called == Counter("a")

    def test_no_callback_is_missed_while_another_thread_aborts(self) -> None:
        """A callback that is registered during an abort runs once too."""
        called: Counter[int] = Counter()
        for _ in range(50):
            call = Call()
            register = [partial(call.on_abort, partial(called.update, [at])) for at in range(20)]
            at_once(call.abort, partial(each, register))
        assert called == Counter(dict.fromkeys(range(20), 50))
