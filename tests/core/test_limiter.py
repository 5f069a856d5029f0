"""Bounds on requests: how many at once, and how fast."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from asyncspider import InvalidRequestError
from asyncspider.transport.limiter import RequestLimiter

from .virtual import run_virtually


async def hold(limiter: RequestLimiter, seconds: float, log: list[float]) -> None:
    async with limiter:
        log.append(asyncio.get_running_loop().time())
        await anyio.sleep(seconds)


def starts(limiter: RequestLimiter, requests: int, seconds: float) -> list[float]:
    """Return when each of some requests that take some time began."""
    log: list[float] = []

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(requests):
                group.start_soon(hold, limiter, seconds, log)

    run_virtually(main())
    return [round(at, 3) for at in log]


def test_no_more_than_the_bound_are_in_flight() -> None:
    assert starts(RequestLimiter(2), 6, 1.0) == [0, 0, 1, 1, 2, 2]


def test_the_rate_lets_a_burst_go_and_then_paces() -> None:
    limiter = RequestLimiter(100, rate=10, burst=3)
    assert starts(limiter, 6, 0.0) == [0, 0, 0, 0.1, 0.2, 0.3]


def test_without_a_burst_one_second_of_requests_may_go_at_once() -> None:
    assert starts(RequestLimiter(100, rate=2), 5, 0.0) == [0, 0, 0.5, 1.0, 1.5]


def test_a_rate_below_one_a_second() -> None:
    assert starts(RequestLimiter(100, rate=0.5), 3, 0.0) == [0, 2, 4]


def test_tokens_of_idle_time_are_no_more_than_the_burst() -> None:
    limiter = RequestLimiter(100, rate=10, burst=2)
    log: list[float] = []

    async def main() -> None:
        await hold(limiter, 0, log)
        await anyio.sleep(100)
        async with anyio.create_task_group() as group:
            for _ in range(4):
                group.start_soon(hold, limiter, 0, log)

    run_virtually(main())
    assert [round(at, 3) for at in log] == [0, 100, 100, 100.1, 100.2]


def test_a_cancelled_wait_gives_its_token_and_slot_back() -> None:
    limiter = RequestLimiter(1, rate=1, burst=1)
    log: list[float] = []

    async def main() -> None:
        await hold(limiter, 0, log)
        with anyio.move_on_after(0.5):
            await hold(limiter, 0, log)  # would go at 1 s
        await hold(limiter, 0, log)

    run_virtually(main())
    assert [round(at, 3) for at in log] == [0, 1]


def test_throttling_halves_the_bound_and_answers_raise_it_slowly() -> None:
    limiter = RequestLimiter(32)
    limiter.throttled()
    assert limiter.concurrency == 16
    for _ in range(10):
        limiter.throttled()
    assert limiter.concurrency == 1
    answers = 0
    while limiter.concurrency < 32:
        limiter.succeeded()
        answers += 1
    # One more for each round of answers: about the sum of 1 to 32.
    assert 300 < answers < 600
    limiter.succeeded()
    assert limiter.concurrency == 32


def test_a_lowered_bound_holds_for_those_who_wait() -> None:
    limiter = RequestLimiter(4)
    log: list[float] = []

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(8):
                group.start_soon(hold, limiter, 1.0, log)
            await anyio.sleep(0.5)
            limiter.throttled()
            limiter.throttled()

    run_virtually(main())
    assert [round(at, 3) for at in log] == [0, 0, 0, 0, 1, 2, 3, 4]


def test_new_bounds_while_requests_are_in_flight() -> None:
    limiter = RequestLimiter(1)
    log: list[float] = []

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(hold, limiter, 1.0, log)
            group.start_soon(hold, limiter, 1.0, log)  # waits on the old bound
            await anyio.sleep(0.5)
            limiter.configure(2)
            for _ in range(4):
                group.start_soon(hold, limiter, 1.0, log)

    run_virtually(main())
    assert len(log) == 6
    assert starts(limiter, 4, 1.0) == [0, 0, 1, 1], "no slot was lost or won"


@pytest.mark.parametrize(
    "bounds",
    [{"concurrency": 0}, {"concurrency": 1, "rate": 0}, {"concurrency": 1, "rate": float("nan")},
     {"concurrency": 1, "rate": 1, "burst": 0}],
)  # fmt: skip
def test_impossible_bounds_are_refused(bounds: dict[str, float]) -> None:
    with pytest.raises(InvalidRequestError):
        RequestLimiter(**bounds)  # pyright: ignore[reportArgumentType]


def test_when_the_cloud_asks_to_wait_all_wait() -> None:
    limiter = RequestLimiter(2)
    log: list[float] = []

    async def main() -> None:
        async with limiter:
            limiter.throttled(5.0)
            limiter.throttled(3.0)
        async with anyio.create_task_group() as group:
            for _ in range(2):
                group.start_soon(hold, limiter, 1.0, log)
        limiter.throttled(3600.0)
        await hold(limiter, 0, log)

    run_virtually(main())
    assert [round(at, 3) for at in log] == [5, 6, 37], "one at a time, and no pause of an hour"
