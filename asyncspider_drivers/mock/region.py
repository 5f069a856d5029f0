"""What a region of the mock cloud holds: seeded content made when it is looked at, and changes."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Generic, TypeVar
from zlib import crc32

from msgspec.structs import replace

from asyncspider import (
    ConflictError,
    ImageInfo,
    InvalidRequestError,
    KeyPairInfo,
    NotFoundError,
    PublicIPInfo,
    QuotaExceededError,
    RegionInfo,
    SecurityInfo,
    SecurityRule,
    SubnetInfo,
    UnavailableError,
    VMInfo,
    VMStatus,
    VNetworkInfo,
    VNicInfo,
)

if TYPE_CHECKING:
    from .world import WorldConfig

Row = TypeVar(
    "Row", ImageInfo, VNetworkInfo, SecurityInfo, KeyPairInfo, VNicInfo, PublicIPInfo, VMInfo
)

STATUS = {
    "starting": VMStatus.PENDING,
    "running": VMStatus.RUNNING,
    "stopping": VMStatus.SUSPENDING,
    "stopped": VMStatus.SUSPENDED,
    "rebooting": VMStatus.REBOOTING,
    "deleting": VMStatus.TERMINATING,
    "deleted": VMStatus.TERMINATED,
    "error": VMStatus.FAILED,
}
"""The mock's own words for a VM's state, and the common ones."""

SPECS = ("mock.small", "mock.medium", "mock.large")
"""What ``VMReqInfo.spec_id`` may be."""
PUBLIC_OWNER = "mock-public"
"""Owner of the images that everybody may use."""

_ROLES = ("web", "api", "db", "cache", "batch", "mail", "build")
_ENVIRONMENTS = ("prod", "prod", "stage", "dev")
_SYSTEMS = ("Debian 13", "Ubuntu 26.04", "Fedora 44")
_KEYS = ("admin", "deploy", "backup")
_VMS_PER_NETWORK = 500
_MOST_NETWORKS = 200
_FIRST_HOST = 4  # the ones below are the network's own, as in most clouds
_ADDRESSES = 0x6440_0000  # 100.64.0.0/10: nobody's public addresses, so they reach nobody


class Table(Generic[Row]):
    """One resource of a region: rows are made from their number until something changes them.

    Args:
        kind: First part of the ids.
        prefix: Second part: a number that tells this region from all others.
        seeded: How many rows there are to begin with.
        make: Makes one of them from its number and id.
    """

    def __init__(
        self, kind: str, prefix: int, seeded: int, make: Callable[[int, str], Row]
    ) -> None:
        self.seeded = seeded
        self._start = f"{kind}-{prefix:08x}"
        self._make = make
        self._kept: dict[int, Row] = {}
        self._gone: set[int] = set()
        self._next = seeded

    def __len__(self) -> int:
        return self._next - len(self._gone)

    def id_of(self, number: int) -> str:
        """Return the id of the row with that number."""
        return f"{self._start}{number:06x}"

    def number_of(self, id: str) -> int | None:
        """Return the number of the row with that id, None when there is no such row."""
        tail = id.removeprefix(self._start)
        try:
            number = int(tail, 16)
        except ValueError:
            return None
        if number in self._gone or number >= self._next or self.id_of(number) != id:
            return None
        return number

    def at(self, number: int) -> Row:
        """Return a row that is there."""
        row = self._kept.get(number)
        return self._make(number, self.id_of(number)) if row is None else row

    def has(self, number: int) -> bool:
        """Return whether a row with that number is still there."""
        return number < self._next and number not in self._gone

    def find(self, id: str) -> Row | None:
        """Return the row with that id, None when there is none."""
        number = self.number_of(id)
        return None if number is None else self.at(number)

    def get(self, id: str) -> Row:
        """Return the row with that id.

        Raises:
            NotFoundError: There is none.
        """
        number = self.number_of(id)
        if number is None:
            kind = self._start.partition("-")[0]
            raise NotFoundError(f"there is no {kind} {id!r}", code="NotFound", status=404)
        return self.at(number)

    def new_id(self) -> str:
        """Return the id that the next row has to have."""
        return self.id_of(self._next)

    def add(self, row: Row) -> Row:
        """Put in a row that has the `new_id`."""
        assert row.id == self.new_id()
        self._kept[self._next] = row
        self._next += 1
        return row

    def put(self, row: Row) -> Row:
        """Replace a row that is there."""
        number = self.number_of(row.id)
        assert number is not None
        self._kept[number] = row
        return row

    def remove(self, id: str) -> None:
        """Take a row out.

        Raises:
            NotFoundError: There is none.
        """
        self.get(id)
        number = self.number_of(id)
        assert number is not None
        self._gone.add(number)
        self._kept.pop(number, None)

    def added(self) -> Iterator[Row]:
        """Iterate over the rows that were not seeded."""
        return (row for number, row in self._kept.items() if number >= self.seeded)

    def changed(self) -> Iterator[Row]:
        """Iterate over the rows that were added or changed."""
        return iter(self._kept.values())

    def each(self) -> Iterator[Row]:
        """Iterate over all rows. Makes each: for short tables."""
        return (self.at(number) for number in range(self._next) if number not in self._gone)

    def page(self, start: int, size: int) -> tuple[list[Row], int | None]:
        """Return up to `size` rows from a number on, and the number to go on with."""
        rows: list[Row] = []
        for number in range(start, self._next):
            if number not in self._gone:
                if len(rows) == size:
                    return rows, number
                rows.append(self.at(number))
        return rows, None


class Region:
    """One region's seven tables, with the time that passes in them."""

    def __init__(
        self, *, name: str, number: int, prefix: int, config: WorldConfig, epoch: datetime
    ) -> None:
        self.name = name
        self.config = config
        self.epoch = epoch
        self.now = 0.0
        """Seconds of the world's clock at the request being answered."""
        self.zones = [f"{name}-{chr(ord('a') + zone)}" for zone in range(config.zones)]
        self.tokens: dict[str, tuple[str, object]] = {}
        """Idempotency token -> id of the VM that it made, and the request."""
        self.lasting_vnics: set[str] = set()
        """Interfaces that were made on their own; the others go with their VM."""
        self._places = [RegionInfo(region=name, zone=zone) for zone in self.zones]
        self._number = number
        self._prefix = prefix
        self._moves: dict[str, tuple[float, tuple[str, ...]]] = {}
        self._hosts: dict[str, int] = {}
        vms = config.vms
        self._networks = min(_MOST_NETWORKS, 1 + vms // _VMS_PER_NETWORK)
        images = len(_SYSTEMS)
        self.images = Table("image", prefix, images * 2, self._image)
        self.vnetworks = Table("net", prefix, self._networks, self._vnetwork)
        self.securities = Table("sec", prefix, self._networks, self._security)
        self.keys = Table("key", prefix, len(_KEYS), self._key)
        self.vnics = Table("nic", prefix, vms, self._vnic)
        self.public_ips = Table("ip", prefix, -(-vms // 3), self._public_ip)
        self.vms = Table("vm", prefix, vms, self._vm)

    # -- seeded rows: pure functions of the number

    def _image(self, number: int, id: str) -> ImageInfo:
        kinds = len(_SYSTEMS)
        system = _SYSTEMS[number % kinds]
        slug = system.lower().replace(" ", "-")
        public = number >= kinds
        return ImageInfo(
            id=id,
            name=slug if public else f"golden-{slug}",
            guest_os=system,
            architecture="x86_64",
            status="available",
            created_at=self.epoch - timedelta(days=30 + number),
            public=public,
        )

    def _vnetwork(self, number: int, id: str) -> VNetworkInfo:
        name = "default" if number == 0 else f"net-{number}"
        return VNetworkInfo(
            id=id,
            name=name,
            cidr_blocks=[f"10.{number}.0.0/16"],
            subnets=[
                SubnetInfo(
                    id=self.subnet_id(id, index),
                    name=f"{name}-{zone[-1]}",
                    cidr_block=f"10.{number}.{16 * index}.0/20",
                    zone=zone,
                )
                for index, zone in enumerate(self.zones)
            ],
            is_default=number == 0,
            status="available",
        )

    def _security(self, number: int, id: str) -> SecurityInfo:
        return SecurityInfo(
            id=id,
            name="default" if number == 0 else f"group-{number}",
            description="seeded",
            vnetwork_id=self.vnetworks.id_of(number),
            rules=[
                SecurityRule(
                    direction="inbound", protocol="tcp", from_port=22, to_port=22, cidr="0.0.0.0/0"
                ),
                SecurityRule(direction="inbound", protocol="all", group=id),
                SecurityRule(direction="outbound", protocol="all", cidr="0.0.0.0/0"),
            ],
        )

    def _key(self, number: int, id: str) -> KeyPairInfo:
        name = _KEYS[number]
        blob = sha256(f"{self._prefix}/{name}".encode()).digest()
        public_key = openssh_public_key(blob, name)
        return KeyPairInfo(
            id=id, name=name, public_key=public_key, fingerprint=fingerprint(public_key)
        )

    def _address(self, number: int) -> str:
        return str(IPv4Address(_ADDRESSES + (self._number * 100_003 + number) % 2**22))

    def _private_ip(self, number: int) -> str:
        network, zone = number % self._networks, self._zone(number)
        host = _FIRST_HOST + number // self._networks
        return f"10.{network}.{16 * zone + host // 256}.{host % 256}"

    def _zone(self, number: int) -> int:
        return number * len(self.zones) // self.config.vms

    def _vnic(self, number: int, id: str) -> VNicInfo:
        network = self.vnetworks.id_of(number % self._networks)
        return VNicInfo(
            id=id,
            name="eth0",
            vm_id=self.vms.id_of(number),
            vnetwork_id=network,
            subnetwork_id=self.subnet_id(network, self._zone(number)),
            mac_address=self._mac(number),
            private_ip=self._private_ip(number),
            public_ip="" if number % 3 else self._address(number // 3),
            security_ids=[self.securities.id_of(number % self._networks)],
            status="in-use",
        )

    def _mac(self, number: int) -> str:
        text = f"{number:08x}"
        pairs = ":".join(text[i : i + 2] for i in range(0, 8, 2))
        return f"02:{self._number & 0xFF:02x}:{pairs}"

    def _public_ip(self, number: int, id: str) -> PublicIPInfo:
        machine = 3 * number
        return PublicIPInfo(
            id=id,
            name=f"address-{number}",
            public_ip=self._address(number),
            vm_id=self.vms.id_of(machine),
            vnic_id=self.vnics.id_of(machine),
            private_ip=self._private_ip(machine),
            status="associated",
        )

    def _vm(self, number: int, id: str) -> VMInfo:
        dice = crc32(f"{self._prefix}/{number}".encode())
        percent = dice % 100
        native = "running" if percent < 85 else "stopped" if percent < 98 else "error"
        network = self.vnetworks.id_of(number % self._networks)
        group = self.securities.id_of(number % self._networks)
        zone = self._zone(number)
        role = _ROLES[dice // 100 % len(_ROLES)]
        private_ip = self._private_ip(number)
        public_ip = "" if number % 3 else self._address(number // 3)
        name = f"{role}-{number:05d}"
        return VMInfo(
            id=id,
            name=name,
            start_time=self.epoch - timedelta(seconds=dice % 31_536_000),
            region=self._places[zone],
            image_id=self.images.id_of(number % len(_SYSTEMS)),
            spec_id=SPECS[dice % len(SPECS)],
            vnetwork_id=network,
            subnetwork_id=self.subnet_id(network, zone),
            security_id=group,
            vnic=self.vnics.id_of(number),
            public_ip=public_ip,
            public_dns=self.dns_name(public_ip),
            private_ip=private_ip,
            private_dns=self.dns_name(private_ip),
            key_pair_id=self.keys.id_of(number % len(_KEYS)),
            guest_user_id="admin",
            guest_boot_disk="vda",
            guest_block_disk="vdb" if role == "db" else "",
            status=STATUS[native],
            native_status=native,
            security_ids=[group],
            tags={"Name": name, "role": role, "env": _ENVIRONMENTS[dice % len(_ENVIRONMENTS)]},
        )

    # -- helpers for what is made later

    def check_zone(self, zone: str) -> None:
        """Check the name of a zone; ``""`` is any.

        Raises:
            InvalidRequestError: This region has no such zone.
        """
        if zone and zone not in self.zones:
            raise InvalidRequestError(
                f"no zone {zone!r} in {self.name}; there is: {', '.join(self.zones)}"
            )

    def check_reachable(self, zone: str) -> None:
        """Check that a zone answers.

        Raises:
            UnavailableError: It is dead.
        """
        if zone in self.config.dead_zones:
            raise UnavailableError(f"{zone} can't be reached", code="ZoneDown", status=503)

    def subnet_id(self, vnetwork_id: str, index: int) -> str:
        """Return the id of a network's subnet."""
        return f"{vnetwork_id.replace('net-', 'subnet-', 1)}-{index}"

    def vnetwork_of_subnet(self, subnetwork_id: str) -> tuple[VNetworkInfo, SubnetInfo]:
        """Return a subnet and the network that it is in.

        Raises:
            NotFoundError: There is no such subnet.
        """
        vnetwork_id = subnetwork_id.rpartition("-")[0].replace("subnet-", "net-", 1)
        if self.vnetworks.number_of(vnetwork_id) is not None:
            vnetwork = self.vnetworks.get(vnetwork_id)
            for subnet in vnetwork.subnets:
                if subnet.id == subnetwork_id:
                    return vnetwork, subnet
        raise NotFoundError(f"there is no subnet {subnetwork_id!r}", code="NotFound", status=404)

    def default_vnetwork(self) -> VNetworkInfo:
        """Return the network that is used when none is named.

        Raises:
            NotFoundError: It was deleted.
        """
        if not self.vnetworks.has(0):
            raise NotFoundError("there is no default network", code="NotFound", status=404)
        return self.vnetworks.at(0)

    def new_private_ip(self, subnet: SubnetInfo) -> str:
        """Return an address that nobody in the subnet has.

        Raises:
            QuotaExceededError: All are taken.
        """
        block = IPv4Network(subnet.cidr_block)
        seeded = _FIRST_HOST + 1 + self.vms.seeded // self._networks
        host = self._hosts.get(subnet.id, seeded if block.prefixlen == 20 else _FIRST_HOST)
        if host >= block.num_addresses - 1:
            raise QuotaExceededError(f"{subnet.id} has no free address", code="NoFreeAddress")
        self._hosts[subnet.id] = host + 1
        return str(block[host])

    def new_mac(self) -> str:
        """Return the hardware address of the interface that comes next."""
        return self._mac(int(self.vnics.new_id()[-6:], 16))

    def new_address(self) -> str:
        """Return the public address that comes next."""
        return self._address(int(self.public_ips.new_id()[-6:], 16))

    def dns_name(self, ip: str) -> str:
        """Return the name of an address, ``""`` for none."""
        return f"ip-{ip.replace('.', '-')}.{self.name}.mock.internal" if ip else ""

    def users_of(self, vnetwork_id: str = "", security_id: str = "") -> Iterator[VNicInfo]:
        """Iterate over the interfaces in a network, or of a security group."""
        # Seeded interface n is in network and group n modulo their count, for as long as it is.
        table = self.vnetworks if vnetwork_id else self.securities
        number = table.number_of(vnetwork_id or security_id)
        if number is not None and number < self._networks:
            for machine in range(number, self.vnics.seeded, self._networks):
                if self.vnics.has(machine):
                    yield self.vnics.at(machine)
        for vnic in self.vnics.added():
            if vnic.vnetwork_id == vnetwork_id or security_id in vnic.security_ids:
                yield vnic

    # -- time

    def settle(self, now: float) -> None:
        """Let everything happen that was due by `now`."""
        self.now = now
        for vm_id in [id for id, (due, _) in self._moves.items() if due <= now]:
            while vm_id in self._moves and self._moves[vm_id][0] <= now:
                due, (native, *then) = self._moves.pop(vm_id)
                self._enter(vm_id, native, due, *then)

    def move(self, vm_id: str, native: str, *then: str) -> VMInfo:
        """Put a VM in a state, and in the others after it as time passes."""
        return self._enter(vm_id, native, self.now, *then)

    def _enter(self, vm_id: str, native: str, at: float, *then: str) -> VMInfo:
        vm = self.vms.get(vm_id)
        if native == "gone":
            self.vms.remove(vm_id)
            return vm
        vm = replace(vm, native_status=native, status=STATUS[native])
        if native == "deleted":
            vm = self._strip(vm)
        elif native == "starting":
            vm = replace(vm, start_time=self.epoch + timedelta(seconds=at))
        self.vms.put(vm)
        self._moves.pop(vm_id, None)
        if then:
            self._moves[vm_id] = (at + self.config.transition, then)
        return vm

    def _strip(self, vm: VMInfo) -> VMInfo:
        """Take its interface from a VM that has ended."""
        if vm.vnic and vm.vnic in self.lasting_vnics:
            self.vnics.put(replace(self.vnics.get(vm.vnic), vm_id="", status="available"))
            address = self.address_of(vm.vnic)
            if address is not None:
                self.public_ips.put(replace(address, vm_id=""))
        elif vm.vnic:
            self.disassociate(vm.vnic)
            self.vnics.remove(vm.vnic)
        return replace(
            vm,
            vnic="", public_ip="", public_dns="", private_ip="", private_dns="",
        )  # fmt: skip

    # -- addresses

    def address_of(self, vnic_id: str) -> PublicIPInfo | None:
        """Return the public address that an interface has."""
        for address in self.public_ips.changed():
            if address.vnic_id == vnic_id:
                return address
        number = self.vnics.number_of(vnic_id)
        if number is None or number >= self.vnics.seeded or number % 3:
            return None
        if not self.public_ips.has(number // 3):
            return None
        address = self.public_ips.at(number // 3)
        return address if address.vnic_id == vnic_id else None

    def disassociate(self, vnic_id: str) -> None:
        """Free the public address of an interface that goes away."""
        address = self.address_of(vnic_id)
        if address is not None:
            self.public_ips.put(
                replace(address, vm_id="", vnic_id="", private_ip="", status="available")
            )


def check_name(
    table: Table[Row], name: str, *, among: Callable[[Row], bool] = lambda row: True
) -> None:
    """Check that a new thing may have that name.

    Raises:
        InvalidRequestError: It is empty.
        ConflictError: Another one has it.
    """
    if not name:
        raise InvalidRequestError("a name is needed", code="InvalidName")
    for row in table.each():
        if row.name == name and among(row):
            raise ConflictError(
                f"the name {name!r} is taken by {row.id}", code="AlreadyExists", status=409
            )


def openssh_public_key(key: bytes, comment: str) -> str:
    """Return 32 bytes in the form of an OpenSSH ed25519 public key."""
    name = b"ssh-ed25519"
    blob = len(name).to_bytes(4, "big") + name + len(key).to_bytes(4, "big") + key
    return f"ssh-ed25519 {b64encode(blob).decode()} {comment}"


def fingerprint(public_key: str) -> str:
    """Return the SHA-256 fingerprint of an OpenSSH public key, as ``ssh-keygen -l`` shows it."""
    digest = sha256(b64decode(public_key.split()[1])).digest()
    return f"SHA256:{b64encode(digest).decode().rstrip('=')}"
