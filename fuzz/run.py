"""Fuzz the targets, or try given inputs on one of them.

    run.py [--seconds 60] [--jobs 2] [TARGET]
                                      fuzz every target, or this one, for so long each
    run.py TARGET INPUT...            run the target once on each of these files, without atheris

A target is a module in fuzz/targets with a function ``check(data: bytes) -> None``. Whatever it
raises is a find. It may have ``mutate(data: bytes, random: Random) -> bytes``, its own way to
change an input (see mutation.py), and a folder of its name in fuzz/corpus with inputs to start
from. What a run learns is kept in .fuzz, and so are the inputs that were finds.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import platform
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent
KEPT = ROOT / ".fuzz"

SECONDS_PER_INPUT = 10
MIB = 2048

NOISE = ("INFO:", "WARNING:", "stat::")


def targets() -> list[str]:
    """The names of all targets."""
    return sorted(path.stem for path in (FOLDER / "targets").glob("*.py"))


def has_wheel() -> bool:
    """Whether atheris is made for this interpreter; as the markers in pyproject.toml say."""
    return (
        (platform.system(), platform.machine()) == ("Linux", "x86_64")
        and platform.python_implementation() == "CPython"
        and (3, 11) <= sys.version_info < (3, 15)
    )


def fuzz(name: str, seconds: int) -> bool:
    """Fuzz one target and say how it went; whether nothing was found."""
    learnt, log = KEPT / name, KEPT / f"{name}.log"
    learnt.mkdir(parents=True, exist_ok=True)
    start = FOLDER / "corpus" / name
    command = [sys.executable, "-m", "fuzz.engine", name]
    command += [f"-max_total_time={seconds}", f"-timeout={SECONDS_PER_INPUT}"]
    command += [f"-rss_limit_mb={MIB}", f"-artifact_prefix={KEPT / name}."]
    command += ["-verbosity=0", "-print_final_stats=1", str(learnt)]
    command += [str(start)] if start.is_dir() else []
    # One write, end of line included: two targets at once would print into one line.
    print(f"{name}: fuzzing for {seconds} s\n", end="", flush=True)
    with log.open("wb") as output:
        done = subprocess.run(command, cwd=ROOT, stdout=output, stderr=output, check=False)
    told = log.read_text("utf-8", "replace")
    runs = re.search(r"number_of_executed_units: (\d+)", told)
    if done.returncode == 0 and runs:
        print(f"{name}: {int(runs[1]):,} inputs tried, nothing found")
        return True
    print(*[line for line in told.splitlines() if not line.startswith(NOISE)][-40:], sep="\n")
    if find := re.search(r"Test unit written to (\S+)", told):
        path = Path(find[1]).relative_to(ROOT)
        print(f"{name}: FOUND {path}, again by: make fuzz ARGS='{name} {path}'")
    else:
        print(f"{name}: FAILED with exit status {done.returncode}; all of it is in {log.name}")
    return False


def replay(name: str, inputs: list[Path]) -> None:
    """Run a target once on each input; a find is raised as it is."""
    check = importlib.import_module(f"fuzz.targets.{name}").check
    for path in inputs:
        print(f"{name}: {path}", flush=True)
        check(path.read_bytes())


def main() -> int:
    """Do what the arguments say; return the exit status."""
    parser = argparse.ArgumentParser(prog="fuzz/run.py")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=2, help="targets at once")
    parser.add_argument("target", nargs="?", choices=targets())
    parser.add_argument("inputs", nargs="*", type=Path)
    given = parser.parse_args()
    if given.inputs:
        replay(given.target, given.inputs)
        return 0
    if not has_wheel():
        print("NOT RUN: atheris, the fuzzer, is made for CPython 3.11 to 3.14 on Linux x86_64 only")
        return 0
    if importlib.util.find_spec("atheris") is None:
        print("atheris, the fuzzer, is missing: run 'make fuzz', which installs it")
        return 1
    chosen = [given.target] if given.target else targets()
    with ThreadPoolExecutor(given.jobs) as pool:  # each waits for a process of its own
        passed = list(pool.map(lambda name: fuzz(name, given.seconds), chosen))
    print(f"{passed.count(True)} passed, {passed.count(False)} failed")
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
