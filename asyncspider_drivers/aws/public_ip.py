"""Public addresses: Elastic IPs."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from anyio import CancelScope

from asyncspider import Page, Paged, PublicIPHandler, PublicIPInfo, PublicIPReqInfo

from . import wire
from .mapping import public_ip_info, tag_specifications

if TYPE_CHECKING:
    from .connection import AwsConnection  # noqa: F401 - named in a string below


def _named(public_ip_id: str) -> dict[str, Any]:
    """Return the parameter that names an address: its allocation, or a classic one itself."""
    if public_ip_id.startswith("eipalloc-"):
        return {"AllocationId": public_ip_id}
    return {"PublicIp": public_ip_id}


class AwsPublicIPHandler(PublicIPHandler["AwsConnection"]):
    """Elastic IP addresses."""

    async def create_public_ip(self, public_ip_req_info: PublicIPReqInfo) -> PublicIPInfo:
        """Allocate an address (AllocateAddress) and associate it when asked."""
        request = public_ip_req_info
        made = await self.connection.call(
            wire.AllocateAddress,
            "AllocateAddress",
            idempotent=False,
            Domain="vpc",
            TagSpecifications=tag_specifications("elastic-ip", request.name),
        )
        id = made.allocation_id or made.public_ip
        try:
            if request.vnic_id or request.vm_id:
                await self.associate(id, vnic_id=request.vnic_id, vm_id=request.vm_id)
            return await self.get_public_ip(id)
        except BaseException:
            with CancelScope(shield=True):
                await self.connection.call(wire.Done, "ReleaseAddress", **_named(id))
            raise

    async def associate(
        self, public_ip_id: str, *, vnic_id: str | None = None, vm_id: str | None = None
    ) -> None:
        """Give an address to an interface, or else to a VM (AssociateAddress)."""
        await self.connection.call(
            wire.Done,
            "AssociateAddress",
            NetworkInterfaceId=vnic_id or None,
            InstanceId=None if vnic_id else vm_id,
            **_named(public_ip_id),
        )

    def iter_public_ip(self) -> Paged[PublicIPInfo]:
        """Iterate over the addresses (DescribeAddresses, one answer)."""
        return Paged(self._pages)

    async def _pages(self) -> AsyncGenerator[Page[PublicIPInfo], None]:
        answer = await self.connection.call(wire.DescribeAddresses, "DescribeAddresses")
        yield Page([public_ip_info(address) for address in answer.addresses_set])

    async def get_public_ip(self, public_ip_id: str) -> PublicIPInfo:
        """Return one address."""
        return public_ip_info(await self._get(public_ip_id))

    async def _get(self, public_ip_id: str) -> wire.Address:
        return await self.connection.one_of(
            wire.DescribeAddresses,
            "DescribeAddresses",
            "addresses_set",
            f"public address {public_ip_id}",
            **{f"{name}s": [value] for name, value in _named(public_ip_id).items()},
        )

    async def delete_public_ip(self, public_ip_id: str) -> bool:
        """Disassociate an address and release it (DisassociateAddress, ReleaseAddress)."""
        address = await self._get(public_ip_id)
        if address.association_id:
            await self.connection.call(
                wire.Done, "DisassociateAddress", AssociationId=address.association_id
            )
        elif address.instance_id:
            await self.connection.call(wire.Done, "DisassociateAddress", PublicIp=address.public_ip)
        await self.connection.call(wire.Done, "ReleaseAddress", **_named(public_ip_id))
        return True
