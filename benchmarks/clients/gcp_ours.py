"""asyncspider on Compute Engine: one target, the whole project."""

from __future__ import annotations

import asyncspider_drivers.gcp as _imports_what_a_scan_needs
from asyncspider import ConnectionInfo, CredentialInfo, Target

from . import _ours
from .measure import Job, Meter

assert _imports_what_a_scan_needs


def scan(job: Job, meter: Meter) -> None:
    """List all instances."""
    credential = CredentialInfo(key_values={"project_id": job.project, "access_token": "bench"})
    info = ConnectionInfo(credential_info=credential, endpoint_url=job.url)
    _ours.scan([Target(name="gcp", driver="gcp", connection_info=info)], job, meter)
