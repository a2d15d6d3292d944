"""One scripted model in place of every backend, for the tests of an app.

::

    with answering("Paris.") as model:
        app.run()  # however it makes its clients
    assert model.requests[0].question == "Where is the Louvre?"
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass

from modelplug.client import ProxyLLMClient
from modelplug.factory import standing_in
from modelplug.params import ProxyModelParameters
from modelplug.testing.scripted import ScriptedClient

__all__ = ["answering"]


@dataclass(frozen=True, slots=True, eq=False)
class _Maker:
    """Makes clients of one model."""

    model: ScriptedClient

    def new_client(
        self, model_params: ProxyModelParameters, default_executor: Executor | None = None
    ) -> ProxyLLMClient:
        """A client that shares the model's scripts, and may be closed without harm to others."""
        return self.model.twin(model_params, default_executor)


@contextmanager
def answering(*answers: str) -> Iterator[ScriptedClient]:
    """Have every ``new_client`` of this process talk to one scripted model, which is given.

    The app's configuration is read as ever, so that a wrong one fails and a request has its
    defaults; but no credentials are needed, the plugin's client isn't imported, and nothing
    goes out. Clients that were made before stay what they are.

    Args:
        answers: what the model says to the first calls, one each; afterwards it echoes. ``say``
            and ``play`` queue more.
    """
    model = ScriptedClient(*answers)
    with standing_in(_Maker(model)):
        yield model
