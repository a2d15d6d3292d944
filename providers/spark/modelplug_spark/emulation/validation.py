"""What the service finds wrong with a question before it looks at licences and limits.

The order is section 5.3's of the protocol notes (R). ``invalid model domain``, ``domain.`` and
the form of the JSON paths were seen live (L-Cow2252, L-nonebot8, L-pageagent261, C-10004); the
engine's texts are invented.

What a model doesn't have, such as functions or thinking, is ignored where it is asked for:
fields that nobody knows are accepted silently in all clients' experience (R; section 3.2),
unless a setting says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, cycle
from typing import Final, TypeAlias

from msgspec import UNSET

from modelplug_spark.emulation.faults import Fault, fault
from modelplug_spark.emulation.inquiry import Inquiry
from modelplug_spark.emulation.pictures import wrong_images
from modelplug_spark.emulation.ranges import outside
from modelplug_spark.emulation.surplus import surplus
from modelplug_spark.models import MODELS

__all__ = ["CHECKS", "faults"]

_UID_LENGTH = 32
"""Of a ``uid`` and of each ``patch_id`` (D-MaaS-WS; section 3.1)."""

_THINKING = ("enabled", "disabled", "auto")
_SEARCHES = (UNSET, "normal", "deep")

Check: TypeAlias = Callable[[Inquiry], Iterator[Fault]]


def _lengths(inquiry: Inquiry) -> Iterator[Fault]:
    """The platform's schema (section 3.1)."""
    header = inquiry.request.header
    if inquiry.settings.strict_uid and len(header.uid or "") > _UID_LENGTH:
        yield _invalid("$.header.uid", inquiry)
    if not inquiry.request.payload.message.text:
        yield _invalid("$.payload.message.text", inquiry)
    if any(len(each) > _UID_LENGTH for each in header.patch_id or ()):
        yield _invalid("$.header.patch_id", inquiry)


def _words(inquiry: Inquiry) -> Iterator[Fault]:
    """Words out of the documented ones: the platform's schema (section 3.2, R)."""
    chat = inquiry.request.parameter.chat
    if chat.thinking and chat.thinking.type not in _THINKING:
        yield _invalid("$.parameter.chat.thinking.type", inquiry)
    for number, tool in enumerate(chat.tools or ()):
        if tool.web_search and tool.web_search.search_mode not in _SEARCHES:
            yield _invalid(f"$.parameter.chat.tools[{number}].web_search.search_mode", inquiry)


def _fields(inquiry: Inquiry) -> Iterator[Fault]:
    """Fields that no documentation has, where they are refused (section 11.2)."""
    if inquiry.settings.unknown_fields == "refuse":
        for path in surplus(inquiry.message, inquiry.request):
            yield fault(10004, inquiry.now, f"'{path}' param is unknown;")


def _ranges(inquiry: Inquiry) -> Iterator[Fault]:
    for name, _, allowed in outside(inquiry.request, inquiry.model):
        yield inquiry.unfit(f"'$.parameter.chat.{name}' must be in {allowed}")


def _roles(inquiry: Inquiry) -> Iterator[Fault]:
    """Roles that no documentation knows, or where none puts them (section 3.3)."""
    roles = [turn.role for turn in inquiry.request.payload.message.text]
    order = inquiry.settings.role_order
    known = {"user", "assistant", *(["system"] if inquiry.model.system_role != "none" else [])}
    if not known.issuperset(roles):
        yield inquiry.unfit("unknown role")
    elif order == "any":
        return
    elif "system" in roles[1:]:
        yield inquiry.unfit("system must be the first role")
    elif roles and roles[-1] != "user":
        yield inquiry.unfit("user must be the last role")
    elif order == "strict" and not _alternating(roles):
        yield inquiry.unfit("user and assistant must alternate")


def _alternating(roles: list[str]) -> bool:
    turns = roles[1:] if roles[:1] == ["system"] else roles
    by_turns = zip(turns, cycle(("user", "assistant")), strict=False)  # the second never ends
    return all(role == wanted for role, wanted in by_turns)


def _domains(inquiry: Inquiry) -> Iterator[Fault]:
    domain, settings = inquiry.domain, inquiry.settings
    if domain == "general" != inquiry.model.domain:
        # Spark Lite's until October 2024; nobody has a licence for it since (L-oneapi1886).
        yield _misplaced(11200, inquiry)
    if domain not in {*(model.domain for model in MODELS), *settings.hosted}:
        yield _misplaced(settings.unknown_domain, inquiry)
    if domain != inquiry.model.domain:
        yield _misplaced(settings.wrong_domain, inquiry)


def _apps(inquiry: Inquiry) -> Iterator[Fault]:
    if inquiry.settings.blacklisted:
        yield fault(10015, inquiry.now)
    if inquiry.request.header.app_id != inquiry.app_id:
        yield _misplaced(11200, inquiry)


CHECKS: Final[tuple[Check, ...]] = (
    _lengths,
    _words,
    _fields,
    _ranges,
    _roles,
    wrong_images,
    _domains,
    _apps,
)
"""Section 5.3's order: schema, engine's schema, domain, app."""


def faults(inquiry: Inquiry) -> Iterator[Fault]:
    """Everything that is wrong with a question, in the order in which the service looks."""
    return chain.from_iterable(check(inquiry) for check in CHECKS)


def _invalid(path: str, inquiry: Inquiry) -> Fault:
    return fault(10004, inquiry.now, f"'{path}' value is invalid")


def _misplaced(code: int, inquiry: Inquiry) -> Fault:
    """A domain that isn't there, isn't here, or isn't the app's."""
    details = {10003: "invalid model domain", 11200: f"domain.{inquiry.domain}"}
    invalid = "'$.parameter.chat.domain' value is invalid"
    return fault(code, inquiry.now, details.get(code, invalid))
