from pathlib import Path

import pytest

from scripts import lock_inputs

PYPROJECT = """\
[project]
name = "modelplug"
version = "0.1.0"
dependencies = ["pluggy>=1.5"]
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace whose note has just been written."""
    for path in ("pyproject.toml", "core/pyproject.toml", "providers/echo/pyproject.toml"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(PYPROJECT)
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/dev.txt").write_text("pluggy==1.7.0 --hash=sha256:00\n")
    (tmp_path / "tests/interop").mkdir(parents=True)
    (tmp_path / "tests/interop/package.json").write_text('{"dependencies": {"ws": "8.1.0"}}')
    (tmp_path / "tests/interop/package-lock.json").write_text('{"packages": {}}')
    assert lock_inputs.main(tmp_path, ["--write"]) == 0
    return tmp_path


def replace(path: Path, old: str, new: str) -> None:
    """Put new text in place of old text in a file."""
    path.write_text(path.read_text().replace(old, new))


def test_nothing_is_said_when_nothing_changed(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Right after the note is written, the check passes in silence."""
    assert lock_inputs.main(root, []) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("member", ["core", "providers/echo"])
def test_a_new_dependency_is_noticed(
    root: Path, member: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A changed dependency makes the check fail with the file's name and the remedy."""
    replace(root / member / "pyproject.toml", "pluggy>=1.5", "pluggy>=1.6")
    assert lock_inputs.main(root, []) == 1
    out = capsys.readouterr().out
    assert f"{member}/pyproject.toml has changed" in out
    assert "make lock" in out


def test_a_new_version_is_no_matter(root: Path) -> None:
    """What no lock depends on may change freely."""
    replace(root / "core/pyproject.toml", "0.1.0", "0.2.0")
    assert lock_inputs.main(root, []) == 0


def test_a_lock_edited_by_hand_is_noticed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A lock that is not the one that was noted makes the check fail."""
    replace(root / "requirements/dev.txt", "1.7.0", "1.6.0")
    assert lock_inputs.main(root, []) == 1
    assert "requirements/dev.txt has changed" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["package.json", "package-lock.json"])
def test_another_package_of_the_foreign_clients_is_noticed(
    root: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither the manifest of the foreign clients nor its lock changes without the other."""
    (root / "tests/interop" / name).write_text("{}")
    assert lock_inputs.main(root, []) == 1
    assert f"tests/interop/{name} has changed" in capsys.readouterr().out


def test_a_new_member_is_noticed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A provider that came after the locks were made makes the check fail."""
    (root / "providers/spark").mkdir()
    (root / "providers/spark/pyproject.toml").write_text(PYPROJECT)
    assert lock_inputs.main(root, []) == 1
    assert "providers/spark/pyproject.toml has changed" in capsys.readouterr().out


def test_a_missing_note_is_a_failure(root: Path) -> None:
    """Without the note nothing is known about the locks."""
    (root / "requirements/inputs.sha256").unlink()
    assert lock_inputs.main(root, []) == 1


@pytest.mark.parametrize("path", ["requirements/dev.txt", "tests/interop/package-lock.json"])
def test_an_address_in_a_lock_is_refused(
    root: Path, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A lock that names a host fails even when it is written anew."""
    (root / path).write_text("pluggy @ https://example.invalid/pluggy.whl\n")
    assert lock_inputs.main(root, ["--write"]) == 1
    assert f"{path} holds an address" in capsys.readouterr().out
