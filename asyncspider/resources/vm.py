"""Virtual machines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime
from enum import StrEnum

import msgspec

from ..secrets import NO_SECRET, Secret
from .base import ConnectionT, Handler, Info, Paged, RegionInfo
from .image import ImageInfo
from .key_pair import KeyPairInfo
from .public_ip import PublicIPInfo
from .security import SecurityInfo
from .vnetwork import VNetworkInfo
from .vnic import VNicInfo

_ANYWHERE = RegionInfo()


class VMStatus(StrEnum):
    """State of a VM. Each driver's documentation lists which native states become which."""

    PENDING = "PENDING"
    """On its way to RUNNING: from launch, or from suspended."""
    RUNNING = "RUNNING"
    SUSPENDING = "SUSPENDING"
    """On its way from running to suspended."""
    SUSPENDED = "SUSPENDED"
    """Not running; disks and id stay, ``resume_vm`` starts it."""
    REBOOTING = "REBOOTING"
    TERMINATING = "TERMINATING"
    TERMINATED = "TERMINATED"
    FAILED = "FAILED"
    """The cloud itself calls it broken, or uses a word that no table knows."""


class VMReqInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What VM to start. Of an ``*_info`` only the ``id`` is needed."""

    name: str
    """Name of the VM."""
    image_info: ImageInfo
    """What it boots from."""
    vnetwork_info: VNetworkInfo | None = None
    """Its network; None = the default one."""
    security_info: SecurityInfo | None = None
    """Its security group; None = the default one."""
    key_pair_info: KeyPairInfo | None = None
    """The key that may log in; None = none."""
    spec_id: str
    """Instance type or flavor, as ``t3.micro``."""
    vnic_info: VNicInfo | None = None
    """An existing interface to use as its first."""
    public_ip_info: PublicIPInfo | None = None
    """An existing public address to associate."""
    subnetwork_id: str = ""
    """Subnet; ``""`` = one of the network's."""
    security_infos: list[SecurityInfo] = []
    """More security groups."""
    tags: dict[str, str] = {}
    """Tags, labels or metadata, whichever the cloud has."""
    user_data: str = ""
    """Script or cloud-config for the first boot, plain text."""
    idempotency_token: str = ""
    """The same token twice starts one VM, where the cloud has that; ``""`` = a new one."""


class VMStatusInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """State of one VM."""

    id: str
    """What `VMHandler.get_vm` takes."""
    status: VMStatus
    """State in the common words."""
    native_status: str = ""
    """State in the cloud's own word."""


class VMInfo(Info, frozen=True, kw_only=True, tag="vm"):
    """A virtual machine."""

    # Who has more than 15 fields to fill does so in two steps, the second one with `replace`:
    # CPython puts that many keywords into a dict first, which takes longer than all the rest.

    name: str = ""
    """Its name, ``""`` when it has none."""
    id: str
    """What `VMHandler.get_vm` takes."""
    start_time: datetime | None = None
    """Last start where the cloud tells it, else creation; UTC."""
    region: RegionInfo = _ANYWHERE
    """Where it is."""
    image_id: str = ""
    """Image that it was started from."""
    spec_id: str = ""
    """Instance type or flavor."""
    vnetwork_id: str = ""
    """Network of the first interface."""
    subnetwork_id: str = ""
    """Subnet of the first interface."""
    security_id: str = ""
    """First security group."""
    vnic: str = ""
    """Id or device name of the first interface."""
    public_ip: str = ""
    """Public address."""
    public_dns: str = ""
    """Public name."""
    private_ip: str = ""
    """Private address."""
    private_dns: str = ""
    """Private name."""
    key_pair_id: str = ""
    """Id of the key that may log in."""
    guest_user_id: str = ""
    """User to log in as, where the cloud tells it."""
    guest_user_pwd: Secret = NO_SECRET
    """That user's password, where the cloud tells it."""
    guest_boot_disk: str = ""
    """Device name of the boot disk, as ``/dev/sda1``."""
    guest_block_disk: str = ""
    """Device names of the other disks, comma-separated."""
    additional_info: str = ""
    """Anything else worth telling, free text."""
    status: VMStatus = VMStatus.FAILED
    """State in the common words."""
    native_status: str = ""
    """State in the cloud's own word."""
    security_ids: list[str] = []
    """All security groups."""
    tags: dict[str, str] = {}
    """All tags, labels or metadata."""


class VMHandler(Handler[ConnectionT], ABC):
    """Start, suspend, resume, reboot, terminate, list and get VMs.

    Power calls return when the cloud has accepted them, with the state that it reports then;
    waiting for the end is `asyncspider.wait_for_vm`'s part.
    """

    @abstractmethod
    async def start_vm(self, vm_req_info: VMReqInfo) -> VMInfo:
        """Create a VM and start it.

        Raises:
            NotFoundError: An image, network, group, key, NIC or address is not there.
            InvalidRequestError: The cloud refuses a value.
            QuotaExceededError: The account may not have one more.
        """

    @abstractmethod
    async def suspend_vm(self, vm_id: str) -> VMStatus:
        """Stop a VM; it keeps its disks and its id.

        Raises:
            NotFoundError: There is none.
            ConflictError: Its state does not allow it.
        """

    @abstractmethod
    async def resume_vm(self, vm_id: str) -> VMStatus:
        """Start a suspended VM again.

        Raises:
            NotFoundError: There is none.
            ConflictError: Its state does not allow it.
        """

    @abstractmethod
    async def reboot_vm(self, vm_id: str) -> VMStatus:
        """Restart a running VM.

        Raises:
            NotFoundError: There is none.
            ConflictError: Its state does not allow it.
        """

    @abstractmethod
    async def terminate_vm(self, vm_id: str) -> VMStatus:
        """Delete a VM.

        Raises:
            NotFoundError: There is none.
        """

    @abstractmethod
    def iter_vm_status(self) -> Paged[VMStatusInfo]:
        """Iterate over the states of all VMs page by page."""

    async def list_vm_status(self) -> list[VMStatusInfo]:
        """List the states of all VMs."""
        return await self.iter_vm_status().collect()

    @abstractmethod
    async def get_vm_status(self, vm_id: str) -> VMStatus:
        """Return the state of one VM.

        Raises:
            NotFoundError: There is none.
        """

    @abstractmethod
    def iter_vm(self) -> Paged[VMInfo]:
        """Iterate over the VMs page by page."""

    async def list_vm(self) -> list[VMInfo]:
        """List all VMs."""
        return await self.iter_vm().collect()

    @abstractmethod
    async def get_vm(self, vm_id: str) -> VMInfo:
        """Return one VM.

        Raises:
            NotFoundError: There is none.
        """
