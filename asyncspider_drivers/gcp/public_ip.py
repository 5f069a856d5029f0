"""Public addresses, regional and global."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from asyncspider import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    Page,
    Paged,
    PublicIPHandler,
    PublicIPInfo,
    PublicIPReqInfo,
    VNicInfo,
)
from asyncspider.streams import gathered
from asyncspider.transport.offload import load_module

from . import wire
from .lists import LOCAL, Parts, all_in, check_in_scope, pages_of
from .mapping import Scope, public_ip_info, scope_of, vnic_infos
from .names import GLOBAL, instance_id, region_of, split_id
from .undo import undone_on_failure

if TYPE_CHECKING:
    from .connection import GcpConnection

_INTERNAL = "INTERNAL"
_NAMES_AT_ONCE = 20  # in one filter, which may not be long


def address_path(connection: GcpConnection, address_id: str) -> str:
    """Return the path of an address: ``regions/r/addresses/a`` or ``global/addresses/a``.

    Raises:
        NotFoundError: There can be none of that id here.
    """
    region, name = split_id(
        connection.facts("addresses.get"), "public address", address_id, "region", "name"
    )
    if region == GLOBAL:
        return f"global/addresses/{quote(name, safe='')}"
    check_in_scope(connection, "public address", address_id, region, "")
    return f"regions/{quote(region, safe='')}/addresses/{quote(name, safe='')}"


class GcpPublicIPHandler(PublicIPHandler["GcpConnection"]):
    """Addresses; their id is ``region/name``, or ``global/name``. Internal ones are none.

    A region sees its own; the global ones are seen by a connection to the whole project.
    """

    async def create_public_ip(self, public_ip_req_info: PublicIPReqInfo) -> PublicIPInfo:
        """Reserve a regional address, and give it to a VM's interface in place of what that has."""
        request, connection = public_ip_req_info, self.connection
        facts = connection.facts("addresses.insert")
        target: tuple[str, str, str] | None = None
        if request.vnic_id:
            zone, machine, nic = split_id(facts, "interface", request.vnic_id, "zone", "vm", "nic0")
            target = (zone, machine, nic)
            if request.vm_id and request.vm_id != f"{zone}/{machine}":
                raise InvalidRequestError(
                    f"interface {request.vnic_id!r} is not of VM {request.vm_id!r}", **facts
                )
        elif request.vm_id:
            zone, machine = split_id(facts, "VM", request.vm_id, "zone", "name")
            target = (zone, machine, "nic0")
        region = region_of(target[0]) if target else connection.home.region
        if not region:
            raise InvalidRequestError(
                "an address needs a region: connect to one, name the VM that gets it, or set "
                "CLOUDSDK_COMPUTE_REGION",
                **facts,
            )
        if target:
            check_in_scope(connection, "VM", f"{target[0]}/{target[1]}", region, target[0])
        bodies: Any = await load_module("asyncspider_drivers.gcp.bodies")
        path = f"regions/{quote(region, safe='')}/addresses"
        started = await connection.write(
            "POST", path, "addresses.insert", bodies.address(request.name)
        )
        address_id = f"{region}/{request.name}"
        async with undone_on_failure(
            f"public address {address_id!r}", lambda: self._take_back(started, path, request.name)
        ):
            await connection.finish(started, path, "addresses.insert")
            info = await self.get_public_ip(address_id)
            if target is None:
                return info
            await self._associate(info.public_ip, *target)
            return await self.get_public_ip(address_id)

    async def _take_back(self, started: wire.Operation, path: str, name: str) -> None:
        if await self.connection.succeeded(started, path, "addresses.insert"):
            await self.delete_public_ip(f"{path.split('/')[1]}/{name}")

    async def _associate(self, ip: str, zone: str, machine: str, device: str) -> None:
        connection = self.connection
        path = f"zones/{quote(zone, safe='')}/instances/{quote(machine, safe='')}"
        found = await connection.read_one(
            wire.InstanceNics, path, "instances.get", f"VM '{zone}/{machine}'"
        )
        for nic in found.network_interfaces:
            if nic.name == device:
                break
        else:
            raise NotFoundError(
                f"VM {zone}/{machine} has no interface {device!r}",
                **connection.facts("instances.get"),
            )
        for config in nic.access_configs:  # there is one at most
            await self._take_from(path, device, config.name)
        bodies: Any = await load_module("asyncspider_drivers.gcp.bodies")
        await connection.change(
            "POST",
            f"{path}/addAccessConfig",
            "instances.addAccessConfig",
            bodies.access_config(ip),
            networkInterface=device,
        )

    async def _take_from(self, path: str, device: str, config: str) -> None:
        await self.connection.change(
            "POST",
            f"{path}/deleteAccessConfig",
            "instances.deleteAccessConfig",
            networkInterface=device,
            accessConfig=config,
        )

    def iter_public_ip(self) -> Paged[PublicIPInfo]:
        """Iterate over the region's addresses, or over all of the project, the global ones too."""
        return Paged(self._pages)

    async def _pages(self) -> AsyncGenerator[Page[PublicIPInfo], None]:
        def public(addresses: list[wire.Address], scope: Scope) -> list[wire.Address]:
            return [address for address in addresses if address.address_type != _INTERNAL]

        parts = Parts(self.connection, "addresses.list")
        pages = pages_of(
            self.connection, "addresses", wire.ScopedAddresses, wire.Address, public, parts
        )
        try:
            async for page in pages:
                infos = await self._joined(page.items, page.region, parts)
                yield Page(infos, page.region, page.zone)
        finally:
            await pages.aclose()
        parts.check()

    async def _joined(
        self, addresses: list[wire.Address], region: str, parts: Parts | None = None
    ) -> list[PublicIPInfo]:
        """Return addresses with the interfaces that have them: one list for each zone.

        With `parts`, a zone that can't be read is noted there, and its interfaces stay unknown.
        """
        users = {instance_id(user) for address in addresses for user in address.users}
        zones: defaultdict[str, list[str]] = defaultdict(list)
        for vm_id in sorted(filter(None, users)):
            zone, _, name = vm_id.partition("/")
            zones[zone].append(name)
        lookups = [
            (zone, names[start : start + _NAMES_AT_ONCE])
            for zone, names in zones.items()
            for start in range(0, len(names), _NAMES_AT_ONCE)
        ]
        holders: dict[str, VNicInfo] = {}

        def look(zone: str, names: list[str]) -> Callable[[], Awaitable[None]]:
            async def read() -> None:
                try:
                    machines = await all_in(
                        self.connection,
                        f"zones/{zone}/instances",
                        wire.InstanceNics,
                        "instances.list",
                        filter=" OR ".join(f'(name = "{name}")' for name in names),
                    )
                except LOCAL as error:
                    if parts is None:
                        raise
                    parts.add(f"zones/{zone}", error)
                    return
                place = scope_of(f"zones/{zone}")
                for nic in vnic_infos(machines, place, self.connection.project):
                    holders[nic.public_ip] = nic

            return read

        await gathered(*(look(*lookup) for lookup in lookups))
        return [public_ip_info(one, region, holders.get(one.address)) for one in addresses]

    async def get_public_ip(self, public_ip_id: str) -> PublicIPInfo:
        """Return one address."""
        address = await self._address(public_ip_id)
        [info] = await self._joined([address], public_ip_id.partition("/")[0])
        return info

    async def _address(self, public_ip_id: str) -> wire.Address:
        address = await self.connection.read_one(
            wire.Address,
            address_path(self.connection, public_ip_id),
            "addresses.get",
            f"public address {public_ip_id!r}",
        )
        if address.address_type == _INTERNAL:
            raise NotFoundError(
                f"{public_ip_id!r} is an internal address, not a public one",
                **self.connection.facts("addresses.get"),
            )
        return address

    async def delete_public_ip(self, public_ip_id: str) -> bool:
        """Release an address, taking it from its VM first."""
        address = await self._address(public_ip_id)
        for user in address.users:
            vm_id = instance_id(user)
            if not vm_id:
                raise ConflictError(
                    f"{public_ip_id!r} is in use by {user}, which is no VM",
                    code="resourceInUseByAnotherResource",
                    **self.connection.facts("addresses.delete"),
                )
            zone, name = vm_id.split("/")
            path = f"zones/{zone}/instances/{name}"
            machine = await self.connection.read(wire.InstanceNics, path, "instances.get")
            for nic in machine.network_interfaces:
                for config in nic.access_configs:
                    if config.nat_ip == address.address:
                        await self._take_from(path, nic.name, config.name)
        await self._release(address_path(self.connection, public_ip_id))
        return True

    async def _release(self, path: str) -> None:
        await self.connection.change("DELETE", path, "addresses.delete")
