"""A certificate of this machine's own, for tests over TLS; it needs the ``testing`` extra."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from modelplug.errors import MissingDependencyError

__all__ = ["LocalCertificate", "local_certificate"]


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalCertificate:
    """A certificate for ``localhost``, ``127.0.0.1`` and ``::1``, made anew.

    Attributes:
        context: what a server is given.
        ca_file: the authority behind it, a file in PEM form. Nobody trusts it until told to:
            by ``SSL_CERT_FILE`` before a process starts, in a running one by
            ``modelplug.transport.tls_context().load_verify_locations(ca_file)``.
    """

    context: ssl.SSLContext
    ca_file: str


@contextmanager
def local_certificate() -> Iterator[LocalCertificate]:
    """A certificate whose file is there while the block runs.

    Raises:
        MissingDependencyError: trustme isn't installed.
    """
    try:
        import trustme
    except ImportError:
        trustme = None  # type: ignore[assignment]  # the library is optional
    if trustme is None:
        raise MissingDependencyError(
            "a local certificate needs trustme", hint="pip install 'modelplug[testing]'"
        )
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1", "::1").configure_cert(context)
    with TemporaryDirectory(prefix="modelplug-") as folder:
        ca_file = Path(folder, "ca.pem")
        ca_file.write_bytes(authority.cert_pem.bytes())
        yield LocalCertificate(context=context, ca_file=str(ca_file))
