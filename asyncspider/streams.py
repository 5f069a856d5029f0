"""Work that goes on in the background of an async iterator, and ends with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, TypeVar, cast

import anyio
from anyio.streams.memory import MemoryObjectSendStream

T = TypeVar("T")


async def produced(
    producer: Callable[[MemoryObjectSendStream[T]], Awaitable[None]], *, ahead: int = 0
) -> AsyncGenerator[T, None]:
    """Yield what `producer` sends, while it runs beside the consumer.

    A task group can't span a ``yield``: its cancel scope would leak into the consumer. So the
    producer, which may well hold a task group, runs in a task of its own that this iterator
    owns: when the iterator ends or is closed, the task has ended too.

    Args:
        producer: Sends items and returns; what it raises, the iterator raises at the end.
        ahead: Items that it may be ahead of the consumer.
    """
    send, receive = anyio.create_memory_object_stream[T](ahead)

    async def run() -> None:
        async with send:
            await producer(send)

    owner = asyncio.create_task(run())
    try:
        async for item in receive:
            yield item
        await owner
    finally:
        owner.cancel()
        try:
            await finished(owner)
        finally:
            # Not before: the producer would take a closed stream for a failure of its own.
            send.close()  # run() never began when it was cancelled at once
            receive.close()
        if not owner.cancelled():
            owner.exception()  # looked at, or asyncio would complain that nobody did


async def finished(task: asyncio.Task[Any]) -> None:
    """Wait until a task has ended, however often the waiting task is cancelled meanwhile.

    For clean-up. A cancellation is passed on when the task has ended; what the task raised is
    not. anyio's shield alone keeps off anyio's scopes, but not ``asyncio.timeout`` and
    ``Task.cancel``.
    """
    cancelled: asyncio.CancelledError | None = None
    with anyio.CancelScope(shield=True):
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError as error:
                cancelled = error
    if cancelled is not None:
        raise cancelled


async def gathered(*calls: Callable[[], Awaitable[Any]]) -> list[Any]:
    """Run a few coroutine functions side by side and return what they returned, in order.

    Raises:
        BaseException: What the first that failed raised; the others were cancelled.
    """
    results: list[Any] = [None] * len(calls)

    async def run(index: int) -> None:
        results[index] = await calls[index]()

    try:
        async with anyio.create_task_group() as group:
            for index in range(1, len(calls)):
                group.start_soon(run, index)
            if calls:
                await run(0)  # here: one task less
    except BaseExceptionGroup as errors:
        raise first_error(errors) from None
    return results


def first_error(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first exception in a group: what a caller can act on."""
    first = errors.exceptions[0]
    if isinstance(first, BaseExceptionGroup):
        return first_error(cast("BaseExceptionGroup[BaseException]", first))
    return first
