"""Pages decoded while the garbage collector waits."""

from __future__ import annotations

import gc
import threading
from typing import TypeVar

import msgspec

T = TypeVar("T")
_lock = threading.Lock()
_decoding = 0
_was_on = False


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
