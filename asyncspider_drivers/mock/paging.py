"""Lists, one answer at a time."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from itertools import groupby
from typing import TYPE_CHECKING, TypeVar

from asyncspider import Page, PartialListError, UnavailableError, Unreachable

from .region import Region

if TYPE_CHECKING:
    from .connection import MockConnection

T = TypeVar("T")
Answer = tuple[list[T], int | None]
"""Items, and what to ask for next; None = that was all."""


async def paged(
    connection: MockConnection,
    function: Callable[[Region, int], Answer[T]],
    zone_of: Callable[[T], str] | None = None,
    only: str = "",
) -> AsyncGenerator[Page[T], None]:
    """Yield the pages of a list.

    Args:
        connection: Where to ask.
        function: Answers one request for a page that begins at a number.
        zone_of: Tells the zone of an item, for what lies in zones: those of dead ones are left
            out.
        only: The one zone that is wanted, ``""`` = all.

    Raises:
        PartialListError: A zone is dead; all the rest was yielded.
    """
    start: int | None = 0
    place = connection.region_info.region
    zones = connection.world.region(place).zones if zone_of else []
    if only:
        zones = [only]
    lost = [zone for zone in zones if zone in connection.world.config.dead_zones]
    while start is not None:
        items, start = await connection.call(function, start)
        if zone_of is None:
            yield Page(items)
            continue
        for zone, some in groupby(items, zone_of):
            if zone in zones and zone not in lost:
                yield Page(list(some), zone=zone)
    if lost:
        facts = connection.facts(function.__name__)
        raise PartialListError(
            f"no answer from {', '.join(lost)}",
            unreachable=[
                Unreachable(
                    region=place,
                    zone=zone,
                    error=UnavailableError(f"{zone} can't be reached", code="ZoneDown", **facts),
                )
                for zone in lost
            ],
            **facts,
        )
