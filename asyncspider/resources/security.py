"""Security groups: which traffic reaches a VM."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

import msgspec

from .base import ConnectionT, Handler, Info, Paged


class SecurityRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One rule that lets traffic pass."""

    direction: Literal["inbound", "outbound"]
    """Seen from the VM."""
    protocol: str
    """``tcp``, ``udp``, ``icmp``, ``all``, or another protocol in the cloud's words."""
    from_port: int | None = None
    """First port; for icmp the type; None = any."""
    to_port: int | None = None
    """Last port, inclusive; for icmp the code; None = any."""
    cidr: str = ""
    """The far side as CIDR block; ``""`` when it is a group."""
    group: str = ""
    """The far side as another group's id (GCP: a tag; AWS also a prefix list's id)."""


class SecurityReqInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a new security group is to look like."""

    name: str
    """Name of the group."""
    description: str = ""
    """Free text; ``""`` = the name, where a cloud wants some."""
    vnetwork_id: str = ""
    """Network it belongs to; ``""`` = the default one, where groups belong to networks."""
    rules: list[SecurityRule] = []
    """Rules to begin with."""


class SecurityInfo(Info, frozen=True, kw_only=True, tag="security"):
    """A security group."""

    name: str = ""
    """The group's name."""
    id: str
    """What `SecurityHandler.get_security` takes."""
    description: str = ""
    """Free text."""
    vnetwork_id: str = ""
    """Network it belongs to, ``""`` where groups belong to none."""
    rules: list[SecurityRule] = []
    """One rule for each far side."""


class SecurityHandler(Handler[ConnectionT], ABC):
    """Create, list, get and delete security groups."""

    @abstractmethod
    async def create_security(self, security_req_info: SecurityReqInfo) -> SecurityInfo:
        """Create a group with its rules.

        When a rule is refused, the group is removed again.

        Raises:
            ConflictError: The name is taken, where names are unique.
            InvalidRequestError: A rule is refused.
        """

    @abstractmethod
    def iter_security(self) -> Paged[SecurityInfo]:
        """Iterate over the groups page by page."""

    async def list_security(self) -> list[SecurityInfo]:
        """List all groups with their rules."""
        return await self.iter_security().collect()

    @abstractmethod
    async def get_security(self, security_id: str) -> SecurityInfo:
        """Return one group.

        Raises:
            NotFoundError: There is none.
        """

    @abstractmethod
    async def delete_security(self, security_id: str) -> bool:
        """Delete a group.

        Returns:
            True: this call deleted it.

        Raises:
            NotFoundError: It was not there.
            ConflictError: A VM, NIC or another group still uses it.
        """
