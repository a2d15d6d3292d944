"""Made-up distributions in a folder: plugins that are installed as far as metadata tells."""

from __future__ import annotations

from pathlib import Path

PARROT = '''
import asyncio
import os
import sys

from modelplug import Backend, Capabilities, Delta, Finish, ProxyLLMClient, hookimpl


class Parrot(ProxyLLMClient):
    """Repeats what comes in over a socket, line by line; its model is the port."""

    @classmethod
    def new_client(cls, model_params, default_executor=None):
        return cls([model_params.model or "0"], params=model_params)

    async def stream_deltas(self, request, call):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(request.model))
        call.note(warning="parrots repeat")
        try:
            while line := await reader.readline():
                yield Delta(line.decode())
            yield Finish("stop")
        finally:
            writer.transport.abort()
            print("the parrot has hung up", file=sys.stderr)


class ParrotEmulator:
    """Listens, and says nothing."""

    def __init__(self, *, host, port, app_id, api_key, api_secret):
        self.place, self.account = (host, port), app_id or "polly"
        self.key, self.secret = api_key or "key", api_secret or "it's"

    async def __aenter__(self):
        self.server = await asyncio.start_server(lambda reader, writer: writer.close(), *self.place)
        return self

    async def __aexit__(self, *failure):
        self.server.close()
        await self.server.wait_closed()
        print("the parrot's emulator has closed", file=sys.stderr)

    def describe(self):
        host, port = self.server.sockets[0].getsockname()
        url = f"ws://{host}:{port}"
        return dict(url=url, app_id=self.account, api_key=self.key, api_secret=self.secret)

    def environment(self):
        return dict(PARROT_KEY=self.key, PARROT_SECRET=self.secret)


@hookimpl
def modelplug_backend(name):
    return Backend(
        name=name,
        summary="repeats",
        contract=1,
        client=f"{__name__}:Parrot",
        emulator=f"{__name__}:ParrotEmulator",
        capabilities=Capabilities(native=["streaming"], emulated=["system_role"]),
    )
'''
"""A plugin with all that the command line asks of one."""


class Site:
    """A folder of distributions, to be put on the path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(self, name: str, plugin: str = PARROT, *, dist: str | None = None) -> None:
        """Add a distribution with one backend; ``plugin`` is the source of its module."""
        dist = dist or f"acme-{name}"
        module = dist.replace("-", "_")
        info = self.folder / f"{module}-1.5.dist-info"
        info.mkdir()
        metadata = f"Metadata-Version: 2.1\nName: {dist}\nVersion: 1.5\n"
        (info / "METADATA").write_text(metadata, encoding="utf-8")
        entry = f"[modelplug.backends]\n{name} = {module}\n"
        (info / "entry_points.txt").write_text(entry, encoding="utf-8")
        (self.folder / f"{module}.py").write_text(plugin, encoding="utf-8")
