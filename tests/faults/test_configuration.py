"""Rows 96 to 110: what is configured, and plugins that are broken or hostile."""

from __future__ import annotations

import asyncio
import logging
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple, Self

import pytest

from modelplug import (
    Call,
    ConfigSyntaxError,
    Delta,
    DeltaStream,
    Finish,
    IdleTimeoutError,
    InvalidCredentialError,
    MissingCredentialError,
    ModelNotFoundError,
    ModelRequest,
    PluginConflictError,
    PluginContractError,
    PluginIncompatibleError,
    PluginLoadError,
    ProxyLLMError,
    ProxyModelParameters,
    ServerError,
    Timeouts,
    TotalTimeoutError,
    UnsafeEndpointError,
    UnsupportedOptionError,
    new_client,
)
from tests.faults.asking import (
    VIRTUAL_WAYS,
    Expected,
    Way,
    answered,
    asked,
    every_way,
    failure,
    told,
)
from tests.support.dists import PLUGIN, install
from tests.support.scripted import AsyncScripted, BlockingScripted, ScriptedClient
from tests.support.spark import APP_ID, KEY, NOWHERE, SECRET, client_of

both_kinds = pytest.mark.parametrize("kind", [AsyncScripted, BlockingScripted])


def making(make: Callable[[], object]) -> ProxyLLMError:
    """What making a client ends in."""
    with pytest.raises(ProxyLLMError) as caught:
        make()
    return caught.value


# -------------------------------------------------------------------------- configuration

CONFIGS: dict[str, type[ProxyLLMError]] = {
    "": ConfigSyntaxError,
    ":model": ConfigSyntaxError,
    "{}?": ConfigSyntaxError,
    "{}?temperature": ConfigSyntaxError,
    "{}?temperature=0&temperature=1": ConfigSyntaxError,
    "{}?temperature=%zz": ConfigSyntaxError,
    "{} |": ConfigSyntaxError,
    "{}?no_such_option=1": UnsupportedOptionError,
    "{}?api_key=written-out-0123456789": InvalidCredentialError,
}


@pytest.mark.parametrize(
    "backend",
    [
        pytest.param(each, id=each, marks=pytest.mark.fault(96, subject=each))
        for each in ("spark", "echo")
    ],
)
@pytest.mark.parametrize("config", CONFIGS)
def test_a_config_string_that_cant_be_read(backend: str, config: str) -> None:
    """It is refused when the client is made, by its column, and no secret of it is shown."""
    error = making(lambda: new_client(config.format(backend)))
    assert (type(error), error.retryable) == (CONFIGS[config], False)
    assert "written-out" not in f"{error!r} {vars(error)}"
    if isinstance(error, ConfigSyntaxError) and config:
        assert error.column is not None


@pytest.mark.fault(97)
@pytest.mark.parametrize("value", [None, "", "   ", "\n"])
@pytest.mark.parametrize("name", ["APPID", "API_KEY", "API_SECRET"])
def test_a_credential_that_is_missing(
    name: str, value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names what is missing, and no value of the others."""
    account = {"APPID": APP_ID, "API_KEY": KEY, "API_SECRET": SECRET}
    for each, given in account.items():
        monkeypatch.setenv(f"XUNFEI_SPARK_{each}", given)
    monkeypatch.delenv(f"XUNFEI_SPARK_{name}")
    if value is not None:
        monkeypatch.setenv(f"XUNFEI_SPARK_{name}", value)
    error = making(lambda: new_client("spark"))
    shown = f"{error} {error.hint}"
    assert (type(error), error.retryable) == (MissingCredentialError, False)
    assert {"APPID": "api_app_id"}.get(name, name.lower()) in shown
    assert not any(given in shown for given in (KEY, SECRET))


@pytest.mark.fault(97)
def test_an_account_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is nothing of it at all, the variables are named."""
    for name in ("APPID", "API_KEY", "API_SECRET"):
        monkeypatch.delenv(f"XUNFEI_SPARK_{name}", raising=False)
    hint = making(lambda: new_client("spark")).hint
    assert hint is not None
    assert "XUNFEI_SPARK_API_KEY" in hint


BAD_KEYS = {
    98: ["a\rb", "a\nb", "a\r\nX: y", "a\0b", "a\x1bb", "a\tb", "a\x7fb"],
    99: ["schlüssel", "\ufeffabcdefgh", "abcd\u200befgh", "abcd\u00a0efgh", "密钥"],
}


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(key, id=ascii(key), marks=pytest.mark.fault(row))
        for row, keys in BAD_KEYS.items()
        for key in keys
    ],
)
@pytest.mark.parametrize("field", ["api_key", "api_secret"])
def test_a_key_that_cant_be_one(field: str, key: str) -> None:
    """It is refused before it can reach a header, and is not shown."""
    error = making(lambda: client_of(NOWHERE, **{field: key}))
    assert (type(error), error.retryable) == (InvalidCredentialError, False)
    told_all = "".join(traceback.format_exception(error))
    assert key not in told_all + repr(vars(error))


