"""The same requests with bare aiohttp, no token, and an untyped decode; no records are built."""

from __future__ import annotations

import asyncio
import gc

import aiohttp
import msgspec

from .measure import Job, Meter


def scan(job: Job, meter: Meter) -> None:
    """List all servers."""
    gc.disable()
    asyncio.run(_scan(job, meter))


async def _scan(job: Job, meter: Meter) -> None:
    headers = {"OpenStack-API-Version": "compute 2.96", "X-Auth-Token": "x"}
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), read_bufsize=2**20
    ) as session:

        async def region(name: str) -> int:
            count = 0
            url: str | None = f"{job.url}/{name}/compute/v2.1/servers/detail?limit=1000"
            while url is not None:
                async with session.get(url, headers=headers) as response:
                    answer = msgspec.json.decode(await response.read())
                count += len(answer["servers"])
                meter.first()
                links = answer.get("servers_links")
                url = links[0]["href"] if links else None
                del answer
            return count

        meter.done(sum(await asyncio.gather(*map(region, job.regions))))
