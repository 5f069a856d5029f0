"""EC2's Query API (version 2016-11-15), and STS for one call."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable

from .server import Answer, Request
from .world import Shape, has_data_disk, has_public_ip, is_stopped, machines, spans

_ACCOUNT = "123456789012"
_XMLNS = "http://ec2.amazonaws.com/doc/2016-11-15/"
_REQUEST_ID = "59dbff89-35bd-4eac-99ed-be587EXAMPLE"
_IDS = re.compile(r"(InstanceId|VpcId|SubnetId|GroupId|KeyName|NetworkInterfaceId|ImageId)\.\d+$")
_MOST = 1000


def tags(pairs: Iterable[tuple[str, str]]) -> str:
    """Return a tag set."""
    items = "".join(f"<item><key>{k}</key><value>{v}</value></item>" for k, v in pairs)
    return f"<tagSet>{items}</tagSet>"


_TAGS = tags(
    (
        ("Name", "%(name)s"), ("team", "%(team)s"), ("env", "production"),
        ("cost-center", "cc-%(fewtypes)s"), ("managed-by", "terraform"),
        ("aws:autoscaling:groupName", "asg-%(role)s"),
    )
)  # fmt: skip

_VOLUME = """<item><deviceName>%(device)s</deviceName><ebs><volumeId>vol-0%%(h16%(salt)s)s\
</volumeId><status>attached</status><attachTime>%%(day)sT%%(clock)s.000Z</attachTime>\
<deleteOnTermination>%(delete)s</deleteOnTermination></ebs></item>"""

_ASSOCIATION = """<association><publicIp>%(public)s</publicIp><publicDnsName>ec2-%(publicdashed)s\
.%(region)s.compute.amazonaws.com</publicDnsName><ipOwnerId>amazon</ipOwnerId></association>"""

_GROUPS = """<groupSet><item><groupId>sg-0%(role)s</groupId><groupName>%(role)s</groupName></item>\
<item><groupId>sg-0default</groupId><groupName>default</groupName></item></groupSet>"""


def _instance(public: bool, data_disk: bool, stopped: bool) -> str:
    """Return the template of one kind of instance, in a reservation of its own."""
    association = _ASSOCIATION if public else ""
    public_dns = "ec2-%(publicdashed)s.%(region)s.compute.amazonaws.com" if public else ""
    volumes = _VOLUME % {"device": "/dev/xvda", "salt": "v", "delete": "true"}
    if data_disk:
        volumes += _VOLUME % {"device": "/dev/sdf", "salt": "w", "delete": "false"}
    code, state = ("80", "stopped") if stopped else ("16", "running")
    reason = "User initiated (%(day)s %(clock)s GMT)" if stopped else ""
    why = (
        "<stateReason><code>Client.UserInitiatedShutdown</code><message>Client.UserInitiated"
        "Shutdown: User initiated shutdown</message></stateReason>"
        if stopped
        else ""
    )
    return f"""
        <item>
            <reservationId>r-0%(h16r)s</reservationId>
            <ownerId>{_ACCOUNT}</ownerId>
            <groupSet/>
            <instancesSet>
                <item>
                    <instanceId>i-0%(h16i)s</instanceId>
                    <imageId>ami-0123456789abcdef%(fewtypes)s</imageId>
                    <instanceState><code>{code}</code><name>{state}</name></instanceState>
                    <privateDnsName>ip-%(dashed)s.%(region)s.compute.internal</privateDnsName>
                    <dnsName>{public_dns}</dnsName>
                    <reason>{reason}</reason>
                    <keyName>key-%(fewtypes)s</keyName>
                    <amiLaunchIndex>0</amiLaunchIndex>
                    <productCodes/>
                    <instanceType>m5.large</instanceType>
                    <launchTime>%(day)sT%(clock)s.000Z</launchTime>
                    <placement><availabilityZoneId>use1-az1</availabilityZoneId><availabilityZone>\
