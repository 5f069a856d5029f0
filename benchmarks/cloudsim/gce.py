"""Compute Engine's REST API (v1), lists only; ``fields`` masks of any shape are honoured."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from . import masks
from .masks import Mask
from .server import Answer, Request
from .world import (
    PROJECT,
    Machine,
    Shape,
    has_data_disk,
    has_public_ip,
    is_stopped,
    machines,
    spans,
    zones,
)

_API = "https://www.googleapis.com/compute/v1"
_BASE = f"{_API}/projects/{PROJECT}"
_PATH = re.compile(r"(?:/compute/v1)?/projects/(?P<project>[^/]+)(?:/(?P<rest>.*))?$")
_MOST = 500
_FEATURES = ("VIRTIO_SCSI_MULTIQUEUE", "SEV_CAPABLE", "UEFI_COMPATIBLE", "GVNIC", "IDPF")
_SSH_KEYS = "\n".join(
    f"user{n}:ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{n:030d} key-{n}" for n in (1, 2)
)


def _disk(index: int, name: str, size: int, boot: bool) -> dict[str, Any]:
    disk: dict[str, Any] = {
        "kind": "compute#attachedDisk",
        "type": "PERSISTENT",
        "mode": "READ_WRITE",
        "source": f"{_BASE}/zones/%(zone)s/disks/{name}",
        "deviceName": name,
        "index": index,
        "boot": boot,
        "autoDelete": boot,
        "interface": "SCSI",
        "diskSizeGb": str(size),
        "architecture": "X86_64",
    }
    if boot:
        disk["licenses"] = [f"{_API}/projects/debian-cloud/global/licenses/debian-12-bookworm"]
        disk["guestOsFeatures"] = [{"type": feature} for feature in _FEATURES]
    return disk


def _instance(public: bool, data_disk: bool, stopped: bool) -> dict[str, Any]:
    """Return one kind of instance; ``number`` and the like are filled in for each VM."""
    network: dict[str, Any] = {
        "kind": "compute#networkInterface",
        "network": f"{_BASE}/global/networks/main",
        "subnetwork": f"{_BASE}/regions/%(region)s/subnetworks/main",
        "networkIP": "%(ip)s",
        "name": "nic0",
        "fingerprint": "%(h11f)s=",
        "stackType": "IPV4_ONLY",
    }
    if public:
        network["accessConfigs"] = [
            {
                "kind": "compute#accessConfig",
                "type": "ONE_TO_ONE_NAT",
                "name": "External NAT",
                "natIP": "%(public)s",
                "networkTier": "PREMIUM",
            }
        ]
    disks = [_disk(0, "%(name)s", 10, True)]
    if data_disk:
        disks.append(_disk(1, "%(name)s-data", 100, False))
    instance: dict[str, Any] = {
        "kind": "compute#instance",
        "id": "%(number)s",
        "creationTimestamp": "%(day)sT%(clock)s.123-07:00",
        "name": "%(name)s",
        "description": "",
        "tags": {"items": ["%(role)s", "http-server"], "fingerprint": "%(h11t)s="},
        "machineType": f"{_BASE}/zones/%(zone)s/machineTypes/e2-standard-%(fewtypes)s",
        "status": "TERMINATED" if stopped else "RUNNING",
        "zone": f"{_BASE}/zones/%(zone)s",
        "canIpForward": False,
        "networkInterfaces": [network],
        "disks": disks,
        "metadata": {
            "kind": "compute#metadata",
            "fingerprint": "%(h11m)s=",
            "items": [
                {"key": "enable-oslogin", "value": "TRUE"},
                {"key": "startup-script", "value": "#! /bin/bash\napt-get update\nrun %(role)s\n"},
                {"key": "ssh-keys", "value": _SSH_KEYS},
            ],
        },
        "serviceAccounts": [
            {
                "email": "%(role)s@bench-project.iam.gserviceaccount.com",
                "scopes": [
                    f"https://www.googleapis.com/auth/{scope}"
                    for scope in (
                        "devstorage.read_only", "logging.write", "monitoring.write",
                        "service.management.readonly", "servicecontrol", "trace.append",
                    )
                ],
            }
        ],
        "selfLink": f"{_BASE}/zones/%(zone)s/instances/%(name)s",
        "scheduling": {
            "onHostMaintenance": "MIGRATE",
            "automaticRestart": True,
            "preemptible": False,
            "provisioningModel": "STANDARD",
        },
        "cpuPlatform": "Unknown CPU Platform" if stopped else "Intel Broadwell",
        "labels": {
            "team": "%(team)s",
            "env": "production",
            "role": "%(role)s",
            "goog-ops-agent-policy": "v2-x86-template-1-4-0",
        },
        "labelFingerprint": "%(h11l)s=",
        "startRestricted": False,
        "deletionProtection": False,
        "shieldedInstanceConfig": {
            "enableSecureBoot": False,
            "enableVtpm": True,
            "enableIntegrityMonitoring": True,
        },
        "shieldedInstanceIntegrityPolicy": {"updateAutoLearnPolicy": True},
        "fingerprint": "%(h11i)s=",
        "lastStartTimestamp": "%(day)sT%(clock)s.456-07:00",
        "resourceStatus": {"scheduling": {}, "upcomingMaintenance": {"canReschedule": False}},
        "satisfiesPzi": True,
        "reservationAffinity": {"consumeReservationType": "ANY_RESERVATION"},
        "displayDevice": {"enableDisplay": False},
        "keyRevocationActionType": "NONE",
    }  # fmt: skip
    if stopped:
        instance["lastStopTimestamp"] = "%(day)sT23:59:59.999-07:00"
    return instance


def _disk_resource() -> dict[str, Any]:
    return {
        "kind": "compute#disk",
        "id": "%(number)s",
        "creationTimestamp": "%(day)sT%(clock)s.100-07:00",
        "name": "%(name)s",
        "sizeGb": "10",
        "zone": f"{_BASE}/zones/%(zone)s",
        "status": "READY",
        "selfLink": f"{_BASE}/zones/%(zone)s/disks/%(name)s",
        "sourceImage": f"{_API}/projects/debian-cloud/global/images/debian-12-bookworm-v20260101",
        "sourceImageId": "5555555555555555555",
        "type": f"{_BASE}/zones/%(zone)s/diskTypes/pd-balanced",
        "licenses": [f"{_API}/projects/debian-cloud/global/licenses/debian-12-bookworm"],
        "guestOsFeatures": [{"type": feature} for feature in _FEATURES],
        "lastAttachTimestamp": "%(day)sT%(clock)s.200-07:00",
        "users": [f"{_BASE}/zones/%(zone)s/instances/%(name)s"],
        "labelFingerprint": "42WmSpB8rSM=",
        "licenseCodes": ["2147286739765738111"],
        "physicalBlockSizeBytes": "4096",
        "architecture": "X86_64",
        "satisfiesPzi": True,
    }


Kind = tuple[bool, bool, bool]


def _kind(index: int) -> Kind:
    return has_public_ip(index), has_data_disk(index), is_stopped(index)


_TEMPLATES: dict[str, dict[Kind, dict[str, Any]]] = {
    "instances": {_kind(index): _instance(*_kind(index)) for index in range(60)},
    "disks": {_kind(index): _disk_resource() for index in range(60)},
}


class ComputeEngine:
    """Answers Compute Engine requests."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._zones = [
            (r, name, zone) for r, name in enumerate(shape.names) for zone in zones(name)
        ]
        self._machines: dict[str, list[Machine]] = {}
        self._items: dict[tuple[str, str, str, bool], list[bytes]] = {}
        self._small: dict[str, dict[str, list[dict[str, Any]]]] = {}
        dead = [zone for _, name, zone in self._zones if {name, zone} & shape.dead]
        self._dead = frozenset(dead)

    def prepare(self) -> None:
        """Make what every scan asks for; other masks are made when they are first asked for."""
        for _, _, zone in self._zones:
            self._rendered("instances", zone, "", {}, True)

    def answer(self, request: Request) -> Answer:
        """Answer one request."""
        found = _PATH.match(request.path)
        if found is None or found["project"] != PROJECT:
            return _error("compute.unknown", 404, "notFound", f"no {request.path}")
        asked = request.parameters()
        mask = masks.parse(asked["fields"]) if asked.get("fields") else {}
        pretty = asked.get("prettyPrint", "true") != "false"
        rest = found["rest"] or ""
        match rest.split("/"):
            case [""]:
                return self._project(mask, pretty)
            case ["aggregated", collection]:
                return self._aggregated(collection, mask, asked, pretty)
            case ["zones", zone, ("instances" | "disks") as collection]:
                return self._zonal(collection, zone, mask, asked, pretty)
            case ["global", collection]:
                return self._plain(collection, "global", mask, asked, pretty)
            case ["regions", region, collection]:
                return self._plain(collection, f"regions/{region}", mask, asked, pretty)
            case ["zones", zone, collection]:
                return self._plain(collection, f"zones/{zone}", mask, asked, pretty)
            case [("zones" | "regions") as collection]:
                return self._plain(collection, "global", mask, asked, pretty)
            case _:
                return _error("compute.unknown", 404, "notFound", f"no {request.path}")

    # -- machines and their disks: rendered from templates

    def _vms(self, region: int) -> None:
        name = self._shape.names[region]
        for zone in zones(name):
            self._machines[zone] = []
        for machine in machines(self._shape, region):
            self._machines[str(machine["zone"])].append(machine)

    def _rendered(
        self, collection: str, zone: str, text: str, mask: Mask | None, pretty: bool
    ) -> list[bytes]:
        """Return the items of a zone through a mask; `text` is the mask for the cache."""
        key = collection, zone, text, pretty
        if key not in self._items:
            if zone not in self._machines:
                self._vms(next(r for r, _, name in self._zones if name == zone))
            templates = {
                kind: _dumps(masks.apply(mask, document), pretty)
                for kind, document in _TEMPLATES[collection].items()
            }
            self._items[key] = [
                (templates[_kind(vm.index)] % vm).encode() for vm in self._machines[zone]
            ]
        return self._items[key]

    def _zonal(
        self, collection: str, zone: str, mask: Mask, asked: dict[str, str], pretty: bool
    ) -> Answer:
        operation = f"{collection}.list"
        region = next((name for _, name, known in self._zones if known == zone), None)
        if region is None:
            return _error(operation, 404, "notFound", f"no zone {zone}")
        inner = masks.below(mask, "items")
        items = self._rendered(collection, zone, repr(inner), inner, pretty)
        if inner is None:
            items = []
        total = len(items) * self._shape.repeat
        start, count, token = self._page(total, asked)
        envelope = {
            "kind": f"compute#{collection[:-1]}List",
            "id": f"projects/{PROJECT}/zones/{zone}/{collection}",
            "selfLink": f"{_BASE}/zones/{zone}/{collection}",
        } | ({"nextPageToken": token} if token else {})
        head, tail = _open(masks.apply(mask, envelope), "items", "[", "]", pretty)
        parts = [item for part in spans(start, count, len(items)) for item in items[part]]
        scope = zone if zone in self._dead else region
        return Answer(operation, scope, (head, (b",\n" if pretty else b",").join(parts), tail))

    def _aggregated(
        self, collection: str, mask: Mask, asked: dict[str, str], pretty: bool
    ) -> Answer:
        operation = f"{collection}.aggregatedList"
        envelope: dict[str, Any] = {
            "kind": f"compute#{collection[:-1]}AggregatedList",
            "id": f"projects/{PROJECT}/aggregated/{collection}",
            "selfLink": f"{_BASE}/aggregated/{collection}",
        }
        if collection not in _TEMPLATES:
            by_scope = self._documents(collection)
            total = sum(map(len, by_scope.values()))
            start, count, token = self._page(total, asked)
            chosen: dict[str, Any] = {}
            for scope, documents in by_scope.items():
                mine = documents[max(0, start) : max(0, start + count)]
                start -= len(documents)
                chosen[scope] = {collection: mine} if mine else _nothing(scope)
            document = envelope | {"items": chosen}
            if token:
                document["nextPageToken"] = token
            return Answer(operation, "", (_dumps(masks.apply(mask, document), pretty).encode(),))
        living = [zone for _, _, zone in self._zones if zone not in self._dead]
        sizes = {zone: self._size(zone) * self._shape.repeat for zone in living}
        start, count, token = self._page(sum(sizes.values()), asked)
        if token:
            envelope["nextPageToken"] = token
        if self._dead:
            envelope["unreachables"] = [f"zones/{zone}" for zone in sorted(self._dead)]
        head, tail = _open(masks.apply(mask, envelope), "items", "{", "}", pretty)
        separator = b",\n" if pretty else b","
        parts: list[bytes] = []
        for _, _, zone in self._zones:
            inner = masks.below(mask, "items", f"zones/{zone}", collection)
            size = sizes.get(zone, 0)
            here = min(count, size - start) if start < size else 0
            if here > 0 and inner is not None:
                items = self._rendered(collection, zone, repr(inner), inner, pretty)
                listed = separator.join(
                    item for part in spans(start, here, len(items)) for item in items[part]
                )
                parts.append(f'"zones/{zone}":{{"{collection}":['.encode() + listed + b"]}")
            else:
                nothing = masks.apply(
                    masks.below(mask, "items", f"zones/{zone}"), _nothing(f"zones/{zone}")
                )
                if nothing is not None:
                    parts.append(f'"zones/{zone}":{_dumps(nothing, pretty)}'.encode())
            count -= here
            start = max(0, start - size)
        return Answer(operation, "", (head, separator.join(parts), tail))

    def _size(self, zone: str) -> int:
        return len(range("abc".index(zone[-1]), self._shape.vms, 3))

    def _page(self, total: int, asked: dict[str, str]) -> tuple[int, int, str]:
        start = int(asked["pageToken"].removeprefix("page-")) if asked.get("pageToken") else 0
        count = min(self._shape.page(asked.get("maxResults"), _MOST), total - start)
        return start, count, f"page-{start + count}" if start + count < total else ""

    # -- everything else: few of each

    def _project(self, mask: Mask, pretty: bool) -> Answer:
        document = {
            "kind": "compute#project",
            "id": "1111111111111111111",
            "creationTimestamp": "2026-01-01T00:00:00.000-07:00",
            "name": PROJECT,
            "commonInstanceMetadata": {
                "kind": "compute#metadata",
                "fingerprint": "abcdefghijk=",
                "items": [{"key": "ssh-keys", "value": _SSH_KEYS}],
            },
            "selfLink": _BASE,
            "defaultServiceAccount": "1111-compute@developer.gserviceaccount.com",
            "xpnProjectStatus": "UNSPECIFIED_XPN_PROJECT_STATUS",
            "defaultNetworkTier": "PREMIUM",
        }
        body = _dumps(masks.apply(mask, document), pretty)
        return Answer("projects.get", "", (body.encode(),))

    def _plain(
        self, collection: str, scope: str, mask: Mask, asked: dict[str, str], pretty: bool
    ) -> Answer:
        documents = self._documents(collection).get(scope, [])
        start, count, token = self._page(len(documents), asked)
        where = "" if collection in ("zones", "regions") else f"{scope}/"
        document: dict[str, Any] = {
            "kind": f"compute#{collection[:-1]}List",
            "id": f"projects/{PROJECT}/{where}{collection}",
            "items": documents[start : start + count],
            "selfLink": f"{_BASE}/{where}{collection}",
        }
        if token:
            document["nextPageToken"] = token
        name = f"{collection}.list"
        scope = scope.partition("/")[2]
        return Answer(name, scope, (_dumps(masks.apply(mask, document), pretty).encode(),))

    def _documents(self, collection: str) -> dict[str, list[dict[str, Any]]]:
        """Return the documents of a small collection by scope."""
        if collection not in self._small:
            made: dict[str, list[dict[str, Any]]] = defaultdict(list)
            make = _SMALL.get(collection)
            if make is not None:
                make(self, made)
            self._small[collection] = made
        return self._small[collection]

    def _addresses(self, made: dict[str, list[dict[str, Any]]]) -> None:
        for region, name in enumerate(self._shape.names):
            for vm in machines(self._shape, region):
                if vm.index % 20 == 0:
                    made[f"regions/{name}"].append(_filled(_ADDRESS, vm))

    def _subnetworks(self, made: dict[str, list[dict[str, Any]]]) -> None:
        for region, name in enumerate(self._shape.names):
            for network in _NETWORKS:
                made[f"regions/{name}"].append(
                    _named("subnetwork", network, f"regions/{name}/subnetworks")
                    | {
                        "network": f"{_BASE}/global/networks/{network}",
                        "ipCidrRange": f"10.{region % 256}.0.0/16",
                        "gatewayAddress": f"10.{region % 256}.0.1",
                        "region": f"{_BASE}/regions/{name}",
                        "privateIpGoogleAccess": True,
                        "fingerprint": "abcdefghijk=",
                        "purpose": "PRIVATE",
                        "stackType": "IPV4_ONLY",
                    }
                )

    def _networks(self, made: dict[str, list[dict[str, Any]]]) -> None:
        made["global"] = [
            _named("network", name, "global/networks")
            | {
                "autoCreateSubnetworks": False,
                "subnetworks": [
                    f"{_BASE}/regions/{region}/subnetworks/{name}" for region in self._shape.names
                ],
                "routingConfig": {"routingMode": "REGIONAL"},
                "networkFirewallPolicyEnforcementOrder": "AFTER_CLASSIC_FIREWALL",
            }
            for name in _NETWORKS
        ]

    def _firewalls(self, made: dict[str, list[dict[str, Any]]]) -> None:
        for network in _NETWORKS:
            for role in ("web", "api", "db", "cache", "worker", "build", "proxy", "http-server"):
                for port in (22, 443):
                    made["global"].append(
                        _named("firewall", f"{network}-{role}-{port}", "global/firewalls")
                        | {
                            "network": f"{_BASE}/global/networks/{network}",
                            "priority": 1000,
                            "sourceRanges": ["10.0.0.0/8"],
                            "targetTags": [role],
                            "allowed": [{"IPProtocol": "tcp", "ports": [str(port)]}],
                            "direction": "INGRESS",
                            "logConfig": {"enable": False},
                            "disabled": False,
                        }
                    )

    def _images(self, made: dict[str, list[dict[str, Any]]]) -> None:
        made["global"] = [
            _named("image", f"golden-{n}", "global/images")
            | {
                "sourceType": "RAW",
                "rawDisk": {"source": "", "containerType": "TAR"},
                "status": "READY",
                "archiveSizeBytes": "1234567890",
                "diskSizeGb": "10",
                "family": "golden",
                "architecture": "X86_64",
                "guestOsFeatures": [{"type": feature} for feature in _FEATURES],
                "storageLocations": ["us"],
            }
            for n in range(50)
        ]

    def _region_list(self, made: dict[str, list[dict[str, Any]]]) -> None:
        made["global"] = [
            _named("region", name, "regions")
            | {"status": "UP", "zones": [f"{_BASE}/zones/{zone}" for zone in zones(name)]}
            for name in self._shape.names
        ]

    def _zone_list(self, made: dict[str, list[dict[str, Any]]]) -> None:
        made["global"] = [
            _named("zone", zone, "zones") | {"status": "UP", "region": f"{_BASE}/regions/{name}"}
            for _, name, zone in self._zones
        ]

    def _machine_types(self, made: dict[str, list[dict[str, Any]]]) -> None:
        for _, _, zone in self._zones:
            made[f"zones/{zone}"] = [
                _named("machineType", f"e2-standard-{n}", f"zones/{zone}/machineTypes")
                | {"guestCpus": 2, "memoryMb": 8192, "zone": zone, "isSharedCpu": False}
                for n in range(5)
            ]


