"""Network interfaces of the mock cloud."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from asyncspider import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    Paged,
    SubnetInfo,
    VNetworkInfo,
    VNicHandler,
    VNicInfo,
    VNicReqInfo,
)

from .paging import Answer, paged
from .region import Region

if TYPE_CHECKING:
    from .connection import MockConnection  # noqa: F401 - named in a string below


class MockVNicHandler(VNicHandler["MockConnection"]):
    """Network interfaces."""

    async def create_vnic(self, vnic_req_info: VNicReqInfo) -> VNicInfo:
        """Create an interface that is attached to nothing yet.

        Raises:
            NotFoundError: There is no such subnet or security group.
            QuotaExceededError: The subnet has no free address.
        """
        return await self.connection.call(
            _create_vnic, vnic_req_info, self.connection.region_info.zone
        )

    def iter_vnic(self) -> Paged[VNicInfo]:
        """Iterate over the interfaces page by page.

        Raises (while iterating):
            PartialListError: A zone is dead.
        """

        def zone_of(vnic: VNicInfo) -> str:
            region = self.connection.world.region(self.connection.region_info.region)
            return region.vnetwork_of_subnet(vnic.subnetwork_id)[1].zone

        return Paged(partial(paged, self.connection, _list_vnic, zone_of))

    async def get_vnic(self, vnic_id: str) -> VNicInfo:
        """Return one interface."""
        return await self.connection.call(_get_vnic, vnic_id)

    async def delete_vnic(self, vnic_id: str) -> bool:
        """Delete an interface.

        Raises:
            NotFoundError: It was not there.
            ConflictError: A VM has it.
        """
        return await self.connection.call(_delete_vnic, vnic_id)


def place_of(
    region: Region, vnetwork_id: str, subnetwork_id: str, zone: str
) -> tuple[VNetworkInfo, SubnetInfo]:
    """Return the network and subnet that ids ask for: the default ones for ``""``.

    Raises:
        NotFoundError: There is no such network or subnet, or the subnet is in another network.
    """
    if subnetwork_id:
        network, subnet = region.vnetwork_of_subnet(subnetwork_id)
        if vnetwork_id in ("", network.id):
            return network, subnet
        raise NotFoundError(f"{subnetwork_id} is not in {vnetwork_id}", code="NotFound", status=404)
    network = region.vnetworks.get(vnetwork_id) if vnetwork_id else region.default_vnetwork()
    subnets = [subnet for subnet in network.subnets if zone in ("", subnet.zone)]
    if not subnets:
        raise NotFoundError(f"{network.id} has no subnet in {zone}", code="NotFound", status=404)
    return network, subnets[0]


def new_vnic(
    region: Region,
    name: str,
    network: VNetworkInfo,
    subnet: SubnetInfo,
    security_ids: list[str],
) -> VNicInfo:
    """Return a new interface that is not in the table yet.

    Raises:
        NotFoundError: There is no such security group.
        InvalidRequestError: A group is of another network.
    """
    for security_id in security_ids:
        group = region.securities.get(security_id)
        if group.vnetwork_id != network.id:
            raise InvalidRequestError(
                f"{security_id} is of {group.vnetwork_id}, not of {network.id}",
                code="InvalidGroup",
            )
    region.check_reachable(subnet.zone)
    return VNicInfo(
        id=region.vnics.new_id(),
        name=name,
        vnetwork_id=network.id,
        subnetwork_id=subnet.id,
        mac_address=region.new_mac(),
        private_ip=region.new_private_ip(subnet),
        security_ids=security_ids,
        status="available",
    )


def _create_vnic(region: Region, req: VNicReqInfo, zone: str) -> VNicInfo:
    network, subnet = place_of(region, "", req.subnetwork_id, zone)
    vnic = new_vnic(region, req.name, network, subnet, list(req.security_ids))
    region.lasting_vnics.add(vnic.id)
    return region.vnics.add(vnic)


def _list_vnic(region: Region, start: int) -> Answer[VNicInfo]:
    return region.vnics.page(start, region.config.page_size)


def _get_vnic(region: Region, vnic_id: str) -> VNicInfo:
    vnic = region.vnics.get(vnic_id)
    region.check_reachable(region.vnetwork_of_subnet(vnic.subnetwork_id)[1].zone)
    return vnic


def _delete_vnic(region: Region, vnic_id: str) -> bool:
    vnic = region.vnics.get(vnic_id)
    if vnic.vm_id:
        raise ConflictError(f"{vnic_id} is in use by {vnic.vm_id}", code="InUse", status=409)
    region.disassociate(vnic_id)
    region.vnics.remove(vnic_id)
    region.lasting_vnics.discard(vnic_id)
    return True
