"""Run the emulator: ``python -m asyncspider_drivers.gcp.emulator --port 0``."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from contextlib import suppress

import msgspec

from . import World, add_public_images, seed_instances, serve


def _arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m asyncspider_drivers.gcp.emulator",
        description="Serves an emulated Compute Engine on 127.0.0.1 until it is stopped.",
    )
    parser.add_argument("--port", type=int, default=0, help="port, 0 = any that is free")
    parser.add_argument(
        "--project", action="append", help="id of a project that exists (default: demo)"
    )
    parser.add_argument(
        "--instances", type=int, default=0, help="machines in each project from the start"
    )
    parser.add_argument(
        "--zones", default="", help="zones that have them, comma-separated (default: all)"
    )
    parser.add_argument(
        "--operation-seconds", type=float, default=0.5, help="how long an operation takes"
    )
    parser.add_argument(
        "--latency", type=float, default=0.0, help="seconds before a request is answered"
    )
    return parser.parse_args(argv)


async def _run(options: argparse.Namespace) -> None:
    projects = options.project or ["demo"]
    world = World(projects=(), operation_seconds=options.operation_seconds, latency=options.latency)
    add_public_images(world)
    zones = [zone for zone in options.zones.split(",") if zone]
    for zone in zones:
        if zone not in world.zones:
            raise SystemExit(f"no zone {zone!r}")
    for name in projects:
        project = world.add_project(name, default_network=True)
        seed_instances(project, options.instances, zones or None)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(number, stop.set)
    async with serve(world, port=options.port) as address:
        line = msgspec.json.encode({"address": address, "projects": projects}).decode()
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(_run(_arguments()))
