"""The garbage collector, kept from looking through everything in the middle of a scan.

A full collection looks through all objects of the process. Where a cloud's SDK is imported that
is a quarter of a million, for 40 to 100 ms on the event loop; and a scan, whose records live for a
moment, but longer than the collector thinks young objects do, brings one about again and again.
"""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Generator
from contextlib import contextmanager

LONGEST = 60.0
"""Longest time for which full collections wait, in seconds: who scans all day has garbage too."""

_NEVER = 2**31 - 1
_lock = threading.Lock()
_pauses = 0
_was_on = False
_holds = 0
_threshold = 0


class collector_paused:  # noqa: N801 - reads as what it is: ``with collector_paused():``
    """Switch the collector off for a block of code that does not wait, if it was on.

    A page is thousands of new objects, none of which can be garbage yet. Looking through them
    was a tenth of a scan's CPU time.
    """

    __slots__ = ()

    def __enter__(self) -> None:
        global _pauses, _was_on
        with _lock:
            if not _pauses:
                _was_on = gc.isenabled()
                gc.disable()
            _pauses += 1

    def __exit__(self, *_: object) -> None:
        global _pauses
        with _lock:
            _pauses -= 1
            if not _pauses and _was_on:
                gc.enable()


class _Hold:
    """One reason for full collections to wait; ends by itself after `LONGEST`."""

    def __init__(self) -> None:
        global _holds, _threshold
        self._over = False
        with _lock:
            if not _holds:
                # What is never looked at a second time never counts as old: when the wait is
                # over, a look at what is still there is due, which is little, and no full one.
                first, _threshold, third = gc.get_threshold()
                gc.set_threshold(first, _NEVER, third)
            _holds += 1

    def end(self) -> None:
        global _holds
        with _lock:
            if self._over:
                return
            self._over = True
            _holds -= 1
            first, second, third = gc.get_threshold()
            if not _holds and second == _NEVER:  # nobody else has changed it meanwhile
                gc.set_threshold(first, _threshold, third)


@contextmanager
def full_collections_wait() -> Generator[None, None, None]:
    """Put off full collections for a block of code that waits, for `LONGEST` at most.

    New objects are looked at once, as ever. Must be used on a running event loop.
    """
    hold = _Hold()
    timer = asyncio.get_running_loop().call_later(LONGEST, hold.end)
    try:
        yield
    finally:
        timer.cancel()
        hold.end()
