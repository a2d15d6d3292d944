"""The error tree: codes, fields, and how errors travel."""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from modelplug import (
    ConfigSyntaxError,
    ConnectionLostError,
    ContentFilterError,
    DeadlineError,
    HandshakeError,
    ModelOutput,
    OverloadedError,
    ProxyLLMError,
    RateLimitError,
    ServerError,
    TotalTimeoutError,
    errors,
)


class Row(NamedTuple):
    """One class of the contract's table."""

    name: str
    code: int
    parent: str
    retryable: bool = False


ROOT = Row("ProxyLLMError", 1, "Exception")

TABLE = [
    Row("ConfigError", 100, "ProxyLLMError"),
    Row("ConfigSyntaxError", 101, "ConfigError"),
    Row("MissingCredentialError", 102, "ConfigError"),
    Row("InvalidCredentialError", 103, "ConfigError"),
    Row("UnsafeEndpointError", 104, "ConfigError"),
    Row("UnsupportedOptionError", 105, "ConfigError"),
    Row("MissingDependencyError", 106, "ConfigError"),
    Row("PluginError", 200, "ProxyLLMError"),
    Row("BackendNotFoundError", 201, "PluginError"),
    Row("PluginLoadError", 202, "PluginError"),
    Row("PluginConflictError", 203, "PluginError"),
    Row("PluginIncompatibleError", 204, "PluginError"),
    Row("PluginContractError", 205, "PluginError"),
    Row("TransportError", 300, "ProxyLLMError", retryable=True),
    Row("ResolveError", 301, "TransportError", retryable=True),
    Row("ConnectError", 302, "TransportError", retryable=True),
    Row("TlsError", 303, "TransportError"),
    Row("HandshakeError", 304, "TransportError"),
    Row("ConnectionLostError", 305, "TransportError", retryable=True),
    Row("DeadlineError", 400, "ProxyLLMError", retryable=True),
    Row("ConnectTimeoutError", 401, "DeadlineError", retryable=True),
    Row("FirstDeltaTimeoutError", 402, "DeadlineError", retryable=True),
    Row("IdleTimeoutError", 403, "DeadlineError", retryable=True),
    Row("TotalTimeoutError", 404, "DeadlineError"),
    Row("QueueTimeoutError", 405, "DeadlineError", retryable=True),
    Row("ProtocolError", 500, "ProxyLLMError"),
    Row("DecodeError", 501, "ProtocolError"),
    Row("SchemaError", 502, "ProtocolError"),
    Row("SequenceError", 503, "ProtocolError"),
    Row("TooLargeError", 504, "ProtocolError"),
    Row("TruncatedStreamError", 505, "ProtocolError", retryable=True),
    Row("BackendError", 600, "ProxyLLMError"),
    Row("AuthenticationError", 601, "BackendError"),
    Row("PermissionDeniedError", 602, "BackendError"),
    Row("RateLimitError", 603, "BackendError", retryable=True),
    Row("ConcurrencyLimitError", 604, "BackendError", retryable=True),
    Row("QuotaError", 605, "BackendError"),
    Row("OverloadedError", 606, "BackendError", retryable=True),
    Row("BadRequestError", 607, "BackendError"),
    Row("ContextLengthError", 608, "BackendError"),
    Row("ContentFilterError", 609, "BackendError"),
    Row("ModelNotFoundError", 610, "BackendError"),
    Row("ServerError", 611, "BackendError", retryable=True),
    Row("LocalLimitError", 700, "ProxyLLMError", retryable=True),
    Row("QueueFullError", 701, "LocalLimitError", retryable=True),
    Row("CircuitOpenError", 702, "LocalLimitError", retryable=True),
    Row("RateGateError", 703, "LocalLimitError", retryable=True),
    Row("LifecycleError", 800, "ProxyLLMError"),
    Row("ClientClosedError", 801, "LifecycleError"),
    Row("WrongUseError", 802, "LifecycleError"),
]
"""The contract's table, typed out: a code that changes breaks whoever has stored one."""

EVERY = pytest.mark.parametrize("row", [ROOT, *TABLE], ids=lambda row: str(row.name))

UNSET: errors.ErrorFields = {
    "backend": None,
    "model": None,
    "phase": None,
    "retryable": False,
    "retry_after": None,
    "sent": None,
    "provider_code": None,
    "provider_message": None,
    "request_id": None,
    "partial": None,
    "hint": None,
    "attempts": (),
}

FIELDS: errors.ErrorFields = {
    "backend": "acme",
    "model": "m",
    "phase": "streaming",
    "retryable": True,
    "retry_after": 1.5,
    "sent": "yes",
    "provider_code": 10013,
    "provider_message": "input refused",
    "request_id": "r",
    "partial": ModelOutput("so far", final=False),
    "hint": "ask something else",
    "attempts": ("one",),
}
"""A value other than the default for every field."""

