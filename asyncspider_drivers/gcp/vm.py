"""VMs: Compute Engine instances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import anyio
import msgspec

from asyncspider import (
    InvalidRequestError,
    NotFoundError,
    NotSupportedError,
    Paged,
    PermissionDeniedError,
    VMHandler,
    VMInfo,
    VMReqInfo,
    VMStatus,
    VMStatusInfo,
)
from asyncspider.streams import gathered
from asyncspider.transport.offload import load_module

from . import wire
from .key_pair import find_key
from .lists import all_in, check_in_scope, pages_of
from .mapping import IMAGE_KEY, scope_of, vm_infos, vm_status, vm_status_info
from .names import image_id, image_path, last, region_of, resource_path, segment, split_id
from .public_ip import address_path
from .security import read_groups

if TYPE_CHECKING:
    from .connection import GcpConnection

_PROVISIONING = ("", "PENDING", "PROVISIONING")
_GRANT_DEADLINE = 300.0


def instance_path(connection: GcpConnection, vm_id: str) -> str:
    """Return the path of a VM: ``zones/z/instances/i``.

    Raises:
        NotFoundError: There can be none of that id here.
    """
    zone, name = split_id(connection.facts("instances.get"), "VM", vm_id, "zone", "name")
    check_in_scope(connection, "VM", vm_id, region_of(zone), zone)
    return f"zones/{quote(zone, safe='')}/instances/{quote(name, safe='')}"


class GcpVMHandler(VMHandler["GcpConnection"]):
    """Instances; their id is ``zone/name``."""

    async def start_vm(self, vm_req_info: VMReqInfo) -> VMInfo:
        """Create an instance with a boot disk of the image's size, and start it.

        The zone is the connection's, or the first of the region (of the subnetwork's, when the
        connection has none). It has a public address only when one is given. The key goes into
        its own ``ssh-keys``; a cloud-config into ``user-data``, any other user data into
        ``startup-script``, which runs at each start. The image is noted in its metadata too, as
        Compute Engine tells it of disks only, and a list of machines is to be one request.

        Returns when Compute Engine has found room for it: what it lacks quota or room for fails
        here, and not later unseen.
        """
        request, connection = vm_req_info, self.connection
        facts = connection.facts("instances.insert")
        if request.vnic_info is not None:
            raise NotSupportedError(
                "GCP has interfaces only inside VMs: leave vnic_info out", **facts
            )
        zone, subnetwork = await self._where(request)
        network = request.vnetwork_info.id if request.vnetwork_info is not None else ""
        address, key, tags = await gathered(
            lambda: self._address(request, region_of(zone)),
            lambda: self._key(request),
            lambda: self._tags(request, network),
        )
        items = {IMAGE_KEY: request.image_info.id, **({"ssh-keys": key} if key else {})}
        if request.user_data:
            cloud_config = request.user_data.startswith("#cloud-config")
            items["user-data" if cloud_config else "startup-script"] = request.user_data
        bodies: Any = await load_module("asyncspider_drivers.gcp.bodies")
        body = bodies.instance(
            name=request.name,
            machine_type=f"zones/{zone}/machineTypes/{request.spec_id}",
            image_path=image_path(facts, request.image_info.id, connection.project),
            network_path=_global("networks", network),
            subnetwork_path=subnetwork,
            public_ip=address,
            tags=tags,
            labels=request.tags,
            items=items,
        )
        path = f"zones/{zone}/instances"
        started = await connection.write(
            "POST", path, "instances.insert", body, token=request.idempotency_token
        )
        await self._granted(started, f"{path}/{request.name}", "instances.insert")
        return await self.get_vm(f"{zone}/{request.name}")

    async def _where(self, request: VMReqInfo) -> tuple[str, str]:
        """Return the zone, and the path of the subnetwork (``""`` = Compute Engine knows it)."""
        connection, place = self.connection, self.connection.home
        scope = connection.region_info
        facts = connection.facts("instances.insert")
        network = request.vnetwork_info.id if request.vnetwork_info is not None else ""
        subnetwork = ""
        if request.subnetwork_id.startswith("projects/"):
            subnetwork, named = request.subnetwork_id, request.subnetwork_id.split("/")[3]
        elif request.subnetwork_id:
            named, name = split_id(facts, "subnet", request.subnetwork_id, "region", "name")
            subnetwork = f"projects/{connection.project}/regions/{named}/subnetworks/{name}"
        else:
            named = place.region
        if not named:
            raise InvalidRequestError(
                "no zone: connect to a zone or region, name a subnet, or set CLOUDSDK_COMPUTE_ZONE",
                **facts,
            )
        if scope.region and named != scope.region:
            raise InvalidRequestError(
                f"subnet {request.subnetwork_id!r} is not in region {scope.region!r}", **facts
            )
        if place.zone and region_of(place.zone) == named:
            zone = place.zone
        else:
            zone = (await connection.zones_of(named))[0]
        if network and not subnetwork and not network.startswith("projects/"):
            subnetwork = await self._subnetwork_of(network, named)
        return zone, subnetwork

    async def _subnetwork_of(self, network: str, region: str) -> str:
        """Return the path of a network's subnetwork: custom-mode networks want it named."""
        connection = self.connection
        facts = connection.facts("networks.get")
        found, _ = await gathered(
            lambda: all_in(
                connection,
                f"regions/{quote(region, safe='')}/subnetworks",
                wire.Subnetwork,
                "subnetworks.list",
            ),
            lambda: connection.read_one(
                wire.Network,
                f"global/networks/{segment(facts, 'network', network)}",
                "networks.get",
                f"network {network!r}",
            ),
        )
        for subnetwork in found:
            if last(subnetwork.network) == network:
                return (
                    f"projects/{connection.project}/regions/{region}/subnetworks/{subnetwork.name}"
                )
        raise InvalidRequestError(
            f"network {network!r} has no subnet in region {region!r}",
            **connection.facts("instances.insert"),
        )

    async def _address(self, request: VMReqInfo, region: str) -> str:
        if request.public_ip_info is None:
            return ""
        address_id = request.public_ip_info.id
        path = address_path(self.connection, address_id)
        if not path.startswith(f"regions/{region}/"):
            raise InvalidRequestError(
                f"address {address_id!r} is not in region {region!r}, where the VM is to be",
                **self.connection.facts("instances.insert"),
            )
        address = await self.connection.read_one(
            wire.Address, path, "addresses.get", f"public address {address_id!r}"
        )
        return address.address

    async def _key(self, request: VMReqInfo) -> str:
        if request.key_pair_info is None:
            return ""
        return (await find_key(self.connection, request.key_pair_info.id)).line

    async def _tags(self, request: VMReqInfo, network: str) -> list[str]:
        """Return the tags of the groups; Compute Engine itself would take any."""
        connection = self.connection
        facts = connection.facts("instances.insert")
        wanted = [
            group.id
            for group in (request.security_info, *request.security_infos)
            if group is not None
        ]
        known = await read_groups(connection) if wanted else {}
        tags: list[str] = []
        for group_id in dict.fromkeys(wanted):
            group = known.get(group_id)
            if group is None:
                raise NotFoundError(f"there is no security group {group_id!r}", **facts)
            if group.network != (network or "default"):
                raise InvalidRequestError(
                    f"security group {group_id!r} is not of network {network or 'default'!r}",
                    **facts,
                )
            if group.tag:  # the group without a tag is every machine's already
                tags.append(group.tag)
        return tags

    async def _granted(
        self, started: wire.Operation, path: str, operation: str, before: str = ""
    ) -> None:
        """Wait until a machine has what it needs to run, or the operation says why it has not.

        Args:
            started: The operation.
            path: Path of the machine.
            operation: Name of the call.
            before: State of the machine before it, ``""`` = there was none.

        Raises:
            SpiderError: Why it has not.
        """
        connection, pause = self.connection, 0.05
        with anyio.move_on_after(_GRANT_DEADLINE):
            while True:
                try:
                    machine = await connection.read(wire.InstanceState, path, "instances.get")
                except NotFoundError:
                    # Not there yet, or not any more: only the operation knows.
                    pass
                else:
                    if machine.status not in (before, *_PROVISIONING):
                        return
                current = await connection.operation_of(started, path)
                if current.status == "DONE":
                    break
                await anyio.sleep(pause)
                pause = min(2.0, pause * 1.5)
        await connection.finish(started, path, operation, deadline=1.0)

    async def suspend_vm(self, vm_id: str) -> VMStatus:
        """Stop a machine (``stop``: the guest is shut down; not Compute Engine's ``suspend``)."""
        await self._power(vm_id, "stop")
        return VMStatus.SUSPENDING

    async def resume_vm(self, vm_id: str) -> VMStatus:
        """Start a stopped machine (``start``), or wake a suspended one (``resume``).

        Returns when Compute Engine has found room for it.
        """
        machine = await self._state(vm_id)
        verb = "resume" if machine.status == "SUSPENDED" else "start"
        started = await self._power(vm_id, verb)
        path = instance_path(self.connection, vm_id)
        await self._granted(started, path, f"instances.{verb}", machine.status)
        return VMStatus.PENDING

    async def reboot_vm(self, vm_id: str) -> VMStatus:
        """Restart a machine (``reset``: as by its button, the guest is not asked)."""
        await self._power(vm_id, "reset")
        return VMStatus.REBOOTING

    async def terminate_vm(self, vm_id: str) -> VMStatus:
        """Delete a machine, and the disks that are set to go with it."""
        await self.connection.write(
            "DELETE",
            instance_path(self.connection, vm_id),
            "instances.delete",
            what=f"VM {vm_id!r}",
        )
        return VMStatus.TERMINATING

    async def _power(self, vm_id: str, verb: str) -> wire.Operation:
        return await self.connection.write(
            "POST",
            f"{instance_path(self.connection, vm_id)}/{verb}",
            f"instances.{verb}",
            what=f"VM {vm_id!r}",
        )

    def iter_vm_status(self) -> Paged[VMStatusInfo]:
        """Iterate over the states; only names and states are asked for."""
        return Paged(
            lambda: pages_of(
                self.connection,
                "instances",
                wire.ScopedInstances[wire.InstanceState],
                wire.InstanceState,
                lambda machines, scope: [vm_status_info(one, scope) for one in machines],
            )
        )

    async def get_vm_status(self, vm_id: str) -> VMStatus:
        """Return the state of one machine."""
        return vm_status((await self._state(vm_id)).status)

    async def _state(self, vm_id: str) -> wire.InstanceState:
        return await self.connection.read_one(
            wire.InstanceState,
            instance_path(self.connection, vm_id),
            "instances.get",
            f"VM {vm_id!r}",
        )

    def iter_vm(self) -> Paged[VMInfo]:
        """Iterate over the machines of the zone, the region or the whole project."""
        project = self.connection.project
        return Paged(
            lambda: pages_of(
                self.connection,
                "instances",
                wire.ScopedInstances[wire.Instance],
                wire.Instance,
                lambda machines, scope: vm_infos(machines, scope, project),
            )
        )

    async def get_vm(self, vm_id: str) -> VMInfo:
        """Return one machine; of one that was started elsewhere, the boot disk tells the image."""
        connection, project = self.connection, self.connection.project
        path = instance_path(connection, vm_id)
        machine = await connection.read_one(wire.Instance, path, "instances.get", f"VM {vm_id!r}")
        [info] = vm_infos([machine], scope_of("/".join(path.split("/")[:2])), project)
        if info.image_id:
            return info
        try:
            found = await connection.read(wire.InstanceDisks, path, "instances.get")
            for disk in found.disks:
                if disk.boot and disk.source:
                    origin = await connection.read(
                        wire.DiskOrigin, resource_path(disk.source), "disks.get"
                    )
                    image = image_id(origin.source_image, project)
                    return msgspec.structs.replace(info, image_id=image)
        except (NotFoundError, PermissionDeniedError):
            pass  # it has just gone, or may not be seen
        return info


def _global(collection: str, id: str) -> str:
    return id if not id or id.startswith("projects/") else f"global/{collection}/{id}"
