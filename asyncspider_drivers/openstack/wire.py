"""What OpenStack sends, as far as this driver reads it.

Names are those of the services' API references ("Compute API", "Networking API v2.0", "Image
Service API v2"). Whatever else an answer holds is skipped unread. Times of Nova's extensions
have no offset; all are UTC.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Literal

import msgspec


class Wire(msgspec.Struct, frozen=True, gc=False):
    """Base of all of these.

    What each of thousands of servers has is in tuples: the garbage collector soon leaves them
    alone, and empty ones cost nothing.
    """


class Link(Wire, frozen=True):
    """A link to another answer."""

    rel: str = ""
    href: str = ""


class Nothing(Wire, frozen=True):
    """An answer of which nothing is read, or none."""


# -- Keystone


class Project(Wire, frozen=True):
    """A project."""

    id: str
    name: str = ""
    domain_id: str = ""
    enabled: bool = True


class Projects(Wire, frozen=True):
    """GET /auth/projects, which has no pages."""

    projects: list[Project]


# -- Nova


class Address(
    Wire, frozen=True, rename={"kind": "OS-EXT-IPS:type", "mac": "OS-EXT-IPS-MAC:mac_addr"}
):
    """One address of a server."""

    addr: str = ""
    version: int = 4
    kind: str | None = None
    """``fixed`` or ``floating``."""
    mac: str = ""


class FlavorRef(Wire, frozen=True):
    """A server's flavor: by id up to microversion 2.46, copied without its id from 2.47 on."""

    id: str = ""
    original_name: str = ""


class ImageRef(Wire, frozen=True):
    """A server's image."""

    id: str = ""


class Fault(Wire, frozen=True):
    """Why a server is in ERROR."""

    code: int = 0
    message: str = ""


_EXTENSIONS = {
    "zone": "OS-EXT-AZ:availability_zone",
    "task": "OS-EXT-STS:task_state",
    "launched_at": "OS-SRV-USG:launched_at",
    "volumes": "os-extended-volumes:volumes_attached",
    "root_device": "OS-EXT-SRV-ATTR:root_device_name",
}


class ServerState(Wire, frozen=True, rename=_EXTENSIONS):
    """A server as a list of states needs it."""

    id: str
    status: str = ""
    task: str | None = None
    zone: str | None = None


class AttachedVolume(Wire, frozen=True):
    """A volume on a server."""

    id: str = ""


class Server(ServerState, frozen=True):
    """A server."""

    name: str = ""
    created: datetime | None = None
    launched_at: datetime | None = None
    image: ImageRef | Literal[""] | None = None
    """``""`` when it boots from a volume."""
    flavor: FlavorRef | None = None
    addresses: dict[str, tuple[Address, ...]] = {}
    key_name: str | None = None
    metadata: dict[str, str] = {}
    tags: tuple[str, ...] = ()
    fault: Fault | None = None
    locked: bool | None = None
    volumes: tuple[AttachedVolume, ...] = ()
    root_device: str | None = None


class Servers(Wire, frozen=True):
    """GET /servers/detail."""

    servers: list[Server]
    servers_links: tuple[Link, ...] = ()


class ServerStates(Wire, frozen=True):
    """GET /servers/detail, of which only states are read."""

    servers: list[ServerState]
    servers_links: tuple[Link, ...] = ()


class OneServer(Wire, frozen=True):
    """GET /servers/{id}."""

    server: Server


class OneServerState(Wire, frozen=True):
    """GET /servers/{id}, of which only the state is read."""

    server: ServerState


class NewServer(Wire, frozen=True, rename={"admin_password": "adminPass"}):
    """What POST /servers tells."""

    id: str
    admin_password: str = ""


class CreatedServer(Wire, frozen=True):
    """POST /servers."""

    server: NewServer


class CreatedImage(Wire, frozen=True):
    """POST /servers/{id}/action createImage; the id from microversion 2.45 on."""

    image_id: str = ""


class Flavor(Wire, frozen=True):
    """A flavor."""

    id: str
    name: str = ""


class Flavors(Wire, frozen=True):
    """GET /flavors."""

    flavors: list[Flavor]
    flavors_links: tuple[Link, ...] = ()


class KeyPair(Wire, frozen=True):
    """A key pair."""

    name: str
    fingerprint: str = ""
    public_key: str = ""
    private_key: str = ""


class OneKeyPair(Wire, frozen=True):
    """GET and POST /os-keypairs: it is wrapped, in lists too."""

    keypair: KeyPair


