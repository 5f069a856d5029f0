"""The sandbox's processes: started in a session of their own, known by id and time of start."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from .layout import Layout
from .steps import StepError


def _born(pid: int) -> str:
    """Return when a process started, ``""`` when it is not there or has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if fields[0] == "Z" else fields[19]


class Processes:
    """Starts, finds and stops what belongs to a sandbox, and nothing else.

    Args:
        layout: The sandbox.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def log(self, name: str) -> Path:
        """Return the log file of a process."""
        return self.layout.log / f"{name}.log"

    def pid(self, name: str) -> int | None:
        """Return the id of a process that runs, None when it does not."""
        try:
            pid, born = (self.layout.run / f"{name}.pid").read_text().split()
        except (FileNotFoundError, ValueError):
            return None
        return int(pid) if _born(int(pid)) == born else None

    def alive(self, name: str) -> bool:
        """Return whether a process runs."""
        return self.pid(name) is not None

    def names(self) -> list[str]:
        """Return the names of all that were started."""
        return sorted(path.stem for path in self.layout.run.glob("*.pid"))

    def start(
        self, name: str, argv: Sequence[str | Path], environment: Mapping[str, str] | None = None
    ) -> None:
        """Start a process unless it runs."""
        if self.alive(name):
            return
        with self.log(name).open("ab") as log:
            child = subprocess.Popen(
                [str(word) for word in argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | dict(environment or {}),
                cwd=self.layout.root,
                start_new_session=True,
            )
        (self.layout.run / f"{name}.pid").write_text(f"{child.pid} {_born(child.pid)}")
        child.returncode = 0  # it outlives this program, which is to say nothing about that

    def stop(self, names: Iterable[str], seconds: float) -> None:
        """End processes and their children, and wait until they are gone.

        Args:
            names: Which ones.
            seconds: After that long they are killed.
        """
        pids = [pid for pid in map(self.pid, names) if pid is not None]
        for pid in pids:
            _signal(pid, signal.SIGTERM)
        end = time.monotonic() + seconds
        while time.monotonic() < end and any(map(_group_lives, pids)):
            time.sleep(0.1)
        for pid in pids:
            _signal(pid, signal.SIGKILL)
        for name in names:
            (self.layout.run / f"{name}.pid").unlink(missing_ok=True)


def _signal(group: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, number)


def _group_lives(group: int) -> bool:
    with suppress(ChildProcessError):  # our own ended children are there until somebody asks
        os.waitpid(group, os.WNOHANG)
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def run(
    step: str,
    argv: Sequence[str | Path],
    log: Path,
    *,
    environment: Mapping[str, str] | None = None,
    text: str | None = None,
) -> None:
    """Run a command to its end, with its output in a log.

    Raises:
        StepError: It is not there, or its exit code is not 0.
    """
    try:
        with log.open("ab") as output:
            done = subprocess.run(
                [str(word) for word in argv],
                input=text.encode() if text is not None else None,
                stdin=None if text is not None else subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | dict(environment or {}),
                check=False,
            )
    except OSError as error:
        raise StepError(step, str(error), log) from error
    if done.returncode != 0:
        raise StepError(step, f"{Path(argv[0]).name} ended with exit code {done.returncode}", log)
