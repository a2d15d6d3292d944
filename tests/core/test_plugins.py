"""Plugins in metadata, and importing one."""

from __future__ import annotations

from importlib.metadata import PathDistribution
from pathlib import Path

import pytest

from modelplug import (
    MissingDependencyError,
    PluginIncompatibleError,
    PluginLoadError,
    ProxyLLMError,
)
from modelplug.plugins import InstalledPlugin, installed, load_attribute, load_module
from tests.support.dists import install

GROUP = "modelplug.backends"


def only(name: str = "made-up") -> InstalledPlugin:
    """The installed plugin called ``name``."""
    (found,) = [each for each in installed(GROUP) if each.name == name]
    return found


def test_metadata_tells_name_distribution_and_version(site: Path) -> None:
    """A plugin is described without its module being imported."""
    install(site, source="raise SystemExit('imported')", requires=("modelplug<2",))
    expected = InstalledPlugin(
        name="made-up",
        dist="modelplug-made-up",
        version="1.0",
        value="made_up",
        requires=("modelplug<2",),
    )
    assert expected == only()


def test_broken_metadata_of_one_hides_that_one_only(site: Path) -> None:
    """A distribution whose entry points can't be read leaves all others listed."""
    install(site)
    install(site, dist="broken", module="broken", entry_points="[modelplug.backends\nx = = y\n]]")
    assert {"made-up", "echo", "spark"} <= {each.name for each in installed(GROUP)}


def test_one_distribution_may_bring_many(site: Path) -> None:
    """Each of its plugins has its name and its version."""
    lines = "".join(f"many-{n} = many\n" for n in range(3))
    install(site, dist="many", module="many", entry_points=f"[{GROUP}]\n{lines}")
    install(site)
    brought = [(each.dist, each.version) for each in installed(GROUP) if "many-" in each.name]
    assert brought == [("many", "1.0")] * 3
    assert only().dist == "modelplug-made-up"


def test_metadata_is_read_as_the_standard_library_reads_it(site: Path) -> None:
    """Case, blanks and a description that looks like more of it change nothing."""
    install(site, requires=("modelplug<2", "x; extra == 'y'"))
    (info,) = site.glob("*.dist-info")
    told = (info / "METADATA").read_text("utf-8").rstrip("\n")
    (info / "METADATA").write_text(f"{told}\n\nName: other\nVersion: 9\n", "utf-8")
    library = PathDistribution(info)
    found = only()
    assert (library.name, library.version) == (found.dist, found.version)
    assert library.requires == list(found.requires)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("Name:\n made\nVersion: 1\nRequires-Dist: x\n (>=1)\n", ("made", "1", ("x (>=1)",))),
        ("Version: 1\n", ("unknown", "1", ())),
        ("Name: made\n", ("made", "unknown", ())),
        ("", ("unknown", "unknown", ())),
    ],
    ids=["folded", "no-name", "no-version", "empty"],
)
def test_odd_metadata_is_told_as_far_as_it_goes(
    site: Path, told: str, expected: tuple[str, str, tuple[str, ...]]
) -> None:
    """Lines that go on in the next are read whole; what isn't told is unknown."""
    install(site)
    (info,) = site.glob("*.dist-info")
    (info / "METADATA").write_text(told, "utf-8")
    found = only()
    requires = tuple(" ".join(each.split()) for each in found.requires)
    assert expected == (found.dist, found.version, requires)


def test_metadata_that_is_no_text_hides_its_own_plugins_only(site: Path) -> None:
    """One distribution that can't be read leaves all others listed."""
    install(site)
    (info,) = site.glob("*.dist-info")
    (info / "METADATA").write_bytes(b"Name: \xff\n")
    names = {each.name for each in installed(GROUP)}
    assert "echo" in names
    assert "made-up" not in names


@pytest.mark.parametrize(
    "source",
    ["raise SystemExit(3)", "1/0", "def broken(:", "import sys; sys.exit()", "raise BaseException"],
)
def test_whatever_an_import_raises_is_a_load_error(site: Path, source: str) -> None:
    """An import that fails in any way is a typed error with its cause, nothing worse."""
    install(site, source=source)
    with pytest.raises(PluginLoadError, match=r"modelplug-made-up 1\.0") as caught:
        load_module("made_up", only())
    assert caught.value.__cause__ is not None


def test_ctrl_c_during_an_import_passes(site: Path) -> None:
    """KeyboardInterrupt isn't the plugin's."""
    install(site, source="raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        load_module("made_up", only())


def test_a_missing_package_is_named(site: Path) -> None:
    """A plugin whose own dependency isn't installed says which, and what to do."""
    install(site, source="import surely_not_installed_anywhere")
    with pytest.raises(MissingDependencyError, match="surely_not_installed") as caught:
        load_module("made_up", only())
    assert "pip install" in str(caught.value.hint)


def test_a_plugin_for_another_core_says_so(site: Path) -> None:
    """An import error of a plugin that requires another core names both versions."""
    install(site, source="from modelplug import NoSuchName", requires=("modelplug>=99",))
    with pytest.raises(PluginIncompatibleError, match=r"modelplug>=99.* is installed"):
        load_module("made_up", only())


def test_an_attribute_that_is_missing_is_a_load_error(site: Path) -> None:
    """A path to nothing is the plugin's fault and says so."""
    install(site, source="")
    with pytest.raises(PluginLoadError):
        load_attribute("made_up:Nothing", only())


def test_a_typed_error_passes_as_it_is(site: Path) -> None:
    """An error of ours that an import raises is not wrapped."""
    install(site, source="from modelplug import MissingDependencyError as E; raise E('extra')")
    with pytest.raises(ProxyLLMError, match="extra"):
        load_module("made_up", only())
