from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from asyncspider_drivers.gcp.emulator import World, add_public_images, serve

from .official import Official

ZONES = {
    "europe-west1": ["europe-west1-b", "europe-west1-c"],
    "us-central1": ["us-central1-a", "us-central1-b"],
    "us-east1": ["us-east1-b"],
}


@pytest.fixture
def world() -> World:
    """A small cloud with one project, ``demo``, that has the network ``default``."""
    world = World(projects=(), regions=ZONES, operation_seconds=0.02)
    add_public_images(world)
    world.add_project("demo", default_network=True)
    return world


@pytest.fixture
async def address(world: World) -> AsyncIterator[str]:
    async with serve(world) as address:
        yield address


@pytest.fixture
def official(address: str) -> Iterator[Official]:
    official = Official(address)
    yield official
    official.close()
