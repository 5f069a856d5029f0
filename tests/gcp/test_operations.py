"""Operations that take time, fail half way, or never end; and what is left behind then."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import msgspec
import pytest

from asyncspider import (
    ConflictError,
    DeadlineExceededError,
    ImageInfo,
    InvalidRequestError,
    KeyPairReqInfo,
    NotSupportedError,
    PublicIPReqInfo,
    QuotaExceededError,
    SecurityReqInfo,
    SecurityRule,
    UnavailableError,
    VMReqInfo,
    VMStatus,
    VNetworkReqInfo,
    VNicInfo,
    connect,
    wait_for_vm,
)
from asyncspider.transport.retry import RetryPolicy
from asyncspider_drivers.gcp.connection import GcpConnection, request_id
from asyncspider_drivers.gcp.emulator import OperationFault, RequestFault, World

P, Z, R = "demo", "us-central1-a", "us-central1"
DEBIAN = ImageInfo(id="debian-cloud/debian-12-bookworm-v20260910")
QUICK = RetryPolicy(unavailable_attempts=2, wait_initial=0.01, wait_max=0.02)


@pytest.fixture
async def connection(address: str) -> AsyncIterator[GcpConnection]:
    credential = {"project_id": P, "access_token": "any-token"}
    async with connect("gcp", credential=credential, endpoint_url=address, zone=Z) as connection:
        assert isinstance(connection, GcpConnection)
        connection.retry_policy = QUICK
        yield connection


def request(_name: str, **more: object) -> VMReqInfo:
    plain = VMReqInfo(name=_name, image_info=DEBIAN, spec_id="e2-small")
    return msgspec.structs.replace(plain, **more)


async def seen(world: World, part: str, count: int) -> None:
    """Wait until the server got that many requests of a kind."""
    with anyio.fail_after(30):
        while sum(part in line for line in world.requests) < count:  # noqa: ASYNC110
            await anyio.sleep(0.01)


def rule(port: int) -> SecurityRule:
    return SecurityRule(
        direction="inbound", protocol="tcp", from_port=port, to_port=port, cidr="10.0.0.0/8"
    )


async def test_a_network_whose_subnet_fails_is_removed_again(
    connection: GcpConnection, world: World
) -> None:
    world.operation_faults.append(
        OperationFault(operation_type="insert", target="/subnetworks/", message="No room.")
    )
    handler = connection.create_vnetwork_handler()
    with pytest.raises(UnavailableError, match="No room") as caught:
        await handler.create_vnetwork(VNetworkReqInfo(name="half"))
    assert caught.value.code == "INTERNAL_ERROR"
    assert caught.value.request_id.startswith("operation-")
    assert [network.id for network in await handler.list_vnetwork()] == ["default"]


async def test_what_can_not_be_removed_again_is_named(
    connection: GcpConnection, world: World
) -> None:
    world.operation_faults += [
        OperationFault(operation_type="insert", target="/subnetworks/", message="No room."),
        OperationFault(operation_type="delete", target="/networks/", message="Not now."),
    ]
    handler = connection.create_vnetwork_handler()
    with pytest.raises(UnavailableError) as caught:
        await handler.create_vnetwork(VNetworkReqInfo(name="half"))
    assert caught.value.message == (
        "No room; network 'half' was left behind, as it could not be removed again: Not now"
    )
    assert {network.id for network in await handler.list_vnetwork()} == {"default", "half"}


async def test_a_cancelled_create_is_undone(connection: GcpConnection, world: World) -> None:
    world.operation_seconds = 0.2
    handler = connection.create_vnetwork_handler()
    with anyio.move_on_after(0.3) as scope:
        await handler.create_vnetwork(VNetworkReqInfo(name="late"))
    assert scope.cancelled_caught
    assert [network.id for network in await handler.list_vnetwork()] == ["default"]


async def test_a_group_of_which_one_rule_fails_is_removed_again(
    connection: GcpConnection, world: World
) -> None:
    world.operation_faults.append(
        OperationFault(operation_type="insert", target="/firewalls/default-web-2")
    )
    handler = connection.create_security_handler()
    rules = [rule(80), rule(81), rule(82)]
    with pytest.raises(UnavailableError):
        await handler.create_security(SecurityReqInfo(name="web", rules=rules))
    assert [group.id for group in await handler.list_security()] == ["default/"]


async def test_an_address_that_can_not_be_given_is_released(
    connection: GcpConnection, world: World
) -> None:
    vm = await connection.create_vm_handler().start_vm(request("web"))
    world.operation_faults.append(OperationFault(operation_type="addAccessConfig"))
    handler = connection.create_public_ip_handler()
    with pytest.raises(UnavailableError):
        await handler.create_public_ip(PublicIPReqInfo(name="ip", vm_id=vm.id))
    assert await handler.list_public_ip() == []


async def test_no_room_for_a_vm(connection: GcpConnection, world: World) -> None:
    world.operation_faults.append(
        OperationFault(
            operation_type="insert",
            target="/instances/",
            code="ZONE_RESOURCE_POOL_EXHAUSTED",
            message=f"The zone '{Z}' does not have enough resources available.",
        )
    )
    handler = connection.create_vm_handler()
    with pytest.raises(UnavailableError, match="enough resources") as caught:
        await handler.start_vm(request("unlucky"))
    assert caught.value.code == "ZONE_RESOURCE_POOL_EXHAUSTED"
    assert await handler.list_vm() == []


async def test_no_quota_for_a_vm(connection: GcpConnection, world: World) -> None:
    world.projects[P].quotas["INSTANCES"] = 1
    handler = connection.create_vm_handler()
    await handler.start_vm(request("first"))
    with pytest.raises(QuotaExceededError, match="INSTANCES"):
        await handler.start_vm(request("second"))
    assert [vm.name for vm in await handler.list_vm()] == ["first"]


async def test_no_quota_for_an_address(connection: GcpConnection, world: World) -> None:
    world.projects[P].quotas["STATIC_ADDRESSES"] = 0
    with pytest.raises(QuotaExceededError, match="STATIC_ADDRESSES"):
        await connection.create_public_ip_handler().create_public_ip(PublicIPReqInfo(name="ip"))


async def test_no_room_to_start_again(connection: GcpConnection, world: World) -> None:
    handler = connection.create_vm_handler()
    vm = await handler.start_vm(request("web"))
    await wait_for_vm(handler, vm.id, VMStatus.RUNNING, interval=0.05)
    await handler.suspend_vm(vm.id)
    await wait_for_vm(handler, vm.id, VMStatus.SUSPENDED, interval=0.05)
    world.operation_faults.append(OperationFault(operation_type="start", message="No room."))
    with pytest.raises(UnavailableError, match="No room"):
        await handler.resume_vm(vm.id)
    assert await handler.get_vm_status(vm.id) is VMStatus.SUSPENDED


async def test_a_machine_that_google_suspended_is_resumed(
    connection: GcpConnection, world: World
) -> None:
    handler = connection.create_vm_handler()
    vm = await handler.start_vm(request("web"))
    await wait_for_vm(handler, vm.id, VMStatus.RUNNING, interval=0.05)
    native = await connection.native_client()
    await anyio.to_thread.run_sync(
        lambda: native.suspend(project=P, zone=Z, instance="web").result()
    )
    [status] = await handler.list_vm_status()
    assert (status.status, status.native_status) == (VMStatus.SUSPENDED, "SUSPENDED")
    await handler.resume_vm(vm.id)
    await wait_for_vm(handler, vm.id, VMStatus.RUNNING, interval=0.05)
    assert any("/instances/web/resume" in line for line in world.requests)


async def test_an_operation_that_does_not_end(connection: GcpConnection, world: World) -> None:
    world.operation_seconds = 1000.0
    body = b'{"name": "slow", "autoCreateSubnetworks": false}'
    operation = await connection.write("POST", "global/networks", "networks.insert", body)
    with pytest.raises(DeadlineExceededError, match="it goes on as operation") as caught:
        await connection.finish(operation, "global/networks", "networks.insert", deadline=0.1)
    assert caught.value.request_id == operation.name


async def test_a_wait_that_answers_early_is_asked_again(
    connection: GcpConnection, world: World
) -> None:
    world.operation_seconds, world.wait_limit = 0.3, 0.01
    await connection.create_vnetwork_handler().create_vnetwork(VNetworkReqInfo(name="patient"))
    assert sum("/wait" in line for line in world.requests) > 2


async def test_waiting_takes_no_place_of_working(connection: GcpConnection, world: World) -> None:
    world.operation_seconds = 0.5
    connection.limiter.configure(2)
    handler = connection.create_public_ip_handler()
    async with anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(handler.create_public_ip, PublicIPReqInfo(name=f"ip-{number}"))
        await seen(world, "/wait", 20)
        with anyio.fail_after(10):
            assert await connection.is_connected()
    assert len(await handler.list_public_ip()) == 20


async def test_a_lost_answer_makes_nothing_twice(connection: GcpConnection, world: World) -> None:
    """Sent again after a 503: with the same request id, so that it can be done once only."""
    world.request_faults.append(RequestFault(path="POST /compute/v1/projects/demo/regions"))
    handler = connection.create_public_ip_handler()
    made = await handler.create_public_ip(PublicIPReqInfo(name="once"))
    assert [ip.id for ip in await handler.list_public_ip()] == [made.id]
    inserts = [line for line in world.requests if line.startswith("POST") and "addresses?" in line]
    assert len(inserts) == 2
    assert len({line.partition("requestId=")[2].partition("&")[0] for line in inserts}) == 1


def test_request_ids() -> None:
    uuid = "2f1e0f4e-8d3c-4a57-9c5e-0d1f2a3b4c5d"
    assert request_id(uuid) == uuid
    assert request_id("deploy-7") == request_id("deploy-7") != request_id("deploy-8")
    assert request_id("") != request_id("")


async def test_keys_made_at_the_same_time_by_two(address: str, world: World) -> None:
    credential = {"project_id": P, "access_token": "any-token"}
    async with (
        connect("gcp", credential=credential, endpoint_url=address) as first,
        connect("gcp", credential=credential, endpoint_url=address) as second,
        anyio.create_task_group() as group,
    ):
        for connection, who in ((first, "a"), (second, "b")):
            for number in range(5):
                group.start_soon(
                    connection.create_key_pair_handler().create_key,
                    KeyPairReqInfo(name=f"{who}-{number}"),
                )
    async with connect("gcp", credential=credential, endpoint_url=address) as third:
        keys = await third.create_key_pair_handler().list_key()
    assert len({key.id for key in keys}) == 10


async def test_metadata_that_always_changes(connection: GcpConnection, world: World) -> None:
    stale = (
        b'{"error": {"code": 412, "message": "Supplied fingerprint does not match current '
        b'metadata fingerprint.", "errors": [{"reason": "conditionNotMet"}]}}'
    )
    world.request_faults.append(
        RequestFault(path="setCommonInstanceMetadata", status=412, body=stale, times=3)
    )
    handler = connection.create_key_pair_handler()
    await handler.create_key(KeyPairReqInfo(name="stubborn"))
    assert [key.id for key in await handler.list_key()] == ["stubborn"]


async def test_bad_rules(connection: GcpConnection, world: World) -> None:
    handler = connection.create_security_handler()
    for wrong, words in (
        (SecurityRule(direction="inbound", protocol="icmp", from_port=8, to_port=0), "icmp"),
        (SecurityRule(direction="inbound", protocol="all", from_port=1, to_port=2), "all"),
        (SecurityRule(direction="outbound", protocol="tcp", group="default/web"), "outbound"),
        (SecurityRule(direction="inbound", protocol="tcp", cidr="10.0.0.0/99"), "CIDR"),
    ):
        with pytest.raises(InvalidRequestError, match=words):
            await handler.create_security(SecurityReqInfo(name="web", rules=[rule(80), wrong]))
    with pytest.raises(InvalidRequestError, match="network tag"):
        await handler.create_security(SecurityReqInfo(name="Web Servers"))
    assert [group.id for group in await handler.list_security()] == ["default/"]


async def test_a_rule_of_two_groups_outlives_one(connection: GcpConnection) -> None:
    handler = connection.create_security_handler()
    await handler.create_security(SecurityReqInfo(name="web", rules=[rule(80)]))
    native = await connection.native_client("FirewallsClient")
    firewall = await anyio.to_thread.run_sync(
        lambda: native.get(project=P, firewall="default-web-1")
    )
    firewall.target_tags = ["web", "api"]
    await anyio.to_thread.run_sync(
        lambda: native.patch(
            project=P, firewall="default-web-1", firewall_resource=firewall
        ).result()
    )
    assert await handler.delete_security("default/web") is True
    assert [group.id for group in await handler.list_security()] == ["default/", "default/api"]
    assert (await handler.get_security("default/api")).rules == [rule(80)]


async def test_a_group_that_another_names_is_in_use(connection: GcpConnection) -> None:
    handler = connection.create_security_handler()
    await handler.create_security(SecurityReqInfo(name="lb"))
    from_lb = SecurityRule(direction="inbound", protocol="tcp", group="default/lb")
    web = await handler.create_security(SecurityReqInfo(name="web", rules=[from_lb]))
    assert web.rules == [msgspec.structs.replace(from_lb, group="lb")]
    with pytest.raises(ConflictError, match="security group default/web"):
        await handler.delete_security("default/lb")
    await handler.delete_security("default/web")
    assert await handler.delete_security("default/lb") is True


async def test_a_group_without_rules_is_there(connection: GcpConnection) -> None:
    handler = connection.create_security_handler()
    made = await handler.create_security(SecurityReqInfo(name="empty", description="for later"))
    assert (made.rules, made.id) == ([], "default/empty")
    assert made.description.startswith("for later")


async def test_a_vm_with_everything(connection: GcpConnection, world: World) -> None:
    network = await connection.create_vnetwork_handler().create_vnetwork(
        VNetworkReqInfo(name="net", cidr_block="10.9.0.0/20")
    )
    group = await connection.create_security_handler().create_security(
        SecurityReqInfo(name="web", vnetwork_id="net", rules=[rule(80)])
    )
    key = await connection.create_key_pair_handler().create_key(KeyPairReqInfo(name="me"))
    address = await connection.create_public_ip_handler().create_public_ip(
        PublicIPReqInfo(name="ip")
    )
    handler = connection.create_vm_handler()
    vm = await handler.start_vm(
        request(
            "web",
            vnetwork_info=network,
            security_info=group,
            security_infos=[group],
            key_pair_info=key,
            public_ip_info=address,
            tags={"env": "test"},
            user_data="#cloud-config\nhostname: é\n",
        )
    )
    await wait_for_vm(handler, vm.id, VMStatus.RUNNING, interval=0.05)
    vm = await handler.get_vm(vm.id)
    assert vm.public_ip == address.public_ip
    assert vm.private_ip.startswith("10.9.")
    assert (vm.vnetwork_id, vm.subnetwork_id) == ("net", f"{R}/net")
    assert vm.security_ids == ["net/web"]
    assert (vm.key_pair_id, vm.guest_user_id) == ("me", "asyncspider")
    assert vm.tags == {"env": "test"}
    assert vm.image_id == DEBIAN.id
    stored = world.projects[P].find(f"zones/{Z}", "instances", "web")
    items = {item["key"]: item["value"] for item in stored["metadata"]["items"]}
    assert items["user-data"] == "#cloud-config\nhostname: é\n"
    with pytest.raises(ConflictError, match=f"VM {Z}/web"):
        await connection.create_vnetwork_handler().delete_vnetwork("net")
    with pytest.raises(ConflictError, match=f"VM {Z}/web"):
        await connection.create_security_handler().delete_security("net/web")


@pytest.mark.parametrize(
    ("more", "kind", "words"),
    [
        ({"vnic_info": VNicInfo(id=f"{Z}/a/nic0")}, NotSupportedError, "only inside VMs"),
        ({"subnetwork_id": "us-east1/default"}, InvalidRequestError, "not in region"),
        ({"tags": {"Env": "x"}}, InvalidRequestError, "format constraints"),
        ({"name": "No_Good"}, InvalidRequestError, "resource.name"),
    ],
)
async def test_vms_that_are_refused(
    connection: GcpConnection, more: dict[str, object], kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        await connection.create_vm_handler().start_vm(request("web", **more))
    assert await connection.create_vm_handler().list_vm() == []


async def test_a_project_without_a_zone(address: str) -> None:
    credential = {"project_id": P, "access_token": "any-token"}
    async with connect("gcp", credential=credential, endpoint_url=address) as connection:
        with pytest.raises(InvalidRequestError, match="no zone"):
            await connection.create_vm_handler().start_vm(request("web"))
        with pytest.raises(InvalidRequestError, match="needs a region"):
            await connection.create_public_ip_handler().create_public_ip(PublicIPReqInfo(name="ip"))
        with pytest.raises(InvalidRequestError, match="needs a region"):
            await connection.create_vnetwork_handler().create_vnetwork(
                VNetworkReqInfo(name="net", cidr_block="10.0.0.0/16")
            )
        network = await connection.create_vnetwork_handler().create_vnetwork(
            VNetworkReqInfo(name="auto")
        )
        assert len(network.subnets) == 3
        assert await connection.create_vnetwork_handler().delete_vnetwork("auto") is True


async def test_writes_end_with_the_connection(address: str, world: World) -> None:
    world.operation_seconds = 1000.0
    credential = {"project_id": P, "access_token": "any-token"}
    connection = await connect("gcp", credential=credential, endpoint_url=address, zone=Z)
    errors: list[InvalidRequestError] = []

    async def create() -> None:
        try:
            await connection.create_public_ip_handler().create_public_ip(PublicIPReqInfo(name="a"))
        except InvalidRequestError as error:
            errors.append(error)

    async with anyio.create_task_group() as group:
        group.start_soon(create)
        await seen(world, "/wait", 1)
        await connection.close()
    assert [error.code for error in errors] == ["ConnectionClosed"]
    # It could not be taken back either, and says so.
    assert "'us-central1/a' was left behind" in errors[0].message
