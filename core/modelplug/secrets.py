"""Keys and secrets: values that show themselves to nobody who doesn't ask by name."""

from __future__ import annotations

import hmac
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

from modelplug.errors import InvalidCredentialError, MissingCredentialError, ProxyLLMError

__all__ = ["Credential", "Scrubber", "Secret", "scrub"]

MASK = "**********"

_BLOCKS = "\u2588" * 10
"""The mask where a secret has asterisks of its own: no secret has a character outside ASCII."""

_ESCAPE = re.compile("%[0-9A-F]{2}")

_UNRESERVED = re.compile("[0-9A-Za-z_.~-]*")
"""What neither a URL (RFC 3986, section 2.3) nor JSON writes in another way."""

_IN_HTML = [
    str.maketrans({sign: spelling.format(ord(sign)) for sign in special})
    for special in ("<>&", "<>&'", "<>&='", "<>&='+", "<>&'+`")
    for spelling in ("\\u{:04x}", "\\u{:04X}")
]
"""How encoders of JSON spell what means something to HTML."""

_SAFE = ("/", "", "$&+:=@", "!*'()")
"""What encoders of URLs leave as it is, beside what is unreserved: Python's, for paths and else,
Go's ``PathEscape``, JavaScript's ``encodeURIComponent``."""


def _trimmed(text: object) -> str | None:
    """``text`` without the blanks around it, which files and copying add; None if unusable."""
    if not isinstance(text, str):
        return None
    text = text.strip()
    is_mask = text != "" and not text.strip("*")
    return text if text.isascii() and text.isprintable() and not is_mask else None


def _unusable() -> InvalidCredentialError:
    return InvalidCredentialError(
        "a credential is no text, has a control character or one outside ASCII, or is a mask",
        hint="copy it again, without line breaks or quotation marks",
    )


class Secret:
    """A secret text, or a callable that fetches one at each use, so that it can be rotated.

    It never shows in ``repr``, ``str``, ``vars``, a dump or a traceback with locals, and it
    doesn't pickle. Only ``reveal()`` gives it away: call it inside the expression that needs
    the text, so that no frame keeps it.

    Raises:
        InvalidCredentialError: the text can't be a credential.
    """

    __slots__ = ("_fetch", "_fixed", "_latest", "_spell")

    def __init__(self, secret: str | Callable[[], str] = "") -> None:
        self._fixed = isinstance(secret, str)
        self._fetch: Callable[[], str] = str  # for tracebacks, which print what was refused, too
        self._spell: Callable[[], Sequence[str]] | None = None
        self._latest: Secret | None = None
        if callable(secret):
            self._fetch = secret
        elif (text := _trimmed(secret)) is not None:
            # Kept in a method, whose repr doesn't show it: slots and __dict__ would, to whoever
            # walks attributes. A closure is three objects, and each call has many secrets.
            self._fetch = text.__str__
        else:
            del secret  # whoever reads a traceback with locals must not find it here
            raise _unusable()

    def reveal(self) -> str:
        """The text; a callable is asked anew each time.

        Raises:
            InvalidCredentialError: what a callable gave can't be a credential.
            MissingCredentialError: a callable raised; what it said is not repeated.
        """
        if self._fixed:
            return self._fetch()
        failure = None
        try:
            text = _trimmed(self._fetch())
        except ProxyLLMError:
            raise
        except Exception as error:  # noqa: BLE001  # the app's own callable; what it says may be secret
            text, failure = None, type(error).__name__
        if failure:
            raise MissingCredentialError(
                f"the callable that gives a credential raised {failure}",
                hint="it has to return the credential as a text",
            )
        if text is None:
            raise _unusable()
        return text

    def _snapshot(self) -> Secret:
        """A secret that stays what this one is now: for the params, which make credentials.

        Raises:
            InvalidCredentialError: see ``reveal``.
            MissingCredentialError: the same.
        """
        if self._fixed:
            return self
        latest, now = self._latest, Secret(self.reveal())
        if latest is None or latest != now:
            latest = self._latest = now
        return latest  # the same one as long as it is the same, with its spellings

    def _spellings(self) -> Sequence[str]:
        """All forms that a ``Scrubber`` looks for, and for it alone: as secret as the text itself.

        Raises:
            InvalidCredentialError: see ``reveal``.
            MissingCredentialError: the same.
        """
        if not self._fixed:
            return self._snapshot()._spellings()
        if self._spell is None:
            forms = _spellings(self.reveal())
            # In a closure. Kept, as each call asks for those of the same keys: that
            # was a tenth of what a request costs.
            self._spell = lambda: forms
        return self._spell()

    def __bool__(self) -> bool:
        """False for an empty text; a callable counts as there."""
        return not self._fixed or bool(self._fetch())

    def __repr__(self) -> str:
        return f"Secret({MASK!r})" if self else "Secret('')"

    def __str__(self) -> str:
        return MASK if self else ""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret) or not (self._fixed and other._fixed):
            return self is other
        return hmac.compare_digest(self._fetch(), other._fetch())

    def __hash__(self) -> int:
        # Equal secrets must have equal hashes, and a hash of the text would tell of it.
        return hash(Secret)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> tuple[object, ...]:
        if not self:
            return Secret, ()
        raise TypeError("a secret doesn't pickle; refer to it by env:NAME or file:/path instead")


