"""How much a fleet does at once."""

from __future__ import annotations

import msgspec

from ..errors import InvalidRequestError


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of a fleet. The defaults suit hundreds of accounts and regions.

    More is not faster: clouds answer too many requests with throttling. Each target's limiter
    lowers its own bound when that happens and raises it again later.
    """

    total: int = 64
    """Scopes, (target, resource) pairs, that are worked on at once."""
    per_target: int = 7
    """Scopes of one target that are worked on at once."""
    requests_per_target: int = 32
    """Requests of one target that are in flight at once."""
    rate: float | None = None
    """Requests a second to one target in the long run, None = no bound."""
    burst: int | None = None
    """Requests to one target that may go at once before `rate` bites; None = one second's."""

    def __post_init__(self) -> None:
        for name in ("total", "per_target", "requests_per_target", "burst"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InvalidRequestError(f"limit {name} must be at least 1, not {value}")
        if self.rate is not None and not self.rate > 0:
            raise InvalidRequestError(f"limit rate must be more than 0, not {self.rate}")
