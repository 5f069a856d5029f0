"""The state of the emulated cloud: projects, their resources, operations and time."""

from __future__ import annotations

import base64
import hashlib
import heapq
import itertools
import re
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Protocol
from uuid import UUID

import msgspec

from .errors import ApiError, invalid, not_found

URL_BASE = "https://www.googleapis.com/compute/v1/"
"""First part of every selfLink, whatever server answers: as Google sends them."""
NAME = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")

# One letter a zone, as Google has them.
_REGIONS = """
africa-south1:abc asia-east1:abc asia-east2:abc asia-northeast1:abc asia-northeast2:abc
asia-northeast3:abc asia-south1:abc asia-south2:abc asia-southeast1:abc asia-southeast2:abc
australia-southeast1:abc australia-southeast2:abc europe-central2:abc europe-north1:abc
europe-north2:abc europe-southwest1:abc europe-west1:bcd europe-west10:abc europe-west12:abc
europe-west2:abc europe-west3:abc europe-west4:abc europe-west6:abc europe-west8:abc
europe-west9:abc me-central1:abc me-central2:abc me-west1:abc northamerica-northeast1:abc
northamerica-northeast2:abc northamerica-south1:abc southamerica-east1:abc
southamerica-west1:abc us-central1:abcf us-east1:bcd us-east4:abc us-east5:abc us-south1:abc
us-west1:abc us-west2:abc us-west3:abc us-west4:abc
"""
ALL_REGIONS: dict[str, list[str]] = {
    region: [f"{region}-{letter}" for letter in letters]
    for region, letters in (entry.split(":") for entry in _REGIONS.split())
}
"""Region -> its zones."""

_PACIFIC = timezone(timedelta(hours=-8))


class Buildable(Protocol):
    """A resource that is made when somebody looks: how 100,000 of them fit in little memory."""

    def build(self) -> dict[str, Any]:
        """Return the resource as Google would send it."""
        ...


