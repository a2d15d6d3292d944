"""The gateway in front of the service: who may upgrade to a WebSocket, and what others hear.

Section 2 of the protocol notes. The texts are D-SpeechAuth's where it has them, and else were
seen live; the gateway seems to be a derivative of Kong's ``hmac-auth``, whose order of checks
this follows unless a setting says otherwise (R; section 11.1). Real clients write the
authorization in several ways, all of which pass: ``hmac username=`` for ``api_key=`` (one-api),
any blanks after a comma (spark-ai-python, sparkdesk-api), ``UTC`` for ``GMT`` (Java SDK), base64
whose ``=`` is not escaped (LangChain JS), a signed host with or without its port, or another than
the one that was dialled.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hmac import compare_digest
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

from modelplug_spark.emulation.settings import EmulatorSettings
from modelplug_spark.signing import TOLERANCE, seconds_of, signature, signed_text

__all__ = ["Account", "Refused", "Upgrade", "refusal"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """The one app that is let in: the three values that the console shows."""

    app_id: str
    api_key: str = field(repr=False)
    api_secret: str = field(repr=False)


class Refused(NamedTuple):
    """An HTTP answer in place of the upgrade; ``message`` goes into a JSON body."""

    status: int
    message: str


@dataclass(frozen=True, kw_only=True)
class Upgrade:
    """A wish to upgrade.

    Attributes:
        path: without the query.
        query: as it came, still escaped.
        host_header: the Host header.
        now: seconds since the epoch by the gateway's clock.
        account: who is let in.
        settings: ``strict_host``, ``date_first`` and ``mismatch_status`` count here. That the
            signed host must be the Host header's is not known (section 11.1); a client that is
            redirected signs another.
    """

    path: str
    query: str
    host_header: str
    now: float
    account: Account
    settings: EmulatorSettings

    @cached_property
    def params(self) -> Mapping[str, str]:
        """The query's parameters; their order is free (section 2.1 step 5)."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    @cached_property
    def authorization(self) -> Mapping[str, str]:
        """The fields of the authorization; empty if it can't be read."""
        try:
            text = b64decode(self.params["authorization"], validate=True).decode()
        except ValueError:
            return {}
        return dict(re.findall(r'(\w+)="([^"]*)"', text))

    @property
    def key(self) -> str:
        """The API key, under either of its names."""
        return self.authorization.get("api_key") or self.authorization.get("username", "")

    @property
    def host(self) -> str:
        """The host that was signed."""
        return self.params.get("host") or self.host_header


_HMAC = "HMAC signature cannot be verified"
_DATE = f"{_HMAC}, a valid date or x-date header is required for HMAC Authentication"


def _mismatch(upgrade: Upgrade) -> Refused:
    return Refused(upgrade.settings.mismatch_status, "HMAC signature does not match")


def _authorized(upgrade: Upgrade) -> Refused | None:
    return None if upgrade.params.get("authorization") else Refused(401, "Unauthorized")


def _dated(upgrade: Upgrade) -> Refused | None:
    date = seconds_of(upgrade.params.get("date", ""))
    in_time = date is not None and abs(upgrade.now - date) <= TOLERANCE
    return None if in_time else Refused(403, _DATE)


def _readable(upgrade: Upgrade) -> Refused | None:
    fields = upgrade.authorization
    whole = upgrade.key and fields.get("signature") and "headers" in fields
    return None if whole and fields.get("algorithm") == "hmac-sha256" else Refused(401, _HMAC)


def _covering(upgrade: Upgrade) -> Refused | None:
    covered = upgrade.authorization["headers"].split()
    for name in ("host", "date", "request-line"):
        if name not in covered:
            # No blank after this colon, unlike the others: three logs agree (L-astrbot3090).
            return Refused(401, f"{_HMAC}:enforced header '{name}' not used for signature creation")
    return None


def _known(upgrade: Upgrade) -> Refused | None:
    same = compare_digest(upgrade.key.encode(), upgrade.account.api_key.encode())
    return None if same else Refused(401, f"{_HMAC}: fail to retrieve credential")


def _signed(upgrade: Upgrade) -> Refused | None:
    text = signed_text(upgrade.host, upgrade.path, upgrade.params.get("date", ""))
    right = signature(text, upgrade.account.api_secret)
    same = compare_digest(right.encode(), upgrade.authorization["signature"].encode())
    return None if same else _mismatch(upgrade)


def _addressed(upgrade: Upgrade) -> Refused | None:
    signed, dialled = (re.sub(r":\d*$", "", host) for host in (upgrade.host, upgrade.host_header))
    return _mismatch(upgrade) if upgrade.settings.strict_host and signed != dialled else None


CHECKS: Final = (
    _authorized,
    _dated,
    _readable,
    _covering,
    _known,
    _signed,
    _addressed,
)
"""Kong's order: each check may rely on those before it, but for ``_dated``, which may come last."""


def refusal(upgrade: Upgrade) -> Refused | None:
    """What the gateway answers instead of upgrading; None if it lets the client in."""
    late = () if upgrade.settings.date_first else (_dated,)
    checks = [*(check for check in CHECKS if check not in late), *late]
    return next((refused for check in checks if (refused := check(upgrade))), None)
