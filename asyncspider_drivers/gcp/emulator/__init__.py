"""An emulator of Compute Engine's REST API: for tests, the demo, and work without a network.

It keeps state, takes time, refuses what Google refuses and says so in Google's words:
images, disks, networks, subnetworks, firewalls, addresses, instances, project metadata, zones,
regions, machine types and operations, with paging, ``fields``, ``filter``, fingerprints and
``requestId``; besides, tokens that expire and the list of projects.

    python -m asyncspider_drivers.gcp.emulator --port 0

prints one line of JSON with its address. In-process::

    async with serve(World(projects=["demo"])) as address:
        ...
"""

from __future__ import annotations

from .app import create_app, serve
from .errors import ApiError
from .identity import Identity
from .seed import add_public_images, seed_instances
from .world import ALL_REGIONS, OperationFault, Project, RequestFault, World

__all__ = [
    "ALL_REGIONS",
    "ApiError",
    "Identity",
    "OperationFault",
    "Project",
    "RequestFault",
    "World",
    "add_public_images",
    "create_app",
    "seed_instances",
    "serve",
]
