"""A secret in the inputs of targets, and whether it shows."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from urllib.parse import quote, quote_plus

__all__ = ["FORMS", "HIDDEN", "expect_hidden", "planted"]

FORMS: Mapping[str, Callable[[str], str]] = {
    "RAW": str,
    "PCT": lambda secret: quote(secret, safe=""),
    "PLUS": quote_plus,
    "B64": lambda secret: b64encode(secret.encode()).decode(),
    "URL64": lambda secret: urlsafe_b64encode(secret.encode()).decode(),
    "BARE64": lambda secret: b64encode(secret.encode()).decode().rstrip("="),
    "HEX": lambda secret: secret.encode().hex(),
    "UPHEX": lambda secret: secret.encode().hex().upper(),
    "JSON": lambda secret: json.dumps(secret)[1:-1],
    "SLASH": lambda secret: json.dumps(secret)[1:-1].replace("/", r"\/"),
    "HTML": lambda secret: _escaped(json.dumps(secret)[1:-1], "<>&='"),
}
"""What a service may make of a secret that it repeats, by the word that stands for it."""


HIDDEN: Mapping[str, Callable[[str], str]] = {
    "ESC": lambda secret: _escaped(secret, secret),
}
"""What is planted but no form that is looked for: only reading JSON makes the secret of it."""


def _escaped(text: str, special: str) -> str:
    return "".join(f"\\u{ord(each):04x}" if each in special else each for each in text)


def planted(text: str, *secrets: str) -> str:
    """A text with the forms of secrets for the words ``<RAW0>``, ``<HEX1>`` and so on."""
    for place, secret in enumerate(secrets):
        for word, form in {**FORMS, **HIDDEN}.items():
            text = text.replace(f"<{word}{place}>", form(secret))
    return text


def expect_hidden(told: str, *secrets: str) -> None:
    """Fail if a text shows a secret in any form; eight characters are the least to count."""
    for secret in secrets:
        for word, form in FORMS.items():
            shape = form(secret)
            assert len(shape) < 8 or shape not in told, f"a secret shows as {word}"
