"""From what EC2 sends to what users get: pure functions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Literal

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
    "pending": VMStatus.PENDING,
    "running": VMStatus.RUNNING,
    "stopping": VMStatus.SUSPENDING,
    "stopped": VMStatus.SUSPENDED,
    "shutting-down": VMStatus.TERMINATING,
    "terminated": VMStatus.TERMINATED,
}
"""EC2 user guide, "Instance state change"."""


def vm_status(native: str) -> VMStatus:
    """Return the common word for an instance's state."""
    return status_of_native("aws", VM_STATUS, native)


def tag_name(tags: Iterable[wire.Tag]) -> str:
    """Return the value of the tag Name, ``""`` without one."""
    return next((tag.value for tag in tags if tag.key == "Name"), "")


@lru_cache(maxsize=512)
def place(region: str, zone: str) -> RegionInfo:
    """Return a place; the same object each time, as thousands of VMs share it."""
    return RegionInfo(region=region, zone=zone)


def vm_info(instance: wire.Instance, region: str) -> VMInfo:
    """Return an instance as a VM."""
    native = instance.instance_state.name if instance.instance_state else ""
    groups = [group.group_id for group in instance.group_set]
    tags = {tag.key: tag.value for tag in instance.tag_set}
    nics = instance.network_interface_set
    if len(nics) > 1:
        nics = sorted(nics, key=_device_index)
    root = instance.root_device_name
    others = [
        disk.device_name for disk in instance.block_device_mapping if disk.device_name != root
    ]
    notes = [
        unknown_state(VM_STATUS, native),
        f"platform: {instance.platform}" if instance.platform else "",
        f"lifecycle: {instance.instance_lifecycle}" if instance.instance_lifecycle else "",
        instance.state_reason.message if instance.state_reason else "",
    ]
    # In two steps, as VMInfo says.
    info = VMInfo(
        name=tags.get("Name", ""),
        id=instance.instance_id,
        start_time=instance.launch_time,
        region=place(region, instance.placement.availability_zone if instance.placement else ""),
        image_id=instance.image_id,
        spec_id=instance.instance_type,
        vnetwork_id=instance.vpc_id,
        subnetwork_id=instance.subnet_id,
        security_id=groups[0] if groups else "",
        vnic=nics[0].network_interface_id if nics else "",
        status=vm_status(native),
        native_status=native,
        security_ids=groups,
        tags=tags,
    )
    return replace(
        info,
        public_ip=instance.ip_address,
        public_dns=instance.dns_name,
        private_ip=instance.private_ip_address,
        private_dns=instance.private_dns_name,
        key_pair_id=instance.key_name,
        guest_boot_disk=root,
        guest_block_disk=",".join(others),
        additional_info="; ".join(filter(None, notes)),
    )


def _device_index(nic: wire.InstanceNic) -> int:
    index = nic.attachment.device_index if nic.attachment else None
    return 1_000_000 if index is None else index


def vm_status_info(status: wire.InstanceStatus) -> VMStatusInfo:
    """Return an instance's state."""
    native = status.instance_state.name if status.instance_state else ""
    return VMStatusInfo(id=status.instance_id, status=vm_status(native), native_status=native)


def image_info(image: wire.Image) -> ImageInfo:
    """Return an image."""
    return ImageInfo(
        name=image.name,
        id=image.image_id,
        guest_os=image.platform_details or image.platform,
        architecture=image.architecture,
        status=image.image_state,
        created_at=image.creation_date,
        public=image.is_public,
    )


def subnet_info(subnet: wire.Subnet) -> SubnetInfo:
    """Return a subnet."""
    return SubnetInfo(
        id=subnet.subnet_id,
        name=tag_name(subnet.tag_set),
        cidr_block=subnet.cidr_block,
        zone=subnet.availability_zone,
    )


def subnets_by_vpc(subnets: Iterable[wire.Subnet]) -> dict[str, list[SubnetInfo]]:
    """Return the subnets of each VPC."""
    joined: defaultdict[str, list[SubnetInfo]] = defaultdict(list)
    for subnet in subnets:
        joined[subnet.vpc_id].append(subnet_info(subnet))
    return joined


_GONE = ("disassociating", "disassociated", "failing", "failed")


def vnetwork_info(vpc: wire.Vpc, subnets: Sequence[SubnetInfo]) -> VNetworkInfo:
    """Return a VPC with its subnets as a network."""
    blocks = [
        association.cidr_block
        for association in vpc.cidr_block_association_set
        if not _is_gone(association.cidr_block_state)
    ] or [vpc.cidr_block]
    blocks += [
        association.ipv6_cidr_block
        for association in vpc.ipv6_cidr_block_association_set
        if not _is_gone(association.ipv6_cidr_block_state)
    ]
    return VNetworkInfo(
        name=tag_name(vpc.tag_set),
        id=vpc.vpc_id,
        cidr_blocks=[block for block in blocks if block],
        subnets=list(subnets),
        is_default=vpc.is_default,
        status=vpc.state,
    )


