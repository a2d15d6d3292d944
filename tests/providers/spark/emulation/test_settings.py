"""The settings of the emulated service, as people spell them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from modelplug_spark.emulation.settings import EmulatorSettings

FIELDS = EmulatorSettings.model_fields


@pytest.mark.parametrize("name", FIELDS)
def test_a_setting_is_described(name: str) -> None:
    """In a sentence that fits a table."""
    told = FIELDS[name].description or ""
    assert told.strip()
    assert "\n\n" not in told


@pytest.mark.parametrize("name", FIELDS)
def test_a_setting_is_flat(name: str) -> None:
    """A switch, a word, a number or a list of words: what one word on a command line can say."""
    assert isinstance(FIELDS[name].default, bool | int | float | str | tuple | None)


def test_nothing_is_limited_and_nothing_refused_without_a_word() -> None:
    """The defaults are the tolerant service that real clients know, where section 11 says so."""
    told = EmulatorSettings()
    limits = (told.tokens, told.daily, told.per_second, told.concurrent, told.engine_stuck)
    assert limits == (None,) * 5
    words = (told.granted, told.forbidden_input, told.forbidden_output, told.suspect, told.hosted)
    assert words == ((),) * 5
    assert (told.close, told.unknown_fields, told.role_order) == ("frame", "accept", "ends")
    assert (told.unknown_domain, told.wrong_domain, told.engine_code) == (10004, 10003, 10163)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("empty_last", "true", True),
        ("daily", "3", 3),
        ("busy_seconds", "0.5", 0.5),
        ("close", "cut", "cut"),
        ("unknown_domain", "11200", 11200),
        ("mismatch_status", "403", 403),
        ("granted", ("lite", "max-32k"), ("lite", "max-32k")),
    ],
)
def test_a_setting_is_read_as_a_command_line_spells_it(name: str, text: Any, value: object) -> None:
    """Texts, and tuples for lists."""
    assert value == getattr(EmulatorSettings(**{name: text}), name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("unheard_of", True),
        ("close", "slam"),
        ("unknown_domain", 10001),
        ("unknown_domain", "many"),
        ("daily", -1),
        ("ultra_context", 0),
        ("busy_seconds", float("inf")),
        ("suspect", ("",)),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(name: str, value: Any) -> None:
    """By its name."""
    with pytest.raises(ValidationError, match=name):
        EmulatorSettings(**{name: value})


def test_settings_stay_as_they_are() -> None:
    """A running service has one set of rules."""
    with pytest.raises(ValidationError, match="frozen"):
        EmulatorSettings().busy = True
