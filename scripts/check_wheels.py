"""Check that wheels and sdists hold what they should, and nothing else.

    check_wheels.py DIST MEMBER...

DIST is the folder with the built files, each MEMBER the folder of one distribution. DIST must hold
one wheel and one sdist of every member and no others. The package in them must be the member's
package, file by file and byte by byte, made of sources and `py.typed` alone. README and
licence must be there, and the licence must be the workspace's, which lies beside `scripts`.
"""

import re
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from email.parser import BytesParser
from pathlib import Path, PurePosixPath

Files = Mapping[str, bytes | None]
"""Contents by name; None where only the name counts, since the build makes the file."""

SOURCES = {".py", ".css", ".js", ".toml"}
"""What packages are made of; style and script are of the conformance kit's page, and its
requirement sets are TOML."""

GITIGNORE = re.compile(r"[^/]+/\.gitignore")
METADATA = {"License-Expression": "Apache-2.0", "Requires-Python": ">=3.11"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One distribution of the workspace, as it lies in the tree."""

    folder: Path
    package: str
    version: str
    has_entry_points: bool
    licence: bytes

    @classmethod
    def read(cls, folder: Path, licence: bytes) -> "Member":
        """Read what the member's pyproject.toml says of it."""
        project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
        return cls(
            folder=folder,
            package=project["name"].replace("-", "_"),
            version=project["version"],
            has_entry_points=bool(project.keys() & {"scripts", "entry-points"}),
            licence=licence,
        )

    @property
    def stem(self) -> str:
        """The name and version with which its files begin."""
        return f"{self.package}-{self.version}"

    def package_files(self) -> dict[str, bytes | None]:
        """Return the package's files, but for what Python caches among them."""
        paths = (path for path in (self.folder / self.package).rglob("*") if path.is_file())
        return {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for path in paths
            if "__pycache__" not in path.parts
        }

    def wheel_files(self) -> Files:
        """Return what its wheel has to hold."""
        info = f"{self.stem}.dist-info"
        made = ["METADATA", "RECORD", "WHEEL"] + ["entry_points.txt"] * self.has_entry_points
        files = self.package_files() | {f"{info}/{name}": None for name in made}
        return files | {f"{info}/licenses/LICENSE": self.licence}

    def sdist_files(self) -> Files:
        """Return what its sdist has to hold."""
        files = self.package_files() | {"LICENSE": self.licence, "PKG-INFO": None}
        for name in ("README.md", "pyproject.toml"):
            files[name] = (self.folder / name).read_bytes()
        return {f"{self.stem}/{name}": content for name, content in files.items()}


def read_wheel(path: Path) -> dict[str, bytes]:
    """Return a wheel's files by name."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def read_sdist(path: Path) -> dict[str, bytes]:
    """Return an sdist's files by name; a link counts as an empty file.

    The workspace's .gitignore is left out: hatchling puts it into every sdist, unasked.
    """
    with tarfile.open(path) as archive:
        entries = [entry for entry in archive.getmembers() if not GITIGNORE.fullmatch(entry.name)]
        streams = {entry.name: archive.extractfile(entry) for entry in entries}
        return {name: stream.read() if stream else b"" for name, stream in streams.items()}


def compare(held: Files, expected: Files) -> list[str]:
    """Say which files are missing, too many or different."""
    found = [f"lacks {name}" for name in sorted(expected.keys() - held.keys())]
    found += [f"should not hold {name}" for name in sorted(held.keys() - expected.keys())]
    found += [
        f"holds another {name} than the tree"
        for name in sorted(held.keys() & expected.keys())
        if expected[name] not in {None, held[name]}
    ]
    return found


def package_faults(member: Member) -> list[str]:
    """Say what has no business in the package, or is not there."""
    files = member.package_files()
    found = [] if f"{member.package}/py.typed" in files else [f"lacks {member.package}/py.typed"]
    for name in sorted(files):
        path = PurePosixPath(name)
        is_source = path.suffix in SOURCES or path.name == "py.typed"
        is_test = "tests" in path.parts or path.name.startswith(("test_", "conftest."))
        if is_test or not is_source:
            found.append(f"should not hold {name}")
    return found


def metadata_faults(metadata: bytes) -> list[str]:
    """Say what is wrong with METADATA or PKG-INFO."""
    message = BytesParser().parsebytes(metadata)
    found = [
        f"says {header}: {message[header]}, not {value}"
        for header, value in METADATA.items()
        if message[header] != value
    ]
    return found if str(message.get_payload()).strip() else [*found, "has no description"]


def check_member(dist: Path, member: Member) -> list[str]:
    """Say what is wrong with one distribution's package, wheel and sdist."""
    found = [f"{member.folder}: {fault}" for fault in package_faults(member)]
    wheel = dist / f"{member.stem}-py3-none-any.whl"
    sdist = dist / f"{member.stem}.tar.gz"
    for path, read, expected, metadata in (
        (wheel, read_wheel, member.wheel_files(), f"{member.stem}.dist-info/METADATA"),
        (sdist, read_sdist, member.sdist_files(), f"{member.stem}/PKG-INFO"),
    ):
        if not path.exists():
            found.append(f"{path.name}: is missing")
            continue
        held = read(path)
        faults = compare(held, expected) + metadata_faults(held.get(metadata, b""))
        found += [f"{path.name}: {fault}" for fault in faults]
    return found


def check(dist: Path, members: list[Member]) -> list[str]:
    """Say what is wrong with the built files of all members."""
    stems = {member.stem + end for member in members for end in ("-py3-none-any.whl", ".tar.gz")}
    built = {path.name for pattern in ("*.whl", "*.tar.gz") for path in dist.glob(pattern)}
    found = [f"{name}: belongs to no member" for name in sorted(built - stems)]
    return found + [fault for member in members for fault in check_member(dist, member)]


def main(arguments: list[str]) -> int:
    """Check the files, print what is wrong; return the exit status."""
    licence = (Path(__file__).resolve().parent.parent / "LICENSE").read_bytes()
    dist, *folders = (Path(argument) for argument in arguments)
    faults = check(dist, [Member.read(folder, licence) for folder in folders])
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
