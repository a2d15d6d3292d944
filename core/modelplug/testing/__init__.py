"""For everybody's tests: models that say what a test says, and services that do what it says.

An app's tests need ``ScriptedClient``, a model without a wire. A provider's tests need an
upstream that speaks the provider's wire: ``modelplug.testing.websocket`` or
``modelplug.testing.http``, with a ``Codec``. All take scripts of the same steps. Nothing here
needs pytest.
"""

from __future__ import annotations

from modelplug.testing.codec import Called, Codec, Encoder, RawRequest
from modelplug.testing.exchange import Exchange, Exchanges
from modelplug.testing.network import no_network
from modelplug.testing.scripted import ScriptedClient, failure
from modelplug.testing.standin import answering
from modelplug.testing.steps import (
    CloseCode,
    CutFrame,
    Drip,
    EarlyStatus,
    Fail,
    FailKind,
    Fragment,
    Garbage,
    GarbageKind,
    Gate,
    Hang,
    HangUp,
    KeepAlive,
    LineEnd,
    Lines,
    Message,
    Noise,
    RawBytes,
    Refuse,
    Reset,
    Silence,
    Split,
    Status,
    Step,
)
from modelplug.testing.upstream import Upstream, Wire

__all__ = [
    "Called",
    "CloseCode",
    "Codec",
    "CutFrame",
    "Drip",
    "EarlyStatus",
    "Encoder",
    "Exchange",
    "Exchanges",
    "Fail",
    "FailKind",
    "Fragment",
    "Garbage",
    "GarbageKind",
    "Gate",
    "Hang",
    "HangUp",
    "KeepAlive",
    "LineEnd",
    "Lines",
    "Message",
    "Noise",
    "RawBytes",
    "RawRequest",
    "Refuse",
    "Reset",
    "ScriptedClient",
    "Silence",
    "Split",
    "Status",
    "Step",
    "Upstream",
    "Wire",
    "answering",
    "failure",
    "no_network",
]
