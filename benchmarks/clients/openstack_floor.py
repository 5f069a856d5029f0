"""The same requests with bare aiohttp and an untyped decode; no records are built.

Ports and floating addresses are asked for too, with the fields that asyncspider asks for, as it
joins them to the servers; rivals don't.
"""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import aiohttp
import msgspec

from asyncspider_drivers.openstack import wire

from .measure import Job, Meter

_PORTS = wire.fields_of(wire.Port)
_ADDRESSES = wire.fields_of(wire.FloatingIP)


def scan(job: Job, meter: Meter) -> None:
    """List all servers."""
    gc.disable()
    asyncio.run(_scan(job, meter))


async def _scan(job: Job, meter: Meter) -> None:
    headers = {"OpenStack-API-Version": "compute 2.46", "X-Auth-Token": "x"}
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), read_bufsize=2**20
    ) as session:

        async def get(url: str) -> dict[str, Any]:
            async with session.get(url, headers=headers) as response:
                return msgspec.json.decode(await response.read())

        async def chain(url: str | None, name: str, servers: bool = False) -> int:
            count = 0
            while url is not None:
                answer = await get(url)
                count += len(answer[name])
                if servers:
                    meter.first()
                links = answer.get(f"{name}_links")
                del answer
                url = links[0]["href"] if links else None
            return count

        async def region(name: str) -> int:
            nova, neutron = f"{job.url}/{name}/compute", f"{job.url}/{name}/network"
            await asyncio.gather(get(f"{nova}/v2.1"), get(f"{neutron}/"))
            count, _, _ = await asyncio.gather(
                chain(f"{nova}/v2.1/servers/detail?limit=1000", "servers", servers=True),
                chain(f"{neutron}/v2.0/ports?{_PORTS}&limit=1000", "ports"),
                chain(f"{neutron}/v2.0/floatingips?{_ADDRESSES}&limit=1000", "floatingips"),
            )
            return count

        meter.done(sum(await asyncio.gather(*map(region, job.regions))))
