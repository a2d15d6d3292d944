"""A local service of this wire: ``emulation/service.py`` behind real HTTP, for demos and tests.

::

    with OpenAIEmulator(pace=0, per_minute=2) as emulator:
        client = new_client("openai:any", **emulator.params())
        print(client.sync_generate("Hello").text)

        emulator.play("Hel", Reset())  # the next answer, see modelplug.testing
        ...
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from pydantic import BaseModel

from modelplug import ConfigError
from modelplug.testing import RawRequest, Status
from modelplug.testing.http import HttpConnection, HttpUpstream
from modelplug_openai.codec import OpenAICodec
from modelplug_openai.emulation.service import Answer, OpenAIService, Refused
from modelplug_openai.emulation.settings import EmulatorSettings

__all__ = ["OpenAIEmulator"]

_JSON = "application/json"


class OpenAIEmulator(HttpUpstream):
    """A service on this machine; it serves while it is entered, in a thread of its own.

    Args:
        host: the address to listen on.
        port: 0 takes any free one.
        api_key: the one key that is let in; None makes one up.
        app_id, api_secret: None: other services have them.
        switches: fields of ``EmulatorSettings``, by keyword.

    Raises:
        ConfigError: there is an app_id or an api_secret.
        ValidationError: pydantic's, a ValueError, for a switch that there isn't, or a bad value.
    """

    settings: ClassVar[type[BaseModel]] = EmulatorSettings

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        app_id: str | None = None,
        api_key: str | None = None,
        api_secret: str | None = None,
        **switches: Any,
    ) -> None:
        if app_id is not None or api_secret is not None:
            raise ConfigError("this service has a key alone, without app_id and api_secret")
        chosen = EmulatorSettings.model_validate(switches)
        self._key = api_key or f"sk-{secrets.token_urlsafe(24)}"
        self._pace = chosen.pace
        self._is_azures = chosen.key_header == "api-key"
        self._models = chosen.models
        self._service = OpenAIService(chosen, key=self._key)
        super().__init__(OpenAICodec(), host=host, port=port, tls=chosen.tls)

    def describe(self) -> Mapping[str, str]:
        """``url`` (with ``/v1``), ``api_key``, and ``ca_file`` with TLS.

        Also ``config``, a config string for it, where ``openai`` alone doesn't do.

        Raises:
            WrongUseError: it isn't entered.
        """
        origin = self.url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
        told = {"url": f"{origin}/v1", "api_key": self._key}
        if self._models or self._is_azures:
            model = self._models[0] if self._models else "any"
            backend = "azure" if self._is_azures else "openai"
            told["config"] = f"{backend}:{quote(model, safe='/:')}"
        return {**told, "ca_file": self.ca_file} if self.ca_file else told

    def environment(self) -> Mapping[str, str]:
        """The variables that make ``new_client("openai:any")`` talk to it, in a new process.

        With ``key_header="api-key"`` they are Azure's, for ``new_client("azure:any")``.

        Raises:
            WrongUseError: it isn't entered.
        """
        told = self.describe()
        variables = {"OPENAI_API_KEY": told["api_key"], "OPENAI_BASE_URL": told["url"]}
        if self._is_azures:
            host = told["url"].removesuffix("/v1")
            variables = {"AZURE_OPENAI_API_KEY": told["api_key"], "AZURE_OPENAI_ENDPOINT": host}
        # OpenSSL's own variable: a context reads it when it is made.
        return {**variables, "SSL_CERT_FILE": self.ca_file} if self.ca_file else variables

    def params(self) -> Mapping[str, str]:
        """The arguments that make ``new_client("openai:any", **params)`` talk to it.

        Raises:
            WrongUseError: it isn't entered.
        """
        told = self.describe()
        return {"proxy_api_base": told["url"], "proxy_api_key": told["api_key"]}

    async def answer(self, connection: HttpConnection, request: RawRequest) -> None:
        """Answer a request for which nothing was queued."""
        answer = self._service.ask(
            request.method, request.path, request.headers, request.body, now=time.time()
        )
        if isinstance(answer, Refused):
            await connection.respond(_status(answer))
            return
        try:
            await self._tell(connection, answer)
        finally:
            self._service.done(answer)

    async def _tell(self, connection: HttpConnection, answer: Answer) -> None:
        if answer.body is not None:
            whole = Status(200, answer.body.decode(), headers={"Content-Type": _JSON})
            await connection.respond(whole)
            return
        await connection.begin()
        for number, event in enumerate(answer.events):
            if number and self._pace:
                await asyncio.sleep(self._pace)
            await connection.say(event)
        await connection.end()


def _status(refused: Refused) -> Status:
    headers = {"Content-Type": _JSON}
    if refused.retry_after is not None:
        headers["Retry-After"] = f"{max(1, round(refused.retry_after))}"
    return Status(refused.status, refused.body.decode(), headers=headers)
