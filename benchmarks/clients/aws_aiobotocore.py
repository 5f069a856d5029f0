"""aiobotocore as it comes: a client for each region, all at once, with paginators."""

from __future__ import annotations

import asyncio

from aiobotocore.session import get_session

from .measure import Job, Meter


def scan(job: Job, meter: Meter) -> None:
    """List all instances."""
    asyncio.run(_scan(job, meter))


async def _scan(job: Job, meter: Meter) -> None:
    session = get_session()

    async def region(name: str) -> list[str]:
        ids: list[str] = []
        async with session.create_client(
            "ec2",
            region_name=name,
            endpoint_url=job.url,
            aws_access_key_id="bench",
            aws_secret_access_key="bench",
        ) as client:
            paginator = client.get_paginator("describe_instances")
            async for page in paginator.paginate(PaginationConfig={"PageSize": 1000}):
                for reservation in page["Reservations"]:
                    ids += [instance["InstanceId"] for instance in reservation["Instances"]]
                meter.first()
        return ids

    meter.done(sum(map(len, await asyncio.gather(*map(region, job.regions)))))
