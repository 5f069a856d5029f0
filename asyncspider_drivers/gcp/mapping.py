"""Compute Engine's answers as the common structs. Pure functions."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from asyncspider import (
    ImageInfo,
    KeyPairInfo,
    ProtocolError,
    PublicIPInfo,
    RegionInfo,
    SecurityInfo,
    SecurityRule,
    SubnetInfo,
    VMInfo,
    VMStatus,
    VMStatusInfo,
    VNetworkInfo,
    VNicInfo,
)
from asyncspider.resources.native import status_of_native, unknown_state

from . import wire
from .names import instance_id, last, network_id, region_of, subnetwork_id

VM_STATUS: Mapping[str, VMStatus] = {
    "PENDING": VMStatus.PENDING,
    "PROVISIONING": VMStatus.PENDING,
    "STAGING": VMStatus.PENDING,
    "REPAIRING": VMStatus.PENDING,
    "RUNNING": VMStatus.RUNNING,
    "PENDING_STOP": VMStatus.SUSPENDING,
    "STOPPING": VMStatus.SUSPENDING,
    "SUSPENDING": VMStatus.SUSPENDING,
    "DEPROVISIONING": VMStatus.SUSPENDING,
    "STOPPED": VMStatus.SUSPENDED,
    "SUSPENDED": VMStatus.SUSPENDED,
    "TERMINATED": VMStatus.SUSPENDED,
}
"""Compute Engine's states ("VM instance lifecycle"); TERMINATED is its word for stopped."""

IMAGE_KEY = "asyncspider-image"
"""Metadata in which `start_vm` notes the image, for lists: only disks tell it otherwise."""

PUBLIC_PROJECTS = frozenset(
    {
        "centos-cloud",
        "cos-cloud",
        "debian-cloud",
        "deeplearning-platform-release",
        "fedora-cloud",
        "fedora-coreos-cloud",
        "opensuse-cloud",
        "oracle-linux-cloud",
        "rhel-cloud",
        "rhel-sap-cloud",
        "rocky-linux-accelerator-cloud",
        "rocky-linux-cloud",
        "suse-cloud",
        "suse-sap-cloud",
        "ubuntu-os-accelerator-images",
        "ubuntu-os-cloud",
        "ubuntu-os-pro-cloud",
        "windows-cloud",
        "windows-sql-cloud",
    }
)
"""Projects whose images everybody may use ("Operating system details")."""


class Scope(msgspec.Struct, frozen=True):
    """Where a part of a list comes from."""

    region: str
    zone: str = ""


def scope_of(key: str) -> Scope:
    """Return the place of ``zones/z``, ``regions/r`` or ``global``."""
    level, _, name = key.partition("/")
    if level == "zones":
        return Scope(region_of(name), name)
    return Scope(name or level)


# -- VMs


def vm_status(native: str) -> VMStatus:
    """Return the common word for a state."""
    return status_of_native("gcp", VM_STATUS, native)


def utc(time: datetime | None) -> datetime | None:
    """Return the same moment in UTC; Compute Engine tells Pacific time."""
    return time.astimezone(UTC) if time is not None else None


def security_ids(tags: Iterable[str], network: str) -> list[str]:
    """Return the groups of a machine: one for each network tag."""
    return [f"{network}/{tag}" for tag in tags]


