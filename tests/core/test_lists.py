"""Lists that are read while they are used, alone and many side by side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import anyio
import pytest
from anyio.streams.memory import MemoryObjectSendStream

from asyncspider import (
    Page,
    Paged,
    PartialListError,
    ThrottledError,
    UnavailableError,
    Unreachable,
    VMStatus,
)
from asyncspider.resources.merge import merge_pages
from asyncspider.resources.native import status_of_native, unknown_state
from asyncspider.streams import finished, gathered, produced
from asyncspider.testing import no_leftovers


class Source:
    """Pages of numbers, and what became of reading them."""

    def __init__(self, pages: int, *, error: Exception | None = None) -> None:
        self.pages = pages
        self.error = error
        self.begun = 0
        self.given = 0
        self.closed = 0

    async def __call__(self) -> AsyncGenerator[Page[int], None]:
        self.begun += 1
        try:
            for number in range(self.pages):
                await asyncio.sleep(0)
                self.given += 1
                yield Page([2 * number, 2 * number + 1])
            if self.error is not None:
                raise self.error
        finally:
            with anyio.CancelScope(shield=True):  # as every clean-up that waits
                await asyncio.sleep(0)
            self.closed += 1


# -- Paged


async def test_items_come_in_order_and_pages_when_they_are_needed() -> None:
    source = Source(3)
    paged = Paged(source)
    assert source.given == 0
    assert await anext(paged) == 0
    assert source.given == 1
    assert [item async for item in paged] == [1, 2, 3, 4, 5]
    assert source.closed == 1


async def test_pages_and_collect() -> None:
    assert [page.items async for page in Paged(Source(2)).pages()] == [[0, 1], [2, 3]]
    assert await Paged(Source(3)).collect() == [0, 1, 2, 3, 4, 5]
    assert await Paged(Source(0)).collect() == []


async def test_each_object_is_iterated_once() -> None:
    paged = Paged(Source(1))
    assert await paged.collect() == [0, 1]
    assert [item async for item in paged] == []


async def test_leaving_early_frees_what_it_holds() -> None:
    source = Source(9)
    paged = Paged(source)
    async for _ in paged:
        break
    await paged.aclose()
    assert (source.given, source.closed) == (1, 1)
    await paged.aclose()
    await Paged(source).aclose()
    assert source.given == 1


async def test_a_partial_list_hands_out_all_and_then_raises() -> None:
    lost = Unreachable(zone="z", error=UnavailableError("down"))
    error = PartialListError("z is missing", unreachable=[lost])
    with pytest.raises(PartialListError) as caught:
        await Paged(Source(2, error=error)).collect()
    assert caught.value.items == [0, 1, 2, 3]
    seen: list[int] = []
    paged = Paged(Source(2, error=error))
    with pytest.raises(PartialListError):
        seen.extend([item async for item in _noting(paged, seen)])
    assert seen == [0, 1, 2, 3]


async def _noting(paged: Paged[int], seen: list[int]) -> AsyncGenerator[int, None]:
    async for item in paged:
        seen.append(item)
        yield item


# -- merge_pages


@pytest.mark.parametrize("at_once", [1, 2, 16])
async def test_merged_lists_are_complete(at_once: int) -> None:
    sources = [Source(number) for number in (3, 0, 1, 5)]
    async with no_leftovers():
        items = [
            item async for page in merge_pages(sources, at_once=at_once) for item in page.items
        ]
    assert len(items) == 2 * 9
    assert [source.closed for source in sources] == [1, 1, 1, 1]


async def test_no_sources_no_pages() -> None:
    assert [page async for page in merge_pages([])] == []


async def test_no_more_sources_are_read_at_once_than_allowed() -> None:
    reading = most = 0

    async def source() -> AsyncGenerator[Page[int], None]:
        nonlocal reading, most
        reading += 1
        most = max(most, reading)
        for _ in range(3):
            await asyncio.sleep(0)
            yield Page([0])
        reading -= 1

    async for _ in merge_pages([source] * 20, at_once=4):
        pass
    assert most == 4


async def test_a_slow_consumer_holds_the_sources_back() -> None:
    sources = [Source(100) for _ in range(3)]
    pages = merge_pages(sources)
    await anext(pages)
    await anyio.wait_all_tasks_blocked()
    assert sum(source.given for source in sources) <= 2 * len(sources)
    await pages.aclose()
    assert [source.closed for source in sources] == [1, 1, 1]


async def test_the_error_of_one_ends_all_and_is_the_one_raised() -> None:
    failing, others = Source(1, error=ThrottledError("slow down")), [Source(1000), Source(1000)]
    async with no_leftovers():
        with pytest.raises(ThrottledError, match="slow down"):
            async for _ in merge_pages([failing, *others]):
                pass
    assert [source.closed for source in others] == [1, 1]
    assert all(source.given < 1000 for source in others)


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 8, 13, 21])
async def test_a_merged_list_can_be_cancelled_anywhere(turns: int) -> None:
    sources = [Source(50) for _ in range(5)]

    async def read() -> None:
        async for _ in merge_pages(sources):
            pass

    async with no_leftovers():
        reading = asyncio.create_task(read())
        for _ in range(turns):
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait([reading])
        assert reading.cancelled()
    assert [source.closed for source in sources] == [source.begun for source in sources]


async def test_a_merged_list_left_and_forgotten_ends() -> None:
    sources = [Source(50) for _ in range(5)]
    async with no_leftovers():
        async for _ in merge_pages(sources):
            break


# -- produced


async def test_what_is_produced_arrives_in_order() -> None:
    async def produce(send: MemoryObjectSendStream[int]) -> None:
        for number in range(5):
            await send.send(number)

    for ahead in (0, 1, 100):
        assert [item async for item in produced(produce, ahead=ahead)] == [0, 1, 2, 3, 4]


async def test_the_producers_error_comes_after_its_items() -> None:
    async def produce(send: MemoryObjectSendStream[int]) -> None:
        await send.send(1)
        raise LookupError("that was all")

    seen: list[int] = []

    async def read() -> None:
        async for item in produced(produce):
            seen.append(item)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(LookupError, match="that was all"):
        await read()
    assert seen == [1]


async def test_leaving_waits_for_the_producers_clean_up() -> None:
    cleaned: list[str] = []

    async def produce(send: MemoryObjectSendStream[int]) -> None:
        try:
            for number in range(100):
                await send.send(number)
        finally:
            with anyio.CancelScope(shield=True):
                for _ in range(5):
                    await asyncio.sleep(0)
            cleaned.append("up")

    async with no_leftovers(), aclosing(produced(produce, ahead=3)) as items:
        async for _ in items:
            break
    assert cleaned == ["up"]


@pytest.mark.parametrize("ahead", [0, 3])
async def test_a_producer_sees_a_reader_that_leaves_as_a_cancellation_only(ahead: int) -> None:
    seen: list[type[BaseException]] = []

    async def one(send: MemoryObjectSendStream[int]) -> None:
        try:
            while True:
                await send.send(1)
        except BaseException as error:
            seen.append(type(error))
            raise

    async def produce(send: MemoryObjectSendStream[int]) -> None:
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(one, send)

    async with no_leftovers(), aclosing(produced(produce, ahead=ahead)) as items:
        async for _ in items:
            break
    assert seen == [asyncio.CancelledError] * 5


async def test_a_reader_cancelled_twice_still_waits_for_the_clean_up() -> None:
    cleaned: list[str] = []

    async def produce(send: MemoryObjectSendStream[int]) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                for _ in range(10):
                    await asyncio.sleep(0)
            cleaned.append("up")

    async def read() -> None:
        async for _ in produced(produce):
            pass

    reading = asyncio.create_task(read())
    await anyio.wait_all_tasks_blocked()
    for _ in range(3):
        reading.cancel()
        await asyncio.sleep(0)
    await asyncio.wait([reading])
    assert reading.cancelled()
    assert cleaned == ["up"]


async def test_a_producers_unseen_error_is_nobodys(caplog: pytest.LogCaptureFixture) -> None:
    async def produce(send: MemoryObjectSendStream[int]) -> None:
        try:
            await send.send(1)
            await anyio.sleep_forever()
        finally:
            raise LookupError("in the clean-up")

    async with aclosing(produced(produce)) as items:
        async for _ in items:
            break
    assert "never retrieved" not in caplog.text


async def test_finished_passes_a_cancellation_on_when_the_task_has_ended() -> None:
    gate = anyio.Event()
    work = asyncio.create_task(gate.wait())
    waiting = asyncio.create_task(finished(work))
    await anyio.wait_all_tasks_blocked()
    waiting.cancel()
    await anyio.wait_all_tasks_blocked()
    assert not waiting.done()
    gate.set()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    assert not work.cancelled()


# -- gathered


async def test_gathered_keeps_the_order() -> None:
    def after(turns: int) -> Callable[[], object]:
        async def call() -> int:
            for _ in range(turns):
                await asyncio.sleep(0)
            return turns

        return call

    assert await gathered(*[after(turns) for turns in (5, 0, 3)]) == [5, 0, 3]  # pyright: ignore[reportArgumentType]
    assert await gathered() == []


async def test_gathered_raises_one_error_and_cancels_the_others() -> None:
    cancelled: list[bool] = []

    async def wait() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.append(True)

    async def fail() -> None:
        raise ThrottledError("slow down")

    with pytest.raises(ThrottledError):
        await gathered(wait, fail, wait, fail)
    assert cancelled == [True, True]


# -- native states


def test_an_unknown_native_state_is_failed_and_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    table = {"up": VMStatus.RUNNING}
    assert status_of_native("testcloud", table, "up") is VMStatus.RUNNING
    for _ in range(3):
        assert status_of_native("testcloud", table, "levitating") is VMStatus.FAILED
    assert caplog.text.count("levitating") == 1
    assert "levitating" in unknown_state(table, "levitating")
    assert unknown_state(table, "up") == ""