@pytest.mark.fault(99)
def test_blanks_around_a_key_are_no_part_of_it() -> None:
    """Files end in a line break: that is taken off."""
    assert client_of(NOWHERE, api_key=f" {KEY}\n").params.credential().api_key.reveal() == KEY


@pytest.mark.fault(100)
@pytest.mark.parametrize(
    "fields",
    [
        {"config": "spark:a%0d%0aX-Smuggled: 1"},
        {"config": "spark:generalv3.5%0a"},
        {"config": "spark?api_version=v3%0d%0aX: 1"},
    ],
    ids=["model", "a line break", "version"],
)
def test_nothing_is_smuggled_in(fields: dict[str, str]) -> None:
    """No name that is configured can end a line of what is sent."""
    error = making(lambda: client_of(NOWHERE, **fields))
    assert isinstance(error, ModelNotFoundError | InvalidCredentialError | ConfigSyntaxError)


@pytest.mark.fault(101)
@every_way
@pytest.mark.parametrize(
    "url",
    [
        "wss://user:word@a.test/",
        "wss://a.test@b.test/",
        "wss://a.test\\@b.test/",
        "wss://a.test/chat#b",
        "wss://a.test/chat?key=1",
        "https://a.test/",
        "file:///etc/passwd",
        "wss://\u0430.test/",
        "wss://a.test:443:80/",
        "wss://2130706433/",
        "wss://0x7f.1/",
        "wss://a.test\t/",
    ],
)
def test_an_address_that_can_be_read_in_two_ways(url: str, way: Way) -> None:
    """No key goes there: when the client is made, or at its first call."""

    def ask() -> object:
        return way(client_of(url), asked())

    assert type(making(ask)) is UnsafeEndpointError


@pytest.mark.fault(102)
@every_way
def test_plain_text_to_a_public_host(way: Way) -> None:
    """It is refused before anything is connected."""
    expected = Expected(UnsafeEndpointError, retryable=False, sent="no")
    assert expected == told(failure(client_of("ws://spark-api.xf-yun.com"), way), expected)


# ------------------------------------------------------------------ plugins, when they are imported


class Broken(NamedTuple):
    """The source of a plugin that can't be used, and what that is."""

    row: int
    what: str
    source: str
    error: type[ProxyLLMError]


BROKEN = [
    Broken(103, "raises", "raise ValueError('oops')", PluginLoadError),
    Broken(103, "exits", "raise SystemExit(3)", PluginLoadError),
    Broken(103, "is no Python", "def", PluginLoadError),
    Broken(103, "recurses", "def f(): f()\nf()", PluginLoadError),
    Broken(
        105,
        "raises in its hook",
        "from modelplug import hookimpl\n@hookimpl\ndef modelplug_backend(name): raise KeyError",
        PluginLoadError,
    ),
    Broken(105, "has no hook", "x = 1", PluginContractError),
    Broken(107, "too new", PLUGIN.replace("contract=1", "contract=99"), PluginIncompatibleError),
    Broken(107, "too old", PLUGIN.replace("contract=1", "contract=0"), PluginIncompatibleError),
    Broken(107, "no number", PLUGIN.replace("contract=1", "contract='1'"), PluginContractError),
    Broken(107, "none given", PLUGIN.replace("contract=1, ", ""), PluginLoadError),
    Broken(108, "no backend", PLUGIN.replace("return Backend", "return dict"), PluginContractError),
    Broken(108, "no client", PLUGIN.replace(":Client", ":hookimpl"), PluginContractError),
]


