"""Mutants of configuration."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from dataclasses import replace
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict

from modelplug import (
    Backend,
    BadRequestError,
    Call,
    Finish,
    MissingCredentialError,
    ModelRequest,
    ProxyModelParameters,
    Secret,
)
from modelplug.transport import Endpoint
from modelplug.transport.websocket import connect
from tests.core.conformance.mutants import mutant
from tests.core.conformance.reference import ReferenceClient


class Elsewhere(ReferenceClient):
    """Asks where, and by which key, its kind says."""

    def where(self) -> str:
        """The address."""
        return str(self.params.proxy_api_base)

    def key(self, call: Call) -> str:
        """The key."""
        return call.credential().api_key.reveal()

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """As the reference, but for that."""
        endpoint = Endpoint.parse(self.where(), allow_insecure=True)
        query = Secret(f"key={self.key(call)}")
        async with connect(endpoint, query=query, call=call, on_refusal=self.refused) as ws:
            ws.send(json.dumps(self.payload(request)))
            async for piece in self.pieces(ws, call):
                yield piece
                if isinstance(piece, Finish):
                    ws.close()
                    return


@mutant(kills="CFG-01", words="the key stands in a request, though another was given")
class EnvironmentFirst(Elsewhere):
    """Thinks that the environment knows better."""

    def key(self, call: Call) -> str:
        """From the variable, if there is one."""
        return os.environ.get("REFERENCE_KEY") or super().key(call)


def _no_variables(backend: Backend) -> Backend:
    """Names variables that its documentation doesn't, and one for each field."""
    return replace(backend, environment=dict.fromkeys(backend.environment, "REFERENCE"))


@mutant(kills="CFG-01", words="a request with everything in the environment", change=_no_variables)
class OneVariable(ReferenceClient):
    """Reads all fields from one variable."""


@mutant(kills="CFG-02", words="the request of client 2")
class KeepsTheFirstKey(Elsewhere):
    """Reads its key once in a process."""

    kept: list[str] = []  # that's the fault

    def key(self, call: Call) -> str:
        """The first that was there since the variable was."""
        if "REFERENCE_KEY" not in os.environ:
            return super().key(call)
        self.kept.append(super().key(call))
        return self.kept[0]


@mutant(
    kills="CFG-03",
    words="expected MissingCredentialError, got no error",
    change=lambda backend: replace(backend, required=()),
)
class RequiresNothing(ReferenceClient):
    """Finds out at the first call."""


@mutant(
    kills="CFG-03",
    words="expected MissingCredentialError, got PluginContractError",
    change=lambda backend: replace(backend, required=()),
)
class ValueErrorForKey(ReferenceClient):
    """Raises what comes to mind."""

    @classmethod
    def new_client(
        cls, model_params: ProxyModelParameters, default_executor: Executor | None = None
    ) -> Self:
        """With a look at the key."""
        if not model_params.proxy_api_key:
            raise ValueError("api_key is empty")
        return super().new_client(model_params, default_executor)


class Loose(BaseModel):
    """Options that take every name."""

    model_config = ConfigDict(extra="allow")

    mood: str = "good"


@mutant(
    kills="CFG-04",
    words="expected UnsupportedOptionError, got no error",
    change=lambda backend: replace(backend, options=Loose),
)
class SwallowsNames(ReferenceClient):
    """Takes whatever it is given."""


def _mood(value: object) -> object:
    if value not in ("good", "bad"):
        raise ValueError(f"{value} is no mood")
    return value


class Telling(BaseModel):
    """Options that say what they were given."""

    model_config = ConfigDict(extra="forbid")

    mood: Annotated[Any, AfterValidator(_mood)] = "good"


@mutant(
    kills="CFG-05",
    words="stands in the error about a wrong mood",
    change=lambda backend: replace(backend, options=Telling),
)
class RepeatsValues(ReferenceClient):
    """Its validators repeat what they refuse."""


