"""Runs the cases: servers, and subjects in turn, each in a process of its own."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO

from benchmarks.case import Answer, Case, Reading, Result, Subject
from benchmarks.child import Job

__all__ = ["FOREIGN", "NOT_INSTALLED", "RunError", "Runner", "authorities"]

ROOT = Path(__file__).resolve().parents[1]
FOREIGN = ROOT / ".venv-bench" / "bin" / "python"
NOT_INSTALLED = "not installed here"

LOOK_SECONDS = 0.02
STOP_SECONDS = 10


class RunError(Exception):
    """A run didn't end well; its text says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """A server that runs.

    Attributes:
        port, control: where it answers, and where it tells of its connections.
        authority: the file of whoever signed its certificate; empty without TLS.
    """

    port: int = 0
    control: int = 0
    authority: str = ""


def authorities() -> bytes:
    """The machine's certificate authorities, in PEM form; those that a default context reads."""
    found = ssl.get_default_verify_paths()
    known = [Path(path) for path in (found.cafile, found.openssl_cafile) if path]
    return next((path.read_bytes() for path in known if path.exists()), b"")


class Runner:
    """Runs subjects.

    Args:
        peers: whether to run the peers; the bare libraries are run in any case.
        limit: seconds that a process may take.
        progress: is told what there is to tell meanwhile.
    """

    def __init__(
        self,
        *,
        peers: bool = True,
        limit: float = 120,
        progress: Callable[[str], None] = lambda told: None,
    ) -> None:
        self._peers = peers
        self._limit = limit
        self._progress = progress

    def results(self, case: Case, runs: int) -> list[Result]:
        """What every subject of a case measures in its runs; they take turns.

        A subject that fails isn't run again, nor anybody if there is no server.
        """
        readings: dict[str, list[Reading]] = {each.name: [] for each in case.subjects}
        faults: dict[str, str] = {}
        try:
            with _served(case.answer) as server, _environment(server) as environment:
                for run in range(1, runs + 1):
                    self._progress(f"run {run} of {runs}")
                    self._turn(case, server, environment, readings=readings, faults=faults)
        except RunError as failure:
            faults = dict.fromkeys(readings, str(failure))
        return [
            Result(
                case=case,
                subject=each,
                readings=tuple(readings[each.name]),
                fault=faults.get(each.name, ""),
            )
            for each in case.subjects
        ]

    def _turn(
        self,
        case: Case,
        server: Server,
        environment: Mapping[str, str],
        *,
        readings: Mapping[str, list[Reading]],
        faults: dict[str, str],
    ) -> None:
        """Run everybody once who hasn't failed before."""
        for subject in case.subjects:
            if subject.name in faults:
                continue
            try:
                reading = self._reading(case, subject, server, environment)
                readings[subject.name].append(reading)
            except RunError as failure:
                faults[subject.name] = str(failure)

    def _reading(
        self, case: Case, subject: Subject, server: Server, environment: Mapping[str, str]
    ) -> Reading:
        is_wanted = self._peers or subject.name == subject.beside
        if subject.foreign and not (is_wanted and FOREIGN.exists()):
            raise RunError(NOT_INSTALLED)
        python = str(FOREIGN) if subject.foreign else sys.executable
        if case.program is None:
            started = [
                _started([python, "-c", subject.makes], environment, self._limit)
                for _ in range(case.asks_of(subject))
            ]
            return {name: median(each[name] for each in started) for name in started[0]}
        job = Job(
            case=case.name,
            makes=subject.makes,
            asks=case.asks_of(subject),
            crowd=case.crowd,
            deltas=case.answer.deltas if case.answer else 0,
            port=server.port,
            control=server.control,
        )
        command = [python, "-m", "benchmarks.child", job.to_json()]
        reading, remark = _measured(command, environment, self._limit)
        if remark:
            self._progress(f"{subject.name}: {remark}")
        return reading


@contextmanager
def _served(answer: Answer | None) -> Iterator[Server]:
    """A server that plays ``answer`` while the block runs.

    Raises:
        RunError: it doesn't start; why is on standard error.
    """
    if answer is None:
        yield Server()
        return
    command = [sys.executable, "-m", "benchmarks.server", json.dumps(asdict(answer))]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            told = process.stdout.readline()
            if not told:
                raise RunError("its server didn't start")
            yield Server(**json.loads(told))
        finally:
            process.stdin.close()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def _environment(server: Server) -> Iterator[Mapping[str, str]]:
    """The environment of what is measured: no proxies, no profiles, no downloads of price lists.

    Modules are compiled once, as where they are installed for use; or imports would be compilation.
    Where the server has a certificate, its authority is added to the machine's, so that a default
    context trusts it and costs what it costs.
    """
    kept = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
    # As it is where a package is installed: else every start would compile ours, and ours alone.
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    kept |= {"MODELPLUG_CONFIG": "none", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    kept["PYTHONPATH"] = str(ROOT)
    if not server.authority:
        yield kept
        return
    with TemporaryDirectory(prefix="benchmark-") as folder:
        bundle = Path(folder, "authorities.pem")
        bundle.write_bytes(authorities() + b"\n" + Path(server.authority).read_bytes())
        yield {**kept, "SSL_CERT_FILE": str(bundle)}


def _measured(
    command: list[str], environment: Mapping[str, str], limit: float
) -> tuple[Reading, str]:
    """What a child tells, how many threads it had at the most, and why streams failed, if any.

    Raises:
        RunError: it took too long, or ended badly.
    """
    with TemporaryFile() as told, TemporaryFile() as errors:
        most = 0
        with subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=told, stderr=errors
        ) as process:
            until = time.monotonic() + limit
            while process.poll() is None:
                most = max(most, _threads(process.pid))
                if time.monotonic() > until:
                    process.kill()
                    raise RunError(f"not done within {limit:g} s")
                time.sleep(LOOK_SECONDS)
        if process.returncode:
            raise RunError(_last_line(errors) or f"exit status {process.returncode}")
        reading: dict[str, float] = json.loads(_last_line(told) or "{}")
        remark = _last_line(errors) if reading.get("failed") else ""
    if not reading:
        raise RunError("it told nothing")
    return (_with_threads(reading, most) if most else reading), remark


def _with_threads(reading: Reading, most: int) -> Reading:
    """A reading with the threads that were seen: all of them, and those that callers didn't start.

    Threads of callers that had ended when others were started may leave less than there are.
    """
    own = {"own": max(0.0, most - reading["callers"])} if "callers" in reading else {}
    return {**reading, "threads": most, **own}


def _threads(pid: int) -> int:
    """How many threads a process has; 0 where the system doesn't tell, or when it has gone."""
    try:
        return len(os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return 0


def _last_line(file: IO[bytes]) -> str:
    file.seek(0)
    lines = file.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""


def _started(command: list[str], environment: Mapping[str, str], limit: float) -> Reading:
    """CPU, wall and peak memory of a whole process, from outside.

    Raises:
        RunError: it took too long, or ended badly.
    """
    with TemporaryFile() as errors:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, cwd="/", env=environment, stdout=subprocess.DEVNULL, stderr=errors
        )
        killer = threading.Timer(limit, process.kill)
        killer.start()
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        killer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)  # or it would be waited for again
        if wall > limit:
            raise RunError(f"not done within {limit:g} s")
        if process.returncode:
            raise RunError(_last_line(errors) or f"exit status {process.returncode}")
    scale = 1 if sys.platform == "darwin" else 1024
    return {
        "cpu": used.ru_utime + used.ru_stime,
        "wall": wall,
        "peak": float(used.ru_maxrss * scale),
    }
