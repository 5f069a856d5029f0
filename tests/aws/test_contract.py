"""The contract suite on AWS: a moto server that checks signatures and policies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anyio
import boto3
import pytest

from asyncspider import (
    CloudConnection,
    ConnectionInfo,
    CredentialInfo,
    PermissionDeniedError,
    RegionInfo,
    Resource,
    ScopeStatus,
    Target,
    load_driver,
)
from asyncspider.fleet import Fleet
from asyncspider.testing import DriverContract, Kit
from asyncspider_drivers.demo.servers import LocalServer

from .conftest import KEYS

REGION = "us-west-2"
ALLOWED = ["ec2:*", "sts:GetCallerIdentity"]


def user(iam: Any, name: str, *actions: str) -> CredentialInfo:
    """Make a user who may do these, with an access key: three calls."""
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    iam.put_user_policy(
        UserName=name,
        PolicyName="all-it-may",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )
    return CredentialInfo(
        key_values={
            "aws_access_key_id": key["AccessKeyId"],
            "aws_secret_access_key": key["SecretAccessKey"],
        }
    )


@pytest.fixture(scope="module")
def strict_moto() -> Iterator[tuple[str, dict[str, CredentialInfo]]]:
    """A moto server that checks every request but its first six, and the users it knows."""
    environment = {
        "INITIAL_NO_AUTH_ACTION_COUNT": "6",
        "MOTO_ENABLE_AMI_VALIDATION": "true",
        "MOTO_ENABLE_KEYPAIR_VALIDATION": "true",
        "MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION": "true",
    }
    with LocalServer("asyncspider_drivers.demo.moto", environment=environment) as server:
        url = anyio.run(server.ready)
        iam = boto3.client("iam", region_name="us-east-1", endpoint_url=url, **KEYS)
        users = {
            "admin": user(iam, "admin", *ALLOWED),
            "looker": user(iam, "looker", "ec2:DescribeVpcs", "ec2:DescribeSubnets"),
        }
        iam.close()
        yield url, users


class TestAws(DriverContract):
    driver_name = "aws"
    spec_id = "t3.micro"
    missing_ids = {
        Resource.IMAGE: "ami-0123456789abcdef0",
        Resource.VNETWORK: "vpc-0123456789abcdef0",
        Resource.SECURITY: "sg-0123456789abcdef0",
        Resource.VNIC: "eni-0123456789abcdef0",
        Resource.PUBLIC_IP: "eipalloc-0123456789abcdef0",
        Resource.VM: "i-0123456789abcdef0",
    }
    unique_names = frozenset({Resource.SECURITY, Resource.KEY_PAIR})
    has_idempotency = False  # EC2 has; moto ignores the token
    refuses_delete_in_use = frozenset({Resource.VNETWORK})  # EC2 refuses the others too, not moto
    secret_keys = frozenset({"aws_secret_access_key", "aws_session_token"})
    incomplete_credential = ({"aws_access_key_id": "AKIA"}, "aws_secret_access_key")

    @pytest.fixture
    def connection_info(self, strict_moto: tuple[str, dict[str, CredentialInfo]]) -> ConnectionInfo:
        url, users = strict_moto
        return ConnectionInfo(
            credential_info=users["admin"],
            region_info=RegionInfo(region=REGION),
            endpoint_url=url,
        )

    @pytest.fixture
    def bad_connection_info(self, strict_moto: tuple[str, Any]) -> ConnectionInfo:
        return ConnectionInfo(
            credential_info=CredentialInfo(key_values=KEYS),
            region_info=RegionInfo(region=REGION),
            endpoint_url=strict_moto[0],
        )

    async def image_id(self, connection: CloudConnection) -> str:
        images = connection.create_image_handler().iter_image(owners=["amazon"])
        first = await anext(images)
        await images.aclose()
        return first.id

    # What EC2 does and moto does not; the driver's half of it is in test_errors.py.

    async def test_what_is_no_public_key_is_refused(
        self, kit: Kit, connection: CloudConnection
    ) -> None:
        """Moto answers 500."""

    async def test_errors_of_a_life_can_be_acted_on(
        self, kit: Kit, connection: CloudConnection
    ) -> None:
        """Moto starts, stops and reboots what is terminated."""

    async def test_a_vm_with_an_interface_and_an_address_of_its_own(
        self, kit: Kit, connection: CloudConnection
    ) -> None:
        """Moto does not say which VM has an address that was given to its interface."""
        vnic = await kit.vnic()
        address = await kit.public_ip()
        vm = await kit.vm(vnic_info=vnic, public_ip_info=address)
        assert (vm.vnic, vm.private_ip) == (vnic.id, vnic.private_ip)
        assert (await connection.create_vnic_handler().get_vnic(vnic.id)).vm_id == vm.id
        seen = await connection.create_public_ip_handler().get_public_ip(address.id)
        assert seen.vnic_id == vnic.id


async def test_a_policy_that_denies_costs_only_its_own_scopes(
    strict_moto: tuple[str, dict[str, CredentialInfo]],
) -> None:
    url, users = strict_moto
    looker = ConnectionInfo(
        credential_info=users["looker"], region_info=RegionInfo(region=REGION), endpoint_url=url
    )
    async with load_driver("aws").connect_cloud(looker) as connection:
        with pytest.raises(PermissionDeniedError) as caught:
            await connection.create_vm_handler().list_vm()
    assert caught.value.code == "AccessDenied"  # EC2 itself says UnauthorizedOperation
    async with Fleet([Target(name="looker", driver="aws", connection_info=looker)]) as fleet:
        result = await fleet.scan()
    statuses = {scope.resource: scope.status for scope in result.scopes}
    assert statuses.pop(Resource.VNETWORK) == ScopeStatus.OK
    assert set(statuses.values()) == {ScopeStatus.DENIED}
    assert result.of(Resource.VNETWORK)