@every_way
@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(
            each, id=f"{each.row} {each.what}", marks=pytest.mark.fault(each.row, subject="hostile")
        )
        for each in BROKEN
    ],
)
def test_a_plugin_that_cant_be_used(broken: Broken, way: Way, site: Path) -> None:
    """Only who asks for it is told; a neighbour serves as ever."""
    install(
        site,
        dist="modelplug-broken",
        module="broken",
        source=broken.source,
        backends={"broken": "broken"},
    )
    error = making(lambda: new_client("broken"))
    assert (type(error), error.retryable, error.backend) == (broken.error, False, "broken")
    assert "modelplug-broken" in str(error) or "broken:hookimpl" in str(error)
    assert answered(new_client("echo"), way) == "hi"


@pytest.mark.fault(106, subject="hostile")
@every_way
def test_two_plugins_of_one_name(way: Way, site: Path) -> None:
    """Both are named, neither is imported; ``@`` picks one. What is built in is no exception."""
    for name in ("one", "two"):
        install(
            site,
            dist=f"modelplug-{name}",
            module=name,
            source="raise SystemExit",
            backends={"same": name, **({"echo": name} if name == "one" else {})},
        )
    error = making(lambda: new_client("same"))
    assert (type(error), error.retryable) == (PluginConflictError, False)
    assert "modelplug-one" in str(error)
    assert "modelplug-two" in str(error)
    assert type(making(lambda: new_client("echo"))) is PluginConflictError
    assert answered(new_client("echo@modelplug-echo"), way) == "hi"


# ------------------------------------------------------------------------- plugins, at work


async def swallow() -> None:
    """Go on waiting when cancelled, once."""
    try:
        await asyncio.sleep(1e6)
    except asyncio.CancelledError:
        await asyncio.sleep(1e6)


class Odd(BaseException):
    """What nobody expects."""


BUGS: dict[str, list[object]] = {
    "a bug": [KeyError("oops")],
    "no exception": [Odd()],
    "an exit": [SystemExit(3)],
    "its own cancelling": [asyncio.CancelledError()],
    "a text for a delta": ["lo"],
    "None": [None],
    "a number": [7],
    "a list of rubbish": [[Delta("!"), 7]],
    "a reason that is none": [Finish("because")],  # type: ignore[arg-type]  # so
    "a bill that is none": [Finish(usage={"a": 1})],  # type: ignore[arg-type]  # so
}


@every_way
@both_kinds
@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(
            steps,
            id=what,
            marks=pytest.mark.fault(
                105 if isinstance(steps[0], BaseException) else 108, subject="hostile"
            ),
        )
        for what, steps in BUGS.items()
    ],
)
def test_a_plugin_with_a_bug(steps: list[object], kind: type[ScriptedClient], way: Way) -> None:
    """It is the plugin's fault, by its class; what had come is kept, and the next call works."""
    # A new one each time: a raised exception holds its frames.
    again = [type(each)(*each.args) if isinstance(each, BaseException) else each for each in steps]
    client = kind(Delta("Hel"), *again)
    error = failure(client, way)
    assert (type(error), error.retryable) == (PluginContractError, False)
    assert error.partial is not None
    assert error.partial.text.rstrip("!") == "Hel"
    client.steps = (Delta("fine"), Finish())
    assert answered(client, way) == "fine"
    client.close()


@pytest.mark.fault(108, subject="hostile")
@every_way
@both_kinds
def test_a_plugin_that_goes_on_after_its_finish(kind: type[ScriptedClient], way: Way) -> None:
    """Nothing of it is heard."""
    client = kind(Delta("fine"), Finish(), Delta("more"), Finish("length"), KeyError("oops"))
    outputs = way(client, asked())
    assert (outputs[-1].text, outputs[-1].finish_reason) == ("fine", "stop")
    assert [output.final for output in outputs].count(True) == 1
    client.close()


