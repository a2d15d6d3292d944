"""Texts that get lost where somebody handles text carelessly."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["CONTROLS", "CORPUS", "FORMS", "SEPARATORS", "SPACES"]

CORPUS: Mapping[str, str] = {
    "Chinese": "你好,世界。星火认知大模型",
    "rare Chinese": "\U00020000\U0002a6d6\U00030000",
    "Japanese with half-width": "カタカナ カタカナ",
    "Hangul in parts": "\u1112\u1161\u11ab\u1100\u1173\u11af",
    "emoji": "😀🚀🧠",
    "a family of emoji": "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
    "flags": "\U0001f1e8\U0001f1f3\U0001f1e9\U0001f1ea",
    "combining marks": "e\u0301 a\u0308\u0304 \u0e01\u0e33",
    "right to left": "\u202b\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627\u202c",
    "astral mathematics": "\U0001d4d7\U0001d55c\U0001d7d9",
    "private and last": "\ue000\uf8ff\ufffd\U0010fffd",
}
"""Multi-byte texts, by what they are."""

SEPARATORS = "a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg\x1dh\x1ei\r\nj\rk\n\nl"
"""All that ``str.splitlines`` takes for the end of a line."""

CONTROLS = "a\x00b\x01\x08\x1b[31m\x7fc\ufeffd\u200b\u00ade" + "o" + "\u0301" * 200
"""Controls, a byte order mark within, what isn't seen, and one long grapheme."""

SPACES = "  \n\t a  \r\n\n "
"""A text whose beginning and end get stripped."""

FORMS: tuple[str, str] = (
    "caf\u00e9 \u1e9b\u0323 \ud55c",
    "cafe\u0301 \u017f\u0323\u0307 \u1112\u1161\u11ab",
)
"""The same words composed and decomposed."""
