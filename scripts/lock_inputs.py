"""Tell whether the locks still belong to the files that they were made from.

The locks are requirements/*.txt, from the pyproject files, and the package-lock.json of the
foreign clients, from the package.json beside it.

    lock_inputs.py           compare with requirements/inputs.sha256; exit status 1 when they differ
    lock_inputs.py --write   note the present state there

The note holds one line for each file: of a pyproject the hash of the tables that a lock depends on,
so that a version, a description or a linter's setting may change freely; of the others their own.
It needs no network. An address in a lock is an error, too: a lock names versions and hashes alone.
"""

import hashlib
import json
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

NOTE = "requirements/inputs.sha256"
LOCKS = ("requirements/*.txt", "tests/interop/package-lock.json")
MANIFEST = "tests/interop/package.json"
PROJECT_KEYS = ("name", "requires-python", "dependencies", "optional-dependencies")


def sha256(data: bytes) -> str:
    """Return the hash as sha256sum prints it."""
    return hashlib.sha256(data).hexdigest()


def lock_tables(pyproject: str) -> dict[str, object]:
    """Return the parts of a pyproject.toml that a lock depends on."""
    document = tomllib.loads(pyproject)
    project = document.get("project", {})
    return {
        "project": {key: project.get(key) for key in PROJECT_KEYS},
        "dependency-groups": document.get("dependency-groups"),
        "uv": document.get("tool", {}).get("uv"),
    }


def locks(root: Path) -> list[Path]:
    """Return the locks that are there, sorted by pattern and path."""
    return [path for pattern in LOCKS for path in sorted(root.glob(pattern))]


def state(root: Path) -> dict[str, str]:
    """Return the hash of every lock and of every pyproject's share in them, by path."""
    projects = [root / "pyproject.toml", root / "core/pyproject.toml"]
    projects += sorted(root.glob("providers/*/pyproject.toml"))
    projects += root.glob("pytest-modelplug/pyproject.toml")
    hashes = {
        path.relative_to(root).as_posix(): sha256(
            json.dumps(lock_tables(path.read_text("utf-8")), sort_keys=True).encode()
        )
        for path in projects
    }
    for path in [*locks(root), *root.glob(MANIFEST)]:
        hashes[path.relative_to(root).as_posix()] = sha256(path.read_bytes())
    return hashes


def parse_note(text: str) -> dict[str, str]:
    """Read the note's lines, "hash  path", back into a mapping by path."""
    pairs = (line.split("  ", 1) for line in text.splitlines())
    return {path: digest for digest, path in pairs}


def faults(root: Path, noted: Mapping[str, str]) -> list[str]:
    """Say in words what has changed since the note was written."""
    now = state(root)
    found = [
        f"{path} has changed since the locks were made"
        for path in sorted(now.keys() | noted.keys())
        if now.get(path) != noted.get(path)
    ]
    found += [
        f"{path.relative_to(root).as_posix()} holds an address"
        for path in locks(root)
        if "://" in path.read_text("utf-8")
    ]
    return found


def main(root: Path, arguments: list[str]) -> int:
    """Write the note or compare with it; return the exit status."""
    note = root / NOTE
    if arguments == ["--write"]:
        lines = [f"{digest}  {path}\n" for path, digest in state(root).items()]
        note.write_text("".join(lines), "utf-8")
    noted = parse_note(note.read_text("utf-8")) if note.exists() else {}
    found = faults(root, noted)
    for fault in found:
        print(fault)
    if found:
        print("Run `make lock` and commit what it writes.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent.parent, sys.argv[1:]))
