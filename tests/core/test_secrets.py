"""Keys and secrets, which show themselves to nobody who doesn't ask by name."""

from __future__ import annotations

import contextlib
import copy
import json
import pickle
import traceback
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from dataclasses import FrozenInstanceError, asdict
from types import BuiltinMethodType, MethodWrapperType, WrapperDescriptorType
from typing import NoReturn
from unittest.mock import Mock
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import HealthCheck, assume, example, given
from hypothesis import settings as run_with
from hypothesis import strategies as st

from modelplug import (
    Call,
    Credential,
    InvalidCredentialError,
    MissingCredentialError,
    ProxyModelParameters,
    Secret,
)
from modelplug.secrets import MASK, Scrubber, scrub

UNTIMED = run_with(deadline=None, suppress_health_check=[HealthCheck.too_slow])

CANARY = "Zq7Canary+X9/secret"
"""Kept in a constant: a test's own locals must not show it."""

UNUSABLE = [
    "\r",
    "\n",
    "\0",
    "\t",
    "\x1b",
    "\x7f",
    "é",
    "钥",
    "\ufeff",
    "\u200b",
    "\u202e",
    "\ud800",
]

ASCII = st.characters(min_codepoint=0x20, max_codepoint=0x7E)
texts = st.text(ASCII, min_size=8, max_size=40).map(str.strip)
usable = texts.filter(lambda text: len(text) >= 8 and text.strip("*") != "")
asterisks = st.text("*ab", min_size=8, max_size=12).filter(lambda text: text.strip("*") != "")
secrets = st.lists(usable | asterisks, min_size=1, max_size=3)

FORMS: dict[str, Callable[[str], str]] = {
    "raw": lambda text: text,
    "base64": lambda text: b64encode(text.encode()).decode(),
    "base64-unpadded": lambda text: b64encode(text.encode()).decode().rstrip("="),
    "urlsafe-base64": lambda text: urlsafe_b64encode(text.encode()).decode(),
    "urlsafe-base64-unpadded": lambda text: urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "quoted": quote,
    "quoted-plus": quote_plus,
    "quoted-all": lambda text: quote(text, safe=""),
    "quoted-base64": lambda text: quote_plus(b64encode(text.encode())),
    "hexadecimal": lambda text: text.encode().hex(),
    "upper-case-hexadecimal": lambda text: text.encode().hex().upper(),
}
"""The ways in which a server may repeat a secret."""

LEAVES = (str, bytes, int, float, type, BuiltinMethodType, MethodWrapperType, WrapperDescriptorType)


def reachable(value: object, depth: int = 6) -> Iterator[object]:
    """Whatever a curious program finds by reading attributes of attributes."""
    seen, level = {id(value): value}, [value]
    for _ in range(depth):
        found = []
        for each in level:
            for name in dir(each):
                with contextlib.suppress(Exception):
                    attribute = getattr(each, name)
                    if id(attribute) not in seen:
                        seen[id(attribute)] = attribute
                        found.append(attribute)
        level = [each for each in found if not isinstance(each, LEAVES)]
    yield from seen.values()


def with_locals(error: BaseException) -> str:
    """The traceback as error trackers record it."""
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(told.format())


