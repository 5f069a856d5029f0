"""What Compute Engine sends: only the fields that are used, named as in its REST reference.

The ``fields`` mask of a request is made from these (`fields_of`), so that nothing else is sent.
Whole numbers of 64 bits arrive as text, times as RFC 3339.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import Any, Generic, TypeVar

import msgspec

T = TypeVar("T")


class Wire(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """Base of all answers."""


@cache
def fields_of(kind: Any) -> str:
    """Return the ``fields`` parameter that asks for exactly what `kind` holds.

    The reference's "partial response" syntax: ``a,b(c,d)``, and ``items/*/x`` through a map.
    """
    return ",".join(_selections(msgspec.inspect.type_info(kind)))


def _selections(info: msgspec.inspect.Type) -> Iterable[str]:
    if not isinstance(info, msgspec.inspect.StructType):
        return
    for field in info.fields:
        inner = _inner(field.type)
        if isinstance(inner, msgspec.inspect.DictType):
            nested = list(_selections(_inner(inner.value_type)))
            if nested:
                for selection in nested:
                    yield f"{field.encode_name}/*/{selection}"
                continue
        nested = list(_selections(inner))
        yield f"{field.encode_name}({','.join(nested)})" if nested else field.encode_name


def _inner(info: msgspec.inspect.Type) -> msgspec.inspect.Type:
    """Return what a list or an optional value is of."""
    if isinstance(info, msgspec.inspect.ListType | msgspec.inspect.VarTupleType):
        return _inner(info.item_type)
    if isinstance(info, msgspec.inspect.UnionType):
        for option in info.types:
            if not isinstance(option, msgspec.inspect.NoneType):
                return _inner(option)
    return info


# -- lists


class ScopeWarning(Wire, frozen=True):
    """Why a part of a list is empty."""

    code: str = ""
    message: str = ""


class Listed(Wire, Generic[T], frozen=True):
    """A page of a list in one scope."""

    items: list[T] = []
    next_page_token: str = ""


class Scoped(Wire, frozen=True):
    """What an aggregated list has of one scope."""

    warning: ScopeWarning | None = None


class Aggregated(Wire, Generic[T], frozen=True):
    """A page of a list over all scopes: scope, as ``zones/us-east1-b`` -> its part."""

    items: dict[str, T] = {}
    next_page_token: str = ""
    unreachables: tuple[str, ...] = ()


# -- instances


class AccessConfig(Wire, frozen=True):
    """How an interface is reached from outside."""

    name: str = ""
    nat_ip: str = msgspec.field(name="natIP", default="")


class NetworkInterface(Wire, frozen=True):
    """An interface of an instance."""

    name: str = ""
    network: str = ""
    subnetwork: str = ""
    network_ip: str = msgspec.field(name="networkIP", default="")
    access_configs: tuple[AccessConfig, ...] = ()


class PublicAddress(Wire, frozen=True):
    """How an interface is reached from outside, without its name."""

    nat_ip: str = msgspec.field(name="natIP", default="")


class InstanceInterface(Wire, frozen=True):
    """An interface of an instance, as far as the instance itself is described by it."""

    name: str = ""
    network: str = ""
    subnetwork: str = ""
    network_ip: str = msgspec.field(name="networkIP", default="")
    access_configs: tuple[PublicAddress, ...] = ()


class AttachedDisk(Wire, frozen=True):
    """A disk of an instance."""

    device_name: str = ""
    boot: bool = False


class DiskSource(Wire, frozen=True):
    """A disk of an instance, with its address."""

    source: str = ""
    boot: bool = False


class DiskOrigin(Wire, frozen=True):
    """What a disk was made of."""

    source_image: str = ""


class Tags(Wire, frozen=True):
    """Network tags."""

    items: tuple[str, ...] = ()


class MetadataItem(Wire, frozen=True):
    """One value. Left undecoded: start-up scripts are long, and of no use here."""

    key: str = ""
    value: msgspec.Raw = msgspec.Raw(b'""')


class Metadata(Wire, frozen=True):
    """Metadata of an instance."""

    items: tuple[MetadataItem, ...] = ()


class Instance(Wire, frozen=True):
    """A VM."""

    name: str
    status: str = ""
    status_message: str = ""
    machine_type: str = ""
    creation_timestamp: datetime | None = None
    last_start_timestamp: datetime | None = None
    hostname: str = ""
    labels: dict[str, str] = {}
    tags: Tags = Tags()
    network_interfaces: tuple[InstanceInterface, ...] = ()
    disks: tuple[AttachedDisk, ...] = ()
    metadata: Metadata = Metadata()


class InstanceState(Wire, frozen=True):
    """A VM's state."""

    name: str
    status: str = ""


class InstanceNics(Wire, frozen=True):
    """A VM's interfaces."""

    name: str
    status: str = ""
    tags: Tags = Tags()
    network_interfaces: tuple[NetworkInterface, ...] = ()


