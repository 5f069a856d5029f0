"""What must not be there any more when something has ended."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio

_LOOKS = 200
_PAUSE = 0.01


def open_sockets() -> set[int]:
    """Return the file descriptors of this process that are sockets; none where none can be told."""
    try:
        names = os.listdir("/dev/fd")
    except OSError:
        return set()
    found: set[int] = set()
    for name in names:
        try:
            if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                found.add(int(name))
        except OSError:
            continue  # the one that listed them
    return found


def other_tasks() -> set[asyncio.Task[object]]:
    """Return the tasks of the running loop but for this one."""
    return asyncio.all_tasks() - {asyncio.current_task()}  # pyright: ignore[reportReturnType]


@asynccontextmanager
async def no_leftovers(*, sockets: bool = True) -> AsyncGenerator[None, None]:
    """Fail when the block leaves a task, or a socket, that was not there before.

    Args:
        sockets: Whether sockets count: not while a connection that pools them stays open.

    Raises:
        AssertionError: Something is left, also after it had time to go.
    """
    tasks_before, sockets_before = other_tasks(), open_sockets()
    yield
    tasks: set[asyncio.Task[object]] = set()
    left: set[int] = set()
    for _ in range(_LOOKS):
        tasks = other_tasks() - tasks_before
        left = open_sockets() - sockets_before if sockets else set()
        if not tasks and not left:
            return
        await anyio.sleep(_PAUSE)
    raise AssertionError(f"left behind: {tasks or ''} {f'{len(left)} sockets' if left else ''}")