class TestSecret:
    @pytest.mark.parametrize(
        "show",
        [
            repr,
            str,
            format,
            ascii,
            lambda secret: f"{secret!s} {secret!r}",
            "%s".__mod__,
            lambda secret: json.dumps([secret], default=str),
            lambda secret: str({"key": secret}),
            lambda secret: str(Credential(api_key=secret, api_secret=secret)),
            lambda secret: str(asdict(Credential(api_key=secret))),
        ],
        ids=["repr", "str", "format", "ascii", "f", "%", "json", "dict", "credential", "asdict"],
    )
    @pytest.mark.parametrize("callable_", [True, False], ids=["callable", "text"])
    def test_a_secret_shows_a_mask(self, show: Callable[[Secret], str], callable_: bool) -> None:
        """However it is printed, there is a mask in its place."""
        shown = show(Secret((lambda: CANARY) if callable_ else CANARY))
        assert CANARY not in shown
        assert MASK in shown

    def test_an_empty_secret_shows_that_it_is_empty(self) -> None:
        """A missing key looks missing."""
        assert (str(Secret()), repr(Secret())) == ("", "Secret('')")

    def test_a_secret_has_no_vars(self) -> None:
        """There is no dictionary to look into."""
        with pytest.raises(TypeError):
            vars(Secret(CANARY))

    def test_no_attribute_leads_to_the_text(self) -> None:
        """Neither an attribute nor what it prints like has it, six steps deep."""
        objects = list(reachable(Secret(CANARY)))
        assert len(objects) > 100
        assert not [each for each in objects if CANARY in repr(each)]

    def test_no_attribute_of_a_call_leads_to_a_text_that_it_took_out(self) -> None:
        """Nor to any of the forms that it has looked for."""
        call = Call()
        call.conceal(Secret(CANARY))
        assert call.scrub(f"said {CANARY}") == f"said {MASK}"
        objects = [repr(each) for each in reachable(call)]
        assert len(objects) > 100
        forms = {form(CANARY) for form in FORMS.values()}
        assert not [each for each in objects if any(form in each for form in forms)]

    def test_a_credential_keeps_what_a_callable_gave(self) -> None:
        """The same object as long as that is the same, whose forms are made once; then another."""
        keys = iter(["first-key", "first-key", "second-key"])
        params = ProxyModelParameters(proxy_api_key=Secret(lambda: next(keys)))
        first, again, second = (params.credential().api_key for _ in range(3))
        assert first is again
        assert [first.reveal(), second.reveal()] == ["first-key", "second-key"]

    def test_a_key_that_was_rotated_is_taken_out(self) -> None:
        """The new one by calls from then on; the old one by those that had begun with it."""
        keys = iter(["first-key", "second-key"])
        params = ProxyModelParameters(proxy_api_key=Secret(lambda: next(keys)))
        before, after = (Call(credentials=params.credential) for _ in range(2))
        for call in (before, after):
            call.credential()
        said = "first-key second-key"
        assert f"{MASK} second-key" == before.scrub(said)
        assert f"first-key {MASK}" == after.scrub(said)

    def test_params_dump_a_mask(self) -> None:
        """No dump of params has the text, in Python or in JSON."""
        params = ProxyModelParameters(proxy_api_key=Secret(CANARY), proxy_api_secret=Secret(CANARY))
        dumps = [
            params.model_dump_json(),
            json.dumps(params.model_dump(mode="json")),
            str(params.model_dump()),
            repr(params),
            str(params),
        ]
        assert not [dump for dump in dumps if CANARY in dump]
        assert json.loads(dumps[0])["proxy_api_key"] == MASK

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_a_secret_doesn_t_pickle(self, protocol: int) -> None:
        """It can't leave the process by accident, and the error says how to pass it on."""
        with pytest.raises(TypeError, match="env:NAME or file:/path") as caught:
            pickle.dumps(Secret(CANARY), protocol)
        assert CANARY not in str(caught.value)

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_an_empty_secret_pickles(self, protocol: int) -> None:
        """Where there is no secret there is nothing to keep back."""
        pickled = pickle.dumps(Credential(app_id="app"), protocol)
        assert Credential(app_id="app") == pickle.loads(pickled)  # noqa: S301  # our own

    def test_what_has_a_secret_doesn_t_pickle(self) -> None:
        """A credential keeps its secrets in the process too."""
        with pytest.raises(TypeError, match="doesn't pickle"):
            pickle.dumps(Credential(api_key=Secret(CANARY)))

    @pytest.mark.parametrize("way", [copy.copy, copy.deepcopy])
    def test_a_copy_is_the_same_secret(self, way: Callable[[Secret], Secret]) -> None:
        """What holds a secret can be copied, and the text isn't."""
        secret = Secret(CANARY)
        assert secret is way(secret)
        assert secret is copy.deepcopy(Credential(api_key=secret)).api_key

    @UNTIMED
    @given(text=usable)
    def test_the_text_is_revealed_on_demand(self, text: str) -> None:
        """Who asks by name gets it, as often as they ask."""
        secret = Secret(text)
        assert [text, text] == [secret.reveal(), secret.reveal()]

    def test_a_callable_is_asked_each_time(self) -> None:
        """A key that was rotated is used from then on."""
        keys = iter(["first", "second"])
        secret = Secret(lambda: next(keys))
        assert [secret.reveal(), secret.reveal()] == ["first", "second"]

    def test_a_callable_is_asked_only_for_the_text(self) -> None:
        """Printing, comparing and testing a secret fetch nothing."""
        secret = Secret(Mock(side_effect=AssertionError("it was asked")))
        told = (str(secret), repr(secret), bool(secret), secret == Secret(CANARY))
        assert (MASK, f"Secret({MASK!r})", True, False) == told
        assert hash(secret) == hash(Secret(CANARY))

    @pytest.mark.parametrize("before", ["", " ", "\t"])
    @pytest.mark.parametrize("after", ["", "\n", "\r\n", " \n"])
    def test_blanks_around_a_secret_are_no_part_of_it(self, before: str, after: str) -> None:
        """A line break that a file or a clipboard adds is dropped, also from a callable's."""
        text = f"{before}{CANARY}{after}"
        assert [Secret(text).reveal(), Secret(lambda: text).reveal()] == [CANARY, CANARY]

    @pytest.mark.parametrize("mark", UNUSABLE, ids=ascii)
    def test_a_text_that_can_t_be_a_credential_is_refused(self, mark: str) -> None:
        """What would break a header, or can't be seen, is refused before it is sent."""
        with pytest.raises(InvalidCredentialError):
            Secret(f"{CANARY}{mark}{CANARY}")
        secret = Secret(lambda: f"{CANARY}{mark}{CANARY}")
        with pytest.raises(InvalidCredentialError):
            secret.reveal()

    @pytest.mark.parametrize("mark", ["\0", "\ufeff", "\u200b"], ids=ascii)
    def test_a_mark_at_the_edge_is_refused(self, mark: str) -> None:
        """Only blanks are trimmed; a byte order mark is a sign of a damaged key."""
        for text in (mark + CANARY, CANARY + mark):
            with pytest.raises(InvalidCredentialError):
                Secret(text)

    @pytest.mark.parametrize("mask", ["*", "*" * 8, MASK, f" {MASK}\n"])
    def test_a_mask_is_refused(self, mask: str) -> None:
        """What was copied from a dump is no key."""
        with pytest.raises(InvalidCredentialError, match="is a mask"):
            Secret(mask)

    @pytest.mark.parametrize("value", [None, 5, CANARY.encode()], ids=["none", "number", "bytes"])
    def test_what_is_no_text_is_refused(self, value: object) -> None:
        """Neither bytes nor a number is a secret, whoever gives it."""
        with pytest.raises(InvalidCredentialError, match="no text"):
            Secret(value)  # type: ignore[arg-type]  # the point of the test
        secret = Secret(lambda: value)  # type: ignore[arg-type, return-value]  # the same
        with pytest.raises(InvalidCredentialError, match="no text"):
            secret.reveal()

    @pytest.mark.parametrize(
        "use",
        [
            lambda: Secret(f"{CANARY}\n{CANARY}"),
            lambda: Secret(lambda: f"{CANARY}\n{CANARY}").reveal(),
            lambda: Secret(CANARY.encode()),  # type: ignore[arg-type]
            Secret(CANARY.encode).reveal,  # type: ignore[arg-type]
            lambda: ProxyModelParameters(proxy_api_key=f"{CANARY}\n{CANARY}"),
            lambda: pickle.dumps(Secret(CANARY)),
        ],
        ids=["text", "callable", "bytes", "callable-bytes", "params", "pickle"],
    )
    def test_a_refusal_shows_nothing(self, use: Callable[[], object]) -> None:
        """Neither the error nor the locals of any frame below the caller have the text."""
        with pytest.raises((InvalidCredentialError, TypeError)) as caught:
            use()
        told = with_locals(caught.value)
        assert CANARY not in told + repr(caught.value)
        assert caught.value.__context__ is caught.value.__cause__ is None

    @pytest.mark.parametrize("odd", [12345, CANARY.encode()], ids=["number", "bytes"])
    def test_what_is_no_text_is_refused_and_shows_nothing(self, odd: object) -> None:
        """A provider may pass on what came as it came: no frame shows what was looked for."""
        clean = Scrubber([Secret(CANARY)])
        told = clean("nothing in it")
        with pytest.raises(TypeError, match="a text is cleaned") as caught:
            clean(odd)  # type: ignore[arg-type]
        assert CANARY not in with_locals(caught.value).replace(repr(odd), "")
        assert told == "nothing in it"

    def test_a_callable_that_fails_gives_no_credential(self) -> None:
        """What a callable raises is told by its class; its words may hold the secret."""
        with pytest.raises(MissingCredentialError, match="KeyError") as caught:
            Secret(Mock(side_effect=KeyError(CANARY))).reveal()
        assert CANARY not in with_locals(caught.value)
        assert caught.value.__context__ is None

    @UNTIMED
    @given(one=usable, other=usable)
    def test_secrets_compare_by_their_texts(self, one: str, other: str) -> None:
        """Two secrets are equal when their texts are, and then their hashes are too."""
        assert (one == other) is (Secret(one) == Secret(other))
        assert hash(Secret(one)) == hash(Secret(f"{one}\n"))

    def test_callables_compare_by_identity(self) -> None:
        """What isn't known until it is fetched equals only itself."""
        one, other = Secret(lambda: CANARY), Secret(lambda: CANARY)
        assert (one == one, one == other, one == Secret(CANARY)) == (True, False, False)  # noqa: PLR0124  # the point

    def test_a_secret_isn_t_its_text(self) -> None:
        """Nobody can try texts against it."""
        assert Secret(CANARY) != CANARY

    @pytest.mark.parametrize(
        ("secret", "expected"),
        [
            pytest.param(Secret(CANARY), True, id="text"),
            pytest.param(Secret(), False, id="none"),
            pytest.param(Secret(" \n"), False, id="blank"),
            pytest.param(Secret(lambda: ""), True, id="callable"),
        ],
    )
    def test_a_secret_is_true_when_it_is_there(self, secret: Secret, expected: bool) -> None:
        """An empty text is no secret; a callable counts as one."""
        assert expected is bool(secret)


