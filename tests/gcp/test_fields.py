"""Every JSON field that is named here exists, with that type, in Google's message descriptors."""

from __future__ import annotations

import base64
import inspect
from collections.abc import Iterator
from datetime import datetime
from typing import Any, get_origin

import aiohttp
import msgspec
import pytest
from google.cloud import compute_v1
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from asyncspider_drivers.gcp import wire
from asyncspider_drivers.gcp.emulator import World, seed_instances
from asyncspider_drivers.gcp.emulator.resources import COLLECTIONS

from .official import Official, in_thread, machine

MESSAGES: dict[Any, str] = {
    wire.AccessConfig: "AccessConfig",
    wire.Address: "Address",
    wire.Aggregated[wire.ScopedInstances[wire.Instance]]: "InstanceAggregatedList",
    wire.Aggregated[wire.ScopedInstances[wire.InstanceNics]]: "InstanceAggregatedList",
    wire.Aggregated[wire.ScopedInstances[wire.InstanceState]]: "InstanceAggregatedList",
    wire.Aggregated[wire.ScopedInstances[wire.InstanceTags]]: "InstanceAggregatedList",
    wire.Aggregated[wire.ScopedAddresses]: "AddressAggregatedList",
    wire.Aggregated[wire.ScopedSubnetworks]: "SubnetworkAggregatedList",
    wire.DiskOrigin: "Disk",
    wire.Instance: "Instance",
    wire.InstanceDisks: "Instance",
    wire.InstanceNics: "Instance",
    wire.InstanceState: "Instance",
    wire.InstanceTags: "Instance",
    wire.Listed[wire.Address]: "AddressList",
    wire.Listed[wire.Firewall]: "FirewallList",
    wire.Listed[wire.Image]: "ImageList",
    wire.Listed[wire.Instance]: "InstanceList",
    wire.Listed[wire.Network]: "NetworkList",
    wire.Listed[wire.Subnetwork]: "SubnetworkList",
    wire.Operation: "Operation",
    wire.Place: "Zone",
    wire.Project: "Project",
    wire.ProjectName: "Project",
    wire.Region: "Region",
}
# Bodies of errors and of Resource Manager are no messages of Compute Engine.
ELSEWHERE = {
    wire.ErrorBody,
    wire.ErrorDetail,
    wire.ErrorItem,
    wire.ManagedProject,
    wire.ManagedProjects,
    wire.Refusal,
}

_SCALARS: dict[int, tuple[type, ...]] = {
    FieldDescriptor.TYPE_BOOL: (bool,),
    FieldDescriptor.TYPE_INT32: (int,),
    FieldDescriptor.TYPE_UINT32: (int,),
    FieldDescriptor.TYPE_DOUBLE: (float, int),
    FieldDescriptor.TYPE_FLOAT: (float, int),
    FieldDescriptor.TYPE_STRING: (str,),
    # Whole numbers of 64 bits and enumerations are text in JSON.
    FieldDescriptor.TYPE_INT64: (str,),
    FieldDescriptor.TYPE_UINT64: (str,),
    FieldDescriptor.TYPE_FIXED64: (str,),
    FieldDescriptor.TYPE_ENUM: (str,),
}


def descriptor(name: str) -> Descriptor:
    return getattr(compute_v1, name).pb().DESCRIPTOR


def by_json_name(message: Descriptor) -> dict[str, FieldDescriptor]:
    return {field.json_name: field for field in message.fields}


# -- the wire structs


def check_struct(kind: msgspec.inspect.Type, message: Descriptor, path: str) -> Iterator[str]:
    """Yield what is wrong with a struct, seen against a message."""
    assert isinstance(kind, msgspec.inspect.StructType)
    known = by_json_name(message)
    for field in kind.fields:
        here = f"{path}.{field.encode_name}"
        found = known.get(field.encode_name)
        if found is None:
            yield f"{here}: {message.name} has no such field"
        else:
            yield from check_type(field.type, found, here)


