"""The contract suite on the real control plane."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar
from uuid import UUID

import anyio
import pytest

from asyncspider import CloudConnection, ConnectionInfo, KeyPairReqInfo, Resource
from asyncspider.testing import DriverContract
from asyncspider_drivers.openstack.connection import OpenStackConnection
from tests.openstack_sandbox.layout import Layout

from .conftest import info

NOWHERE = str(UUID(int=0))


class TestOpenStack(DriverContract):
    driver_name = "openstack"
    spec_id = "1"
    missing_ids: ClassVar[Mapping[Resource, str]] = dict.fromkeys(Resource, NOWHERE)
    unique_names = frozenset({Resource.KEY_PAIR})
    has_idempotency = False
    secret_keys = frozenset({"password"})
    incomplete_credential = ({"username": "demo"}, "password")
    patience = 300

    @pytest.fixture
    def connection_info(self, sandbox: Layout) -> ConnectionInfo:
        return info(sandbox)

    @pytest.fixture
    def bad_connection_info(self, sandbox: Layout) -> ConnectionInfo:
        return info(sandbox, password="wr0ng-p4ssw0rd")

    async def image_id(self, connection: CloudConnection) -> str:
        images = await connection.create_image_handler().list_image()
        return next(image.id for image in images if image.name == "cirros")

    async def pass_time(self, connection: CloudConnection) -> None:
        await anyio.sleep(0.15)

    async def fill_pages(self, connection: CloudConnection) -> tuple[Resource, int]:
        assert isinstance(connection, OpenStackConnection)
        connection.page_size = 2
        handler = connection.create_key_pair_handler()
        have = {key.name for key in await handler.list_key()}
        for number in range(5):
            if f"page-{number}" not in have:
                await handler.create_key(
                    KeyPairReqInfo(name=f"page-{number}", public_key=PUBLIC_KEY)
                )
        return Resource.KEY_PAIR, 5


PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ7QPPHkLV1cKj1Ff2yGxUj7WsgoWtO6nYBgR9bkqBpE page"
