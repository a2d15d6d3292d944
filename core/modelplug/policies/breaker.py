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
    ProxyLLMError,
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
        if not circuit.admit(call) and (self._refuses_alone or not opening.is_last_resort):
            raise self._refusal()
        try:
            attempt = await self.clients[0].open(request, opening)
        except ProxyLLMError as error:
            self._judge(call, error)
            raise
        except BaseException:
            circuit.ended(call)
            raise
        circuit.succeeded()
        attempt.on_end(self._ended)
        return attempt

    def _ended(self, ending: Ending) -> None:
        """An answer that had begun is over; only that it broke off says something new."""
        if isinstance(ending, _DOWN) and not isinstance(ending, _OF_THE_CALLER):
            self.circuit.broke_off()

    def _judge(self, call: object, error: ProxyLLMError) -> None:
        """What a failure says of the target."""
        if isinstance(error, _BUSY) and error.retry_after:
            self.circuit.cool_down(call, error.retry_after)
        elif isinstance(error, _DOWN) and not isinstance(error, _OF_THE_CALLER):
            self.circuit.failed(call)
        else:
            self.circuit.ended(call)

    def _refusal(self) -> CircuitOpenError:
        wait = self.circuit.wait()
        return CircuitOpenError(
            "the backend keeps failing, and isn't asked for now",
            backend=self.backend,
            sent="no",
            retry_after=wait or None,
            hint="wait, or name another backend to fall back to",
        )