%(az)s</availabilityZone><groupName/><tenancy>default</tenancy></placement>
                    <monitoring><state>disabled</state></monitoring>
                    <subnetId>subnet-0%(letter)s</subnetId>
                    <vpcId>vpc-0main</vpcId>
                    <privateIpAddress>%(ip)s</privateIpAddress>
                    {"<ipAddress>%(public)s</ipAddress>" if public else ""}
                    <sourceDestCheck>true</sourceDestCheck>
                    {_GROUPS}
                    {why}
                    <architecture>x86_64</architecture>
                    <rootDeviceType>ebs</rootDeviceType>
                    <rootDeviceName>/dev/xvda</rootDeviceName>
                    <blockDeviceMapping>{volumes}</blockDeviceMapping>
                    <virtualizationType>hvm</virtualizationType>
                    <clientToken>%(uc)s</clientToken>
                    {_TAGS}
                    <hypervisor>xen</hypervisor>
                    <networkInterfaceSet>
                        <item>
                            <networkInterfaceId>eni-0%(h16e)s</networkInterfaceId>
                            <subnetId>subnet-0%(letter)s</subnetId>
                            <vpcId>vpc-0main</vpcId>
                            <description>Primary network interface</description>
                            <ownerId>{_ACCOUNT}</ownerId>
                            <status>in-use</status>
                            <macAddress>0a:ff:%(mac)s</macAddress>
                            <privateIpAddress>%(ip)s</privateIpAddress>
                            <privateDnsName>ip-%(dashed)s.%(region)s.compute.internal\
</privateDnsName>
                            <sourceDestCheck>true</sourceDestCheck>
                            {_GROUPS}
                            <attachment><attachmentId>eni-attach-0%(h16t)s</attachmentId>\
<deviceIndex>0</deviceIndex><status>attached</status><attachTime>%(day)sT%(clock)s.000Z\
</attachTime><deleteOnTermination>true</deleteOnTermination><networkCardIndex>0</networkCardIndex>\
</attachment>
                            {association}
                            <privateIpAddressesSet><item><privateIpAddress>%(ip)s\
</privateIpAddress><privateDnsName>ip-%(dashed)s.%(region)s.compute.internal</privateDnsName>\
<primary>true</primary>{association}</item></privateIpAddressesSet>
                            <ipv6AddressesSet/>
                            <interfaceType>interface</interfaceType>
                            <operator><managed>false</managed></operator>
                        </item>
                    </networkInterfaceSet>
                    <iamInstanceProfile><arn>arn:aws:iam::{_ACCOUNT}:instance-profile/%(role)s\
</arn><id>AIPA%(h12p)s</id></iamInstanceProfile>
                    <ebsOptimized>true</ebsOptimized>
                    <enaSupport>true</enaSupport>
                    <cpuOptions><coreCount>1</coreCount><threadsPerCore>2</threadsPerCore>\
</cpuOptions>
                    <capacityReservationSpecification><capacityReservationPreference>open\
</capacityReservationPreference></capacityReservationSpecification>
                    <hibernationOptions><configured>false</configured></hibernationOptions>
                    <enclaveOptions><enabled>false</enabled></enclaveOptions>
                    <metadataOptions><state>applied</state><httpTokens>required</httpTokens>\
<httpPutResponseHopLimit>2</httpPutResponseHopLimit><httpEndpoint>enabled</httpEndpoint>\
<httpProtocolIpv4>enabled</httpProtocolIpv4><httpProtocolIpv6>disabled</httpProtocolIpv6>\
<instanceMetadataTags>disabled</instanceMetadataTags></metadataOptions>
                    <maintenanceOptions><autoRecovery>default</autoRecovery><rebootMigration>\
default</rebootMigration></maintenanceOptions>
                    <platformDetails>Linux/UNIX</platformDetails>
                    <usageOperation>RunInstances</usageOperation>
                    <usageOperationUpdateTime>%(day)sT%(clock)s.000Z</usageOperationUpdateTime>
                    <privateDnsNameOptions><hostnameType>ip-name</hostnameType>\
