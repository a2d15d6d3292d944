import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from scripts import check_wheels
from scripts.check_wheels import Member

PYPROJECT = """\
[project]
name = "modelplug-parrot"
version = "1.0"

[project.entry-points."modelplug.backends"]
parrot = "modelplug_parrot.plugin"
"""
INFO = b"License-Expression: Apache-2.0\nRequires-Python: >=3.11\n\nA parrot.\n"
STEM = "modelplug_parrot-1.0"
PACKAGE = {"modelplug_parrot/__init__.py": b"", "modelplug_parrot/py.typed": b""}


class Built:
    """A member's folder and the files built from it, which a test then spoils."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "parrot"
        self.dist = root / "dist"
        self.dist.mkdir()
        self.sources = PACKAGE | {"pyproject.toml": PYPROJECT.encode(), "README.md": b"# Parrot\n"}
        self.wheel = PACKAGE | {
            f"{STEM}.dist-info/METADATA": INFO,
            f"{STEM}.dist-info/RECORD": b"",
            f"{STEM}.dist-info/WHEEL": b"",
            f"{STEM}.dist-info/entry_points.txt": b"",
            f"{STEM}.dist-info/licenses/LICENSE": b"Apache",
        }
        self.sdist = self.sources | {"PKG-INFO": INFO, "LICENSE": b"Apache"}

    def faults(self) -> list[str]:
        """Write everything and check it."""
        for name, content in self.sources.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        with zipfile.ZipFile(self.dist / f"{STEM}-py3-none-any.whl", "w") as archive:
            for name, content in self.wheel.items():
                archive.writestr(name, content)
        with tarfile.open(self.dist / f"{STEM}.tar.gz", "w:gz") as tar:
            for name, content in self.sdist.items():
                entry = tarfile.TarInfo(f"{STEM}/{name}")
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
        return check_wheels.check(self.dist, [Member.read(self.folder, b"Apache")])


@pytest.fixture
def built(tmp_path: Path) -> Built:
    """A member whose wheel and sdist are right."""
    return Built(tmp_path)


def test_right_files_pass(built: Built) -> None:
    """A wheel and an sdist that mirror the tree have no faults."""
    assert built.faults() == []


def test_what_python_caches_is_overlooked(built: Built) -> None:
    """Compiled files in the tree are not missed in the wheel."""
    built.sources["modelplug_parrot/__pycache__/plugin.cpython-311.pyc"] = b"\0"
    assert built.faults() == []


def test_the_gitignore_in_an_sdist_is_overlooked(built: Built) -> None:
    """The build backend adds that file of its own accord, at the top and nowhere else."""
    built.sdist[".gitignore"] = b"*.pyc"
    assert built.faults() == []
    built.sdist["modelplug_parrot/.gitignore"] = b"*.pyc"
    assert built.faults() == [f"{STEM}.tar.gz: should not hold {STEM}/modelplug_parrot/.gitignore"]


@pytest.mark.parametrize("name", ["parrot.pth", "tests/test_parrot.py", "sitecustomize.py"])
def test_a_stray_file_is_found(built: Built, name: str) -> None:
    """Whatever lies outside the package is named, in the wheel and in the sdist."""
    built.wheel[name] = built.sdist[name] = b""
    assert built.faults() == [
        f"{STEM}-py3-none-any.whl: should not hold {name}",
        f"{STEM}.tar.gz: should not hold {STEM}/{name}",
    ]


@pytest.mark.parametrize(
    "name", ["tests/parrot.py", "test_parrot.py", "conftest.py", "a.pth", "a.so"]
)
def test_a_package_holds_source_alone(built: Built, name: str) -> None:
    """A file that is no source is refused even when the tree holds it, too."""
    name = f"modelplug_parrot/{name}"
    built.sources[name] = built.wheel[name] = built.sdist[name] = b""
    assert built.faults() == [f"{built.folder}: should not hold {name}"]


@pytest.mark.parametrize("name", PACKAGE)
def test_a_missing_file_is_found(built: Built, name: str) -> None:
    """A file of the package that the build lost is named."""
    del built.wheel[name], built.sdist[name]
    assert built.faults() == [
        f"{STEM}-py3-none-any.whl: lacks {name}",
        f"{STEM}.tar.gz: lacks {STEM}/{name}",
    ]


def test_a_package_without_its_types_marker_is_found(built: Built) -> None:
    """The marker has to be in the tree itself."""
    for files in (built.sources, built.wheel, built.sdist):
        del files["modelplug_parrot/py.typed"]
    assert built.faults() == [f"{built.folder}: lacks modelplug_parrot/py.typed"]


def test_another_content_is_found(built: Built) -> None:
    """A file that differs from the tree's is named."""
    built.wheel["modelplug_parrot/__init__.py"] = b"import os\n"
    name = "modelplug_parrot/__init__.py"
    assert built.faults() == [f"{STEM}-py3-none-any.whl: holds another {name} than the tree"]


def test_another_licence_is_found(built: Built) -> None:
    """Each distribution carries the workspace's licence to the letter."""
    built.sdist["LICENSE"] = b"Beerware"
    assert built.faults() == [f"{STEM}.tar.gz: holds another {STEM}/LICENSE than the tree"]


def test_poor_metadata_is_found(built: Built) -> None:
    """The licence, the Python versions and a description have to be in the metadata."""
    built.wheel[f"{STEM}.dist-info/METADATA"] = b"License-Expression: MIT\n\n"
    assert built.faults() == [
        f"{STEM}-py3-none-any.whl: says License-Expression: MIT, not Apache-2.0",
        f"{STEM}-py3-none-any.whl: says Requires-Python: None, not >=3.11",
        f"{STEM}-py3-none-any.whl: has no description",
    ]


def test_a_missing_build_is_found(built: Built) -> None:
    """Every member has a wheel and an sdist."""
    assert built.faults() == []
    (built.dist / f"{STEM}.tar.gz").unlink()
    member = Member.read(built.folder, b"Apache")
    assert check_wheels.check(built.dist, [member]) == [f"{STEM}.tar.gz: is missing"]


def test_a_build_of_nobody_is_found(built: Built) -> None:
    """A file of an older version, or of a stranger, is named."""
    (built.dist / "modelplug_parrot-0.9-py3-none-any.whl").touch()
    assert built.faults() == ["modelplug_parrot-0.9-py3-none-any.whl: belongs to no member"]


def test_the_script_prints_faults_and_fails(
    built: Built, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit status is 1 and each fault has its line; here the licence is not the workspace's."""
    built.faults()
    assert check_wheels.main([str(built.dist), str(built.folder)]) == 1
    assert len(capsys.readouterr().out.splitlines()) == 2
