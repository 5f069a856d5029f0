"""The contract suite on the mock cloud."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from asyncspider import (
    CloudConnection,
    ConnectionInfo,
    CredentialInfo,
    RegionInfo,
    Resource,
    Secret,
)
from asyncspider.testing import DriverContract
from asyncspider_drivers.mock import Clock, MockConnection, World, named_world

TOKEN = "open-sesame-please"


class TestMock(DriverContract):
    driver_name = "mock"
    spec_id = "mock.small"
    unique_names = frozenset(
        {Resource.IMAGE, Resource.VNETWORK, Resource.SECURITY, Resource.KEY_PAIR}
    )
    secret_keys = frozenset({"token"})

    @pytest.fixture
    def world(self) -> Iterator[World]:
        world = World(
            regions=("here", "there", "gone"),
            dead=("gone",),
            vms=25,
            page_size=10,
            clock=Clock(running=False),
            require_token=Secret(TOKEN),
        )
        with named_world("contract", world):
            yield world

    @pytest.fixture
    def connection_info(self, world: World) -> ConnectionInfo:
        return self._info(TOKEN)

    @pytest.fixture
    def bad_connection_info(self, world: World) -> ConnectionInfo:
        return self._info("not-the-right-token")

    @pytest.fixture
    def unreachable_info(self, world: World) -> ConnectionInfo:
        return self._info(TOKEN, "gone")

    def _info(self, token: str, region: str = "here") -> ConnectionInfo:
        return ConnectionInfo(
            credential_info=CredentialInfo(key_values={"world": "contract", "token": token}),
            region_info=RegionInfo(region=region),
        )

    async def image_id(self, connection: CloudConnection) -> str:
        return (await connection.create_image_handler().list_image())[0].id

    async def pass_time(self, connection: CloudConnection) -> None:
        assert isinstance(connection, MockConnection)
        connection.world.advance(0.4)

    async def fill_pages(self, connection: CloudConnection) -> tuple[Resource, int]:
        return Resource.VM, 25
