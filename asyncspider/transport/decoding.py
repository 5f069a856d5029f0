"""Pages decoded in turn: a piece in each round of the event loop."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TypeVar

import anyio
import anyio.lowlevel
import msgspec
from anyio.lowlevel import RunVar

from .collector import collector_paused

T = TypeVar("T")
IN_TURN_BYTES = 16 * 1024
"""Bodies longer than this wait for their turn: 16 KiB take a small part of a millisecond."""
_turn: RunVar[anyio.Lock] = RunVar("asyncspider_decoding_turn")


@asynccontextmanager
async def in_turn() -> AsyncGenerator[None, None]:
    """Wait until no other task decodes, and let the event loop go round afterwards.

    Pages of many regions tend to arrive together. Each takes some milliseconds, and all of them
    in one round of the loop would hold up everybody else for a quarter of a second. The block
    must not wait for anything; the garbage collector is off in it.
    """
    try:
        turn = _turn.get()
    except LookupError:
        turn = anyio.Lock(fast_acquire=True)
        _turn.set(turn)
    async with turn:
        with collector_paused():
            yield
        await anyio.lowlevel.checkpoint()


def decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Return what `decoder` makes of a page, with the collector paused.

    Raises:
        msgspec.DecodeError: The page is not what the decoder is for.
    """
    with collector_paused():
        return decoder.decode(body)


async def decode_in_turn(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Return the same as `decode`, `in_turn` where the page is a long one."""
    if len(body) <= IN_TURN_BYTES:
        return decode(decoder, body)
    async with in_turn():
        return decoder.decode(body)
