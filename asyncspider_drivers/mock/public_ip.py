"""Public addresses of the mock cloud."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from asyncspider import (
    ConflictError,
    InvalidRequestError,
    Paged,
    PublicIPHandler,
    PublicIPInfo,
    PublicIPReqInfo,
    VNicInfo,
)

from .paging import Answer, paged
from .region import Region

if TYPE_CHECKING:
    from .connection import MockConnection  # noqa: F401 - named in a string below


class MockPublicIPHandler(PublicIPHandler["MockConnection"]):
    """Public addresses."""

    async def create_public_ip(self, public_ip_req_info: PublicIPReqInfo) -> PublicIPInfo:
        """Allocate an address and, when asked, associate it.

        Raises:
            NotFoundError: There is no such VM or interface.
            InvalidRequestError: Both are named, and are not each other's.
            ConflictError: The interface has an address, or the VM has no interface.
        """
        return await self.connection.call(_create_public_ip, public_ip_req_info)

    def iter_public_ip(self) -> Paged[PublicIPInfo]:
        """Iterate over the addresses page by page."""
        return Paged(partial(paged, self.connection, _list_public_ip))

    async def get_public_ip(self, public_ip_id: str) -> PublicIPInfo:
        """Return one address."""
        return await self.connection.call(_get_public_ip, public_ip_id)

    async def delete_public_ip(self, public_ip_id: str) -> bool:
        """Release an address, taking it from its VM first."""
        return await self.connection.call(_delete_public_ip, public_ip_id)


def _create_public_ip(region: Region, req: PublicIPReqInfo) -> PublicIPInfo:
    vnic: VNicInfo | None = None
    if req.vm_id:
        vm = region.vms.get(req.vm_id)
        if not vm.vnic:
            raise ConflictError(f"{vm.id} has no interface", code="NoInterface", status=409)
        vnic = region.vnics.get(vm.vnic)
    if req.vnic_id:
        if vnic is not None and vnic.id != req.vnic_id:
            raise InvalidRequestError(f"{req.vnic_id} is not the interface of {req.vm_id}")
        vnic = region.vnics.get(req.vnic_id)
    if vnic is not None and vnic.public_ip:
        raise ConflictError(f"{vnic.id} has {vnic.public_ip} already", code="InUse", status=409)
    address = region.public_ips.add(
        PublicIPInfo(
            id=region.public_ips.new_id(),
            name=req.name,
            public_ip=region.new_address(),
            status="available",
        )
    )
    return address if vnic is None else associate(region, address, vnic)


def associate(region: Region, address: PublicIPInfo, vnic: VNicInfo) -> PublicIPInfo:
    """Give a free address to an interface, and so to its VM."""
    region.vnics.put(replace(vnic, public_ip=address.public_ip))
    if vnic.vm_id:
        vm = region.vms.get(vnic.vm_id)
        ip = address.public_ip
        region.vms.put(replace(vm, public_ip=ip, public_dns=region.dns_name(ip)))
    return region.public_ips.put(
        replace(
            address,
            vm_id=vnic.vm_id,
            vnic_id=vnic.id,
            private_ip=vnic.private_ip,
            status="associated",
        )
    )


def _list_public_ip(region: Region, start: int) -> Answer[PublicIPInfo]:
    return region.public_ips.page(start, region.config.page_size)


def _get_public_ip(region: Region, public_ip_id: str) -> PublicIPInfo:
    return region.public_ips.get(public_ip_id)


def _delete_public_ip(region: Region, public_ip_id: str) -> bool:
    address = region.public_ips.get(public_ip_id)
    if address.vnic_id:
        region.vnics.put(replace(region.vnics.get(address.vnic_id), public_ip=""))
    if address.vm_id:
        region.vms.put(replace(region.vms.get(address.vm_id), public_ip="", public_dns=""))
    region.public_ips.remove(public_ip_id)
    return True
