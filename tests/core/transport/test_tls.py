"""The TLS context: made once, off the loop, verifying."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from modelplug.transport import tls, tls_context
from modelplug.transport.tls import warm_tls_context


@pytest.fixture
def made_by(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A process that has no context yet; the threads that have made one."""
    threads: list[int] = []
    new_context = tls._new_context

    def recorded() -> ssl.SSLContext:
        threads.append(threading.get_ident())
        return new_context()

    monkeypatch.setattr(tls, "_shared", tls._Shared())
    monkeypatch.setattr(tls, "_new_context", recorded)
    return threads


def test_importing_costs_nothing() -> None:
    """Neither ssl nor asyncio comes with the package, nor what an extra brings."""
    folder = str(Path(tls.__file__).parents[1])
    code = (
        "import sys, types\n"
        "parent = sys.modules['modelplug'] = types.ModuleType('modelplug')\n"
        f"parent.__path__ = [{folder!r}]\n"  # without the public face, which imports more
        "import modelplug.transport\n"
        "print({'asyncio', 'ssl', 'socket', 'email', 'websockets'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_it_verifies() -> None:
    """The context asks for a certificate that fits the host, and for TLS 1.2 at least."""
    context = tls_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_threads_share_one(made_by: list[int]) -> None:
    """Threads that ask at the same moment get the same context, made once."""
    barrier = threading.Barrier(8)

    def ask(_: int) -> ssl.SSLContext:
        barrier.wait()
        return tls_context()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == len(made_by) == 1


async def test_it_is_made_off_the_loop(made_by: list[int]) -> None:
    """The first to ask from a loop doesn't hold up the loop's other tasks."""
    first, second = await asyncio.gather(warm_tls_context(), warm_tls_context())
    assert first is second is tls_context()
    assert len(made_by) == 1
    assert threading.get_ident() not in made_by


async def test_later_it_is_at_hand(made_by: list[int]) -> None:
    """Once it is made, asking for it doesn't even suspend."""
    context = tls_context()
    with pytest.raises(StopIteration) as result:
        warm_tls_context().send(None)
    assert result.value.value is context
