"""The options that Spark has and the contract hasn't."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

__all__ = ["SparkOptions"]


class SparkOptions(BaseModel):
    """What a config string, or ``request.options["spark"]``, may say besides.

    Attributes:
        sequence: whether a gap in the numbering of an answer's frames is an error
            (``strict``) or a warning (``lenient``).
        domain: the model's name on the wire, where it isn't the table's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    sequence: Literal["strict", "lenient"] = "strict"
    domain: str | None = None
