"""The demo's course: start, fill, scan, tell."""

from __future__ import annotations

import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from asyncspider import Limits, Record, Resource, VMInfo
from asyncspider.cli.display import console, narrow, progress, show, summary
from asyncspider.cli.display import table as new_table
from asyncspider.cli.running import open_writer, run_async
from asyncspider.cli.scan import Tally, run_scan
from asyncspider.fleet.outcomes import Batch

from .clouds import CLOUDS, DemoCloud, fill_all

_OF_EACH_TARGET = 2
_IN_ALL = 16


def run_demo(output: Path, vms: int) -> int:
    """Run the demo and return the exit code.

    Args:
        output: Where the records go.
        vms: How many VMs each region gets.

    Raises:
        NotSupportedError: The demo's extra is not installed.
        SpiderError: A cloud could not be started or filled.
    """
    began = time.perf_counter()
    out = console(sys.stdout)
    sample = _Sample()
    with ExitStack() as stack:
        # Leaving this stack, however that comes about, stops what was started.
        file = stack.enter_context(open_writer(output))
        clouds: list[DemoCloud] = []
        for make in CLOUDS:
            clouds.append(stack.enter_context(make()))
            show(out, f"starting {clouds[-1].title}")
        watcher = stack.enter_context(progress(len(Resource)))

        async def work() -> Tally:
            filling = time.perf_counter()
            targets = await fill_all(
                clouds,
                vms,
                lambda cloud: show(
                    out, f"filled {cloud.title} in {time.perf_counter() - filling:.1f} s"
                ),
            )
            return await run_scan(
                targets,
                list(Resource),
                sinks=[file.write, sample.see],
                watcher=watcher,
                limits=Limits(),
            )

        watcher.say("filling the clouds")
        tally = run_async(work())
    show(out, "")
    summary(out, tally, list(Resource))
    show(out, "")
    sample.show(out)
    show(out, "")
    show(out, f"written to {output}; the demo took {time.perf_counter() - began:.1f} s in all")
    return tally.exit_code


class _Sample:
    """Keeps a few VMs of each target."""

    def __init__(self) -> None:
        self._kept: list[tuple[Record, VMInfo]] = []
        self._of: Counter[str] = Counter()

    def see(self, batch: Batch) -> None:
        """Look at a batch."""
        for record in batch:
            if not isinstance(record, Record) or not isinstance(record.data, VMInfo):
                return
            if self._of[record.target] == _OF_EACH_TARGET:
                return
            self._of[record.target] += 1
            self._kept.append((record, record.data))

    def show(self, out: Console) -> None:
        """Print them."""
        columns = ["target", "id", "name", "status", "public ip"]
        more = [] if narrow(out) else ["private ip", "spec"]
        grid = new_table(*columns, *more, title="some of the VMs", plain=not out.is_terminal)
        for record, vm in sorted(self._kept, key=lambda pair: pair[0].target)[:_IN_ALL]:
            cells = [record.target, vm.id, vm.name, vm.status, vm.public_ip or "-"]
            cells += [vm.private_ip or "-", vm.spec_id]
            grid.add_row(*cells[: len(grid.columns)])
        show(out, grid)
