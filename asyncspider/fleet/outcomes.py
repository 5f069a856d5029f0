"""What a fleet answers with: plain data, failures included."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import msgspec

from ..errors import (
    AuthenticationError,
    DeadlineExceededError,
    ErrorInfo,
    NotEnabledError,
    NotSupportedError,
    PermissionDeniedError,
    SpiderError,
    ThrottledError,
    UnavailableError,
)
from ..resources import AnyInfo, Resource


class ScopeStatus(StrEnum):
    """How reading a scope ended."""

    OK = "ok"
    DENIED = "denied"
    """Wrong credentials, or the account may not."""
    NOT_ENABLED = "not_enabled"
    """The region or API is not switched on for this account."""
    UNREACHABLE = "unreachable"
    """No connection, or the cloud is broken there."""
    THROTTLED = "throttled"
    """Still too many requests after all retries."""
    TIMEOUT = "timeout"
    """Not finished by the deadline."""
    UNSUPPORTED = "unsupported"
    """The driver has no such resource."""
    FAILED = "failed"
    """Anything else."""


_STATUS: tuple[tuple[type[SpiderError], ScopeStatus], ...] = (
    (NotEnabledError, ScopeStatus.NOT_ENABLED),
    (AuthenticationError, ScopeStatus.DENIED),
    (PermissionDeniedError, ScopeStatus.DENIED),
    (ThrottledError, ScopeStatus.THROTTLED),
    (UnavailableError, ScopeStatus.UNREACHABLE),
    (DeadlineExceededError, ScopeStatus.TIMEOUT),
    (NotSupportedError, ScopeStatus.UNSUPPORTED),
)


def status_of(error: BaseException) -> ScopeStatus:
    """Return the status that an error gives its scope."""
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return status
    return ScopeStatus.FAILED


def info_of(error: BaseException) -> ErrorInfo:
    """Return any exception as plain data."""
    if isinstance(error, SpiderError):
        return error.info()
    return ErrorInfo(error=type(error).__name__, message=str(error))


class Ref(msgspec.Struct, frozen=True):
    """Names one thing in one fleet."""

    target: str
    """Name of the target."""
    resource: Resource
    """What kind of thing it is."""
    id: str
    """Its id there."""

    def __str__(self) -> str:
        return f"{self.target}/{self.resource}/{self.id}"


class Record(msgspec.Struct, frozen=True, omit_defaults=True, gc=False, tag="record"):
    """One thing that was found, and where. One JSON line each way, loss-free."""

    driver: str
    """Name of the driver."""
    target: str
    """Name of the target."""
    region: str
    """Region where the thing is."""
    zone: str
    """Zone where it is, ``""`` for what is in none."""
    resource: Resource
    """What kind of thing it is."""
    id: str
    """Its id, as ``data.id``."""
    name: str
    """Its name, as ``data.name``."""
    data: AnyInfo
    """The thing itself."""

    @property
    def ref(self) -> Ref:
        """What `Fleet.get` takes to ask for it again."""
        return Ref(self.target, self.resource, self.id)


class ScopeReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="scope"):
    """How reading one resource of one target ended.

    There is one for each (target, resource), and one more for each region or zone inside it
    that could not be read.
    """

    target: str
    """Name of the target."""
    region: str = ""
    """Region of the scope, ``""`` when the target covers many."""
    zone: str = ""
    """Zone of the scope, ``""`` = all."""
    resource: Resource
    """What was asked for."""
    status: ScopeStatus
    """How it ended. Only ``ok`` means that all there is was seen."""
    count: int = 0
    """Records handed out."""
    seconds: float = 0.0
    """From its start to its end."""
    requests: int = 0
    """Requests made for it, retries included."""
    error: ErrorInfo | None = None
    """Why it is not ``ok``."""

    @property
    def ok(self) -> bool:
        """Whether all of it was read."""
        return self.status is ScopeStatus.OK


Outcome = Record | ScopeReport
Batch = list[Record] | list[ScopeReport]
"""Outcomes that came together: records of one page, or reports of one scope."""


class ScanResult(msgspec.Struct, frozen=True, kw_only=True):
    """All outcomes of a scan or a get. Iterating yields the records."""

    records: list[Record]
    """What was found."""
    scopes: list[ScopeReport]
    """How each scope ended."""
    missing: list[str] = []
    """For a get: the ids that no target had. Look at `scopes` before calling one deleted."""

    @property
    def ok(self) -> bool:
        """Whether every scope was read in full."""
        return all(scope.ok for scope in self.scopes)

    @property
    def failures(self) -> list[ScopeReport]:
        """The scopes that were not read in full."""
        return [scope for scope in self.scopes if not scope.ok]

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def of(self, resource: Resource) -> list[Record]:
        """Return the records of one resource."""
        return [record for record in self.records if record.resource == resource]


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """What `Fleet.run` got from one target."""

    target: str
    """Name of the target."""
    value: Any = None
    """What the function returned."""
    error: Exception | None = None
    """What it (or connecting) raised, None when nothing."""
    seconds: float = 0.0
    """From its start to its end."""
    requests: int = 0
    """Requests made by it, retries included."""

    @property
    def ok(self) -> bool:
        """Whether the function returned."""
        return self.error is None
