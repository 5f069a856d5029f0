"""Waiting for what the cloud has accepted to become true."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import anyio

from .errors import ConflictError, DeadlineExceededError, NotFoundError
from .resources import VMHandler, VMStatus

_DEAD_ENDS = frozenset({VMStatus.FAILED, VMStatus.TERMINATED})


async def wait_for_vm(
    handler: VMHandler[Any],
    vm_id: str,
    *statuses: VMStatus,
    deadline: float = 300.0,
    interval: float = 1.0,
) -> VMStatus:
    """Wait until a VM has one of `statuses` (default: RUNNING).

    A machine that is gone counts as TERMINATED.

    Args:
        handler: The VM handler of its connection.
        vm_id: Its id.
        statuses: What to wait for.
        deadline: Longest wait, in seconds.
        interval: Longest pause between two looks, in seconds; it begins at a tenth of that.

    Raises:
        DeadlineExceededError: It has none of them in time; the message names its state.
        ConflictError: It is FAILED or TERMINATED, and that was not waited for.
    """
    wanted: Collection[VMStatus] = statuses or (VMStatus.RUNNING,)
    status: VMStatus | None = None
    pause = interval / 10
    with anyio.move_on_after(deadline):
        while True:
            try:
                status = await handler.get_vm_status(vm_id)
            except NotFoundError:
                if VMStatus.TERMINATED not in wanted:
                    raise
                status = VMStatus.TERMINATED
            if status in wanted:
                return status
            if status in _DEAD_ENDS:
                raise ConflictError(
                    f"{vm_id} is {status}, it will not become {' or '.join(wanted)}",
                    driver=handler.connection.driver_name,
                )
            await anyio.sleep(pause)
            pause = min(interval, pause * 2)
    raise DeadlineExceededError(
        f"{vm_id} is {status or 'unknown'} after {deadline:g} s, not {' or '.join(wanted)}",
        driver=handler.connection.driver_name,
    )
