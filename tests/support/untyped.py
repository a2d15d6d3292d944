"""A client whose package has no py.typed; of the mutant Unannounced."""

from __future__ import annotations

from tests.core.conformance.reference import ReferenceClient


class Untyped(ReferenceClient):
    """Does everything right."""
