"""What an author writes."""

from __future__ import annotations

import base64
from random import Random
from urllib.parse import quote

from modelplug.conformance import Account, Asked
from tests.core.conformance.reference import HARNESS


def test_accounts_are_made_up_anew() -> None:
    """So that a secret of one check is found in another."""
    one, other = Account(), Account()
    assert not {one.app_id, one.api_key, one.api_secret} & {other.app_id, other.api_key}


def test_the_same_numbers_give_the_same_account() -> None:
    """So that a seed makes a run again; its parts look as those of any other."""
    sources = [Random(seed) for seed in (7, 7, 8)]  # noqa: S311  # nothing of it is secret
    one, same, other = map(Account.drawn, sources)
    assert one == same
    assert not {one.app_id, one.api_key, one.api_secret} & {other.app_id, other.api_key}
    assert [len(getattr(one, each)) for each in ("app_id", "api_key", "api_secret")] == [
        len(getattr(Account(), each)) for each in ("app_id", "api_key", "api_secret")
    ]


def test_every_form_of_a_secret_is_another() -> None:
    """Or a leak in one form would pass for another."""
    secret = Account().api_secret
    forms = {secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode()}
    assert len(forms) == 3


def test_a_harness_is_a_codec_and_params() -> None:
    """Nothing else has to be said."""
    assert HARNESS.model is None
    assert not HARNESS.cannot_express
    assert Asked(messages=[("user", "hi")]).params == {}
