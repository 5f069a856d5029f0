"""Pages decoded in turn, while the garbage collector waits."""

from __future__ import annotations

import asyncio
import gc
import itertools
import threading
from typing import Any

import anyio
import anyio.lowlevel
import msgspec
import pytest

from asyncspider import ConnectionInfo, Fleet, Target
from asyncspider.transport import collector
from asyncspider.transport.collector import full_collections_wait
from asyncspider.transport.decoding import IN_TURN_BYTES, decode, decode_in_turn, in_turn


def seen_by(body: bytes, seen: list[bool]) -> Any:
    def hook(kind: type, value: Any) -> Any:
        seen.append(gc.isenabled())
        return value

    decoder = msgspec.json.Decoder(list[complex], dec_hook=hook)
    return decode(decoder, body)


def test_the_collector_waits_and_goes_on() -> None:
    seen: list[bool] = []
    with pytest.raises(msgspec.ValidationError):  # a hook must return what was asked for
        seen_by(b'["x"]', seen)
    assert seen == [False]
    assert gc.isenabled()


def test_who_has_it_switched_off_keeps_it_off() -> None:
    gc.disable()
    try:
        assert decode(msgspec.json.Decoder(), b"[1]") == [1]
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_in_many_threads_at_once() -> None:
    body = msgspec.json.encode([[number] for number in range(2000)])
    decoder = msgspec.json.Decoder()

    def work() -> None:
        for _ in range(50):
            decode(decoder, body)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert gc.isenabled()


async def test_one_page_in_each_round_of_the_loop() -> None:
    page = msgspec.json.encode(["x" * IN_TURN_BYTES])
    decoded = 0
    seen: list[int] = []

    async def reader() -> None:
        nonlocal decoded
        await decode_in_turn(msgspec.json.Decoder(), page)
        decoded += 1

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(reader)
        while decoded < 20:
            seen.append(decoded)
            await anyio.lowlevel.checkpoint()
    steps = [after - before for before, after in itertools.pairwise(seen)]
    assert max(steps) == 1  # not all of them in one round


async def test_who_is_cancelled_gives_the_turn_back() -> None:
    page = msgspec.json.encode(["x" * IN_TURN_BYTES])
    with anyio.CancelScope() as scope:
        scope.cancel()
        await decode_in_turn(msgspec.json.Decoder(), page)
    assert scope.cancelled_caught
    with anyio.fail_after(5):
        assert await decode_in_turn(msgspec.json.Decoder(list[str]), page)


async def test_who_is_furthest_goes_first() -> None:
    order: list[int] = []

    async def reader(urgency: int) -> None:
        async with in_turn(urgency):
            order.append(urgency)

    async with anyio.create_task_group() as group, in_turn():
        for urgency in (1, 3, 2, 3):
            group.start_soon(reader, urgency)
        await anyio.wait_all_tasks_blocked()
    assert order == [3, 3, 2, 1]


async def test_nobody_waits_for_ever() -> None:
    patient = asyncio.Event()

    async def wait() -> None:
        async with in_turn():
            patient.set()

    async def hurry() -> None:
        while not patient.is_set():
            async with in_turn(10**9):
                pass

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group, in_turn():
            group.start_soon(wait)
            for _ in range(3):
                group.start_soon(hurry)
            await anyio.wait_all_tasks_blocked()


async def test_who_is_cancelled_while_waiting_holds_up_nobody() -> None:
    done: list[str] = []

    async def reader(name: str, urgency: int) -> None:
        async with in_turn(urgency):
            done.append(name)

    async with anyio.create_task_group() as group:
        async with in_turn():
            group.start_soon(reader, "patient", 1)
            waiting = asyncio.create_task(reader("gone", 2))
            handed = asyncio.create_task(reader("handed over", 3))
            await anyio.wait_all_tasks_blocked()
            waiting.cancel()
        # The turn is the most urgent one's already, who is cancelled before it knows.
        handed.cancel()
        await asyncio.wait([waiting, handed])
    assert done == ["patient"]


# -- full collections


async def test_full_collections_wait_and_come_again() -> None:
    before = gc.get_threshold()
    with full_collections_wait():
        with full_collections_wait():
            assert gc.get_threshold()[1] > 10**9
        assert gc.get_threshold()[1] > 10**9
        assert gc.get_threshold()[0] == before[0]
    assert gc.get_threshold() == before


async def test_they_do_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    before = gc.get_threshold()
    monkeypatch.setattr(collector, "LONGEST", 0.0)
    with full_collections_wait():
        while gc.get_threshold() != before:
            await anyio.lowlevel.checkpoint()
    assert gc.get_threshold() == before


async def test_thresholds_that_somebody_set_meanwhile_stay() -> None:
    before = gc.get_threshold()
    try:
        with full_collections_wait():
            gc.set_threshold(500, 20, 30)
        assert gc.get_threshold()[:2] == (500, 20)
    finally:
        gc.set_threshold(*before)


async def test_a_scan_brings_no_full_collection_about() -> None:
    info = ConnectionInfo()
    targets = [Target(name=str(number), driver="mock", connection_info=info) for number in range(3)]
    before = gc.get_threshold()
    inside = 0
    async with Fleet(targets) as fleet:
        async for page in fleet.pages("vm"):
            assert page
            inside = gc.get_threshold()[1]
            break
    assert inside > 10**9
    assert gc.get_threshold() == before
