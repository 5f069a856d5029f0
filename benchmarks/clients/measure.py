"""What a client process is told, what it measures, and how it says so.

Standard library only: what this imports, every rival would have to pay for.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any, NamedTuple


class Job(NamedTuple):
    """What a client is to do."""

    url: str
    """Root of the simulated clouds."""
    regions: list[str]
    """Names of the regions."""
    zones: list[str]
    """Names of Compute Engine's zones."""
    project: str
    """Compute Engine's project."""
    first: bool = False
    """Stop at the first record: measures the cold start."""
    started: float = 0.0
    """When the runner started the process, as `time.time`."""
    options: dict[str, Any] = {}
    """For clients of ours: resources, an output file."""

    @property
    def host(self) -> str:
        """Host and port."""
        return self.url.removeprefix("http://")


class Meter:
    """Measures from `start`, which a client calls when its imports are done."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.extra: dict[str, Any] = {}
        self._cpu = self._wall = 0.0

    def start(self) -> None:
        """Begin: what was imported is there, nothing was made."""
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def first(self) -> None:
        """Note that the first record is there; ends the process when that was the question."""
        if self.job.first:
            self._print(
                {
                    "cpu": time.process_time(),
                    "wall": time.time() - self.job.started,
                    "rss": peak_memory(),
                }
            )
            sys.stdout.flush()
            os._exit(0)

    def done(self, vms: int) -> None:
        """Print what it took.

        Args:
            vms: VMs listed.
        """
        self._print(
            {
                "vms": vms,
                "cpu": time.process_time() - self._cpu,
                "wall": time.perf_counter() - self._wall,
                "cpu_process": time.process_time(),
                "rss": peak_memory(),
            }
        )

    def _print(self, figures: dict[str, Any]) -> None:
        print(json.dumps(figures | self.extra), flush=True)


def peak_memory() -> int:
    """Return the most memory that this process ever had, in bytes."""
    try:
        # getrusage would count what the parent had when it forked.
        with open("/proc/self/status") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
