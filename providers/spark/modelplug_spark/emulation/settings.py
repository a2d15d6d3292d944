"""How the emulated service behaves where the real one does both, or nobody knows; and its limits.

Flat on purpose: each field can be set by keyword, as ``name=value`` on a command line, and be
listed in a table with its docstring. Sections are those of the protocol notes; section 11 lists
what is open, and the default is the conservative choice named there, or what was seen.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

__all__ = ["EmulatorSettings"]


def _number(value: object) -> object:
    """A code or status as a command line spells it; pydantic's ``Literal`` doesn't read texts."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


_AsNumber = BeforeValidator(_number)
_Name = Annotated[str, StringConstraints(min_length=1)]
_Count = Annotated[int, Field(ge=0)]
_Limit = Annotated[int, Field(gt=0)]
_Seconds = Annotated[float, Field(ge=0)]


class EmulatorSettings(BaseModel):
    """The switches and limits of the emulated service; the account is not among them."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )

    # ------------------------------------------------------------ connections, section 4.6

    pace: _Seconds = 0.02
    """Seconds between two frames of an answer."""

    patience: _Seconds = 60.0
    """Seconds after which a client that asks nothing is let go."""

    tls: bool = False
    """Whether it is wss, with a certificate of its own, which clients have to be told to trust."""

    # ------------------------------------------------------------ answers, section 4

    empty_last: bool = False
    """Whether the last frame has no text but the usage alone. Both were recorded; a text there
    catches clients that drop it (4.1)."""

    bare_sources: bool = False
    """Whether the frame with a search's sources comes without `choices` (11.3); other SDKs crash
    on it."""

    notice_content: bool = False
    """Whether a 10019 is the last frame of the answer itself, with its text, instead of a frame
    of its own behind it (11.9)."""

    invented_texts: bool = True
    """Whether codes whose text nobody has recorded carry an invented one, or none (11.4)."""

    close: Literal["frame", "cut"] = "frame"
    """How the connection ends after an answer: close frame 1000, or cut as seen in 2025 (11.6)."""

    second_question: bool = False
    """Whether a public connection stays open for further questions (11.10); hosted models' does
    in any case."""

    # ------------------------------------------------------------ gateway, section 2

    strict_host: bool = False
    """Whether the signed host must be the Host header's, ports aside (11.1)."""

    date_first: bool = True
    """Whether the clock is looked at before the credentials, as Kong does (11.1)."""

    mismatch_status: Annotated[Literal[401, 403], _AsNumber] = 401
    """HTTP status of a wrong signature: 401 as documented, 403 as in stock Kong (2.2)."""

    # ------------------------------------------------------------ questions, sections 1, 3

    strict_uid: bool = False
    """Whether a `uid` of more than 32 characters is refused with 10004, as documented; working
    clients send 36 (11.2)."""

    unknown_fields: Literal["accept", "refuse"] = "accept"
    """What becomes of fields that no documentation has: ignored, or 10004 (11.2)."""

    role_order: Literal["any", "ends", "strict"] = "ends"
    """How roles must follow one another: not at all; system first and user last; or also user
    and assistant by turns, as documented (11.2)."""

    out_of_range: Literal["refuse", "clamp"] = "refuse"
    """What becomes of a value out of range, such as temperature 0: a failure, or the nearest
    value that is allowed (11.2)."""

    engine_code: Annotated[Literal[10003, 10004, 10005, 10163], _AsNumber] = 10163
    """Code for ranges, roles and images that the engine's schema refuses (11.2)."""

    unknown_domain: Annotated[Literal[10003, 10004, 10005, 11200], _AsNumber] = 10004
    """Code for a domain that no model has (11.2)."""

    wrong_domain: Annotated[Literal[10003, 10004, 11200], _AsNumber] = 10003
    """Code for a domain that belongs to another path; all three were seen (0.5)."""

    disputed: Literal["accept", "refuse"] = "accept"
    """Whether system messages and functions work where the documentation says no, or nothing,
    and the Java SDK yes (1.1)."""

    hosted: tuple[_Name, ...] = ()
    """Service ids of the MaaS platform that are served at /v1.1/chat, such as `xdeepseekv3`; one
    with `r1` in it thinks (1.1)."""

    ultra_context: _Limit | None = None
    """Tokens that 4.0Ultra's questions may have; the model table's if left out, 8192 until 2026
    (11.7)."""

    ultra_max_tokens: _Limit | None = None
    """Highest `max_tokens` of 4.0Ultra; the model table's if left out, 8192 until 2026 (11.7)."""

    x2_context: _Limit | None = None
    """Tokens that X2's questions may have; the model table's if left out (11.7)."""

    x2_max_tokens: _Limit | None = None
    """Highest `max_tokens` of X2; the model table's if left out (11.7)."""

    # ------------------------------------------------------------ licences, section 5.1

    blacklisted: bool = False
    """Whether the app is on the black list: 10015."""

    granted: tuple[_Name, ...] = ()
    """Domains that the app has a licence for, all if left out; for others 11200 `domain.`"""

    tokens: _Count | None = None
    """Tokens that the app has for each domain; once they are used up, 11200 `tokens.total`."""

    daily: _Count | None = None
    """Questions for each domain a day in Beijing; for more 11201."""

    per_second: _Count | None = None
    """Questions in any second, in all; for more 11202. Plans are said to have 2 (trial) or 20
    (11.8)."""

    concurrent: _Count | None = None
    """Answers at the same time, in all; for more 11203. Some plan is said to have 20 (11.8)."""

    one_per_user: bool = False
    """Whether a `uid` that is being answered is refused elsewhere with 10006."""

    # ------------------------------------------------------------ audits, section 5.1

    forbidden_input: tuple[_Name, ...] = ()
    """Words that are refused in a question or its history with 10013, in any case."""

    forbidden_output: tuple[_Name, ...] = ()
    """Words that end an answer with 10014 once they are in it, in any case."""

    suspect: tuple[_Name, ...] = ()
    """Words that bring a 10019 after the whole answer, in question or answer, in any case."""

    # ------------------------------------------------------------ engine, section 4.4

    busy: bool = False
    """Whether the engine is busy: 10110 instead of an answer."""

    busy_seconds: _Seconds = 1.1
    """Seconds until a 10110 comes, as recorded."""

    engine_stuck: _Count | None = None
    """After how many frames the engine falls silent, until 10010; never if left out. An answer
    with no more frames is complete."""

    engine_seconds: _Seconds = 120.0
    """Seconds of the engine's silence until a 10010 comes, as recorded."""