def vm_infos(instances: Iterable[wire.Instance], scope: Scope, project: str) -> list[VMInfo]:
    """Return instances of one zone."""
    # One function for a page of them, and not one for each: calls are what it costs. The
    # machines of a zone are mostly alike, so what was worked out for the last one is kept.
    zone = scope.zone
    place = RegionInfo(region=scope.region, zone=zone)
    infos: list[VMInfo] = []
    network_url = network_of_url = subnetwork_url = subnetwork_of_url = ""
    known_groups: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for instance in instances:
        name, native = instance.name, instance.status
        vm_id = f"{zone}/{name}"
        network = subnetwork = private_ip = public_ip = vnic = ""
        if instance.network_interfaces:
            nic = instance.network_interfaces[0]
            if nic.network != network_url:
                network_url = nic.network
                network_of_url = network_id(network_url, project)
            if nic.subnetwork != subnetwork_url:
                subnetwork_url = nic.subnetwork
                subnetwork_of_url = subnetwork_id(subnetwork_url, project)
            network, subnetwork = network_of_url, subnetwork_of_url
            private_ip = nic.network_ip
            if nic.access_configs:
                public_ip = nic.access_configs[0].nat_ip
            vnic = f"{vm_id}/{nic.name}"
        tags = instance.tags.items
        groups = known_groups.get((network, tags))
        if groups is None:
            groups = known_groups[network, tags] = security_ids(tags, network)
        groups = groups[:]  # each machine's own: a list can be changed
        boot = others = ""
        for disk in instance.disks:
            if disk.boot:
                boot = disk.device_name
            else:
                others = f"{others},{disk.device_name}" if others else disk.device_name
        user = key = image = ""
        for item in instance.metadata.items:
            if item.key == "ssh-keys":
                user, key = _first_key(bytes(item.value))
            elif item.key == IMAGE_KEY:
                image = _text(bytes(item.value))
        started = instance.last_start_timestamp or instance.creation_timestamp
        notes = instance.status_message
        if native not in VM_STATUS:
            notes = "; ".join(filter(None, (unknown_state(VM_STATUS, native), notes)))
        # In two steps, as VMInfo says.
        info = VMInfo(
            name=name,
            id=vm_id,
            start_time=started.astimezone(UTC) if started is not None else None,
            region=place,
            image_id=image,
            spec_id=last(instance.machine_type),
            vnetwork_id=network,
            subnetwork_id=subnetwork,
            security_id=groups[0] if groups else "",
            vnic=vnic,
            status=VM_STATUS.get(native) or vm_status(native),
            native_status=native,
            security_ids=groups,
            tags=instance.labels,
        )
        infos.append(
            replace(
                info,
                public_ip=public_ip,
                private_ip=private_ip,
                private_dns=instance.hostname,
                key_pair_id=key,
                guest_user_id=user,
                guest_boot_disk=boot,
                guest_block_disk=others,
                additional_info=notes,
            )
        )
    return infos


@lru_cache(maxsize=256)
def _first_key(value: bytes) -> tuple[str, str]:
    for key in ssh_keys(_text(value)):
        return key.user, key.id
    return "", ""


@lru_cache(maxsize=256)
def _text(value: bytes) -> str:
    """Return a JSON text, ``""`` of what is none. Machines of a project have few different ones."""
    try:
        return msgspec.json.decode(value, type=str)
    except msgspec.DecodeError:
        return ""


def vm_status_info(instance: wire.InstanceState, scope: Scope) -> VMStatusInfo:
    """Return an instance's state."""
    native = instance.status
    return VMStatusInfo(
        id=f"{scope.zone}/{instance.name}", status=vm_status(native), native_status=native
    )


def vnic_infos(
    instances: Iterable[wire.InstanceNics], scope: Scope, project: str
) -> list[VNicInfo]:
    """Return the interfaces inside instances."""
    return [
        vnic_info(instance, nic, scope, project)
        for instance in instances
        for nic in instance.network_interfaces
    ]


def vnic_info(
    instance: wire.InstanceNics, nic: wire.NetworkInterface, scope: Scope, project: str
) -> VNicInfo:
    """Return one interface. Compute Engine tells no hardware address, and no state of its own."""
    vm_id = f"{scope.zone}/{instance.name}"
    network = network_id(nic.network, project)
    return VNicInfo(
        name=nic.name,
        id=f"{vm_id}/{nic.name}",
        vm_id=vm_id,
        vnetwork_id=network,
        subnetwork_id=subnetwork_id(nic.subnetwork, project),
        private_ip=nic.network_ip,
        public_ip=nic.access_configs[0].nat_ip if nic.access_configs else "",
        security_ids=security_ids(instance.tags.items, network),
    )


# -- images


def image_info(image: wire.Image, owner: str, project: str) -> ImageInfo:
    """Return an image; the id of another project's has the project before its name."""
    old = image.deprecated.state if image.deprecated is not None else ""
    windows = any(feature.type == "WINDOWS" for feature in image.guest_os_features)
    return ImageInfo(
        name=image.name,
        id=image.name if owner == project else f"{owner}/{image.name}",
        guest_os=last(image.licenses[0]) if image.licenses else "windows" if windows else "",
        architecture=image.architecture,
        status=old if old not in ("", "ACTIVE") else image.status,
        created_at=utc(image.creation_timestamp),
        public=owner in PUBLIC_PROJECTS,
    )


# -- networks


