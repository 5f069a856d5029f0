"""The mock cloud: what is in it, how time passes, what it refuses."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from asyncspider import (
    AnyInfo,
    AuthenticationError,
    ConflictError,
    ConnectionInfo,
    CredentialInfo,
    ImageInfo,
    ImageReqInfo,
    InvalidRequestError,
    KeyPairInfo,
    KeyPairReqInfo,
    NotEnabledError,
    NotFoundError,
    NotSupportedError,
    PartialListError,
    PermissionDeniedError,
    PublicIPReqInfo,
    QuotaExceededError,
    RegionInfo,
    Resource,
    Secret,
    SecurityInfo,
    SecurityReqInfo,
    SecurityRule,
    SpiderError,
    ThrottledError,
    UnavailableError,
    VMInfo,
    VMReqInfo,
    VMStatus,
    VNetworkReqInfo,
    VNicReqInfo,
    connect,
)
from asyncspider.transport.retry import RetryPolicy
from asyncspider_drivers.mock import Clock, MockConnection, MockDriver, World, named_world
from asyncspider_drivers.mock.region import STATUS, Region


async def connected(world: World, region: str = "", zone: str = "") -> MockConnection:
    info = ConnectionInfo(region_info=RegionInfo(region=region, zone=zone))
    connection = await MockDriver(world).connect_cloud(info)
    assert isinstance(connection, MockConnection)
    connection.retry_policy = RetryPolicy(throttled_attempts=1, unavailable_attempts=1, budget=0)
    return connection


@pytest.fixture
def world() -> World:
    return World(vms=20, page_size=7, clock=Clock(running=False))


@pytest.fixture
async def conn(world: World) -> AsyncIterator[MockConnection]:
    async with await connected(world) as connection:
        yield connection


async def everything(connection: MockConnection) -> dict[Resource, list[AnyInfo]]:
    return {
        resource: [item async for page in connection.pages(resource) for item in page.items]
        for resource in Resource
    }


async def request(connection: MockConnection, **changes: Any) -> VMReqInfo:
    images = await connection.create_image_handler().list_image()
    plain = VMReqInfo(name="new", image_info=ImageInfo(id=images[0].id), spec_id="mock.small")
    return replace(plain, **changes)


def by_id(items: list[AnyInfo]) -> dict[str, Any]:
    return {item.id: item for item in items}


# -- what is in it


def check_references(content: dict[Resource, list[AnyInfo]]) -> None:
    """Everything that a thing names is there, and points back."""
    images, networks, groups, keys, vnics, addresses, vms = (
        by_id(content[resource]) for resource in Resource
    )
    subnets = {subnet.id: network.id for network in networks.values() for subnet in network.subnets}
    addresses_by_vnic: dict[str, Any] = {}
    for address in addresses.values():
        if address.vnic_id:
            assert address.vnic_id not in addresses_by_vnic
            addresses_by_vnic[address.vnic_id] = address
            vnic = vnics[address.vnic_id]
            assert vnic.public_ip == address.public_ip
            assert vnic.vm_id == address.vm_id
            assert vnic.private_ip == address.private_ip
        else:
            assert (address.vm_id, address.private_ip) == ("", "")
    for vnic in vnics.values():
        assert subnets[vnic.subnetwork_id] == vnic.vnetwork_id
        assert all(groups[id].vnetwork_id == vnic.vnetwork_id for id in vnic.security_ids)
        assert bool(vnic.public_ip) == (vnic.id in addresses_by_vnic)
        if vnic.vm_id:
            assert vms[vnic.vm_id].vnic == vnic.id
    for group in groups.values():
        assert group.vnetwork_id in networks
        assert all(rule.group in groups for rule in group.rules if rule.group)
    for vm in vms.values():
        assert vm.status is STATUS[vm.native_status]
        assert vm.image_id in images or vm.key_pair_id == ""
        if vm.status is VMStatus.TERMINATED:
            assert (vm.vnic, vm.public_ip, vm.private_ip) == ("", "", "")
            continue
        vnic = vnics[vm.vnic]
        assert vnic.vm_id == vm.id
        assert (vm.private_ip, vm.public_ip) == (vnic.private_ip, vnic.public_ip)
        assert vm.security_ids == vnic.security_ids
        assert (vm.vnetwork_id, vm.subnetwork_id) == (vnic.vnetwork_id, vnic.subnetwork_id)
        assert vm.key_pair_id in keys or vm.key_pair_id == ""
    private = Counter((vnic.subnetwork_id, vnic.private_ip) for vnic in vnics.values())
    assert set(private.values()) <= {1}
    assert len({address.public_ip for address in addresses.values()}) == len(addresses)


@pytest.mark.parametrize("vms", [0, 1, 2, 499, 1000, 2500])
async def test_a_seeded_world_is_consistent(vms: int) -> None:
    async with await connected(World(vms=vms, zones=3)) as connection:
        content = await everything(connection)
    check_references(content)
    assert len(content[Resource.VM]) == len(content[Resource.VNIC]) == vms
    assert len({vm.region.zone for vm in content[Resource.VM] if isinstance(vm, VMInfo)}) == min(
        vms, 3
    )


async def test_the_same_seed_is_the_same_world_and_another_is_not() -> None:
    async def read(**values: Any) -> dict[Resource, list[AnyInfo]]:
        async with await connected(World(vms=100, **values)) as connection:
            return await everything(connection)

    assert await read() == await read()
    assert (await read(seed=1))[Resource.VM] != (await read())[Resource.VM]
    accounts = ("one", "two")
    assert await read(accounts=accounts, account="one") != await read(
        accounts=accounts, account="two"
    )


async def test_ids_of_regions_differ() -> None:
    world = World(regions=30, vms=10)
    ids: list[str] = []
    for region in world.regions:
        async with await connected(world, region) as connection:
            ids += [vm.id for vm in await connection.create_vm_handler().list_vm()]
    assert len(set(ids)) == 300


async def test_a_page_makes_only_its_own_machines() -> None:
    world = World(vms=300_000, page_size=100)
    made: list[int] = []
    table = world.region(world.regions[0]).vms
    make = table._make
    table._make = lambda number, id: (made.append(number), make(number, id))[1]
    async with await connected(world) as connection:
        handler = connection.create_vm_handler()
        pages = connection.pages(Resource.VM)
        await anext(pages)
        await anext(pages)
        await pages.aclose()
        assert made == list(range(200))
        vm = await handler.get_vm(table.id_of(299_999))
    assert made[200:] == [299_999]
    assert vm.name.endswith("299999")


def test_the_table_stays_small_where_nothing_changed() -> None:
    world = World(regions=10_000, vms=300_000)
    region: Region = world.region(world.regions[-1])
    assert len(region.vms) == 300_000
    assert list(region.vms.changed()) == []


# -- time


async def test_a_machine_takes_its_time(world: World, conn: MockConnection) -> None:
    handler = conn.create_vm_handler()
    vm = await handler.start_vm(await request(conn))
    steps = [
        (None, "PENDING", "starting", "RUNNING"),
        (handler.suspend_vm, "SUSPENDING", "stopping", "SUSPENDED"),
        (handler.resume_vm, "PENDING", "starting", "RUNNING"),
        (handler.reboot_vm, "REBOOTING", "rebooting", "RUNNING"),
        (handler.terminate_vm, "TERMINATING", "deleting", "TERMINATED"),
    ]
    for call, at_once, native, later in steps:
        if call is not None:
            assert await call(vm.id) == at_once
        world.advance(0.9)
        seen = await handler.get_vm(vm.id)
        assert (seen.status, seen.native_status) == (at_once, native)
        world.advance(0.2)
        assert await handler.get_vm_status(vm.id) == later
    assert await handler.terminate_vm(vm.id) is VMStatus.TERMINATED
    world.advance(1)
    with pytest.raises(NotFoundError):
        await handler.get_vm(vm.id)


async def test_much_time_passes_all_states(world: World, conn: MockConnection) -> None:
    handler = conn.create_vm_handler()
    vm = await handler.start_vm(await request(conn))
    await handler.terminate_vm(vm.id)
    world.advance(3600)
    assert vm.id not in [status.id for status in await handler.list_vm_status()]


async def test_start_time_is_the_last_start(world: World, conn: MockConnection) -> None:
    handler = conn.create_vm_handler()
    world.advance(100)
    vm = await handler.start_vm(await request(conn))
    assert vm.start_time == world.now()
    world.advance(10)
    await handler.suspend_vm(vm.id)
    world.advance(10)
    await handler.resume_vm(vm.id)
    assert (await handler.get_vm(vm.id)).start_time == world.now()


async def test_states_forbid_calls(world: World, conn: MockConnection) -> None:
    handler = conn.create_vm_handler()
    vm = await handler.start_vm(await request(conn))
    for call in (handler.suspend_vm, handler.resume_vm, handler.reboot_vm):
        with pytest.raises(ConflictError, match="PENDING") as caught:
            await call(vm.id)
        assert caught.value.code == "IncorrectState"


def test_time_does_not_go_back(world: World) -> None:
    with pytest.raises(ValueError, match="back"):
        world.advance(-1)


async def test_a_running_clock_runs() -> None:
    world = World()
    before = world.now()
    with anyio.fail_after(10):
        while world.now() == before:
            await anyio.lowlevel.checkpoint()


# -- references


OPERATIONS = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 10**6)), max_size=40)


@settings(max_examples=60, deadline=None)
@given(operations=OPERATIONS)
def test_whatever_is_done_references_hold(operations: list[tuple[int, int]]) -> None:
    async def main() -> None:
        world = World(vms=9, zones=2, clock=Clock(running=False))
        async with await connected(world) as conn:
            for number, (operation, dice) in enumerate(operations):
                content = await everything(conn)
                with suppress(ConflictError, NotFoundError, InvalidRequestError):
                    await act(world, conn, content, operation, dice, f"name-{number}")
                check_references(await everything(conn))

    asyncio.run(main())


async def act(
    world: World,
    conn: MockConnection,
    content: dict[Resource, list[AnyInfo]],
    operation: int,
    dice: int,
    name: str,
) -> None:
    def pick(resource: Resource) -> Any:
        items = content[resource]
        return items[dice % len(items)] if items else ImageInfo(id="none")

    vm_handler = conn.create_vm_handler()
    match operation:
        case 0:
            world.advance(dice % 3)
        case 1:
            free = [nic for nic in content[Resource.VNIC] if not getattr(nic, "vm_id", "")]
            await vm_handler.start_vm(
                await request(
                    conn,
                    name=name,
                    vnic_info=free[0] if free and dice % 2 else None,
                    public_ip_info=pick(Resource.PUBLIC_IP) if dice % 3 == 0 else None,
                )
            )
        case 2:
            await vm_handler.terminate_vm(pick(Resource.VM).id)
        case 3:
            await vm_handler.suspend_vm(pick(Resource.VM).id)
        case 4:
            await conn.create_public_ip_handler().delete_public_ip(pick(Resource.PUBLIC_IP).id)
        case 5:
            await conn.create_public_ip_handler().create_public_ip(
                PublicIPReqInfo(
                    name=name,
                    vm_id=pick(Resource.VM).id if dice % 2 else None,
                    vnic_id=pick(Resource.VNIC).id if dice % 5 == 0 else None,
                )
            )
        case 6:
            network = pick(Resource.VNETWORK)
            await conn.create_vnic_handler().create_vnic(
                VNicReqInfo(name=name, subnetwork_id=network.subnets[-1].id if dice % 2 else "")
            )
        case 7:
            await conn.create_vnic_handler().delete_vnic(pick(Resource.VNIC).id)
        case 8:
            await conn.create_vnetwork_handler().create_vnetwork(VNetworkReqInfo(name=name))
        case 9:
            await conn.create_vnetwork_handler().delete_vnetwork(pick(Resource.VNETWORK).id)
        case 10:
            await conn.create_security_handler().create_security(
                SecurityReqInfo(
                    name=name,
                    vnetwork_id=pick(Resource.VNETWORK).id,
                    rules=[
                        SecurityRule(
                            direction="inbound", protocol="all", group=pick(Resource.SECURITY).id
                        )
                    ],
                )
            )
        case _:
            await conn.create_security_handler().delete_security(pick(Resource.SECURITY).id)


async def test_what_is_in_use_is_named(world: World, conn: MockConnection) -> None:
    content = await everything(conn)
    network, group = content[Resource.VNETWORK][0], content[Resource.SECURITY][0]
    vnic = content[Resource.VNIC][0]
    with pytest.raises(ConflictError, match=vnic.id):
        await conn.create_vnetwork_handler().delete_vnetwork(network.id)
    with pytest.raises(ConflictError, match=vnic.id):
        await conn.create_security_handler().delete_security(group.id)
    with pytest.raises(ConflictError, match=content[Resource.VM][0].id):
        await conn.create_vnic_handler().delete_vnic(vnic.id)
    mine = await conn.create_vnetwork_handler().create_vnetwork(VNetworkReqInfo(name="mine"))
    inside = await conn.create_security_handler().create_security(
        SecurityReqInfo(name="inside", vnetwork_id=mine.id)
    )
    with pytest.raises(ConflictError, match=inside.id):
        await conn.create_vnetwork_handler().delete_vnetwork(mine.id)


async def test_a_terminated_machine_lets_go(world: World, conn: MockConnection) -> None:
    network = await conn.create_vnetwork_handler().create_vnetwork(VNetworkReqInfo(name="mine"))
    handler = conn.create_vm_handler()
    vm = await handler.start_vm(await request(conn, vnetwork_info=network))
    await handler.terminate_vm(vm.id)
    with pytest.raises(ConflictError, match=vm.vnic):
        await conn.create_vnetwork_handler().delete_vnetwork(network.id)
    world.advance(1)
    assert await conn.create_vnetwork_handler().delete_vnetwork(network.id)
    with pytest.raises(NotFoundError):
        await conn.create_vnic_handler().get_vnic(vm.vnic)


async def test_what_a_request_names_must_be_there(conn: MockConnection) -> None:
    handler = conn.create_vm_handler()
    groups = await conn.create_security_handler().list_security()
    other = await conn.create_vnetwork_handler().create_vnetwork(VNetworkReqInfo(name="other"))
    wrong: list[tuple[dict[str, Any], type[SpiderError]]] = [
        ({"image_info": ImageInfo(id="image-x")}, NotFoundError),
        ({"key_pair_info": KeyPairInfo(id="key-x")}, NotFoundError),
        ({"security_info": SecurityInfo(id="sec-x")}, NotFoundError),
        ({"subnetwork_id": "subnet-x"}, NotFoundError),
        ({"vnetwork_info": other, "security_info": groups[0]}, InvalidRequestError),
        ({"spec_id": "mock.gigantic"}, InvalidRequestError),
    ]
    for changes, kind in wrong:
        with pytest.raises(kind):
            await handler.start_vm(await request(conn, **changes))
    assert len(await handler.list_vm()) == 20, "and nothing was made"
    assert len(await conn.create_vnic_handler().list_vnic()) == 20


async def test_an_address_is_taken_from_its_machine(conn: MockConnection) -> None:
    handler = conn.create_public_ip_handler()
    address = (await handler.list_public_ip())[0]
    with pytest.raises(ConflictError, match=address.public_ip.replace(".", r"\.")):
        await handler.create_public_ip(PublicIPReqInfo(name="second", vm_id=address.vm_id))
    await handler.delete_public_ip(address.id)
    vm = await conn.create_vm_handler().get_vm(address.vm_id)
    assert (vm.public_ip, vm.public_dns) == ("", "")
    again = await handler.create_public_ip(PublicIPReqInfo(name="second", vm_id=vm.id))
    assert again.vm_id == vm.id


async def test_an_idempotency_token_of_another_request_is_refused(conn: MockConnection) -> None:
    handler = conn.create_vm_handler()
    first = await handler.start_vm(await request(conn, idempotency_token="t"))
    assert (await handler.start_vm(await request(conn, idempotency_token="t"))).id == first.id
    with pytest.raises(InvalidRequestError, match="token"):
        await handler.start_vm(await request(conn, name="else", idempotency_token="t"))


@pytest.mark.parametrize(
    "rule",
    [
        SecurityRule(direction="inbound", protocol="tcp", from_port=80, to_port=70, cidr="::/0"),
        SecurityRule(direction="inbound", protocol="tcp", from_port=-1, to_port=70, cidr="::/0"),
        SecurityRule(direction="inbound", protocol="udp", from_port=1, to_port=65536, cidr="::/0"),
        SecurityRule(direction="outbound", protocol="all", cidr="10.0.0.1/8"),
        SecurityRule(direction="outbound", protocol="all"),
        SecurityRule(direction="outbound", protocol="all", cidr="::/0", group="sec-1"),
    ],
)
async def test_impossible_rules_are_refused(conn: MockConnection, rule: SecurityRule) -> None:
    handler = conn.create_security_handler()
    with pytest.raises(InvalidRequestError):
        await handler.create_security(SecurityReqInfo(name="g", rules=[rule]))
    assert "g" not in [group.name for group in await handler.list_security()]


@pytest.mark.parametrize("cidr", ["10.0.0.0", "10.0.0.0/7", "10.0.0.0/29", "10.0.0.1/16", "::/64"])
async def test_impossible_networks_are_refused(conn: MockConnection, cidr: str) -> None:
    with pytest.raises(InvalidRequestError, match="cidr_block"):
        await conn.create_vnetwork_handler().create_vnetwork(
            VNetworkReqInfo(name="n", cidr_block=cidr)
        )


async def test_a_subnet_has_only_so_many_addresses(conn: MockConnection) -> None:
    small = await conn.create_vnetwork_handler().create_vnetwork(
        VNetworkReqInfo(name="small", cidr_block="192.168.0.0/28")
    )
    handler = conn.create_vnic_handler()
    for number in range(11):
        await handler.create_vnic(VNicReqInfo(name=f"n{number}", subnetwork_id=small.subnets[0].id))
    with pytest.raises(QuotaExceededError, match="free address"):
        await handler.create_vnic(VNicReqInfo(name="n", subnetwork_id=small.subnets[0].id))


async def test_public_images_are_somebody_elses(conn: MockConnection) -> None:
    handler = conn.create_image_handler()
    own = await handler.list_image()
    public = await handler.list_image(owners=["mock-public"])
    both = await handler.list_image(owners=["self", "mock-public"])
    assert [image.public for image in own] == [False] * 3
    assert [image.public for image in public] == [True] * 3
    assert both == own + public
    assert await handler.list_image(owners=["nobody"]) == []
    assert await handler.get_image(public[0].id) == public[0]
    with pytest.raises(PermissionDeniedError):
        await handler.delete_image(public[0].id)
    with pytest.raises(InvalidRequestError, match="vm_id"):
        await handler.create_image(ImageReqInfo(name="of nothing"))


async def test_names_must_not_be_empty(conn: MockConnection) -> None:
    with pytest.raises(InvalidRequestError, match="name"):
        await conn.create_key_pair_handler().create_key(KeyPairReqInfo(name=""))


# -- places


async def test_a_zone_of_the_connection() -> None:
    world = World(regions=("r",), vms=40, zones=4)
    async with await connected(world, "r", "r-c") as connection:
        handler = connection.create_vm_handler()
        vms = await handler.list_vm()
        assert {vm.region.zone for vm in vms} == {"r-c"}
        assert len(vms) == len(await handler.list_vm_status()) == 10
        made = await handler.start_vm(await request(connection))
        assert made.region == RegionInfo(region="r", zone="r-c")


@pytest.mark.parametrize(("region", "zone"), [("nowhere", ""), ("r", "r-x"), ("r", "q-a")])
async def test_a_place_that_is_none(region: str, zone: str) -> None:
    world = World(regions=("r", "q"))
    with pytest.raises(InvalidRequestError, match=zone or region):
        await connected(world, region, zone)


async def test_dead_zones() -> None:
    world = World(regions=("r",), vms=10, zones=2, dead_zones=("r-b",))
    async with await connected(world) as connection:
        for handler_list in (
            connection.create_vm_handler().list_vm,
            connection.create_vm_handler().list_vm_status,
            connection.create_vnic_handler().list_vnic,
        ):
            with pytest.raises(PartialListError, match="r-b") as caught:
                await handler_list()
            assert len(caught.value.items) == 5
            [lost] = caught.value.unreachable
            assert (lost.region, lost.zone) == ("r", "r-b")
            assert isinstance(lost.error, UnavailableError)
        hidden = world.region("r").vms.id_of(9)
        with pytest.raises(UnavailableError):
            await connection.create_vm_handler().get_vm(hidden)


async def test_places_that_refuse() -> None:
    world = World(regions=("ok", "no-1", "no-2", "off", "dead"), denied=("no-*",),
                  not_enabled=("off",), dead=("dead",))  # fmt: skip
    kinds = {
        "no-1": PermissionDeniedError,
        "no-2": PermissionDeniedError,
        "off": NotEnabledError,
        "dead": UnavailableError,
    }
    for region, kind in kinds.items():
        async with await connected(world, region) as connection:
            with pytest.raises(kind, match=region):
                await connection.create_vm_handler().list_vm()
    regions = await MockDriver(world).list_regions(ConnectionInfo())
    assert [region.region for region in regions] == ["ok", "no-1", "no-2", "dead"]


# -- how it treats requests


async def test_tokens() -> None:
    driver = MockDriver(World(require_token=Secret("right-token")))
    for token, words in (("wrong-token", "wrong"), ("", "missing")):
        values = {"token": token} if token else {}
        info = ConnectionInfo(credential_info=CredentialInfo(key_values=values))
        async with driver.connect_cloud(info) as connection:
            assert not await connection.is_connected()
            with pytest.raises(AuthenticationError, match=words) as caught:
                await connection.create_vm_handler().list_vm()
            assert "token" not in str(caught.value).replace("the token", "")
        with pytest.raises(AuthenticationError):
            await driver.list_regions(info)


async def test_throttling_follows_the_clock() -> None:
    world = World(rate=2, burst=3, clock=Clock(running=False))
    async with await connected(world) as connection:
        handler = connection.create_key_pair_handler()
        for _ in range(3):
            await handler.list_key()
        with pytest.raises(ThrottledError) as caught:
            await handler.list_key()
        assert caught.value.retry_after == pytest.approx(0.5)
        assert caught.value.status == 503
        world.advance(0.5)
        await handler.list_key()
        with pytest.raises(ThrottledError):
            await handler.list_key()
        async with await connected(world, world.regions[1]) as elsewhere:
            await elsewhere.create_key_pair_handler().list_key()


async def test_faults_are_as_likely_as_told_and_the_same_for_a_seed() -> None:
    async def failures(seed: int) -> list[int]:
        world = World(seed=seed, faults={"list_key": 0.25})
        async with await connected(world) as connection:
            failed: list[int] = []
            for number in range(400):
                try:
                    await connection.create_key_pair_handler().list_key()
                except UnavailableError:
                    failed.append(number)
                await connection.create_security_handler().list_security()
        return failed

    assert 60 < len(await failures(1)) < 140
    assert await failures(1) == await failures(1)
    assert await failures(1) != await failures(2)


async def test_the_next_requests_can_be_made_to_fail(world: World, conn: MockConnection) -> None:
    world.fail("list_*", ThrottledError("now"), times=2)
    world.fail("get_vm", PermissionDeniedError("never"), region="elsewhere-*")
    with pytest.raises(ThrottledError, match="now"):
        await conn.create_key_pair_handler().list_key()
    with pytest.raises(ThrottledError, match="now") as caught:
        await conn.create_vm_handler().list_vm()
    assert (caught.value.driver, caught.value.operation) == ("mock", "list_vm")
    assert await conn.create_vm_handler().list_vm()
    assert await conn.create_vm_handler().get_vm(world.region(world.regions[0]).vms.id_of(0))


async def test_faults_are_overcome_by_trying_again() -> None:
    world = World(vms=5)
    world.fail("list_vm", UnavailableError("down"), times=1)
    async with MockDriver(world).connect_cloud(ConnectionInfo()) as connection:
        assert len(await connection.create_vm_handler().list_vm()) == 5
    assert world.traffic.requests == 2


async def test_a_quota() -> None:
    world = World(vms=2, max_vms=3, clock=Clock(running=False))
    async with await connected(world) as connection:
        handler = connection.create_vm_handler()
        vm = await handler.start_vm(await request(connection))
        with pytest.raises(QuotaExceededError, match="3 VMs"):
            await handler.start_vm(await request(connection))
        await handler.terminate_vm(vm.id)
        world.advance(5)
        await handler.start_vm(await request(connection))


async def test_traffic_is_counted(world: World, conn: MockConnection) -> None:
    await conn.create_vm_handler().list_vm()
    assert world.traffic.requests == world.traffic_of(world.regions[0]).requests == 3
    assert world.traffic_of(world.regions[1]).requests == 0
    assert (world.traffic.in_flight, world.traffic.peak) == (0, 1)


async def test_it_has_no_client_of_its_own(conn: MockConnection) -> None:
    with pytest.raises(NotSupportedError):
        await conn.native_client()


# -- how it is made


@pytest.mark.parametrize(
    "values",
    [
        {"vms": "many"},
        {"vms": "-1"},
        {"vms": "10000000"},
        {"regions": "0"},
        {"regions": "-3"},
        {"regions": ","},
        {"zones": "17"},
        {"page_size": "0"},
        {"latency": "-0.1"},
        {"rate": "0"},
        {"faults": "2"},
        {"faults": "list_vm=often"},
        {"account": "nobody"},
        {"world": "no such world"},
    ],
)
async def test_a_value_that_is_none_for_its_key(values: dict[str, str]) -> None:
    [key] = values
    with pytest.raises(InvalidRequestError, match=key):
        connect("mock", credential=values)


async def test_credential_keys_make_a_world() -> None:
    values = {
        "regions": "north, south",
        "zones": "1",
        "vms": "3",
        "page_size": "2",
        "faults": "list_key=1,list_i*=0.0",
        "denied": "south",
        "max_vms": "3",
    }
    async with connect("mock", credential=values) as connection:
        assert isinstance(connection, MockConnection)
        config = connection.world.config
        assert connection.world.regions == ["north", "south"]
        assert (config.vms, config.page_size, config.max_vms) == (3, 2, 3)
        assert config.faults == {"list_key": 1.0, "list_i*": 0.0}
        assert len(await connection.create_vm_handler().list_vm()) == 3
        await connection.create_image_handler().list_image()
        with pytest.raises(UnavailableError):
            await connection.create_key_pair_handler().list_key()
    async with connect("mock", credential={"faults": "0.5"}) as connection:
        assert isinstance(connection, MockConnection)
        assert connection.world.config.faults == {"*": 0.5}


async def test_the_same_keys_are_the_same_world() -> None:
    values = {"seed": "4711", "vms": "1"}
    async with connect("mock", credential=values) as connection:
        await connection.create_key_pair_handler().create_key(KeyPairReqInfo(name="kept"))
    async with connect("mock", credential={**values, "token": "any"}) as connection:
        names = [key.name for key in await connection.create_key_pair_handler().list_key()]
        assert "kept" in names
    async with connect("mock", credential={**values, "seed": "4712"}) as connection:
        names = [key.name for key in await connection.create_key_pair_handler().list_key()]
        assert "kept" not in names


async def test_a_named_world() -> None:
    world = World(vms=4)
    with named_world("mine", world) as credential:
        async with connect("mock", credential=credential) as connection:
            assert isinstance(connection, MockConnection)
            assert connection.world is world
        with pytest.raises(InvalidRequestError, match="already"), named_world("mine", World()):
            pass
        with pytest.raises(InvalidRequestError, match="'vms'"):
            connect("mock", credential={**credential, "vms": "3"})
    with pytest.raises(InvalidRequestError, match="no world"):
        connect("mock", credential=credential)


async def test_a_driver_with_its_own_world_takes_no_other() -> None:
    info = ConnectionInfo(credential_info=CredentialInfo(key_values={"vms": "3"}))
    with pytest.raises(InvalidRequestError, match="'vms'"):
        MockDriver(World()).connect_cloud(info)


async def test_there_is_no_endpoint() -> None:
    with pytest.raises(InvalidRequestError, match="endpoint_url"):
        await connect("mock", endpoint_url="http://127.0.0.1:1")


def test_settings_are_checked() -> None:
    with pytest.raises(InvalidRequestError, match="vms"):
        World(vms=-1)
    with pytest.raises(InvalidRequestError, match="colour"):
        World(colour="blue")
    with pytest.raises(InvalidRequestError, match="not both"):
        World(World().config, vms=3)
    with pytest.raises(InvalidRequestError, match="region"):
        World(regions=())
    assert "right-token" not in repr(World(require_token=Secret("right-token")).config)


async def test_accounts() -> None:
    driver = MockDriver()
    info = ConnectionInfo(
        credential_info=CredentialInfo(key_values={"accounts": "one,two", "vms": "2"})
    )
    assert await driver.list_accounts(info) == ["one", "two"]
    ids: set[str] = set()
    for account in ("one", "two"):
        async with driver.connect_cloud(driver.for_account(info, account)) as connection:
            ids |= {vm.id for vm in await connection.create_vm_handler().list_vm()}
    assert len(ids) == 4
