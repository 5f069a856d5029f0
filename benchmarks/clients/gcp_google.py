"""Google's own client in threads, zone by zone: its aggregated list would be one long chain."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from google.auth.credentials import AnonymousCredentials
from google.cloud import compute_v1
from google.cloud.compute_v1.services.instances.transports import InstancesRestTransport

from . import THREADS
from .measure import Job, Meter


def scan(job: Job, meter: Meter) -> None:
    """List all instances."""
    local = threading.local()

    def client() -> compute_v1.InstancesClient:
        if not hasattr(local, "client"):
            transport = InstancesRestTransport(
                host=job.host, url_scheme="http", credentials=AnonymousCredentials()
            )
            local.client = compute_v1.InstancesClient(transport=transport)
        return local.client

    def zone(name: str) -> list[str]:
        request = compute_v1.ListInstancesRequest(project=job.project, zone=name, max_results=500)
        ids: list[str] = []
        for page in client().list(request=request).pages:
            ids += [instance.name for instance in page.items]
            meter.first()
        return ids

    with ThreadPoolExecutor(THREADS) as pool:
        meter.done(sum(len(ids) for ids in pool.map(zone, job.zones)))
