"""Network interfaces: Neutron's ports."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Any

from asyncspider import (
    ConflictError,
    InvalidRequestError,
    Page,
    Paged,
    VNicHandler,
    VNicInfo,
    VNicReqInfo,
)
from asyncspider.streams import gathered

from . import wire
from .mapping import floating_by_port, is_vm_port, vnic_info
from .paths import segment

if TYPE_CHECKING:
    from .connection import OpenStackConnection  # noqa: F401 - named in a string below


class OpenStackVNicHandler(VNicHandler["OpenStackConnection"]):
    """All ports that the project can see, those of routers and DHCP among them."""

    async def create_vnic(self, vnic_req_info: VNicReqInfo) -> VNicInfo:
        """Create a port in a subnet, or else in the project's only network."""
        request = vnic_req_info
        network_id = ""
        if not request.subnetwork_id:
            network = await self.connection.only_network("CreatePort")
            if network is None:
                raise InvalidRequestError(
                    "there is no network: name a subnet", **self.connection.facts("CreatePort")
                )
            network_id = network.id
        port = await self.make(
            request.name,
            network_id=network_id,
            subnet_id=request.subnetwork_id,
            security_ids=request.security_ids,
        )
        return vnic_info(port, None)

    async def make(
        self,
        name: str,
        *,
        network_id: str = "",
        subnet_id: str = "",
        security_ids: Sequence[str] = (),
        description: str = "",
    ) -> wire.Port:
        """Create a port; with a subnet, its network need not be named."""
        body: dict[str, Any] = {"name": name}
        if subnet_id:
            network_id = network_id or (await self.subnet(subnet_id)).network_id
            body["fixed_ips"] = [{"subnet_id": subnet_id}]
        body["network_id"] = network_id
        if security_ids:
            body["security_groups"] = list(security_ids)
        if description:
            body["description"] = description
        made = await self.connection.call(
            wire.OnePort, "CreatePort", "network", "POST", "/ports", body={"port": body}
        )
        return made.port

    async def subnet(self, subnet_id: str) -> wire.Subnet:
        """Return one subnet."""
        path = f"/subnets/{segment(subnet_id)}"
        found = await self.connection.call(wire.OneSubnet, "ShowSubnet", "network", "GET", path)
        return found.subnet

    def iter_vnic(self) -> Paged[VNicInfo]:
        """Iterate over the ports, joined with one list of floating addresses."""
        return Paged(self._pages)

    async def _pages(self) -> AsyncGenerator[Page[VNicInfo], None]:
        floating = floating_by_port(await self.connection.floating_ips())
        async for answer in self.connection.pages_of(
            wire.Ports, "ListPorts", "network", "/ports", wire.fields_of(wire.Port)
        ):
            yield Page([vnic_info(port, floating.get(port.id)) for port in answer.ports])

    async def get_vnic(self, vnic_id: str) -> VNicInfo:
        """Return one port."""
        path = segment(vnic_id)
        port, floating = await gathered(
            lambda: self._get(vnic_id),
            lambda: self.connection.floating_ips(query=f"port_id={path}"),
        )
        return vnic_info(port, floating[0] if floating else None)

    async def _get(self, vnic_id: str) -> wire.Port:
        path = f"/ports/{segment(vnic_id)}"
        found = await self.connection.call(wire.OnePort, "ShowPort", "network", "GET", path)
        return found.port

    async def delete_vnic(self, vnic_id: str) -> bool:
        """Delete a port; Neutron itself would take it from a running VM."""
        port = await self._get(vnic_id)
        if is_vm_port(port):
            raise ConflictError(
                f"interface {vnic_id} is in use by VM {port.device_id}",
                code="PortInUse",
                **self.connection.facts("DeletePort"),
            )
        await self.remove(vnic_id)
        return True

    async def remove(self, vnic_id: str) -> None:
        """Delete a port, whoever uses it."""
        path = f"/ports/{segment(vnic_id)}"
        await self.connection.call(wire.Nothing, "DeletePort", "network", "DELETE", path)
