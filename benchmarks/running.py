"""Client processes against simulated clouds: started, measured, counted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.request import urlopen

import msgspec

from .cloudsim.server import Counters
from .cloudsim.world import PROJECT, region_names, zones

ROOT = Path(__file__).parent.parent
_BYTECODE = Path(tempfile.gettempdir()) / "asyncspider-benchmarks-bytecode"
LONGEST = 900.0
"""Longest time for one client, in seconds."""


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """How much there is to list."""

    regions: int = 17
    """Regions of each cloud."""
    vms: int = 2000
    """VMs in each region."""
    latency: float = 50.0
    """Milliseconds that each answer is kept back."""
    repeat: int = 1
    """How often each list is told over again."""

    @property
    def total(self) -> int:
        """VMs in all."""
        return self.regions * self.vms * self.repeat


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What one run of one client took."""

    vms: int = 0
    """VMs (or other records) listed; 0 for a cold start."""
    cpu: float
    """CPU seconds, user and system: of the scan, for a cold start of the whole process."""
    wall: float
    """Seconds: of the scan, for a cold start since the process was started."""
    cpu_process: float = 0.0
    """CPU seconds of the whole process, imports too."""
    rss: int
    """Peak memory of the process, in bytes."""
    requests: int
    """Requests that the server took."""
    bytes_received: int
    """Bytes of all bodies."""
    in_flight: int
    """Most requests that waited for their answer at one time."""
    server_busy: float
    """CPU time of the server during the run, as a part of the scan's wall time."""
    blocked_ms: float | None = None
    """Longest time that the event loop was late, in milliseconds, where it was asked for."""


def _environment() -> dict[str, str]:
    """Return the environment of client processes.

    Compiled modules are kept, whatever this machine's habits are: an import costs then what it
    costs a user.
    """
    without = {"PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHONDEVMODE"}
    kept = {name: value for name, value in os.environ.items() if name not in without}
    return kept | {"PYTHONPYCACHEPREFIX": str(_BYTECODE)}


class ClientFailedError(Exception):
    """A client did not list what there is."""


class Clouds:
    """The simulated clouds as a child process; a context manager."""

    def __init__(self, sizes: Sizes, clouds: str, *options: str) -> None:
        self.sizes = sizes
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "benchmarks.cloudsim", "--clouds", clouds),
                *("--regions", str(sizes.regions), "--vms", str(sizes.vms)),
                *("--latency", str(sizes.latency), "--repeat", str(sizes.repeat)),
                *options,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            self.__exit__(None, None, None)
            raise ClientFailedError("the simulated clouds did not start")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def counters(self) -> Counters:
        """Return what was asked since the last reset."""
        with urlopen(f"{self.url}/_stats", timeout=30) as answer:
            return msgspec.json.decode(answer.read(), type=Counters)

    def reset(self) -> None:
        """Begin to count anew."""
        urlopen(f"{self.url}/_reset", timeout=30).close()

    def run(self, client: str, *, first: bool = False, **options: Any) -> Run:
        """Run a client in its own process.

        Args:
            client: Name of its module.
            first: Stop at the first record.
            options: For clients of ours, see `clients._ours.scan`.

        Raises:
            ClientFailedError: It ended with an error, or did not find all VMs.
        """
        self.reset()
        names = list(region_names(self.sizes.regions))
        job = {
            "url": self.url,
            "regions": names,
            "zones": [zone for name in names for zone in zones(name)],
            "project": PROJECT,
            "first": first,
            "started": time.time(),
            "options": options,
        }
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.clients", client],
            input=json.dumps(job),  # too long for an argument where there are thousands of regions
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
            env=_environment(),
        )
        if done.returncode or not done.stdout:
            last = (done.stderr.strip().splitlines() or ["no output"])[-1]
            raise ClientFailedError(f"{client} failed: {last}")
        figures = json.loads(done.stdout)
        listed = figures.get("vms", 0)
        if not first and "resources" not in options and listed != self.sizes.total:
            raise ClientFailedError(f"{client} listed {listed} of {self.sizes.total} VMs")
        counted = self.counters()
        return Run(
            vms=listed,
            cpu=figures["cpu"],
            wall=figures["wall"],
            cpu_process=figures.get("cpu_process", figures["cpu"]),
            rss=figures["rss"],
            requests=sum(counted.requests.values()),
            bytes_received=counted.bytes_sent,
            in_flight=counted.peak_in_flight,
            server_busy=counted.cpu_seconds / max(figures["wall"], 1e-9),
            blocked_ms=figures.get("blocked_ms"),
        )