def subnet_info(subnetwork: wire.Subnetwork, region: str) -> SubnetInfo:
    """Return a subnetwork; these span their region."""
    return SubnetInfo(
        id=f"{region}/{subnetwork.name}",
        name=subnetwork.name,
        cidr_block=subnetwork.ip_cidr_range,
        zone=region,
    )


Subnets = defaultdict[str, list[SubnetInfo]]
"""Network id -> its subnetworks."""


def vnetwork_info(network: wire.Network, subnets: Sequence[SubnetInfo]) -> VNetworkInfo:
    """Return a network with its subnetworks."""
    blocks = [network.ipv4_range, *(subnet.cidr_block for subnet in subnets)]
    return VNetworkInfo(
        name=network.name,
        id=network.name,
        cidr_blocks=[block for block in dict.fromkeys(blocks) if block],
        subnets=list(subnets),
        is_default=network.name == "default",
    )


# -- security groups

EMPTY_GROUP = "asyncspider: this rule holds the place of a group without rules"
"""Description of the firewall rule that a group without rules consists of."""


class Group(msgspec.Struct, gc=False):
    """The firewall rules of one network with one target tag."""

    network: str
    tag: str
    firewalls: list[wire.Firewall] = []

    @property
    def id(self) -> str:
        """As in `SecurityInfo`."""
        return f"{self.network}/{self.tag}"


def groups_of(firewalls: Iterable[wire.Firewall], project: str) -> dict[str, Group]:
    """Return the groups that firewall rules make, by id.

    A rule with several target tags is in several groups; one with none is in ``network/``.
    """
    groups: dict[str, Group] = {}
    for firewall in firewalls:
        network = network_id(firewall.network, project)
        for tag in firewall.target_tags or [""]:
            group = groups.setdefault(f"{network}/{tag}", Group(network, tag, []))
            group.firewalls.append(firewall)
    return groups


def security_info(group: Group) -> SecurityInfo:
    """Return a group. Rules that let nothing pass are named in its description."""
    left_out = [
        f"{firewall.name} ({why})" for firewall in group.firewalls if (why := _not_shown(firewall))
    ]
    described = [
        firewall.description
        for firewall in group.firewalls
        if firewall.description and firewall.description != EMPTY_GROUP
    ]
    notes = list(dict.fromkeys(described))
    if left_out:
        notes.append(f"not shown: {', '.join(left_out)}")
    return SecurityInfo(
        name=group.tag,
        id=group.id,
        description="; ".join(notes),
        vnetwork_id=group.network,
        rules=[
            rule
            for firewall in group.firewalls
            if not firewall.disabled and not firewall.target_service_accounts
            for rule in _rules(firewall)
        ],
    )


def _not_shown(firewall: wire.Firewall) -> str:
    """Return why a firewall rule is not among a group's rules, ``""`` when it is."""
    if firewall.disabled:
        return "" if firewall.description.endswith(EMPTY_GROUP) else "disabled"
    if firewall.denied:
        return "denies"
    if firewall.target_service_accounts:
        return "for service accounts"
    return ""


_ICMP = ("icmp", "1")


def _rules(firewall: wire.Firewall) -> Iterator[SecurityRule]:
    inbound = firewall.direction != "EGRESS"
    direction: Literal["inbound", "outbound"] = "inbound" if inbound else "outbound"
    ranges = firewall.source_ranges if inbound else firewall.destination_ranges
    sides = [(block, "") for block in ranges]
    sides += [("", name) for name in (*firewall.source_tags, *firewall.source_service_accounts)]
    for allowed in firewall.allowed:
        protocol = allowed.ip_protocol
        for from_port, to_port in [_ports(text) for text in allowed.ports] or [(None, None)]:
            for cidr, group in sides:
                yield SecurityRule(
                    direction=direction,
                    protocol=protocol,
                    from_port=from_port,
                    to_port=to_port,
                    cidr=cidr,
                    group=group,
                )


def _ports(text: str) -> tuple[int, int]:
    first, _, final = text.partition("-")
    try:
        return int(first), int(final or first)
    except ValueError:
        raise ProtocolError(f"not a port, nor a range of them: {text!r}", driver="gcp") from None


