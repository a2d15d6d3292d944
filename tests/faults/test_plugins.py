"""Rows 103 to 110: plugins that are broken or hostile; whoever else is asked answers."""

from __future__ import annotations

import asyncio
import logging
import pickle
import threading
import traceback
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Self

import pytest

from modelplug import (
    Call,
    Capabilities,
    Delta,
    DeltaStream,
    Finish,
    IdleTimeoutError,
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
    making,
    told,
)
from tests.faults.leaps import leaping
from tests.support.dists import PLUGIN, install
from tests.support.scripted import EVERYTHING, AsyncScripted, BlockingScripted, ScriptedClient
from tests.support.spark import KEY

both_kinds = pytest.mark.parametrize("kind", [AsyncScripted, BlockingScripted])


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


async def swallow_all() -> None:
    """Go on waiting whenever cancelled."""
    while True:
        with suppress(asyncio.CancelledError):
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
@pytest.mark.parametrize("way", VIRTUAL_WAYS.values(), ids=VIRTUAL_WAYS)
@pytest.mark.parametrize(
    ("timeouts", "error", "seconds"),
    [(Timeouts(), IdleTimeoutError, 32), (Timeouts(idle=None, total=5), TotalTimeoutError, 7)],
    ids=["idle", "total"],
)
def test_a_plugin_that_swallows_every_end(
    timeouts: Timeouts,
    error: type[ProxyLLMError],
    seconds: float,
    way: Way,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It has a second, is cancelled again, and after another it is left; the log tells."""
    client = AsyncScripted(Delta("Hel"), swallow_all)
    moments: list[float] = []
    client.observers = (lambda event: moments.append(asyncio.get_running_loop().time()),)
    assert type(failure(client, way, timeouts)) is error
    assert moments[-1] - moments[0] <= seconds + 0.01
    assert "a plugin didn't end when it was cancelled, and is left" in caplog.messages
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
        with leaping(31.0, phase="streaming"):
            assert expected == told(failure(client, way, Timeouts()), expected)
        client.steps = (Delta("fine"), Finish())
        assert answered(client, way) == "fine"
    finally:
        release.set()
        client.close()


class Meddler(ScriptedClient):
    """Changes what it is given, as far as it can, and answers."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> DeltaStream:
        """Change the request, and what is in it."""
        for name, value in {"temperature": 2.0, "model": "other", "messages": ()}.items():
            with suppress(AttributeError):
                setattr(request, name, value)
        loose: list[Any] = [request.options, request.context.extra, request.messages[-1].content[0]]
        loose += [*(request.tools or ()), request.response_format, request.options.get("acme")]
        for mapping in loose:
            if mapping is not None:
                mapping["more"] = mapping.clear()
        yield Delta("fine")
        yield Finish()


@pytest.mark.fault(109, subject="hostile")
@every_way
@pytest.mark.parametrize("asks_for_more", [False, True])
def test_a_plugin_that_changes_what_it_was_given(way: Way, asks_for_more: bool) -> None:
    """The caller's request is as it was, with all that is in it, and so is the next attempt's."""
    more = {
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "response_format": {"type": "json_object"},
        "options": {"acme": {"beam": [1, 2]}},
        "context": {"extra": {"who": "me"}},
    }
    request = ModelRequest(
        messages=[{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        temperature=0.5,
        **(more if asks_for_more else {}),  # type: ignore[arg-type]  # loose parts
    )
    before = pickle.dumps(request)
    able = Capabilities(native=[*EVERYTHING.native, "tools", "response_format"])
    client = Meddler(able=able)
    for _ in range(2):
        assert way(client, request)[-1].text == "fine"
        assert pickle.dumps(request) == before


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
