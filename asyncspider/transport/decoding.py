"""Pages decoded while the garbage collector waits."""

from __future__ import annotations

import gc
import threading
from typing import TypeVar

import anyio
import anyio.lowlevel
import msgspec
from anyio.lowlevel import RunVar

T = TypeVar("T")
IN_TURN_BYTES = 64 * 1024
"""Bodies longer than this wait for their turn: 64 KiB take about half a millisecond."""
_lock = threading.Lock()
_decoding = 0
_was_on = False
_turn: RunVar[anyio.Lock] = RunVar("asyncspider_decoding_turn")


async def decode_in_turn(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Return the same as `decode`, but let the event loop go round between two pages.

    Pages of many zones tend to arrive together. Each takes some milliseconds, and all of them in
    one round of the loop would hold up everybody else for a quarter of a second.
    """
    if len(body) <= IN_TURN_BYTES:
        return decode(decoder, body)
    try:
        turn = _turn.get()
    except LookupError:
        turn = anyio.Lock(fast_acquire=True)
        _turn.set(turn)
    async with turn:
        answer = decode(decoder, body)
        await anyio.lowlevel.checkpoint()
        return answer


def decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Return what `decoder` makes of a page.

    A page is thousands of new lists, none of which can be garbage yet. Looking through them, and
    every so often through everything else in the process, was a fifth of a scan's CPU time; so
    the collector is switched off for these milliseconds, if it was on.

    Raises:
        msgspec.DecodeError: The page is not what the decoder is for.
    """
    global _decoding, _was_on
    with _lock:
        if not _decoding:
            _was_on = gc.isenabled()
            gc.disable()
        _decoding += 1
    try:
        return decoder.decode(body)
    finally:
        with _lock:
            _decoding -= 1
            if not _decoding and _was_on:
                gc.enable()
