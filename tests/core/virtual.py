"""An event loop whose time passes at once: tests of waits need no waiting."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from asyncspider_drivers.mock import Clock

T = TypeVar("T")


class _JumpingSelector(selectors.DefaultSelector):
    """Does not wait for a timer: sets the clock forward to it."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        events = super().select(0 if timeout is not None else None)
        if not events and timeout:
            self.now += timeout
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop that begins at 0 s. For code without sockets and threads."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


class LoopClock(Clock):
    """A world's clock that shows the running loop's time."""

    def now(self) -> float:
        return self._extra + asyncio.get_running_loop().time()


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a `VirtualLoop`."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
