"""A provider that blocks, and must not be asked."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from typing import Self

from modelplug import (
    Backend,
    Call,
    Delta,
    ModelRequest,
    ProxyLLMClient,
    ProxyModelParameters,
    hookimpl,
)


class Blocking(ProxyLLMClient):
    """Fails when it is asked."""

    @classmethod
    def new_client(
        cls, model_params: ProxyModelParameters, default_executor: Executor | None = None
    ) -> Self:
        """One model."""
        return cls(["blocking"], executor=default_executor, params=model_params)

    def stream_deltas_blocking(self, request: ModelRequest, call: Call) -> Iterator[Delta]:
        """Nobody should come here."""
        raise NotImplementedError


@hookimpl
def modelplug_backend(name: str) -> Backend:
    """It."""
    return Backend(name=name, summary="", contract=1, client=f"{__name__}:Blocking")
