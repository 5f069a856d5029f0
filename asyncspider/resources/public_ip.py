"""Public addresses that belong to the account."""

from __future__ import annotations

from abc import ABC, abstractmethod

import msgspec

from .base import ConnectionT, Handler, Info, Paged


class PublicIPReqInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What address is wanted, and for what."""

    name: str
    """Name of the address."""
    vnic_id: str | None = None
    """Interface to give it to at once."""
    vm_id: str | None = None
    """VM to give it to at once (its first interface)."""


class PublicIPInfo(Info, frozen=True, kw_only=True, tag="public_ip"):
    """A public address."""

    name: str = ""
    """The address's name."""
    id: str
    """What `PublicIPHandler.get_public_ip` takes."""
    public_ip: str = ""
    """The address itself."""
    vm_id: str = ""
    """VM that has it, ``""`` when none."""
    vnic_id: str = ""
    """Interface that has it, ``""`` when none."""
    private_ip: str = ""
    """Private address that it stands for."""
    status: str = ""
    """The cloud's own word for its state."""


class PublicIPHandler(Handler[ConnectionT], ABC):
    """Create, list, get and delete public addresses."""

    @abstractmethod
    async def create_public_ip(self, public_ip_req_info: PublicIPReqInfo) -> PublicIPInfo:
        """Allocate an address and, when asked, associate it.

        When the association fails, the address is released again.

        Raises:
            NotFoundError: There is no such VM or interface.
            QuotaExceededError: The account has all the addresses it may have.
        """

    @abstractmethod
    def iter_public_ip(self) -> Paged[PublicIPInfo]:
        """Iterate over the addresses page by page."""

    async def list_public_ip(self) -> list[PublicIPInfo]:
        """List all public addresses of the account."""
        return await self.iter_public_ip().collect()

    @abstractmethod
    async def get_public_ip(self, public_ip_id: str) -> PublicIPInfo:
        """Return one address.

        Raises:
            NotFoundError: There is none.
        """

    @abstractmethod
    async def delete_public_ip(self, public_ip_id: str) -> bool:
        """Release an address, taking it from its VM first.

        Returns:
            True: this call released it.

        Raises:
            NotFoundError: It was not there.
        """
