"""Many lists read side by side, handed on as one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from typing import TypeVar

import anyio
from anyio.streams.memory import MemoryObjectSendStream

from ..streams import first_error, produced
from .base import Page

T = TypeVar("T")
Source = Callable[[], AsyncGenerator[Page[T], None]]


def merge_pages(
    sources: Iterable[Source[T]], *, at_once: int = 16
) -> AsyncGenerator[Page[T], None]:
    """Yield the pages of all sources as they arrive, reading up to `at_once` side by side.

    A page that is not taken yet holds its source back, so memory stays flat. When the
    iterator ends, or is closed, no task of it is left.

    Raises:
        SpiderError: What the first failing source raised; the others are stopped.
    """
    waiting: Iterator[Source[T]] = iter(sources)

    async def read(send: MemoryObjectSendStream[Page[T]]) -> None:
        for source in waiting:
            pages = source()
            try:
                async for page in pages:
                    await send.send(page)
            finally:
                await pages.aclose()

    async def read_all(send: MemoryObjectSendStream[Page[T]]) -> None:
        try:
            async with anyio.create_task_group() as group:
                for _ in range(at_once):
                    group.start_soon(read, send)
        except BaseExceptionGroup as errors:
            raise first_error(errors) from None

    return produced(read_all)
