"""What all resources share: their names, where a thing is, and lists that arrive in pages."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from enum import StrEnum
from typing import Any, Generic, TypeVar

import msgspec

from ..errors import PartialListError

T = TypeVar("T")
ConnectionT = TypeVar("ConnectionT")


class Resource(StrEnum):
    """The seven kinds of things that a cloud is asked for."""

    IMAGE = "image"
    VNETWORK = "vnetwork"
    SECURITY = "security"
    KEY_PAIR = "key_pair"
    VNIC = "vnic"
    PUBLIC_IP = "public_ip"
    VM = "vm"


class RegionInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A place in a cloud."""

    region: str = ""
    """Name of the region, as ``us-east1``; ``""`` = the driver's default or the whole account."""
    zone: str = ""
    """Name of the zone, as ``us-east1-c``; ``""`` = any."""


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One answer's worth of a list: the unit in which everything moves."""

    items: list[T]
    """What the page holds; may be empty."""
    region: str = ""
    """Region of all items in it; ``""`` = the connection's."""
    zone: str = ""
    """Zone of all items in it, ``""`` where the items have none or tell it themselves."""


class Paged(Generic[T]):
    """A list that is read while it is used.

    Iterating yields single items and asks for the next page when the last is used up; `pages`
    yields whole `Page` objects, which is the cheaper way in bulk. Each object can be iterated
    once. When iteration is left early, ``await paged.aclose()`` frees what it holds at once.

    Raises (while iterating):
        PartialListError: Some part could not be read; all the rest was handed out before.
        SpiderError: The list failed.
    """

    __slots__ = ("_items", "_pages", "_source")

    def __init__(self, source: Callable[[], AsyncGenerator[Page[T], None]]) -> None:
        self._source = source
        self._pages: AsyncGenerator[Page[T], None] | None = None
        self._items: AsyncGenerator[T, None] | None = None

    def pages(self) -> AsyncGenerator[Page[T], None]:
        """Return the iterator over whole pages."""
        if self._pages is None:
            self._pages = self._source()
        return self._pages

    def __aiter__(self) -> AsyncIterator[T]:
        if self._items is None:
            self._items = _each(self.pages())
        return self._items

    async def __anext__(self) -> T:
        return await anext(self.__aiter__())

    async def aclose(self) -> None:
        """Stop reading and let go of what the iterator holds. Safe to call more than once."""
        if self._items is not None:
            await self._items.aclose()
        if self._pages is not None:
            await self._pages.aclose()

    async def collect(self) -> list[T]:
        """Read to the end and return all items.

        Raises:
            PartialListError: A part could not be read; its ``items`` hold all the rest.
        """
        items: list[T] = []
        pages = self.pages()
        try:
            async for page in pages:
                items += page.items
        except PartialListError as error:
            error.items = items
            raise
        finally:
            await pages.aclose()
        return items


async def _each(pages: AsyncGenerator[Page[T], None]) -> AsyncGenerator[T, None]:
    # No method: an iteration that is dropped in the middle must not hold itself, or its end
    # would wait for the garbage collector.
    try:
        async for page in pages:
            for item in page.items:
                yield item
    finally:
        await pages.aclose()


class Info(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Base of what handlers return. A field that the cloud left out is empty, never missing."""

    # gc=False: these hold text, numbers and containers of text, never a way back to themselves.


class Handler(Generic[ConnectionT]):
    """Base of the seven handlers: bound to one connection, holds no state of its own."""

    def __init__(self, connection: ConnectionT) -> None:
        self.connection = connection

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.connection!r}>"


HandlerT = TypeVar("HandlerT", bound=Handler[Any])
