"""Entry to the mock cloud."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from msgspec.structs import replace

import asyncspider
from asyncspider import (
    CloudDriver,
    ConnectionInfo,
    CredentialInfo,
    InvalidRequestError,
    RegionInfo,
)

from .connection import MockConnection
from .world import World, world_of


class MockDriver(CloudDriver):
    """Driver of clouds that exist in memory only.

    Args:
        world: The cloud that every connection reaches; None = the one that the credential keys
            name or describe, the same one for the same keys.
    """

    name: ClassVar[str] = "mock"
    credential_keys: ClassVar[Mapping[str, str]] = {
        "token": "what the caller proves itself with, where the world requires one",
        "world": "name of a world that named_world holds; excludes all keys below",
        "account": "which of the accounts; each is a world of its own",
        "accounts": "names of the accounts that the credentials reach, comma-separated",
        "seed": "a number: another one gives another world",
        "regions": "how many regions there are, or their names, comma-separated",
        "zones": "zones in each region",
        "vms": "VMs in each region to begin with",
        "latency": "seconds that each request takes",
        "page_size": "most items in one answer",
        "transition": "seconds that a VM takes to start, stop, reboot or end",
        "max_vms": "quota of VMs in each region",
        "rate": "requests a second before a region throttles",
        "burst": "requests at once before a region throttles",
        "faults": "probability of a 503, or operation=probability pairs, comma-separated",
        "denied": "regions that the account may not use, comma-separated",
        "not_enabled": "regions that are not switched on, comma-separated",
        "dead": "regions that can't be reached, comma-separated",
        "hung": "regions that never answer, comma-separated",
        "dead_zones": "zones that can't be reached, comma-separated",
        "require_token": "the token that every caller must have",
    }
    connection_class = MockConnection

    def __init__(self, world: World | None = None) -> None:
        self._world = world

    def get_driver_version(self) -> str:
        """Return the package's version."""
        return asyncspider.__version__

    def check_credential(self, credential_info: CredentialInfo) -> None:
        """Check the keys, and that they describe a world.

        Raises:
            InvalidRequestError: A key is unknown, or its value none for it; the key is named.
        """
        super().check_credential(credential_info)
        self._world_of(credential_info)

    def _world_of(self, credential_info: CredentialInfo) -> World:
        values = {k: v for k, v in credential_info.key_values.items() if k != "token"}
        if self._world is None:
            return world_of(values)
        if values:
            key = min(values)
            raise InvalidRequestError(f"credential key {key!r}: this driver has its world already")
        return self._world

    async def _connect(self, connection_info: ConnectionInfo) -> MockConnection:
        if connection_info.endpoint_url is not None:
            raise InvalidRequestError(
                "the mock cloud is in memory: it has no endpoint_url", driver=self.name
            )
        return MockConnection(connection_info, self._world_of(connection_info.credential_info))

    async def list_regions(self, connection_info: ConnectionInfo) -> list[RegionInfo]:
        """List the regions that are enabled, the denied, dead and hung ones too.

        Raises:
            AuthenticationError: The token is wrong.
        """
        async with await self._connect(connection_info) as connection:
            return await connection.list_regions()

    async def list_accounts(self, connection_info: ConnectionInfo) -> list[str]:
        """List the accounts that the world was made with."""
        async with await self._connect(connection_info) as connection:
            return await connection.list_accounts()

    def for_account(self, connection_info: ConnectionInfo, account: str) -> ConnectionInfo:
        """Return `connection_info` with the credential key ``account`` set."""
        values = {**connection_info.credential_info.key_values, "account": account}
        return replace(connection_info, credential_info=CredentialInfo(key_values=values))
