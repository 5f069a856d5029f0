"""How lists are read: in as few requests as can be, by zone when there is more, in flat memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from typing import Any

import anyio
import psutil
import pytest

from asyncspider import (
    ConnectionInfo,
    CredentialInfo,
    Fleet,
    ImageInfo,
    PartialListError,
    PublicIPReqInfo,
    Resource,
    ScopeStatus,
    Target,
    UnavailableError,
    VMReqInfo,
    connect,
    expand,
)
from asyncspider.transport.retry import RetryPolicy
from asyncspider_drivers.gcp.emulator import RequestFault, World, seed_instances

P = "demo"
CREDENTIAL = {"project_id": P, "access_token": "any-token"}


def target(address: str, project: str = P, name: str = "gcp") -> Target:
    return Target(
        name=name,
        driver="gcp",
        connection_info=ConnectionInfo(
            credential_info=CredentialInfo(key_values={**CREDENTIAL, "project_id": project}),
            endpoint_url=address,
        ),
    )


def paths(world: World) -> Counter[str]:
    """Return how often each path below the project was asked for."""
    found = (line.split()[1].partition("?")[0] for line in world.requests)
    return Counter(path.partition(f"projects/{P}/")[2] for path in found)


async def test_a_small_project_is_one_request(address: str, world: World) -> None:
    seed_instances(world.projects[P], 500)
    async with Fleet([target(address)]) as fleet:
        result = await fleet.scan(Resource.VM)
    [scope] = result.scopes
    assert (scope.count, scope.requests, scope.status) == (500, 1, ScopeStatus.OK)
    assert paths(world) == {"aggregated/instances": 1}
    [line] = world.requests
    assert "returnPartialSuccess=true" in line
    assert "prettyPrint=false" in line
    assert "fields=items/*/warning(code,message),items/*/instances(name," in line


async def test_a_larger_project_is_read_zone_by_zone(address: str, world: World) -> None:
    seed_instances(world.projects[P], 4000)
    async with Fleet([target(address)]) as fleet:
        result = await fleet.scan(Resource.VM)
    assert len({record.id for record in result.records}) == 4000
    asked = paths(world)
    assert asked.pop("aggregated/instances") == 1
    assert asked.pop("zones") == 1
    assert asked == {f"zones/{zone}/instances": 2 for zone in world.zones}
    zones = Counter(record.zone for record in result.records)
    assert zones == dict.fromkeys(world.zones, 800)
    assert {record.region for record in result.records} == set(world.regions)


async def test_statuses_ask_for_nothing_else(address: str, world: World) -> None:
    seed_instances(world.projects[P], 3)
    async with connect("gcp", credential=CREDENTIAL, endpoint_url=address) as connection:
        assert len(await connection.create_vm_handler().list_vm_status()) == 3
    assert "items/*/instances(name,status)" in world.requests[-1]


@pytest.mark.parametrize("count", [100, 2000])
async def test_a_dead_zone_is_reported(address: str, world: World, count: int) -> None:
    seed_instances(world.projects[P], count)
    world.dead_zones.add("us-central1-b")
    async with Fleet([target(address)]) as fleet:
        for resource in (Resource.VM, Resource.VNIC):
            result = await fleet.scan(resource)
            assert len(result.records) == count * 4 // 5
            assert "us-central1-b" not in {record.zone for record in result.records}
            whole, part = sorted(result.scopes, key=lambda scope: scope.zone)
            assert (part.region, part.zone) == ("us-central1", "us-central1-b")
            assert part.status is ScopeStatus.UNREACHABLE
            assert part.error is not None
            assert "us-central1-b" in part.error.message
            assert not whole.ok or whole.count == len(result.records)
    async with connect("gcp", credential=CREDENTIAL, endpoint_url=address) as connection:
        with pytest.raises(PartialListError, match="us-central1-b") as caught:
            await connection.create_vm_handler().list_vm()
    assert len(caught.value.items) == count * 4 // 5
    [part] = caught.value.unreachable
    assert isinstance(part.error, UnavailableError)


async def test_a_zone_that_dies_in_the_middle(address: str, world: World) -> None:
    seed_instances(world.projects[P], 2000)
    down = RequestFault(path="zones/us-east1-b/instances", times=99)
    world.request_faults.append(down)
    async with connect("gcp", credential=CREDENTIAL, endpoint_url=address) as connection:
        with pytest.raises(PartialListError) as caught:
            await connection.create_vm_handler().list_vm()
    assert len(caught.value.items) == 1600
    assert [part.zone for part in caught.value.unreachable] == ["us-east1-b"]


async def test_a_dead_zone_of_a_region(address: str, world: World) -> None:
    seed_instances(world.projects[P], 100)
    world.dead_zones.add("us-central1-b")
    async with connect(
        "gcp", credential=CREDENTIAL, endpoint_url=address, region="us-central1"
    ) as connection:
        with pytest.raises(PartialListError) as caught:
            await connection.create_vm_handler().list_vm()
        assert len(caught.value.items) == 20
        world.dead_zones.add("us-central1-a")
        with pytest.raises(UnavailableError) as lost:
            await connection.create_vm_handler().list_vm()
        assert not isinstance(lost.value, PartialListError)


async def test_an_address_of_a_vm_in_a_dead_zone(address: str, world: World) -> None:
    async with connect(
        "gcp", credential=CREDENTIAL, endpoint_url=address, zone="us-central1-b"
    ) as connection:
        vm = await connection.create_vm_handler().start_vm(
            VMReqInfo(
                name="web",
                image_info=ImageInfo(id="debian-cloud/debian-12-bookworm-v20260910"),
                spec_id="e2-small",
            )
        )
        handler = connection.create_public_ip_handler()
        made = await handler.create_public_ip(PublicIPReqInfo(name="ip", vm_id=vm.id))
        assert made.vnic_id == f"{vm.id}/nic0"
    world.dead_zones.add("us-central1-b")
    async with connect("gcp", credential=CREDENTIAL, endpoint_url=address) as connection:
        connection.retry_policy = RetryPolicy(unavailable_attempts=1)
        with pytest.raises(PartialListError) as caught:
            await connection.create_public_ip_handler().list_public_ip()
    [found] = caught.value.items
    assert (found.public_ip, found.vm_id, found.vnic_id) == (made.public_ip, vm.id, "")
    assert [part.zone for part in caught.value.unreachable] == ["us-central1-b"]


async def test_a_fleet_of_projects(address: str, world: World) -> None:
    for number in range(4):
        project = world.add_project(f"team-{number}", default_network=True)
        seed_instances(project, 10 * (number + 1))
    world.projects["team-2"].service_disabled = True
    world.projects["team-3"].denied = True
    targets = await expand(
        "gcp", target(address).connection_info, "", accounts=["team-*", "!team-0"]
    )
    assert [one.name for one in targets] == ["gcp/team-1", "gcp/team-2", "gcp/team-3"]
    assert sum("projects:search" in line for line in world.requests) == 1
    async with Fleet(targets) as fleet:
        result = await fleet.scan(Resource.VM)
    assert {scope.target: (scope.status, scope.count) for scope in result.scopes} == {
        "gcp/team-1": (ScopeStatus.OK, 20),
        "gcp/team-2": (ScopeStatus.NOT_ENABLED, 0),
        "gcp/team-3": (ScopeStatus.DENIED, 0),
    }
    named = await expand("gcp", target(address).connection_info, "", accounts="team-0,team-1")
    assert [one.name for one in named] == ["gcp/team-0", "gcp/team-1"]
    by_region = await expand("gcp", target(address).connection_info, "us-*", accounts="team-0")
    assert [one.name for one in by_region] == ["gcp/team-0/us-central1", "gcp/team-0/us-east1"]


async def test_projects_come_in_pages(address: str, world: World) -> None:
    for number in range(1200):
        world.add_project(f"p-{number:04d}")
    found = await expand("gcp", target(address).connection_info, "", accounts="p-*")
    assert len(found) == 1200


async def test_projects_that_may_not_be_listed(address: str, world: World) -> None:
    from asyncspider import PermissionDeniedError

    world.may_list_projects = False
    with pytest.raises(PermissionDeniedError, match=r"resourcemanager\.projects\.list"):
        await expand("gcp", target(address).connection_info, "", accounts="all")


def resident() -> int:
    """Return the memory that this process has now, in bytes."""
    return psutil.Process().memory_info().rss


async def test_a_hundred_thousand_stream_in_flat_memory() -> None:
    command = [sys.executable, "-m", "asyncspider_drivers.gcp.emulator", "--instances", "100000"]
    async with await anyio.open_process(command, stderr=None) as process:
        assert process.stdout is not None
        try:
            address = json.loads(await process.stdout.receive())["address"]
            sizes: list[int] = []
            seen = 0
            async with connect("gcp", credential=CREDENTIAL, endpoint_url=address) as connection:
                async for page in connection.pages(Resource.VM):
                    seen += len(page.items)
                    assert len(page.items) <= 500
                    if seen // 20_000 > len(sizes):
                        sizes.append(resident())
        finally:
            process.terminate()
    assert seen == 100_000
    # Kept, the last 80,000 would take more than 100 MB.
    assert sizes[-1] - sizes[0] < 30_000_000


IMPORTS = """
import asyncio, json, sys
from asyncspider import ConnectionInfo, CredentialInfo, Fleet, Target

async def main():
    info = ConnectionInfo(
        credential_info=CredentialInfo(
            key_values={"project_id": "demo", "access_token": "t0ken-x"}
        ),
        endpoint_url=sys.argv[1],
    )
    async with Fleet([Target(name="gcp", driver="gcp", connection_info=info)]) as fleet:
        result = await fleet.scan()
    print(json.dumps({
        "records": len(result.records),
        "ok": result.ok,
        "modules": [name for name in sys.modules if name.split(".")[0] in ("google", "grpc",
                    "proto", "requests", "cryptography", "aiobotocore", "openstack")],
    }))

asyncio.run(main())
"""


def test_a_scan_imports_no_sdk(address: str, world: World) -> None:
    seed_instances(world.projects[P], 10)
    process = subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORTS, address],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    answer: dict[str, Any] = json.loads(process.stdout)
    assert answer["ok"]
    assert answer["records"] == 22  # 10 machines, 10 interfaces, a network and its group
    # (An empty namespace package "google" may be put there by a .pth file, before anything runs.)
    assert [name for name in answer["modules"] if name != "google"] == []
