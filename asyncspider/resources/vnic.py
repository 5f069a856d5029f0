"""Virtual network interfaces."""

from __future__ import annotations

from abc import ABC, abstractmethod

import msgspec

from .base import ConnectionT, Handler, Info, Paged


class VNicReqInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a new interface is to look like."""

    name: str
    """Name of the interface."""
    subnetwork_id: str = ""
    """Subnet in which it takes an address."""
    security_ids: list[str] = []
    """Ids of its security groups; none = the cloud's default."""


class VNicInfo(Info, frozen=True, kw_only=True, tag="vnic"):
    """A virtual network interface."""

    name: str = ""
    """The interface's name."""
    id: str
    """What `VNicHandler.get_vnic` takes."""
    vm_id: str = ""
    """VM that it is attached to, ``""`` when free."""
    vnetwork_id: str = ""
    """Its network."""
    subnetwork_id: str = ""
    """Its subnet."""
    mac_address: str = ""
    """Hardware address, colons, lower case."""
    private_ip: str = ""
    """First private address."""
    public_ip: str = ""
    """Public address, ``""`` when it has none."""
    security_ids: list[str] = []
    """Ids of its security groups."""
    status: str = ""
    """The cloud's own word for its state."""


class VNicHandler(Handler[ConnectionT], ABC):
    """Create, list, get and delete network interfaces."""

    @abstractmethod
    async def create_vnic(self, vnic_req_info: VNicReqInfo) -> VNicInfo:
        """Create an interface that is attached to nothing yet.

        Raises:
            NotFoundError: There is no such subnet or security group.
            NotSupportedError: The cloud has interfaces only inside VMs.
        """

    @abstractmethod
    def iter_vnic(self) -> Paged[VNicInfo]:
        """Iterate over the interfaces page by page."""

    async def list_vnic(self) -> list[VNicInfo]:
        """List all interfaces."""
        return await self.iter_vnic().collect()

    @abstractmethod
    async def get_vnic(self, vnic_id: str) -> VNicInfo:
        """Return one interface.

        Raises:
            NotFoundError: There is none.
        """

    @abstractmethod
    async def delete_vnic(self, vnic_id: str) -> bool:
        """Delete an interface.

        Returns:
            True: this call deleted it.

        Raises:
            NotFoundError: It was not there.
            ConflictError: It is attached to a VM.
            NotSupportedError: The cloud has interfaces only inside VMs.
        """
