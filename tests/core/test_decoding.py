"""Pages decoded while the garbage collector waits."""

from __future__ import annotations

import gc
import itertools
import threading
from typing import Any

import anyio
import anyio.lowlevel
import msgspec
import pytest

from asyncspider.transport.decoding import IN_TURN_BYTES, decode, decode_in_turn


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
