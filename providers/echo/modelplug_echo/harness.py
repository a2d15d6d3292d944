"""What the conformance kit needs to check this plugin: it stands in for ``client.speak``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from modelplug import Delta, Finish, ModelRequest
from modelplug.conformance import Asked, Harness
from modelplug.testing import Fail, FailKind, RawRequest, Status
from modelplug.testing.inprocess import InProcess

__all__ = ["HARNESS", "EchoCodec"]

_SENT = (
    "max_new_tokens",
    "temperature",
    "top_p",
    "seed",
    "presence_penalty",
    "frequency_penalty",
)
"""What a request may have that the plugin claims."""


class _Encoder:
    """Says what ``speak`` can say: words, an end, and its one error."""

    def delta(self, delta: Delta) -> Sequence[Delta]:
        """Words; it thinks nothing, and calls no tools."""
        return [Delta(delta.text)] if delta.text else []

    def finish(self, finish: Finish) -> Sequence[Finish]:
        """The reason and what it cost; there is no word for the reason besides the contract's."""
        return [Finish(finish.reason, usage=finish.usage)]

    def fail(self, fail: Fail) -> Sequence[Exception]:
        """What ``fail_after`` brings about."""
        return [RuntimeError(fail.message or "echo was told to fail")]

    def noise(self) -> Sequence[Delta]:
        """A word of nothing."""
        return [Delta("")]


class EchoCodec:
    """Says things as ``speak`` does, and hears them."""

    def encoder(self, request: RawRequest) -> _Encoder:
        """One for each answer."""
        return _Encoder()

    def refusal(self, fail: Fail) -> Status | None:
        """Nobody is refused before there is a question."""
        return None

    def asked(self, request: RawRequest) -> Asked:
        """What it was called with: a whole request, and options.

        Raises:
            ValueError: it wasn't.
        """
        asked = next(iter(request.called.args), None)
        if not isinstance(asked, ModelRequest):
            raise ValueError(f"speak() takes a ModelRequest first, not {asked!r}")
        messages = [message.to_common() for message in asked.messages]
        params = {name: getattr(asked, name) for name in _SENT}
        return Asked(
            messages=[(str(each["role"]), str(each["content"])) for each in messages],
            model=asked.model,
            params={name: value for name, value in params.items() if value is not None},
            tools=[str(tool) for tool in asked.tools or ()],
        )


HARNESS = Harness(
    codec=EchoCodec(),
    params=lambda *_: {},  # there is no address, and there are no accounts
    cannot_express={
        kind: "echo has no service that could refuse anything: all it can do is fail"
        for kind in get_args(FailKind)
        if kind != "server"
    },
    wire=InProcess("modelplug_echo.client:speak"),
)
