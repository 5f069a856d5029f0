"""Public addresses: Neutron's floating IPs."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from asyncspider import (
    ConflictError,
    NotSupportedError,
    Page,
    Paged,
    PublicIPHandler,
    PublicIPInfo,
    PublicIPReqInfo,
)

from . import wire
from .mapping import is_vm_port, public_ip_info
from .paths import segment

if TYPE_CHECKING:
    from .connection import OpenStackConnection  # noqa: F401 - named in a string below

_PATH = "/floatingips"


class OpenStackPublicIPHandler(PublicIPHandler["OpenStackConnection"]):
    """Floating IPs of the external network. Their description serves as a name."""

    async def create_public_ip(self, public_ip_req_info: PublicIPReqInfo) -> PublicIPInfo:
        """Allocate an address, and associate it in the same call when asked."""
        request = public_ip_req_info
        connection = self.connection
        port_id = request.vnic_id
        if not port_id and request.vm_id:
            port_id = await self._port_of(request.vm_id)
        network = await connection.public_network("CreateFloatingIP")
        if network is None:
            raise NotSupportedError(
                "this cloud has no external network, so it has no public addresses",
                **connection.facts("CreateFloatingIP"),
            )
        body: dict[str, Any] = {"floating_network_id": network.id, "description": request.name}
        if port_id:
            body["port_id"] = port_id
        made = await connection.call(
            wire.OneFloatingIP,
            "CreateFloatingIP",
            "network",
            "POST",
            _PATH,
            body={"floatingip": body},
        )
        return await self._joined(made.floatingip)

    async def _port_of(self, vm_id: str) -> str:
        from .vm import OpenStackVMHandler

        vm = await OpenStackVMHandler(self.connection).get_vm(vm_id)
        if not vm.vnic:
            raise ConflictError(
                f"VM {vm_id} has no interface that an address could be given to, or not yet",
                **self.connection.facts("CreateFloatingIP"),
            )
        return vm.vnic

    async def associate(self, public_ip_id: str, port_id: str) -> None:
        """Give an address to a port."""
        await self.connection.call(
            wire.Nothing,
            "UpdateFloatingIP",
            "network",
            "PUT",
            f"{_PATH}/{segment(public_ip_id)}",
            body={"floatingip": {"port_id": port_id}},
        )

    def iter_public_ip(self) -> Paged[PublicIPInfo]:
        """Iterate over the floating IPs, joined with one list of ports when any is in use."""
        return Paged(self._pages)

    async def _pages(self) -> AsyncGenerator[Page[PublicIPInfo], None]:
        ports: dict[str, wire.Port] | None = None
        async for answer in self.connection.pages_of(
            wire.FloatingIPs,
            "ListFloatingIPs",
            "network",
            _PATH,
            wire.fields_of(wire.FloatingIP),
        ):
            addresses = answer.floatingips
            if ports is None and any(address.port_id for address in addresses):
                ports = {
                    port.id: port for port in await self.connection.ports() if is_vm_port(port)
                }
            joined = ports or {}
            yield Page(
                [
                    public_ip_info(address, joined.get(address.port_id or ""))
                    for address in addresses
                ]
            )

    async def get_public_ip(self, public_ip_id: str) -> PublicIPInfo:
        """Return one floating IP."""
        path = f"{_PATH}/{segment(public_ip_id)}"
        found = await self.connection.call(
            wire.OneFloatingIP, "ShowFloatingIP", "network", "GET", path
        )
        return await self._joined(found.floatingip)

    async def _joined(self, address: wire.FloatingIP) -> PublicIPInfo:
        ports = await self.connection.ports(id=address.port_id) if address.port_id else []
        return public_ip_info(address, ports[0] if ports else None)

    async def delete_public_ip(self, public_ip_id: str) -> bool:
        """Release a floating IP, which takes it from its port too."""
        path = f"{_PATH}/{segment(public_ip_id)}"
        await self.connection.call(wire.Nothing, "DeleteFloatingIP", "network", "DELETE", path)
        return True
