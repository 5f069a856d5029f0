"""What each resource does: how it is made, checked, changed and removed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from ipaddress import IPv4Address, IPv4Network, ip_network
from typing import Any

import msgspec

from .errors import (
    ApiError,
    already_exists,
    condition_not_met,
    in_use,
    invalid,
    invalid_name,
    not_found,
    not_ready,
    quota_exceeded,
    required,
)
from .world import NAME, URL_BASE, OperationFault, Project

Body = dict[str, Any]
Query = Mapping[str, str]


class Collection(msgspec.Struct, frozen=True, kw_only=True):
    """What is common to the resources of one kind."""

    name: str
    """As in the URL: ``instances``."""
    kind: str
    """As in ``kind``: ``compute#instance``."""
    noun: str
    """As in messages and permissions: ``instance``."""
    levels: tuple[str, ...]
    """Where it may be: ``global``, ``regions``, ``zones``."""
    aggregated: bool = False
    insert: Callable[[Project, str, Body, Query], Body] | None = None
    patch: Callable[[Project, str, str, Body], Body] | None = None
    delete: Callable[[Project, str, str], Body] | None = None
    actions: dict[str, Callable[[Project, str, str, Body, Query], Body]] = {}


# -- helpers


def last(url: str) -> str:
    """Return the last part of a URL or path."""
    return url.rpartition("/")[2]


def _path_of(url: str) -> str:
    """Return the part of a reference that begins with ``projects/``, or what there is."""
    _, found, rest = url.partition("/compute/v1/")
    return rest if found else url.lstrip("/")


_EXTRA = re.compile(r"(?:projects/(?P<project>[^/]+)/)?(?P<rest>.+)")


def resolve(project: Project, url: str) -> tuple[Project, str, str, str] | None:
    """Return (project, scope, collection, name) of a full, partial or relative reference."""
    match = _EXTRA.fullmatch(_path_of(url))
    if match is None:
        return None
    owner = project.world.projects.get(match["project"] or project.id)
    parts = match["rest"].split("/")
    if owner is None:
        return None
    if parts[0] == "global" and len(parts) >= 3:
        return owner, "global", parts[1], "/".join(parts[2:])
    if parts[0] in ("zones", "regions") and len(parts) == 4:
        return owner, f"{parts[0]}/{parts[1]}", parts[2], parts[3]
    return None


def referenced(project: Project, field: str, url: Any, noun: str) -> Body:
    """Return what a body refers to.

    Raises:
        ApiError: It is not there.
    """
    found = resolve(project, str(url))
    item = None
    if found is not None:
        owner, scope, collection, name = found
        family = name.startswith("family/") and collection == "images"
        item = (
            newest_of_family(owner, name.removeprefix("family/"))
            if family
            else owner.store(collection, scope).get(name)
        )
    if item is None:
        raise invalid(field, url, f"The referenced {noun} resource cannot be found.")
    return item


def newest_of_family(project: Project, family: str) -> Body | None:
    """Return the newest image of a family that is not deprecated."""
    images = [
        image
        for image in project.store("images", "global")
        if image.get("family") == family and "deprecated" not in image
    ]
    return max(images, key=lambda image: image["creationTimestamp"], default=None)