def _is_gone(state: wire.CidrState | None) -> bool:
    return state is not None and state.state in _GONE


def security_info(group: wire.SecurityGroup) -> SecurityInfo:
    """Return a security group, with one rule for each far side."""
    return SecurityInfo(
        name=group.group_name,
        id=group.group_id,
        description=group.group_description,
        vnetwork_id=group.vpc_id,
        rules=[
            *_rules("inbound", group.ip_permissions),
            *_rules("outbound", group.ip_permissions_egress),
        ],
    )


def _rules(
    direction: Literal["inbound", "outbound"], permissions: Iterable[wire.IpPermission]
) -> Iterable[SecurityRule]:
    for permission in permissions:
        protocol = "all" if permission.ip_protocol == "-1" else permission.ip_protocol
        from_port, to_port = _any(permission.from_port), _any(permission.to_port)
        cidrs = [
            *(block.cidr_ip for block in permission.ip_ranges),
            *(block.cidr_ipv6 for block in permission.ipv6_ranges),
        ]
        groups = [
            *(pair.group_id or pair.group_name for pair in permission.groups),
            *(prefix.prefix_list_id for prefix in permission.prefix_list_ids),
        ]
        for cidr, group in [*((cidr, "") for cidr in cidrs), *(("", group) for group in groups)]:
            yield SecurityRule(
                direction=direction,
                protocol=protocol,
                from_port=from_port,
                to_port=to_port,
                cidr=cidr,
                group=group,
            )


def _any(port: int | None) -> int | None:
    return None if port == -1 else port


def ip_permission(rule: SecurityRule) -> dict[str, Any]:
    """Return a rule as EC2 takes it (data type IpPermission)."""
    permission: dict[str, Any] = {"IpProtocol": "-1" if rule.protocol == "all" else rule.protocol}
    if rule.protocol in ("tcp", "udp"):
        # EC2 has no "any" here: all ports are said as a range.
        permission["FromPort"] = 0 if rule.from_port is None else rule.from_port
        permission["ToPort"] = 65535 if rule.to_port is None else rule.to_port
    elif rule.protocol in ("icmp", "icmpv6"):
        permission["FromPort"] = -1 if rule.from_port is None else rule.from_port
        permission["ToPort"] = -1 if rule.to_port is None else rule.to_port
    if rule.group.startswith("pl-"):
        permission["PrefixListIds"] = [{"PrefixListId": rule.group}]
    elif rule.group:
        permission["UserIdGroupPairs"] = [{"GroupId": rule.group}]
    elif ":" in rule.cidr:
        permission["Ipv6Ranges"] = [{"CidrIpv6": rule.cidr}]
    else:
        permission["IpRanges"] = [{"CidrIp": rule.cidr or "0.0.0.0/0"}]
    return permission


def key_pair_info(key: wire.KeyPair) -> KeyPairInfo:
    """Return a key pair; its id is its name, as instances know it by that."""
    return KeyPairInfo(
        name=key.key_name,
        id=key.key_name,
        fingerprint=key.key_fingerprint,
        public_key=key.public_key.strip(),
    )


def new_key_pair_info(key: wire.CreateKeyPair, public_key: str) -> KeyPairInfo:
    """Return a key pair just made or imported."""
    return KeyPairInfo(
        name=key.key_name,
        id=key.key_name,
        fingerprint=key.key_fingerprint,
        public_key=public_key,
        private_key=Secret(key.key_material) if key.key_material else None,
    )


def vnic_info(nic: wire.NetworkInterface) -> VNicInfo:
    """Return a network interface."""
    return VNicInfo(
        name=tag_name(nic.tag_set),
        id=nic.network_interface_id,
        vm_id=nic.attachment.instance_id if nic.attachment else "",
        vnetwork_id=nic.vpc_id,
        subnetwork_id=nic.subnet_id,
        mac_address=nic.mac_address,
        private_ip=nic.private_ip_address,
        public_ip=nic.association.public_ip if nic.association else "",
        security_ids=[group.group_id for group in nic.group_set],
        status=nic.status,
    )


def public_ip_info(address: wire.Address) -> PublicIPInfo:
    """Return an address; a classic one, which has no allocation, has itself as id."""
    return PublicIPInfo(
        name=tag_name(address.tag_set),
        id=address.allocation_id or address.public_ip,
        public_ip=address.public_ip,
        vm_id=address.instance_id,
        vnic_id=address.network_interface_id,
        private_ip=address.private_ip_address,
    )


def tag_specifications(kind: str, name: str, tags: dict[str, str] | None = None) -> list[Any]:
    """Return tags as EC2 takes them with a create (data type TagSpecification)."""
    all_tags = {**({"Name": name} if name else {}), **(tags or {})}
    if not all_tags:
        return []
    return [
        {
            "ResourceType": kind,
            "Tags": [{"Key": key, "Value": value} for key, value in all_tags.items()],
        }
    ]
