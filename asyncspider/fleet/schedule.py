"""Who works on what next."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Generic, TypeVar

import anyio

J = TypeVar("J")


class _Queue(Generic[J]):
    __slots__ = ("jobs", "listed", "running")

    def __init__(self, jobs: Iterable[J]) -> None:
        self.jobs = deque(jobs)
        self.running = 0
        self.listed = True


async def work_off(
    jobs: Mapping[str, Iterable[J]],
    work: Callable[[str, J], Awaitable[None]],
    *,
    total: int,
    each: int,
) -> None:
    """Run `work` on every job: at most `total` at once, at most `each` of one target.

    Breadth first: every target gets its first turn before any gets its second, so a slow one
    can't take all the workers. There are never more tasks than `total`.

    Args:
        jobs: The jobs of each target, by the target's name.
        work: Takes the name and the job; must not raise but for being cancelled.
        total: Most jobs at once.
        each: Most jobs of one target at once.
    """
    queues = {name: queue for name, some in jobs.items() if (queue := _Queue(some)).jobs}
    ready = deque(queues)
    left = sum(len(queue.jobs) for queue in queues.values())
    changed = anyio.Event()

    async def worker(more: int) -> None:
        nonlocal left, changed
        # Workers start one after another: the first steps of many together would hold up the
        # event loop.
        if more > 0:
            group.start_soon(worker, more - 1)
        while left:
            if not ready:
                await changed.wait()
                continue
            name = ready.popleft()
            queue = queues[name]
            job = queue.jobs.popleft()
            queue.running += 1
            left -= 1
            queue.listed = bool(queue.jobs) and queue.running < each
            if queue.listed:
                ready.append(name)
            if not left:
                changed.set()
            try:
                await work(name, job)
            finally:
                queue.running -= 1
                if queue.jobs and not queue.listed:
                    queue.listed = True
                    ready.append(name)
                    changed.set()
                    changed = anyio.Event()

    async with anyio.create_task_group() as group:
        group.start_soon(worker, min(total, left) - 1)
