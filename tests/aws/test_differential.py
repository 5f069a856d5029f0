"""boto3 and our driver look at the same moto server and must agree, field by field."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import boto3
import msgspec
import pytest

from asyncspider import (
    CloudConnection,
    ImageInfo,
    InvalidRequestError,
    KeyPairReqInfo,
    NotFoundError,
    PublicIPReqInfo,
    RegionInfo,
    Resource,
    SecurityReqInfo,
    SecurityRule,
    VMReqInfo,
    VNetworkReqInfo,
    load_driver,
)
from asyncspider.transport.telemetry import Meter, metered
from asyncspider_drivers.demo.servers import LocalServer

from . import theirs
from .conftest import KEYS, info

Boto = Callable[[str], Any]
REGION = "eu-west-1"
NOT_BOTOS = ("guest_user_pwd", "additional_info")


def connect(url: str, region: str = REGION) -> Any:
    return load_driver("aws").connect_cloud(info(url, region))


def everything(client: Any, operation: str, field: str, **arguments: Any) -> list[Any]:
    """Return all that boto3's own paginator gives."""
    pages = client.get_paginator(operation).paginate(**arguments)
    return [item for page in pages for item in page[field]]


def fill(client: Any) -> None:
    """Make some of everything, with boto3, and with what is easily overlooked."""
    for number in range(3):
        tags = [
            {"ResourceType": kind, "Tags": [{"Key": "Name", "Value": f"{kind} & {number} <ü>"}]}
            for kind in ("vpc",)
        ]
        vpc = client.create_vpc(CidrBlock=f"10.{number}.0.0/16", TagSpecifications=tags)["Vpc"]
        if number == 0:
            client.associate_vpc_cidr_block(VpcId=vpc["VpcId"], CidrBlock="10.100.0.0/16")
        subnets = [
            client.create_subnet(
                VpcId=vpc["VpcId"],
                CidrBlock=f"10.{number}.{third}.0/24",
                AvailabilityZone=f"{REGION}{'abc'[third]}",
            )["Subnet"]
            for third in range(number)
        ]
        group = client.create_security_group(
            GroupName=f"group-{number}", Description="for <tests> & such", VpcId=vpc["VpcId"]
        )["GroupId"]
        client.authorize_security_group_ingress(
            GroupId=group,
            IpPermissions=[
                {
                    "IpProtocol": "tcp",
                    "FromPort": 22,
                    "ToPort": 23,
                    "IpRanges": [{"CidrIp": "10.0.0.0/8"}, {"CidrIp": "192.168.0.0/16"}],
                    "Ipv6Ranges": [{"CidrIpv6": "::/0"}],
                },
                {
                    "IpProtocol": "icmp",
                    "FromPort": 8,
                    "ToPort": -1,
                    "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
                },
                {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]},
            ],
        )
        client.create_key_pair(KeyName=f"key-{number}")
        address = client.allocate_address(Domain="vpc")
        if subnets:
            nic = client.create_network_interface(
                SubnetId=subnets[0]["SubnetId"],
                Groups=[group],
                TagSpecifications=[
                    {
                        "ResourceType": "network-interface",
                        "Tags": [{"Key": "Name", "Value": f"nic {number}"}],
                    }
                ],
            )["NetworkInterface"]
            instance = client.run_instances(
                ImageId=some_image(client),
                InstanceType="t3.micro",
                KeyName=f"key-{number}",
                MinCount=1,
                MaxCount=1,
                NetworkInterfaces=[
                    {"DeviceIndex": 0, "NetworkInterfaceId": nic["NetworkInterfaceId"]}
                ],
            )["Instances"][0]
            client.associate_address(
                AllocationId=address["AllocationId"],
                NetworkInterfaceId=nic["NetworkInterfaceId"],
            )
            client.create_image(
                InstanceId=instance["InstanceId"], Name=f"image-{number}", Description="d"
            )
    run(client, 3)
    machines = everything(client, "describe_instances", "Reservations")[-1]["Instances"]
    client.stop_instances(InstanceIds=[machines[0]["InstanceId"]])
    client.terminate_instances(InstanceIds=[machines[1]["InstanceId"]])


def some_image(client: Any) -> str:
    return client.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]


def run(client: Any, count: int) -> None:
    client.run_instances(
        ImageId=some_image(client),
        InstanceType="m5.large",
        MinCount=count,
        MaxCount=count,
        BlockDeviceMappings=[{"DeviceName": "/dev/sdb", "Ebs": {"VolumeSize": 8}}],
        TagSpecifications=[
            {
                "ResourceType": "instance",
                "Tags": [{"Key": "team", "Value": "Tür & Tor"}, {"Key": "Name", "Value": "web"}],
            }
        ],
    )


def instances(client: Any) -> list[Any]:
    return [
        instance
        for reservation in everything(
            client,
            "describe_instances",
            "Reservations",
            PaginationConfig={"PageSize": 1000},
        )
        for instance in reservation["Instances"]
    ]


