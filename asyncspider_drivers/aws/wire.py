"""What EC2 sends, as far as this driver reads it.

Names are those of the EC2 API reference (Data Types). The XML element of a field is its name
in camel case; see `parser` for how they are read.
"""

from __future__ import annotations

from datetime import datetime

import msgspec


class Wire(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """Base of all of these; `parser` makes them by position."""


class Tag(Wire, frozen=True):
    """Data type Tag."""

    key: str = ""
    value: str = ""


class State(Wire, frozen=True):
    """Data type InstanceState, and other types that only their name is read of."""

    name: str = ""


class StateReason(Wire, frozen=True):
    """Data type StateReason."""

    message: str = ""


class Group(Wire, frozen=True):
    """Data type GroupIdentifier."""

    group_id: str = ""


class Placement(Wire, frozen=True):
    """Data type Placement."""

    availability_zone: str = ""


class InstanceDisk(Wire, frozen=True):
    """Data type InstanceBlockDeviceMapping."""

    device_name: str = ""


class InstanceNicAttachment(Wire, frozen=True):
    """Data type InstanceNetworkInterfaceAttachment."""

    device_index: int | None = None


class InstanceNic(Wire, frozen=True):
    """Data type InstanceNetworkInterface."""

    network_interface_id: str = ""
    attachment: InstanceNicAttachment | None = None


class Instance(Wire, frozen=True):
    """Data type Instance."""

    instance_id: str = ""
    image_id: str = ""
    instance_state: State | None = None
    private_dns_name: str = ""
    dns_name: str = ""
    state_reason: StateReason | None = None
    key_name: str = ""
    instance_type: str = ""
    launch_time: datetime | None = None
    placement: Placement | None = None
    platform: str = ""
    subnet_id: str = ""
    vpc_id: str = ""
    private_ip_address: str = ""
    ip_address: str = ""
    instance_lifecycle: str = ""
    root_device_name: str = ""
    block_device_mapping: list[InstanceDisk] = []
    network_interface_set: list[InstanceNic] = []
    group_set: list[Group] = []
    tag_set: list[Tag] = []


class Reservation(Wire, frozen=True):
    """Data type Reservation."""

    instances_set: list[Instance] = []


class DescribeInstances(Wire, frozen=True):
    """Answer of DescribeInstances."""

    reservation_set: list[Reservation] = []
    next_token: str = ""


class RunInstances(Wire, frozen=True):
    """Answer of RunInstances."""

    instances_set: list[Instance] = []


class InstanceStatus(Wire, frozen=True):
    """Data type InstanceStatus."""

    instance_id: str = ""
    availability_zone: str = ""
    instance_state: State | None = None


class DescribeInstanceStatus(Wire, frozen=True):
    """Answer of DescribeInstanceStatus."""

    instance_status_set: list[InstanceStatus] = []
    next_token: str = ""


class InstanceStateChange(Wire, frozen=True):
    """Data type InstanceStateChange."""

    instance_id: str = ""
    current_state: State | None = None


class InstanceStateChanges(Wire, frozen=True):
    """Answer of StartInstances, StopInstances and TerminateInstances."""

    instances_set: list[InstanceStateChange] = []


class Ebs(Wire, frozen=True):
    """Data type EbsBlockDevice."""

    snapshot_id: str = ""


class ImageDisk(Wire, frozen=True):
    """Data type BlockDeviceMapping."""

    ebs: Ebs | None = None


class Image(Wire, frozen=True):
    """Data type Image."""

    image_id: str = ""
    name: str = ""
    image_state: str = ""
    is_public: bool = False
    architecture: str = ""
    platform: str = ""
    platform_details: str = ""
    creation_date: datetime | None = None
    block_device_mapping: list[ImageDisk] = []


class DescribeImages(Wire, frozen=True):
    """Answer of DescribeImages."""

    images_set: list[Image] = []
    next_token: str = ""


class CreateImage(Wire, frozen=True):
    """Answer of CreateImage."""

    image_id: str = ""


class CidrState(Wire, frozen=True):
    """Data type VpcCidrBlockState."""

    state: str = ""


class CidrAssociation(Wire, frozen=True):
    """Data type VpcCidrBlockAssociation."""

    cidr_block: str = ""
    cidr_block_state: CidrState | None = None


class Ipv6CidrAssociation(Wire, frozen=True):
    """Data type VpcIpv6CidrBlockAssociation."""

    ipv6_cidr_block: str = ""
    ipv6_cidr_block_state: CidrState | None = None


class Vpc(Wire, frozen=True):
    """Data type Vpc."""

    vpc_id: str = ""
    state: str = ""
    cidr_block: str = ""
    cidr_block_association_set: list[CidrAssociation] = []
    ipv6_cidr_block_association_set: list[Ipv6CidrAssociation] = []
    is_default: bool = False
    tag_set: list[Tag] = []


class DescribeVpcs(Wire, frozen=True):
    """Answer of DescribeVpcs."""

    vpc_set: list[Vpc] = []
    next_token: str = ""


class CreateVpc(Wire, frozen=True):
    """Answer of CreateVpc."""

    vpc: Vpc = Vpc()


class Subnet(Wire, frozen=True):
    """Data type Subnet."""

    subnet_id: str = ""
    vpc_id: str = ""
    cidr_block: str = ""
    availability_zone: str = ""
    default_for_az: bool = False
    tag_set: list[Tag] = []


class DescribeSubnets(Wire, frozen=True):
    """Answer of DescribeSubnets."""

    subnet_set: list[Subnet] = []
    next_token: str = ""


class CreateSubnet(Wire, frozen=True):
    """Answer of CreateSubnet."""

    subnet: Subnet = Subnet()


class GatewayAttachment(Wire, frozen=True):
    """Data type InternetGatewayAttachment."""

    vpc_id: str = ""


class InternetGateway(Wire, frozen=True):
    """Data type InternetGateway."""

    internet_gateway_id: str = ""
    attachment_set: list[GatewayAttachment] = []


class DescribeInternetGateways(Wire, frozen=True):
    """Answer of DescribeInternetGateways."""

    internet_gateway_set: list[InternetGateway] = []
    next_token: str = ""


class CreateInternetGateway(Wire, frozen=True):
    """Answer of CreateInternetGateway."""

    internet_gateway: InternetGateway = InternetGateway()


class RouteTableAssociation(Wire, frozen=True):
    """Data type RouteTableAssociation."""

    main: bool = False


class RouteTable(Wire, frozen=True):
    """Data type RouteTable."""

    route_table_id: str = ""
    association_set: list[RouteTableAssociation] = []


class DescribeRouteTables(Wire, frozen=True):
    """Answer of DescribeRouteTables."""

    route_table_set: list[RouteTable] = []
    next_token: str = ""


class UserIdGroupPair(Wire, frozen=True):
    """Data type UserIdGroupPair."""

    group_id: str = ""
    group_name: str = ""


class IpRange(Wire, frozen=True):
    """Data type IpRange."""

    cidr_ip: str = ""


class Ipv6Range(Wire, frozen=True):
    """Data type Ipv6Range."""

    cidr_ipv6: str = ""


class PrefixList(Wire, frozen=True):
    """Data type PrefixListId."""

    prefix_list_id: str = ""


class IpPermission(Wire, frozen=True):
    """Data type IpPermission."""

    ip_protocol: str = ""
    from_port: int | None = None
    to_port: int | None = None
    groups: list[UserIdGroupPair] = []
    ip_ranges: list[IpRange] = []
    ipv6_ranges: list[Ipv6Range] = []
    prefix_list_ids: list[PrefixList] = []


class SecurityGroup(Wire, frozen=True):
    """Data type SecurityGroup."""

    group_id: str = ""
    group_name: str = ""
    group_description: str = ""
    vpc_id: str = ""
    ip_permissions: list[IpPermission] = []
    ip_permissions_egress: list[IpPermission] = []


class DescribeSecurityGroups(Wire, frozen=True):
    """Answer of DescribeSecurityGroups."""

    security_group_info: list[SecurityGroup] = []
    next_token: str = ""


class CreateSecurityGroup(Wire, frozen=True):
    """Answer of CreateSecurityGroup."""

    group_id: str = ""


class KeyPair(Wire, frozen=True):
    """Data type KeyPairInfo."""

    key_name: str = ""
    key_fingerprint: str = ""
    public_key: str = ""


class DescribeKeyPairs(Wire, frozen=True):
    """Answer of DescribeKeyPairs."""

    key_set: list[KeyPair] = []


class CreateKeyPair(Wire, frozen=True):
    """Answer of CreateKeyPair and ImportKeyPair."""

    key_name: str = ""
    key_fingerprint: str = ""
    key_material: str = ""


class NicAttachment(Wire, frozen=True):
    """Data type NetworkInterfaceAttachment."""

    instance_id: str = ""


class NicAssociation(Wire, frozen=True):
    """Data type NetworkInterfaceAssociation."""

    public_ip: str = ""


class NetworkInterface(Wire, frozen=True):
    """Data type NetworkInterface."""

    network_interface_id: str = ""
    subnet_id: str = ""
    vpc_id: str = ""
    mac_address: str = ""
    private_ip_address: str = ""
    status: str = ""
    association: NicAssociation | None = None
    attachment: NicAttachment | None = None
    group_set: list[Group] = []
    tag_set: list[Tag] = []


class DescribeNetworkInterfaces(Wire, frozen=True):
    """Answer of DescribeNetworkInterfaces."""

    network_interface_set: list[NetworkInterface] = []
    next_token: str = ""


class CreateNetworkInterface(Wire, frozen=True):
    """Answer of CreateNetworkInterface."""

    network_interface: NetworkInterface = NetworkInterface()


class Address(Wire, frozen=True):
    """Data type Address."""

    public_ip: str = ""
    allocation_id: str = ""
    association_id: str = ""
    instance_id: str = ""
    network_interface_id: str = ""
    private_ip_address: str = ""
    tag_set: list[Tag] = []


class DescribeAddresses(Wire, frozen=True):
    """Answer of DescribeAddresses."""

    addresses_set: list[Address] = []


class AllocateAddress(Wire, frozen=True):
    """Answer of AllocateAddress."""

    public_ip: str = ""
    allocation_id: str = ""


class Region(Wire, frozen=True):
    """Data type Region."""

    region_name: str = ""
    opt_in_status: str = ""


class DescribeRegions(Wire, frozen=True):
    """Answer of DescribeRegions."""

    region_info: list[Region] = []


class Done(Wire, frozen=True):
    """Answer of the calls that only say that they worked."""


class Problem(Wire, frozen=True, rename="pascal"):
    """Why a call failed."""

    code: str = ""
    message: str = ""


class Problems(Wire, frozen=True, rename={"errors": "Errors", "request_id": "RequestID"}):
    """Answer of any call that failed (EC2 API reference, "Error codes")."""

    errors: list[Problem] = []
    request_id: str = ""


ANSWERS: dict[str, type[Wire]] = {
    "AllocateAddress": AllocateAddress,
    "AssociateAddress": Done,
    "AttachInternetGateway": Done,
    "AuthorizeSecurityGroupEgress": Done,
    "AuthorizeSecurityGroupIngress": Done,
    "CreateImage": CreateImage,
    "CreateInternetGateway": CreateInternetGateway,
    "CreateKeyPair": CreateKeyPair,
    "CreateNetworkInterface": CreateNetworkInterface,
    "CreateRoute": Done,
    "CreateSecurityGroup": CreateSecurityGroup,
    "CreateSubnet": CreateSubnet,
    "CreateVpc": CreateVpc,
    "DeleteInternetGateway": Done,
    "DeleteKeyPair": Done,
    "DeleteNetworkInterface": Done,
    "DeleteRouteTable": Done,
    "DeleteSecurityGroup": Done,
    "DeleteSnapshot": Done,
    "DeleteSubnet": Done,
    "DeleteVpc": Done,
    "DeregisterImage": Done,
    "DescribeAddresses": DescribeAddresses,
    "DescribeImages": DescribeImages,
    "DescribeInstanceStatus": DescribeInstanceStatus,
    "DescribeInstances": DescribeInstances,
    "DescribeInternetGateways": DescribeInternetGateways,
    "DescribeKeyPairs": DescribeKeyPairs,
    "DescribeNetworkInterfaces": DescribeNetworkInterfaces,
    "DescribeRegions": DescribeRegions,
    "DescribeRouteTables": DescribeRouteTables,
    "DescribeSecurityGroups": DescribeSecurityGroups,
    "DescribeSubnets": DescribeSubnets,
    "DescribeVpcs": DescribeVpcs,
    "DetachInternetGateway": Done,
    "DisassociateAddress": Done,
    "ImportKeyPair": CreateKeyPair,
    "ModifySubnetAttribute": Done,
    "RebootInstances": Done,
    "ReleaseAddress": Done,
    "RevokeSecurityGroupEgress": Done,
    "RunInstances": RunInstances,
    "StartInstances": InstanceStateChanges,
    "StopInstances": InstanceStateChanges,
    "TerminateInstances": InstanceStateChanges,
}
"""Every EC2 call that this driver makes, and what it answers."""
