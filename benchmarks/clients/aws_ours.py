"""asyncspider on EC2: one target for each region."""

from __future__ import annotations

import asyncspider_drivers.aws.session as _imports_what_a_scan_needs
from asyncspider import ConnectionInfo, CredentialInfo, RegionInfo, Target

from . import _ours
from .measure import Job, Meter

assert _imports_what_a_scan_needs

_CREDENTIAL = CredentialInfo(
    key_values={"aws_access_key_id": "bench", "aws_secret_access_key": "bench"}
)


def scan(job: Job, meter: Meter) -> None:
    """List all instances."""
    targets = [
        Target(
            name=f"aws/{region}",
            driver="aws",
            connection_info=ConnectionInfo(
                credential_info=_CREDENTIAL,
                region_info=RegionInfo(region=region),
                endpoint_url=job.url,
            ),
        )
        for region in job.regions
    ]
    _ours.scan(targets, job, meter)
