"""Finding backends by name and loading the plugin of one."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from modelplug import (
    BackendNotFoundError,
    PluginConflictError,
    PluginContractError,
    PluginIncompatibleError,
    PluginLoadError,
    new_client,
)
from modelplug.plugins import InstalledPlugin
from modelplug.registry import Registry, registry
from tests.support.dists import PLUGIN, install

OURS = {each.name for each in entry_points(group="modelplug.backends")}
"""What is installed before a test installs something."""


def test_listing_imports_nothing(site: Path) -> None:
    """Fifty plugins are listed, broken ones among them, and none is imported."""
    for number in range(50):
        install(
            site,
            dist=f"modelplug-p{number}",
            module=f"p{number}",
            source="raise SystemExit('imported')",
            backends={f"p{number}": f"p{number}"},
        )
    names = {each.name for each in registry().backends()}
    assert {f"p{number}" for number in range(50)} | OURS == names


def test_loading_one_imports_no_other(site: Path) -> None:
    """A process that uses one backend never imports the plugin of another."""
    install(site, source="print('imported')")
    code = "from modelplug import new_client; print(new_client('echo').sync_generate('hi').text)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("hi\n", "")


def test_a_made_up_plugin_is_found_and_used(site: Path) -> None:
    """A plugin that is merely installed answers under its name."""
    install(site)
    assert new_client("made-up").backend == "made-up"


def test_a_name_that_isnt_there_says_what_is(site: Path) -> None:
    """The error lists what is installed, the nearest name and what to install."""
    with pytest.raises(BackendNotFoundError, match=r"echo, .*, spark") as caught:
        registry().find("ecko")
    assert caught.value.hint == "did you mean echo?"
    with pytest.raises(BackendNotFoundError) as caught:
        registry().find("acme")
    assert "modelplug-acme" in str(caught.value.hint)


def test_two_distributions_of_one_name_are_refused(site: Path) -> None:
    """A conflict names both distributions; the name with @ picks one."""
    install(site)
    install(site, dist="rival", module="rival")
    with pytest.raises(PluginConflictError, match="modelplug-made-up and by rival"):
        registry().find("made-up")
    assert registry().find("made-up", "rival").dist == "rival"
    assert new_client("made-up@rival").backend == "made-up"


def test_a_broken_neighbour_harms_nobody(site: Path) -> None:
    """With one plugin broken, the listing and every other backend work."""
    install(site, source="raise SystemExit(1)")
    assert new_client("echo").sync_generate("hi").text == "hi"
    with pytest.raises(PluginLoadError):
        new_client("made-up")


@pytest.mark.parametrize(
    ("variable", "value", "seen"),
    [
        ("MODELPLUG_BACKENDS", "echo, made-up", {"echo", "made-up"}),
        ("MODELPLUG_BACKENDS", " ", {*OURS, "made-up"}),
        ("MODELPLUG_PLUGINS_DISABLED", "1", set()),
    ],
)
def test_the_operator_decides_what_is_seen(
    site: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, seen: set[str]
) -> None:
    """The allow-list and the off switch hold before anything is imported."""
    install(site)
    monkeypatch.setenv(variable, value)
    assert seen == {each.name for each in registry().backends()}


def test_a_refused_backend_is_not_imported(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the allow-list leaves out isn't there, and the error names the list."""
    install(site, source="raise SystemExit('imported')")
    monkeypatch.setenv("MODELPLUG_BACKENDS", "echo")
    with pytest.raises(BackendNotFoundError) as caught:
        new_client("made-up")
    assert "is installed, but MODELPLUG_BACKENDS doesn't allow it" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("old", "new", "error", "words"),
    [
        ("contract=1", "contract='1'", PluginContractError, "contract is no number"),
        ('"{module}:Client"', "None", PluginContractError, "client is not named"),
        ("contract=1", "contract=1, options=dict", PluginContractError, "no pydantic model"),
        ("contract=1", "contract=1, models=['evil']", PluginContractError, "models aren't"),
        ("contract=1", "contract=1, required=['key']", PluginContractError, "names key"),
        ("contract=1", "contract=2", PluginIncompatibleError, "contract 2, the core has 1"),
        ("name=name", "name='another'", PluginContractError, "gave backend 'another'"),
        ("return Backend", "return None; Backend", PluginContractError, "gave no Backend"),
        ("return Backend", "return 7; Backend", PluginContractError, "gave no Backend"),
        ("@hookimpl", "", PluginContractError, "gave no Backend"),
        ("def modelplug_backend", "def modelplug_bakend", PluginContractError, "modelplug_bakend"),
        ("(name):", "(name, more):", PluginContractError, "more"),
        ("return Backend", "1/0; return Backend", PluginLoadError, "ZeroDivisionError"),
        ("return Backend", "raise SystemExit; return Backend", PluginLoadError, "SystemExit"),
        (":Client", ":Backend", PluginContractError, "is no ProxyLLMClient"),
    ],
)
def test_a_plugin_that_breaks_the_contract_is_named(
    site: Path, old: str, new: str, error: type[Exception], words: str
) -> None:
    """Each way to get the hook wrong is an error with the plugin's name, and no other suffers."""
    install(site, source=PLUGIN.replace(old, new))
    with pytest.raises(error, match=words) as caught:
        new_client("made-up")
    assert "made" in str(caught.value)
    assert new_client("echo").sync_generate("hi").text == "hi"


def test_options_may_not_shadow_the_cores_names(site: Path) -> None:
    """A backend whose options are called as the core's own is refused."""
    options = "from pydantic import BaseModel\nclass O(BaseModel):\n    temperature: float = 0\n"
    source = options + PLUGIN.replace("contract=1", "contract=1, options=O")
    install(site, source=source)
    with pytest.raises(PluginContractError, match="temperature"):
        new_client("made-up")


def test_a_module_is_imported_once_for_many_names(site: Path) -> None:
    """One module may bring several backends; it is registered once."""
    backends = {"one": "made_up", "two": "made_up"}
    install(site, source="print('imported')\n" + PLUGIN, backends=backends)
    loaded = [registry().load(name).name for name in ("one", "two", "one")]
    assert loaded == ["one", "two", "one"]
    assert len(registry()._managers) == 1


def test_a_failed_registration_leaves_nothing(site: Path) -> None:
    """A plugin that was refused once is looked at anew the next time."""
    install(site, source=PLUGIN.replace("def modelplug_backend", "def modelplug_bakend"))
    for _ in range(2):
        with pytest.raises(PluginContractError):
            registry().load("made-up")
    assert registry()._managers == {}


def test_a_registry_may_be_given_what_is_installed() -> None:
    """For tests the scan can be replaced; it is read once until refreshed."""
    scans = []

    def scan() -> list[InstalledPlugin]:
        scans.append(1)
        return []

    made = Registry(scan)
    made.backends()
    made.backends()
    made.refresh()
    assert (made.backends(), len(scans)) == ([], 2)
