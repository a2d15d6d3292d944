"""The settings of the emulated service, as people spell them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from modelplug_openai.emulation.settings import EmulatorSettings

FIELDS = EmulatorSettings.model_fields


@pytest.mark.parametrize("name", FIELDS)
def test_a_setting_is_described(name: str) -> None:
    """In a sentence that fits a table."""
    told = FIELDS[name].description or ""
    assert told.strip().endswith(".")
    assert "\n\n" not in told


@pytest.mark.parametrize("name", FIELDS)
def test_a_setting_is_flat(name: str) -> None:
    """A switch, a word, a number or a list of words: what one word on a command line can say."""
    assert isinstance(FIELDS[name].default, bool | int | float | str | tuple | None)


def test_without_a_word_it_is_openais_own() -> None:
    """Nothing is limited, nothing refused, and nothing odd."""
    told = EmulatorSettings()
    assert (told.per_minute, told.concurrent) == (None, None)
    assert (told.models, told.forbidden) == ((), ())
    assert (told.key_header, told.usage, told.done) == ("authorization", "asked", True)
    assert not any((told.busy, told.tls, told.empty_first, told.null_content))


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("done", "false", False),
        ("per_minute", "3", 3),
        ("pace", "0.5", 0.5),
        ("key_header", "api-key", "api-key"),
        ("usage", "never", "never"),
        ("models", ("a", "b:8b"), ("a", "b:8b")),
    ],
)
def test_a_setting_is_read_as_a_command_line_spells_it(name: str, text: Any, value: object) -> None:
    """Texts, and tuples for lists."""
    assert value == getattr(EmulatorSettings(**{name: text}), name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("unheard_of", True),
        ("key_header", "cookie"),
        ("usage", "sometimes"),
        ("per_minute", -1),
        ("context", 0),
        ("pace", float("inf")),
        ("forbidden", ("",)),
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