<enableResourceNameDnsARecord>false</enableResourceNameDnsARecord>\
<enableResourceNameDnsAAAARecord>false</enableResourceNameDnsAAAARecord></privateDnsNameOptions>
                    <bootMode>uefi-preferred</bootMode>
                    <currentInstanceBootMode>uefi</currentInstanceBootMode>
                    <networkPerformanceOptions><bandwidthWeighting>default</bandwidthWeighting>\
</networkPerformanceOptions>
                    <operator><managed>false</managed></operator>
                </item>
            </instancesSet>
            <requesterId>940372691376</requesterId>
        </item>"""


_NIC = f"""
        <item>
            <networkInterfaceId>eni-0%(h16e)s</networkInterfaceId>
            <subnetId>subnet-0%(letter)s</subnetId>
            <vpcId>vpc-0main</vpcId>
            <availabilityZone>%(az)s</availabilityZone>
            <description>Primary network interface</description>
            <ownerId>{_ACCOUNT}</ownerId>
            <requesterManaged>false</requesterManaged>
            <status>in-use</status>
            <macAddress>0a:ff:%(mac)s</macAddress>
            <privateIpAddress>%(ip)s</privateIpAddress>
            <privateDnsName>ip-%(dashed)s.%(region)s.compute.internal</privateDnsName>
            <sourceDestCheck>true</sourceDestCheck>
            {_GROUPS}
            <attachment><attachmentId>eni-attach-0%(h16t)s</attachmentId><instanceId>i-0%(h16i)s\
</instanceId><instanceOwnerId>{_ACCOUNT}</instanceOwnerId><deviceIndex>0</deviceIndex>\
<networkCardIndex>0</networkCardIndex><status>attached</status><attachTime>%(day)sT%(clock)s.000Z\
</attachTime><deleteOnTermination>true</deleteOnTermination></attachment>
            %%s
            <tagSet><item><key>Name</key><value>%(name)s</value></item></tagSet>
            <privateIpAddressesSet><item><privateIpAddress>%(ip)s</privateIpAddress>\
<privateDnsName>ip-%(dashed)s.%(region)s.compute.internal</privateDnsName><primary>true</primary>\
%%s</item></privateIpAddressesSet>
            <ipv6AddressesSet/>
            <interfaceType>interface</interfaceType>
        </item>"""

_ADDRESS = f"""
        <item>
            <publicIp>%(public)s</publicIp>
            <allocationId>eipalloc-0%(h16o)s</allocationId>
            <domain>vpc</domain>
            <instanceId>i-0%(h16i)s</instanceId>
            <associationId>eipassoc-0%(h16s)s</associationId>
            <networkInterfaceId>eni-0%(h16e)s</networkInterfaceId>
            <networkInterfaceOwnerId>{_ACCOUNT}</networkInterfaceOwnerId>
            <privateIpAddress>%(ip)s</privateIpAddress>
            <publicIpv4Pool>amazon</publicIpv4Pool>
            <networkBorderGroup>%(region)s</networkBorderGroup>
            <tagSet><item><key>Name</key><value>%(name)s</value></item></tagSet>
        </item>"""

_INSTANCES = {
    (p, d, s): _instance(p, d, s)
    for p in (False, True)
    for d in (False, True)
    for s in (False, True)
}
_NICS = {public: (_NIC.replace("%%s", _ASSOCIATION if public else "")) for public in (False, True)}


def _instances(shape: Shape, region: int) -> list[bytes]:
    return [
        (_INSTANCES[has_public_ip(vm.index), has_data_disk(vm.index), is_stopped(vm.index)] % vm)
        .encode()
        for vm in machines(shape, region)
    ]  # fmt: skip


def _nics(shape: Shape, region: int) -> list[bytes]:
    return [(_NICS[has_public_ip(vm.index)] % vm).encode() for vm in machines(shape, region)]


def _addresses(shape: Shape, region: int) -> list[bytes]:
    return [
        (_ADDRESS % vm).encode() for vm in machines(shape, region) if has_public_ip(vm.index)
    ]  # fmt: skip


def _volumes(shape: Shape, region: int) -> list[bytes]:
    template = f"""<item><volumeId>vol-0%(h16v)s</volumeId><size>8</size><snapshotId>snap-0%(h16q)s\
