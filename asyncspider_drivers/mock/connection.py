"""A connection to one region of a mock cloud."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any, ClassVar, Concatenate, ParamSpec, TypeVar

from asyncspider import (
    CloudConnection,
    ConnectionInfo,
    Handler,
    NotSupportedError,
    RegionInfo,
    Resource,
    SpiderError,
)

from .image import MockImageHandler
from .key_pair import MockKeyPairHandler
from .public_ip import MockPublicIPHandler
from .region import Region
from .security import MockSecurityHandler
from .vm import MockVMHandler
from .vnetwork import MockVNetworkHandler
from .vnic import MockVNicHandler
from .world import World

P = ParamSpec("P")
R = TypeVar("R")


class MockConnection(CloudConnection):
    """A connection to one region of a mock cloud; made by `MockDriver`."""

    driver_name: ClassVar[str] = "mock"
    handlers: ClassVar[Mapping[Resource, type[Handler[Any]]]] = {
        Resource.IMAGE: MockImageHandler,
        Resource.VNETWORK: MockVNetworkHandler,
        Resource.SECURITY: MockSecurityHandler,
        Resource.KEY_PAIR: MockKeyPairHandler,
        Resource.VNIC: MockVNicHandler,
        Resource.PUBLIC_IP: MockPublicIPHandler,
        Resource.VM: MockVMHandler,
    }

    def __init__(self, connection_info: ConnectionInfo, world: World) -> None:
        super().__init__(connection_info)
        self.world = world
        place = connection_info.region_info
        region = world.region(place.region or world.regions[0])
        region.check_zone(place.zone)
        self.region_info = RegionInfo(region=region.name, zone=place.zone)
        self._token = connection_info.credential_info.key_values.get("token", "")

    async def call(
        self,
        function: Callable[Concatenate[Region, P], R],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Make one request: the world treats it, the function answers it from the region.

        Args:
            function: Its name is the operation's.
            args: More arguments for it.
            kwargs: More of them.

        Raises:
            SpiderError: As the function and the world raise.
        """
        operation = function.__name__.strip("_")

        async def send() -> R:
            try:
                return await self.world.answer(
                    operation,
                    self.region_info.region,
                    self._token,
                    lambda region: function(region, *args, **kwargs),
                )
            except SpiderError as error:
                error.driver, error.region = self.driver_name, self.region_info.region
                error.operation = operation
                raise

        # A world that answers 503 has done nothing, so everything may be sent again.
        return await self.perform(operation, send)

    async def list_regions(self) -> list[RegionInfo]:
        """List the regions that are enabled."""
        await self._ask_world("list_regions")
        off = self.world.config.not_enabled
        return [
            RegionInfo(region=name)
            for name in self.world.regions
            if not any(fnmatchcase(name, pattern) for pattern in off)
        ]

    async def list_accounts(self) -> list[str]:
        """List the accounts that the world was made with."""
        await self._ask_world("list_accounts")
        return list(self.world.config.accounts)

    async def _ask_world(self, operation: str) -> None:
        async def send() -> None:
            try:
                await self.world.answer(operation, "", self._token)
            except SpiderError as error:
                error.driver, error.operation = self.driver_name, operation
                raise

        await self.perform(operation, send)

    async def _ping(self) -> None:
        await self.call(ping)

    async def _release(self) -> None:
        pass  # there is nothing to let go of

    async def native_client(self, *args: Any, **kwargs: Any) -> Any:
        """Raise: a cloud in memory has no other client.

        Raises:
            NotSupportedError: Always.
        """
        raise NotSupportedError("the mock cloud has no client of its own", driver="mock")


def ping(region: Region) -> None:
    """Answer that the region is there."""