def check_type(
    kind: msgspec.inspect.Type, found: FieldDescriptor, path: str, inside: bool = False
) -> Iterator[str]:
    entry = found.message_type
    is_map = entry is not None and entry.GetOptions().map_entry
    match kind:
        case msgspec.inspect.UnionType():
            for option in kind.types:
                if not isinstance(option, msgspec.inspect.NoneType):
                    yield from check_type(option, found, path, inside)
        case msgspec.inspect.DictType():
            if not is_map or entry is None:
                yield f"{path}: not a map"
            else:
                yield from check_type(
                    kind.value_type, entry.fields_by_name["value"], path, inside=True
                )
        case msgspec.inspect.ListType() | msgspec.inspect.VarTupleType():
            if is_map or not found.is_repeated:
                yield f"{path}: not a list"
            else:
                yield from check_type(kind.item_type, found, path, inside=True)
        case _ if found.is_repeated and not inside:
            yield f"{path}: a list or map"
        case msgspec.inspect.StructType():
            if entry is None:
                yield f"{path}: not a message"
            else:
                yield from check_struct(kind, entry, path)
        case msgspec.inspect.CustomType() | msgspec.inspect.RawType():
            pass
        case _:
            wanted = {
                msgspec.inspect.StrType: str,
                msgspec.inspect.DateTimeType: str,
                msgspec.inspect.BoolType: bool,
                msgspec.inspect.IntType: int,
            }[type(kind)]
            if wanted not in _SCALARS.get(found.type, ()):
                yield f"{path}: {found.type}, not {wanted.__name__}"


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: f"{kind}".rpartition(".")[2])
def test_wire_structs(kind: Any) -> None:
    message = MESSAGES[kind]
    wrong = list(check_struct(msgspec.inspect.type_info(kind), descriptor(message), message))
    assert not wrong


def test_every_wire_struct_is_looked_at() -> None:
    seen: set[type] = set()

    def note(info: msgspec.inspect.Type) -> None:
        match info:
            case msgspec.inspect.StructType():
                seen.add(get_origin(info.cls) or info.cls)
                for field in info.fields:
                    note(field.type)
            case msgspec.inspect.ListType() | msgspec.inspect.VarTupleType():
                note(info.item_type)
            case msgspec.inspect.DictType():
                note(info.value_type)
            case msgspec.inspect.UnionType():
                for option in info.types:
                    note(option)
            case _:
                pass

    for kind in MESSAGES:
        note(msgspec.inspect.type_info(kind))
    every = {
        kind
        for kind in vars(wire).values()
        if inspect.isclass(kind) and issubclass(kind, wire.Wire)
    }
    assert every - seen == ELSEWHERE | {wire.Wire, wire.Scoped}


def test_the_mask_is_made_of_the_struct() -> None:
    kind = wire.Aggregated[wire.ScopedInstances[wire.InstanceNics]]
    assert wire.fields_of(kind) == (
        "items/*/warning(code,message),"
        "items/*/instances(name,status,tags(items),"
        "networkInterfaces(name,network,subnetwork,networkIP,accessConfigs(name,natIP))),"
        "nextPageToken,unreachables"
    )
    assert wire.fields_of(wire.ProjectName) == "name"


# -- what the emulator sends


def test_the_check_finds_what_is_wrong() -> None:
    body = {
        "id": 5,
        "status": "RUNNING",
        "nope": 1,
        "canIpForward": "yes",
        "labels": {"a": 1},
        "disks": {"boot": True},
        "tags": ["a"],
    }
    wrong = list(check_json(body, descriptor("Instance"), "Instance"))
    assert [line.partition(":")[0] for line in wrong] == [
        "Instance.id",
        "Instance.nope",
        "Instance.canIpForward",
        "Instance.labels[a]",
        "Instance.disks",
        "Instance.tags",
    ]


def check_json(value: Any, message: Descriptor, path: str) -> Iterator[str]:
    """Yield what is wrong with a JSON object, seen against a message."""
    known = by_json_name(message)
    for name, item in value.items():
        here = f"{path}.{name}"
        found = known.get(name)
        if found is None:
            yield f"{here}: {message.name} has no such field"
            continue
        entry = found.message_type
        if entry is not None and entry.GetOptions().map_entry:
            values = entry.fields_by_name["value"]
            for key, one in item.items():
                yield from check_value(one, values, f"{here}[{key}]")
        elif found.is_repeated:
            if not isinstance(item, list):
                yield f"{here}: not a list"
            else:
                for one in item:
                    yield from check_value(one, found, here)
        else:
            yield from check_value(item, found, here)


def check_value(value: Any, found: FieldDescriptor, path: str) -> Iterator[str]:
    if found.message_type is not None:
        if isinstance(value, dict):
            yield from check_json(value, found.message_type, path)
        else:
            yield f"{path}: not an object"
    elif type(value) not in _SCALARS[found.type]:
        yield f"{path}: {type(value).__name__} {value!r}"
    elif found.enum_type is not None and value not in found.enum_type.values_by_name:
        yield f"{path}: {value!r} is not in {found.enum_type.name}"
    elif found.type in (FieldDescriptor.TYPE_UINT64, FieldDescriptor.TYPE_INT64):
        int(value)
    elif found.json_name.endswith("Timestamp") or found.json_name.endswith("Time"):
        assert datetime.fromisoformat(value).utcoffset() is not None
    elif found.json_name.lower().endswith("fingerprint"):
        base64.urlsafe_b64decode(value)


