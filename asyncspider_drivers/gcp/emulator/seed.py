"""Worlds that are full from the start, cheaply."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address
from typing import Any

from .resources import MACHINE_TYPES
from .world import URL_BASE, Project, World

_STATES = ("RUNNING",) * 8 + ("TERMINATED", "SUSPENDED")
_CREATED = "2026-03-14T01:59:26.535-07:00"
_SHARED: dict[str, Any] = {
    "kind": "compute#instance",
    "creationTimestamp": _CREATED,
    "canIpForward": False,
    "cpuPlatform": "Intel Broadwell",
    "labelFingerprint": "42WmSpB8rSM=",
    "startRestricted": False,
    "deletionProtection": False,
    "scheduling": {
        "onHostMaintenance": "MIGRATE",
        "automaticRestart": True,
        "preemptible": False,
        "provisioningModel": "STANDARD",
    },
    "shieldedInstanceConfig": {
        "enableSecureBoot": False,
        "enableVtpm": True,
        "enableIntegrityMonitoring": True,
    },
    "shieldedInstanceIntegrityPolicy": {"updateAutoLearnPolicy": True},
}
_FEATURES = [
    {"type": name} for name in ("UEFI_COMPATIBLE", "VIRTIO_SCSI_MULTIQUEUE", "GVNIC", "SEV_CAPABLE")
]


class SeededInstance:
    """One of many machines: made in full only when somebody asks for it."""

    __slots__ = ("index", "name", "project", "zone")

    def __init__(self, project: Project, zone: str, index: int) -> None:
        self.project = project
        self.zone = zone
        self.index = index
        self.name = f"vm-{index:06d}"

    def build(self) -> dict[str, Any]:
        """Return the machine as Google would send it, about 3 kB of JSON."""
        index, name = self.index, self.name
        base = f"{URL_BASE}projects/{self.project.id}/"
        zone_url = f"{base}zones/{self.zone}"
        region = self.project.world.zones[self.zone]
        status = _STATES[index % len(_STATES)]
        machine_type = list(MACHINE_TYPES)[index % len(MACHINE_TYPES)]
        nic: dict[str, Any] = {
            "kind": "compute#networkInterface",
            "name": "nic0",
            "network": f"{base}global/networks/default",
            "subnetwork": f"{base}regions/{region}/subnetworks/default",
            "networkIP": str(IPv4Address(0x0A800002 + index)),
            "stackType": "IPV4_ONLY",
            "fingerprint": "aGVsbG8gd29ybGQ=",
        }
        if status == "RUNNING" and index % 2 == 0:
            nic["accessConfigs"] = [
                {
                    "kind": "compute#accessConfig",
                    "type": "ONE_TO_ONE_NAT",
                    "name": "External NAT",
                    "natIP": str(IPv4Address(0x23000001 + index)),
                    "networkTier": "PREMIUM",
                }
            ]
        return {
            **_SHARED,
            "id": str(5_000_000_000_000_000_000 + index),
            "name": name,
            "selfLink": f"{zone_url}/instances/{name}",
            "zone": zone_url,
            "status": status,
            "machineType": f"{zone_url}/machineTypes/{machine_type}",
            "lastStartTimestamp": _CREATED,
            "fingerprint": "kvA7SxYjfzM=",
            "tags": {"items": ["web", f"tier-{index % 3}"], "fingerprint": "6smc4R4d39I="},
            "labels": {"owner": f"team-{index % 17}", "env": "prod" if index % 4 else "test"},
            "metadata": {
                "kind": "compute#metadata",
                "fingerprint": "4uQWKpe7L7M=",
                "items": [{"key": "enable-oslogin", "value": "TRUE"}],
            },
            "networkInterfaces": [nic],
            "serviceAccounts": [
                {
                    "email": f"{self.project.number}-compute@developer.gserviceaccount.com",
                    "scopes": ["https://www.googleapis.com/auth/cloud-platform"],
                }
            ],
            "disks": [
                {
                    "kind": "compute#attachedDisk",
                    "type": "PERSISTENT",
                    "mode": "READ_WRITE",
                    "source": f"{zone_url}/disks/{name}",
                    "deviceName": "persistent-disk-0",
                    "index": 0,
                    "boot": True,
                    "autoDelete": True,
                    "interface": "SCSI",
                    "diskSizeGb": "10",
                    "architecture": "X86_64",
                    "licenses": [
                        f"{URL_BASE}projects/debian-cloud/global/licenses/debian-12-bookworm"
                    ],
                    "guestOsFeatures": _FEATURES,
                }
            ],
        }


def seed_instances(
    project: Project, count: int, zones: Sequence[str] | None = None, *, first: int = 0
) -> None:
    """Add `count` machines, spread evenly over `zones` (None = all of the world's).

    They have the network ``default``; their disks are not listed as disks.
    """
    places = list(zones or project.world.zones)
    for number in range(count):
        zone = places[number * len(places) // count]
        machine = SeededInstance(project, zone, first + number)
        project.store("instances", f"zones/{zone}").put(machine.name, machine)


_PUBLIC_IMAGES = {
    "debian-cloud": (
        ("debian-11-bullseye-v20260910", "debian-11", "X86_64", "debian-11-bullseye"),
        ("debian-12-bookworm-v20260815", "debian-12", "X86_64", "debian-12-bookworm"),
        ("debian-12-bookworm-v20260910", "debian-12", "X86_64", "debian-12-bookworm"),
        ("debian-12-bookworm-arm64-v20260910", "debian-12-arm64", "ARM64", "debian-12-bookworm"),
    ),
    "ubuntu-os-cloud": (
        ("ubuntu-2404-noble-amd64-v20260905", "ubuntu-2404-lts-amd64", "X86_64", "ubuntu-2404-lts"),
    ),
    "windows-cloud": (
        ("windows-server-2025-dc-v20260911", "windows-2025", "X86_64", "windows-server-2025-dc"),
    ),
}


def add_public_images(world: World) -> None:
    """Add the projects that publish images, as ``debian-cloud``."""
    for owner, images in _PUBLIC_IMAGES.items():
        project = world.add_project(owner)
        project.public = True
        for position, (name, family, architecture, licence) in enumerate(images):
            store = project.store("images", "global")
            store.put(
                name,
                {
                    "kind": "compute#image",
                    "id": world.next_id(),
                    "creationTimestamp": f"2026-09-{10 + position:02d}T08:11:33.214-07:00",
                    "name": name,
                    "family": family,
                    "description": f"{name}, {architecture}",
                    "selfLink": project.url("global", "images", name),
                    "sourceType": "RAW",
                    "status": "READY",
                    "archiveSizeBytes": "1053123456",
                    "diskSizeGb": "50" if owner == "windows-cloud" else "10",
                    "architecture": architecture,
                    "licenses": [f"{URL_BASE}projects/{owner}/global/licenses/{licence}"],
                    "guestOsFeatures": [
                        *_FEATURES,
                        *([{"type": "WINDOWS"}] if owner == "windows-cloud" else []),
                    ],
                    "labelFingerprint": "42WmSpB8rSM=",
                    "storageLocations": ["us", "eu", "asia"],
                    "enableConfidentialCompute": False,
                    **(
                        {
                            "deprecated": {
                                "state": "DEPRECATED",
                                "replacement": project.url(
                                    "global", "images", "debian-12-bookworm-v20260910"
                                ),
                            }
                        }
                        if name == "debian-12-bookworm-v20260815"
                        else {}
                    ),
                },
            )
