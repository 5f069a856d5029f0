"""How many requests at once, and how fast: one limiter for each connection."""

from __future__ import annotations

import math
from collections import deque
from types import TracebackType

import anyio
from anyio import CapacityLimiter

from ..errors import InvalidRequestError

LONGEST_PAUSE = 30.0
"""Longest time that one throttled request holds up the others, in seconds."""


class RequestLimiter:
    """Bounds requests in flight, and adapts: halved when throttled, one more after each round.

    Args:
        concurrency: Most requests in flight.
        rate: Requests a second in the long run, None = no bound.
        burst: Requests that may go at once before `rate` bites; None = one second's worth.
    """

    def __init__(
        self, concurrency: int = 32, *, rate: float | None = None, burst: int | None = None
    ) -> None:
        self._held: deque[_Slot] = deque()
        self.configure(concurrency, rate=rate, burst=burst)

    def configure(
        self, concurrency: int, *, rate: float | None = None, burst: int | None = None
    ) -> None:
        """Set new bounds. Requests that wait already keep waiting on the old ones."""
        if concurrency < 1:
            raise InvalidRequestError("concurrency must be at least 1")
        if rate is not None and not rate > 0:
            raise InvalidRequestError("rate must be more than 0 requests a second")
        if burst is not None and burst < 1:
            raise InvalidRequestError("burst must be at least 1")
        self._ceiling = concurrency
        self._window = float(concurrency)
        self._slots: CapacityLimiter | None = None
        self._rate = rate
        self._burst = float(burst if burst is not None else max(1, math.ceil(rate or 1)))
        self._tokens = self._burst
        self._refilled: float | None = None
        self._not_before = -math.inf

    @property
    def concurrency(self) -> int:
        """Requests that may be in flight now."""
        return int(self._window)

    def throttled(self, retry_after: float | None = None) -> None:
        """Note that the cloud said: too many.

        Args:
            retry_after: Seconds that it asked to wait. No request goes before they are over:
                the others would only be refused too. Counts up to `LONGEST_PAUSE`.
        """
        self._resize(max(1.0, self._window / 2))
        if retry_after is not None:
            until = anyio.current_time() + min(retry_after, LONGEST_PAUSE)
            self._not_before = max(self._not_before, until)

    def succeeded(self) -> None:
        """Note a good answer."""
        if self._window < self._ceiling:
            self._resize(min(float(self._ceiling), self._window + 1 / self._window))

    def _resize(self, window: float) -> None:
        self._window = window
        if self._slots is not None and self._slots.total_tokens != int(window):
            self._slots.total_tokens = int(window)

    async def _pace(self, rate: float) -> None:
        now = anyio.current_time()
        passed = 0.0 if self._refilled is None else now - self._refilled
        self._tokens = min(self._burst, self._tokens + passed * rate) - 1
        self._refilled = now
        if self._tokens < 0:
            # The token is taken on credit, so waiters go in order, each at its own time.
            try:
                await anyio.sleep(-self._tokens / rate)
            except BaseException:
                self._tokens += 1
                raise

    async def __aenter__(self) -> None:
        if self._slots is None:
            self._slots = CapacityLimiter(int(self._window))
        # One task may hold several slots (a request that needs another first).
        slot = _Slot(self._slots)
        try:
            # Waiting, even for nothing, is a round of the event loop.
            self._slots.acquire_on_behalf_of_nowait(slot)
        except anyio.WouldBlock:
            await self._slots.acquire_on_behalf_of(slot)
        self._held.append(slot)
        try:
            # Others may put it off meanwhile.
            while self._not_before > -math.inf and anyio.current_time() < self._not_before:  # noqa: ASYNC110 - a time, no event
                await anyio.sleep_until(self._not_before)
            if self._rate is not None:
                await self._pace(self._rate)
        except BaseException:
            self._free()
            raise

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._free()

    def _free(self) -> None:
        # Slots are alike, so it does not matter whose is given back. The oldest: after
        # `configure`, requests may still wait for those.
        slot = self._held.popleft()
        slot.limiter.release_on_behalf_of(slot)


class _Slot:
    __slots__ = ("limiter",)

    def __init__(self, limiter: CapacityLimiter) -> None:
        self.limiter = limiter
