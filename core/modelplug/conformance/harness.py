"""What the author of a plugin writes to have it checked: how its service says and hears things.

::

    class Codec:
        def encoder(self, request): ...   # as for modelplug.testing
        def refusal(self, fail): ...
        def asked(self, request): ...     # what was asked, out of what came

    harness = Harness(
        codec=Codec(),
        params=lambda url, account: {"api_base": url, "api_key": account.api_key},
    )

``Backend(harness="module:harness")`` names it. The kit does sockets, gates, faults, clocks.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from random import Random, SystemRandom
from typing import Protocol, Self, runtime_checkable

from modelplug.delta import FinishReason
from modelplug.errors import ProxyLLMError
from modelplug.testing import Codec, FailKind, RawRequest, Wire
from modelplug.testing.websocket import WebSocketUpstream

__all__ = ["Account", "Asked", "Harness", "ServiceCodec", "VerifiesAuth"]


_CHANCE = SystemRandom()


def _app_id(random: Random) -> str:
    return random.randbytes(4).hex()


def _credential(name: str, random: Random) -> str:
    return f"{name}+/{urlsafe_b64encode(random.randbytes(18)).decode()}=="


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """Credentials that the kit makes up, anew for each check, and looks for everywhere after.

    Their raw, URL-encoded and base64 forms all differ.
    """

    app_id: str = field(default_factory=lambda: _app_id(_CHANCE))
    api_key: str = field(default_factory=lambda: _credential("key", _CHANCE))
    api_secret: str = field(default_factory=lambda: _credential("secret", _CHANCE))

    @classmethod
    def drawn(cls, random: Random) -> Self:
        """Those that a source of random numbers gives: the same source, the same credentials."""
        return cls(
            app_id=_app_id(random),
            api_key=_credential("key", random),
            api_secret=_credential("secret", random),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What a client asked, in the contract's words.

    Attributes:
        messages: role and text of each, with the roles ``system``, ``user``, ``assistant``,
            ``tool``.
        model: the model, as the service calls it.
        params: request fields by their names, those that were sent alone.
        tools: the names of the tools that were offered.
    """

    messages: Sequence[tuple[str, str]]
    model: str | None = None
    params: Mapping[str, object] = field(default_factory=dict)
    tools: Sequence[str] = ()


class ServiceCodec(Codec, Protocol):
    """One provider's way of saying things, and of hearing them."""

    def asked(self, request: RawRequest) -> Asked:
        """What a message asks.

        Raises:
            ValueError: it is no question; nothing else is raised, whatever came.
        """
        ...  # pragma: no cover


@runtime_checkable
class VerifiesAuth(Protocol):
    """A codec that knows which credentials its service takes; a codec needn't."""

    def verify_auth(self, request: RawRequest, account: Account, now: float) -> str | None:
        """Why the service would turn a request of this account away; None if it wouldn't.

        Args:
            request: what came.
            account: whose credentials it should have.
            now: the service's clock, in seconds since the epoch.
        """
        ...  # pragma: no cover


@dataclass(frozen=True, kw_only=True, slots=True)
class Harness:
    """How the kit gets at a backend.

    Attributes:
        codec: how its service says and hears things.
        params: the arguments of ``new_client`` for a service at ``url`` and an account.
        model: which model to check; None is the backend's default.
        cannot_express: failures that the service has no words for, and why not. They are shown
            as not applicable, with the reason.
        errors: failures that come as another class of ``modelplug.errors`` than usual, because
            the service has one word for two things.
        finish_reasons: the service's own words for why an answer ended, and what each means;
            empty if it has none. None leaves the kit to guess from what the codec says.
        clock_moved: makes a context in which the plugin's clock is so many seconds ahead, or
            behind, for signatures that go by it; None if it can't be moved.
        wire: what the service is reached by: ``WebSocketUpstream``, which is the default,
            ``HttpUpstream``, or ``InProcess("module:attribute")``.
    """

    codec: ServiceCodec
    params: Callable[[str, Account], Mapping[str, object]]
    model: str | None = None
    cannot_express: Mapping[FailKind, str] = field(default_factory=dict)
    errors: Mapping[FailKind, type[ProxyLLMError]] = field(default_factory=dict)
    finish_reasons: Mapping[str, FinishReason] | None = None
    clock_moved: Callable[[float], AbstractContextManager[object]] | None = None
    wire: Wire = WebSocketUpstream
