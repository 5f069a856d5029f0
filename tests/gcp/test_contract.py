"""The contract suite on the emulator."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import ClassVar

import pytest

from asyncspider import (
    CloudConnection,
    ConnectionInfo,
    CredentialInfo,
    RegionInfo,
    Resource,
)
from asyncspider.testing import DriverContract
from asyncspider_drivers.gcp.emulator import World, seed_instances


def info(address: str, token: str = "good-token", **region: str) -> ConnectionInfo:
    return ConnectionInfo(
        credential_info=CredentialInfo(key_values={"project_id": "demo", "access_token": token}),
        region_info=RegionInfo(**region),
        endpoint_url=address,
    )


class GcpContract(DriverContract):
    driver_name = "gcp"
    spec_id = "e2-small"
    not_creatable = frozenset({Resource.VNIC})
    refuses_delete_in_use = frozenset({Resource.VNETWORK, Resource.SECURITY})
    unique_names = frozenset(
        {
            Resource.IMAGE,
            Resource.VNETWORK,
            Resource.SECURITY,
            Resource.KEY_PAIR,
            Resource.PUBLIC_IP,
        }
    )
    missing_ids: ClassVar[Mapping[Resource, str]] = {
        Resource.IMAGE: "no-such-image",
        Resource.VNETWORK: "no-such-network",
        Resource.SECURITY: "default/no-such-tag",
        Resource.KEY_PAIR: "no-such-key",
        Resource.VNIC: "us-central1-a/no-such-vm/nic0",
        Resource.PUBLIC_IP: "us-central1/no-such-address",
        Resource.VM: "us-central1-a/no-such-vm",
    }
    secret_keys = frozenset({"access_token", "credentials_json"})

    @pytest.fixture
    def connection_info(self, address: str, world: World) -> ConnectionInfo:
        world.tokens = {"good-token": time.time() + 3600}
        self.world = world
        return info(address, region="us-central1", zone="us-central1-a")

    @pytest.fixture
    def bad_connection_info(self, address: str, connection_info: ConnectionInfo) -> ConnectionInfo:
        return info(address, "bad-token", region="us-central1")

    async def image_id(self, connection: CloudConnection) -> str:
        return "debian-cloud/debian-12-bookworm-v20260910"

    async def fill_pages(self, connection: CloudConnection) -> tuple[Resource, int]:
        seed_instances(self.world.projects["demo"], 1100, ["us-central1-a"])
        return Resource.VM, 1100


class TestZone(GcpContract):
    """A connection to one zone."""


class TestRegion(GcpContract):
    """A connection to one region."""

    @pytest.fixture
    def connection_info(self, address: str, world: World) -> ConnectionInfo:
        world.tokens = {"good-token": time.time() + 3600}
        self.world = world
        return info(address, region="us-central1")

    async def fill_pages(self, connection: CloudConnection) -> tuple[Resource, int]:
        zones = ["us-central1-a", "us-central1-b"]
        seed_instances(self.world.projects["demo"], 1100, zones)
        return Resource.VM, 1100


class TestProject(GcpContract):
    """A connection to the whole project: lists go by zone once there is a second page."""

    @pytest.fixture
    def connection_info(
        self, address: str, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> ConnectionInfo:
        world.tokens = {"good-token": time.time() + 3600}
        self.world = world
        monkeypatch.setenv("CLOUDSDK_COMPUTE_ZONE", "us-central1-a")
        return info(address)

    async def fill_pages(self, connection: CloudConnection) -> tuple[Resource, int]:
        seed_instances(self.world.projects["demo"], 1100)
        return Resource.VM, 1100
