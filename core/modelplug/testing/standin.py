"""One scripted model in place of every service, for the tests of an app.

::

    with answering("Paris.") as model:
        app.run()  # however it makes its clients
    assert model.requests[0].question == "Where is the Louvre?"
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from modelplug.call import Call
from modelplug.client import ProxyLLMClient
from modelplug.delta import DeltaStream
from modelplug.factory import standing_in
from modelplug.request import ModelRequest
from modelplug.testing.scripted import ScriptedClient

__all__ = ["answering"]


@dataclass(frozen=True, slots=True, eq=False)
class _StandIn:
    """Has clients ask a scripted model."""

    model: ScriptedClient

    def take_over(self, client: ProxyLLMClient) -> ProxyLLMClient:
        """The same client, with its models and its capabilities, but without a wire."""
        model, given = self.model, type(client)

        class Standing(given):  # type: ignore[valid-type, misc]  # made of whatever class it is
            """A plugin's client that asks a script."""

            def stream_deltas(self, request: ModelRequest, call: Call) -> DeltaStream:
                """What the script says."""
                return model.stream_deltas(request, call)

            stream_deltas_blocking = ProxyLLMClient.stream_deltas_blocking

        Standing.__name__ = given.__name__
        client.__class__ = Standing
        return client


@contextmanager
def answering(*answers: str) -> Iterator[ScriptedClient]:
    """Have every ``new_client`` of this process talk to one scripted model, which is given.

    The app's configuration is read as ever, and the plugin's client made of it: so what is
    wrong fails, a request has its defaults, and what the model can't do is refused. But no
    credentials are needed, and nothing goes out. Ranges and formats that a plugin looks at only
    when it asks its service are not looked at. Retries that the app configures follow at once,
    unless a failure of the script asks for a wait (``retry_after``). Clients that were made
    before stay what they are, and those that are made in the block stay with the script.

    Args:
        answers: what the model says to the first calls, one each; afterwards it echoes. ``say``
            and ``play`` queue more.
    """
    model = ScriptedClient(*answers)
    with standing_in(_StandIn(model)):
        yield model