async def listed(connection: CloudConnection, resource: Resource) -> list[Any]:
    return [item async for page in connection.pages(resource) for item in page.items]


def expected(client: Any, resource: Resource) -> list[dict[str, Any]]:
    match resource:
        case Resource.VM:
            return [theirs.vm(instance, REGION) for instance in instances(client)]
        case Resource.IMAGE:
            return [
                theirs.image(image)
                for image in everything(client, "describe_images", "Images", Owners=["self"])
            ]
        case Resource.VNETWORK:
            subnets = everything(client, "describe_subnets", "Subnets")
            return [
                theirs.vnetwork(vpc, subnets) for vpc in everything(client, "describe_vpcs", "Vpcs")
            ]
        case Resource.SECURITY:
            groups = everything(client, "describe_security_groups", "SecurityGroups")
            return [theirs.security(group) for group in groups]
        case Resource.KEY_PAIR:
            return [
                theirs.key(pair)
                for pair in client.describe_key_pairs(IncludePublicKey=True)["KeyPairs"]
            ]
        case Resource.VNIC:
            nics = everything(client, "describe_network_interfaces", "NetworkInterfaces")
            return [theirs.vnic(nic) for nic in nics]
        case Resource.PUBLIC_IP:
            return [
                theirs.public_ip(address) for address in client.describe_addresses()["Addresses"]
            ]


