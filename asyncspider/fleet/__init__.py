"""Many regions, accounts and clouds asked at once."""

from __future__ import annotations

from ..resources import Resource
from .fleet import Fleet
from .limits import Limits
from .outcomes import Outcome, Record, Ref, RunResult, ScanResult, ScopeReport, ScopeStatus
from .targets import Target, expand, select

__all__ = [
    "Fleet",
    "Limits",
    "Outcome",
    "Record",
    "Ref",
    "Resource",
    "RunResult",
    "ScanResult",
    "ScopeReport",
    "ScopeStatus",
    "Target",
    "expand",
    "select",
]
