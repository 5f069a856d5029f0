"""When a request is sent again, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from itertools import pairwise

import anyio
import pytest

from asyncspider import (
    AuthenticationError,
    DeadlineExceededError,
    ProtocolError,
    SpiderError,
    ThrottledError,
    UnavailableError,
)
from asyncspider.transport.retry import RetryPolicy, retrying

from .virtual import run_virtually


class Script:
    """A request that fails as told, then answers."""

    def __init__(self, *errors: SpiderError) -> None:
        self.errors = list(errors)
        self.at: list[float] = []

    async def __call__(self) -> str:
        self.at.append(asyncio.get_running_loop().time())
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


def attempts(
    errors: Iterable[SpiderError], *, idempotent: bool = True, **policy: float
) -> tuple[object, list[float]]:
    """Return how a scripted request ended, and when its attempts were made."""
    script = Script(*errors)

    async def main() -> object:
        try:
            return await retrying(script, RetryPolicy(**policy), idempotent)  # pyright: ignore[reportArgumentType]
        except SpiderError as error:
            return error

    return run_virtually(main()), script.at


def test_what_works_is_made_once() -> None:
    assert attempts([]) == ("answer", [0])


def test_throttled_requests_are_sent_again_even_if_not_idempotent() -> None:
    result, at = attempts([ThrottledError("slow down")] * 5, idempotent=False)
    assert result == "answer"
    assert len(at) == 6


def test_waits_grow() -> None:
    _, at = attempts([ThrottledError("slow down")] * 6, wait_initial=1, wait_max=8)
    waits = [later - sooner for sooner, later in pairwise(at)]
    # Exponential from 1 s, with up to 1 s of jitter, none longer than 8 s.
    for wait, base in zip(waits, (1, 2, 4, 8, 8, 8), strict=True):
        assert base - 1e-6 <= wait <= min(base + 1, 8) + 1e-6


def test_unavailable_is_sent_again_only_if_idempotent() -> None:
    result, at = attempts([UnavailableError("down")] * 2)
    assert (result, len(at)) == ("answer", 3)
    error = UnavailableError("down")
    result, at = attempts([error], idempotent=False)
    assert (result, at) == (error, [0])


def test_attempts_are_bounded_and_the_last_error_is_raised() -> None:
    errors = [UnavailableError(f"down {number}") for number in range(9)]
    result, at = attempts(errors)
    assert (result, len(at)) == (errors[2], 3)
    throttled = [ThrottledError(f"slow {number}") for number in range(20)]
    result, at = attempts(throttled)
    assert (result, len(at)) == (throttled[7], 8)


@pytest.mark.parametrize(
    "error",
    [
        AuthenticationError("who"),
        ProtocolError("what"),
        DeadlineExceededError("late"),
        UnavailableError("certificate", retryable=False),
    ],
)
def test_what_would_fail_again_is_not_sent_again(error: SpiderError) -> None:
    assert attempts([error]) == (error, [0])


def test_the_cloud_says_how_long_to_wait() -> None:
    result, at = attempts([ThrottledError("later", retry_after=17.0)])
    assert result == "answer"
    assert [round(time, 3) for time in at] == [0, 17]


def test_a_wait_longer_than_the_budget_is_not_begun() -> None:
    error = ThrottledError("tomorrow", retry_after=86_400.0)
    assert attempts([error]) == (error, [0])


def test_a_cloud_that_says_when_is_asked_until_the_budget_ends() -> None:
    errors = [ThrottledError(f"later {number}", retry_after=2.0) for number in range(99)]
    result, at = attempts(errors, budget=20.0)
    assert result is errors[10]
    assert [round(time, 3) for time in at] == [2.0 * number for number in range(11)]


def test_who_is_told_to_come_back_at_once_waits_a_little() -> None:
    result, at = attempts([ThrottledError("now", retry_after=0.0)] * 3, wait_initial=0.1)
    assert result == "answer"
    assert [round(time, 3) for time in at] == [0, 0.1, 0.2, 0.3]


def test_without_a_budget_there_is_one_attempt() -> None:
    error = ThrottledError("slow down")
    assert attempts([error], budget=0) == (error, [0])


def test_another_error_ends_it() -> None:
    error = AuthenticationError("expired")
    result, at = attempts([ThrottledError("slow"), error])
    assert (result, len(at)) == (error, 2)


def test_a_wait_can_be_cancelled() -> None:
    script = Script(*[ThrottledError("later", retry_after=10.0)] * 3)

    async def main() -> None:
        with anyio.move_on_after(15) as scope:
            await retrying(script, RetryPolicy(), True)
        assert scope.cancelled_caught

    run_virtually(main())
    assert [round(time, 3) for time in script.at] == [0, 10]