def by_id(things: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    found = {thing["id"]: thing for thing in things}
    assert len(found) == len(things), "an id came twice"
    return found


async def test_all_seven_resources(fresh_moto: str, boto: Boto) -> None:
    client = boto(REGION)
    fill(client)
    async with connect(fresh_moto) as connection:
        for resource in Resource:
            left_out = NOT_BOTOS if resource == Resource.VM else ()
            ours = [theirs.ours(item, *left_out) for item in await listed(connection, resource)]
            wanted = expected(client, resource)
            assert wanted, resource
            assert by_id(ours) == by_id(wanted), resource
            for one in wanted:
                got = await connection.get(resource, one["id"])
                assert theirs.ours(got, *left_out) == one


async def test_states(fresh_moto: str, boto: Boto) -> None:
    client = boto(REGION)
    fill(client)
    native = {instance["InstanceId"]: instance["State"]["Name"] for instance in instances(client)}
    assert {"running", "stopped", "terminated"} <= set(native.values())
    async with connect(fresh_moto) as connection:
        handler = connection.create_vm_handler()
        statuses = await handler.list_vm_status()
        for id, word in native.items():
            assert await handler.get_vm_status(id) == theirs.STATES[word]
    assert {status.id: status.native_status for status in statuses} == native


async def test_a_zone(fresh_moto: str, boto: Boto) -> None:
    client = boto(REGION)
    for zone in ("a", "b", "b"):
        client.run_instances(
            ImageId=some_image(client),
            InstanceType="t3.micro",
            MinCount=1,
            MaxCount=1,
            Placement={"AvailabilityZone": f"{REGION}{zone}"},
        )
    place = RegionInfo(zone=f"{REGION}b")
    there = msgspec.structs.replace(info(fresh_moto), region_info=place)
    async with load_driver("aws").connect_cloud(there) as connection:
        handler = connection.create_vm_handler()
        vms, statuses = await handler.list_vm(), await handler.list_vm_status()
    assert [vm.region for vm in vms] == [RegionInfo(region=REGION, zone=f"{REGION}b")] * 2
    assert {status.id for status in statuses} == {vm.id for vm in vms}


async def test_public_images(fresh_moto: str, boto: Boto) -> None:
    wanted = everything(boto(REGION), "describe_images", "Images", Owners=["amazon"])
    async with connect(fresh_moto) as connection:
        images = await connection.create_image_handler().list_image(owners=["amazon"])
        assert await connection.create_image_handler().list_image() == []
    assert by_id([theirs.ours(image) for image in images]) == by_id(
        [theirs.image(image) for image in wanted]
    )


@pytest.fixture
def bare_moto() -> Iterator[str]:
    """A moto server without its 1,300 public images, which it looks through at every start."""
    environment = {"MOTO_EC2_LOAD_DEFAULT_AMIS": "false"}
    with LocalServer("asyncspider_drivers.demo.moto", environment=environment) as server:
        yield anyio.run(server.ready)


@pytest.mark.long
async def test_pages(bare_moto: str) -> None:
    # One reservation for each VM: EC2 pages by instances, moto by reservations.
    client = boto3.client("ec2", region_name=REGION, endpoint_url=bare_moto, **KEYS)
    count = 0
    for wanted_count in (0, 1, 999, 1000, 1001, 2500):
        while count < wanted_count:
            client.run_instances(
                ImageId="ami-12c6146b", InstanceType="m5.large", MinCount=1, MaxCount=1
            )
            count += 1
        wanted = by_id([theirs.vm(instance, REGION) for instance in instances(client)])
        meter = Meter()
        async with connect(bare_moto) as connection:
            with metered(meter):
                vms = await connection.create_vm_handler().list_vm()
        assert len(wanted) == count
        assert by_id([theirs.ours(vm, *NOT_BOTOS) for vm in vms]) == wanted
        # As many requests as pages, and not one more.
        assert meter.requests == max(1, -(-count // 1000))
    client.close()


async def test_a_vm_that_we_start_is_what_boto3_sees(fresh_moto: str, boto: Boto) -> None:
    client = boto(REGION)
    async with connect(fresh_moto) as connection:
        network = await connection.create_vnetwork_handler().create_vnetwork(
            VNetworkReqInfo(name="net", cidr_block="10.9.0.0/20")
        )
        groups = [
            await connection.create_security_handler().create_security(
                SecurityReqInfo(name=name, vnetwork_id=network.id)
            )
            for name in ("first", "second")
        ]
        key = await connection.create_key_pair_handler().create_key(KeyPairReqInfo(name="key"))
        vm = await connection.create_vm_handler().start_vm(
            VMReqInfo(
                name="web",
                image_info=ImageInfo(id=some_image(client)),
                spec_id="t3.micro",
                vnetwork_info=network,
                security_info=groups[0],
                security_infos=[groups[1]],
                key_pair_info=key,
                tags={"team": "a&b"},
                user_data="#!/bin/sh\necho hello\n",
                idempotency_token="just-once",
            )
        )
    [instance] = instances(client)
    assert instance["InstanceId"] == vm.id
    assert instance["ClientToken"] == "just-once"
    assert theirs.tags(instance) == {"Name": "web", "team": "a&b"}
    assert instance["SubnetId"] == network.subnets[0].id
    assert [group["GroupId"] for group in instance["SecurityGroups"]] == [g.id for g in groups]
    assert instance["KeyName"] == "key"
    data = client.describe_instance_attribute(InstanceId=vm.id, Attribute="userData")
    assert base64.b64decode(data["UserData"]["Value"]) == b"#!/bin/sh\necho hello\n"


async def test_a_network_can_be_reached_from_outside(fresh_moto: str, boto: Boto) -> None:
    client = boto(REGION)
    async with connect(fresh_moto) as connection:
        handler = connection.create_vnetwork_handler()
        network = await handler.create_vnetwork(VNetworkReqInfo(name="net"))
        of_it = [{"Name": "vpc-id", "Values": [network.id]}]
        [table] = client.describe_route_tables(Filters=of_it)["RouteTables"]
        [way_out] = [
            route for route in table["Routes"] if route["DestinationCidrBlock"] == "0.0.0.0/0"
        ]
        gateways = client.describe_internet_gateways()["InternetGateways"]
        [gateway] = [gateway for gateway in gateways if gateway["Attachments"]]
        assert way_out["GatewayId"] == gateway["InternetGatewayId"]
        assert gateway["Attachments"][0]["VpcId"] == network.id
        [subnet] = client.describe_subnets(Filters=of_it)["Subnets"]
        assert subnet["MapPublicIpOnLaunch"]
        assert await handler.delete_vnetwork(network.id)
    assert client.describe_internet_gateways()["InternetGateways"] == []
    assert client.describe_subnets(Filters=of_it)["Subnets"] == []
    assert network.id not in [vpc["VpcId"] for vpc in client.describe_vpcs()["Vpcs"]]


async def test_a_network_that_fails_half_way_leaves_nothing(fresh_moto: str, boto: Boto) -> None:
    client = boto(REGION)
    before = client.describe_vpcs()["Vpcs"]
    there = msgspec.structs.replace(
        info(fresh_moto, REGION), region_info=RegionInfo(region=REGION, zone=f"{REGION}z")
    )
    async with load_driver("aws").connect_cloud(there) as connection:
        with pytest.raises(InvalidRequestError):  # there is no such zone for the subnet
            await connection.create_vnetwork_handler().create_vnetwork(VNetworkReqInfo(name="x"))
    assert client.describe_vpcs()["Vpcs"] == before
    assert client.describe_internet_gateways()["InternetGateways"] == []


async def test_an_address_that_can_not_be_given_is_released(fresh_moto: str, boto: Boto) -> None:
    async with connect(fresh_moto) as connection:
        with pytest.raises(NotFoundError):
            await connection.create_public_ip_handler().create_public_ip(
                PublicIPReqInfo(name="x", vm_id="i-0123456789abcdef0")
            )
    assert boto(REGION).describe_addresses()["Addresses"] == []


async def test_a_group_with_a_bad_rule_is_removed(fresh_moto: str, boto: Boto) -> None:
    rule = SecurityRule(direction="inbound", protocol="tcp", from_port=1, cidr="300.0.0.0/99")
    async with connect(fresh_moto) as connection:
        with pytest.raises(InvalidRequestError):
            await connection.create_security_handler().create_security(
                SecurityReqInfo(name="bad", rules=[rule])
            )
    names = [g["GroupName"] for g in boto(REGION).describe_security_groups()["SecurityGroups"]]
    assert names == ["default"]