</snapshotId><availabilityZone>%(az)s</availabilityZone><status>in-use</status><createTime>\
%(day)sT%(clock)s.000Z</createTime><attachmentSet><item><volumeId>vol-0%(h16v)s</volumeId>\
<instanceId>i-0%(h16i)s</instanceId><device>/dev/xvda</device><status>attached</status>\
<attachTime>%(day)sT%(clock)s.000Z</attachTime><deleteOnTermination>true</deleteOnTermination>\
</item></attachmentSet>{_TAGS}<volumeType>gp3</volumeType><encrypted>true</encrypted></item>"""
    return [(template % vm).encode() for vm in machines(shape, region)]


def _vpcs(shape: Shape, region: int) -> list[bytes]:
    def one(id: str, cidr: str, default: str) -> bytes:
        return (
            f"<item><vpcId>{id}</vpcId><ownerId>{_ACCOUNT}</ownerId><state>available</state>"
            f"<cidrBlock>{cidr}</cidrBlock><cidrBlockAssociationSet><item><cidrBlock>{cidr}"
            "</cidrBlock><associationId>vpc-cidr-assoc-0a1b</associationId><cidrBlockState><state>"
            "associated</state></cidrBlockState></item></cidrBlockAssociationSet><dhcpOptionsId>"
            f"dopt-0a1b2c3d</dhcpOptionsId>{tags([('Name', id)])}<instanceTenancy>default"
            f"</instanceTenancy><isDefault>{default}</isDefault></item>"
        ).encode()

    others = [one(f"vpc-0other{n}", f"172.{16 + n}.0.0/16", "false") for n in range(4)]
    return [one("vpc-0main", "10.0.0.0/8", "true"), *others]


def _subnets(shape: Shape, region: int) -> list[bytes]:
    name = shape.names[region]
    ids = [("vpc-0main", letter, letter) for letter in "abc"]
    ids += [(f"vpc-0other{n}", f"other{n}{letter}", letter) for n in range(4) for letter in "abc"]
    return [
        (
            f"<item><subnetId>subnet-0{id}</subnetId><subnetArn>arn:aws:ec2:{name}:{_ACCOUNT}:"
            f"subnet/subnet-0{id}</subnetArn><state>available</state><ownerId>{_ACCOUNT}</ownerId>"
            f"<vpcId>{vpc}</vpcId><cidrBlock>10.{number}.0.0/16</cidrBlock>"
            "<ipv6CidrBlockAssociationSet/><availableIpAddressCount>65000</availableIpAddressCount>"
            f"<availabilityZone>{name}{letter}</availabilityZone><defaultForAz>false</defaultForAz>"
            f"<mapPublicIpOnLaunch>false</mapPublicIpOnLaunch>{tags([('Name', id)])}</item>"
        ).encode()
        for number, (vpc, id, letter) in enumerate(ids)
    ]


def _groups(shape: Shape, region: int) -> list[bytes]:
    def rule(protocol: str, ports: str, cidr: str) -> str:
        return (
            f"<item><ipProtocol>{protocol}</ipProtocol>{ports}<groups/><ipRanges><item><cidrIp>"
            f"{cidr}</cidrIp><description>from there</description></item></ipRanges><ipv6Ranges/>"
            "<prefixListIds/></item>"
        )

    def one(id: str) -> bytes:
        ports = "".join(
            rule("tcp", f"<fromPort>{port}</fromPort><toPort>{port}</toPort>", "10.0.0.0/8")
            for port in (22, 80, 443, 9100)
        )
        return (
            f"<item><ownerId>{_ACCOUNT}</ownerId><groupId>sg-0{id}</groupId><groupName>{id}"
            f"</groupName><groupDescription>what {id} machines may</groupDescription><vpcId>"
            f"vpc-0main</vpcId><ipPermissions>{ports}</ipPermissions><ipPermissionsEgress>"
            f"{rule('-1', '', '0.0.0.0/0')}</ipPermissionsEgress>{tags([('Name', id)])}</item>"
        ).encode()

    roles = ("default", "web", "api", "db", "cache", "worker", "build", "proxy")
    return [one(name) for name in (*roles, *(f"extra-{n}" for n in range(92)))]


def _keys(shape: Shape, region: int) -> list[bytes]:
    return [
        (
            f"<item><keyPairId>key-0a1b2c3d{n:04d}</keyPairId><keyFingerprint>1f:51:ae:28:bf:89:e9:"
            f"d8:1f:25:5d:37:2d:7d:{n:02x}</keyFingerprint><keyName>key-{n}</keyName><keyType>rsa"
            "</keyType><publicKey>ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQC8 key</publicKey>"
            f"{tags([('Name', f'key-{n}')])}<createTime>2026-01-01T00:00:00.000Z</createTime>"
            "</item>"
        ).encode()
        for n in range(20)
    ]


def _images(shape: Shape, region: int) -> list[bytes]:
    return [
        (
            f"<item><imageId>ami-0{n:08d}</imageId><imageLocation>{_ACCOUNT}/golden-{n}"
            f"</imageLocation><imageState>available</imageState><imageOwnerId>{_ACCOUNT}"
            "</imageOwnerId><creationDate>2026-01-01T00:00:00.000Z</creationDate><isPublic>false"
            "</isPublic><architecture>x86_64</architecture><imageType>machine</imageType><name>"
            f"golden-{n}</name><description>built nightly</description><rootDeviceType>ebs"
            "</rootDeviceType><rootDeviceName>/dev/xvda</rootDeviceName><blockDeviceMapping><item>"
            "<deviceName>/dev/xvda</deviceName><ebs><deleteOnTermination>true</deleteOnTermination>"
            f"<snapshotId>snap-0{n:016d}</snapshotId><volumeSize>8</volumeSize><volumeType>gp3"
            "</volumeType><encrypted>false</encrypted></ebs></item></blockDeviceMapping>"
            f"<virtualizationType>hvm</virtualizationType>{tags([('Name', f'golden-{n}')])}"
            "<hypervisor>xen</hypervisor><enaSupport>true</enaSupport><platformDetails>Linux/UNIX"
            "</platformDetails><usageOperation>RunInstances</usageOperation></item>"
        ).encode()
        for n in range(50)
    ]


_LISTS: dict[str, tuple[str, Callable[[Shape, int], list[bytes]], bool]] = {
    "DescribeInstances": ("reservationSet", _instances, True),
    "DescribeNetworkInterfaces": ("networkInterfaceSet", _nics, True),
    "DescribeAddresses": ("addressesSet", _addresses, False),
    "DescribeVolumes": ("volumeSet", _volumes, True),
    "DescribeVpcs": ("vpcSet", _vpcs, True),
    "DescribeSubnets": ("subnetSet", _subnets, True),
    "DescribeSecurityGroups": ("securityGroupInfo", _groups, True),
    "DescribeKeyPairs": ("keySet", _keys, False),
    "DescribeImages": ("imagesSet", _images, True),
}
_PER_VM = {"DescribeInstances", "DescribeNetworkInterfaces"}
"""Lists that `Shape.repeat` makes longer."""


class Ec2:
    """Answers EC2 and STS requests."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._index = {name: number for number, name in enumerate(shape.names)}
        self._items: dict[tuple[str, int], list[bytes]] = {}
        self._bodies: dict[tuple[str, int, int, int], bytes] = {}

    def prepare(self) -> None:
        """Make what every scan asks for."""
        for region in range(self._shape.regions):
            self.items("DescribeInstances", region)

    def items(self, action: str, region: int) -> list[bytes]:
        """Return the items of a region's list."""
        key = action, region
        if key not in self._items:
            self._items[key] = _LISTS[action][1](self._shape, region)
        return self._items[key]

    def answer(self, request: Request) -> Answer:
        """Answer one request."""
        asked = request.parameters()
        action = asked.get("Action", "")
        region = self._index.get(request.region)
        if action == "GetCallerIdentity":
            return self._identity(request.region)
        if region is None:
            return self._error(action, request.region, "AuthFailure", "no such region", 401)
        if action == "DescribeRegions":
            return self._regions(request.region)
        if action not in _LISTS:
            return self._error(action, request.region, "InvalidAction", f"no action {action}", 400)
        if any(name.startswith("Filter.") for name in asked):
            return self._error(action, request.region, "InvalidParameterValue", "no filters", 400)
        return self._list(action, region, asked)

    def _list(self, action: str, region: int, asked: dict[str, str]) -> Answer:
        name, _, paged = _LISTS[action]
        items = self.items(action, region)
        ids = [value for key, value in asked.items() if _IDS.match(key)]
        token = ""
        if ids:
            wanted = [f">{id}<".encode() for id in ids]
            body = b"".join(item for item in items if any(id in item for id in wanted))
        else:
            total = len(items) * (self._shape.repeat if action in _PER_VM else 1)
            start = int(urlsafe_b64decode(asked["NextToken"])) if "NextToken" in asked else 0
            size = self._shape.page(asked.get("MaxResults"), _MOST) if paged else total
            count = min(size, total - start)
            if start + count < total:
                token = urlsafe_b64encode(f"{start + count:060d}".encode()).decode()
            body = self._body(action, region, start % max(1, len(items)), count)
        head = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<{action}Response xmlns="{_XMLNS}">\n'
            f"    <requestId>{_REQUEST_ID}</requestId>\n    <{name}>"
        )
        tail = f"\n    </{name}>\n" + (f"    <nextToken>{token}</nextToken>\n" if token else "")
        return self._xml(
            action, self._shape.names[region], head.encode(), body,
            f"{tail}</{action}Response>".encode(),
        )  # fmt: skip

    def _body(self, action: str, region: int, start: int, count: int) -> bytes:
        key = action, region, start, count
        if key not in self._bodies:
            items = self.items(action, region)
            self._bodies[key] = b"".join(
                item for part in spans(start, count, len(items)) for item in items[part]
            )
        return self._bodies[key]

    def _regions(self, scope: str) -> Answer:
        items = "".join(
            f"<item><regionName>{name}</regionName><regionEndpoint>ec2.{name}.amazonaws.com"
            "</regionEndpoint><optInStatus>opt-in-not-required</optInStatus></item>"
            for name in self._shape.names
        )
        body = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<DescribeRegionsResponse xmlns="{_XMLNS}">'
            f"<requestId>{_REQUEST_ID}</requestId><regionInfo>{items}</regionInfo>"
            "</DescribeRegionsResponse>"
        )
        return self._xml("DescribeRegions", scope, body.encode())

    def _identity(self, scope: str) -> Answer:
        body = (
            '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
            f"<GetCallerIdentityResult><Arn>arn:aws:iam::{_ACCOUNT}:user/bench</Arn><UserId>AIDA"
            f"</UserId><Account>{_ACCOUNT}</Account></GetCallerIdentityResult><ResponseMetadata>"
            f"<RequestId>{_REQUEST_ID}</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
        )
        return self._xml("GetCallerIdentity", scope, body.encode())

    def _error(self, action: str, scope: str, code: str, message: str, status: int) -> Answer:
        body = (
            f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error>"
            f"</Errors><RequestID>{_REQUEST_ID}</RequestID></Response>"
        )
        return self._xml(action, scope, body.encode(), status=status)

    @staticmethod
    def _xml(action: str, scope: str, *parts: bytes, status: int = 200) -> Answer:
        return Answer(
            action, scope, parts, status, (("x-amzn-requestid", _REQUEST_ID),),
            "text/xml;charset=UTF-8",
        )  # fmt: skip
