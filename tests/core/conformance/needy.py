"""A client that needs a package; of the mutant ToldToInstall, which may not import it early."""

from __future__ import annotations

from tests.core.conformance.reference import ReferenceClient

try:
    import trustme
except ImportError:
    raise ValueError("please install acme-ai") from None


class Needy(ReferenceClient):
    """Has what it needs."""

    needed = trustme.CA