@dataclass(frozen=True, kw_only=True, slots=True)
class Credential:
    """What one attempt authenticates with; empty where a backend doesn't need it."""

    app_id: str = ""
    api_key: Secret = Secret()
    api_secret: Secret = Secret()


def scrub(text: str, secrets: Iterable[Secret]) -> str:
    """``text`` without the secrets; see ``Scrubber``."""
    return Scrubber(secrets)(text)


class Scrubber:
    """What takes the secrets out of a text: raw, URL-encoded, base64, hexadecimal or JSON.

    For what a server says: it may well repeat what it was sent. Forms of fewer than eight
    characters stay, they would tear holes into ordinary words.

    Args:
        secrets: as they are now.

    Raises:
        InvalidCredentialError: one can't be had; see ``Secret.reveal``.
        MissingCredentialError: the same.
    """

    __slots__ = ("_clean", "_secrets")

    def __init__(self, secrets: Iterable[Secret]) -> None:
        fixed = map(Secret._snapshot, secrets)
        self._secrets = tuple({each.reveal(): each for each in fixed}.values())
        self._clean = ""  # one text that has nothing in it

    def __call__(self, text: str) -> str:
        """``text`` without the secrets."""
        if text == self._clean:
            return text  # a session's name, say, which the provider and then the core clean
        if not isinstance(text, str):
            # Before any form is made: a traceback with locals would show it.
            raise TypeError(f"a text is cleaned, not a {type(text).__name__}")
        forms = _found(text, self._secrets)
        if not forms:
            self._clean = text
            return text
        forms.sort(key=len, reverse=True)  # a form may be a part of another
        told = _masked(text, forms, MASK)
        # A secret with asterisks may begin in a mask and end in what follows it.
        return _masked(text, forms, _BLOCKS) if _found(told, self._secrets) else told


def _found(text: str, secrets: Iterable[Secret]) -> list[str]:
    """The forms of some secrets that are in a text: mostly none, so one look is all it takes.

    No form is shorter than its secret, so a name of forty characters needs none of a signed
    query's: making those costs nine times as much as the rest.
    """
    room = len(text)
    return [
        form
        for secret in secrets
        if len(secret.reveal()) <= room
        for form in secret._spellings()
        if form in text
    ]


def _masked(text: str, forms: Iterable[str], mask: str) -> str:
    # No regular expression: ``re`` keeps hundreds of them, with all that is in them.
    for form in forms:
        text = text.replace(form, mask)
    return text


def _spellings(text: str) -> Sequence[str]:
    return tuple({form for form in _forms(text) if len(form) >= 8})


def _forms(secret: str) -> Iterable[str]:
    raw = secret.encode()
    base64s = [encode(raw).decode() for encode in (b64encode, urlsafe_b64encode)]
    plain = {secret, *base64s, *(form.rstrip("=") for form in base64s)}
    # Most keys are written in one way only: this is a fifth of the work for such a one.
    odd = [each for each in plain if not _UNRESERVED.fullmatch(each)]
    yield from plain
    yield from (raw.hex(), raw.hex().upper())
    for each in odd:
        yield from _quoted(each)
        yield from _in_json(each)


def _quoted(text: str) -> Iterable[str]:
    """A text as it stands in URLs, with escapes in capitals and in small letters."""
    forms = (quote_plus(text), quote_plus(text, "*"), *(quote(text, safe) for safe in _SAFE))
    for form in forms:
        yield from (form, _ESCAPE.sub(lambda escape: escape[0].lower(), form))


def _in_json(text: str) -> Iterable[str]:
    """A text as encoders of JSON have it: some escape slashes, and what means something to HTML."""
    import json  # here: a client is made without it

    plain = json.dumps(text)[1:-1]
    yield from (plain, plain.replace("/", r"\/"))
    yield from map(plain.translate, _IN_HTML)