async def test_what_the_emulator_sends(official: Official, address: str, world: World) -> None:
    project, zone, region = "demo", "us-central1-a", "us-central1"
    world.add_project("other")
    seed_instances(world.projects[project], 3, [zone])
    world.projects[project].quotas = {"NETWORKS": 5}

    def live() -> None:
        """Have one of everything, in as many states as can be."""
        official.addresses.insert(
            project=project, region=region, address_resource=compute_v1.Address(name="used")
        ).result()
        official.addresses.insert(
            project=project,
            region=region,
            address_resource=compute_v1.Address(name="inside", address_type="INTERNAL"),
        ).result()
        official.global_addresses.insert(
            project=project, address_resource=compute_v1.Address(name="everywhere")
        ).result()
        ip = official.addresses.get(project=project, region=region, address="used").address
        nic = compute_v1.NetworkInterface(
            network="global/networks/default",
            access_configs=[
                compute_v1.AccessConfig(name="External NAT", type_="ONE_TO_ONE_NAT", nat_i_p=ip)
            ],
        )
        resource = machine(
            "full",
            zone,
            description="has all",
            labels={"a": "b"},
            tags=compute_v1.Tags(items=["web"]),
            metadata=compute_v1.Metadata(items=[compute_v1.Items(key="a", value="b")]),
            network_interfaces=[nic],
        )
        official.instances.insert(project=project, zone=zone, instance_resource=resource).result()
        at: Any = {"project": project, "zone": zone, "instance": "full"}
        official.instances.stop(**at).result()
        official.instances.start(**at).result()
        official.instances.suspend(**at).result()
        official.images.insert(
            compute_v1.InsertImageRequest(
                project=project,
                force_create=True,
                image_resource=compute_v1.Image(
                    name="mine", source_disk=f"zones/{zone}/disks/full", description="x"
                ),
            )
        ).result()
        for firewall in (
            compute_v1.Firewall(
                name="out",
                direction="EGRESS",
                denied=[compute_v1.Denied(I_p_protocol="all")],
                description="no way out",
            ),
            compute_v1.Firewall(
                name="in",
                allowed=[compute_v1.Allowed(I_p_protocol="tcp", ports=["1-2"])],
                source_tags=["a"],
                target_tags=["b"],
            ),
        ):
            official.firewalls.insert(project=project, firewall_resource=firewall).result()
        world.projects[project].quotas["INSTANCES"] = 0
        failing = official.instances.insert(
            project=project, zone=zone, instance_resource=machine("fails", zone)
        )
        with pytest.raises(Exception, match="FORBIDDEN"):
            failing.result()
        world.dead_zones.add("us-east1-b")

    await in_thread(live)
    lists = {
        f"zones/{zone}/instances": "InstanceList",
        f"zones/{zone}/disks": "DiskList",
        f"zones/{zone}/machineTypes": "MachineTypeList",
        f"zones/{zone}/operations": "OperationList",
        f"regions/{region}/addresses": "AddressList",
        f"regions/{region}/subnetworks": "SubnetworkList",
        f"regions/{region}/operations": "OperationList",
        "global/addresses": "AddressList",
        "global/images": "ImageList",
        "global/networks": "NetworkList",
        "global/firewalls": "FirewallList",
        "global/operations": "OperationList",
        "aggregated/instances": "InstanceAggregatedList",
        "aggregated/disks": "DiskAggregatedList",
        "aggregated/machineTypes": "MachineTypeAggregatedList",
        "aggregated/addresses": "AddressAggregatedList",
        "aggregated/subnetworks": "SubnetworkAggregatedList",
        "zones": "ZoneList",
        "regions": "RegionList",
        "": "Project",
    }
    wrong: list[str] = []
    filled: set[str] = set()
    async with aiohttp.ClientSession() as session:
        for path, message in lists.items():
            url = f"{address}/compute/v1/projects/{project}/{path}?maxResults=3"
            async with session.get(f"{url}&returnPartialSuccess=true") as answer:
                body = await answer.json()
                assert answer.status == 200, body
            wrong += check_json(body, descriptor(message), message)
            if body.get("items"):
                filled.add(path)
        public = f"{address}/compute/v1/projects/debian-cloud/global/images"
        async with session.get(public) as answer:
            wrong += check_json(await answer.json(), descriptor("ImageList"), "ImageList")
    assert not wrong
    assert filled == set(lists) - {""}, "what is empty proves nothing"
    assert {path.rpartition("/")[2] for path in lists} >= set(COLLECTIONS)
