"""Lists over zones or regions: one request where that is enough, many side by side where not.

An aggregated list covers a whole project, but its pages are one long chain. So its first page
is all there is to it for a small project; for a larger one, every zone is read by itself.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from asyncspider import (
    DeadlineExceededError,
    NotFoundError,
    Page,
    PartialListError,
    ProtocolError,
    SpiderError,
    ThrottledError,
    UnavailableError,
    Unreachable,
)
from asyncspider.resources.merge import merge_pages

from . import wire
from .mapping import Scope, scope_of
from .names import last

if TYPE_CHECKING:
    from .connection import GcpConnection

T = TypeVar("T")
Convert = Callable[[list[Any], Scope], list[T]]

_SCOPES_AT_ONCE = 32
LOCAL = (UnavailableError, DeadlineExceededError, ThrottledError)
"""What one zone's trouble looks like. Anything else would befall all of them."""
_EMPTY = "NO_RESULTS_ON_PAGE"


class Parts:
    """What of a list could not be read."""

    def __init__(self, connection: GcpConnection, operation: str) -> None:
        self.connection = connection
        self.operation = operation
        self.unreachable: list[Unreachable] = []

    def note(self, scope: str, message: str, code: str = "UNREACHABLE") -> None:
        """Note what Google says of a scope."""
        self.add(
            scope,
            UnavailableError(
                f"Google could not read {scope}: {message or 'it gives no reason'}",
                code=code,
                **self.connection.facts(self.operation),
            ),
        )

    def add(self, scope: str, error: SpiderError) -> None:
        """Note a scope's error, the first of each."""
        place = scope_of(scope)
        if not any(
            (one.region, one.zone) == (place.region, place.zone) for one in self.unreachable
        ):
            self.unreachable.append(Unreachable(region=place.region, zone=place.zone, error=error))

    def check(self) -> None:
        """Raise when anything is missing.

        Raises:
            PartialListError: It is.
        """
        if self.unreachable:
            places = ", ".join(part.zone or part.region for part in self.unreachable)
            raise PartialListError(
                f"could not read {places}",
                unreachable=self.unreachable,
                **self.connection.facts(self.operation),
            )


async def pages_in(
    connection: GcpConnection, path: str, item: Any, operation: str, **params: str
) -> AsyncGenerator[list[Any], None]:
    """Yield the pages of a list in one scope, to the last.

    Args:
        connection: Where to ask.
        path: Path below the project, as ``zones/us-east1-b/instances``; or ``projects/...``.
        item: Wire struct of one item.
        operation: Name of the call.
        params: More query parameters.

    Raises:
        ProtocolError: Google gives the same page again and again.
    """
    token = ""
    while True:
        more = {"pageToken": token} if token else {}
        answer = await connection.read(wire.Listed[item], path, operation, **params, **more)
        yield answer.items
        if not answer.next_page_token:
            return
        if answer.next_page_token == token:
            raise ProtocolError(
                "the list does not end: Google gave the same page token twice",
                **connection.facts(operation),
            )
        token = answer.next_page_token


async def all_in(
    connection: GcpConnection, path: str, item: Any, operation: str, **params: str
) -> list[Any]:
    """Return the items of a list in one scope."""
    return [
        one async for page in pages_in(connection, path, item, operation, **params) for one in page
    ]


async def pages_of(
    connection: GcpConnection,
    collection: str,
    scoped: Any,
    item: Any,
    convert: Convert[T],
    parts: Parts | None = None,
) -> AsyncGenerator[Page[T], None]:
    """Yield the pages of a list over all zones or regions of the connection.

    Args:
        connection: Where to ask; its region and zone say how much.
        collection: ``instances``, ``addresses`` or ``subnetworks``.
        scoped: Wire struct of one scope's part of the aggregated list.
        item: Wire struct of one item.
        convert: Makes what is handed out of the items of one scope.
        parts: Where to note what could not be read; None = raise at the end.

    Raises:
        PartialListError: A zone or region could not be read; all the rest was handed out.
    """
    missing = parts or Parts(connection, f"{collection}.list")
    zonal = collection == "instances"
    place = connection.region_info
    if place.region and (place.zone or not zonal):
        scope = f"zones/{place.zone}" if zonal else f"regions/{place.region}"
        chain = _scope(connection, scope, collection, item, convert)
    elif place.region:
        zones = [f"zones/{zone}" for zone in await connection.zones_of(place.region)]
        chain = _side_by_side(connection, zones, collection, item, convert, missing)
    else:
        chain = pages_everywhere(connection, collection, scoped, item, convert, missing)
    try:
        async for page in chain:
            yield page
    finally:
        await chain.aclose()
    if parts is None:
        missing.check()


