"""Networks with their subnetworks."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from asyncspider import (
    ConflictError,
    InvalidRequestError,
    Page,
    Paged,
    SubnetInfo,
    VNetworkHandler,
    VNetworkInfo,
    VNetworkReqInfo,
)
from asyncspider.streams import gathered
from asyncspider.transport.offload import load_module

from . import wire
from .lists import Parts, all_everywhere, all_in, pages_of
from .mapping import Scope, Subnets, subnet_info, vnetwork_info
from .names import GLOBAL, network_id, segment
from .undo import undone_on_failure

if TYPE_CHECKING:
    from .connection import GcpConnection  # noqa: F401 - named in a string below

DEFAULT_CIDR = "10.0.0.0/16"
"""Addresses of a network that names none."""


class GcpVNetworkHandler(VNetworkHandler["GcpConnection"]):
    """Networks are global, their subnetworks regional: a region sees its own of these."""

    async def create_vnetwork(self, vnetwork_req_info: VNetworkReqInfo) -> VNetworkInfo:
        """Create a network.

        In a region: of custom mode, with one subnetwork there that takes the whole block. In a
        whole project: of auto mode, with a subnetwork in every region; it takes no block (unless
        ``CLOUDSDK_COMPUTE_REGION`` names a region).
        Every network has a route to the internet (of its own accord), and lets nothing in.
        """
        request, connection = vnetwork_req_info, self.connection
        region = connection.home.region
        facts = connection.facts("networks.insert")
        if not region and request.cidr_block:
            raise InvalidRequestError(
                "a cidr_block needs a region: connect to one, or leave the block out for a "
                "subnet in every region",
                **facts,
            )
        block = request.cidr_block or DEFAULT_CIDR
        try:
            ipaddress.IPv4Network(block)
        except ValueError as error:
            raise InvalidRequestError(f"not a CIDR block: {block!r} ({error})", **facts) from error
        bodies: Any = await load_module("asyncspider_drivers.gcp.bodies")
        path = "global/networks"
        started = await connection.write(
            "POST", path, "networks.insert", bodies.network(request.name, auto=not region)
        )
        async with undone_on_failure(
            f"network {request.name!r}", lambda: self._take_back(request.name, started)
        ):
            await connection.finish(started, path, "networks.insert")
            if region:
                await connection.change(
                    "POST",
                    f"regions/{quote(region, safe='')}/subnetworks",
                    "subnetworks.insert",
                    bodies.subnetwork(request.name, f"{path}/{request.name}", block),
                )
            return await self.get_vnetwork(request.name)

    async def _take_back(self, name: str, started: wire.Operation) -> None:
        if await self.connection.succeeded(started, "global/networks", "networks.insert"):
            await self.delete_vnetwork(name)

    def iter_vnetwork(self) -> Paged[VNetworkInfo]:
        """Iterate over the networks, joined with one list of subnetworks."""
        return Paged(self._pages)

    async def _pages(self) -> AsyncGenerator[Page[VNetworkInfo], None]:
        connection = self.connection
        parts = Parts(connection, "subnetworks.list")
        networks, subnets = await gathered(
            lambda: all_in(connection, "global/networks", wire.Network, "networks.list"),
            lambda: self._subnets(parts),
        )
        yield Page(
            [vnetwork_info(network, subnets.get(network.name, ())) for network in networks], GLOBAL
        )
        parts.check()

    async def _subnets(self, parts: Parts) -> Subnets:
        """Return the subnetworks of the region or of all regions, by network."""
        project = self.connection.project

        def convert(items: list[wire.Subnetwork], scope: Scope) -> list[tuple[str, SubnetInfo]]:
            return [
                (network_id(one.network, project), subnet_info(one, scope.region)) for one in items
            ]

        joined = Subnets(list)
        async for page in pages_of(
            self.connection,
            "subnetworks",
            wire.ScopedSubnetworks,
            wire.Subnetwork,
            convert,
            parts,
        ):
            for network, subnet in page.items:
                joined[network].append(subnet)
        for found in joined.values():
            found.sort(key=lambda subnet: subnet.id)
        return joined

    async def _subnets_of(self, name: str) -> list[SubnetInfo]:
        parts = Parts(self.connection, "subnetworks.list")
        found = await self._subnets(parts)
        parts.check()
        return found.get(name, [])

    async def get_vnetwork(self, vnetwork_id: str) -> VNetworkInfo:
        """Return one network with its subnetworks."""
        network, subnets = await gathered(
            lambda: self._network(vnetwork_id), lambda: self._subnets_of(vnetwork_id)
        )
        return vnetwork_info(network, subnets)

    async def _network(self, name: str) -> wire.Network:
        facts = self.connection.facts("networks.get")
        return await self.connection.read_one(
            wire.Network,
            f"global/networks/{segment(facts, 'network', name)}",
            "networks.get",
            f"network {name!r}",
        )

    async def delete_vnetwork(self, vnetwork_id: str) -> bool:
        """Delete a network, its subnetworks in all regions first.

        Nothing is deleted when a firewall rule or a machine still uses it.
        """
        network, subnets = await gathered(
            lambda: self._network(vnetwork_id), lambda: self._everywhere(vnetwork_id)
        )
        users = await self._users(vnetwork_id)
        if users:
            named = ", ".join(users[:5]) + (", ..." if len(users) > 5 else "")
            raise ConflictError(
                f"network {vnetwork_id!r} is in use by {named}",
                code="resourceInUseByAnotherResource",
                **self.connection.facts("networks.delete"),
            )
        if network.auto_create_subnetworks:
            # Those that were made with it, and have its name, only go with it.
            subnets = [(region, name) for region, name in subnets if name != vnetwork_id]
        await self._delete(vnetwork_id, subnets)
        return True

    async def _delete(self, name: str, subnets: list[tuple[str, str]]) -> None:
        connection = self.connection

        def delete(region: str, subnet: str) -> Callable[[], Awaitable[None]]:
            path = f"regions/{region}/subnetworks/{subnet}"
            return lambda: connection.change("DELETE", path, "subnetworks.delete")

        await gathered(*(delete(*subnet) for subnet in subnets))
        await connection.change(
            "DELETE",
            f"global/networks/{quote(name, safe='')}",
            "networks.delete",
            what=f"network {name!r}",
        )

    async def _everywhere(self, network: str) -> list[tuple[str, str]]:
        """Return (region, name) of a network's subnetworks, wherever the connection is."""
        connection = self.connection
        found = await all_everywhere(
            connection, "subnetworks", wire.ScopedSubnetworks, wire.Subnetwork
        )
        return [
            (region, one.name)
            for region, one in found
            if network_id(one.network, connection.project) == network
        ]

    async def _users(self, network: str) -> list[str]:
        """Return what would make Compute Engine refuse half way through."""
        connection = self.connection
        firewalls, machines = await gathered(
            lambda: all_in(connection, "global/firewalls", wire.Firewall, "firewalls.list"),
            lambda: all_everywhere(
                connection,
                "instances",
                wire.ScopedInstances[wire.InstanceTags],
                wire.InstanceTags,
            ),
        )
        users = [
            f"VM {zone}/{machine.name}"
            for zone, machine in machines
            for nic in machine.network_interfaces
            if network_id(nic.network, connection.project) == network
        ]
        users += [
            f"firewall rule {firewall.name}"
            for firewall in firewalls
            if network_id(firewall.network, connection.project) == network
        ]
        return users
