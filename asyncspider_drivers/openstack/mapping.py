"""From what OpenStack sends to what users get: pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec
from msgspec.structs import replace

from asyncspider import (
    ImageInfo,
    KeyPairInfo,
    PublicIPInfo,
    RegionInfo,
    Secret,
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

VM_STATUS: dict[str, VMStatus] = {
    "ACTIVE": VMStatus.RUNNING,
    "BUILD": VMStatus.PENDING,
    "DELETED": VMStatus.TERMINATED,
    "ERROR": VMStatus.FAILED,
    "HARD_REBOOT": VMStatus.REBOOTING,
    "MIGRATING": VMStatus.PENDING,
    "PASSWORD": VMStatus.RUNNING,
    "PAUSED": VMStatus.SUSPENDED,
    "REBOOT": VMStatus.REBOOTING,
    "REBUILD": VMStatus.PENDING,
    "RESCUE": VMStatus.RUNNING,
    "RESIZE": VMStatus.PENDING,
    "REVERT_RESIZE": VMStatus.PENDING,
    "SHELVED": VMStatus.SUSPENDED,
    "SHELVED_OFFLOADED": VMStatus.SUSPENDED,
    "SHUTOFF": VMStatus.SUSPENDED,
    "SOFT_DELETED": VMStatus.TERMINATED,
    "SUSPENDED": VMStatus.SUSPENDED,
    "UNKNOWN": VMStatus.FAILED,
    "VERIFY_RESIZE": VMStatus.PENDING,
}
"""Compute API guide, "Server concepts": server status."""

TASK_STATUS: dict[str, VMStatus] = {
    "deleting": VMStatus.TERMINATING,
    "soft-deleting": VMStatus.TERMINATING,
    "pausing": VMStatus.SUSPENDING,
    "powering-off": VMStatus.SUSPENDING,
    "shelving": VMStatus.SUSPENDING,
    "shelving_image_pending_upload": VMStatus.SUSPENDING,
    "shelving_image_uploading": VMStatus.SUSPENDING,
    "suspending": VMStatus.SUSPENDING,
    "powering-on": VMStatus.PENDING,
    "resuming": VMStatus.PENDING,
    "unpausing": VMStatus.PENDING,
    "unshelving": VMStatus.PENDING,
    "reboot_pending": VMStatus.REBOOTING,
    "reboot_started": VMStatus.REBOOTING,
    "rebooting": VMStatus.REBOOTING,
    "reboot_pending_hard": VMStatus.REBOOTING,
    "reboot_started_hard": VMStatus.REBOOTING,
    "rebooting_hard": VMStatus.REBOOTING,
}
"""What a server is about to be, by ``OS-EXT-STS:task_state``."""

_VM_OWNERS = ("compute:", "baremetal:")


def vm_status(server: wire.ServerState) -> VMStatus:
    """Return the common word for a server's state: its task's, or else its own."""
    task = server.task
    if task is not None and task in TASK_STATUS and server.status != "ERROR":
        return TASK_STATUS[task]
    return status_of_native("openstack", VM_STATUS, server.status)


def vm_status_info(server: wire.ServerState) -> VMStatusInfo:
    """Return a server's state."""
    return VMStatusInfo(id=server.id, status=vm_status(server), native_status=server.status)


@lru_cache(maxsize=512)
def place(region: str, zone: str) -> RegionInfo:
    """Return a place; the same object each time, as thousands of VMs share it."""
    return RegionInfo(region=region, zone=zone)


def _utc(time: datetime | None) -> datetime | None:
    if time is None or time.tzinfo is UTC:
        return time
    if time.tzinfo is None:
        return datetime.combine(time, time.time(), UTC)  # replace() takes five times as long
    return time.astimezone(UTC)


class Joins(msgspec.Struct, frozen=True):
    """What a server's own answer lacks, each read once for a whole list of servers."""

    ports: Mapping[str, Sequence[wire.Port]] = {}
    """Ports by the server that has them."""
    floating: Mapping[str, wire.FloatingIP] = {}
    """Floating addresses by port."""
    flavors: Mapping[str, str] = {}
    """Ids of flavors by name; needed where Nova names no id."""


NO_JOINS = Joins()


def is_vm_port(port: wire.Port) -> bool:
    """Return whether a port belongs to a server, rather than to a router or to DHCP."""
    return bool(port.device_id) and port.device_owner.startswith(_VM_OWNERS)


def ports_by_vm(ports: Iterable[wire.Port]) -> dict[str, list[wire.Port]]:
    """Return the ports of each server."""
    joined: dict[str, list[wire.Port]] = {}
    for port in ports:
        if is_vm_port(port):
            joined.setdefault(port.device_id, []).append(port)
    return joined