@mutant(
    kills="CFG-06",
    words="expected MissingCredentialError, got no error",
    change=lambda backend: replace(backend, required=()),
)
class TakesBlanks(ReferenceClient):
    """Asks whether there is a key, and not whether it says anything."""

    @classmethod
    def new_client(
        cls, model_params: ProxyModelParameters, default_executor: Executor | None = None
    ) -> Self:
        """With a look at what was given."""
        if "proxy_api_key" not in model_params.model_fields_set:
            raise MissingCredentialError("reference needs api_key")
        return super().new_client(model_params, default_executor)


@mutant(kills="CFG-07", words="leads to the path")
class GluesPaths(Elsewhere):
    """Adds a path to whatever it is given."""

    def where(self) -> str:
        """With a slash too many, if there is one already."""
        return f"{super().where()}/v1"


@mutant(kills="CFG-07", words="leads to the path")
class DropsPrefix(Elsewhere):
    """Knows the path better than whoever configures it."""

    def where(self) -> str:
        """The origin, and its own path."""
        return "/".join([*super().where().split("/")[:3], "chat"])


@mutant(kills="CFG-07", words="sent in the clear")
class Downgrades(Elsewhere):
    """Speaks in the clear."""

    def where(self) -> str:
        """Without TLS."""
        return super().where().replace("wss:", "ws:")


@mutant(kills="CFG-07", words="a call in the clear to another machine")
class SpeaksInTheClear(Elsewhere):
    """Lets keys travel unencrypted to anybody."""


class AnyProxy(ReferenceClient):
    """Takes an http_proxy."""

    @classmethod
    def new_client(
        cls, model_params: ProxyModelParameters, default_executor: Executor | None = None
    ) -> Self:
        """As if there were none."""
        direct = model_params.model_copy(update={"http_proxy": None})
        return super().new_client(direct, default_executor)


@mutant(kills="CFG-08", words="asked without it, and said nothing")
class PassesOverProxies(AnyProxy):
    """And goes round it."""


@mutant(kills="CFG-08", words="connections to a proxy of the environment's")
class TrustsTheEnvironment(ReferenceClient):
    """Goes through whatever proxy the environment has."""

    async def stream_deltas(self, request: ModelRequest, call: Call) -> AsyncIterator[Any]:
        """As HTTP libraries do unless they are told not to."""
        if proxy := os.environ.get("http_proxy"):
            _, _, port = proxy.rpartition(":")
            _, writer = await asyncio.open_connection("127.0.0.1", int(port))
            writer.close()
        async for piece in super().stream_deltas(request, call):
            yield piece


class Extra(BaseModel):
    """Takes whatever it is given."""

    extra: Any = None


@mutant(
    kills="CFG-10",
    words="once a caller has changed the option extra",
    change=lambda backend: replace(backend, options=Extra),
)
class KeepsWhatIsOthers(ReferenceClient):
    """Sends a mapping that its caller goes on writing."""

    def payload(self, request: ModelRequest) -> dict[str, Any]:
        """With what there is in it now."""
        payload = super().payload(request)
        payload["params"] |= {"extra": self.params.options.get("extra")}
        return payload


@mutant(kills="CFG-10", words="the plugin raised BadRequestError: no defaults")
class RefusesDefaults(ReferenceClient):
    """Wants to be told everything with each request."""

    def payload(self, request: ModelRequest) -> dict[str, Any]:
        """Not while there are any."""
        if self.params.defaults:
            raise BadRequestError("no defaults, please")
        return super().payload(request)


@mutant(kills="CFG-09", words="made of another's")
class ForgetsTheKey(ReferenceClient):
    """Cleans its params, so that nobody finds the key there."""

    def adopt(self, params: ProxyModelParameters, backend: Backend, **options: Any) -> None:
        """Without the key, and with another name at each time."""
        super().adopt(params, backend, **options)
        self.params = params.model_copy(update={"model_name": f"client-{id(self)}"})


@mutant(kills="CFG-11", words="stands in what")
class OneKeyForAll(Elsewhere):
    """Configures its library, of which there is one in the process."""

    configured = ""

    def adopt(self, params: ProxyModelParameters, backend: Backend, **options: Any) -> None:
        """For all clients."""
        super().adopt(params, backend, **options)
        type(self).configured = params.credential().api_key.reveal()

    def key(self, call: Call) -> str:
        """Of whoever was made last."""
        return self.configured
