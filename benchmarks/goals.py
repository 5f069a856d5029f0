"""Questions that no rival is asked: memory, the event loop, many targets, JSON Lines."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from asyncspider import RegionInfo, VMInfo, VMStatus
from asyncspider.fleet import Record, Resource
from asyncspider.inventory import encode_jsonl

from .running import Clouds, Sizes

Step = tuple[str, str, Callable[[Path], str]]
"""What is asked, the goal, and what finds the answer."""

_ALL = [resource.value for resource in Resource]
_TARGETS = (1, 17, 200, 2000)


def steps(clouds: list[str]) -> list[Step]:
    """Return the questions for some clouds."""
    found: list[Step] = []
    for cloud in clouds:
        found += [
            (
                f"{cloud}: peak memory, streaming 1,000,000 VMs to a file (and 100,000)",
                "under 200 MB, and the same",
                lambda folder, cloud=cloud: _memory(cloud, folder),
            ),
            (
                f"{cloud}: event loop blocked at worst (CPU time), 34,000 VMs",
                "never over 20 ms",
                lambda folder, cloud=cloud: _blocked(cloud),
            ),
        ]
        if cloud != "gcp":  # one target is a whole project there
            found.append(
                (
                    f"{cloud}: CPU a target, {_spoken(_TARGETS)} targets of 10 VMs",
                    "constant within 20 %",
                    lambda folder, cloud=cloud: _targets(cloud),
                )
            )
    if "aws" in clouds:
        found.append(
            (
                "aws: wall, 17 regions, all seven resources, 10 pages of 20 VMs at 50 ms",
                "at most 1.25 times the longest chain (0.5 s)",
                lambda folder: _all_seven(),
            )
        )
    found.append(
        (
            "JSON Lines out, records a second of one core",
            "at least 500,000",
            lambda folder: _jsonl(),
        )
    )
    return found


def _spoken(numbers: tuple[int, ...]) -> str:
    return ", ".join(f"{number:,}" for number in numbers)


def _memory(cloud: str, folder: Path) -> str:
    peaks: list[str] = []
    for repeat in (30, 3):  # 17 regions of 1,961 VMs told over: 1,000,110 and 100,011
        sizes = Sizes(vms=1961, repeat=repeat, latency=0)
        with Clouds(sizes, cloud) as server:
            run = server.run(f"{cloud}_ours", output=str(folder / "out.jsonl"))
            peaks.append(f"{run.rss / 1e6:.0f} MB")
    return f"{peaks[0]} ({peaks[1]})"


def _blocked(cloud: str) -> str:
    with Clouds(Sizes(), cloud) as server:
        worst = [server.run(f"{cloud}_ours", tick=True).blocked_ms or 0.0 for _ in range(3)]
    return f"{sorted(worst)[1]:.1f} ms"


def _targets(cloud: str) -> str:
    figures: list[str] = []
    for regions in _TARGETS:
        with Clouds(Sizes(regions=regions, vms=10, latency=10), cloud) as server:
            # Fixed costs are those of one target; more than one tells what each of them costs.
            runs = [server.run(f"{cloud}_ours") for _ in range(3 if regions < 200 else 1)]
        figures.append(f"{median(run.cpu for run in runs) / regions * 1000:.1f}")
    return f"{', '.join(figures)} ms"


def _all_seven() -> str:
    with Clouds(Sizes(vms=200), "aws", "--page-size", "20") as server:
        runs = [server.run("aws_ours", resources=_ALL) for _ in range(3)]
    return f"{sorted(run.wall for run in runs)[1]:.2f} s"


def _jsonl() -> str:
    records = [
        Record(
            "aws",
            "aws/us-east-1",
            "us-east-1",
            "us-east-1a",
            Resource.VM,
            f"i-{number:017x}",
            f"web-{number}",
            VMInfo(
                name=f"web-{number}",
                id=f"i-{number:017x}",
                region=RegionInfo(region="us-east-1", zone="us-east-1a"),
                spec_id="m5.large",
                private_ip="10.0.0.1",
                status=VMStatus.RUNNING,
                native_status="running",
                security_ids=["sg-1", "sg-2"],
                tags={"Name": f"web-{number}", "team": "a"},
            ),
        )
        for number in range(20_000)
    ]
    best = 0.0
    for _ in range(5):
        began = time.process_time()
        encode_jsonl(records)
        best = max(best, len(records) / (time.process_time() - began))
    return f"{best:,.0f}"