_NETWORKS = ("main", "default", "staging", "lab")
_ADDRESS = {
    "kind": "compute#address",
    "id": "%(number)s",
    "creationTimestamp": "%(day)sT%(clock)s.000-07:00",
    "name": "ip-%(name)s",
    "description": "",
    "address": "%(public)s",
    "status": "IN_USE",
    "region": f"{_BASE}/regions/%(region)s",
    "selfLink": f"{_BASE}/regions/%(region)s/addresses/ip-%(name)s",
    "users": [f"{_BASE}/zones/%(zone)s/instances/%(name)s"],
    "networkTier": "PREMIUM",
    "addressType": "EXTERNAL",
}
_SMALL: dict[str, Callable[[ComputeEngine, dict[str, list[dict[str, Any]]]], None]] = {
    "addresses": ComputeEngine._addresses,
    "subnetworks": ComputeEngine._subnetworks,
    "networks": ComputeEngine._networks,
    "firewalls": ComputeEngine._firewalls,
    "images": ComputeEngine._images,
    "regions": ComputeEngine._region_list,
    "zones": ComputeEngine._zone_list,
    "machineTypes": ComputeEngine._machine_types,
}


def _filled(template: dict[str, Any], vm: Machine) -> dict[str, Any]:
    return json.loads(json.dumps(template) % vm)


