"""The signs of the HTML page: a glyph and a colour for each verdict, and one for each ending."""

from __future__ import annotations

from collections.abc import Mapping

from modelplug.conformance.verdict import GLYPHS, Verdict

__all__ = ["ENDINGS", "MEANINGS", "ending", "mark"]

MEANINGS: Mapping[Verdict, str] = {
    "pass": "the rule is kept",
    "fail": "a MUST is broken",
    "warn": "a SHOULD is broken",
    "n/a": "not claimed, and refused as it ought to be; or nothing there to look at",
    "untestable": "nobody knows; counts as a failure",
    "flaky": "differs from run to run; counts as a failure",
    "xfail": "known to fail, with a reason in the baseline; its level isn't reached",
    "stale": "expected by the baseline, and not so any more; counts as a failure",
    "harness": "the harness is at fault, so the run says nothing",
}

ENDINGS: Mapping[str, str] = {
    "◀": "the client closed, with a goodbye",
    "◁": "the client just closed",
    "◁✕": "the client reset it",
    "▶": "the server closed, with a goodbye, or ended a whole response of HTTP",
    "▷": "the server just closed",
    "▷✕": "the server reset it",
    "⊣": "refused, by a status of HTTP or in the handshake of TLS",
}


def mark(verdict: Verdict) -> str:
    """A verdict, as HTML."""
    kind = "na" if verdict == "n/a" else verdict
    return f'<span class="mark {kind}" title="{verdict}">{GLYPHS[verdict]}</span>'


def ending(ended: str) -> str:
    """The sign of how a connection ended; empty where there was none."""
    side, _, how = ended.partition(" ")
    if side not in ("client", "server"):
        return ""
    polite, plain = ("◀", "◁") if side == "client" else ("▶", "▷")
    if how.startswith(("ws", "http:2")):
        return polite
    if how.startswith(("http", "tls")):
        return "⊣"
    return f"{plain}✕" if how == "rst" else plain
