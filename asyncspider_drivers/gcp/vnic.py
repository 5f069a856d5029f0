"""Network interfaces: a view of those inside VMs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn
from urllib.parse import quote

from asyncspider import (
    NotFoundError,
    NotSupportedError,
    Paged,
    VNicHandler,
    VNicInfo,
    VNicReqInfo,
)

from . import wire
from .lists import check_in_scope, pages_of
from .mapping import scope_of, vnic_info, vnic_infos
from .names import region_of, split_id

if TYPE_CHECKING:
    from .connection import GcpConnection  # noqa: F401 - named in a string below


class GcpVNicHandler(VNicHandler["GcpConnection"]):
    """Interfaces; their id is ``zone/vm/nic0``. They come and go with their VM."""

    async def create_vnic(self, vnic_req_info: VNicReqInfo) -> NoReturn:
        """Not on GCP.

        Raises:
            NotSupportedError: Always.
        """
        raise self._not_supported("networkInterfaces.insert")

    def iter_vnic(self) -> Paged[VNicInfo]:
        """Iterate over the interfaces of all VMs."""
        project = self.connection.project
        return Paged(
            lambda: pages_of(
                self.connection,
                "instances",
                wire.ScopedInstances[wire.InstanceNics],
                wire.InstanceNics,
                lambda machines, scope: vnic_infos(machines, scope, project),
            )
        )

    async def get_vnic(self, vnic_id: str) -> VNicInfo:
        """Return one interface."""
        connection = self.connection
        zone, name, device = split_id(
            connection.facts("instances.get"), "interface", vnic_id, "zone", "vm", "nic0"
        )
        check_in_scope(connection, "interface", vnic_id, region_of(zone), zone)
        machine = await connection.read_one(
            wire.InstanceNics,
            f"zones/{quote(zone, safe='')}/instances/{quote(name, safe='')}",
            "instances.get",
            f"interface {vnic_id!r}",
        )
        for nic in machine.network_interfaces:
            if nic.name == device:
                return vnic_info(machine, nic, scope_of(f"zones/{zone}"), connection.project)
        raise NotFoundError(
            f"VM {zone}/{name} has no interface {device!r}", **connection.facts("instances.get")
        )

    async def delete_vnic(self, vnic_id: str) -> NoReturn:
        """Not on GCP.

        Raises:
            NotSupportedError: Always.
        """
        raise self._not_supported("networkInterfaces.delete")

    def _not_supported(self, operation: str) -> NotSupportedError:
        return NotSupportedError(
            "GCP has interfaces only inside VMs: they are made with start_vm and go with "
            "terminate_vm",
            **self.connection.facts(operation),
        )
