"""Networks: VPCs with their subnets."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from anyio import CancelScope

from asyncspider import (
    ConflictError,
    InvalidRequestError,
    Page,
    Paged,
    VNetworkHandler,
    VNetworkInfo,
    VNetworkReqInfo,
)
from asyncspider.streams import gathered

from . import wire
from .mapping import subnets_by_vpc, tag_specifications, vnetwork_info

if TYPE_CHECKING:
    from .connection import AwsConnection  # noqa: F401 - named in a string below

DEFAULT_CIDR = "10.0.0.0/16"
"""Addresses of a network that names none: the largest block that a VPC can have."""
_SMALLEST = 28  # EC2 user guide, "VPC CIDR blocks"


def _filter(name: str, value: str) -> list[dict[str, Any]]:
    return [{"Name": name, "Values": [value]}]


class AwsVNetworkHandler(VNetworkHandler["AwsConnection"]):
    """VPCs."""

    async def create_vnetwork(self, vnetwork_req_info: VNetworkReqInfo) -> VNetworkInfo:
        """Create a VPC, a subnet, an internet gateway and the default route to it.

        The subnet takes the first sixteenth of the block, and gives its VMs public addresses.
        """
        request = vnetwork_req_info
        connection = self.connection
        block = request.cidr_block or DEFAULT_CIDR
        try:
            network = ipaddress.ip_network(block)
        except ValueError as error:
            raise InvalidRequestError(
                f"not a CIDR block: {block!r} ({error})", **connection.facts("CreateVpc")
            ) from error
        first = next(iter(network.subnets(new_prefix=_subnet_prefix(network.prefixlen))))
        async with AsyncExitStack() as undo:
            made = await connection.call(
                wire.CreateVpc,
                "CreateVpc",
                idempotent=False,
                CidrBlock=block,
                TagSpecifications=tag_specifications("vpc", request.name),
            )
            vpc_id = made.vpc.vpc_id
            undo.push_async_callback(self._undo, vpc_id)
            subnet = await connection.call(
                wire.CreateSubnet,
                "CreateSubnet",
                idempotent=False,
                VpcId=vpc_id,
                CidrBlock=str(first),
                AvailabilityZone=connection.region_info.zone or None,
                TagSpecifications=tag_specifications("subnet", request.name),
            )
            gateway = await connection.call(
                wire.CreateInternetGateway,
                "CreateInternetGateway",
                idempotent=False,
                TagSpecifications=tag_specifications("internet-gateway", request.name),
            )
            gateway_id = gateway.internet_gateway.internet_gateway_id
            undo.push_async_callback(self._undo_gateway, gateway_id)
            await connection.call(
                wire.Done,
                "AttachInternetGateway",
                idempotent=False,
                InternetGatewayId=gateway_id,
                VpcId=vpc_id,
            )
            await self._route(vpc_id, gateway_id)
            await connection.call(
                wire.Done,
                "ModifySubnetAttribute",
                SubnetId=subnet.subnet.subnet_id,
                MapPublicIpOnLaunch={"Value": True},
            )
            info = await self.get_vnetwork(vpc_id)
            undo.pop_all()
        return info

    async def _route(self, vpc_id: str, gateway_id: str) -> None:
        tables: list[wire.RouteTable] = await self.connection.all_of(
            wire.DescribeRouteTables,
            "DescribeRouteTables",
            "route_table_set",
            Filters=_filter("vpc-id", vpc_id),
        )
        await self.connection.call(
            wire.Done,
            "CreateRoute",
            idempotent=False,
            RouteTableId=tables[0].route_table_id,  # a new VPC has just its main one
            DestinationCidrBlock="0.0.0.0/0",
            GatewayId=gateway_id,
        )

    async def _undo(self, vpc_id: str) -> None:
        with CancelScope(shield=True):
            await self.delete_vnetwork(vpc_id)

    async def _undo_gateway(self, gateway_id: str) -> None:
        # Attached or not: what is attached goes with its VPC.
        with CancelScope(shield=True):
            gateways = await self._attached_gateways("internet-gateway-id", gateway_id)
            for gateway in gateways:
                if not gateway.attachment_set:
                    await self.connection.call(
                        wire.Done, "DeleteInternetGateway", InternetGatewayId=gateway_id
                    )

    async def _attached_gateways(self, name: str, value: str) -> list[wire.InternetGateway]:
        return await self.connection.all_of(
            wire.DescribeInternetGateways,
            "DescribeInternetGateways",
            "internet_gateway_set",
            Filters=_filter(name, value),
        )

    def iter_vnetwork(self) -> Paged[VNetworkInfo]:
        """Iterate over the VPCs, joined with one list of subnets."""
        return Paged(self._pages)

    async def _pages(self) -> AsyncGenerator[Page[VNetworkInfo], None]:
        vpcs, subnets = await gathered(
            lambda: self.connection.all_of(wire.DescribeVpcs, "DescribeVpcs", "vpc_set"),
            lambda: self.connection.all_of(wire.DescribeSubnets, "DescribeSubnets", "subnet_set"),
        )
        joined = subnets_by_vpc(subnets)
        yield Page([vnetwork_info(vpc, joined.get(vpc.vpc_id, ())) for vpc in vpcs])

    async def get_vnetwork(self, vnetwork_id: str) -> VNetworkInfo:
        """Return one VPC with its subnets."""
        vpc, subnets = await gathered(
            lambda: self.connection.one_of(
                wire.DescribeVpcs,
                "DescribeVpcs",
                "vpc_set",
                f"network {vnetwork_id}",
                VpcIds=[vnetwork_id],
            ),
            lambda: self._subnets(vnetwork_id),
        )
        return vnetwork_info(vpc, subnets_by_vpc(subnets).get(vnetwork_id, ()))

    async def _subnets(self, vpc_id: str) -> list[wire.Subnet]:
        return await self.connection.all_of(
            wire.DescribeSubnets,
            "DescribeSubnets",
            "subnet_set",
            Filters=_filter("vpc-id", vpc_id),
        )

    async def delete_vnetwork(self, vnetwork_id: str) -> bool:
        """Delete a VPC with its subnets, gateways and routes.

        Nothing is deleted when anything still uses it.
        """
        connection = self.connection
        await self.get_vnetwork(vnetwork_id)
        await self._check_unused(vnetwork_id)
        for gateway in await self._attached_gateways("attachment.vpc-id", vnetwork_id):
            name: dict[str, Any] = {"InternetGatewayId": gateway.internet_gateway_id}
            await connection.call(wire.Done, "DetachInternetGateway", VpcId=vnetwork_id, **name)
            await connection.call(wire.Done, "DeleteInternetGateway", **name)
        for subnet in await self._subnets(vnetwork_id):
            await connection.call(wire.Done, "DeleteSubnet", SubnetId=subnet.subnet_id)
        tables: list[wire.RouteTable] = await connection.all_of(
            wire.DescribeRouteTables,
            "DescribeRouteTables",
            "route_table_set",
            Filters=_filter("vpc-id", vnetwork_id),
        )
        for table in tables:
            if not any(association.main for association in table.association_set):
                await connection.call(
                    wire.Done, "DeleteRouteTable", RouteTableId=table.route_table_id
                )
        await connection.call(wire.Done, "DeleteVpc", VpcId=vnetwork_id)
        return True

    async def _check_unused(self, vpc_id: str) -> None:
        """Raise for what would make EC2 refuse half way through."""
        in_vpc = _filter("vpc-id", vpc_id)
        reservations, nics, groups = await gathered(
            lambda: self.connection.all_of(
                wire.DescribeInstances, "DescribeInstances", "reservation_set", Filters=in_vpc
            ),
            lambda: self.connection.all_of(
                wire.DescribeNetworkInterfaces,
                "DescribeNetworkInterfaces",
                "network_interface_set",
                Filters=in_vpc,
            ),
            lambda: self.connection.all_of(
                wire.DescribeSecurityGroups,
                "DescribeSecurityGroups",
                "security_group_info",
                Filters=in_vpc,
            ),
        )
        # A terminated machine stays listed for an hour, and may its interface: neither is a user.
        users = [
            instance.instance_id
            for reservation in reservations
            for instance in reservation.instances_set
            if instance.instance_state is None or instance.instance_state.name != "terminated"
        ]
        users += [
            nic.network_interface_id
            for nic in nics
            if nic.attachment is None or not nic.attachment.instance_id
        ]
        users += [group.group_id for group in groups if group.group_name != "default"]
        if users:
            named = ", ".join(dict.fromkeys(users[:5])) + (", ..." if len(users) > 5 else "")
            raise ConflictError(
                f"network {vpc_id} is in use by {named}",
                code="DependencyViolation",
                **self.connection.facts("DeleteVpc"),
            )


def _subnet_prefix(prefix: int) -> int:
    return max(prefix, min(_SMALLEST, prefix + 4))
