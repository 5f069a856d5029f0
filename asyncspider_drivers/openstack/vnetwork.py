"""Networks: Neutron's, with their subnets."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from anyio import CancelScope

from asyncspider import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    Page,
    Paged,
    VNetworkHandler,
    VNetworkInfo,
    VNetworkReqInfo,
)
from asyncspider.streams import gathered

from . import wire
from .mapping import subnets_by_network, vnetwork_info
from .paths import segment

if TYPE_CHECKING:
    from .connection import OpenStackConnection  # noqa: F401 - named in a string below

DEFAULT_CIDR = "10.0.0.0/16"
"""Addresses of a network that names none."""
ROUTER_MARK = "made by asyncspider for its network"
"""Description of routers that `delete_vnetwork` may delete."""
_ROUTER_PORTS = "network:router_interface"
_OWN_PORTS = ("network:dhcp", "network:distributed", "network:metadata")
"""Owners of ports that Neutron deletes together with their network."""


class OpenStackVNetworkHandler(VNetworkHandler["OpenStackConnection"]):
    """Networks that the project can see, shared and external ones among them."""

    async def create_vnetwork(self, vnetwork_req_info: VNetworkReqInfo) -> VNetworkInfo:
        """Create a network with a subnet, and a router to the external network if there is one."""
        request = vnetwork_req_info
        connection = self.connection
        block = request.cidr_block or DEFAULT_CIDR
        try:
            version = ipaddress.ip_network(block).version
        except ValueError as error:
            raise InvalidRequestError(
                f"not a CIDR block: {block!r} ({error})", **connection.facts("CreateNetwork")
            ) from error
        outside = await connection.public_network("CreateNetwork")
        async with AsyncExitStack() as undo:
            made = await connection.call(
                wire.OneNetwork,
                "CreateNetwork",
                "network",
                "POST",
                "/networks",
                body={"network": {"name": request.name}},
            )
            network = made.network
            undo.push_async_callback(self._undo, network.id)
            subnet: dict[str, Any] = {
                "name": request.name,
                "network_id": network.id,
                "ip_version": version,
                "cidr": block,
            }
            made_subnet = await connection.call(
                wire.OneSubnet,
                "CreateSubnet",
                "network",
                "POST",
                "/subnets",
                body={"subnet": subnet},
            )
            if outside is not None:
                await self._route(request.name, outside.id, made_subnet.subnet.id, undo)
            info = await self.get_vnetwork(network.id)
            undo.pop_all()
        return info

    async def _route(
        self, name: str, external_id: str, subnet_id: str, undo: AsyncExitStack
    ) -> None:
        made = await self.connection.call(
            wire.OneRouter,
            "CreateRouter",
            "network",
            "POST",
            "/routers",
            body={
                "router": {
                    "name": name,
                    "description": ROUTER_MARK,
                    "external_gateway_info": {"network_id": external_id},
                }
            },
        )
        attached = False

        async def remove() -> None:
            if not attached:  # else it goes with its network
                with CancelScope(shield=True):
                    await self._delete_router(made.router.id)

        undo.push_async_callback(remove)
        await self._interface("AddInterface", made.router.id, {"subnet_id": subnet_id})
        attached = True

    async def _interface(self, operation: str, router_id: str, body: dict[str, str]) -> None:
        verb = "add" if operation == "AddInterface" else "remove"
        await self.connection.call(
            wire.Nothing,
            f"{operation}{'To' if verb == 'add' else 'From'}Router",
            "network",
            "PUT",
            f"/routers/{segment(router_id)}/{verb}_router_interface",
            body=body,
            idempotent=False,
        )

    async def _delete_router(self, router_id: str) -> None:
        path = f"/routers/{segment(router_id)}"
        await self.connection.call(wire.Nothing, "DeleteRouter", "network", "DELETE", path)

    async def _undo(self, network_id: str) -> None:
        with CancelScope(shield=True):
            await self.delete_vnetwork(network_id)

    def iter_vnetwork(self) -> Paged[VNetworkInfo]:
        """Iterate over the networks, joined with one list of subnets."""
        return Paged(self._pages)

    async def _pages(self) -> AsyncGenerator[Page[VNetworkInfo], None]:
        joined = subnets_by_network(await self._subnets())
        region = self.connection.region_info.region
        async for answer in self.connection.pages_of(
            wire.Networks,
            "ListNetworks",
            "network",
            "/networks",
            wire.fields_of(wire.Network),
        ):
            yield Page(
                [
                    vnetwork_info(network, joined.get(network.id, ()), region)
                    for network in answer.networks
                ]
            )

    async def _subnets(self, query: str = "") -> list[wire.Subnet]:
        query = f"{wire.fields_of(wire.Subnet)}&{query}".rstrip("&")
        return await self.connection.all_of(
            wire.Subnets, "ListSubnets", "network", "/subnets", "subnets", query
        )

    async def get_vnetwork(self, vnetwork_id: str) -> VNetworkInfo:
        """Return one network with its subnets."""
        path = segment(vnetwork_id)
        found, subnets = await gathered(
            lambda: self.connection.call(
                wire.OneNetwork, "ShowNetworkDetails", "network", "GET", f"/networks/{path}"
            ),
            lambda: self._subnets(f"network_id={path}"),
        )
        joined = subnets_by_network(subnets)[vnetwork_id] if subnets else ()
        return vnetwork_info(found.network, joined, self.connection.region_info.region)

    async def delete_vnetwork(self, vnetwork_id: str) -> bool:
        """Delete a network with its subnets, and take it from its routers.

        A router that `create_vnetwork` made goes too. Nothing is deleted when anything still
        uses the network.
        """
        connection = self.connection
        await self.get_vnetwork(vnetwork_id)
        ports = await connection.ports(network_id=vnetwork_id)
        users = [
            port for port in ports if not port.device_owner.startswith((*_OWN_PORTS, _ROUTER_PORTS))
        ]
        if users:
            names = list(dict.fromkeys(port.device_id or port.id for port in users))
            shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
            raise ConflictError(
                f"network {vnetwork_id} is in use by {shown}",
                code="NetworkInUse",
                **connection.facts("DeleteNetwork"),
            )
        routers = [port for port in ports if port.device_owner.startswith(_ROUTER_PORTS)]
        for port in routers:
            await self._interface("RemoveInterface", port.device_id, {"port_id": port.id})
        for router_id in dict.fromkeys(port.device_id for port in routers):
            await self._delete_if_ours(router_id)
        path = f"/networks/{segment(vnetwork_id)}"
        await connection.call(wire.Nothing, "DeleteNetwork", "network", "DELETE", path)
        return True

    async def _delete_if_ours(self, router_id: str) -> None:
        connection = self.connection
        try:
            found = await connection.call(
                wire.OneRouter,
                "ShowRouterDetails",
                "network",
                "GET",
                f"/routers/{segment(router_id)}",
            )
        except NotFoundError:
            return
        if found.router.description != ROUTER_MARK:
            return
        others = await connection.ports(device_id=router_id)
        if not any(port.device_owner.startswith(_ROUTER_PORTS) for port in others):
            await self._delete_router(router_id)