OWN_FIELDS: dict[str, dict[str, Any]] = {
    "ConfigSyntaxError": {"column": 7},
    "HandshakeError": {"status": 401},
    "DeadlineError": {"limit": 5.0},
    "ConnectTimeoutError": {"limit": 5.0},
    "FirstDeltaTimeoutError": {"limit": 5.0},
    "IdleTimeoutError": {"limit": 5.0},
    "TotalTimeoutError": {"limit": 5.0},
    "QueueTimeoutError": {"limit": 5.0},
    "ContentFilterError": {"stage": "output"},
}
"""What some classes tell beside what all do."""


def class_of(name: str) -> type[ProxyLLMError]:
    """The error class of that name."""
    found: type[ProxyLLMError] = getattr(errors, name)
    return found


def full(name: str) -> ProxyLLMError:
    """An error of a class with all of its fields set."""
    return class_of(name)("it failed", **FIELDS, **OWN_FIELDS.get(name, {}))


def test_the_table_has_every_error() -> None:
    """No class is outside the contract's table."""
    assert sorted(row.name for row in [ROOT, *TABLE]) == errors.__all__


@EVERY
def test_codes_are_those_of_the_contract(row: Row) -> None:
    """A class has the one code that the contract gave it."""
    assert row.code == class_of(row.name).code == full(row.name).code


def test_no_code_is_used_twice() -> None:
    """A code tells which class it was."""
    assert len({row.code for row in TABLE}) == len(TABLE)


@EVERY
def test_the_tree_is_that_of_the_contract(row: Row) -> None:
    """Whoever catches a group catches all of its members."""
    assert row.parent == class_of(row.name).__bases__[0].__name__


@EVERY
def test_the_drawn_tree_has_every_error(row: Row) -> None:
    """The module's docstring shows each class with its code."""
    shown = row.name if row is ROOT else f"{row.name} {row.code}"
    assert shown in (errors.__doc__ or "")


@EVERY
def test_retryable_is_a_default_of_the_class(row: Row) -> None:
    """Each class says whether the same call may well succeed later."""
    assert row.retryable is class_of(row.name)("it failed").retryable


@EVERY
@pytest.mark.parametrize("retryable", [True, False])
def test_an_error_may_know_better_than_its_class(row: Row, retryable: bool) -> None:
    """What a service says of one failure wins over what its class says."""
    assert retryable is class_of(row.name)("it failed", retryable=retryable).retryable
    assert row.retryable is class_of(row.name).retryable


@EVERY
def test_only_clocks_are_timeouts(row: Row) -> None:
    """Python's own TimeoutError catches exactly the deadlines."""
    cls = class_of(row.name)
    assert issubclass(cls, TimeoutError) is issubclass(cls, DeadlineError)


@EVERY
def test_no_error_looks_like_a_cancellation(row: Row) -> None:
    """Whoever catches all of these never catches what must pass through."""
    others = (asyncio.CancelledError, KeyboardInterrupt, StopIteration, StopAsyncIteration)
    assert not issubclass(class_of(row.name), others)


@EVERY
def test_fields_are_unset_unless_given(row: Row) -> None:
    """What isn't known of a failure is None."""
    error = class_of(row.name)("it failed")
    expected = UNSET | {"retryable": row.retryable, "hint": class_of(row.name).hint}
    assert expected == {name: getattr(error, name) for name in UNSET}
    assert all(getattr(error, name) is None for name in OWN_FIELDS.get(row.name, {}))


@pytest.mark.parametrize("kind", [OverloadedError, ConnectionLostError])
def test_what_helps_by_itself_has_a_hint(kind: type[ProxyLLMError]) -> None:
    """Whoever raises it with none of its own, or says so, leaves that of the class."""
    for error in (kind("it failed"), kind("it failed", hint=None)):
        assert "try again" in str(error.hint)
    assert kind("it failed", hint="own").hint == "own"


@EVERY
def test_fields_are_attributes(row: Row) -> None:
    """What is known of a failure is read by name, and the message is one of it."""
    error = full(row.name)
    expected = {"message": "it failed", **FIELDS, **OWN_FIELDS.get(row.name, {})}
    assert expected == {name: getattr(error, name) for name in expected}
    assert error.args == ("it failed",)


@EVERY
def test_a_field_that_errors_don_t_have_is_refused(row: Row) -> None:
    """A misspelt field is an error and no silence, and no code is given away."""
    cls = class_of(row.name)
    with pytest.raises(TypeError, match="no field retry_afer"):
        cls("it failed", retry_afer=1)  # type: ignore[call-arg]  # the point of the test
    with pytest.raises(TypeError, match="no field code"):
        cls("it failed", code=1)  # type: ignore[call-arg]  # the point of the test


