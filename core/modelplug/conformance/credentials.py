"""What looks like a credential in a file that others will read: a recording is published.

Nothing of what is found is ever repeated, but for the line where it stands.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as NoBase64
from collections.abc import Iterator, Mapping
from contextlib import suppress
from urllib.parse import unquote

__all__ = ["credentials_in"]

_NAMES = (
    r"(?:x-)?(?:api[-_]?key|api[-_]?secret|(?:access|refresh|auth|id)[-_]?token|"
    r"client[-_]?secret|password|passwd|authorization|signature|set-cookie|cookie)"
)

_IS = r"""\\?["']?\s*[:=]\s*\\?["']"""
"""What stands between a name and its value, which is in quotes."""

_LOOKS: Mapping[str, re.Pattern[str]] = {
    "a credential of the kit's own": re.compile(r"\b(?:key|secret)\+/[\w-]{20,}"),
    "a bearer token": re.compile(r"\b(?:bearer|basic)\s+[\w.+/=~-]{8,}", re.IGNORECASE),
    "a key": re.compile(
        r"(?<![\w-])(?:sk|pk|rk|gsk|xai|ghp|hf)[-_][\w-]{16,}|\bAKIA[0-9A-Z]{12,}|\bAIza[\w-]{20,}"
    ),
    "a JSON web token": re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}"),
    "a user and a password in a URL": re.compile(r"\w://[^\s/@:\"']+:[^\s/@\"']+@"),
    "a credential in a query": re.compile(
        rf"[?&](?:key|token|secret|{_NAMES})=[^&\s\"'~]{{6,}}", re.IGNORECASE
    ),
    "a credential by its name": re.compile(
        rf"""["']?\b{_NAMES}\b{_IS}[^"'~\\]{{6,}}""", re.IGNORECASE
    ),
    # These names are a model's words, too: of tokens' probabilities, say.
    "a token or a secret": re.compile(
        rf"""["']?\b(?:token|secret)\b{_IS}(?=[^"'~\\\s]*\d)[^"'~\\\s]{{16,}}\\?["']""",
        re.IGNORECASE,
    ),
}
"""Kinds of credentials, and how one looks."""

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")


def credentials_in(text: str) -> Iterator[str]:
    """A line of words for each place of ``text`` that looks like a credential."""
    for number, line in enumerate(text.splitlines(), 1):
        for what in dict.fromkeys(_kinds(line)):
            yield f"line {number} has what looks like {what}"


def _kinds(line: str) -> Iterator[str]:
    for form in (line, unquote(line)):
        for what, look in _LOOKS.items():
            if look.search(form):
                yield what
        for word in _BASE64.findall(form):
            hidden = _from_base64(word)
            yield from (
                f"{what}, in base64" for what, look in _LOOKS.items() if look.search(hidden)
            )


def _from_base64(word: str) -> str:
    """What a word says in base64, wherever in it that begins."""
    told = []
    plain = word.replace("-", "+").replace("_", "/").rstrip("=")
    for start in range(4):
        part = plain[start:]
        with suppress(NoBase64, ValueError):
            told.append(b64decode(part[: len(part) // 4 * 4]).decode("ascii", "replace"))
    return "\n".join(told)
