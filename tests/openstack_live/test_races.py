"""What real OpenStack does while something else is going on."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import anyio
import anyio.to_thread
import msgspec
import pytest
import pytest_asyncio
from openstack.connection import Connection

from asyncspider import (
    ConflictError,
    DeadlineExceededError,
    ImageInfo,
    ImageReqInfo,
    InvalidRequestError,
    NotFoundError,
    PublicIPReqInfo,
    VMInfo,
    VMReqInfo,
    VMStatus,
    VNetworkInfo,
    VNetworkReqInfo,
    connect,
    load_driver,
    wait_for_vm,
)
from asyncspider_drivers.openstack.connection import OpenStackConnection
from asyncspider_drivers.openstack.vm import PORT_MARK
from tests.openstack_sandbox.layout import Layout

from .conftest import info

NAME = "race"
Sdk = Callable[..., Connection]
Start = Callable[..., Any]


async def until(look: Callable[[], Awaitable[bool]]) -> None:
    """Look until it is so."""
    with anyio.fail_after(60):
        while True:
            if await look():
                return
            await anyio.sleep(0.2)


@pytest_asyncio.fixture
async def start(ours: OpenStackConnection) -> AsyncGenerator[Start, None]:
    """Return what starts a VM without a network; all are deleted after the test."""
    handler = ours.create_vm_handler()
    images = await ours.create_image_handler().list_image()
    image = next(image for image in images if image.name == "cirros")
    made: list[str] = []

    async def start(wait: bool = True, **changes: Any) -> VMInfo:
        request = {"name": NAME, "image_info": ImageInfo(id=image.id), "spec_id": "1", **changes}
        vm = await handler.start_vm(VMReqInfo(**request))
        made.append(vm.id)
        if wait:
            await wait_for_vm(handler, vm.id, deadline=60)
        return vm

    yield start
    for id in made:
        with suppress(NotFoundError):
            await handler.terminate_vm(id)
    for id in made:

        async def gone(id: str = id) -> bool:
            return all(vm.id != id for vm in await handler.list_vm_status())

        await until(gone)


@pytest_asyncio.fixture
async def network(ours: OpenStackConnection) -> AsyncGenerator[VNetworkInfo, None]:
    """A network with a router, deleted after the test: ask for it before `start`."""
    handler = ours.create_vnetwork_handler()
    made = await handler.create_vnetwork(VNetworkReqInfo(name=NAME, cidr_block="10.66.0.0/24"))
    yield made
    with anyio.fail_after(60):
        while True:
            try:
                await handler.delete_vnetwork(made.id)
                return
            except ConflictError:
                await anyio.sleep(0.3)


async def test_an_action_waits_for_the_one_before(ours: OpenStackConnection, start: Start) -> None:
    """Nova answers 409 to the stop while it reboots, and to the start while it stops."""
    handler = ours.create_vm_handler()
    vm = await start(tags={"sandbox_slow": "1"})
    assert await handler.reboot_vm(vm.id) is VMStatus.REBOOTING
    assert await handler.suspend_vm(vm.id) in (VMStatus.SUSPENDING, VMStatus.SUSPENDED)
    assert await handler.resume_vm(vm.id) in (VMStatus.PENDING, VMStatus.RUNNING)
    await wait_for_vm(handler, vm.id, deadline=60)


async def test_what_its_state_forbids_is_not_waited_for(
    ours: OpenStackConnection, start: Start
) -> None:
    handler = ours.create_vm_handler()
    vm = await start()
    with pytest.raises(ConflictError) as caught:
        await handler.resume_vm(vm.id)
    assert (caught.value.code, caught.value.status) == ("conflictingRequest", 409)
    assert caught.value.request_id.startswith("req-")


async def test_a_busy_vm_has_a_deadline(
    sandbox: Layout, ours: OpenStackConnection, start: Start
) -> None:
    vm = await start(tags={"sandbox_slow": "3"})
    hurried = msgspec.structs.replace(info(sandbox), request_timeout=1.5)
    async with load_driver("openstack").connect_cloud(hurried) as connection:
        handler = connection.create_vm_handler()
        await handler.reboot_vm(vm.id)
        with pytest.raises(DeadlineExceededError, match=vm.id):
            await handler.suspend_vm(vm.id)
    await wait_for_vm(ours.create_vm_handler(), vm.id, deadline=60)


@pytest.mark.parametrize(
    ("action", "native"),
    [
        ("suspend_server", "SUSPENDED"),
        ("pause_server", "PAUSED"),
        ("shelve_server", "SHELVED_OFFLOADED"),
    ],
)
async def test_resume_from_every_rest(
    ours: OpenStackConnection, start: Start, sdk: Sdk, action: str, native: str
) -> None:
    handler = ours.create_vm_handler()
    vm = await start()
    await anyio.to_thread.run_sync(getattr(sdk().compute, action), vm.id)

    async def resting() -> bool:
        return (await handler.get_vm(vm.id)).native_status == native

    await until(resting)
    assert (await handler.get_vm(vm.id)).status is VMStatus.SUSPENDED
    assert await handler.resume_vm(vm.id) in (VMStatus.PENDING, VMStatus.RUNNING)
    await wait_for_vm(handler, vm.id, deadline=60)


async def test_a_failed_spawn_tells_why(ours: OpenStackConnection, start: Start) -> None:
    handler = ours.create_vm_handler()
    vm = await start(wait=False, tags={"sandbox_fail": "spawn"})
    with pytest.raises(ConflictError, match="FAILED"):
        await wait_for_vm(handler, vm.id, deadline=60)
    found = await handler.get_vm(vm.id)
    assert (found.status, found.native_status) == (VMStatus.FAILED, "ERROR")
    assert "its metadata asked for it" in found.additional_info


async def test_no_valid_host(ours: OpenStackConnection, start: Start, sdk: Sdk) -> None:
    compute = sdk("sandbox-admin").compute
    flavor: Any = await anyio.to_thread.run_sync(
        lambda: compute.create_flavor(name="huge", ram=10**7, vcpus=1, disk=1)
    )
    try:
        vm = await start(wait=False, spec_id="huge")  # by its name
        with pytest.raises(ConflictError, match="FAILED"):
            await wait_for_vm(ours.create_vm_handler(), vm.id, deadline=60)
        found = await ours.create_vm_handler().get_vm(vm.id)
        assert "No valid host" in found.additional_info
        assert found.spec_id == flavor.id
    finally:
        await anyio.to_thread.run_sync(compute.delete_flavor, flavor)


async def test_a_floating_address_is_seen_at_once(
    ours: OpenStackConnection, network: VNetworkInfo, start: Start
) -> None:
    """Nova itself shows it about two seconds later."""
    handler, addresses = ours.create_vm_handler(), ours.create_public_ip_handler()
    vm = await start(vnetwork_info=network)
    made = await addresses.create_public_ip(PublicIPReqInfo(name=NAME, vm_id=vm.id))
    try:
        assert (await handler.get_vm(vm.id)).public_ip == made.public_ip
        listed = {each.id: each for each in await handler.list_vm()}
        assert listed[vm.id].public_ip == made.public_ip
        assert made.vm_id == vm.id
    finally:
        assert await addresses.delete_public_ip(made.id) is True


async def test_a_vm_with_an_address_from_the_start(
    ours: OpenStackConnection, network: VNetworkInfo, start: Start
) -> None:
    """A port is made for it, which goes with it."""
    handler, addresses = ours.create_vm_handler(), ours.create_public_ip_handler()
    address = await addresses.create_public_ip(PublicIPReqInfo(name=NAME))
    try:
        vm = await start(
            vnetwork_info=network,
            subnetwork_id=network.subnets[0].id,
            public_ip_info=address,
            user_data="#!/bin/sh\ntrue\n",
        )
        assert vm.guest_user_pwd
        found = await handler.get_vm(vm.id)
        assert found.public_ip == address.public_ip
        assert found.subnetwork_id == network.subnets[0].id
        [port] = await ours.ports(device_id=vm.id)
        assert port.description == PORT_MARK
        assert await handler.terminate_vm(vm.id) is VMStatus.TERMINATED
        assert await ours.ports(network_id=network.id, device_owner="compute:nova") == []
    finally:
        await addresses.delete_public_ip(address.id)


async def test_a_subnet_of_another_network(
    ours: OpenStackConnection, network: VNetworkInfo, start: Start
) -> None:
    public = next(
        each
        for each in await ours.create_vnetwork_handler().list_vnetwork()
        if each.id != network.id
    )
    with pytest.raises(InvalidRequestError, match="is not of network"):
        await start(vnetwork_info=network, subnetwork_id=public.subnets[0].id)


async def test_an_image_of_a_busy_vm(ours: OpenStackConnection, start: Start) -> None:
    handler, images = ours.create_vm_handler(), ours.create_image_handler()
    vm = await start(tags={"sandbox_slow": "1"})
    await handler.reboot_vm(vm.id)
    made = await images.create_image(ImageReqInfo(name=NAME, vm_id=vm.id, description="why"))
    assert made.status in ("queued", "saving", "active")

    async def active() -> bool:
        return (await images.get_image(made.id)).status == "active"

    await until(active)
    assert await images.delete_image(made.id) is True


async def test_an_old_nova_tells_no_image_id(
    sandbox: Layout, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm = await start()
    for name, value in {
        "OS_AUTH_URL": sandbox.auth_url,
        "OS_USERNAME": "demo",
        "OS_PASSWORD": sandbox.password,
        "OS_PROJECT_NAME": "demo",
        "OS_USER_DOMAIN_ID": "default",
        "OS_PROJECT_DOMAIN_ID": "default",
        "OS_REGION_NAME": "RegionOne",
        "OS_COMPUTE_DEFAULT_MICROVERSION": "2.1",
    }.items():
        monkeypatch.setenv(name, value)
    async with connect("openstack") as old:
        images = old.create_image_handler()
        made = await images.create_image(ImageReqInfo(name=NAME, vm_id=vm.id))
        assert made.name == NAME
        assert await images.delete_image(made.id) is True
