"""One small client for each rival, each at its best, and one for us.

A client lists all VMs of all regions and keeps what the least demanding user needs: the ids.
``python -m benchmarks.clients NAME`` runs one in a process of its own, reads its job from standard
input and prints one JSON line. Each module has ``scan(job, meter)`` and imports what it needs at
its top, so that imports are told apart from the scan.
"""

from __future__ import annotations

CLIENTS: dict[str, tuple[str, ...]] = {
    "aws": ("ours", "boto3", "aiobotocore", "libcloud", "floor"),
    "gcp": ("ours", "google", "libcloud", "floor"),
    "openstack": ("ours", "openstacksdk", "libcloud", "floor"),
}
"""The clients of each cloud; the module is ``<cloud>_<client>``."""

PRODUCTS = {
    "ours": "asyncspider",
    "boto3": "boto3, 50 threads",
    "aiobotocore": "aiobotocore",
    "libcloud": "Apache Libcloud, 50 threads",
    "google": "google-cloud-compute, 50 threads",
    "openstacksdk": "openstacksdk, 50 threads",
    "floor": "floor: bare requests, no records",
}
"""What each client shows, in words."""

THREADS = 50
"""Threads of a client that needs some."""
