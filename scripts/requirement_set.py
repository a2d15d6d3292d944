"""Write the newest requirement set of the conformance kit, as long as no release has it.

    requirement_set.py           compare; exit status 1 if it isn't what the checks are
    requirement_set.py --write   write it

A frozen set is compared with nothing: what is in it stays, and checks that are new aren't scored.
"""

import sys
from collections.abc import Iterable
from pathlib import Path

from modelplug.conformance.requirements import NEWEST, RequirementSet, requirement_set
from modelplug.conformance.runner import all_checks

SETS = Path(__file__).resolve().parents[1] / "core" / "modelplug" / "conformance" / "sets"
COMMAND = "make tables"

HEAD = """\
# Written by `make tables`, until the first release that has it: then `frozen` is put to true, by
# hand, and nothing here changes any more.
"""

FIRST = RequirementSet(name=NEWEST, frozen=False, revisions={})
"""What there is before anything was written."""


def text_of(requirements: RequirementSet) -> str:
    """The file of a set."""
    return HEAD + "".join(f"{line}\n" for line in requirements.to_toml())


def main(arguments: Iterable[str]) -> int:
    """Compare or write; the exit status."""
    path = SETS / f"{NEWEST}.toml"
    if (requirement_set(NEWEST) if path.exists() else FIRST).frozen:
        return 0
    wanted = text_of(RequirementSet.of(NEWEST, all_checks()))
    if path.exists() and path.read_text(encoding="utf-8") == wanted:
        return 0
    if "--write" in arguments:
        path.write_text(wanted, encoding="utf-8")
        print(f"{path.name}: written")
        return 0
    print(f"{path.name}: out of step; run {COMMAND}")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