async def _scope(
    connection: GcpConnection, scope: str, collection: str, item: Any, convert: Convert[T]
) -> AsyncGenerator[Page[T], None]:
    place = scope_of(scope)
    operation = f"{'globalAddresses' if scope == 'global' else collection}.list"
    pages = pages_in(connection, f"{scope}/{collection}", item, operation)
    try:
        async for items in pages:
            if items:
                yield Page(convert(items, place), place.region, place.zone)
    finally:
        await pages.aclose()


async def _side_by_side(
    connection: GcpConnection,
    scopes: Iterable[str],
    collection: str,
    item: Any,
    convert: Convert[T],
    missing: Parts,
) -> AsyncGenerator[Page[T], None]:
    """Yield the pages of several scopes as they come; one that fails does not stop the rest."""
    wanted = list(scopes)

    def source(scope: str) -> Callable[[], AsyncGenerator[Page[T], None]]:
        async def read() -> AsyncGenerator[Page[T], None]:
            pages = _scope(connection, scope, collection, item, convert)
            try:
                async for page in pages:
                    yield page
            except LOCAL as error:
                missing.add(scope, error)
            finally:
                await pages.aclose()

        return read

    merged = merge_pages(map(source, wanted), at_once=_SCOPES_AT_ONCE)
    try:
        async for page in merged:
            yield page
    finally:
        await merged.aclose()
    if wanted and len(missing.unreachable) == len(wanted):
        raise missing.unreachable[0].error  # not a part is missing but everything


async def pages_everywhere(
    connection: GcpConnection,
    collection: str,
    scoped: Any,
    item: Any,
    convert: Convert[T],
    missing: Parts,
) -> AsyncGenerator[Page[T], None]:
    """Yield the pages of a list over the whole project, wherever the connection is.

    See `pages_of`; what could not be read is only noted.
    """
    answer = await connection.read(
        wire.Aggregated[scoped],
        f"aggregated/{collection}",
        f"{collection}.aggregatedList",
        returnPartialSuccess="true",
    )
    dead = _unreachable(answer, collection)
    for scope, message in dead.items():
        missing.note(scope, message)
    if not answer.next_page_token:
        for scope, part in answer.items.items():
            items = getattr(part, collection)
            if items:
                place = scope_of(scope)
                yield Page(convert(items, place), place.region, place.zone)
        return
    seen = [scope for scope in answer.items if scope not in dead]
    del answer  # what it held is read again, zone by zone
    if collection == "instances":
        names = [f"zones/{zone.name}" for zone in await connection.zones()]
    else:
        names = [f"regions/{region.name}" for region in await connection.regions()]
    # The first page names every scope, "global" too; a new one may be in neither list alone.
    scopes = [scope for scope in dict.fromkeys((*seen, *names)) if scope not in dead]
    rest = _side_by_side(connection, scopes, collection, item, convert, missing)
    try:
        async for page in rest:
            yield page
    finally:
        await rest.aclose()


async def all_everywhere(
    connection: GcpConnection, collection: str, scoped: Any, item: Any
) -> list[tuple[str, Any]]:
    """Return (zone or region, item) of a whole project, wherever the connection is.

    Raises:
        PartialListError: A part could not be read.
    """
    missing = Parts(connection, f"{collection}.list")
    pages = pages_everywhere(
        connection,
        collection,
        scoped,
        item,
        lambda items, scope: [(scope.zone or scope.region, one) for one in items],
        missing,
    )
    try:
        found = [one async for page in pages for one in page.items]
    finally:
        await pages.aclose()
    missing.check()
    return found


def _unreachable(answer: wire.Aggregated[Any], collection: str) -> dict[str, str]:
    """Return the scopes that an aggregated list could not read, with Google's words."""
    dead: dict[str, str] = {}
    for scope, part in answer.items.items():
        warning = part.warning
        if warning is not None and warning.code != _EMPTY and not getattr(part, collection):
            dead[scope] = warning.message or warning.code
    level = "zones" if collection == "instances" else "regions"
    for path in answer.unreachables:
        name = last(path)
        dead.setdefault(name if name == "global" else f"{level}/{name}", "")
    return dead


def check_in_scope(connection: GcpConnection, what: str, id: str, region: str, zone: str) -> None:
    """Check that a thing is where the connection looks.

    Raises:
        NotFoundError: It is elsewhere.
    """
    place = connection.region_info
    if (place.region and region != place.region) or (place.zone and zone and zone != place.zone):
        where = place.zone or place.region
        raise NotFoundError(
            f"there is no {what} {id!r} in {where}", **connection.facts(f"{what}.get")
        )