class InstanceDisks(Wire, frozen=True):
    """A VM's disks."""

    name: str
    disks: tuple[DiskSource, ...] = ()


class InNetwork(Wire, frozen=True):
    """Where an interface is."""

    network: str = ""


class InstanceTags(Wire, frozen=True):
    """A VM's network tags, and where they apply."""

    name: str
    tags: Tags = Tags()
    network_interfaces: tuple[InNetwork, ...] = ()


class ScopedInstances(Scoped, Generic[T], frozen=True):
    """The VMs of one zone."""

    instances: list[T] = []


# -- the other resources


class ImageFeature(Wire, frozen=True):
    """Something that an image can do, as ``WINDOWS``."""

    type: str = ""


class Deprecation(Wire, frozen=True):
    """That an image is old."""

    state: str = ""


class Image(Wire, frozen=True):
    """An image."""

    name: str
    status: str = ""
    architecture: str = ""
    creation_timestamp: datetime | None = None
    licenses: tuple[str, ...] = ()
    guest_os_features: tuple[ImageFeature, ...] = ()
    deprecated: Deprecation | None = None


class Network(Wire, frozen=True):
    """A network."""

    name: str
    ipv4_range: str = msgspec.field(name="IPv4Range", default="")
    """Only of legacy networks, which have no subnetworks."""
    auto_create_subnetworks: bool = False


class Subnetwork(Wire, frozen=True):
    """A subnetwork."""

    name: str
    network: str = ""
    ip_cidr_range: str = ""


class ScopedSubnetworks(Scoped, frozen=True):
    """The subnetworks of one region."""

    subnetworks: list[Subnetwork] = []


class Allowed(Wire, frozen=True):
    """A protocol, with its ports."""

    ip_protocol: str = msgspec.field(name="IPProtocol", default="")
    ports: tuple[str, ...] = ()


class Firewall(Wire, frozen=True):
    """A firewall rule."""

    name: str
    description: str = ""
    network: str = ""
    direction: str = ""
    disabled: bool = False
    allowed: tuple[Allowed, ...] = ()
    denied: tuple[Allowed, ...] = ()
    source_ranges: tuple[str, ...] = ()
    destination_ranges: tuple[str, ...] = ()
    source_tags: tuple[str, ...] = ()
    target_tags: tuple[str, ...] = ()
    source_service_accounts: tuple[str, ...] = ()
    target_service_accounts: tuple[str, ...] = ()


class Address(Wire, frozen=True):
    """An address."""

    name: str
    address: str = ""
    address_type: str = ""
    status: str = ""
    users: tuple[str, ...] = ()


class ScopedAddresses(Scoped, frozen=True):
    """The addresses of one region, or the global ones."""

    addresses: list[Address] = []


class ProjectItem(Wire, frozen=True):
    """One value of a project's metadata."""

    key: str = ""
    value: str = ""


class ProjectMetadata(Wire, frozen=True):
    """Metadata of a project."""

    fingerprint: str = ""
    items: tuple[ProjectItem, ...] = ()


class Project(Wire, frozen=True):
    """A project."""

    name: str = ""
    common_instance_metadata: ProjectMetadata = ProjectMetadata()


class ProjectName(Wire, frozen=True):
    """Just enough to see that a project answers."""

    name: str = ""


class Place(Wire, frozen=True):
    """A region or zone."""

    name: str
    status: str = ""


class Region(Wire, frozen=True):
    """A region with its zones."""

    name: str
    zones: tuple[str, ...] = ()


# -- operations and errors


class OperationFault(Wire, frozen=True):
    """One thing that went wrong in an operation."""

    code: str = ""
    message: str = ""


class OperationError(Wire, frozen=True):
    """What went wrong in an operation."""

    errors: tuple[OperationFault, ...] = ()


class Operation(Wire, frozen=True):
    """A long-running operation."""

    name: str
    status: str = ""
    error: OperationError | None = None
    http_error_status_code: int = 0
    http_error_message: str = ""


class ErrorItem(Wire, frozen=True):
    """One reason for a refusal."""

    reason: str = ""
    message: str = ""


class ErrorDetail(Wire, frozen=True):
    """A reason in the newer form (google.rpc.ErrorInfo)."""

    reason: str = ""


class ErrorBody(Wire, frozen=True):
    """Why a request was refused."""

    code: int = 0
    message: str = ""
    status: str = ""
    errors: tuple[ErrorItem, ...] = ()
    details: tuple[ErrorDetail, ...] = ()


class Refusal(Wire, frozen=True):
    """The body of an answer with an error status."""

    error: ErrorBody


# -- Resource Manager


class ManagedProject(Wire, frozen=True):
    """A project that the account may see."""

    project_id: str
    state: str = ""


class ManagedProjects(Wire, frozen=True):
    """A page of them."""

    projects: tuple[ManagedProject, ...] = ()
    next_page_token: str = ""