def floating_by_port(addresses: Iterable[wire.FloatingIP]) -> dict[str, wire.FloatingIP]:
    """Return the floating address of each port that has one."""
    return {address.port_id: address for address in addresses if address.port_id}


def vm_info(server: wire.Server, region: str, joins: Joins = NO_JOINS) -> VMInfo:
    """Return a server as a VM.

    Its first interface is that of the first address that Nova names. A floating address that
    Nova does not show yet is taken from Neutron's list.
    """
    # Written out, without generators and helpers for the usual case of one interface: this is
    # what a scan of many servers spends most of its time on.
    fixed: list[wire.Address] = []
    public_ip = ""
    for addresses in server.addresses.values():
        for address in addresses:
            if address.kind != "floating":
                fixed.append(address)
            elif not public_ip:
                public_ip = address.addr
    ports = joins.ports.get(server.id, ())
    if len(ports) == 1 and len(fixed) == 1:
        first, private_ip = ports[0], fixed[0].addr
    else:
        first = _first_port(ports, fixed)
        private_ip = _private_ip(fixed, first)
    if not public_ip and joins.floating:
        for port in ports:
            found = joins.floating.get(port.id)
            if found is not None:
                public_ip = found.floating_ip_address
                break
    groups: list[str] = []
    network = subnet = vnic = ""
    if first is not None:
        network, vnic = first.network_id, first.id
        groups = sorted(first.security_groups)
        if first.fixed_ips:
            subnet = first.fixed_ips[0].subnet_id
            for ip in first.fixed_ips:
                if ip.ip_address == private_ip:
                    subnet = ip.subnet_id
                    break
        if len(ports) > 1:
            for port in ports:
                if port is not first:
                    groups += [one for one in sorted(port.security_groups) if one not in groups]
    status = VM_STATUS.get(server.status)
    notes = ""
    if (
        status is None or server.task or server.fault or server.tags or server.locked
        or server.volumes
    ):  # fmt: skip
        status = vm_status(server)
        notes = _notes(server)
    info = VMInfo(
        name=server.name,
        id=server.id,
        start_time=_utc(server.launched_at or server.created),
        region=place(region, server.zone or ""),
        image_id=server.image.id if server.image else "",
        spec_id=_spec_id(server.flavor, joins.flavors),
        vnetwork_id=network,
        subnetwork_id=subnet,
        security_id=groups[0] if groups else "",
        vnic=vnic,
        private_ip=private_ip,
        status=status,
        native_status=server.status,
        security_ids=groups,
        tags=server.metadata,
    )
    if not (public_ip or server.key_name or server.root_device or notes):
        return info
    # In two steps, as VMInfo says.
    return replace(
        info,
        public_ip=public_ip,
        key_pair_id=server.key_name or "",
        guest_boot_disk=server.root_device or "",
        additional_info=notes,
    )


def _first_port(ports: Sequence[wire.Port], fixed: Sequence[wire.Address]) -> wire.Port | None:
    if len(ports) > 1 and fixed:
        for port in ports:
            if port.mac_address == fixed[0].mac:
                return port
    return ports[0] if ports else None


def _private_ip(fixed: Sequence[wire.Address], first: wire.Port | None) -> str:
    """Return the first interface's address, of version 4 if it has one."""
    if fixed:
        mac = fixed[0].mac
        for address in fixed:
            if address.version == 4 and address.mac == mac:
                return address.addr
        return fixed[0].addr
    if first is None or not first.fixed_ips:
        return ""
    addresses = [ip.ip_address for ip in first.fixed_ips]
    return next((address for address in addresses if ":" not in address), addresses[0])


def _spec_id(flavor: wire.FlavorRef | None, flavors: Mapping[str, str]) -> str:
    if flavor is None:
        return ""
    return flavor.id or flavors.get(flavor.original_name) or flavor.original_name


def _notes(server: wire.Server) -> str:
    notes: list[str] = []
    if server.status not in VM_STATUS:
        notes.append(unknown_state(VM_STATUS, server.status))
    if server.task:
        notes.append(f"task: {server.task}")
    if server.fault:
        notes.append(f"fault: {server.fault.message} ({server.fault.code})")
    if server.locked:
        notes.append("locked")
    if server.tags:
        notes.append(f"tags: {', '.join(server.tags)}")
    if server.volumes:
        notes.append(f"volumes: {', '.join([volume.id for volume in server.volumes])}")
    return "; ".join(notes)


def image_info(image: wire.Image) -> ImageInfo:
    """Return an image."""
    system = image.os_distro or image.os_type or ""
    return ImageInfo(
        name=image.name or "",
        id=image.id,
        guest_os=f"{system} {image.os_version}" if system and image.os_version else system,
        architecture=image.architecture or "",
        status=image.status,
        created_at=_utc(image.created_at),
        public=image.visibility in ("public", "community"),
    )


