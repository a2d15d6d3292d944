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

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from modelplug.testing import Codec, FailKind, RawRequest, Wire
from modelplug.testing.websocket import WebSocketUpstream

__all__ = ["Account", "Asked", "Harness", "ServiceCodec"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """Credentials that the kit makes up, anew for each check, and looks for everywhere after.

    Their raw, URL-encoded and base64 forms all differ.
    """

    app_id: str = field(default_factory=lambda: secrets.token_hex(4))
    api_key: str = field(default_factory=lambda: f"key+/{secrets.token_urlsafe(18)}==")
    api_secret: str = field(default_factory=lambda: f"secret+/{secrets.token_urlsafe(18)}==")


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
        """What a message asks."""
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
        errors: failures that come as another class than usual, by its name, because the service
            has one word for two things.
        wire: what the service is reached by: ``WebSocketUpstream``, which is the default,
            ``HttpUpstream``, or ``InProcess("module:attribute")``.
    """

    codec: ServiceCodec
    params: Callable[[str, Account], Mapping[str, object]]
    model: str | None = None
    cannot_express: Mapping[FailKind, str] = field(default_factory=dict)
    errors: Mapping[FailKind, str] = field(default_factory=dict)
    wire: Wire = WebSocketUpstream
