"""Pages decoded in turn: a piece in each round of the event loop."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Sequence
from typing import TypeVar

import anyio
import anyio.lowlevel
import msgspec
from anyio.lowlevel import RunVar

from .collector import collector_paused

R = TypeVar("R")
T = TypeVar("T")
IN_TURN_BYTES = 16 * 1024
"""Bodies longer than this wait for their turn: 16 KiB take a small part of a millisecond."""


class _Turn:
    """A lock that the most urgent of those who wait gets next; now and then, the one before all.

    Or a cloud whose pages are always the more urgent ones would hold up another one's for ever.
    """

    def __init__(self) -> None:
        self._taken = False
        self._given = 0
        self._waiting: list[tuple[int, int, anyio.Event]] = []
        self._arrivals = itertools.count()

    async def acquire(self, urgency: int) -> None:
        if not self._taken:
            self._taken = True
            return
        entry = -urgency, next(self._arrivals), anyio.Event()
        heapq.heappush(self._waiting, entry)
        try:
            await entry[2].wait()
        except BaseException:
            if entry[2].is_set():  # it was just handed over
                self.release()
            else:
                self._waiting.remove(entry)
                heapq.heapify(self._waiting)
            raise

    def release(self) -> None:
        if not self._waiting:
            self._taken = False
            return
        self._given += 1
        if self._given % _FIRST_COME:
            entry = heapq.heappop(self._waiting)
        else:
            entry = min(self._waiting, key=_arrival)
            self._waiting.remove(entry)
            heapq.heapify(self._waiting)
        entry[2].set()


def _arrival(entry: tuple[int, int, anyio.Event]) -> int:
    return entry[1]


ITEMS_IN_TURN = 400
"""Items of a page that are mapped at once: one to two milliseconds' work."""
_FIRST_COME = 4  # each fourth turn is for who has waited longest
_LAST_STEP = 2**62  # more urgent than to read on
_paused = collector_paused()
_turn: RunVar[_Turn] = RunVar("asyncspider_decoding_turn")


class in_turn:  # noqa: N801 - reads as what it is: ``async with in_turn():``
    """Wait until no other task decodes, and let the event loop go round afterwards.

    Pages of many regions tend to arrive together. Each takes some milliseconds, and all of them
    in one round of the loop would hold up everybody else for a quarter of a second. The block
    must not wait for anything; the garbage collector is off in it.

    Args:
        urgency: Who has more goes first. A page that is read in pieces says how far it is: to
            finish one and hand it on needs less memory than to begin all.
    """

    __slots__ = ("_turn", "_urgency")

    def __init__(self, urgency: int = 0) -> None:
        self._urgency = urgency
        try:
            self._turn = _turn.get()
        except LookupError:
            self._turn = _Turn()
            _turn.set(self._turn)

    async def __aenter__(self) -> None:
        await self._turn.acquire(self._urgency)
        _paused.__enter__()

    async def __aexit__(self, kind: object, *_: object) -> None:
        _paused.__exit__()
        try:
            if kind is None:
                await anyio.lowlevel.checkpoint()
        finally:
            self._turn.release()


async def mapped(make: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Return what `make` makes of each of a page's items, some in each round of the event loop."""
    if len(items) <= ITEMS_IN_TURN:
        return [make(item) for item in items]
    made: list[R] = []
    for start in range(0, len(items), ITEMS_IN_TURN):
        async with in_turn(_LAST_STEP):
            made += [make(item) for item in items[start : start + ITEMS_IN_TURN]]
    return made


def decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Return what `decoder` makes of a page, with the collector paused.

    Raises:
        msgspec.DecodeError: The page is not what the decoder is for.
    """
    with collector_paused():
        return decoder.decode(body)


async def decode_in_turn(decoder: msgspec.json.Decoder[T], body: bytes, urgency: int = 0) -> T:
    """Return the same as `decode`, `in_turn` where the page is a long one."""
    if len(body) <= IN_TURN_BYTES:
        return decode(decoder, body)
    async with in_turn(urgency):
        return decoder.decode(body)