def _subnet_order(subnet: wire.Subnet) -> tuple[int, str, str]:
    return subnet.ip_version, subnet.name, subnet.id


def subnets_by_network(subnets: Iterable[wire.Subnet]) -> dict[str, list[wire.Subnet]]:
    """Return the subnets of each network, those of IPv4 first."""
    joined: dict[str, list[wire.Subnet]] = {}
    for subnet in sorted(subnets, key=_subnet_order):
        joined.setdefault(subnet.network_id, []).append(subnet)
    return joined


def vnetwork_info(
    network: wire.Network, subnets: Sequence[wire.Subnet], region: str
) -> VNetworkInfo:
    """Return a network with its subnets. Subnets span the region, which is their zone."""
    return VNetworkInfo(
        name=network.name,
        id=network.id,
        cidr_blocks=[subnet.cidr for subnet in subnets],
        subnets=[
            SubnetInfo(id=subnet.id, name=subnet.name, cidr_block=subnet.cidr, zone=region)
            for subnet in subnets
        ],
        is_default=bool(network.is_default),
        status=network.status,
    )


def security_info(group: wire.SecurityGroup) -> SecurityInfo:
    """Return a security group with its rules, in an order that Neutron itself does not keep."""
    rules = sorted(group.security_group_rules, key=lambda rule: rule.id)
    return SecurityInfo(
        name=group.name,
        id=group.id,
        description=group.description or "",
        rules=[_security_rule(rule) for rule in rules],
    )


_ANY = {"IPv4": "0.0.0.0/0", "IPv6": "::/0"}
_WITH_PORTS = ("tcp", "udp", "sctp", "dccp", "udplite")


def _security_rule(rule: wire.SecurityGroupRule) -> SecurityRule:
    group = rule.remote_group_id or rule.remote_address_group_id or ""
    anywhere = "" if group else _ANY.get(rule.ethertype or "IPv4", "")
    protocol = rule.protocol or "all"
    return SecurityRule(
        direction="inbound" if rule.direction == "ingress" else "outbound",
        protocol="all" if protocol == "any" else protocol,
        from_port=rule.port_range_min,
        to_port=rule.port_range_max,
        cidr=rule.remote_ip_prefix or anywhere,
        group=group,
    )


def security_rule_body(group_id: str, rule: SecurityRule) -> dict[str, Any]:
    """Return a rule as Neutron takes it ("Create security group rule")."""
    low, high = rule.from_port, rule.to_port
    if rule.protocol in _WITH_PORTS and (low is None) != (high is None):
        # Neutron knows no half-open range.
        low, high = (1 if low is None else low), (65535 if high is None else high)
    return {
        "security_group_id": group_id,
        "direction": "ingress" if rule.direction == "inbound" else "egress",
        "ethertype": "IPv6" if ":" in rule.cidr else "IPv4",
        "protocol": None if rule.protocol in ("all", "any", "") else rule.protocol,
        "port_range_min": low,
        "port_range_max": high,
        "remote_ip_prefix": None if rule.group else rule.cidr or None,
        "remote_group_id": rule.group or None,
    }


def key_pair_info(key: wire.KeyPair) -> KeyPairInfo:
    """Return a key pair; its id is its name, as servers know it by that."""
    return KeyPairInfo(
        name=key.name,
        id=key.name,
        fingerprint=key.fingerprint,
        public_key=key.public_key.strip(),
        private_key=Secret(key.private_key) if key.private_key else None,
    )


def vnic_info(port: wire.Port, floating: wire.FloatingIP | None) -> VNicInfo:
    """Return a port as an interface, joined with its floating address."""
    first = port.fixed_ips[0] if port.fixed_ips else None
    return VNicInfo(
        name=port.name,
        id=port.id,
        vm_id=port.device_id if is_vm_port(port) else "",
        vnetwork_id=port.network_id,
        subnetwork_id=first.subnet_id if first else "",
        mac_address=port.mac_address.lower(),
        private_ip=first.ip_address if first else "",
        public_ip=floating.floating_ip_address if floating else "",
        security_ids=sorted(port.security_groups),
        status=port.status,
    )


def public_ip_info(address: wire.FloatingIP, port: wire.Port | None) -> PublicIPInfo:
    """Return a floating address, joined with the port that has it.

    Neutron gives it no name; its description is used as one.
    """
    return PublicIPInfo(
        name=address.description or "",
        id=address.id,
        public_ip=address.floating_ip_address,
        vm_id=port.device_id if port is not None and is_vm_port(port) else "",
        vnic_id=address.port_id or "",
        private_ip=address.fixed_ip_address or "",
        status=address.status,
    )
