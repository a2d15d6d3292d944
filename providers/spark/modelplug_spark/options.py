"""The options that Spark has and the contract hasn't."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

__all__ = ["SparkOptions"]


class SparkOptions(BaseModel):
    """What a config string, or ``request.options["spark"]``, may say besides.

    Facts are from sections 3.1 and 3.2 of the protocol notes.

    Attributes:
        sequence: whether a gap in the numbering of an answer's frames is an error
            (``strict``) or a warning (``lenient``).
        domain: the model's name on the wire, where it isn't the table's; with a full URL as
            ``api_base`` the model needn't be in the table (D-MaaS-WS). That is for a
            configuration, not for a request.
        thinking: whether a model that thinks does so (D-X1HTTP, D-Android, S-Java). The
            request's ``reasoning`` goes before it.
        search: whether the model looks things up, and how: True is ``normal``, the service's
            own default; ``deep`` costs more tokens; False switches it off (D-Web, D-X1HTTP).
            Of hosted models only DeepSeek's do (D-MaaS-WS).
        show_sources: whether a search names the pages that it found (D-Web: ``show_ref_label``).
        chat_id: relates the session; unique for the user (D-Web).
        patch_id: the resources of a fine-tuned model; ``0`` is its base (D-MaaS-WS, S-Py).
        auditing: how strictly content is checked; old, and with one documented value (D-Android).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    sequence: Literal["strict", "lenient"] = "strict"
    domain: str | None = None
    thinking: Literal["enabled", "disabled", "auto"] | None = None
    search: bool | Literal["normal", "deep"] | None = None
    show_sources: bool = False
    chat_id: Annotated[str, StringConstraints(min_length=1)] | None = None
    patch_id: tuple[Annotated[str, StringConstraints(min_length=1, max_length=32)], ...] = ()
    auditing: Literal["default"] | None = None
