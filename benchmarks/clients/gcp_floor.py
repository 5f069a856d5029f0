"""The same requests with bare aiohttp and an untyped decode; no records are built.

The fields asked for are those that asyncspider asks for: fewer bytes are part of its design, and
the floor is what these bytes cost at least.
"""

from __future__ import annotations

import asyncio
import gc
from urllib.parse import urlencode

import aiohttp
import msgspec

from asyncspider_drivers.gcp import wire

from .measure import Job, Meter

_FIELDS = {"fields": wire.fields_of(wire.Listed[wire.Instance])}
_FIRST = {"fields": wire.fields_of(wire.Aggregated[wire.ScopedInstances[wire.Instance]])}
_ZONES = {"fields": wire.fields_of(wire.Listed[wire.Place])}
_COMMON = {"prettyPrint": "false"}


def scan(job: Job, meter: Meter) -> None:
    """List all instances."""
    gc.disable()
    asyncio.run(_scan(job, meter))


async def _scan(job: Job, meter: Meter) -> None:
    base = f"{job.url}/compute/v1/projects/{job.project}"
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), read_bufsize=2**20
    ) as session:

        async def get(path: str, **params: str) -> dict[str, list[object]]:
            async with session.get(f"{base}/{path}?{urlencode(_COMMON | params)}") as response:
                return msgspec.json.decode(await response.read())

        async def zone(name: str) -> int:
            count, token = 0, None
            while True:
                more = {"pageToken": token} if token else {}
                answer = await get(f"zones/{name}/instances", **_FIELDS, **more)
                count += len(answer.get("items", []))
                meter.first()
                token = str(answer.get("nextPageToken", ""))
                del answer
                if not token:
                    return count

        await get("aggregated/instances", returnPartialSuccess="true", **_FIRST)
        await get("zones", **_ZONES)
        meter.done(sum(await asyncio.gather(*map(zone, job.zones))))
