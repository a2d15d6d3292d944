"""Not asking who is known to be down."""

from __future__ import annotations

from modelplug.attempt import Attempt, Ending
from modelplug.client import ProxyLLMClient
from modelplug.errors import (
    CircuitOpenError,
    ConcurrencyLimitError,
    DeadlineError,
    OverloadedError,
    ProtocolError,
    QueueTimeoutError,
    RateLimitError,
    ServerError,
    TotalTimeoutError,
    TransportError,
)
from modelplug.opening import Opening
from modelplug.policies.circuit import Circuit
from modelplug.policies.policy import Policy
from modelplug.request import ModelRequest

__all__ = ["Breaker"]

_DOWN = (TransportError, DeadlineError, ProtocolError, OverloadedError, ServerError)
"""What speaks against a target; that the caller's own time ran out does not."""

_OF_THE_CALLER = (TotalTimeoutError, QueueTimeoutError)

_BUSY = (RateLimitError, ConcurrencyLimitError)
"""What asks for a pause, and is no sign of ill health."""


class Breaker(Policy):
    """Refuses calls to a target that keeps failing, until one call has shown that it is back.

    Where nobody else would be asked, it refuses nothing: a call that may fail is better than
    one that must. Cancelled calls, and errors of the request, don't count.

    Args:
        client: the target.
        circuit: its health; clients of one target should share one.
        refuse_alone: whether to refuse where nobody else would be asked, too.
    """

    def __init__(
        self,
        client: ProxyLLMClient,
        *,
        circuit: Circuit | None = None,
        refuse_alone: bool = False,
    ) -> None:
        super().__init__(client)
        self.circuit = circuit or Circuit()
        self._refuses_alone = refuse_alone

    async def open(self, request: ModelRequest, opening: Opening) -> Attempt:
        """Open a call, if the target is worth asking."""
        circuit = self.circuit
        call = object()  # one is told from another by it
        if not circuit.admit(call):
            if self._refuses_alone or not opening.is_last_resort:
                raise self._refusal()
            circuit.insist(call)
        try:
            attempt = await self.clients[0].open(request, opening)
        except BaseException as failure:
            _judge(circuit, call, failure)
            raise
        circuit.began(call)
        attempt.on_end(lambda ending: _ended(circuit, call, ending))
        return attempt

    def close(self) -> None:
        """Cut all open streams, and close the client; a circuit that is shared isn't kept."""
        super().close()
        self.circuit = Circuit()

    def _refusal(self) -> CircuitOpenError:
        wait = self.circuit.retry_after()
        return CircuitOpenError(
            "the backend keeps failing, and isn't asked for now",
            backend=self.backend,
            sent="no",
            retry_after=wait or None,
            hint="wait, or name another backend to fall back to",
        )


def _ended(circuit: Circuit, call: object, ending: Ending) -> None:
    """An answer that had begun is over: it broke off, or was as good as it had to be."""
    if _speaks_against(ending):
        circuit.failed(call)
    else:
        circuit.succeeded()


def _judge(circuit: Circuit, call: object, failure: BaseException) -> None:
    """What a failure says of the target."""
    if isinstance(failure, _BUSY) and failure.retry_after:
        circuit.cool_down(call, failure.retry_after)
    elif _speaks_against(failure):
        circuit.failed(call)
    else:
        circuit.ended(call)


def _speaks_against(ending: Ending | BaseException) -> bool:
    """Whether an end is the target's own trouble."""
    return isinstance(ending, _DOWN) and not isinstance(ending, _OF_THE_CALLER)
