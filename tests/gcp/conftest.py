from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import pytest

from asyncspider_drivers.gcp.emulator import Identity, World, add_public_images, serve

from .official import Official

# No test asks for the metadata server of this machine; google-auth reads this when it is imported.
os.environ["NO_GCE_CHECK"] = "true"

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


@contextmanager
def served(world: World, identity: Identity | None = None) -> Iterator[str]:
    """Serve a world from a thread with a loop of its own: tests count the tasks of theirs."""
    ready: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, str]] = Future()

    async def main() -> None:
        stop = asyncio.Event()
        try:
            async with serve(world, identity=identity) as address:
                ready.set_result((asyncio.get_running_loop(), stop, address))
                await stop.wait()
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)
            raise

    thread = threading.Thread(target=lambda: asyncio.run(main()), name="emulator")
    thread.start()
    loop, stop, address = ready.result(30)
    try:
        yield address
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture
def identity(world: World) -> Identity:
    """What hands out the tokens of that cloud."""
    return Identity(world)


@pytest.fixture
def address(world: World, identity: Identity) -> Iterator[str]:
    with served(world, identity) as address:
        yield address


@pytest.fixture
def official(address: str) -> Iterator[Official]:
    official = Official(address)
    yield official
    official.close()
