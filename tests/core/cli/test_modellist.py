from __future__ import annotations

import pytest

from modelplug.cli.modellist import listed
from modelplug.errors import BackendNotFoundError
from tests.core.cli.distributions import Site


def test_no_account_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table is the plugin's; the model of the config string is the default."""
    for name in ("APPID", "API_KEY", "API_SECRET", "API_VERSION"):
        monkeypatch.delenv(f"XUNFEI_SPARK_{name}", raising=False)
    found = listed({"backend": "spark:lite"})
    assert (found[0].model, [each.model for each in found if each.default]) == ("lite", ["lite"])
    assert len({each.model for each in found}) == len(found) > 5


def test_a_backend_without_a_table_has_its_default(site: Site) -> None:
    """Under the name that the config string gives."""
    site.install("parrot")
    (only,) = listed({"backend": "parrot:7"})
    assert (only.model, only.default, only.context_length) == ("7", True, 4096)
    assert "streaming" in only.abilities["native"]
    assert "system_role" in only.abilities["emulated"]


def test_a_model_that_isnt_in_the_table_is_the_default() -> None:
    """Those that are in it follow."""
    found = listed({"backend": "echo:parrot"})
    assert [(each.model, each.default) for each in found] == [("parrot", True), ("echo", False)]


def test_the_context_may_be_configured() -> None:
    """Then it is that of all models."""
    found = listed({"backend": "spark?max_context_size=1000"})
    assert {each.context_length for each in found} == {1000}


def test_an_unknown_backend_is_an_error() -> None:
    """The registry's."""
    with pytest.raises(BackendNotFoundError):
        listed({"backend": "nobody"})
