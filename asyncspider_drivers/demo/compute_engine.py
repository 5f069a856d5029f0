"""The emulated Compute Engine as a child: ``python -m asyncspider_drivers.demo.compute_engine``."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future

from asyncspider_drivers.gcp.emulator import World, add_public_images, serve

from .servers import serve_until_orphaned

PROJECT = "demo"
ZONES = {
    "europe-west1": ["europe-west1-b", "europe-west1-c"],
    "us-central1": ["us-central1-a", "us-central1-b"],
    "asia-east1": ["asia-east1-a"],
}


def main() -> None:
    """Serve on a free port of 127.0.0.1 until standard input ends."""
    world = World(projects=(), regions=ZONES, operation_seconds=0.1)
    add_public_images(world)
    world.add_project(PROJECT)
    ready: Future[str] = Future()

    async def run() -> None:
        async with serve(world) as url:
            ready.set_result(url)
            await asyncio.Event().wait()

    threading.Thread(target=lambda: asyncio.run(run()), daemon=True).start()
    serve_until_orphaned(ready.result(30))


if __name__ == "__main__":
    main()
