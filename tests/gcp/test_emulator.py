"""The emulator's truth: Google's own client runs the life cycle of every resource against it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from typing import Any

import aiohttp
import pytest
from google.api_core import exceptions
from google.cloud import compute_v1

from asyncspider_drivers.gcp.emulator import (
    OperationFault,
    RequestFault,
    World,
    seed_instances,
)

from .official import Official, boot_disk, in_thread, machine

P, Z, R = "demo", "us-central1-a", "us-central1"


async def fetch(address: str, path: str, **params: str) -> tuple[int, dict]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{address}/compute/v1/projects/{path}", params=params) as answer,
    ):
        return answer.status, await answer.json()


async def test_network_life_cycle(official: Official) -> None:
    def live() -> None:
        official.networks.insert(
            project=P,
            network_resource=compute_v1.Network(name="net-a", auto_create_subnetworks=False),
        ).result()
        official.subnetworks.insert(
            project=P,
            region=R,
            subnetwork_resource=compute_v1.Subnetwork(
                name="sub-a", network="global/networks/net-a", ip_cidr_range="10.7.0.0/16"
            ),
        ).result()
        network = official.networks.get(project=P, network="net-a")
        assert network.routing_config.routing_mode == "REGIONAL"
        assert [url.rpartition("/")[2] for url in network.subnetworks] == ["sub-a"]
        subnetwork = official.subnetworks.get(project=P, region=R, subnetwork="sub-a")
        assert subnetwork.gateway_address == "10.7.0.1"
        everywhere = dict(official.subnetworks.aggregated_list(project=P))
        assert "sub-a" in [net.name for net in everywhere[f"regions/{R}"].subnetworks]
        assert everywhere["regions/us-east1"].subnetworks[0].name == "default"
        assert {net.name for net in official.networks.list(project=P)} == {"default", "net-a"}

        with pytest.raises(exceptions.Conflict):
            official.networks.insert(
                project=P,
                network_resource=compute_v1.Network(name="net-a", auto_create_subnetworks=True),
            )
        with pytest.raises(exceptions.BadRequest, match="conflicts with existing subnetwork"):
            official.subnetworks.insert(
                project=P,
                region="us-east1",
                subnetwork_resource=compute_v1.Subnetwork(
                    name="sub-b", network="global/networks/net-a", ip_cidr_range="10.7.1.0/24"
                ),
            )
        with pytest.raises(exceptions.BadRequest, match="already being used by"):
            official.networks.delete(project=P, network="net-a")
        official.subnetworks.delete(project=P, region=R, subnetwork="sub-a").result()
        official.networks.delete(project=P, network="net-a").result()
        with pytest.raises(exceptions.NotFound):
            official.networks.get(project=P, network="net-a")

    await in_thread(live)


async def test_an_auto_mode_network_has_a_subnetwork_in_every_region(
    official: Official, world: World
) -> None:
    def live() -> None:
        official.networks.insert(
            project=P,
            network_resource=compute_v1.Network(name="auto", auto_create_subnetworks=True),
        ).result()
        network = official.networks.get(project=P, network="auto")
        assert len(network.subnetworks) == len(world.regions)
        official.networks.delete(project=P, network="auto").result()
        left = [s for s in official.subnetworks.list(project=P, region=R) if s.name == "auto"]
        assert not left

    await in_thread(live)


async def test_firewall_life_cycle(official: Official) -> None:
    def live() -> None:
        official.firewalls.insert(
            project=P,
            firewall_resource=compute_v1.Firewall(
                name="web",
                network="global/networks/default",
                allowed=[compute_v1.Allowed(I_p_protocol="tcp", ports=["80", "8000-8080"])],
                target_tags=["web"],
            ),
        ).result()
        firewall = official.firewalls.get(project=P, firewall="web")
        assert firewall.direction == "INGRESS"
        assert firewall.priority == 1000
        assert list(firewall.source_ranges) == ["0.0.0.0/0"]
        official.firewalls.patch(
            project=P,
            firewall="web",
            firewall_resource=compute_v1.Firewall(target_tags=["api"], source_tags=["lb"]),
        ).result()
        patched = official.firewalls.get(project=P, firewall="web")
        assert list(patched.target_tags) == ["api"]
        assert list(patched.source_tags) == ["lb"]
        assert "web" in [item.name for item in official.firewalls.list(project=P)]
        official.firewalls.delete(project=P, firewall="web").result()
        with pytest.raises(exceptions.NotFound):
            official.firewalls.get(project=P, firewall="web")
        with pytest.raises(exceptions.BadRequest, match="Ports must be"):
            official.firewalls.insert(
                project=P,
                firewall_resource=compute_v1.Firewall(
                    name="bad",
                    allowed=[compute_v1.Allowed(I_p_protocol="tcp", ports=["http"])],
                ),
            )

    await in_thread(live)


async def test_address_life_cycle(official: Official) -> None:
    def live() -> None:
        official.addresses.insert(
            project=P, region=R, address_resource=compute_v1.Address(name="ip-a")
        ).result()
        official.addresses.insert(
            project=P,
            region=R,
            address_resource=compute_v1.Address(name="inside", address_type="INTERNAL"),
        ).result()
        official.global_addresses.insert(
            project=P, address_resource=compute_v1.Address(name="ip-g")
        ).result()
        address = official.addresses.get(project=P, region=R, address="ip-a")
        assert address.status == "RESERVED"
        assert address.address_type == "EXTERNAL"
        everywhere = {
            scope: [item.name for item in found.addresses]
            for scope, found in official.addresses.aggregated_list(project=P)
        }
        assert everywhere["global"] == ["ip-g"]
        assert everywhere[f"regions/{R}"] == ["inside", "ip-a"]
        assert [item.name for item in official.global_addresses.list(project=P)] == ["ip-g"]
        official.addresses.set_labels(
            project=P,
            region=R,
            resource="ip-a",
            region_set_labels_request_resource=compute_v1.RegionSetLabelsRequest(
                label_fingerprint=address.label_fingerprint, labels={"a": "b"}
            ),
        ).result()
        assert official.addresses.get(project=P, region=R, address="ip-a").labels == {"a": "b"}
        official.addresses.delete(project=P, region=R, address="ip-a").result()
        official.global_addresses.delete(project=P, address="ip-g").result()
        with pytest.raises(exceptions.NotFound):
            official.addresses.get(project=P, region=R, address="ip-a")

    await in_thread(live)


async def test_instance_life_cycle(official: Official) -> None:
    def live() -> None:
        official.addresses.insert(
            project=P, region=R, address_resource=compute_v1.Address(name="ip-a")
        ).result()
        ip = official.addresses.get(project=P, region=R, address="ip-a").address
        at: Any = {"project": P, "zone": Z, "instance": "web-1"}
        started = official.instances.insert(
            project=P,
            zone=Z,
            instance_resource=machine(
                "web-1", Z, tags=compute_v1.Tags(items=["web"]), labels={"env": "test"}
            ),
        )
        assert official.instances.get(**at).status in ("PROVISIONING", "STAGING", "RUNNING")
        started.result()
        instance = official.instances.get(**at)
        assert instance.status == "RUNNING"
        assert list(instance.tags.items) == ["web"]
        assert instance.network_interfaces[0].subnetwork.endswith(f"/{R}/subnetworks/default")
        assert not instance.network_interfaces[0].access_configs
        disk = official.disks.get(project=P, zone=Z, disk="web-1")
        assert "debian-12-bookworm-v20260910" in disk.source_image
        assert list(disk.users) == [instance.self_link]
        with pytest.raises(exceptions.BadRequest, match="already being used by"):
            official.disks.delete(project=P, zone=Z, disk="web-1")

        official.instances.add_access_config(
            **at,
            network_interface="nic0",
            access_config_resource=compute_v1.AccessConfig(
                name="External NAT", type_="ONE_TO_ONE_NAT", nat_i_p=ip
            ),
        ).result()
        with_ip = official.instances.get(**at)
        assert with_ip.network_interfaces[0].access_configs[0].nat_i_p == ip
        address = official.addresses.get(project=P, region=R, address="ip-a")
        assert (address.status, list(address.users)) == ("IN_USE", [instance.self_link])
        with pytest.raises(exceptions.BadRequest, match="already being used by"):
            official.addresses.delete(project=P, region=R, address="ip-a")
        official.instances.delete_access_config(
            **at, network_interface="nic0", access_config="External NAT"
        ).result()
        assert official.addresses.get(project=P, region=R, address="ip-a").status == "RESERVED"

        official.instances.stop(**at).result()
        assert official.instances.get(**at).status == "TERMINATED"
        with pytest.raises(exceptions.BadRequest, match="is not ready"):
            official.instances.reset(**at)
        official.instances.start(**at).result()
        official.instances.suspend(**at).result()
        assert official.instances.get(**at).status == "SUSPENDED"
        official.instances.resume(**at).result()
        official.instances.reset(**at).result()
        assert official.instances.get(**at).status == "RUNNING"

        official.instances.set_labels(
            **at,
            instances_set_labels_request_resource=compute_v1.InstancesSetLabelsRequest(
                label_fingerprint=instance.label_fingerprint, labels={"env": "prod"}
            ),
        ).result()
        assert official.instances.get(**at).labels == {"env": "prod"}
        with pytest.raises(exceptions.PreconditionFailed, match="Labels fingerprint"):
            official.instances.set_labels(
                **at,
                instances_set_labels_request_resource=compute_v1.InstancesSetLabelsRequest(
                    label_fingerprint=instance.label_fingerprint, labels={}
                ),
            )
        official.instances.set_tags(
            **at,
            tags_resource=compute_v1.Tags(fingerprint=instance.tags.fingerprint, items=["x"]),
        ).result()
        assert list(official.instances.get(**at).tags.items) == ["x"]
        official.instances.set_metadata(
            **at,
            metadata_resource=compute_v1.Metadata(
                fingerprint=instance.metadata.fingerprint,
                items=[compute_v1.Items(key="a", value="b")],
            ),
        ).result()
        assert official.instances.get(**at).metadata.items[0].value == "b"

        official.instances.set_deletion_protection(
            compute_v1.SetDeletionProtectionInstanceRequest(
                project=P, zone=Z, resource="web-1", deletion_protection=True
            )
        ).result()
        with pytest.raises(exceptions.BadRequest, match="protected against deletion"):
            official.instances.delete(**at)
        official.instances.set_deletion_protection(
            compute_v1.SetDeletionProtectionInstanceRequest(
                project=P, zone=Z, resource="web-1", deletion_protection=False
            )
        ).result()
        official.instances.delete(**at).result()
        with pytest.raises(exceptions.NotFound):
            official.instances.get(**at)
        with pytest.raises(exceptions.NotFound):
            official.disks.get(project=P, zone=Z, disk="web-1")

    await in_thread(live)


async def test_image_life_cycle(official: Official) -> None:
    def live() -> None:
        official.instances.insert(project=P, zone=Z, instance_resource=machine("src", Z)).result()
        image = compute_v1.Image(
            name="golden", source_disk=f"zones/{Z}/disks/src", description="made here"
        )
        with pytest.raises(exceptions.BadRequest, match="already being used by"):
            official.images.insert(project=P, image_resource=image)
        official.images.insert(
            compute_v1.InsertImageRequest(project=P, image_resource=image, force_create=True)
        ).result()
        made = official.images.get(project=P, image="golden")
        assert made.status == "READY"
        assert made.disk_size_gb == 10
        assert made.guest_os_features[0].type_ == "UEFI_COMPATIBLE"
        assert [item.name for item in official.images.list(project=P)] == ["golden"]
        newest = official.images.get_from_family(project="debian-cloud", family="debian-12")
        assert newest.name == "debian-12-bookworm-v20260910"
        official.instances.insert(
            project=P,
            zone=Z,
            instance_resource=machine("copy", Z, image="global/images/golden"),
        ).result()
        official.images.delete(project=P, image="golden").result()
        with pytest.raises(exceptions.NotFound):
            official.images.get(project=P, image="golden")

    await in_thread(live)


async def test_disk_life_cycle(official: Official) -> None:
    def live() -> None:
        official.disks.insert(
            project=P,
            zone=Z,
            disk_resource=compute_v1.Disk(name="data", size_gb=20),
        ).result()
        disk = official.disks.get(project=P, zone=Z, disk="data")
        assert (disk.status, disk.size_gb) == ("READY", 20)
        both = [
            boot_disk("projects/debian-cloud/global/images/family/debian-12"),
            compute_v1.AttachedDisk(source=f"zones/{Z}/disks/data"),
        ]
        resource = machine("with-data", Z)
        resource.disks = both
        official.instances.insert(project=P, zone=Z, instance_resource=resource).result()
        official.instances.delete(project=P, zone=Z, instance="with-data").result()
        kept = official.disks.get(project=P, zone=Z, disk="data")
        assert not kept.users
        official.disks.delete(project=P, zone=Z, disk="data").result()

    await in_thread(live)


async def test_project_metadata(official: Official) -> None:
    def live() -> None:
        before = official.projects.get(project=P).common_instance_metadata
        official.projects.set_common_instance_metadata(
            project=P,
            metadata_resource=compute_v1.Metadata(
                fingerprint=before.fingerprint,
                items=[compute_v1.Items(key="ssh-keys", value="me:ssh-ed25519 AAAA me")],
            ),
        ).result()
        after = official.projects.get(project=P).common_instance_metadata
        assert after.items[0].value == "me:ssh-ed25519 AAAA me"
        assert after.fingerprint != before.fingerprint
        with pytest.raises(exceptions.PreconditionFailed, match="metadata fingerprint"):
            official.projects.set_common_instance_metadata(
                project=P, metadata_resource=compute_v1.Metadata(fingerprint=before.fingerprint)
            )

    await in_thread(live)


async def test_zones_regions_and_machine_types(official: Official, world: World) -> None:
    def live() -> None:
        zones = list(official.client(compute_v1.ZonesClient).list(project=P))
        assert [zone.name for zone in zones] == sorted(world.zones)
        region = official.client(compute_v1.RegionsClient).get(project=P, region=R)
        assert [url.rpartition("/")[2] for url in region.zones] == world.regions[R]
        kinds = official.client(compute_v1.MachineTypesClient)
        assert kinds.get(project=P, zone=Z, machine_type="e2-small").memory_mb == 2048
        assert "e2-small" in [kind.name for kind in kinds.list(project=P, zone=Z)]
        with pytest.raises(exceptions.BadRequest, match="Unknown zone"):
            list(official.instances.list(project=P, zone="mars-1"))

    await in_thread(live)


@pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 1203])
async def test_every_page_of_a_list(official: Official, world: World, count: int) -> None:
    seed_instances(world.projects[P], count)

    def live() -> tuple[list[str], list[str]]:
        listed = [
            vm.name for zone in world.zones for vm in official.instances.list(project=P, zone=zone)
        ]
        everywhere = [
            vm.name
            for _, found in official.instances.aggregated_list(project=P)
            for vm in found.instances
        ]
        return listed, everywhere

    listed, everywhere = await in_thread(live)
    assert sorted(listed) == sorted(everywhere) == [f"vm-{n:06d}" for n in range(count)]


async def test_filter(official: Official, world: World) -> None:
    seed_instances(world.projects[P], 40, [Z])

    def found(text: str) -> int:
        request = compute_v1.ListInstancesRequest(project=P, zone=Z, filter=text)
        return len(list(official.instances.list(request)))

    for text, count in {
        "name=vm-000003": 1,
        "name eq vm-00001.": 10,
        "name ne vm-00001.": 30,
        'status = "RUNNING"': 32,
        "status != RUNNING": 8,
        "(status=TERMINATED) (labels.env=test)": 2,
        "status=TERMINATED OR status=SUSPENDED": 8,
        "NOT labels.owner:*": 0,
        "labels.owner=team-1": 3,
        "canIpForward=false AND id>5000000000000000037": 2,
    }.items():
        assert await in_thread(found, text) == count, text
    with pytest.raises(exceptions.BadRequest, match="filter"):
        await in_thread(found, "name=")


async def test_fields_select_a_part(address: str, world: World) -> None:
    seed_instances(world.projects[P], 2, [Z])
    _, body = await fetch(
        address,
        f"{P}/aggregated/instances",
        fields="items/*/instances(name,networkInterfaces/networkIP),items/*/warning/code",
    )
    assert body["items"][f"zones/{Z}"] == {
        "instances": [
            {"name": "vm-000000", "networkInterfaces": [{"networkIP": "10.128.0.2"}]},
            {"name": "vm-000001", "networkInterfaces": [{"networkIP": "10.128.0.3"}]},
        ]
    }
    assert body["items"]["zones/us-east1-b"] == {"warning": {"code": "NO_RESULTS_ON_PAGE"}}
    assert set(body) == {"items"}
    status, body = await fetch(address, f"{P}/zones", fields="items(name")
    assert (status, body["error"]["errors"][0]["reason"]) == (400, "invalidParameter")


@pytest.mark.parametrize(
    ("params", "field"),
    [({"maxResults": "501"}, "maxResults"), ({"pageToken": "$$$"}, "pageToken")],
)
async def test_bad_paging(address: str, params: dict[str, str], field: str) -> None:
    status, body = await fetch(address, f"{P}/zones/{Z}/instances", **params)
    assert status == 400
    assert body["error"]["errors"][0]["reason"] == "invalid"
    assert f"'{field}'" in body["error"]["message"]


async def test_a_dead_zone(address: str, world: World) -> None:
    seed_instances(world.projects[P], 30)
    world.dead_zones.add("us-central1-b")
    _, body = await fetch(address, f"{P}/aggregated/instances", returnPartialSuccess="true")
    answer = compute_v1.InstanceAggregatedList.from_json(json.dumps(body))
    assert list(answer.unreachables) == ["zones/us-central1-b"]
    assert answer.items["zones/us-central1-b"].warning.code == "UNREACHABLE"
    assert len(answer.items["zones/us-central1-a"].instances) == 6
    status, body = await fetch(address, f"{P}/aggregated/instances")
    assert (status, body["error"]["errors"][0]["reason"]) == (503, "backendError")
    status, _ = await fetch(address, f"{P}/zones/us-central1-b/instances")
    assert status == 503


async def test_operations_take_time_and_are_waited_for(address: str, world: World) -> None:
    world.operation_seconds = 0.3
    async with aiohttp.ClientSession() as session:
        url = f"{address}/compute/v1/projects/{P}/global/networks"
        body = {"name": "slow", "autoCreateSubnetworks": False}
        async with session.post(url, json=body) as answer:
            operation = await answer.json()
        assert operation["status"] == "RUNNING"
        one = f"{address}/compute/v1/projects/{P}/global/operations/{operation['name']}"
        async with session.get(one) as answer:
            assert (await answer.json())["status"] == "RUNNING"
        async with session.post(f"{one}/wait") as answer:
            done = await answer.json()
        assert (done["status"], done["progress"]) == ("DONE", 100)
        world.wait_limit = 0.0
        async with session.delete(f"{url}/slow") as answer:
            operation = await answer.json()
        one = f"{address}/compute/v1/projects/{P}/global/operations/{operation['name']}"
        async with session.post(f"{one}/wait") as answer:
            assert (await answer.json())["status"] == "RUNNING"


async def test_an_operation_that_fails_half_way(official: Official, world: World) -> None:
    world.operation_faults.append(
        OperationFault(
            operation_type="insert",
            target="/instances/",
            code="ZONE_RESOURCE_POOL_EXHAUSTED",
            message=f"The zone '{Z}' does not have enough resources available.",
        )
    )

    def live() -> None:
        with pytest.raises(exceptions.ServiceUnavailable):
            official.instances.insert(
                project=P, zone=Z, instance_resource=machine("unlucky", Z)
            ).result()
        with pytest.raises(exceptions.NotFound):
            official.instances.get(project=P, zone=Z, instance="unlucky")
        assert not list(official.disks.list(project=P, zone=Z))
        failed = next(
            item
            for item in official.client(compute_v1.ZoneOperationsClient).list(project=P, zone=Z)
            if item.error.errors
        )
        assert failed.error.errors[0].code == "ZONE_RESOURCE_POOL_EXHAUSTED"

    await in_thread(live)


async def test_a_request_id_makes_one_operation(official: Official) -> None:
    def live() -> None:
        again = compute_v1.InsertNetworkRequest(
            project=P,
            request_id=str(uuid.uuid4()),
            network_resource=compute_v1.Network(name="once", auto_create_subnetworks=False),
        )
        first, second = official.networks.insert(again), official.networks.insert(again)
        assert first.name == second.name
        first.result()
        with pytest.raises(exceptions.BadRequest, match="requestId"):
            official.networks.insert(
                compute_v1.InsertNetworkRequest(
                    project=P, request_id="nonsense", network_resource=compute_v1.Network()
                )
            )

    await in_thread(live)


async def test_refusals(official: Official, world: World) -> None:
    world.projects[P].quotas = {"NETWORKS": 1, "INSTANCES": 0}
    world.add_project("off").service_disabled = True
    world.add_project("theirs").denied = True

    def live() -> None:
        with pytest.raises(exceptions.Forbidden, match="Quota 'NETWORKS' exceeded"):
            official.networks.insert(
                project=P,
                network_resource=compute_v1.Network(name="more", auto_create_subnetworks=True),
            )
        with pytest.raises(exceptions.Forbidden) as quota:
            official.instances.insert(
                project=P, zone=Z, instance_resource=machine("more", Z)
            ).result()
        assert "FORBIDDEN" in str(quota.value)
        with pytest.raises(exceptions.Forbidden, match="has not been used in project") as off:
            official.networks.list(project="off")
        assert off.value.reason == "SERVICE_DISABLED"
        with pytest.raises(exceptions.Forbidden, match=r"Required 'compute\.networks\.list'"):
            official.networks.list(project="theirs")
        with pytest.raises(exceptions.NotFound, match="projects/nowhere"):
            official.networks.list(project="nowhere")
        with pytest.raises(exceptions.BadRequest, match="Must be a match of regex"):
            official.networks.insert(
                project=P,
                network_resource=compute_v1.Network(name="No_Good", auto_create_subnetworks=True),
            )
        with pytest.raises(exceptions.BadRequest, match="violates format constraints"):
            official.instances.insert(
                project=P, zone=Z, instance_resource=machine("a", Z, labels={"Env": "x"})
            )
        for wrong, message in (
            (machine("a", Z, image="global/images/none"), "image resource cannot be found"),
            (machine("a", "us-central1-a"), None),
        ):
            if message is None:
                wrong.machine_type = f"zones/{Z}/machineTypes/huge"
                message = "Machine type with name 'huge' does not exist"
            with pytest.raises(exceptions.BadRequest, match=message):
                official.instances.insert(project=P, zone=Z, instance_resource=wrong)

    await in_thread(live)


async def test_rate_limit(address: str, world: World) -> None:
    world.rate_limit = 3
    answers = [await fetch(address, f"{P}/zones") for _ in range(5)]
    refused = [body for status, body in answers if status == 403]
    assert refused
    assert refused[0]["error"]["errors"][0]["reason"] == "rateLimitExceeded"


async def test_tokens_expire(address: str, world: World) -> None:
    world.tokens = {"good": time.time() + 60, "old": time.time() - 1}
    async with aiohttp.ClientSession() as session:
        url = f"{address}/compute/v1/projects/{P}"
        for token, status, reason in (
            ("good", 200, None),
            ("old", 401, "authError"),
            ("", 401, "required"),
        ):
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            async with session.get(url, headers=headers) as answer:
                assert answer.status == status
                body = await answer.json()
                assert reason is None or body["error"]["errors"][0]["reason"] == reason


async def test_request_faults(address: str, world: World) -> None:
    world.request_faults += [
        RequestFault(path=f"GET /compute/v1/projects/{P}/zones"),
        RequestFault(path="/regions", hang_up=True, body=b'{"kind": "comp'),
    ]
    assert (await fetch(address, f"{P}/zones"))[0] == 503
    assert (await fetch(address, f"{P}/zones"))[0] == 200
    with pytest.raises(aiohttp.ClientError):
        await fetch(address, f"{P}/regions")
    assert (await fetch(address, f"{P}/regions"))[0] == 200


async def test_seeding_a_hundred_thousand_is_cheap(world: World) -> None:
    before = time.process_time()
    seed_instances(world.projects[P], 100_000)
    assert time.process_time() - before < 5
    assert world.projects[P].count("instances") == 100_000


def test_the_command_serves_until_it_is_stopped() -> None:
    command = [sys.executable, "-m", "asyncspider_drivers.gcp.emulator", "--instances", "3"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            line = json.loads(process.stdout.readline())
            official = Official(line["address"])
            found = official.instances.aggregated_list(project="demo")
            assert sum(len(scope.instances) for _, scope in found) == 3
            official.close()
        finally:
            process.terminate()
        assert process.wait(10) == 0
