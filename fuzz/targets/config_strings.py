"""Whatever a config string says, it is understood or refused, and a key in it stays unseen.

An input is a config string; wherever it has ``KEY``, there a pasted key stands.
"""

from __future__ import annotations

import traceback
from random import Random

from modelplug import ConfigError, ProxyLLMError
from modelplug.configstring import ConfigString, Target
from modelplug.params import ProxyModelParameters, validated
from modelplug.settings import Settings
from modelplug_spark.options import SparkOptions

__all__ = ["check", "mutate"]

KEY = "Zq7CanaryX9Zq7CanaryX9Zq7"
"""Longer than any name that an error may repeat; in lower case a well-formed one."""

_PIECES = (
    *("|", "@", ":", "?", "&", "=", ",", "%", "+", " ", "\t", "%00", "%E6%A8%A1", "%ff", "\u6a21"),
    *("KEY", "env:KEY", "file:KEY", "env:", "file:/a", "acme", "spark", "@prod", ":m", "?seed=1"),
    *("&api_key=", "&api_secret=", "&proxy_api_key=", "&temperature=", "&stop=a,b", "&search="),
    *("&timeout=", "&on_unsupported=warn", "&patch_id=", "&max_context_size=", "&observers=x"),
    *("&profile=p", "&options=", "true", "1e400", "nan", "-0", "9" * 30, "\ud800", "\u200b"),
)
"""What means something to the grammar, or to a field."""


def mutate(data: bytes, random: Random) -> bytes:
    """The input with a piece put in, taken out or doubled."""
    text = data.decode(errors="surrogateescape")
    for _ in range(random.randint(1, 3)):
        start = random.randint(0, len(text))
        end = min(len(text), start + random.choice((0, 0, 1, 4)))
        text = text[:start] + random.choice((*_PIECES, text[start:end] * 2)) + text[end:]
    return text.encode(errors="surrogatepass")


def check(data: bytes) -> None:
    """Fail if a config string does anything but what it promises."""
    text = data.decode(errors="surrogateescape").replace("KEY", KEY)
    try:
        config = ConfigString.parse(text)
    except ConfigError as error:
        check_failure(error, text)
        return
    again = ConfigString.parse(str(config))
    assert again == config, "it isn't read back as it was written"
    assert str(again) == str(config), "two spellings are canonical"
    assert str(config).isprintable()
    for target in config.targets:
        check_values(target)


def check_values(target: Target) -> None:
    """The values are what the params and a backend's options take, or are refused without a key."""
    try:
        settings = Settings.of_target(target)
        validated(SparkOptions, settings.options, whose="options", fit=True)
        fields = {**settings.fields, "defaults": settings.defaults}
        ProxyModelParameters.model_validate(fields)
    except ConfigError as error:
        names = " ".join(target.options)
        # A name that isn't known is told, so that it can be put right.
        if KEY.lower() not in names:
            check_failure(error, "")


def check_failure(error: ProxyLLMError, text: str) -> None:
    """The error helps, and no part of it, nor of ours in its traceback, has the key."""
    assert error.hint or not text, "there is no remedy"
    told = [str(error), repr(error), repr(error.args), repr(vars(error))]
    frames = traceback.TracebackException.from_exception(error, capture_locals=True).stack
    # parse itself; validated is called by those who strip what they raise.
    told += [str(frame.locals) for frame in frames if frame.name == "parse"]
    assert KEY.lower() not in "".join(told).lower(), "the key shows"
    assert error.__cause__ is error.__context__ is None, "what lies behind may show it"
