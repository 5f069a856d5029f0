"""When a request is sent again, and after how long."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
import msgspec

from ..errors import SpiderError, ThrottledError, UnavailableError

R = TypeVar("R")

# stamina logs each retry. A program that has set up no logging would see that on stderr.
logging.getLogger("stamina").addHandler(logging.NullHandler())


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How stubborn a connection is. Waits grow exponentially, with jitter."""

    throttled_attempts: int = 8
    """Most attempts while the cloud says: too many requests; but as many as `budget` has room for
    while it also says when to come back."""
    unavailable_attempts: int = 3
    """Most attempts at a server that is down, resets or answers 5xx."""
    budget: float = 60.0
    """No attempt begins later than this after the first failed, in seconds; 0 = one attempt."""
    wait_initial: float = 0.1
    """First wait, in seconds."""
    wait_max: float = 10.0
    """Longest wait, in seconds. A wait that the cloud itself asks for counts up to `budget`."""


async def retrying(attempt: Callable[[], Awaitable[R]], policy: RetryPolicy, idempotent: bool) -> R:
    """Run `attempt` until it succeeds, fails for good, or the policy has had enough.

    Throttled requests were refused unread, so they are always sent again. After
    `UnavailableError` nobody knows, so only idempotent ones are.

    Raises:
        SpiderError: What the last attempt raised.
    """
    try:
        return await attempt()
    except SpiderError as error:
        if policy.budget <= 0 or not _worth_it(error, idempotent):
            raise
        first = error
    return await _again(attempt, policy, idempotent, first)


async def _again(
    attempt: Callable[[], Awaitable[R]], policy: RetryPolicy, idempotent: bool, first: SpiderError
) -> R:
    # Only here, where time is to be lost anyway: importing it costs more than a request.
    import stamina

    made = 0
    began = anyio.current_time()

    def verdict(error: Exception) -> bool | float:
        if not isinstance(error, SpiderError) or not _worth_it(error, idempotent):
            return False
        throttled = isinstance(error, ThrottledError)
        told = error.retry_after
        most = policy.throttled_attempts if throttled else policy.unavailable_attempts
        if made >= most and not (throttled and told is not None):
            return False
        if told is None:
            return True
        wait = max(told, policy.wait_initial)
        return wait if anyio.current_time() + wait <= began + policy.budget else False

    async for trial in stamina.retry_context(
        on=verdict,
        attempts=None,
        timeout=policy.budget,
        wait_initial=policy.wait_initial,
        wait_max=policy.wait_max,
        wait_jitter=policy.wait_initial,
        wait_exp_base=2,
    ):
        with trial:
            made += 1
            if made == 1:
                raise first
            return await attempt()
    raise first  # pragma: no cover - the loop above returns or raises


def _worth_it(error: SpiderError, idempotent: bool) -> bool:
    if not error.retryable:
        return False
    return isinstance(error, ThrottledError) or (idempotent and isinstance(error, UnavailableError))
