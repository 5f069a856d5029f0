"""boto3: a client for each region in a pool of threads, with paginators."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config

from . import THREADS
from .measure import Job, Meter


def scan(job: Job, meter: Meter) -> None:
    """List all instances."""
    session = boto3.Session(aws_access_key_id="bench", aws_secret_access_key="bench")
    # Making clients is not safe in threads (boto3 guide, "Multithreading"), using them is.
    clients = [
        session.client(
            "ec2", region_name=region, endpoint_url=job.url, config=Config(max_pool_connections=10)
        )
        for region in job.regions
    ]

    def region(client: object) -> list[str]:
        ids: list[str] = []
        paginator = client.get_paginator("describe_instances")  # type: ignore[attr-defined]
        for page in paginator.paginate(PaginationConfig={"PageSize": 1000}):
            for reservation in page["Reservations"]:
                ids += [instance["InstanceId"] for instance in reservation["Instances"]]
            meter.first()
        return ids

    with ThreadPoolExecutor(THREADS) as pool:
        meter.done(sum(len(ids) for ids in pool.map(region, clients)))