@EVERY
@pytest.mark.parametrize("way", ["copy", "deepcopy", "pickle"])
def test_errors_travel_with_their_fields(row: Row, way: str) -> None:
    """A copy, or what comes out of a pickle, is of the same class and says the same."""
    error = full(row.name)
    ways: dict[str, Callable[[ProxyLLMError], ProxyLLMError]] = {
        "copy": copy.copy,
        "deepcopy": copy.deepcopy,
        "pickle": lambda error: pickle.loads(pickle.dumps(error)),  # noqa: S301  # our own
    }
    arrived = ways[way](error)
    assert (type(error), error.args, str(error)) == (type(arrived), arrived.args, str(arrived))
    assert vars(error) == vars(arrived)


def test_a_plugin_s_own_error_travels_too() -> None:
    """A subclass needs to do nothing to be copied with its fields."""

    class AcmeError(ServerError):
        """What only acme has."""

    error = AcmeError("it failed", **FIELDS)
    assert vars(error) == vars(copy.copy(error))
    assert (AcmeError, 611) == (type(copy.copy(error)), error.code)


def test_attributes_that_are_added_travel_too() -> None:
    """Notes, and whatever else was put on an error, aren't lost on the way."""
    error = ServerError("it failed")
    error.add_note("while asking acme")
    assert copy.copy(error).__notes__ == ["while asking acme"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({}, "it failed", id="nothing"),
        pytest.param({"backend": "acme"}, "it failed [backend acme]", id="backend"),
        pytest.param({"provider_code": 0}, "it failed [provider code 0]", id="zero"),
        pytest.param(
            FIELDS,
            "it failed [backend acme, model m, provider code 10013, request id r]",
            id="all",
        ),
    ],
)
def test_an_error_reads_as_a_sentence(fields: errors.ErrorFields, expected: str) -> None:
    """Its text says what failed and whom to ask about it, and shows nobody's conversation."""
    assert expected == str(ServerError("it failed", **fields))


def test_a_deadline_s_text_is_that_of_any_error() -> None:
    """That it is an operating system's error too doesn't change what it says."""
    error = TotalTimeoutError("not done in 5 s", limit=5, backend="acme")
    assert str(error) == "not done in 5 s [backend acme]"
    assert error.errno is None


def test_own_fields_are_given_by_keyword() -> None:
    """Beside the message nothing is given by position."""
    for cls in (ConfigSyntaxError, HandshakeError, DeadlineError, ContentFilterError):
        with pytest.raises(TypeError):
            cls("it failed", None)  # type: ignore[call-arg]  # the point of the test


class TestComplete:
    def test_what_is_missing_is_added(self) -> None:
        """Whoever raised the error couldn't know all of it."""
        error = ServerError("it failed")
        error.complete(**FIELDS)
        assert {name: getattr(error, name) for name in FIELDS} == FIELDS

    def test_what_is_there_stays(self) -> None:
        """The one who raised the error knew better, and 0 and False are something."""
        error = ServerError("it failed", backend="own", retry_after=0, provider_code=0, sent="no")
        error.retryable = False
        error.complete(**FIELDS)
        assert (error.backend, error.retry_after, error.provider_code) == ("own", 0, 0)
        assert (error.sent, error.retryable, error.model) == ("no", False, "m")

    def test_completing_twice_changes_nothing(self) -> None:
        """The first to know is the nearest to the failure."""
        error = ServerError("it failed")
        error.complete(model="a", partial=ModelOutput("a"))
        error.complete(model="b", partial=ModelOutput("b"))
        assert (error.model, error.partial) == ("a", ModelOutput("a"))


class TestRewrite:
    def test_every_text_is_put_through(self) -> None:
        """Whatever the service could have put a secret into is rewritten."""
        error = ServerError("it failed", **FIELDS)
        error.provider_code = "E_full"
        error.rewrite(str.upper)
        assert str(error) == "IT FAILED [backend ACME, model M, provider code E_FULL, request id R]"
        assert (error.provider_message, error.hint) == ("INPUT REFUSED", "ASK SOMETHING ELSE")
        assert error.args == ("IT FAILED",)

    def test_what_is_no_text_stays(self) -> None:
        """Numbers, the answer so far and what isn't set are left alone."""
        error = RateLimitError("it failed", retry_after=1.5, provider_code=7, partial=None)
        before = {name: value for name, value in vars(error).items() if name != "message"}
        error.rewrite(str.upper)
        assert before | {"message": "IT FAILED"} == vars(error)

    def test_a_pickle_has_no_text_from_before(self) -> None:
        """What was taken out is nowhere in the error any more."""
        error = TotalTimeoutError("canary", hint="canary", request_id="canary")
        error.rewrite(lambda text: text.replace("canary", "***"))
        assert b"canary" not in pickle.dumps(error)
        assert "canary" not in repr(error)


def test_texts_within_fields_are_rewritten_too() -> None:
    """Wherever a secret may have got to."""
    error = ServerError("key", attempts=["key", ("a key", 7), {"x": "key"}])
    error.rewrite(lambda text: text.replace("key", "***"))
    assert error.attempts == ["***", ("a ***", 7), {"x": "***"}]
