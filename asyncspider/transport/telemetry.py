"""Who asked how often: a counter for each scan's scope, and a hook for listeners."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar

import msgspec

from ..errors import SpiderError

_log = logging.getLogger("asyncspider.transport")


class RequestEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt at one request, when it has ended."""

    driver: str
    """Name of the driver."""
    region: str
    """Region of the connection."""
    operation: str
    """The cloud's name of the call."""
    seconds: float
    """From the moment it was let go to its end."""
    error: SpiderError | None = None
    """Why it failed, None when it did not (or was cancelled)."""


class Meter:
    """Counts the requests made on behalf of one piece of work."""

    __slots__ = ("requests",)

    def __init__(self) -> None:
        self.requests = 0


Listener = Callable[[RequestEvent], None]
_meter: ContextVar[Meter | None] = ContextVar("asyncspider_meter", default=None)
_listeners: list[Listener] = []


@contextmanager
def metered(meter: Meter) -> Generator[Meter, None, None]:
    """Count in `meter` all requests of this task, and of tasks started from it, inside."""
    token = _meter.set(meter)
    try:
        yield meter
    finally:
        _meter.reset(token)


def add_listener(listener: Listener) -> Callable[[], None]:
    """Call `listener` after each attempt at a request; returns what removes it again.

    It runs on the event loop: it must be quick. What it raises is logged, not passed on.
    """
    _listeners.append(listener)
    return lambda: _listeners.remove(listener)


def report_request(
    driver: str, region: str, operation: str, seconds: float, error: SpiderError | None
) -> None:
    """Count an attempt and tell the listeners. For `CloudConnection.perform`."""
    meter = _meter.get()
    if meter is not None:
        meter.requests += 1
    if not _listeners:
        return
    event = RequestEvent(
        driver=driver, region=region, operation=operation, seconds=seconds, error=error
    )
    for listener in tuple(_listeners):
        try:
            listener(event)
        except Exception:
            _log.exception("a request listener failed")
