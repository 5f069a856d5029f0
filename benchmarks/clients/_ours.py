"""A fleet's scan as a user writes it, for all three clouds."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence

from asyncspider import Fleet, Limits, Resource, Target
from asyncspider.fleet import Record, ScopeReport
from asyncspider.inventory import JsonLinesWriter

from .measure import Job, Meter


def scan(targets: Sequence[Target], job: Job, meter: Meter) -> None:
    """List all VMs of the targets, or what the job's options say.

    Options: ``resources``, names of what to list; ``output``, a file for all outcomes;
    ``tick``, whether to measure the longest time for which the event loop was blocked.
    """
    asyncio.run(_scan(targets, job, meter))


async def _scan(targets: Sequence[Target], job: Job, meter: Meter) -> None:
    resources = [Resource(name) for name in job.options.get("resources", ["vm"])]
    output = job.options.get("output")
    records = 0
    reports: list[ScopeReport] = []
    async with contextlib.AsyncExitStack() as stack:
        if job.options.get("tick"):
            await stack.enter_async_context(_ticking(meter))
        writer = stack.enter_context(JsonLinesWriter(output)) if output else None
        fleet = await stack.enter_async_context(Fleet(targets, limits=Limits()))
        async for batch in fleet.pages(*resources):
            if isinstance(batch[0], Record):
                meter.first()
                records += len(batch)
            else:
                reports += [item for item in batch if isinstance(item, ScopeReport)]
            if writer is not None:
                writer.write(batch)
    failed = [report for report in reports if not report.ok]
    if failed:
        raise SystemExit(f"{len(failed)} scopes failed, the first one: {failed[0]}")
    meter.extra["requests_counted"] = sum(report.requests for report in reports)
    meter.done(records)


@contextlib.asynccontextmanager
async def _ticking(meter: Meter) -> AsyncIterator[None]:
    """Note the most CPU time that the loop's thread spends between two turns, in milliseconds.

    CPU time, as a busy machine makes every loop late by the clock.
    """
    worst = 0.0

    async def tick() -> None:
        nonlocal worst
        last = time.thread_time()
        while True:
            await asyncio.sleep(0.001)
            now = time.thread_time()
            worst = max(worst, now - last)
            last = now

    task = asyncio.create_task(tick())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        meter.extra["blocked_ms"] = round(worst * 1000, 2)
