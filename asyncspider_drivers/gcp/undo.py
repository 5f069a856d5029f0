"""Taking back what the first steps of a create made when a later one fails."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio

from asyncspider import NotFoundError, SpiderError

_log = logging.getLogger("asyncspider.gcp")
_DEADLINE = 60.0


@asynccontextmanager
async def undone_on_failure(
    what: str, remove: Callable[[], Awaitable[object]]
) -> AsyncGenerator[None, None]:
    """Call `remove` when the block fails or is cancelled; shielded, for a minute at most.

    What can't be removed is named in the message of the block's own error, or logged when the
    block was cancelled.

    Args:
        what: What is removed, in words: ``network 'a'``.
        remove: Removes it; that it is not there is no failure.
    """
    try:
        yield
    except BaseException as error:
        reason = f"not done within {_DEADLINE:g} s"
        with anyio.move_on_after(_DEADLINE, shield=True):
            try:
                await remove()
                reason = ""
            except NotFoundError:
                reason = ""
            except SpiderError as failure:
                reason = failure.message
        if reason:
            left = f"{what} was left behind, as it could not be removed again: {reason}"
            if isinstance(error, SpiderError):
                error.message = f"{error.message}; {left}"
            else:
                _log.warning("%s", left)
        raise