def _name_of(body: Body) -> str:
    name = body.get("name")
    if not name:
        raise required("resource.name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise invalid_name("resource.name", name)
    return name


_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")


def _check_labels(labels: Any) -> dict[str, str]:
    for key, value in (labels or {}).items():
        for what, text, pattern in (("key", key, _LABEL_KEY), ("value", value, _LABEL_VALUE)):
            if not pattern.fullmatch(text):
                raise invalid(
                    "resource.labels",
                    "",
                    f"Label {what} '{text}' violates format constraints. The {what} can only "
                    "contain lowercase letters, numeric characters, underscores and dashes. The "
                    f"{what} can be at most 63 characters long. International characters are "
                    "allowed.",
                )
    return labels or {}


def _check_tags(field: str, tags: list[str]) -> list[str]:
    for index, tag in enumerate(tags):
        if not NAME.fullmatch(tag):
            raise invalid_name(f"{field}[{index}]", tag)
    return tags


def _new(project: Project, collection: str, scope: str, name: str) -> Body:
    store = project.store(collection, scope)
    if name in store:
        raise already_exists(project.path(scope, collection, name))
    item: Body = {
        "kind": COLLECTIONS[collection].kind,
        "id": project.world.next_id(),
        "creationTimestamp": project.world.timestamp(),
        "name": name,
    }
    level, _, place = scope.partition("/")
    if place:
        item[level[:-1]] = f"{URL_BASE}projects/{project.id}/{scope}"
    item["selfLink"] = project.url(scope, collection, name)
    return item


def _quota(project: Project, metric: str, have: int, where: str = "globally") -> None:
    limit = project.quotas.get(metric)
    if limit is not None and have >= limit:
        raise quota_exceeded(metric, limit, where)


def _started(
    project: Project,
    scope: str,
    operation_type: str,
    collection: str,
    item: Body,
    **how: Any,
) -> Body:
    path = project.path(scope, collection, item["name"])
    return project.operate(scope, operation_type, path, target_id=item["id"], **how)


def _copy(body: Body, *names: str) -> Body:
    return {name: body[name] for name in names if body.get(name) not in (None, "", [], {})}


def _path(item: Body) -> str:
    return _path_of(item["selfLink"])


# -- networks and subnetworks


def _insert_network(project: Project, scope: str, body: Body, query: Query) -> Body:
    name = _name_of(body)
    if body.get("autoCreateSubnetworks") is None:
        raise invalid(
            "resource.autoCreateSubnetworks", "", "Legacy networks can no longer be created."
        )
    network = _new(project, "networks", scope, name)
    _quota(project, "NETWORKS", project.count("networks"))
    auto = bool(body["autoCreateSubnetworks"])
    network |= {
        **_copy(body, "description"),
        "selfLinkWithId": project.url(scope, "networks", network["id"]),
        "autoCreateSubnetworks": auto,
        "subnetworks": [],
        "routingConfig": {"routingMode": "REGIONAL", **body.get("routingConfig", {})},
        "mtu": body.get("mtu", 1460),
        "networkFirewallPolicyEnforcementOrder": "AFTER_CLASSIC_FIREWALL",
    }
    store = project.store("networks", scope)
    store.put(name, network)

    def done() -> None:
        if auto:
            _auto_subnetworks(project, network)

    return _started(
        project, scope, "insert", "networks", network, done=done, undo=lambda: store.pop(name)
    )


def _auto_subnetworks(project: Project, network: Body) -> None:
    first = int(IPv4Address("10.128.0.0"))
    for index, region in enumerate(project.world.regions):
        block = f"{IPv4Address(first + index * 4096)}/20"
        _add_subnetwork(project, f"regions/{region}", network["name"], network, block)


def _add_subnetwork(
    project: Project, scope: str, name: str, network: Body, block: str, **more: Any
) -> Body:
    subnetwork = _new(project, "subnetworks", scope, name) | {
        "network": network["selfLink"],
        "ipCidrRange": block,
        "gatewayAddress": str(ip_network(block)[1]),
        "privateIpGoogleAccess": False,
        "privateIpv6GoogleAccess": "DISABLE_GOOGLE_ACCESS",
        "purpose": "PRIVATE",
        "stackType": "IPV4_ONLY",
        "fingerprint": project.world.fingerprint(),
        **more,
    }
    project.store("subnetworks", scope).put(name, subnetwork)
    owned = project.own("global", "networks", network["name"])
    owned["subnetworks"] = [*owned["subnetworks"], subnetwork["selfLink"]]
    return subnetwork


def _drop_subnetwork(project: Project, scope: str, subnetwork: Body) -> None:
    project.store("subnetworks", scope).pop(subnetwork["name"])
    network = project.store("networks", "global").own(last(subnetwork["network"]))
    if network is not None:
        network["subnetworks"] = [
            url for url in network["subnetworks"] if url != subnetwork["selfLink"]
        ]


def _delete_network(project: Project, scope: str, name: str) -> Body:
    network = project.find(scope, "networks", name)
    url, path = network["selfLink"], _path(network)
    for instance in project.every("instances"):
        if any(nic["network"] == url for nic in instance["networkInterfaces"]):
            raise in_use("network", path, _path(instance))
    for firewall in project.every("firewalls"):
        if firewall["network"] == url:
            raise in_use("network", path, _path(firewall))
    auto = network["autoCreateSubnetworks"]
    mine = [net for net in project.every("subnetworks") if net["network"] == url]
    for subnetwork in mine:
        if not auto or subnetwork["name"] != name:
            raise in_use("network", path, _path(subnetwork))

    def done() -> None:
        for subnetwork in mine:
            _drop_subnetwork(project, f"regions/{last(subnetwork['region'])}", subnetwork)
        project.store("networks", scope).pop(name)

    return _started(project, scope, "delete", "networks", network, done=done)


def _insert_subnetwork(project: Project, scope: str, body: Body, query: Query) -> Body:
    name = _name_of(body)
    for field in ("network", "ipCidrRange"):
        if not body.get(field):
            raise required(f"resource.{field}")
    network = referenced(project, "resource.network", body["network"], "network")
    try:
        block = ip_network(body["ipCidrRange"])
        if not isinstance(block, IPv4Network) or not 4 <= block.prefixlen <= 29:
            raise ValueError
    except ValueError:
        raise invalid(
            "resource.ipCidrRange", body["ipCidrRange"], "Must be a CIDR address range."
        ) from None
    if name in project.store("subnetworks", scope):
        raise already_exists(project.path(scope, "subnetworks", name))
    for other in project.every("subnetworks"):
        if other["network"] == network["selfLink"] and block.overlaps(
            IPv4Network(other["ipCidrRange"])
        ):
            raise invalid(
                "resource.ipCidrRange",
                body["ipCidrRange"],
                f"Invalid IPCidrRange: {block} conflicts with existing subnetwork "
                f"'{other['name']}' in region '{last(other['region'])}'.",
            )
    _quota(project, "SUBNETWORKS", project.count("subnetworks"))
    more = _copy(body, "description", "privateIpGoogleAccess", "purpose", "role")
    subnetwork = _add_subnetwork(project, scope, name, network, str(block), **more)
    return _started(
        project,
        scope,
        "insert",
        "subnetworks",
        subnetwork,
        undo=lambda: _drop_subnetwork(project, scope, subnetwork),
    )


def _delete_subnetwork(project: Project, scope: str, name: str) -> Body:
    subnetwork = project.find(scope, "subnetworks", name)
    url = subnetwork["selfLink"]
    for instance in project.every("instances"):
        if any(nic["subnetwork"] == url for nic in instance["networkInterfaces"]):
            raise in_use("subnetwork", _path(subnetwork), _path(instance))
    return _started(
        project,
        scope,
        "delete",
        "subnetworks",
        subnetwork,
        done=lambda: _drop_subnetwork(project, scope, subnetwork),
    )


# -- firewalls


def _firewall_fields(project: Project, body: Body) -> Body:
    tags = {
        field: _check_tags(f"resource.{field}", body[field])
        for field in ("sourceTags", "targetTags")
        if body.get(field)
    }
    for field in ("allowed", "denied"):
        for index, entry in enumerate(body.get(field) or ()):
            if not entry.get("IPProtocol"):
                raise required(f"resource.{field}[{index}].IPProtocol")
            for place, ports in enumerate(entry.get("ports", ())):
                if not re.fullmatch(r"\d{1,5}(-\d{1,5})?", ports):
                    raise invalid(
                        f"resource.{field}[{index}].ports[{place}]",
                        ports,
                        "Ports must be an integer or a range.",
                    )
    if bool(body.get("allowed")) == bool(body.get("denied")):
        raise ApiError(
            400,
            "invalid",
            "Invalid value for field 'resource': ''. Exactly one of 'allowed' and 'denied' must "
            "be specified.",
        )
    for field in ("sourceRanges", "destinationRanges"):
        for index, block in enumerate(body.get(field) or ()):
            try:
                ip_network(block)
            except ValueError:
                raise invalid(
                    f"resource.{field}[{index}]", block, "Must be a valid CIDR range."
                ) from None
    direction = body.get("direction") or "INGRESS"
    fields = {
        "priority": body.get("priority", 1000),
        "direction": direction,
        "disabled": bool(body.get("disabled")),
        "logConfig": {"enable": False},
        **_copy(body, "description", "allowed", "denied", "sourceRanges", "destinationRanges"),
        **_copy(body, "sourceServiceAccounts", "targetServiceAccounts"),
        **tags,
    }
    if direction == "INGRESS" and not any(name.startswith("source") for name in fields):
        fields["sourceRanges"] = ["0.0.0.0/0"]
    if direction == "EGRESS" and "destinationRanges" not in fields:
        fields["destinationRanges"] = ["0.0.0.0/0"]
    return fields


def _insert_firewall(project: Project, scope: str, body: Body, query: Query) -> Body:
    name = _name_of(body)
    network = referenced(
        project, "resource.network", body.get("network") or "global/networks/default", "network"
    )
    firewall = _new(project, "firewalls", scope, name)
    _quota(project, "FIREWALLS", project.count("firewalls"))
    firewall |= {"network": network["selfLink"], **_firewall_fields(project, body)}
    store = project.store("firewalls", scope)
    store.put(name, firewall)
    return _started(project, scope, "insert", "firewalls", firewall, undo=lambda: store.pop(name))


def _patch_firewall(project: Project, scope: str, name: str, body: Body) -> Body:
    firewall = project.own(scope, "firewalls", name)
    merged = {**firewall, **body}
    fields = _firewall_fields(project, merged)
    for field in ("targetTags", "sourceTags", "sourceRanges", "destinationRanges", "allowed"):
        if field not in fields:
            firewall.pop(field, None)
    firewall.update(fields)
    return _started(project, scope, "patch", "firewalls", firewall)


def _plain_delete(collection: str) -> Callable[[Project, str, str], Body]:
    def delete(project: Project, scope: str, name: str) -> Body:
        item = project.find(scope, collection, name)
        return _started(
            project,
            scope,
            "delete",
            collection,
            item,
            done=lambda: project.store(collection, scope).pop(name),
        )

    return delete


# -- addresses


def _insert_address(project: Project, scope: str, body: Body, query: Query) -> Body:
    name = _name_of(body)
    address = _new(project, "addresses", scope, name)
    where = "globally" if scope == "global" else f"in region {last(scope)}"
    metric = "STATIC_ADDRESSES"
    store = project.store("addresses", scope)
    _quota(project, metric, len(store), where)
    kind = body.get("addressType") or "EXTERNAL"
    if kind == "INTERNAL":
        subnetwork = referenced(
            project,
            "resource.subnetwork",
            body.get("subnetwork") or f"{scope}/subnetworks/default",
            "subnetwork",
        )
        given = body.get("address") or _free_ip(project, subnetwork)
        address |= {"subnetwork": subnetwork["selfLink"], "purpose": "GCE_ENDPOINT"}
    else:
        given = body.get("address") or project.world.external_ip()
    address |= {
        **_copy(body, "description", "ipVersion", "labels"),
        "address": given,
        "addressType": kind,
        "networkTier": body.get("networkTier", "PREMIUM"),
        "status": "RESERVED",
        "labelFingerprint": project.world.fingerprint(),
    }
    if scope == "global":
        address.setdefault("ipVersion", "IPV4")
    store.put(name, address)
    return _started(project, scope, "insert", "addresses", address, undo=lambda: store.pop(name))


def _delete_address(project: Project, scope: str, name: str) -> Body:
    address = project.find(scope, "addresses", name)
    if address.get("users"):
        raise in_use("address", _path(address), _path_of(address["users"][0]))
    return _plain_delete("addresses")(project, scope, name)


def _reserve(project: Project, region: str, ip: str, instance_url: str) -> None:
    """Note that an instance has a static address; ephemeral ones are nobody's."""
    for address in project.store("addresses", f"regions/{region}"):
        if address["address"] == ip:
            if address.get("users"):
                raise ApiError(
                    400,
                    "invalidResourceUsage",
                    f"Invalid resource usage: 'External IP address: {ip} is already in-use.'.",
                )
            address |= {"status": "IN_USE", "users": [instance_url]}
            return
    raise invalid(
        "resource.networkInterfaces[0].accessConfigs[0].natIP",
        ip,
        "The specified external IP address is not reserved in the region.",
    )


def _unreserve(project: Project, instance_url: str, ip: str = "") -> None:
    for address in project.every("addresses"):
        if instance_url in address.get("users", ()) and ip in ("", address["address"]):
            address["status"] = "RESERVED"
            del address["users"]


# -- images and disks


def _insert_image(project: Project, scope: str, body: Body, query: Query) -> Body:
    name = _name_of(body)
    image = _new(project, "images", scope, name)
    if body.get("sourceDisk"):
        source = referenced(project, "resource.sourceDisk", body["sourceDisk"], "disk")
        if query.get("forceCreate", "").lower() != "true":
            for user in source.get("users", ()):
                found = resolve(project, user)
                assert found is not None
                if project.find(found[1], "instances", found[3])["status"] == "RUNNING":
                    raise in_use("disk", _path(source), _path_of(user))
        image |= {"sourceDisk": source["selfLink"], "sourceDiskId": source["id"]}
    elif body.get("sourceImage"):
        source = referenced(project, "resource.sourceImage", body["sourceImage"], "image")
        image |= {"sourceImage": source["selfLink"], "sourceImageId": source["id"]}
    elif body.get("rawDisk"):
        source = {"sizeGb": "10"}
    else:
        raise required("resource.sourceDisk")
    image |= {
        **_copy(body, "description", "family"),
        "labels": _check_labels(body.get("labels")),
        "labelFingerprint": project.world.fingerprint(),
        "sourceType": "RAW",
        "status": "PENDING",
        "diskSizeGb": source.get("sizeGb") or source.get("diskSizeGb", "10"),
        "storageLocations": ["us"],
        **_copy(source, "architecture", "guestOsFeatures", "licenses"),
    }
    store = project.store("images", scope)
    store.put(name, image)

    def done() -> None:
        image.update(status="READY", archiveSizeBytes="1053123456")

    return _started(
        project, scope, "insert", "images", image, done=done, undo=lambda: store.pop(name)
    )


def _insert_disk(project: Project, scope: str, body: Body, query: Query) -> Body:
    name = _name_of(body)
    disk = _add_disk(project, scope, name, body, "resource")
    return _started(
        project,
        scope,
        "insert",
        "disks",
        disk,
        done=lambda: disk.update(status="READY"),
        undo=lambda: project.store("disks", scope).pop(name),
    )


def _add_disk(project: Project, scope: str, name: str, body: Body, field: str) -> Body:
    disk = _new(project, "disks", scope, name)
    image: Body = {}
    if body.get("sourceImage"):
        image = referenced(project, f"{field}.sourceImage", body["sourceImage"], "image")
        disk |= {"sourceImage": image["selfLink"], "sourceImageId": image["id"]}
    size = body.get("sizeGb") or body.get("diskSizeGb") or image.get("diskSizeGb") or "500"
    kind = body.get("type") or body.get("diskType") or "pd-standard"
    disk |= {
        "sizeGb": str(size),
        "status": "CREATING",
        "type": f"{URL_BASE}projects/{project.id}/{scope}/diskTypes/{last(kind)}",
        "labels": _check_labels(body.get("labels")),
        "labelFingerprint": project.world.fingerprint(),
        "physicalBlockSizeBytes": "4096",
        **_copy(image, "architecture", "guestOsFeatures", "licenses"),
        **_copy(body, "description"),
    }
    project.store("disks", scope).put(name, disk)
    return disk


def _delete_disk(project: Project, scope: str, name: str) -> Body:
    disk = project.find(scope, "disks", name)
    if disk.get("users"):
        raise in_use("disk", _path(disk), _path_of(disk["users"][0]))
    return _plain_delete("disks")(project, scope, name)


def _set_labels(collection: str) -> Callable[[Project, str, str, Body, Query], Body]:
    def set_labels(project: Project, scope: str, name: str, body: Body, query: Query) -> Body:
        item = project.own(scope, collection, name)
        if body.get("labelFingerprint") != item["labelFingerprint"]:
            raise condition_not_met(
                "Labels fingerprint either invalid or resource labels have changed"
            )
        item["labels"] = _check_labels(body.get("labels"))
        item["labelFingerprint"] = project.world.fingerprint()
        return _started(project, scope, "setLabels", collection, item)

    return set_labels


# -- instances

MACHINE_TYPES: dict[str, tuple[int, int]] = {
    "e2-micro": (2, 1024),
    "e2-small": (2, 2048),
    "e2-medium": (2, 4096),
    "e2-standard-2": (2, 8192),
    "e2-standard-4": (4, 16384),
    "n1-standard-1": (1, 3840),
    "n2-standard-2": (2, 8192),
    "n2-standard-8": (8, 32768),
}
"""Name -> (CPUs, MB)."""


def _free_ip(project: Project, subnetwork: Body) -> str:
    """Return an address that is free, and count it as taken."""
    block = IPv4Network(subnetwork["ipCidrRange"])
    taken = {
        nic["networkIP"]
        for instance in project.every("instances")
        for nic in instance["networkInterfaces"]
        if nic["subnetwork"] == subnetwork["selfLink"]
    }
    taken |= {
        address["address"]
        for address in project.every("addresses")
        if address["addressType"] == "INTERNAL"
    }
    for number in range(2, block.num_addresses - 2):
        if (ip := str(block[number])) not in taken:
            return ip
    raise ApiError(
        400,
        "ipSpaceExhausted",
        f"IP space of '{_path(subnetwork)}' is exhausted.",
    )


def _network_interface(project: Project, region: str, index: int, body: Body, url: str) -> Body:
    field = f"resource.networkInterfaces[{index}]"
    subnetwork: Body | None = None
    if body.get("subnetwork"):
        subnetwork = referenced(project, f"{field}.subnetwork", body["subnetwork"], "subnetwork")
        if last(subnetwork["region"]) != region:
            raise invalid(
                f"{field}.subnetwork",
                body["subnetwork"],
                f"The subnetwork is not in the region '{region}' of the instance.",
            )
        network = subnetwork["network"]
        if body.get("network") and last(body["network"]) != last(network):
            raise invalid(
                f"{field}.subnetwork",
                body["subnetwork"],
                "The subnetwork does not belong to the network.",
            )
    else:
        found = referenced(
            project, f"{field}.network", body.get("network") or "global/networks/default", "network"
        )
        network = found["selfLink"]
        if not found["autoCreateSubnetworks"]:
            raise invalid(
                field, network, "Subnetwork should be specified for custom subnetmode network"
            )
        subnetwork = project.find(f"regions/{region}", "subnetworks", found["name"])
    configs: list[Body] = []
    for config in body.get("accessConfigs", ())[:1]:
        ip = config.get("natIP")
        if ip:
            _reserve(project, region, ip, url)
        configs.append(_access_config(project, config, ip))
    return {
        "kind": "compute#networkInterface",
        "name": f"nic{index}",
        "network": network,
        "subnetwork": subnetwork["selfLink"],
        "networkIP": body.get("networkIP") or _free_ip(project, subnetwork),
        "stackType": "IPV4_ONLY",
        "fingerprint": project.world.fingerprint(),
        **({"accessConfigs": configs} if configs else {}),
    }


def _access_config(project: Project, body: Body, ip: str | None) -> Body:
    return {
        "kind": "compute#accessConfig",
        "type": body.get("type", "ONE_TO_ONE_NAT"),
        "name": body.get("name") or "External NAT",
        "natIP": ip or project.world.external_ip(),
        "networkTier": "PREMIUM",
    }


def _insert_instance(project: Project, scope: str, body: Body, query: Query) -> Body:
    name = _name_of(body)
    zone = last(scope)
    region = project.world.zones[zone]
    if not body.get("machineType"):
        raise required("resource.machineType")
    machine_type = last(body["machineType"])
    if machine_type not in MACHINE_TYPES:
        raise invalid(
            "resource.machineType",
            body["machineType"],
            f"Machine type with name '{machine_type}' does not exist in zone '{zone}'.",
        )
    instance = _new(project, "instances", scope, name)
    url, world = instance["selfLink"], project.world
    labels = _check_labels(body.get("labels"))
    tags = _check_tags("resource.tags.items", body.get("tags", {}).get("items", []))
    if not body.get("disks"):
        raise required("resource.disks")
    if not body.get("networkInterfaces"):
        raise required("resource.networkInterfaces")
    fault = None
    limit = project.quotas.get("INSTANCES")
    if limit is not None and _count_in_region(project, region) >= limit:
        # The reference: resource quotas of a VM are checked by the operation, not by the request.
        fault = OperationFault(
            operation_type="insert",
            code="QUOTA_EXCEEDED",
            message=f"Quota 'INSTANCES' exceeded.  Limit: {float(limit)} in region {region}.",
            status=403,
        )
    # All references are looked at before anything is made.
    for index, disk in enumerate(body["disks"]):
        params = disk.get("initializeParams", {})
        field = f"resource.disks[{index}]"
        if params.get("sourceImage"):
            referenced(
                project,
                f"{field}.initializeParams.sourceImage",
                params["sourceImage"],
                "image",
            )
        elif disk.get("source"):
            referenced(project, f"{field}.source", disk["source"], "disk")
    try:
        nics = [
            _network_interface(project, region, index, nic, url)
            for index, nic in enumerate(body["networkInterfaces"])
        ]
        disks = [
            _attach(project, scope, name, index, disk, url)
            for index, disk in enumerate(body["disks"])
        ]
    except ApiError:
        _unreserve(project, url)
        raise
    scheduling = body.get("scheduling", {})
    metadata = body.get("metadata", {})
    instance |= {
        **_copy(body, "description", "serviceAccounts", "hostname"),
        "status": "PROVISIONING",
        "machineType": project.url(scope, "machineTypes", machine_type),
        "canIpForward": bool(body.get("canIpForward")),
        "networkInterfaces": nics,
        "disks": disks,
        "tags": {"fingerprint": world.fingerprint(), **({"items": tags} if tags else {})},
        "metadata": {
            "kind": "compute#metadata",
            "fingerprint": world.fingerprint(),
            **_copy(metadata, "items"),
        },
        "labels": labels,
        "labelFingerprint": world.fingerprint(),
        "scheduling": {
            "onHostMaintenance": "MIGRATE",
            "automaticRestart": True,
            "preemptible": False,
            "provisioningModel": "STANDARD",
            **scheduling,
        },
        "cpuPlatform": "Unknown CPU Platform",
        "startRestricted": False,
        "deletionProtection": bool(body.get("deletionProtection")),
        "shieldedInstanceConfig": {
            "enableSecureBoot": False,
            "enableVtpm": True,
            "enableIntegrityMonitoring": True,
        },
        "shieldedInstanceIntegrityPolicy": {"updateAutoLearnPolicy": True},
        "fingerprint": world.fingerprint(),
    }
    store = project.store("instances", scope)
    store.put(name, instance)

    def staged() -> None:
        instance["status"] = "STAGING"

    def running() -> None:
        instance.update(
            status="RUNNING", cpuPlatform="Intel Broadwell", lastStartTimestamp=world.timestamp()
        )
        for disk in project.store("disks", scope):
            if url in disk.get("users", ()):
                disk["status"] = "READY"

    return _started(
        project,
        scope,
        "insert",
        "instances",
        instance,
        steps=[(0.6, staged)],
        done=running,
        undo=lambda: _gone(project, scope, name),
        fault=fault,
    )


def _count_in_region(project: Project, region: str) -> int:
    return project.count("instances", f"zones/{region}-")


def _attach(project: Project, scope: str, instance: str, index: int, body: Body, url: str) -> Body:
    boot = bool(body.get("boot", index == 0))
    if body.get("source"):
        found = resolve(project, body["source"])
        assert found is not None
        disk = project.own(found[1], "disks", found[3])
    else:
        params = body.get("initializeParams", {})
        name = params.get("diskName") or (instance if boot else f"{instance}-{index}")
        fields = {**params, "type": params.get("diskType"), "sizeGb": params.get("diskSizeGb")}
        disk = _add_disk(project, scope, name, fields, f"resource.disks[{index}].initializeParams")
    disk["users"] = [url]
    return {
        "kind": "compute#attachedDisk",
        "type": "PERSISTENT",
        "mode": body.get("mode", "READ_WRITE"),
        "source": disk["selfLink"],
        "deviceName": body.get("deviceName") or f"persistent-disk-{index}",
        "index": index,
        "boot": boot,
        "autoDelete": bool(body.get("autoDelete")),
        "interface": "SCSI",
        "diskSizeGb": disk["sizeGb"],
        **_copy(disk, "architecture", "guestOsFeatures", "licenses"),
    }


def _gone(project: Project, scope: str, name: str) -> None:
    """Remove an instance, with what is deleted with it."""
    instance = project.store("instances", scope).get(name)
    if instance is None:
        return
    disks = project.store("disks", scope)
    for attached in instance["disks"]:
        disk = disks.own(last(attached["source"]))
        if disk is not None and attached["autoDelete"]:
            disks.pop(disk["name"])
        elif disk is not None:
            disk.pop("users", None)
    _unreserve(project, instance["selfLink"])
    project.store("instances", scope).pop(name)


def _delete_instance(project: Project, scope: str, name: str) -> Body:
    instance = project.own(scope, "instances", name)
    if instance["deletionProtection"]:
        raise ApiError(
            400,
            "invalidResourceUsage",
            "Invalid resource usage: 'Resource cannot be deleted if it's protected against "
            'deletion. "deletionProtection" must be set to false.\'.',
        )
    before = instance["status"]
    instance["status"] = "STOPPING"
    return _started(
        project,
        scope,
        "delete",
        "instances",
        instance,
        done=lambda: _gone(project, scope, name),
        undo=lambda: instance.update(status=before),
    )


def _power(
    operation_type: str, allowed: tuple[str, ...], during: str, after: str, stamp: str
) -> Callable[[Project, str, str, Body, Query], Body]:
    def act(project: Project, scope: str, name: str, body: Body, query: Query) -> Body:
        instance = project.own(scope, "instances", name)
        before = instance["status"]
        if before == after:
            # Asking for what is so already does nothing, successfully.
            return _started(project, scope, operation_type, "instances", instance)
        if before not in allowed:
            raise not_ready(_path(instance))
        if during:
            instance["status"] = during

        def staged() -> None:
            if instance["status"] == "PROVISIONING":
                instance["status"] = "STAGING"

        def done() -> None:
            # A delete may have come meanwhile.
            if instance["status"] in (during, before, "STAGING"):
                instance["status"] = after
            if stamp:
                instance[stamp] = project.world.timestamp()

        return _started(
            project,
            scope,
            operation_type,
            "instances",
            instance,
            steps=[(0.6, staged)],
            done=done,
            undo=lambda: instance.update(status=before),
        )

    return act


def _nic_of(instance: Body, query: Query) -> Body:
    wanted = query.get("networkInterface", "nic0")
    for nic in instance["networkInterfaces"]:
        if nic["name"] == wanted:
            return nic
    raise invalid("networkInterface", wanted, "The network interface does not exist.")


def _add_access_config(project: Project, scope: str, name: str, body: Body, query: Query) -> Body:
    instance = project.own(scope, "instances", name)
    nic = _nic_of(instance, query)
    if nic.get("accessConfigs"):
        raise ApiError(
            400,
            "invalid",
            "At most one access config currently supported.",
        )
    ip = body.get("natIP")
    if ip:
        _reserve(project, project.world.zones[last(scope)], ip, instance["selfLink"])
    nic["accessConfigs"] = [_access_config(project, body, ip)]

    def undo() -> None:
        nic.pop("accessConfigs", None)
        if ip:
            _unreserve(project, instance["selfLink"], ip)

    return _started(project, scope, "addAccessConfig", "instances", instance, undo=undo)


def _delete_access_config(
    project: Project, scope: str, name: str, body: Body, query: Query
) -> Body:
    instance = project.own(scope, "instances", name)
    nic = _nic_of(instance, query)
    wanted = query.get("accessConfig", "")
    for config in nic.get("accessConfigs", ()):
        if config["name"] == wanted:
            break
    else:
        raise invalid("accessConfig", wanted, "The access config does not exist.")
    del nic["accessConfigs"]
    _unreserve(project, instance["selfLink"], config["natIP"])
    return _started(project, scope, "deleteAccessConfig", "instances", instance)


def _set_tags(project: Project, scope: str, name: str, body: Body, query: Query) -> Body:
    instance = project.own(scope, "instances", name)
    if body.get("fingerprint") != instance["tags"]["fingerprint"]:
        raise condition_not_met("Supplied fingerprint does not match current tags fingerprint.")
    items = _check_tags("resource.items", body.get("items", []))
    instance["tags"] = {
        "fingerprint": project.world.fingerprint(),
        **({"items": items} if items else {}),
    }
    return _started(project, scope, "setTags", "instances", instance)


def new_metadata(project: Project, current: Body, body: Body) -> Body:
    """Return metadata after a change.

    Raises:
        ApiError: The fingerprint is stale, or a key comes twice.
    """
    if body.get("fingerprint") != current["fingerprint"]:
        raise condition_not_met("Supplied fingerprint does not match current metadata fingerprint.")
    items = body.get("items") or []
    keys = [item.get("key") for item in items]
    for key in keys:
        if not key or keys.count(key) > 1:
            raise invalid("metadata.items[].key", key or "", "Keys must be unique and not empty.")
    return {
        "kind": "compute#metadata",
        "fingerprint": project.world.fingerprint(),
        **({"items": items} if items else {}),
    }


def _set_metadata(project: Project, scope: str, name: str, body: Body, query: Query) -> Body:
    instance = project.own(scope, "instances", name)
    instance["metadata"] = new_metadata(project, instance["metadata"], body)
    return _started(project, scope, "setMetadata", "instances", instance)


def _set_deletion_protection(
    project: Project, scope: str, name: str, body: Body, query: Query
) -> Body:
    instance = project.own(scope, "instances", name)
    instance["deletionProtection"] = query.get("deletionProtection", "true").lower() == "true"
    return _started(project, scope, "setDeletionProtection", "instances", instance)


def set_common_metadata(project: Project, body: Body) -> Body:
    """Change the project's metadata."""
    project.metadata = new_metadata(project, project.metadata, body)
    return project.operate(
        "global", "setMetadata", f"projects/{project.id}", target_id=project.number
    )


# -- what can only be read


def describe_project(project: Project) -> Body:
    """Return ``projects.get``."""
    return {
        "kind": "compute#project",
        "id": project.number,
        "creationTimestamp": project.created,
        "name": project.id,
        "commonInstanceMetadata": project.metadata,
        "quotas": [
            {"metric": metric, "limit": float(limit), "usage": 0.0}
            for metric, limit in project.quotas.items()
        ],
        "selfLink": f"{URL_BASE}projects/{project.id}",
        "defaultServiceAccount": f"{project.number}-compute@developer.gserviceaccount.com",
        "xpnProjectStatus": "UNSPECIFIED_XPN_PROJECT_STATUS",
        "defaultNetworkTier": "PREMIUM",
    }


def describe_zone(project: Project, zone: str) -> Body:
    """Return ``zones.get``."""
    region = project.world.zones[zone]
    return {
        "kind": "compute#zone",
        "id": str(2000 + list(project.world.zones).index(zone)),
        "creationTimestamp": "1969-12-31T16:00:00.000-08:00",
        "name": zone,
        "description": zone,
        "status": "UP",
        "region": f"{URL_BASE}projects/{project.id}/regions/{region}",
        "selfLink": f"{URL_BASE}projects/{project.id}/zones/{zone}",
        "availableCpuPlatforms": ["Intel Broadwell", "Intel Skylake"],
        "supportsPzs": False,
    }


def describe_region(project: Project, region: str) -> Body:
    """Return ``regions.get``."""
    return {
        "kind": "compute#region",
        "id": str(1000 + list(project.world.regions).index(region)),
        "creationTimestamp": "1969-12-31T16:00:00.000-08:00",
        "name": region,
        "description": region,
        "status": "UP",
        "zones": [
            f"{URL_BASE}projects/{project.id}/zones/{zone}"
            for zone in project.world.regions[region]
        ],
        "selfLink": f"{URL_BASE}projects/{project.id}/regions/{region}",
    }


def describe_machine_type(project: Project, zone: str, name: str) -> Body:
    """Return ``machineTypes.get``.

    Raises:
        ApiError: There is none.
    """
    if name not in MACHINE_TYPES:
        raise not_found(project.path(f"zones/{zone}", "machineTypes", name))
    cpus, memory = MACHINE_TYPES[name]
    return {
        "kind": "compute#machineType",
        "id": str(3000 + list(MACHINE_TYPES).index(name)),
        "creationTimestamp": "1969-12-31T16:00:00.000-08:00",
        "name": name,
        "description": f"{cpus} vCPUs, {memory} MB RAM",
        "guestCpus": cpus,
        "memoryMb": memory,
        "maximumPersistentDisks": 128,
        "maximumPersistentDisksSizeGb": "263168",
        "zone": zone,
        "selfLink": project.url(f"zones/{zone}", "machineTypes", name),
        "isSharedCpu": name in ("e2-micro", "e2-small", "e2-medium"),
        "architecture": "X86_64",
    }


def add_default_network(project: Project) -> None:
    """Give a project the network ``default`` that Google's new projects have."""
    seconds, project.world.operation_seconds = project.world.operation_seconds, 0.0
    try:
        _insert_network(project, "global", {"name": "default", "autoCreateSubnetworks": True}, {})
        for name, allowed, sources in (
            (
                "default-allow-internal",
                [
                    {"IPProtocol": "tcp", "ports": ["0-65535"]},
                    {"IPProtocol": "udp", "ports": ["0-65535"]},
                    {"IPProtocol": "icmp"},
                ],
                ["10.128.0.0/9"],
            ),
            ("default-allow-ssh", [{"IPProtocol": "tcp", "ports": ["22"]}], ["0.0.0.0/0"]),
            ("default-allow-icmp", [{"IPProtocol": "icmp"}], ["0.0.0.0/0"]),
        ):
            _insert_firewall(
                project,
                "global",
                {
                    "name": name,
                    "network": "global/networks/default",
                    "priority": 65534,
                    "allowed": allowed,
                    "sourceRanges": sources,
                },
                {},
            )
    finally:
        project.world.operation_seconds = seconds


_STOPPABLE = ("RUNNING", "STAGING", "PROVISIONING", "SUSPENDED", "TERMINATED", "STOPPING")

COLLECTIONS: dict[str, Collection] = {
    entry.name: entry
    for entry in (
        Collection(
            name="instances",
            kind="compute#instance",
            noun="instance",
            levels=("zones",),
            aggregated=True,
            insert=_insert_instance,
            delete=_delete_instance,
            actions={
                "start": _power(
                    "start", ("TERMINATED",), "PROVISIONING", "RUNNING", "lastStartTimestamp"
                ),
                "stop": _power("stop", _STOPPABLE, "STOPPING", "TERMINATED", "lastStopTimestamp"),
                "suspend": _power(
                    "suspend", ("RUNNING",), "SUSPENDING", "SUSPENDED", "lastSuspendedTimestamp"
                ),
                "resume": _power(
                    "resume", ("SUSPENDED",), "PROVISIONING", "RUNNING", "lastStartTimestamp"
                ),
                "reset": _power("reset", ("RUNNING",), "", "RUNNING", ""),
                "addAccessConfig": _add_access_config,
                "deleteAccessConfig": _delete_access_config,
                "setLabels": _set_labels("instances"),
                "setTags": _set_tags,
                "setMetadata": _set_metadata,
                "setDeletionProtection": _set_deletion_protection,
            },
        ),
        Collection(
            name="disks",
            kind="compute#disk",
            noun="disk",
            levels=("zones",),
            aggregated=True,
            insert=_insert_disk,
            delete=_delete_disk,
            actions={"setLabels": _set_labels("disks")},
        ),
        Collection(
            name="images",
            kind="compute#image",
            noun="image",
            levels=("global",),
            insert=_insert_image,
            delete=_plain_delete("images"),
            actions={"setLabels": _set_labels("images")},
        ),
        Collection(
            name="networks",
            kind="compute#network",
            noun="network",
            levels=("global",),
            insert=_insert_network,
            delete=_delete_network,
        ),
        Collection(
            name="subnetworks",
            kind="compute#subnetwork",
            noun="subnetwork",
            levels=("regions",),
            aggregated=True,
            insert=_insert_subnetwork,
            delete=_delete_subnetwork,
        ),
        Collection(
            name="firewalls",
            kind="compute#firewall",
            noun="firewall",
            levels=("global",),
            insert=_insert_firewall,
            patch=_patch_firewall,
            delete=_plain_delete("firewalls"),
        ),
        Collection(
            name="addresses",
            kind="compute#address",
            noun="address",
            levels=("global", "regions"),
            aggregated=True,
            insert=_insert_address,
            delete=_delete_address,
            actions={"setLabels": _set_labels("addresses")},
        ),
    )
}
"""Every collection that can be written to."""