class KeyPairs(Wire, frozen=True):
    """GET /os-keypairs."""

    keypairs: list[OneKeyPair]
    keypairs_links: tuple[Link, ...] = ()


# -- Glance


class Image(Wire, frozen=True):
    """An image. Glance leaves out what nobody has set."""

    id: str
    name: str | None = None
    status: str = ""
    visibility: str = ""
    created_at: datetime | None = None
    architecture: str | None = None
    os_distro: str | None = None
    os_type: str | None = None
    os_version: str | None = None


class Images(Wire, frozen=True):
    """GET /images."""

    images: list[Image]
    next: str = ""


# -- Neutron


class Network(Wire, frozen=True, rename={"external": "router:external"}):
    """A network."""

    id: str
    name: str = ""
    status: str = ""
    is_default: bool | None = None
    external: bool = False
    shared: bool = False
    project_id: str = ""


class Networks(Wire, frozen=True):
    """GET /networks."""

    networks: list[Network]
    networks_links: tuple[Link, ...] = ()


class OneNetwork(Wire, frozen=True):
    """GET /networks/{id}."""

    network: Network


class Subnet(Wire, frozen=True):
    """A subnet."""

    id: str
    network_id: str = ""
    name: str = ""
    cidr: str = ""
    ip_version: int = 4


class Subnets(Wire, frozen=True):
    """GET /subnets."""

    subnets: list[Subnet]
    subnets_links: tuple[Link, ...] = ()


class OneSubnet(Wire, frozen=True):
    """GET /subnets/{id}."""

    subnet: Subnet


class Router(Wire, frozen=True):
    """A router."""

    id: str
    description: str = ""


class OneRouter(Wire, frozen=True):
    """GET /routers/{id}."""

    router: Router


class FixedIP(Wire, frozen=True):
    """An address of a port."""

    subnet_id: str = ""
    ip_address: str = ""


class Port(Wire, frozen=True):
    """A port."""

    id: str
    name: str = ""
    network_id: str = ""
    mac_address: str = ""
    device_id: str = ""
    device_owner: str = ""
    fixed_ips: tuple[FixedIP, ...] = ()
    security_groups: tuple[str, ...] = ()
    status: str = ""
    description: str | None = None


class Ports(Wire, frozen=True):
    """GET /ports."""

    ports: list[Port]
    ports_links: tuple[Link, ...] = ()


class OnePort(Wire, frozen=True):
    """GET /ports/{id}."""

    port: Port


class FloatingIP(Wire, frozen=True):
    """A floating address."""

    id: str
    floating_ip_address: str = ""
    fixed_ip_address: str | None = None
    port_id: str | None = None
    description: str | None = None
    status: str = ""


class FloatingIPs(Wire, frozen=True):
    """GET /floatingips."""

    floatingips: list[FloatingIP]
    floatingips_links: tuple[Link, ...] = ()


class OneFloatingIP(Wire, frozen=True):
    """GET /floatingips/{id}."""

    floatingip: FloatingIP


class SecurityGroupRule(Wire, frozen=True):
    """A rule of a security group."""

    id: str
    direction: Literal["ingress", "egress"]
    ethertype: str | None = None
    protocol: str | None = None
    port_range_min: int | None = None
    port_range_max: int | None = None
    remote_ip_prefix: str | None = None
    remote_group_id: str | None = None
    remote_address_group_id: str | None = None


class SecurityGroup(Wire, frozen=True):
    """A security group."""

    id: str
    name: str = ""
    description: str | None = None
    security_group_rules: list[SecurityGroupRule] = []


class SecurityGroups(Wire, frozen=True):
    """GET /security-groups."""

    security_groups: list[SecurityGroup]
    security_groups_links: tuple[Link, ...] = ()


class OneSecurityGroup(Wire, frozen=True):
    """GET /security-groups/{id}."""

    security_group: SecurityGroup


VM_PORT = ("id", "network_id", "mac_address", "device_id", "device_owner", "fixed_ips",
           "security_groups")  # fmt: skip
"""What a server's record takes from its ports."""
VM_FLOATING_IP = ("id", "port_id", "floating_ip_address")
"""What it takes from floating addresses."""


@cache
def fields_of(kind: type[Wire], only: tuple[str, ...] = ()) -> str:
    """Return Neutron's ``fields`` parameters for what a struct reads, ready for a query.

    Args:
        kind: The struct.
        only: Its fields that are wanted; none = all.
    """
    names = only or tuple(field.encode_name for field in msgspec.structs.fields(kind))
    return "&".join(f"fields={name}" for name in names)
