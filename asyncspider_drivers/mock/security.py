"""Security groups of the mock cloud."""

from __future__ import annotations

from functools import partial
from ipaddress import ip_network
from itertools import islice
from typing import TYPE_CHECKING

from asyncspider import (
    ConflictError,
    InvalidRequestError,
    Paged,
    SecurityHandler,
    SecurityInfo,
    SecurityReqInfo,
    SecurityRule,
)

from .paging import Answer, paged
from .region import Region, check_name

if TYPE_CHECKING:
    from .connection import MockConnection  # noqa: F401 - named in a string below

_HIGHEST = {"tcp": 65535, "udp": 65535, "icmp": 255}


class MockSecurityHandler(SecurityHandler["MockConnection"]):
    """Security groups; each belongs to a network."""

    async def create_security(self, security_req_info: SecurityReqInfo) -> SecurityInfo:
        """Create a group with its rules; names are unique in a network.

        Raises:
            NotFoundError: There is no such network, or a rule names a group that is not there.
            ConflictError: The name is taken.
            InvalidRequestError: A rule's ports or CIDR block are none.
        """
        return await self.connection.call(_create_security, security_req_info)

    def iter_security(self) -> Paged[SecurityInfo]:
        """Iterate over the groups page by page."""
        return Paged(partial(paged, self.connection, _list_security))

    async def get_security(self, security_id: str) -> SecurityInfo:
        """Return one group."""
        return await self.connection.call(_get_security, security_id)

    async def delete_security(self, security_id: str) -> bool:
        """Delete a group.

        Raises:
            NotFoundError: It was not there.
            ConflictError: An interface or another group's rule uses it.
        """
        return await self.connection.call(_delete_security, security_id)


def _create_security(region: Region, req: SecurityReqInfo) -> SecurityInfo:
    if req.vnetwork_id:
        network = region.vnetworks.get(req.vnetwork_id)
    else:
        network = region.default_vnetwork()
    check_name(region.securities, req.name, among=lambda row: row.vnetwork_id == network.id)
    for rule in req.rules:
        check_rule(region, rule)
    return region.securities.add(
        SecurityInfo(
            id=region.securities.new_id(),
            name=req.name,
            description=req.description or req.name,
            vnetwork_id=network.id,
            rules=list(req.rules),
        )
    )


def check_rule(region: Region, rule: SecurityRule) -> None:
    """Check a rule.

    Raises:
        InvalidRequestError: It has no far side or two; its ports or CIDR block are none.
        NotFoundError: Its group is not there.
    """
    if bool(rule.cidr) == bool(rule.group):
        raise InvalidRequestError("a rule needs either a cidr or a group", code="InvalidRule")
    if rule.group:
        region.securities.get(rule.group)
    else:
        try:
            ip_network(rule.cidr)
        except ValueError as error:
            raise InvalidRequestError(f"cidr of a rule: {error}", code="InvalidRule") from error
    ports = [port for port in (rule.from_port, rule.to_port) if port is not None]
    highest = _HIGHEST.get(rule.protocol, 65535)
    if any(not 0 <= port <= highest for port in ports) or (
        rule.protocol != "icmp" and ports != sorted(ports)
    ):
        raise InvalidRequestError(
            f"ports {rule.from_port} to {rule.to_port} of {rule.protocol}", code="InvalidRule"
        )


def _list_security(region: Region, start: int) -> Answer[SecurityInfo]:
    return region.securities.page(start, region.config.page_size)


def _get_security(region: Region, security_id: str) -> SecurityInfo:
    return region.securities.get(security_id)


def _delete_security(region: Region, security_id: str) -> bool:
    region.securities.get(security_id)
    users = [vnic.id for vnic in islice(region.users_of(security_id=security_id), 3)]
    users += [
        row.id
        for row in region.securities.each()
        if row.id != security_id and any(rule.group == security_id for rule in row.rules)
    ]
    if users:
        raise ConflictError(
            f"{security_id} is in use by {', '.join(users[:3])}", code="InUse", status=409
        )
    region.securities.remove(security_id)
    return True