def firewall_fields(rule: SecurityRule) -> dict[str, Any]:
    """Return a rule as fields of a Firewall message.

    Raises:
        ValueError: Compute Engine has no such rule; the message says why.
    """
    ports: list[str] = []
    if rule.from_port is not None or rule.to_port is not None:
        if rule.protocol in _ICMP:
            raise ValueError("rules for icmp have no type or code on GCP: leave the ports out")
        if rule.protocol not in ("tcp", "udp", "sctp"):
            raise ValueError(f"rules for {rule.protocol} have no ports on GCP")
        first = rule.from_port if rule.from_port is not None else 0
        final = rule.to_port if rule.to_port is not None else 65535
        ports = [str(first) if first == final else f"{first}-{final}"]
    fields: dict[str, Any] = {
        "direction": "INGRESS" if rule.direction == "inbound" else "EGRESS",
        "allowed": [{"I_p_protocol": rule.protocol, **({"ports": ports} if ports else {})}],
    }
    if rule.group:
        if rule.direction == "outbound":
            raise ValueError("outbound rules have no group as far side on GCP: give a CIDR block")
        # A group's id, or its tag alone.
        fields["source_tags"] = [rule.group.rpartition("/")[2]]
    else:
        side = "source_ranges" if rule.direction == "inbound" else "destination_ranges"
        fields[side] = [rule.cidr or "0.0.0.0/0"]
    return fields


# -- keys


class SshKey(msgspec.Struct, gc=False):
    """One line of ``ssh-keys`` metadata: ``user:type blob comment``."""

    id: str
    user: str
    public_key: str
    line: str


_EXPIRING = re.compile(r'google-ssh \{.*"userName"\s*:\s*"([^"]*)"')


def ssh_keys(text: str) -> list[SshKey]:
    """Return the keys of an ``ssh-keys`` value.

    A key's id is its comment (of an expiring one: its ``userName``), else its user; the second
    key of the same name is ``name#2``, and so on. Lines that are no key are passed over, as the
    guest agent does ("Add SSH keys to VMs that use metadata-based SSH keys").
    """
    keys: list[SshKey] = []
    counts: dict[str, int] = {}
    for line in text.splitlines():
        user, colon, key = line.strip().partition(":")
        parts = key.split(None, 2)
        if not colon or len(parts) < 2:
            continue
        comment = parts[2] if len(parts) > 2 else ""
        expiring = _EXPIRING.match(comment)
        name = (expiring[1] if expiring else comment) or user
        count = counts[name] = counts.get(name, 0) + 1
        keys.append(
            SshKey(
                id=name if count == 1 else f"{name}#{count}",
                user=user,
                public_key=f"{parts[0]} {parts[1]}" + (f" {comment}" if comment else ""),
                line=line,
            )
        )
    return keys


def fingerprint(public_key: str) -> str:
    """Return the fingerprint of an OpenSSH public key, ``SHA256:...``; ``""`` of no key."""
    try:
        blob = base64.b64decode(public_key.split()[1], validate=True)
    except (IndexError, ValueError):  # the latter also for what is no ASCII
        return ""
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return f"SHA256:{digest}"


def check_public_key(public_key: str) -> str:
    """Return the ``type blob`` of an OpenSSH public key.

    Raises:
        ValueError: It is none; the message says why.
    """
    parts = public_key.split()
    if len(public_key.strip().splitlines()) != 1 or len(parts) < 2:
        raise ValueError("not one line of the form 'type base64 [comment]'")
    try:
        blob = base64.b64decode(parts[1], validate=True)
    except ValueError:
        raise ValueError("its second word is no base64") from None
    size = int.from_bytes(blob[:4], "big")
    if blob[4 : 4 + size] != parts[0].encode():
        raise ValueError(f"what it holds is no {parts[0]!r} key")
    return f"{parts[0]} {parts[1]}"


def key_pair_info(key: SshKey) -> KeyPairInfo:
    """Return a key."""
    return KeyPairInfo(
        name=key.id,
        id=key.id,
        fingerprint=fingerprint(key.public_key),
        public_key=key.public_key,
    )


# -- addresses


def public_ip_info(address: wire.Address, region: str, holder: VNicInfo | None) -> PublicIPInfo:
    """Return a public address, with the interface that has it."""
    vm_id = next(filter(None, map(instance_id, address.users)), "")
    return PublicIPInfo(
        name=address.name,
        id=f"{region}/{address.name}",
        public_ip=address.address,
        vm_id=vm_id,
        vnic_id=holder.id if holder is not None else "",
        private_ip=holder.private_ip if holder is not None else "",
        status=address.status,
    )
