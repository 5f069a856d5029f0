"""VMs of the mock cloud, and what they pass through."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from asyncspider import (
    ConflictError,
    InvalidRequestError,
    Paged,
    QuotaExceededError,
    RegionInfo,
    VMHandler,
    VMInfo,
    VMReqInfo,
    VMStatus,
    VMStatusInfo,
)

from .paging import Answer, paged
from .public_ip import associate
from .region import SPECS, STATUS, Region
from .vnic import new_vnic, place_of

if TYPE_CHECKING:
    from .connection import MockConnection  # noqa: F401 - named in a string below


class MockVMHandler(VMHandler["MockConnection"]):
    """VMs. Every change of state takes the world's ``transition`` time."""

    @property
    def _zone(self) -> str:
        return self.connection.region_info.zone

    async def start_vm(self, vm_req_info: VMReqInfo) -> VMInfo:
        """Create a VM and start it; the same idempotency token gives the same VM.

        Raises:
            NotFoundError: An image, network, subnet, group, key, interface or address is not
                there.
            InvalidRequestError: The spec is unknown, a group is of another network, or the token
                was used for another request.
            ConflictError: The interface or address is in use.
            QuotaExceededError: The region has ``max_vms`` already.
        """
        return await self.connection.call(_start_vm, vm_req_info, self._zone)

    async def suspend_vm(self, vm_id: str) -> VMStatus:
        """Stop a running VM."""
        return await self.connection.call(_suspend_vm, vm_id)

    async def resume_vm(self, vm_id: str) -> VMStatus:
        """Start a stopped VM."""
        return await self.connection.call(_resume_vm, vm_id)

    async def reboot_vm(self, vm_id: str) -> VMStatus:
        """Restart a running VM."""
        return await self.connection.call(_reboot_vm, vm_id)

    async def terminate_vm(self, vm_id: str) -> VMStatus:
        """Delete a VM, whatever its state; again while it ends changes nothing."""
        return await self.connection.call(_terminate_vm, vm_id)

    def iter_vm_status(self) -> Paged[VMStatusInfo]:
        """Iterate over the states of all VMs page by page; see `iter_vm`."""
        # The zone is needed only to tell what a dead one hides.
        zones: dict[str, str] = {}

        def list_vm_status(region: Region, start: int) -> Answer[VMStatusInfo]:
            rows, more = region.vms.page(start, region.config.page_size)
            zones.clear()
            zones.update((row.id, row.region.zone) for row in rows)
            return [
                VMStatusInfo(id=row.id, status=row.status, native_status=row.native_status)
                for row in rows
            ], more

        def zone_of(status: VMStatusInfo) -> str:
            return zones[status.id]

        return Paged(partial(paged, self.connection, list_vm_status, zone_of, self._zone))

    async def get_vm_status(self, vm_id: str) -> VMStatus:
        """Return the state of one VM."""
        return await self.connection.call(_get_vm_status, vm_id)

    def iter_vm(self) -> Paged[VMInfo]:
        """Iterate over the VMs page by page; with a zone in the connection, over that zone's.

        Raises (while iterating):
            PartialListError: A zone is dead.
        """
        return Paged(partial(paged, self.connection, _list_vm, _zone_of, self._zone))

    async def get_vm(self, vm_id: str) -> VMInfo:
        """Return one VM."""
        return await self.connection.call(_get_vm, vm_id)


def find_vm(region: Region, vm_id: str) -> VMInfo:
    """Return a VM that can be reached.

    Raises:
        NotFoundError: There is none.
        UnavailableError: Its zone is dead.
    """
    vm = region.vms.get(vm_id)
    region.check_reachable(vm.region.zone)
    return vm


