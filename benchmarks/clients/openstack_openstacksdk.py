"""openstacksdk in threads: one connection for each region, its own paging."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import openstack

from . import THREADS
from .measure import Job, Meter


def scan(job: Job, meter: Meter) -> None:
    """List all servers."""

    def region(name: str) -> list[str]:
        connection = openstack.connect(
            auth_url=f"{job.url}/identity/v3",
            username="bench",
            password="bench",
            project_name="bench",
            user_domain_name="Default",
            project_domain_name="Default",
            region_name=name,
            load_yaml_config=False,
            load_envvars=False,
        )
        ids: list[str] = []
        for server in connection.compute.servers(details=True, limit=1000):
            if not ids:
                meter.first()
            ids.append(server.id)
        return ids

    with ThreadPoolExecutor(THREADS) as pool:
        meter.done(sum(len(ids) for ids in pool.map(region, job.regions)))
