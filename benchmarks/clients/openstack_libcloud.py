"""Libcloud's OpenStack driver in threads: one for each region, its own paging."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from libcloud.compute.drivers.openstack import OpenStack_2_NodeDriver

from . import THREADS
from .measure import Job, Meter


def scan(job: Job, meter: Meter) -> None:
    """List all servers."""

    def region(name: str) -> list[str | None]:
        driver = OpenStack_2_NodeDriver(
            "bench",
            "bench",
            ex_force_auth_url=f"{job.url}/identity",
            ex_force_auth_version="3.x_password",
            ex_tenant_name="bench",
            ex_domain_name="Default",
            ex_force_service_region=name,
            ex_force_base_url=f"{job.url}/{name}/compute/v2.1",
        )
        nodes = driver.list_nodes()
        meter.first()
        return [node.id for node in nodes]

    with ThreadPoolExecutor(THREADS) as pool:
        meter.done(sum(len(ids) for ids in pool.map(region, job.regions)))
