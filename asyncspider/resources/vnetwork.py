"""Virtual networks with their subnets."""

from __future__ import annotations

from abc import ABC, abstractmethod

import msgspec

from .base import ConnectionT, Handler, Info, Paged


class VNetworkReqInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a new network is to look like."""

    name: str
    """Name of the network."""
    cidr_block: str = ""
    """Its addresses in CIDR notation, as ``10.0.0.0/16``; ``""`` = the driver's default."""


class SubnetInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A part of a network."""

    id: str
    """What `VNicReqInfo` and `VMReqInfo` take as ``subnetwork_id``."""
    name: str = ""
    """The subnet's name."""
    cidr_block: str = ""
    """Its addresses in CIDR notation."""
    zone: str = ""
    """Zone, or where subnets span one, region."""


class VNetworkInfo(Info, frozen=True, kw_only=True, tag="vnetwork"):
    """A virtual network."""

    name: str = ""
    """The network's name."""
    id: str
    """What `VNetworkHandler.get_vnetwork` takes."""
    cidr_blocks: list[str] = []
    """All its address ranges in CIDR notation."""
    subnets: list[SubnetInfo] = []
    """Its subnets."""
    is_default: bool = False
    """Whether the cloud uses it when none is named."""
    status: str = ""
    """The cloud's own word for its state."""


class VNetworkHandler(Handler[ConnectionT], ABC):
    """Create, list, get and delete networks."""

    @abstractmethod
    async def create_vnetwork(self, vnetwork_req_info: VNetworkReqInfo) -> VNetworkInfo:
        """Create a network with one subnet, ready for VMs with public addresses.

        When a step fails, what the earlier ones made is removed again.

        Raises:
            InvalidRequestError: The CIDR block is refused.
            ConflictError: The name is taken, where names are unique.
        """

    @abstractmethod
    def iter_vnetwork(self) -> Paged[VNetworkInfo]:
        """Iterate over the networks page by page."""

    async def list_vnetwork(self) -> list[VNetworkInfo]:
        """List all networks with their subnets."""
        return await self.iter_vnetwork().collect()

    @abstractmethod
    async def get_vnetwork(self, vnetwork_id: str) -> VNetworkInfo:
        """Return one network.

        Raises:
            NotFoundError: There is none.
        """

    @abstractmethod
    async def delete_vnetwork(self, vnetwork_id: str) -> bool:
        """Delete a network and what `create_vnetwork` made with it.

        Returns:
            True: this call deleted it.

        Raises:
            NotFoundError: It was not there.
            ConflictError: Something still uses it; the message names what.
        """