class TestCredential:
    def test_a_credential_is_empty_by_default(self) -> None:
        """A backend that needs nothing is given nothing."""
        assert Credential() == Credential(app_id="", api_key=Secret(), api_secret=Secret())

    def test_a_credential_shows_its_account_alone(self) -> None:
        """Whose key it is may be told."""
        credential = Credential(app_id="app", api_key=Secret(CANARY))
        shown = f"Credential(app_id='app', api_key=Secret({MASK!r}), api_secret=Secret(''))"
        assert shown == repr(credential)

    def test_a_credential_is_given_by_keyword(self) -> None:
        """Key and secret can't be swapped by their order."""
        with pytest.raises(TypeError):
            Credential("app")  # type: ignore[call-arg]  # the point of the test

    @pytest.mark.parametrize("name", ["app_id", "api_key", "api_secret"])
    def test_a_credential_is_frozen(self, name: str) -> None:
        """One attempt has one credential."""
        with pytest.raises(FrozenInstanceError):
            setattr(Credential(), name, None)


class TestScrub:
    @pytest.mark.parametrize("form", FORMS)
    def test_a_form_becomes_a_mask(self, form: str) -> None:
        """Whatever a server made of a secret, only that is replaced."""
        text = f"refused: {FORMS[form](CANARY)}, sorry"
        assert f"refused: {MASK}, sorry" == scrub(text, [Secret(CANARY)])

    @pytest.mark.parametrize("form", ["quoted", "quoted-plus", "quoted-all", "quoted-base64"])
    def test_escapes_may_be_in_lower_case(self, form: str) -> None:
        """Servers differ in how they write an escape."""
        text = FORMS[form](CANARY).replace("%2B", "%2b").replace("%2F", "%2f").replace("%3D", "%3d")
        assert scrub(text, [Secret(CANARY)]) == MASK

    @UNTIMED
    @given(texts=secrets, data=st.data())
    @example(texts=["ab******", "password"], data=None)
    def test_no_form_of_any_secret_survives(
        self, texts: list[str], data: st.DataObject | None
    ) -> None:
        """Wherever forms stand, also beside one another, none is left."""
        forms = [form(text) for form in FORMS.values() for text in texts]
        pieces = st.lists(st.sampled_from(forms) | st.text("ab* %="), max_size=6)
        said = "".join(data.draw(pieces)) if data else "abpassword"
        clean = scrub(said, map(Secret, texts))
        assert not [form for form in forms if len(form) >= 8 and form in clean]

    @UNTIMED
    @given(texts=secrets, said=st.text(), data=st.data())
    def test_scrubbing_twice_changes_nothing(
        self, texts: list[str], said: str, data: st.DataObject
    ) -> None:
        """A text that was scrubbed is clean."""
        form = FORMS[data.draw(st.sampled_from(sorted(FORMS)))]
        clean = scrub(f"{said}{form(texts[0])}{said}", map(Secret, texts))
        assert clean == scrub(clean, map(Secret, texts))

    @UNTIMED
    @given(texts=secrets, said=st.text())
    def test_other_text_stays(self, texts: list[str], said: str) -> None:
        """What has no form of a secret in it comes back as it is."""
        forms = [form(text) for form in FORMS.values() for text in texts]
        assume(not any(len(form) >= 8 and form in said for form in forms))
        assert said == scrub(said, map(Secret, texts))

    @UNTIMED
    @given(text=usable, before=st.text("é模\n"), after=st.text("é模\n"), data=st.data())
    def test_the_text_around_a_secret_stays(
        self, text: str, before: str, after: str, data: st.DataObject
    ) -> None:
        """What stands before and after is still there."""
        form = FORMS[data.draw(st.sampled_from(sorted(FORMS)))]
        assert f"{before}{MASK}{after}" == scrub(f"{before}{form(text)}{after}", [Secret(text)])

    @pytest.mark.parametrize("secret", ["", "id", "1234567"])
    def test_a_short_secret_tears_no_holes(self, secret: str) -> None:
        """Fewer than eight characters stay, as they may be part of any word."""
        said = f"the id 1234567 is {secret}"
        assert said == scrub(said, [Secret(secret)])

    @pytest.mark.parametrize(
        "said", [r"a\"b\\c/d+e=", r"a\"b\\c\/d+e=", r"a\"b\\c/d+e\u003d", r"a\"b\\c/d\u002Be\u003D"]
    )
    def test_a_form_of_json_becomes_a_mask(self, said: str) -> None:
        """With escapes that JSON asks for, and those that some encoders add."""
        assert scrub(f"said {said}", [Secret('a"b\\c/d+e=')]) == f"said {MASK}"

    @pytest.mark.parametrize(
        "said",
        [
            r"Zm9v\u002BYmFy/cXV4!*==",
            "Zm9v+YmFy%2FcXV4%21%2A==",
            "Zm9v%2BYmFy%2FcXV4!*%3D%3D",
            "Zm9v%2BYmFy%2FcXV4%21*%3D%3D",
        ],
        ids=["dotnet", "go-path", "javascript", "java"],
    )
    def test_spellings_of_other_languages_become_a_mask(self, said: str) -> None:
        """Their encoders leave other signs as they are than Python's."""
        assert scrub(f"said {said}", [Secret("Zm9v+YmFy/cXV4!*==")]) == f"said {MASK}"

    def test_masks_of_a_secret_s_own_take_no_longer(self) -> None:
        """A secret of asterisks is taken out at once, though each mask makes another of it."""
        clean = scrub("*******a" + "a" * 100, [Secret("*******a")])
        assert "*" not in clean
        assert clean.endswith("a" * 100)

    def test_no_cache_keeps_what_was_scrubbed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A compiled expression would stay in memory, secrets and all."""

        def keep(*_: object) -> NoReturn:
            raise AssertionError("re keeps what it compiles")

        monkeypatch.setattr("re.compile", keep)
        assert scrub("said sec+ret=0123456789", [Secret("sec+ret=0123456789")]) == f"said {MASK}"

    def test_without_secrets_everything_stays(self) -> None:
        """There is nothing to take out."""
        assert scrub("hello", []) == "hello"


@given(st.text(st.characters(exclude_categories=("C", "Z")) | st.just(" "), min_size=1))
@example("a/b")
@example("\u00e9")
@UNTIMED
def test_no_form_is_shorter_than_its_secret(secret: str) -> None:
    """So a text needs none of a secret that is longer: the scrubber makes those alone that fit."""
    assert all(len(secret) <= len(form) for form in (make(secret) for make in FORMS.values()))


def test_texts_of_any_length_are_scrubbed_in_any_order() -> None:
    """What a short text had no need of is there for a long one, and stays."""
    short, long = "short-secret", "a-secret-that-is-much-longer-than-the-other"
    clean = Scrubber([Secret(long), Secret(short)])
    for text in (f"<{short}>", f"<{long}{short}>", f"<{short}>", f"<{long}>", "x"):
        cleaned = clean(text)
        assert not [secret for secret in (short, long) if secret in cleaned]


def test_a_text_that_was_clean_is_known() -> None:
    """Both the provider and the core clean a session's name: the second time is a comparison."""

    class Looked(str):
        """A text that counts how often something is looked for in it."""

        looks = 0

        def __contains__(self, part: str, /) -> bool:  # type: ignore[override]  # as str
            self.looks += 1
            return super().__contains__(part)

    clean = Scrubber([Secret(CANARY)])
    said = Looked("a session's name, of some length")
    assert said == clean(said)
    looks = said.looks
    assert looks
    assert said == clean(said)
    assert looks == said.looks


def test_what_was_clean_is_looked_through_for_a_new_secret() -> None:
    """A call that learns of another secret knows no text any more."""
    call = Call()
    call.conceal(Secret(CANARY))
    said = "the session of a-secret-of-its-own"
    assert said == call.scrub(said)
    call.conceal(Secret("a-secret-of-its-own"))
    assert f"the session of {MASK}" == call.scrub(said)
