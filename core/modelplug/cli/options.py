"""``-o NAME=VALUE``, read as a config string reads its options."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

import click

from modelplug.configstring import ConfigString, Value
from modelplug.errors import ConfigError, ConfigSyntaxError

__all__ = ["read_options"]

_AS_IT_IS = "!\"#$%'()*+,-./:;<=>@[\\]^_`{}~"
"""What a value may mean to the grammar: all of ASCII but blanks and ?, & and |."""


def read_options(options: Sequence[str]) -> dict[str, Value]:
    """Names and values of ``-o``; the value's type is its field's affair.

    Raises:
        click.BadParameter: one can't be read, or a name is given twice. It shows no value.
    """
    added: dict[str, Value] = {}
    for option in options:
        name, mark, value = option.partition("=")
        if not mark or name in added:  # neither is repeated: it may be a key, pasted by mistake
            told = "a name is given twice" if mark else "write NAME=VALUE"
            raise click.BadParameter(told, param_hint="-o")
        added[name] = _value(name, value)
    return added


def _value(name: str, text: str) -> Value:
    """What ``-o`` means, by the config string's own grammar; no error shows the value."""
    try:
        option = f"{name}={quote(text, safe=_AS_IT_IS)}"
        return ConfigString.parse(f"x?{option}").targets[0].options[name]
    except ConfigSyntaxError as error:
        # Its message names a column of the text above, which nobody has written.
        told = f"{name}: {error.hint}"
    except ConfigError as error:
        told = error.message
    except (UnicodeEncodeError, KeyError):  # no UTF-8, or a name with marks of the grammar in it
        told = "write NAME=VALUE"
    raise click.BadParameter(told, param_hint="-o")
