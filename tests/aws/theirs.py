"""What boto3 shows, said in our fields: the other half of the differential tests.

Written from boto3's documentation, not from the driver: agreement must mean something.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from asyncspider import VMStatus

STATES = {
    "pending": VMStatus.PENDING,
    "running": VMStatus.RUNNING,
    "stopping": VMStatus.SUSPENDING,
    "stopped": VMStatus.SUSPENDED,
    "shutting-down": VMStatus.TERMINATING,
    "terminated": VMStatus.TERMINATED,
}


def tags(thing: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in thing.get("Tags", [])}


def name(thing: dict[str, Any]) -> str:
    return tags(thing).get("Name", "")


def vm(instance: dict[str, Any], region: str) -> dict[str, Any]:
    groups = [group["GroupId"] for group in instance["SecurityGroups"]]
    nics = sorted(instance["NetworkInterfaces"], key=lambda nic: nic["Attachment"]["DeviceIndex"])
    root = instance.get("RootDeviceName", "")
    return {
        "name": name(instance),
        "id": instance["InstanceId"],
        "start_time": instance["LaunchTime"],
        "region": {"region": region, "zone": instance["Placement"]["AvailabilityZone"]},
        "image_id": instance["ImageId"],
        "spec_id": instance["InstanceType"],
        "vnetwork_id": instance.get("VpcId", ""),
        "subnetwork_id": instance.get("SubnetId", ""),
        "security_id": groups[0] if groups else "",
        "vnic": nics[0]["NetworkInterfaceId"] if nics else "",
        "public_ip": instance.get("PublicIpAddress", ""),
        "public_dns": instance.get("PublicDnsName", ""),
        "private_ip": instance.get("PrivateIpAddress", ""),
        "private_dns": instance.get("PrivateDnsName", ""),
        "key_pair_id": instance.get("KeyName", ""),
        "guest_user_id": "",
        "guest_boot_disk": root,
        "guest_block_disk": ",".join(
            disk["DeviceName"]
            for disk in instance["BlockDeviceMappings"]
            if disk["DeviceName"] != root
        ),
        "status": STATES[instance["State"]["Name"]],
        "native_status": instance["State"]["Name"],
        "security_ids": groups,
        "tags": tags(instance),
    }


def image(one: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": one.get("Name", ""),
        "id": one["ImageId"],
        "guest_os": one.get("PlatformDetails") or one.get("Platform", ""),
        "architecture": one.get("Architecture", ""),
        "status": one["State"],
        "created_at": datetime.fromisoformat(one["CreationDate"]),
        "public": one["Public"],
    }


def vnetwork(vpc: dict[str, Any], subnets: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": name(vpc),
        "id": vpc["VpcId"],
        "cidr_blocks": [block["CidrBlock"] for block in vpc["CidrBlockAssociationSet"]]
        + [block["Ipv6CidrBlock"] for block in vpc.get("Ipv6CidrBlockAssociationSet", [])],
        "subnets": [
            {
                "id": subnet["SubnetId"],
                "name": name(subnet),
                "cidr_block": subnet["CidrBlock"],
                "zone": subnet["AvailabilityZone"],
            }
            for subnet in subnets
            if subnet["VpcId"] == vpc["VpcId"]
        ],
        "is_default": vpc["IsDefault"],
        "status": vpc["State"],
    }


def security(group: dict[str, Any]) -> dict[str, Any]:
    rules = []
    for direction, permissions in (
        ("inbound", group["IpPermissions"]),
        ("outbound", group["IpPermissionsEgress"]),
    ):
        for permission in permissions:
            sides = [(block["CidrIp"], "") for block in permission["IpRanges"]]
            sides += [(block["CidrIpv6"], "") for block in permission["Ipv6Ranges"]]
            sides += [("", pair["GroupId"]) for pair in permission["UserIdGroupPairs"]]
            sides += [("", prefix["PrefixListId"]) for prefix in permission["PrefixListIds"]]
            ports = [permission.get("FromPort"), permission.get("ToPort")]
            first, last = (None if port == -1 else port for port in ports)
            rules += [
                {
                    "direction": direction,
                    "protocol": {"-1": "all"}.get(
                        permission["IpProtocol"], permission["IpProtocol"]
                    ),
                    "from_port": first,
                    "to_port": last,
                    "cidr": cidr,
                    "group": other,
                }
                for cidr, other in sides
            ]
    return {
        "name": group["GroupName"],
        "id": group["GroupId"],
        "description": group["Description"],
        "vnetwork_id": group.get("VpcId", ""),
        "rules": rules,
    }


def key(pair: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": pair["KeyName"],
        "id": pair["KeyName"],
        "fingerprint": pair["KeyFingerprint"],
        "public_key": pair.get("PublicKey", "").strip(),
        "private_key": None,
    }


def vnic(nic: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": tags({"Tags": nic.get("TagSet", [])}).get("Name", ""),
        "id": nic["NetworkInterfaceId"],
        "vm_id": nic.get("Attachment", {}).get("InstanceId", ""),
        "vnetwork_id": nic.get("VpcId", ""),
        "subnetwork_id": nic.get("SubnetId", ""),
        "mac_address": nic.get("MacAddress", ""),
        "private_ip": nic.get("PrivateIpAddress", ""),
        "public_ip": nic.get("Association", {}).get("PublicIp", ""),
        "security_ids": [group["GroupId"] for group in nic["Groups"]],
        "status": nic["Status"],
    }


def public_ip(address: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name(address),
        "id": address.get("AllocationId") or address["PublicIp"],
        "public_ip": address["PublicIp"],
        "vm_id": address.get("InstanceId", ""),
        "vnic_id": address.get("NetworkInterfaceId", ""),
        "private_ip": address.get("PrivateIpAddress", ""),
        "status": "",
    }


def ours(thing: msgspec.Struct, *leave_out: str) -> dict[str, Any]:
    """Return one of our structs as plain data, without the fields that boto3 has no word for."""
    return {
        field: _plain(value)
        for field, value in msgspec.structs.asdict(thing).items()
        if field not in leave_out
    }


def _plain(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return ours(value)
    return [_plain(item) for item in value] if isinstance(value, list) else value