@pytest.mark.fault(108, subject="hostile")
@pytest.mark.parametrize("way", VIRTUAL_WAYS.values(), ids=VIRTUAL_WAYS)
@pytest.mark.parametrize(
    ("timeouts", "error", "seconds"),
    [(Timeouts(), IdleTimeoutError, 31), (Timeouts(idle=None, total=5), TotalTimeoutError, 6)],
    ids=["idle", "total"],
)
def test_a_plugin_that_swallows_its_end(
    timeouts: Timeouts, error: type[ProxyLLMError], seconds: float, way: Way
) -> None:
    """It has a second, and is cancelled again; the error is that of the clock."""
    client = AsyncScripted(Delta("Hel"), swallow)
    moments: list[float] = []
    client.observers = (lambda event: moments.append(asyncio.get_running_loop().time()),)
    caught = failure(client, way, timeouts)
    assert (type(caught), client.closed) == (error, 1)
    assert moments[-1] - moments[0] <= seconds + 0.01
    client.steps = (Delta("fine"), Finish())
    assert answered(client, way) == "fine"


@pytest.mark.fault(108, subject="hostile")
@every_way
def test_a_thread_that_ignores_its_end(way: Way) -> None:
    """Its caller is told in time; the thread, which nobody can end, isn't waited for."""
    release = threading.Event()
    client = BlockingScripted(Delta("Hel"), partial(release.wait, 60))
    try:
        expected = Expected(IdleTimeoutError, retryable=True, partial="Hel")
        assert expected == told(failure(client, way, Timeouts(idle=0.1)), expected)
        client.steps = (Delta("fine"), Finish())
        assert answered(client, way) == "fine"
    finally:
        release.set()
        client.close()


class Meddler(ScriptedClient):
    """Changes what it is given, as far as it can, and answers."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> DeltaStream:
        """Change the request."""
        for name, value in {"temperature": 2.0, "model": "other", "messages": ()}.items():
            with suppress(AttributeError):
                setattr(request, name, value)
        yield Delta("fine")
        yield Finish()


@pytest.mark.fault(109, subject="hostile")
@every_way
def test_a_plugin_that_changes_what_it_was_given(way: Way) -> None:
    """The caller's request is as it was."""
    request = ModelRequest(messages="hi", temperature=0.5)
    client, before = Meddler(), request.copy()
    for _ in range(2):
        assert way(client, request)[-1].text == "fine"
        assert request == before


class Telltale(ScriptedClient):
    """Says its key in whatever it raises."""

    kind: type[Exception] = ServerError

    @classmethod
    def new_client(
        cls, model_params: ProxyModelParameters, default_executor: Executor | None = None
    ) -> Self:
        """As any."""
        return cls(params=model_params)

    async def stream_deltas(self, request: ModelRequest, call: Call) -> DeltaStream:
        """Tell."""
        key = call.credential().api_key.reveal()
        call.note(warning=f"the key is {key}", request_id=f"id-{key}")
        yield Delta("Hel")
        raise self.kind(f"refused: {key}")


@pytest.mark.fault(110, subject="hostile")
@every_way
@pytest.mark.parametrize("kind", [ServerError, ValueError])
def test_a_plugin_that_tells_its_key(
    kind: type[Exception], way: Way, caplog: pytest.LogCaptureFixture
) -> None:
    """No field of the error, no cause of it, no warning and no log of ours has it."""
    caplog.set_level(logging.DEBUG)
    client = Telltale(params=ProxyModelParameters(proxy_api_key=KEY))
    client.kind = kind
    error = failure(client, way)
    expected = ServerError if kind is ServerError else PluginContractError
    assert type(error) is expected
    shown = "".join(traceback.format_exception(error))
    assert KEY not in f"{shown} {error!r} {vars(error)} {error.partial!r} {caplog.text}"
