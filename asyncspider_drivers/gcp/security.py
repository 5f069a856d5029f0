"""Security groups: the firewall rules of one network with the same target tag."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from asyncspider import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    Page,
    Paged,
    SecurityHandler,
    SecurityInfo,
    SecurityReqInfo,
)
from asyncspider.streams import gathered
from asyncspider.transport.offload import load_module

from . import wire
from .lists import all_everywhere, all_in
from .mapping import EMPTY_GROUP, Group, firewall_fields, groups_of, security_info
from .names import GLOBAL, network_id
from .undo import undone_on_failure

if TYPE_CHECKING:
    from .connection import GcpConnection

_LONGEST = 63  # a name of Compute Engine ("Naming resources")
_TAG = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")
_EMPTY: dict[str, Any] = {
    "allowed": [{"I_p_protocol": "icmp"}],
    "source_ranges": ["127.0.0.1/32"],
    "disabled": True,
}


class GcpSecurityHandler(SecurityHandler["GcpConnection"]):
    """Groups; their id is ``network/tag``, and ``network/`` for rules that apply to all machines.

    A machine is in a group by having its tag. Rules that deny, are switched off, or are for
    service accounts are no rules of a group; its description names them.
    """

    async def create_security(self, security_req_info: SecurityReqInfo) -> SecurityInfo:
        """Create one firewall rule for each rule.

        A group without rules is held in place by one that is switched off.
        """
        request, connection = security_req_info, self.connection
        facts = connection.facts("firewalls.insert")
        if not _TAG.fullmatch(request.name):
            raise InvalidRequestError(
                f"{request.name!r} can't be a network tag: lower-case letters, digits and "
                "hyphens, a letter first, at most 63",
                **facts,
            )
        network = request.vnetwork_id or "default"
        group_id = f"{network}/{request.name}"
        groups = await self._groups()
        if group_id in groups:
            raise ConflictError(
                f"there is a security group {group_id!r} already", code="alreadyExists", **facts
            )
        try:
            rules = [firewall_fields(rule) for rule in request.rules] or [_EMPTY]
        except ValueError as error:
            raise InvalidRequestError(str(error), **facts) from error
        described = f"{request.description}: " if request.description else ""
        description = request.description if request.rules else f"{described}{EMPTY_GROUP}"
        bodies: Any = await load_module("asyncspider_drivers.gcp.bodies")
        stem = _stem(network, request.name)
        names = [f"{stem}-{number}" for number in range(1, len(rules) + 1)]
        path = network if network.startswith("projects/") else f"global/networks/{network}"

        def insert(name: str, fields: dict[str, Any]) -> Callable[[], Awaitable[None]]:
            body = bodies.firewall(
                name=name,
                network=path,
                target_tags=[request.name],
                description=description or None,
                **fields,
            )
            return lambda: connection.change("POST", "global/firewalls", "firewalls.insert", body)

        async with undone_on_failure(
            f"firewall rules {names[0]} to {names[-1]}", lambda: self._take_back(group_id, names)
        ):
            await gathered(*map(insert, names, rules))
            return await self.get_security(group_id)

    async def _take_back(self, group_id: str, names: list[str]) -> None:
        """Remove what was made of a group. A rule of another group that has such a name stays."""
        group = (await self._groups()).get(group_id)
        if group is not None:
            mine = [one.name for one in group.firewalls if one.name in names]
            await gathered(*map(self._remove, mine))

    def _remove(self, name: str) -> Callable[[], Awaitable[None]]:
        path = f"global/firewalls/{quote(name, safe='')}"
        return lambda: self.connection.change("DELETE", path, "firewalls.delete")

    async def _groups(self) -> dict[str, Group]:
        return await read_groups(self.connection)

    def iter_security(self) -> Paged[SecurityInfo]:
        """Iterate over the groups. All rules are read first: a group's may be on any page."""
        return Paged(self._pages)

    async def _pages(self) -> AsyncGenerator[Page[SecurityInfo], None]:
        groups = await self._groups()
        yield Page([security_info(group) for group in groups.values()], GLOBAL)

    async def get_security(self, security_id: str) -> SecurityInfo:
        """Return one group."""
        return security_info(await self._group(security_id))

    async def _group(self, security_id: str) -> Group:
        group = (await self._groups()).get(security_id)
        if group is None:
            raise NotFoundError(
                f"there is no security group {security_id!r}: no firewall rule makes it; ids look "
                "like network/tag",
                **self.connection.facts("firewalls.list"),
            )
        return group

    async def delete_security(self, security_id: str) -> bool:
        """Delete a group's firewall rules; from one that is for other tags too, its tag goes.

        Compute Engine would not mind a machine or a rule that still has the tag: it is looked
        for first, in the whole project.
        """
        group = await self._group(security_id)
        users = await self._users(group)
        if users:
            named = ", ".join(users[:5]) + (", ..." if len(users) > 5 else "")
            raise ConflictError(
                f"security group {security_id!r} is in use by {named}",
                code="resourceInUseByAnotherResource",
                **self.connection.facts("firewalls.delete"),
            )
        bodies: Any = None
        if any(len(firewall.target_tags) > 1 for firewall in group.firewalls):
            bodies = await load_module("asyncspider_drivers.gcp.bodies")

        def drop(firewall: wire.Firewall) -> Callable[[], Awaitable[None]]:
            rest = [tag for tag in firewall.target_tags if tag != group.tag]
            if not rest:
                return self._remove(firewall.name)
            path = f"global/firewalls/{quote(firewall.name, safe='')}"
            body = bodies.firewall(target_tags=rest)
            return lambda: self.connection.change("PATCH", path, "firewalls.patch", body)

        await gathered(*map(drop, group.firewalls))
        return True

    async def _users(self, group: Group) -> list[str]:
        if not group.tag:
            return []  # rules for all machines: nobody names them
        connection = self.connection
        machines, groups = await gathered(
            lambda: all_everywhere(
                connection,
                "instances",
                wire.ScopedInstances[wire.InstanceTags],
                wire.InstanceTags,
            ),
            self._groups,
        )
        users = [
            f"VM {zone}/{machine.name}"
            for zone, machine in machines
            if group.tag in machine.tags.items
            and any(
                network_id(nic.network, connection.project) == group.network
                for nic in machine.network_interfaces
            )
        ]
        users += [
            f"security group {other.id}"
            for other in groups.values()
            if other.id != group.id
            and other.network == group.network
            and any(group.tag in firewall.source_tags for firewall in other.firewalls)
        ]
        return users


async def read_groups(connection: GcpConnection) -> dict[str, Group]:
    """Return all groups of the project, by id: all rules are read, a group's may be anywhere."""
    firewalls: list[wire.Firewall] = await all_in(
        connection, "global/firewalls", wire.Firewall, "firewalls.list"
    )
    return groups_of(firewalls, connection.project)


def _stem(network: str, tag: str) -> str:
    """Return the first part of the names of a group's firewall rules."""
    stem = f"{network.rpartition('/')[2]}-{tag}"
    if len(stem) <= _LONGEST - 5:  # room for "-1234"
        return stem
    digest = hashlib.sha256(stem.encode()).hexdigest()[:8]
    return f"{stem[: _LONGEST - 14]}-{digest}"
