"""The options by which an app makes echo misbehave on purpose."""

from pydantic import BaseModel, NonNegativeFloat, NonNegativeInt

from modelplug import FinishReason


class EchoOptions(BaseModel, extra="forbid"):
    """Options of the echo backend.

    Attributes:
        delay: seconds before each word.
        fail_after: fail once this many words are out.
        finish_reason: what to end with.
        usage: whether to report what the answer cost.
    """

    delay: NonNegativeFloat = 0.0
    fail_after: NonNegativeInt | None = None
    finish_reason: FinishReason = "stop"
    usage: bool = True
