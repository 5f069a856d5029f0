"""Putting things into an empty account, through the common interface alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

import anyio
from anyio import CapacityLimiter

from asyncspider import (
    CloudConnection,
    ImageInfo,
    ImageReqInfo,
    KeyPairReqInfo,
    NotSupportedError,
    PublicIPReqInfo,
    SecurityReqInfo,
    SecurityRule,
    VMInfo,
    VMReqInfo,
    VNetworkReqInfo,
    VNicReqInfo,
)

_AT_ONCE = 8


async def fill(
    connection: CloudConnection, *, prefix: str, vms: int, image_id: str, spec_id: str
) -> None:
    """Create a network, a security group, a key, NICs, VMs, addresses and an image.

    Every fourth VM is suspended afterwards, so that not all look the same.

    Args:
        connection: Where.
        prefix: First part of all names.
        vms: How many VMs; at least one.
        image_id: What they boot from.
        spec_id: Their instance type.
    """
    network = await connection.create_vnetwork_handler().create_vnetwork(
        VNetworkReqInfo(name=f"{prefix}-net", cidr_block="10.20.0.0/16")
    )
    group = await connection.create_security_handler().create_security(
        SecurityReqInfo(
            name=f"{prefix}-web",
            description="web servers",
            vnetwork_id=network.id,
            rules=[
                SecurityRule(
                    direction="inbound", protocol="tcp", from_port=port, to_port=port, cidr=cidr
                )
                for port, cidr in ((22, "10.20.0.0/16"), (443, "0.0.0.0/0"))
            ],
        )
    )
    key = await connection.create_key_pair_handler().create_key(
        KeyPairReqInfo(name=f"{prefix}-key")
    )
    handler = connection.create_vm_handler()
    made: list[VMInfo] = []

    async def start(index: int) -> None:
        vm = await handler.start_vm(
            VMReqInfo(
                name=f"{prefix}-web-{index:02}",
                image_info=ImageInfo(id=image_id, name=""),
                vnetwork_info=network,
                security_info=group,
                key_pair_info=key,
                spec_id=spec_id,
                tags={"role": "web", "stage": "demo"},
            )
        )
        made.append(vm)
        if index % 4 == 3:
            await handler.suspend_vm(vm.id)

    await _all([lambda index=index: start(index) for index in range(vms)])
    first = made[0]
    addresses = connection.create_public_ip_handler()
    await addresses.create_public_ip(PublicIPReqInfo(name=f"{prefix}-ip", vm_id=first.id))
    await addresses.create_public_ip(PublicIPReqInfo(name=f"{prefix}-spare-ip"))
    with suppress(NotSupportedError):  # some clouds have interfaces only inside of VMs
        await connection.create_vnic_handler().create_vnic(
            VNicReqInfo(
                name=f"{prefix}-nic", subnetwork_id=network.subnets[0].id, security_ids=[group.id]
            )
        )
    await connection.create_image_handler().create_image(
        ImageReqInfo(name=f"{prefix}-golden", vm_id=first.id)
    )


async def _all(jobs: list[Callable[[], Awaitable[None]]]) -> None:
    """Run all jobs, a few at once."""
    limiter = CapacityLimiter(_AT_ONCE)

    async def run(job: Callable[[], Awaitable[None]]) -> None:
        async with limiter:
            await job()

    async with anyio.create_task_group() as group:
        for job in jobs:
            group.start_soon(run, job)
