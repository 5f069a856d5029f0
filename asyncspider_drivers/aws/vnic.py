"""Network interfaces."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from asyncspider import InvalidRequestError, Page, Paged, VNicHandler, VNicInfo, VNicReqInfo

from . import wire
from .mapping import tag_specifications, vnic_info

if TYPE_CHECKING:
    from .connection import AwsConnection  # noqa: F401 - named in a string below


class AwsVNicHandler(VNicHandler["AwsConnection"]):
    """Elastic network interfaces."""

    async def create_vnic(self, vnic_req_info: VNicReqInfo) -> VNicInfo:
        """Create an interface in a subnet (CreateNetworkInterface)."""
        request = vnic_req_info
        if not request.subnetwork_id:
            raise InvalidRequestError(
                "an interface belongs to a subnet: subnetwork_id is missing",
                **self.connection.facts("CreateNetworkInterface"),
            )
        answer = await self.connection.call(
            wire.CreateNetworkInterface,
            "CreateNetworkInterface",
            SubnetId=request.subnetwork_id,
            Groups=request.security_ids or None,
            TagSpecifications=tag_specifications("network-interface", request.name),
        )
        return vnic_info(answer.network_interface)

    def iter_vnic(self) -> Paged[VNicInfo]:
        """Iterate over the interfaces (DescribeNetworkInterfaces, 1,000 a page)."""
        return Paged(self._pages)

    async def _pages(self) -> AsyncGenerator[Page[VNicInfo], None]:
        async for answer in self.connection.pages_of(
            wire.DescribeNetworkInterfaces, "DescribeNetworkInterfaces"
        ):
            yield Page([vnic_info(nic) for nic in answer.network_interface_set])

    async def get_vnic(self, vnic_id: str) -> VNicInfo:
        """Return one interface."""
        nic = await self.connection.one_of(
            wire.DescribeNetworkInterfaces,
            "DescribeNetworkInterfaces",
            "network_interface_set",
            f"network interface {vnic_id}",
            NetworkInterfaceIds=[vnic_id],
        )
        return vnic_info(nic)

    async def delete_vnic(self, vnic_id: str) -> bool:
        """Delete an interface that is attached to nothing."""
        await self.connection.call(wire.Done, "DeleteNetworkInterface", NetworkInterfaceId=vnic_id)
        return True
