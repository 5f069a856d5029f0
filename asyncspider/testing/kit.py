"""Making things in a cloud for a test, and taking them away again."""

from __future__ import annotations

import socket
from itertools import count
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import msgspec

from ..connection import CloudConnection
from ..errors import ConflictError, NotFoundError
from ..resources import (
    AnyInfo,
    ImageInfo,
    ImageReqInfo,
    KeyPairInfo,
    KeyPairReqInfo,
    PublicIPInfo,
    PublicIPReqInfo,
    Resource,
    SecurityInfo,
    SecurityReqInfo,
    SecurityRule,
    VMHandler,
    VMInfo,
    VMStatus,
    VNetworkInfo,
    VNetworkReqInfo,
    VNicInfo,
    VNicReqInfo,
)

if TYPE_CHECKING:
    from .hooks import ContractHooks

CIDR = "10.77.0.0/16"
RULES = [
    SecurityRule(
        direction="inbound", protocol="tcp", from_port=443, to_port=443, cidr="203.0.113.0/24"
    ),
    SecurityRule(
        direction="inbound", protocol="udp", from_port=5000, to_port=5009, cidr="198.51.100.0/24"
    ),
]

_CREATED = {
    Resource.IMAGE: "create_image",
    Resource.VNETWORK: "create_vnetwork",
    Resource.SECURITY: "create_security",
    Resource.KEY_PAIR: "create_key",
    Resource.VNIC: "create_vnic",
    Resource.PUBLIC_IP: "create_public_ip",
    Resource.VM: "start_vm",
}


class Kit:
    """Makes things of a cloud and remembers them. What is made once is used again by the rest.

    Args:
        hooks: What the author says of the cloud.
        connection: Where to make them.
    """

    def __init__(self, hooks: ContractHooks, connection: CloudConnection) -> None:
        self.hooks = hooks
        self.connection = connection
        self._run = token_hex(3)
        self._numbers = count(1)
        self._made: list[tuple[Resource, str]] = []
        self._vnetwork: VNetworkInfo | None = None
        self._security: SecurityInfo | None = None
        self._key: KeyPairInfo | None = None

    def name(self, what: str) -> str:
        """Return a name that nothing else has: lower case, digits and hyphens."""
        return f"contract-{what}-{self._run}-{next(self._numbers)}"

    async def create(self, resource: Resource, request: Any) -> Any:
        """Create a thing, which is deleted after the test."""
        handler = getattr(self.connection, f"create_{resource}_handler")()
        info: AnyInfo = await getattr(handler, _CREATED[resource])(request)
        self._made.append((resource, info.id))
        return info

    async def delete(self, resource: Resource, id: str) -> bool:
        """Delete a thing; while what uses it is still ending, wait.

        Raises:
            ConflictError: It stays in use.
        """
        if resource is Resource.VM:
            handler = self.connection.create_vm_handler()
            await handler.terminate_vm(id)
            await self.reach(id, VMStatus.TERMINATED)
            self._forget(resource, id)
            return True
        for _ in range(self.hooks.patience):
            try:
                deleted = await self.delete_once(resource, id)
            except ConflictError:
                await self.hooks.pass_time(self.connection)
            else:
                self._forget(resource, id)
                return deleted
        return await self.delete_once(resource, id)

    async def delete_once(self, resource: Resource, id: str) -> bool:
        """Delete a thing that is no VM, without waiting."""
        handler = getattr(self.connection, f"create_{resource}_handler")()
        return await getattr(handler, _CREATED[resource].replace("create", "delete"))(id)

    def _forget(self, resource: Resource, id: str) -> None:
        if (resource, id) in self._made:
            self._made.remove((resource, id))

    async def delete_all(self) -> None:
        """Delete everything that was made, the last first."""
        # Machines first: they hold most of the rest.
        self._made.sort(key=lambda made: made[0] is Resource.VM)
        while self._made:
            resource, id = self._made[-1]
            try:
                await self.delete(resource, id)
            except NotFoundError:
                self._forget(resource, id)

    async def reach(self, vm_id: str, *statuses: VMStatus) -> VMStatus:
        """Wait until a VM has one of the statuses; one that is gone is TERMINATED."""
        handler: VMHandler[Any] = self.connection.create_vm_handler()
        status: VMStatus | None = None
        for _ in range(self.hooks.patience):
            try:
                status = await handler.get_vm_status(vm_id)
            except NotFoundError:
                status = VMStatus.TERMINATED
            if status in statuses:
                return status
            await self.hooks.pass_time(self.connection)
        raise AssertionError(f"{vm_id} stays {status}, and does not become {statuses}")

    # -- single things

    async def vnetwork(self) -> VNetworkInfo:
        """Return a network, made at the first call."""
        if self._vnetwork is None:
            request = VNetworkReqInfo(name=self.name("net"), cidr_block=CIDR)
            self._vnetwork = await self.create(Resource.VNETWORK, request)
            assert self._vnetwork is not None
        return self._vnetwork

    async def security(self) -> SecurityInfo:
        """Return a group in the network, made at the first call."""
        if self._security is None:
            network = await self.vnetwork()
            request = SecurityReqInfo(
                name=self.name("group"), vnetwork_id=network.id, rules=list(RULES)
            )
            self._security = await self.create(Resource.SECURITY, request)
            assert self._security is not None
        return self._security

    async def key(self) -> KeyPairInfo:
        """Return a key, made at the first call."""
        if self._key is None:
            self._key = await self.create(Resource.KEY_PAIR, KeyPairReqInfo(name=self.name("key")))
            assert self._key is not None
        return self._key

    async def vnic(self) -> VNicInfo:
        """Make an interface in the network, with the group."""
        network = await self.vnetwork()
        request = VNicReqInfo(
            name=self.name("nic"),
            subnetwork_id=network.subnets[0].id,
            security_ids=[(await self.security()).id],
        )
        return await self.create(Resource.VNIC, request)

    async def public_ip(self, **changes: Any) -> PublicIPInfo:
        """Make an address."""
        return await self.create(
            Resource.PUBLIC_IP, PublicIPReqInfo(name=self.name("ip"), **changes)
        )

    async def vm(self, **changes: Any) -> VMInfo:
        """Start a VM and wait until it runs; returns what `get_vm` says then."""
        request = await self.hooks.vm_request(self, self.name("vm"))
        vm = await self.create(Resource.VM, msgspec.structs.replace(request, **changes))
        await self.reach(vm.id, VMStatus.RUNNING)
        return await self.connection.create_vm_handler().get_vm(vm.id)

    async def image(self) -> ImageInfo:
        """Make an image of a new VM."""
        vm = await self.vm()
        return await self.create(Resource.IMAGE, ImageReqInfo(name=self.name("image"), vm_id=vm.id))

    async def make(self, resource: Resource) -> Any:
        """Make one thing of any resource."""
        return await getattr(self, "key" if resource is Resource.KEY_PAIR else resource.value)()


def closed_port() -> int:
    """Return a port of 127.0.0.1 on which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
