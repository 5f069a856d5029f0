"""VMs: EC2 instances."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from anyio import CancelScope

from asyncspider import (
    InvalidRequestError,
    NotFoundError,
    Page,
    Paged,
    VMHandler,
    VMInfo,
    VMReqInfo,
    VMStatus,
    VMStatusInfo,
)
from asyncspider.transport.decoding import mapped

from . import wire
from .mapping import tag_specifications, vm_info, vm_status, vm_status_info
from .public_ip import AwsPublicIPHandler

if TYPE_CHECKING:
    from .connection import AwsConnection  # noqa: F401 - named in a string below


class AwsVMHandler(VMHandler["AwsConnection"]):
    """Instances."""

    async def start_vm(self, vm_req_info: VMReqInfo) -> VMInfo:
        """Start one instance: one RunInstances with token and tags.

        An address that is given is associated with its first interface; when that fails, the
        instance is terminated again.
        """
        request = vm_req_info
        connection = self.connection
        groups = list(
            dict.fromkeys(
                group.id
                for group in (request.security_info, *request.security_infos)
                if group is not None
            )
        )
        network: dict[str, Any] = {}
        if request.vnic_info is not None:
            # EC2 takes subnet and groups from the interface, and refuses them beside it.
            network["NetworkInterfaces"] = [
                {"DeviceIndex": 0, "NetworkInterfaceId": request.vnic_info.id}
            ]
        else:
            network["SecurityGroupIds"] = groups or None
            if subnet := await self._subnet(request):
                network["SubnetId"] = subnet
            elif zone := connection.region_info.zone:
                network["Placement"] = {"AvailabilityZone": zone}
        answer = await connection.call(
            wire.RunInstances,
            "RunInstances",
            ImageId=request.image_info.id,
            InstanceType=request.spec_id,
            MinCount=1,
            MaxCount=1,
            KeyName=request.key_pair_info.id if request.key_pair_info else None,
            UserData=base64.b64encode(request.user_data.encode()).decode() or None,
            ClientToken=request.idempotency_token or None,
            TagSpecifications=tag_specifications("instance", request.name, request.tags),
            **network,
        )
        if not answer.instances_set:
            raise NotFoundError("EC2 started no instance", **connection.facts("RunInstances"))
        info = self._info(answer.instances_set[0])
        if request.public_ip_info is None:
            return info
        try:
            await AwsPublicIPHandler(connection).associate(
                request.public_ip_info.id, vnic_id=info.vnic, vm_id=info.id
            )
        except BaseException:
            with CancelScope(shield=True):
                await self.terminate_vm(info.id)
            raise
        return await self.get_vm(info.id)

    async def _subnet(self, request: VMReqInfo) -> str | None:
        """Return the subnet to start in, None for the default network's."""
        if request.subnetwork_id or request.vnetwork_info is None or not request.vnetwork_info.id:
            return request.subnetwork_id or None
        zone = self.connection.region_info.zone
        subnets: list[wire.Subnet] = await self.connection.all_of(
            wire.DescribeSubnets,
            "DescribeSubnets",
            "subnet_set",
            Filters=[{"Name": "vpc-id", "Values": [request.vnetwork_info.id]}],
        )
        fitting = [subnet for subnet in subnets if not zone or subnet.availability_zone == zone]
        if not fitting:
            where = f" in {zone}" if zone else ""
            raise InvalidRequestError(
                f"network {request.vnetwork_info.id} has no subnet{where}",
                **self.connection.facts("RunInstances"),
            )
        return min(fitting, key=lambda subnet: subnet.subnet_id).subnet_id

    async def suspend_vm(self, vm_id: str) -> VMStatus:
        """Stop an instance (StopInstances)."""
        return await self._power("StopInstances", vm_id)

    async def resume_vm(self, vm_id: str) -> VMStatus:
        """Start a stopped instance (StartInstances)."""
        return await self._power("StartInstances", vm_id)

    async def reboot_vm(self, vm_id: str) -> VMStatus:
        """Reboot an instance. EC2 shows no sign of a reboot: it stays ``running``."""
        await self.connection.call(
            wire.Done, "RebootInstances", idempotent=False, InstanceIds=[vm_id]
        )
        return await self.get_vm_status(vm_id)

    async def terminate_vm(self, vm_id: str) -> VMStatus:
        """Terminate an instance (TerminateInstances)."""
        return await self._power("TerminateInstances", vm_id)

    async def _power(self, operation: str, vm_id: str) -> VMStatus:
        answer = await self.connection.call(
            wire.InstanceStateChanges, operation, InstanceIds=[vm_id]
        )
        for change in answer.instances_set:
            if change.instance_id == vm_id and change.current_state is not None:
                return vm_status(change.current_state.name)
        raise NotFoundError(f"there is no VM {vm_id}", **self.connection.facts(operation))

    def iter_vm_status(self) -> Paged[VMStatusInfo]:
        """Iterate over states (DescribeInstanceStatus, which sends far less than a list)."""
        return Paged(self._status_pages)

    async def _status_pages(self) -> AsyncGenerator[Page[VMStatusInfo], None]:
        zone = self.connection.region_info.zone
        async for answer in self.connection.pages_of(
            wire.DescribeInstanceStatus, "DescribeInstanceStatus", IncludeAllInstances=True
        ):
            yield Page(
                [
                    vm_status_info(status)
                    for status in answer.instance_status_set
                    if not zone or status.availability_zone == zone
                ]
            )

    async def get_vm_status(self, vm_id: str) -> VMStatus:
        """Return the state of one instance."""
        return (await self.get_vm(vm_id)).status

    def iter_vm(self) -> Paged[VMInfo]:
        """Iterate over instances (DescribeInstances, 1,000 a page)."""
        return Paged(self._pages)

    async def _pages(self) -> AsyncGenerator[Page[VMInfo], None]:
        zone = self.connection.region_info.zone
        async for answer in self.connection.pages_of(
            wire.DescribeInstances,
            "DescribeInstances",
            Filters=[{"Name": "availability-zone", "Values": [zone]}] if zone else None,
        ):
            instances = [
                instance
                for reservation in answer.reservation_set
                for instance in reservation.instances_set
            ]
            del answer  # only what is not mapped yet stays in memory
            yield Page(await mapped(self._info, instances))

    async def get_vm(self, vm_id: str) -> VMInfo:
        """Return one instance; a terminated one is there for about an hour."""
        reservations: list[wire.Reservation] = await self.connection.all_of(
            wire.DescribeInstances,
            "DescribeInstances",
            "reservation_set",
            paged=False,
            InstanceIds=[vm_id],
        )
        for reservation in reservations:
            for instance in reservation.instances_set:
                return self._info(instance)
        raise NotFoundError(f"there is no VM {vm_id}", **self.connection.facts("DescribeInstances"))

    def _info(self, instance: wire.Instance) -> VMInfo:
        return vm_info(instance, self.connection.region_info.region)