class Store:
    """The resources of one collection in one scope, by name."""

    def __init__(self) -> None:
        self._items: dict[str, dict[str, Any] | Buildable] = {}
        self._names: list[str] | None = None

    def __contains__(self, name: str) -> bool:
        return name in self._items

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for name in self.names():
            yield self._read(name)

    def _read(self, name: str) -> dict[str, Any]:
        item = self._items[name]
        return item if isinstance(item, dict) else item.build()

    def names(self) -> list[str]:
        """Return all names, sorted."""
        if self._names is None:
            self._names = sorted(self._items)
        return self._names

    def after(self, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield what comes after `name` in order."""
        names = self.names()
        for index in range(bisect_right(names, name) if name else 0, len(names)):
            yield names[index], self._read(names[index])

    def get(self, name: str) -> dict[str, Any] | None:
        """Return one to look at."""
        return self._read(name) if name in self._items else None

    def own(self, name: str) -> dict[str, Any] | None:
        """Return one to change."""
        if name not in self._items:
            return None
        item = self._items[name] = self._read(name)
        return item

    def put(self, name: str, item: dict[str, Any] | Buildable) -> None:
        """Add one, or replace it."""
        if name not in self._items:
            self._names = None
        self._items[name] = item

    def pop(self, name: str) -> None:
        """Remove one if it is there."""
        if self._items.pop(name, None) is not None:
            self._names = None


class OperationFault(msgspec.Struct, kw_only=True):
    """An operation that is going to fail half way."""

    operation_type: str
    """As ``insert``, ``delete``, ``start``."""
    target: str = ""
    """Part of the target's path, as ``/subnetworks/``; ``""`` = any."""
    code: str = "INTERNAL_ERROR"
    """Word in ``error.errors[].code``, as ``ZONE_RESOURCE_POOL_EXHAUSTED``."""
    message: str = "Internal error. Please try again or contact Google Support."
    status: int = 503
    """``httpErrorStatusCode``."""
    times: int = 1
    """How often."""


class RequestFault(msgspec.Struct, kw_only=True):
    """A request that is answered otherwise than the state says."""

    path: str
    """Part of ``METHOD path?query``, as ``GET /compute/v1/projects/p/aggregated``."""
    status: int = 503
    """HTTP status of the answer."""
    body: bytes = b""
    """The answer."""
    headers: dict[str, str] = {}
    """More HTTP headers."""
    error: Any = None
    """An `ApiError` to answer with instead of status and body."""
    delay: float = 0.0
    """Seconds before it is answered."""
    hang_up: bool = False
    """Close the connection instead of answering; after `body` when there is one."""
    times: int = 1
    """How often."""


class Project:
    """One project and all that is in it.

    Args:
        world: Where it is.
        project_id: Its id.
        number: Its number.
    """

    def __init__(self, world: World, project_id: str, number: int) -> None:
        self.world = world
        self.id = project_id
        self.number = str(number)
        self.created = world.timestamp()
        self.stores: dict[tuple[str, str], Store] = {}
        self.metadata: dict[str, Any] = {
            "kind": "compute#metadata",
            "fingerprint": world.fingerprint(),
        }
        self.quotas: dict[str, int] = {}
        """Metric, as ``INSTANCES`` -> how many there may be."""
        self.service_disabled = False
        self.denied = False
        self.public = False
        """Whether everybody may read its images."""
        self.seen: dict[str, dict[str, Any]] = {}
        """Request id -> the operation that it started."""

    def store(self, collection: str, scope: str) -> Store:
        """Return a store; `scope` as ``global``, ``regions/r`` or ``zones/z``."""
        key = (collection, scope)
        store = self.stores.get(key)
        if store is None:
            store = self.stores[key] = Store()
        return store

    def every(self, collection: str) -> Iterator[dict[str, Any]]:
        """Yield the resources of a collection in all scopes."""
        for (name, _), store in list(self.stores.items()):
            if name == collection:
                yield from store

    def count(self, collection: str, scope_prefix: str = "") -> int:
        """Count the resources of a collection."""
        return sum(
            len(store)
            for (name, scope), store in self.stores.items()
            if name == collection and scope.startswith(scope_prefix)
        )

    def path(self, scope: str, collection: str, name: str) -> str:
        """Return ``projects/p/zones/z/instances/i``."""
        return f"projects/{self.id}/{scope}/{collection}/{name}"

    def url(self, scope: str, collection: str, name: str) -> str:
        """Return a selfLink."""
        return URL_BASE + self.path(scope, collection, name)

    def find(self, scope: str, collection: str, name: str) -> dict[str, Any]:
        """Return a resource to look at.

        Raises:
            ApiError: There is none.
        """
        item = self.store(collection, scope).get(name)
        if item is None:
            raise not_found(self.path(scope, collection, name))
        return item

    def own(self, scope: str, collection: str, name: str) -> dict[str, Any]:
        """Return a resource to change.

        Raises:
            ApiError: There is none.
        """
        item = self.store(collection, scope).own(name)
        if item is None:
            raise not_found(self.path(scope, collection, name))
        return item

    def operate(
        self,
        scope: str,
        operation_type: str,
        target: str,
        *,
        target_id: str = "",
        steps: Iterable[tuple[float, Callable[[], None]]] = (),
        done: Callable[[], None] | None = None,
        undo: Callable[[], None] | None = None,
        fault: OperationFault | None = None,
    ) -> dict[str, Any]:
        """Start an operation and return it as Google sends it.

        Args:
            scope: Where it runs.
            operation_type: As ``insert``.
            target: Path of what it works on, as ``projects/p/zones/z/instances/i``.
            target_id: Id of that.
            steps: (part of the time, what happens then).
            done: What happens at the end.
            undo: What happens instead when it fails.
            fault: How it fails, None = as the world has it.
        """
        world = self.world
        name = f"operation-{world.next_id()}-{hashlib.md5(target.encode()).hexdigest()[:13]}"  # noqa: S324
        now = world.timestamp()
        operation: dict[str, Any] = {
            "kind": "compute#operation",
            "id": world.next_id(),
            "name": name,
            "operationType": operation_type,
            "targetLink": URL_BASE + target,
            "targetId": target_id or world.next_id(),
            "status": "RUNNING",
            "user": "someone@example.com",
            "progress": 0,
            "insertTime": now,
            "startTime": now,
            "selfLink": self.url(scope, "operations", name),
        }
        level, _, place = scope.partition("/")
        if place:
            operation[level[:-1]] = f"{URL_BASE}projects/{self.id}/{scope}"
        self.store("operations", scope).put(name, operation)
        fault = fault or world.take_operation_fault(operation_type, target)
        seconds = world.operation_seconds

        def finish() -> None:
            operation.update(status="DONE", progress=100, endTime=world.timestamp())
            if fault is not None:
                operation["error"] = {"errors": [{"code": fault.code, "message": fault.message}]}
                operation["httpErrorStatusCode"] = fault.status
                operation["httpErrorMessage"] = _HTTP_WORDS.get(fault.status, "SERVICE UNAVAILABLE")
                if undo is not None:
                    undo()
            elif done is not None:
                done()

        for part, step in steps:
            if fault is None or part < 0.5:
                world.later(part * seconds, step)
        world.later(seconds / 2 if fault else seconds, finish)
        world.settle()
        return operation


_HTTP_WORDS = {
    400: "BAD REQUEST",
    403: "FORBIDDEN",
    404: "NOT FOUND",
    409: "CONFLICT",
    412: "PRECONDITION FAILED",
    429: "TOO MANY REQUESTS",
    500: "INTERNAL SERVER ERROR",
}


class World:
    """An emulated Compute Engine with its projects.

    Args:
        projects: Ids of the projects that there are at first.
        regions: Region -> its zones; None = all that Google has.
        operation_seconds: How long an operation takes.
        wait_limit: Longest time that ``operations.wait`` waits, in seconds (Google: 120).
        latency: Seconds before a request is answered.
        rate_limit: Requests a second for each project, None = any; a second's worth at once.
        rate_limit_status: 403 as Compute Engine answers, or 429 with a ``Retry-After``.
    """

    def __init__(
        self,
        *,
        projects: Iterable[str] = ("demo",),
        regions: Mapping[str, list[str]] | None = None,
        operation_seconds: float = 0.05,
        wait_limit: float = 120.0,
        latency: float = 0.0,
        rate_limit: float | None = None,
        rate_limit_status: int = 403,
    ) -> None:
        self.regions = dict(sorted((ALL_REGIONS if regions is None else regions).items()))
        self.zones = {
            zone: region for zone, region in sorted(self._pairs()) if zone.startswith(region)
        }
        self.operation_seconds = operation_seconds
        self.wait_limit = wait_limit
        self.latency = latency
        self.rate_limit = rate_limit
        self.rate_limit_status = rate_limit_status
        self.dead_zones: set[str] = set()
        """Zones that can't be read."""
        self.operation_faults: list[OperationFault] = []
        self.request_faults: list[RequestFault] = []
        self.requests: list[str] = []
        """``METHOD path`` of every request, for tests."""
        self.tokens: dict[str, float] | None = None
        """Access token -> when it expires (`time.time`); None = any request is let in."""
        self.may_list_projects = True
        self._ids = itertools.count(7_128_783_508_312_083_402)
        self._fingerprints = itertools.count(1)
        self._tick = itertools.count()
        self._pending: list[tuple[float, int, Callable[[], None]]] = []
        self._buckets: dict[str, tuple[float, float]] = {}
        self._addresses = itertools.count()
        self.projects: dict[str, Project] = {}
        for project_id in projects:
            self.add_project(project_id)

    def _pairs(self) -> Iterator[tuple[str, str]]:
        for region, zones in self.regions.items():
            for zone in zones:
                yield zone, region

    def add_project(self, project_id: str, *, default_network: bool = False) -> Project:
        """Add a project.

        Args:
            project_id: Its id.
            default_network: Whether it has the auto-mode network ``default``, as new projects
                of Google do.
        """
        project = Project(self, project_id, 415104041262 + len(self.projects))
        self.projects[project_id] = project
        if default_network:
            from .resources import add_default_network

            add_default_network(project)
        return project

    # -- time

    def later(self, seconds: float, step: Callable[[], None]) -> None:
        """Let something happen when that much time has passed."""
        heapq.heappush(self._pending, (time.monotonic() + seconds, next(self._tick), step))

    def settle(self) -> None:
        """Let everything happen whose time has come."""
        while self._pending and self._pending[0][0] <= time.monotonic():
            heapq.heappop(self._pending)[2]()

    @property
    def next_change(self) -> float | None:
        """Seconds until something happens, None = nothing is under way."""
        return max(0.0, self._pending[0][0] - time.monotonic()) if self._pending else None

    def timestamp(self) -> str:
        """Return now, in the form that Compute Engine uses."""
        return datetime.now(_PACIFIC).isoformat(timespec="milliseconds")

    # -- numbers

    def next_id(self) -> str:
        """Return a new resource id: 64 bits, as text."""
        return str(next(self._ids))

    def fingerprint(self) -> str:
        """Return a new fingerprint."""
        digest = hashlib.sha256(str(next(self._fingerprints)).encode()).digest()
        return base64.urlsafe_b64encode(digest[:8]).decode()

    def external_ip(self) -> str:
        """Return a public address that nobody has."""
        number = next(self._addresses)
        return f"34.{64 + number // 65025 % 64}.{number // 255 % 255}.{number % 255}"

    # -- faults and limits

    def take_operation_fault(self, operation_type: str, target: str) -> OperationFault | None:
        """Return the fault that hits this operation."""
        for fault in self.operation_faults:
            if fault.operation_type == operation_type and fault.target in target:
                fault.times -= 1
                if fault.times <= 0:
                    self.operation_faults.remove(fault)
                return fault
        return None

    def take_request_fault(self, line: str) -> RequestFault | None:
        """Return the fault that hits this request."""
        for fault in self.request_faults:
            if fault.path in line:
                fault.times -= 1
                if fault.times <= 0:
                    self.request_faults.remove(fault)
                return fault
        return None

    def within_rate(self, project_id: str) -> bool:
        """Take a token from the project's bucket; False when it is empty."""
        if self.rate_limit is None:
            return True
        now = time.monotonic()
        tokens, filled = self._buckets.get(project_id, (self.rate_limit, now))
        tokens = min(self.rate_limit, tokens + (now - filled) * self.rate_limit)
        allowed = tokens >= 1
        self._buckets[project_id] = (tokens - 1 if allowed else tokens, now)
        return allowed


def check_request_id(text: str) -> None:
    """Check a ``requestId``.

    Raises:
        ApiError: It is no UUID.
    """
    try:
        valid = UUID(text).int != 0
    except ValueError:
        valid = False
    if not valid:
        raise invalid("requestId", text, "The request ID must be a valid, non-zero UUID.")


def check_body(body: Any) -> dict[str, Any]:
    """Return a request's body.

    Raises:
        ApiError: It is no object.
    """
    if not isinstance(body, dict):
        raise ApiError(400, "parseError", "Parse Error")
    return body
