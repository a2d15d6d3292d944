"""A question as the service sees it: what was asked, of which model, when, under which rules."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

from modelplug_spark.emulation.faults import Fault, fault
from modelplug_spark.emulation.settings import EmulatorSettings
from modelplug_spark.frames import Request
from modelplug_spark.models import MODELS, SparkModel, hosted
from modelplug_spark.sparkmodel import Range

__all__ = ["Inquiry", "is_hosted", "is_served", "model_at", "sid_of"]

_MAAS: Final = "wss://maas-api.cn-huabei-1.xf-yun.com/v1.1/chat"
"""Where hosted models are asked (D-MaaS-WS). Its path is Spark Lite's as well."""

# Several models may share a path: their domains tell them apart (section 1.1).
_BY_PATH: Mapping[str, Sequence[SparkModel]] = {
    model.path: [each for each in MODELS if each.path == model.path] for model in MODELS
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Inquiry:
    """One question.

    Attributes:
        message: as it came.
        request: the same, decoded, and clamped where the rules say so.
        model: the model that path and domain belong to, or one of the path's.
        app_id: the app that the connection's key belongs to.
        now: seconds since the epoch.
        settings: the rules.
    """

    message: bytes
    request: Request
    model: SparkModel
    app_id: str
    now: float
    settings: EmulatorSettings

    @property
    def sid(self) -> str:
        """The name of its session."""
        return sid_of(self.message, self.now)

    @property
    def domain(self) -> str:
        """The domain that was asked for, which needn't be the model's."""
        return self.request.parameter.chat.domain

    @property
    def texts(self) -> list[str]:
        """What is said in it; what an image counts for is not documented."""
        turns = self.request.payload.message.text
        return [turn.content or "" for turn in turns if turn.content_type != "image"]

    def unfit(self, detail: str) -> Fault:
        """The engine's refusal of a parameter, a role or an image (section 11.2)."""
        return fault(self.settings.engine_code, self.now, detail)


def sid_of(message: bytes, now: float) -> str:
    """A session's name as the service makes them: the 11 digits after ``@dx`` are milliseconds.

    ``cht000b0c24@dx1916602ea10b808550`` began at 0x1916602ea10 ms since the epoch (section 4.4).
    The rest is derived from the message here.
    """
    digest = hashlib.sha256(message).hexdigest()
    return f"cht{digest[:8]}@dx{round(now * 1000):011x}b8{digest[8:13]}"


def is_served(path: str) -> bool:
    """Whether there is a model at this path."""
    return path in _BY_PATH


def is_hosted(model: SparkModel) -> bool:
    """Whether it is the MaaS platform's, whose connections stay open (section 4.6)."""
    return model.url == _MAAS


def model_at(path: str, domain: str, settings: EmulatorSettings) -> SparkModel:
    """The model that a domain means at a path that is served; another of that path's if none."""
    models = _BY_PATH[path]
    model = next((each for each in models if each.domain == domain), None)
    if model is None and domain in settings.hosted and path == urlsplit(_MAAS).path:
        # Reasoning models think (D-MaaS-WS); nothing but their names tells them apart.
        return replace(hosted(domain, url=_MAAS, domain=domain), thinking="r1" in domain.lower())
    return _settled(model or models[0], settings)


def _settled(model: SparkModel, settings: EmulatorSettings) -> SparkModel:
    """The model with its open questions answered (sections 1.1 and 11.7)."""
    context, answer = {
        "4.0Ultra": (settings.ultra_context, settings.ultra_max_tokens),
        "x2": (settings.x2_context, settings.x2_max_tokens),
    }.get(model.name, (None, None))
    if context is not None:
        model = replace(model, context_length=context)
    if answer is not None:
        model = replace(model, max_tokens=Range(model.max_tokens.low, answer))
    return model if settings.disputed == "accept" else _undisputed(model)


def _undisputed(model: SparkModel) -> SparkModel:
    return replace(
        model,
        system_role="none" if model.system_role == "disputed" else model.system_role,
        functions="none" if model.functions == "disputed" else model.functions,
    )
