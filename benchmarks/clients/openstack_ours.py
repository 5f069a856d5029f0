"""asyncspider on OpenStack: one target for each region."""

from __future__ import annotations

import asyncspider_drivers.openstack.session as _imports_what_a_scan_needs
from asyncspider import ConnectionInfo, CredentialInfo, RegionInfo, Target

from . import _ours
from .measure import Job, Meter

assert _imports_what_a_scan_needs

_CREDENTIAL = CredentialInfo(
    key_values={
        "username": "bench",
        "password": "bench",
        "project_name": "bench",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
)


def scan(job: Job, meter: Meter) -> None:
    """List all servers."""
    targets = [
        Target(
            name=f"openstack/{region}",
            driver="openstack",
            connection_info=ConnectionInfo(
                credential_info=_CREDENTIAL,
                region_info=RegionInfo(region=region),
                endpoint_url=f"{job.url}/identity/v3",
            ),
        )
        for region in job.regions
    ]
    _ours.scan(targets, job, meter)