def _named(kind: str, name: str, parent: str) -> dict[str, Any]:
    return {
        "kind": f"compute#{kind}",
        "id": str(4_000_000_000_000_000_000 + sum(map(ord, parent + name))),
        "creationTimestamp": "2026-01-01T00:00:00.000-07:00",
        "name": name,
        "description": "",
        "selfLink": f"{_BASE}/{parent}/{name}",
    }


def _nothing(scope: str) -> dict[str, Any]:
    return {
        "warning": {
            "code": "NO_RESULTS_ON_PAGE",
            "message": f"There are no results for scope '{scope}' on this page.",
            "data": [{"key": "scope", "value": scope}],
        }
    }


def _dumps(document: Any, pretty: bool) -> str:
    if pretty:
        return json.dumps(document, indent=2)
    return json.dumps(document, separators=(",", ":"))


def _open(
    envelope: dict[str, Any], name: str, opening: str, closing: str, pretty: bool
) -> tuple[bytes, bytes]:
    """Return the envelope's text before and after the value of one more field."""
    marker = "@here@"
    text = _dumps(envelope | {name: marker}, pretty)
    before, _, after = text.partition(f'"{marker}"')
    return (before + opening).encode(), (closing + after).encode()


def _error(operation: str, status: int, reason: str, message: str) -> Answer:
    item = {"message": message, "domain": "global", "reason": reason}
    document = {"error": {"code": status, "message": message, "errors": [item]}}
    return Answer(operation, "", (json.dumps(document).encode(),), status)
