"""Our lists against Google's own client on the same server, field by field."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from google.cloud import compute_v1

from asyncspider import (
    ImageInfo,
    KeyPairInfo,
    PublicIPInfo,
    Resource,
    SecurityInfo,
    SecurityRule,
    SubnetInfo,
    VMInfo,
    VMStatus,
    VMStatusInfo,
    VNetworkInfo,
    VNicInfo,
    connect,
)
from asyncspider.resources import RegionInfo
from asyncspider_drivers.gcp.connection import GcpConnection
from asyncspider_drivers.gcp.emulator import World, seed_instances

from .official import Official, boot_disk, in_thread, machine

P, Z, R = "demo", "us-central1-a", "us-central1"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ6Z8sBqYzU0YCJvL6uG0w3VdqL9y1gkU2jFq2cQn1bT"

# As the lifecycle page of the reference has them; written down a second time on purpose.
STATUS = {
    "PROVISIONING": VMStatus.PENDING,
    "STAGING": VMStatus.PENDING,
    "RUNNING": VMStatus.RUNNING,
    "STOPPING": VMStatus.SUSPENDING,
    "SUSPENDING": VMStatus.SUSPENDING,
    "SUSPENDED": VMStatus.SUSPENDED,
    "TERMINATED": VMStatus.SUSPENDED,
}


@pytest.fixture
async def connection(address: str) -> AsyncIterator[GcpConnection]:
    credential = {"project_id": P, "access_token": "any-token"}
    async with connect("gcp", credential=credential, endpoint_url=address) as connection:
        assert isinstance(connection, GcpConnection)
        yield connection


def name_of(url: str) -> str:
    return url.rpartition("/")[2]


def moment(text: str) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def expected_vm(vm: compute_v1.Instance) -> VMInfo:
    zone = name_of(vm.zone)
    region = zone[: zone.rindex("-")]
    nic = vm.network_interfaces[0]
    network = name_of(nic.network)
    groups = [f"{network}/{tag}" for tag in vm.tags.items]
    metadata = {item.key: item.value for item in vm.metadata.items}
    keys = metadata.get("ssh-keys", "")
    return VMInfo(
        name=vm.name,
        id=f"{zone}/{vm.name}",
        start_time=moment(vm.last_start_timestamp) or moment(vm.creation_timestamp),
        region=RegionInfo(region=region, zone=zone),
        spec_id=name_of(vm.machine_type),
        vnetwork_id=network,
        subnetwork_id=f"{region}/{name_of(nic.subnetwork)}",
        security_id=groups[0] if groups else "",
        vnic=f"{zone}/{vm.name}/{nic.name}",
        public_ip=nic.access_configs[0].nat_i_p if nic.access_configs else "",
        private_ip=nic.network_i_p,
        private_dns=vm.hostname,
        key_pair_id=keys.split()[-1] if keys else "",
        guest_user_id=keys.partition(":")[0],
        guest_boot_disk=next(disk.device_name for disk in vm.disks if disk.boot),
        guest_block_disk=",".join(disk.device_name for disk in vm.disks if not disk.boot),
        status=STATUS[vm.status],
        native_status=vm.status,
        security_ids=groups,
        tags=dict(vm.labels),
    )


def all_instances(official: Official) -> list[compute_v1.Instance]:
    return [
        vm for _, scope in official.instances.aggregated_list(project=P) for vm in scope.instances
    ]


@pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 1001, 2500])
async def test_vms(connection: GcpConnection, official: Official, world: World, count: int) -> None:
    seed_instances(world.projects[P], count)
    theirs = await in_thread(all_instances, official)
    expected = {vm.id: vm for vm in map(expected_vm, theirs)}
    ours = await connection.create_vm_handler().list_vm()
    assert len(ours) == count
    assert {vm.id: vm for vm in ours} == expected
    states = await connection.create_vm_handler().list_vm_status()
    assert sorted(states, key=lambda state: state.id) == sorted(
        (
            VMStatusInfo(id=vm.id, status=vm.status, native_status=vm.native_status)
            for vm in expected.values()
        ),
        key=lambda state: state.id,
    )


@pytest.mark.parametrize("scope", [{"zone": Z}, {"region": R}])
async def test_vms_of_a_zone_or_region(
    address: str, official: Official, world: World, scope: dict[str, str]
) -> None:
    seed_instances(world.projects[P], 3000)
    theirs = await in_thread(all_instances, official)
    expected = {
        vm.id: vm
        for vm in map(expected_vm, theirs)
        if scope.get("zone", vm.region.zone) == vm.region.zone
        and scope.get("region", vm.region.region) == vm.region.region
    }
    credential = {"project_id": P, "access_token": "any-token"}
    async with connect("gcp", credential=credential, endpoint_url=address, **scope) as connection:
        ours = await connection.create_vm_handler().list_vm()
    assert {vm.id: vm for vm in ours} == expected
    assert 0 < len(ours) < 3000


async def test_vms_in_every_state(
    connection: GcpConnection, official: Official, world: World
) -> None:
    def fill() -> None:
        for name in ("running", "stopped", "suspended"):
            official.instances.insert(
                project=P,
                zone=Z,
                instance_resource=machine(
                    name,
                    Z,
                    metadata=compute_v1.Metadata(
                        items=[
                            compute_v1.Items(key="ssh-keys", value=f"me:{KEY} {name}-key"),
                            compute_v1.Items(key="startup-script", value="#!/bin/sh\necho é\n"),
                        ]
                    ),
                ),
            ).result()
        two_disks = machine("two-disks", Z)
        two_disks.disks = [
            boot_disk("projects/debian-cloud/global/images/family/debian-12"),
            compute_v1.AttachedDisk(
                initialize_params=compute_v1.AttachedDiskInitializeParams(disk_size_gb=20),
                device_name="data",
            ),
        ]
        official.instances.insert(project=P, zone=Z, instance_resource=two_disks).result()
        official.instances.stop(project=P, zone=Z, instance="stopped").result()
        official.instances.suspend(project=P, zone=Z, instance="suspended").result()
        world.operation_seconds = 1000.0
        official.instances.insert(project=P, zone=Z, instance_resource=machine("new", Z))
        official.instances.stop(project=P, zone=Z, instance="two-disks")

    await in_thread(fill)
    theirs = await in_thread(all_instances, official)
    ours = await connection.create_vm_handler().list_vm()
    assert {vm.id: vm for vm in ours} == {vm.id: vm for vm in map(expected_vm, theirs)}
    assert {vm.name: vm.status for vm in ours} == {
        "running": VMStatus.RUNNING,
        "stopped": VMStatus.SUSPENDED,
        "suspended": VMStatus.SUSPENDED,
        "new": VMStatus.PENDING,
        "two-disks": VMStatus.SUSPENDING,
    }
    assert ours[0].tags == {}


async def test_nics(connection: GcpConnection, official: Official, world: World) -> None:
    seed_instances(world.projects[P], 700)
    theirs = await in_thread(all_instances, official)
    expected: dict[str, VNicInfo] = {}
    for vm in theirs:
        zone = name_of(vm.zone)
        for nic in vm.network_interfaces:
            network = name_of(nic.network)
            info = VNicInfo(
                name=nic.name,
                id=f"{zone}/{vm.name}/{nic.name}",
                vm_id=f"{zone}/{vm.name}",
                vnetwork_id=network,
                subnetwork_id=f"{zone[: zone.rindex('-')]}/{name_of(nic.subnetwork)}",
                private_ip=nic.network_i_p,
                public_ip=nic.access_configs[0].nat_i_p if nic.access_configs else "",
                security_ids=[f"{network}/{tag}" for tag in vm.tags.items],
            )
            expected[info.id] = info
    ours = await connection.create_vnic_handler().list_vnic()
    assert {nic.id: nic for nic in ours} == expected
    assert len(ours) == 700


async def test_images(connection: GcpConnection, official: Official) -> None:
    def fill() -> list[tuple[str, compute_v1.Image]]:
        official.images.insert(
            project=P,
            image_resource=compute_v1.Image(
                name="mine", source_image="projects/debian-cloud/global/images/family/debian-12"
            ),
        ).result()
        owners = (P, "debian-cloud", "windows-cloud")
        return [(owner, one) for owner in owners for one in official.images.list(project=owner)]

    theirs = await in_thread(fill)
    expected = [
        ImageInfo(
            name=image.name,
            id=image.name if owner == P else f"{owner}/{image.name}",
            guest_os=name_of(image.licenses[0]),
            architecture=image.architecture,
            status=image.deprecated.state or image.status,
            created_at=moment(image.creation_timestamp),
            public=owner != P,
        )
        for owner, image in theirs
    ]
    handler = connection.create_image_handler()
    ours = await handler.list_image(owners=[P, "debian-cloud", "windows-cloud"])
    assert sorted(ours, key=lambda image: image.id) == sorted(expected, key=lambda image: image.id)
    assert await handler.list_image() == [image for image in expected if image.id == "mine"]
    for image in expected:
        assert await handler.get_image(image.id) == image
    newest = await handler.get_image("debian-cloud/family/debian-12")
    assert newest.name == "debian-12-bookworm-v20260910"


async def test_networks(connection: GcpConnection, official: Official) -> None:
    def fill() -> tuple[list[compute_v1.Network], list[compute_v1.Subnetwork]]:
        official.networks.insert(
            project=P,
            network_resource=compute_v1.Network(name="custom", auto_create_subnetworks=False),
        ).result()
        for number, region in enumerate((R, "us-east1", "europe-west1")):
            official.subnetworks.insert(
                project=P,
                region=region,
                subnetwork_resource=compute_v1.Subnetwork(
                    name=f"part-{number}",
                    network="global/networks/custom",
                    ip_cidr_range=f"10.{number}.0.0/16",
                ),
            ).result()
        networks = list(official.networks.list(project=P))
        subnetworks = [
            one
            for _, scope in official.subnetworks.aggregated_list(project=P)
            for one in scope.subnetworks
        ]
        return networks, subnetworks

    networks, subnetworks = await in_thread(fill)
    expected: list[VNetworkInfo] = []
    for network in networks:
        mine = sorted(
            (one for one in subnetworks if one.network == network.self_link),
            key=lambda one: (name_of(one.region), one.name),
        )
        assert {one.self_link for one in mine} == set(network.subnetworks)
        expected.append(
            VNetworkInfo(
                name=network.name,
                id=network.name,
                cidr_blocks=[one.ip_cidr_range for one in mine],
                subnets=[
                    SubnetInfo(
                        id=f"{name_of(one.region)}/{one.name}",
                        name=one.name,
                        cidr_block=one.ip_cidr_range,
                        zone=name_of(one.region),
                    )
                    for one in mine
                ],
                is_default=network.name == "default",
            )
        )
    ours = await connection.create_vnetwork_handler().list_vnetwork()
    assert ours == expected
    assert len(ours) == 2


async def test_security_groups(connection: GcpConnection, official: Official) -> None:
    tcp = compute_v1.Allowed(I_p_protocol="tcp", ports=["80", "8000-8080"])
    icmp = compute_v1.Allowed(I_p_protocol="icmp")

    def fill() -> list[compute_v1.Firewall]:
        for firewall in (
            compute_v1.Firewall(
                name="one",
                allowed=[tcp, icmp],
                source_ranges=["10.0.0.0/8"],
                source_tags=["lb"],
                target_tags=["web", "api"],
                description="for web",
            ),
            compute_v1.Firewall(
                name="two",
                direction="EGRESS",
                allowed=[icmp],
                destination_ranges=["10.0.0.0/8", "192.168.0.0/16"],
                target_tags=["web"],
            ),
            compute_v1.Firewall(
                name="three", denied=[compute_v1.Denied(I_p_protocol="all")], target_tags=["web"]
            ),
            compute_v1.Firewall(name="four", allowed=[tcp], target_tags=["api"], disabled=True),
        ):
            official.firewalls.insert(project=P, firewall_resource=firewall).result()
        return list(official.firewalls.list(project=P))

    firewalls = await in_thread(fill)
    tags = sorted({tag for firewall in firewalls for tag in firewall.target_tags or [""]})
    expected: dict[str, list[SecurityRule]] = {}
    for tag in tags:
        rules = expected[f"default/{tag}"] = []
        for firewall in firewalls:
            if tag not in (firewall.target_tags or [""]) or firewall.disabled:
                continue
            inbound = firewall.direction == "INGRESS"
            ranges = firewall.source_ranges if inbound else firewall.destination_ranges
            for allowed in firewall.allowed:
                for ports in allowed.ports or [""]:
                    low, _, high = ports.partition("-")
                    sides = [(block, "") for block in ranges]
                    sides += [("", source) for source in firewall.source_tags]
                    rules += [
                        SecurityRule(
                            direction="inbound" if inbound else "outbound",
                            protocol=allowed.I_p_protocol,
                            from_port=int(low) if low else None,
                            to_port=int(high or low) if low else None,
                            cidr=cidr,
                            group=group,
                        )
                        for cidr, group in sides
                    ]
    ours = {group.id: group for group in await connection.create_security_handler().list_security()}
    assert {id: group.rules for id, group in ours.items()} == expected
    assert ours["default/web"] == SecurityInfo(
        name="web",
        id="default/web",
        description="for web; not shown: three (denies)",
        vnetwork_id="default",
        rules=expected["default/web"],
    )
    assert len(expected["default/web"]) == 8
    assert ours["default/api"].description == "for web; not shown: four (disabled)"
    assert ours["default/"].name == ""


async def test_keys(connection: GcpConnection, official: Official) -> None:
    lines = [
        f"me:{KEY} laptop",
        f"you:{KEY}",
        f"old:{KEY} laptop",
        f'temp:{KEY} google-ssh {{"userName":"me@example.com","expireOn":"2030-01-01T00:00:00Z"}}',
        "# no key at all",
        "",
    ]

    def fill() -> None:
        before = official.projects.get(project=P).common_instance_metadata
        official.projects.set_common_instance_metadata(
            project=P,
            metadata_resource=compute_v1.Metadata(
                fingerprint=before.fingerprint,
                items=[
                    compute_v1.Items(key="other", value="kept"),
                    compute_v1.Items(key="ssh-keys", value="\n".join(lines)),
                ],
            ),
        ).result()

    await in_thread(fill)
    handler = connection.create_key_pair_handler()
    keys = await handler.list_key()
    assert [key.id for key in keys] == ["laptop", "you", "laptop#2", "me@example.com"]
    assert keys[0] == KeyPairInfo(
        name="laptop",
        id="laptop",
        # As `ssh-keygen -l` prints it.
        fingerprint="SHA256:d5a+JDzgdG+PYMXf99LYQCL00gjyDJ/oU+UDZQmQ5Kc",
        public_key=f"{KEY} laptop",
    )
    assert await handler.get_key("laptop#2") == keys[2]
    assert await handler.delete_key("laptop") is True
    metadata = (await in_thread(official.projects.get, project=P)).common_instance_metadata
    items = {item.key: item.value for item in metadata.items}
    assert items == {"other": "kept", "ssh-keys": "\n".join(lines[1:5])}


async def test_addresses(connection: GcpConnection, official: Official) -> None:
    def fill() -> list[tuple[str, compute_v1.Address]]:
        for number in range(3):
            official.addresses.insert(
                project=P, region=R, address_resource=compute_v1.Address(name=f"ip-{number}")
            ).result()
        official.addresses.insert(
            project=P,
            region=R,
            address_resource=compute_v1.Address(name="inside", address_type="INTERNAL"),
        ).result()
        official.global_addresses.insert(
            project=P, address_resource=compute_v1.Address(name="anycast")
        ).result()
        ip = official.addresses.get(project=P, region=R, address="ip-1").address
        nic = compute_v1.NetworkInterface(
            network="global/networks/default",
            access_configs=[
                compute_v1.AccessConfig(name="External NAT", type_="ONE_TO_ONE_NAT", nat_i_p=ip)
            ],
        )
        official.instances.insert(
            project=P, zone=Z, instance_resource=machine("has-ip", Z, network_interfaces=[nic])
        ).result()
        return [
            (scope.removeprefix("regions/"), one)
            for scope, found in official.addresses.aggregated_list(project=P)
            for one in found.addresses
        ]

    theirs = await in_thread(fill)
    vm = await in_thread(official.instances.get, project=P, zone=Z, instance="has-ip")
    expected = [
        PublicIPInfo(
            name=one.name,
            id=f"{scope}/{one.name}",
            public_ip=one.address,
            vm_id=f"{Z}/has-ip" if one.users else "",
            vnic_id=f"{Z}/has-ip/nic0" if one.users else "",
            private_ip=vm.network_interfaces[0].network_i_p if one.users else "",
            status=one.status,
        )
        for scope, one in theirs
        if one.address_type == "EXTERNAL"
    ]
    handler = connection.create_public_ip_handler()
    ours = await handler.list_public_ip()
    assert sorted(ours, key=lambda ip: ip.id) == sorted(expected, key=lambda ip: ip.id)
    assert [ip.id for ip in ours if ip.vm_id] == [f"{R}/ip-1"]
    for ip in expected:
        assert await handler.get_public_ip(ip.id) == ip
    regions = {
        page.region: {ip.name for ip in page.items}
        async for page in connection.pages(Resource.PUBLIC_IP)
    }
    assert regions == {"global": {"anycast"}, R: {"ip-0", "ip-1", "ip-2"}}
