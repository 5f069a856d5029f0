"""Security groups: Neutron's, never Nova's proxy."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from anyio import CancelScope

from asyncspider import Page, Paged, SecurityHandler, SecurityInfo, SecurityReqInfo

from . import wire
from .mapping import security_info, security_rule_body
from .paths import segment

if TYPE_CHECKING:
    from .connection import OpenStackConnection  # noqa: F401 - named in a string below

_PATH = "/security-groups"


class OpenStackSecurityHandler(SecurityHandler["OpenStackConnection"]):
    """Security groups. They belong to no network, and their names are not unique."""

    async def create_security(self, security_req_info: SecurityReqInfo) -> SecurityInfo:
        """Create a group; Neutron itself adds rules that let everything out.

        All rules are made in one call: all of them or none.
        """
        request = security_req_info
        connection = self.connection
        about = {"name": request.name, "description": request.description}
        made = await connection.call(
            wire.OneSecurityGroup,
            "CreateSecurityGroup",
            "network",
            "POST",
            _PATH,
            body={"security_group": about},
        )
        group_id = made.security_group.id
        if not request.rules:
            return security_info(made.security_group)
        try:
            await connection.call(
                wire.Nothing,
                "BulkCreateSecurityGroupRule",
                "network",
                "POST",
                "/security-group-rules",
                body={
                    "security_group_rules": [
                        security_rule_body(group_id, rule) for rule in request.rules
                    ]
                },
            )
            return await self.get_security(group_id)
        except BaseException:
            with CancelScope(shield=True):
                await self.delete_security(group_id)
            raise

    def iter_security(self) -> Paged[SecurityInfo]:
        """Iterate over the groups that the project can see."""
        return Paged(self._pages)

    async def _pages(self) -> AsyncGenerator[Page[SecurityInfo], None]:
        async for answer in self.connection.pages_of(
            wire.SecurityGroups,
            "ListSecurityGroups",
            "network",
            _PATH,
            wire.fields_of(wire.SecurityGroup),
        ):
            yield Page([security_info(group) for group in answer.security_groups])

    async def get_security(self, security_id: str) -> SecurityInfo:
        """Return one group."""
        found = await self.connection.call(
            wire.OneSecurityGroup,
            "ShowSecurityGroup",
            "network",
            "GET",
            f"{_PATH}/{segment(security_id)}",
        )
        return security_info(found.security_group)

    async def delete_security(self, security_id: str) -> bool:
        """Delete a group."""
        path = f"{_PATH}/{segment(security_id)}"
        await self.connection.call(wire.Nothing, "DeleteSecurityGroup", "network", "DELETE", path)
        return True
