"""Networks of the mock cloud."""

from __future__ import annotations

from functools import partial
from ipaddress import IPv4Network
from itertools import islice
from typing import TYPE_CHECKING

from asyncspider import (
    ConflictError,
    InvalidRequestError,
    Paged,
    SubnetInfo,
    VNetworkHandler,
    VNetworkInfo,
    VNetworkReqInfo,
)

from .paging import Answer, paged
from .region import Region, check_name

if TYPE_CHECKING:
    from .connection import MockConnection  # noqa: F401 - named in a string below

DEFAULT_CIDR = "172.16.0.0/16"


class MockVNetworkHandler(VNetworkHandler["MockConnection"]):
    """Networks."""

    async def create_vnetwork(self, vnetwork_req_info: VNetworkReqInfo) -> VNetworkInfo:
        """Create a network with one subnet; names are unique.

        Raises:
            InvalidRequestError: The CIDR block is no IPv4 network between /8 and /28.
            ConflictError: The name is taken.
        """
        return await self.connection.call(
            _create_vnetwork, vnetwork_req_info, self.connection.region_info.zone
        )

    def iter_vnetwork(self) -> Paged[VNetworkInfo]:
        """Iterate over the networks page by page."""
        return Paged(partial(paged, self.connection, _list_vnetwork))

    async def get_vnetwork(self, vnetwork_id: str) -> VNetworkInfo:
        """Return one network."""
        return await self.connection.call(_get_vnetwork, vnetwork_id)

    async def delete_vnetwork(self, vnetwork_id: str) -> bool:
        """Delete a network.

        Raises:
            NotFoundError: It was not there.
            ConflictError: An interface or a security group is in it.
        """
        return await self.connection.call(_delete_vnetwork, vnetwork_id)


def _create_vnetwork(region: Region, req: VNetworkReqInfo, zone: str) -> VNetworkInfo:
    try:
        block = IPv4Network(req.cidr_block or DEFAULT_CIDR)
    except ValueError as error:
        raise InvalidRequestError(f"cidr_block: {error}", code="InvalidCidr") from error
    if not 8 <= block.prefixlen <= 28:
        raise InvalidRequestError(
            f"cidr_block {block} is not between /8 and /28", code="InvalidCidr"
        )
    check_name(region.vnetworks, req.name)
    id = region.vnetworks.new_id()
    zone = zone or region.zones[0]
    subnet = SubnetInfo(
        id=region.subnet_id(id, 0), name=f"{req.name}-{zone[-1]}", cidr_block=str(block), zone=zone
    )
    return region.vnetworks.add(
        VNetworkInfo(
            id=id, name=req.name, cidr_blocks=[str(block)], subnets=[subnet], status="available"
        )
    )


def _list_vnetwork(region: Region, start: int) -> Answer[VNetworkInfo]:
    return region.vnetworks.page(start, region.config.page_size)


def _get_vnetwork(region: Region, vnetwork_id: str) -> VNetworkInfo:
    return region.vnetworks.get(vnetwork_id)


def _delete_vnetwork(region: Region, vnetwork_id: str) -> bool:
    region.vnetworks.get(vnetwork_id)
    users = [vnic.id for vnic in islice(region.users_of(vnetwork_id=vnetwork_id), 3)]
    users += [row.id for row in region.securities.each() if row.vnetwork_id == vnetwork_id]
    if users:
        raise ConflictError(
            f"{vnetwork_id} is in use by {', '.join(users[:3])}", code="InUse", status=409
        )
    region.vnetworks.remove(vnetwork_id)
    return True