def _start_vm(region: Region, req: VMReqInfo, zone: str) -> VMInfo:
    token = req.idempotency_token
    if token and token in region.tokens:
        vm_id, before = region.tokens[token]
        if before != req:
            raise InvalidRequestError(
                "the idempotency token was used for another request",
                code="IdempotencyTokenMismatch",
            )
        if region.vms.number_of(vm_id) is not None:
            return region.vms.get(vm_id)
    quota = region.config.max_vms
    if quota is not None and len(region.vms) >= quota:
        raise QuotaExceededError(f"{region.name} may have {quota} VMs", code="VMQuota", status=403)
    if req.spec_id not in SPECS:
        raise InvalidRequestError(
            f"unknown spec {req.spec_id!r}; there is: {', '.join(SPECS)}", code="InvalidSpec"
        )
    region.images.get(req.image_info.id)
    if req.key_pair_info is not None:
        region.keys.get(req.key_pair_info.id)
    groups = [info.id for info in (req.security_info, *req.security_infos) if info is not None]
    wanted_network = req.vnetwork_info.id if req.vnetwork_info is not None else ""
    if req.vnic_info is not None:
        vnic = region.vnics.get(req.vnic_info.id)
        if vnic.vm_id:
            raise ConflictError(f"{vnic.id} is in use by {vnic.vm_id}", code="InUse", status=409)
        network, subnet = place_of(
            region, wanted_network or vnic.vnetwork_id, vnic.subnetwork_id, ""
        )
    else:
        network, subnet = place_of(region, wanted_network, req.subnetwork_id, zone)
        vnic = new_vnic(region, "eth0", network, subnet, list(dict.fromkeys(groups)))
    address = region.address_of(vnic.id)
    if req.public_ip_info is not None:
        if address is not None:
            raise ConflictError(f"{vnic.id} has {address.id} already", code="InUse", status=409)
        address = region.public_ips.get(req.public_ip_info.id)
        if address.vnic_id:
            raise ConflictError(
                f"{address.id} is in use by {address.vnic_id}", code="InUse", status=409
            )
    # Nothing can fail from here on.
    vm_id = region.vms.new_id()
    vnic = replace(vnic, vm_id=vm_id, status="in-use")
    if req.vnic_info is None:
        region.vnics.add(vnic)
    else:
        region.vnics.put(vnic)
    region.vms.add(
        VMInfo(
            id=vm_id,
            name=req.name,
            region=RegionInfo(region=region.name, zone=subnet.zone),
            image_id=req.image_info.id,
            spec_id=req.spec_id,
            vnetwork_id=network.id,
            subnetwork_id=subnet.id,
            security_id=vnic.security_ids[0] if vnic.security_ids else "",
            vnic=vnic.id,
            private_ip=vnic.private_ip,
            private_dns=region.dns_name(vnic.private_ip),
            key_pair_id=req.key_pair_info.id if req.key_pair_info is not None else "",
            guest_user_id="admin",
            guest_boot_disk="vda",
            security_ids=vnic.security_ids,
            tags={**req.tags, "Name": req.name},
        )
    )
    if address is not None:
        associate(region, address, vnic)
    if token:
        region.tokens[token] = (vm_id, req)
    return region.move(vm_id, "starting", "running")


def _suspend_vm(region: Region, vm_id: str) -> VMStatus:
    _check_state(find_vm(region, vm_id), "running")
    return region.move(vm_id, "stopping", "stopped").status


def _resume_vm(region: Region, vm_id: str) -> VMStatus:
    _check_state(find_vm(region, vm_id), "stopped")
    return region.move(vm_id, "starting", "running").status


def _reboot_vm(region: Region, vm_id: str) -> VMStatus:
    _check_state(find_vm(region, vm_id), "running")
    return region.move(vm_id, "rebooting", "running").status


def _terminate_vm(region: Region, vm_id: str) -> VMStatus:
    vm = find_vm(region, vm_id)
    if vm.native_status in ("deleting", "deleted"):
        return vm.status
    return region.move(vm_id, "deleting", "deleted", "gone").status


def _check_state(vm: VMInfo, native: str) -> None:
    if vm.native_status != native:
        raise ConflictError(
            f"{vm.id} is {vm.status}, not {STATUS[native]}", code="IncorrectState", status=409
        )


def _list_vm(region: Region, start: int) -> Answer[VMInfo]:
    return region.vms.page(start, region.config.page_size)


def _zone_of(vm: VMInfo) -> str:
    return vm.region.zone


def _get_vm(region: Region, vm_id: str) -> VMInfo:
    return find_vm(region, vm_id)


def _get_vm_status(region: Region, vm_id: str) -> VMStatus:
    return find_vm(region, vm_id).status
