"""Security groups."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from anyio import CancelScope

from asyncspider import (
    Page,
    Paged,
    SecurityHandler,
    SecurityInfo,
    SecurityReqInfo,
    SecurityRule,
)

from . import wire
from .mapping import ip_permission, security_info, tag_specifications

if TYPE_CHECKING:
    from .connection import AwsConnection  # noqa: F401 - named in a string below

_EVERYWHERE = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
"""What EC2 gives each new group: a rule that lets everything out."""


class AwsSecurityHandler(SecurityHandler["AwsConnection"]):
    """Security groups of a VPC."""

    async def create_security(self, security_req_info: SecurityReqInfo) -> SecurityInfo:
        """Create a group and authorize its rules.

        EC2 lets a new group send everything. That stays unless outbound rules are given.
        """
        request = security_req_info
        made = await self.connection.call(
            wire.CreateSecurityGroup,
            "CreateSecurityGroup",
            idempotent=False,
            GroupName=request.name,
            Description=request.description or request.name,
            VpcId=request.vnetwork_id or None,
            TagSpecifications=tag_specifications("security-group", request.name),
        )
        try:
            await self._authorize(made.group_id, request.rules)
            return await self.get_security(made.group_id)
        except BaseException:
            with CancelScope(shield=True):
                await self.connection.call(wire.Done, "DeleteSecurityGroup", GroupId=made.group_id)
            raise

    async def _authorize(self, group_id: str, rules: list[SecurityRule]) -> None:
        inbound = [ip_permission(rule) for rule in rules if rule.direction == "inbound"]
        outbound = [ip_permission(rule) for rule in rules if rule.direction == "outbound"]
        if inbound:
            await self._call("AuthorizeSecurityGroupIngress", group_id, inbound)
        if outbound:
            await self._call("RevokeSecurityGroupEgress", group_id, [_EVERYWHERE])
            await self._call("AuthorizeSecurityGroupEgress", group_id, outbound)

    async def _call(self, operation: str, group_id: str, permissions: list[Any]) -> None:
        await self.connection.call(
            wire.Done, operation, idempotent=False, GroupId=group_id, IpPermissions=permissions
        )

    def iter_security(self) -> Paged[SecurityInfo]:
        """Iterate over the groups with their rules (DescribeSecurityGroups, 1,000 a page)."""
        return Paged(self._pages)

    async def _pages(self) -> AsyncGenerator[Page[SecurityInfo], None]:
        async for answer in self.connection.pages_of(
            wire.DescribeSecurityGroups, "DescribeSecurityGroups"
        ):
            yield Page([security_info(group) for group in answer.security_group_info])

    async def get_security(self, security_id: str) -> SecurityInfo:
        """Return one group."""
        group = await self.connection.one_of(
            wire.DescribeSecurityGroups,
            "DescribeSecurityGroups",
            "security_group_info",
            f"security group {security_id}",
            GroupIds=[security_id],
        )
        return security_info(group)

    async def delete_security(self, security_id: str) -> bool:
        """Delete a group that nothing uses."""
        await self.connection.call(wire.Done, "DeleteSecurityGroup", GroupId=security_id)
        return True
