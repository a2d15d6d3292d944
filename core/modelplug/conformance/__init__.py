"""The conformance kit: checks a plugin against the contract, and gives an honest verdict.

``modelplug conformance BACKEND`` runs it. An author writes a ``Harness``, which says how the
service talks; the kit plays the service, with every fault, over real sockets, and looks at the
plugin from outside.
"""

from __future__ import annotations

from modelplug.conformance.cassette import Cassette, CassetteError
from modelplug.conformance.harness import Account, Asked, Harness, ServiceCodec, VerifiesAuth

__all__ = [
    "Account",
    "Asked",
    "Cassette",
    "CassetteError",
    "Harness",
    "ServiceCodec",
    "VerifiesAuth",
]
