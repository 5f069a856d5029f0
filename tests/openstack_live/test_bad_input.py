"""What a real OpenStack refuses, as typed errors in words that say what to do."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import anyio.to_thread
import pytest
import pytest_asyncio

from asyncspider import (
    CloudConnection,
    ConflictError,
    ImageInfo,
    InvalidRequestError,
    KeyPairReqInfo,
    NotFoundError,
    PermissionDeniedError,
    PublicIPReqInfo,
    QuotaExceededError,
    Resource,
    SecurityReqInfo,
    SecurityRule,
    VMReqInfo,
    VNetworkReqInfo,
    VNicReqInfo,
    connect,
)
from asyncspider_drivers.openstack.connection import OpenStackConnection

from .test_contract import NOWHERE, PUBLIC_KEY


@pytest_asyncio.fixture
async def poor() -> AsyncGenerator[CloudConnection, None]:
    """A project that may have nothing."""
    async with connect("openstack", credential={"cloud": "sandbox-limited"}) as made:
        yield made


async def image_id(connection: CloudConnection) -> str:
    images = await connection.create_image_handler().list_image()
    return next(image.id for image in images if image.name == "cirros")


def explains(error: QuotaExceededError, code: str, status: int) -> None:
    assert (error.code, error.status) == (code, status)
    assert error.request_id.startswith("req-")
    assert "ask the cloud's administrator" in error.message
    assert not error.retryable


async def test_quotas(poor: CloudConnection) -> None:
    with pytest.raises(QuotaExceededError) as caught:
        await poor.create_key_pair_handler().create_key(
            KeyPairReqInfo(name="x", public_key=PUBLIC_KEY)
        )
    explains(caught.value, "forbidden", 403)
    image = ImageInfo(id=await image_id(poor))
    request = VMReqInfo(name="x", image_info=image, spec_id="m1.tiny")
    with pytest.raises(QuotaExceededError) as caught:
        await poor.create_vm_handler().start_vm(request)
    explains(caught.value, "forbidden", 403)
    with pytest.raises(QuotaExceededError) as caught:
        await poor.create_public_ip_handler().create_public_ip(PublicIPReqInfo(name="x"))
    explains(caught.value, "OverQuota", 409)
    with pytest.raises(QuotaExceededError) as caught:
        await poor.create_vnetwork_handler().create_vnetwork(VNetworkReqInfo(name="x"))
    explains(caught.value, "OverQuota", 409)


async def test_what_only_an_administrator_may() -> None:
    credential = {"cloud": "sandbox", "all_projects": "true"}
    async with connect("openstack", region="RegionOne", credential=credential) as connection:
        with pytest.raises(PermissionDeniedError, match="role") as caught:
            await connection.create_vm_handler().list_vm()
    assert caught.value.status == 403


async def test_somebody_elses_image_is_not_deleted(ours: OpenStackConnection) -> None:
    with pytest.raises(PermissionDeniedError):
        await ours.create_image_handler().delete_image(await image_id(ours))


async def test_a_group_whose_rule_is_refused_is_removed_again(ours: OpenStackConnection) -> None:
    handler = ours.create_security_handler()
    rules = [
        SecurityRule(direction="inbound", protocol="tcp", from_port=22, to_port=22),
        SecurityRule(direction="inbound", protocol="tcp", from_port=99, to_port=11),
    ]
    with pytest.raises(InvalidRequestError) as caught:
        await handler.create_security(SecurityReqInfo(name="refused", rules=rules))
    assert caught.value.code == "SecurityGroupInvalidPortRange"
    same = [SecurityRule(direction="inbound", protocol="tcp", from_port=22, to_port=22)] * 2
    with pytest.raises((ConflictError, InvalidRequestError)):
        await handler.create_security(SecurityReqInfo(name="refused", rules=same))
    group = SecurityRule(direction="inbound", protocol="all", group=NOWHERE)
    with pytest.raises(NotFoundError):
        await handler.create_security(SecurityReqInfo(name="refused", rules=[group]))
    assert "refused" not in {group.name for group in await handler.list_security()}


async def test_a_network_that_is_refused_is_removed_again(ours: OpenStackConnection) -> None:
    """A block that an overlapping route can't be made for: the router is removed, too."""
    handler = ours.create_vnetwork_handler()
    with pytest.raises(InvalidRequestError):
        await handler.create_vnetwork(VNetworkReqInfo(name="refused", cidr_block="10.1.0.0/33"))
    with pytest.raises(InvalidRequestError) as caught:  # the gateway's network itself
        await handler.create_vnetwork(VNetworkReqInfo(name="refused", cidr_block="172.24.0.0/24"))
    assert caught.value.driver == "openstack"
    assert "refused" not in {network.name for network in await handler.list_vnetwork()}
    native = await ours.native_client()
    routers = await anyio.to_thread.run_sync(lambda: list(native.network.routers()))
    assert "refused" not in {router.name for router in routers}


async def test_a_key_that_is_none(ours: OpenStackConnection) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        await ours.create_key_pair_handler().create_key(
            KeyPairReqInfo(name="bad", public_key="no key at all")
        )
    assert caught.value.status == 400


async def test_interfaces_of_what_is_not_there(ours: OpenStackConnection) -> None:
    handler = ours.create_vnic_handler()
    with pytest.raises(NotFoundError):
        await handler.create_vnic(VNicReqInfo(name="x", subnetwork_id=NOWHERE))
    with pytest.raises(InvalidRequestError, match="name a subnet"):
        await handler.create_vnic(VNicReqInfo(name="x"))


@pytest.mark.parametrize("resource", list(Resource))
@pytest.mark.parametrize("id", ["", "no such/thing?x=1#y", "ü" * 300, "%2e%2e"])
async def test_odd_ids(ours: OpenStackConnection, resource: Resource, id: str) -> None:
    with pytest.raises((NotFoundError, InvalidRequestError)) as caught:
        await ours.get(resource, id)
    assert caught.value.driver == "openstack"
