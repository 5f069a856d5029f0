"""The fan-out: one question to many regions, accounts and clouds at once."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from types import TracebackType
from typing import Any, Self, cast

import anyio
import anyio.lowlevel
from anyio import CancelScope, CapacityLimiter, Lock
from anyio.streams.memory import MemoryObjectSendStream

from ..connection import CloudConnection
from ..errors import (
    DeadlineExceededError,
    InvalidRequestError,
    NotFoundError,
    PartialListError,
    SpiderError,
)
from ..registry import load_driver_aside
from ..resources import AnyInfo, Page, Resource, VMInfo
from ..streams import produced
from ..transport.collector import full_collections_wait
from ..transport.telemetry import Meter, metered
from .limits import Limits
from .outcomes import (
    Batch,
    Outcome,
    Record,
    Ref,
    RunResult,
    ScanResult,
    ScopeReport,
    ScopeStatus,
    info_of,
    status_of,
)
from .schedule import work_off
from .targets import Target

_log = logging.getLogger("asyncspider.fleet")
_DEFAULT_LIMITS = Limits()
_PAGES_AHEAD = 8  # enough to keep readers busy while a consumer is at work, little memory


class _Member:
    """A target, with its connection once there is one."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.connection: CloudConnection | None = None
        self.lock = Lock()
        self.failed: tuple[object, Exception] | None = None


class _Progress:
    """What is known of a scope that is being read."""

    __slots__ = ("began", "count", "meter")

    def __init__(self) -> None:
        self.began: float | None = None
        self.count = 0
        self.meter = Meter()

    @property
    def seconds(self) -> float:
        return 0.0 if self.began is None else time.perf_counter() - self.began


class Fleet:
    """Many targets asked as one. An async context manager: it owns the pooled connections.

    Connections open when they are first needed and stay for the fleet's life.

    Args:
        targets: What to ask; names must differ.
        limits: How much to do at once.
        deadline: Longest time for each call on the fleet, in seconds; None = none. What is not
            finished by then is reported as ``timeout``.

    Raises:
        InvalidRequestError: Two targets have the same name, or the deadline is not positive.

    Example:
        >>> async with Fleet(await expand("aws", regions="eu-*")) as fleet:
        ...     async for outcome in fleet.list(Resource.VM):
        ...         print(outcome)
    """

    def __init__(
        self,
        targets: Iterable[Target],
        *,
        limits: Limits = _DEFAULT_LIMITS,
        deadline: float | None = None,
    ) -> None:
        self._members: dict[str, _Member] = {}
        for target in targets:
            if target.name in self._members:
                raise InvalidRequestError(f"two targets are named {target.name!r}")
            self._members[target.name] = _Member(target)
        if deadline is not None and not deadline > 0:
            raise InvalidRequestError("deadline must be more than 0 seconds")
        self.limits = limits
        self.deadline = deadline
        self._entered = False
        self._closed = False
        self._calls: set[CancelScope] = set()
        self._idle = anyio.Event()

    @property
    def targets(self) -> list[Target]:
        """What it asks."""
        return [member.target for member in self._members.values()]

    async def __aenter__(self) -> Self:
        if self._entered:
            raise InvalidRequestError("a fleet is entered once")
        self._entered = True
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End all calls and close all connections. Safe to call again."""
        self._closed = True
        with CancelScope(shield=True):
            for scope in tuple(self._calls):
                scope.cancel()
            while self._calls:
                self._idle = anyio.Event()
                await self._idle.wait()
            limiter = CapacityLimiter(64)

            async def close(connection: CloudConnection) -> None:
                async with limiter:
                    await connection.close()

            async with anyio.create_task_group() as group:
                for member in self._members.values():
                    connection, member.connection = member.connection, None
                    if connection is not None:
                        group.start_soon(close, connection)

    # -- the calls

    async def list(self, *resources: Resource | str) -> AsyncGenerator[Outcome, None]:
        """Yield records as their pages arrive, and a report when each scope has ended.

        Args:
            resources: What to list; none = all seven.

        Raises:
            InvalidRequestError: The fleet is not entered, or was closed; an unknown resource.
        """
        pages = self.pages(*resources)
        try:
            async for page in pages:
                for outcome in page:
                    yield outcome
        finally:
            await pages.aclose()

    async def pages(self, *resources: Resource | str) -> AsyncGenerator[Batch, None]:
        """Yield the same as `list` in batches as they arrive: the cheapest way in bulk."""
        wanted = _resources(resources)
        self._check_open()

        open_scopes = {
            (name, resource): _Progress() for name in self._members for resource in wanted
        }
        # What was taken here, not what was sent: what is on its way when the deadline strikes
        # is neither lost nor reported twice.
        taken = dict.fromkeys(open_scopes, 0)

        async def scan(send: MemoryObjectSendStream[Batch]) -> None:
            call = object()

            async def read(name: str, resource: Resource) -> None:
                progress = open_scopes[name, resource]
                reports = await self._read(call, name, resource, progress, send)
                await send.send(reports)

            await self._dispatch(dict.fromkeys(self._members, wanted), read)

        batches = produced(scan, ahead=_PAGES_AHEAD)
        try:
            async for batch in batches:
                last = batch[-1]  # a scope's own report comes after those of its parts
                if isinstance(last, ScopeReport):
                    del open_scopes[last.target, last.resource]
                else:
                    taken[last.target, last.resource] += len(batch)
                yield batch
        finally:
            await batches.aclose()
        self._check_open()
        late: list[ScopeReport] = []
        for (name, resource), progress in open_scopes.items():
            progress.count = taken[name, resource]
            late.append(self._report(name, resource, progress, self._late(name)))
        if late:
            yield late

    async def scan(self, *resources: Resource | str) -> ScanResult:
        """Return all that `list` yields, sorted into records and scopes."""
        records: list[Record] = []
        scopes: list[ScopeReport] = []
        async for batch in self.pages(*resources):
            if batch and isinstance(batch[0], Record):
                records += cast("list[Record]", batch)
            else:
                scopes += cast("list[ScopeReport]", batch)
        return ScanResult(records=records, scopes=scopes)

    async def get(self, resource: Resource | str, ids: Iterable[str | Ref]) -> ScanResult:
        """Ask for things by id: a bare id in all targets at once, a `Record.ref` in its own.

        Args:
            resource: What kind of things they are.
            ids: Bare ids, or refs.

        Returns:
            The records found, one report for each target asked, and the ids that none had.

        Raises:
            InvalidRequestError: A ref of another resource, or of a target that is not here.
        """
        [kind] = _resources((resource,))
        self._check_open()
        jobs: dict[str, dict[str, None]] = {}  # what is asked for twice is asked once
        asked: list[str] = []
        for item in ids:
            if isinstance(item, Ref):
                if item.resource != kind or item.target not in self._members:
                    raise InvalidRequestError(f"no {kind} of this fleet: {item}")
                jobs.setdefault(item.target, {})[item.id] = None
                asked.append(item.id)
            else:
                for name in self._members:
                    jobs.setdefault(name, {})[item] = None
                asked.append(item)
        call = object()
        records: list[Record] = []
        progress = {name: _Progress() for name in jobs}
        left = {name: len(some) for name, some in jobs.items()}
        errors: dict[str, BaseException] = {}

        async def ask(name: str, id: str) -> None:
            member, state = self._members[name], progress[name]
            if state.began is None:
                state.began = time.perf_counter()
            try:
                with metered(state.meter):
                    connection = await self._connect(call, member)
                    page = Page([await connection.get(kind, id)])
                records.extend(_records(member.target, kind, page))
                state.count += 1
            except NotFoundError:
                pass
            except Exception as error:
                errors.setdefault(name, self._noted(error, name))
            left[name] -= 1

        await self._dispatch(jobs, ask)
        for name, count in left.items():
            if count:
                errors.setdefault(name, self._late(name))
        found = {record.id for record in records}
        return ScanResult(
            records=records,
            scopes=[
                self._report(name, kind, state, errors.get(name))
                for name, state in progress.items()
            ],
            missing=[id for id in dict.fromkeys(asked) if id not in found],
        )

    async def run(self, function: Callable[[CloudConnection], Awaitable[Any]]) -> list[RunResult]:
        """Run a coroutine function on each connection, under the same limits.

        Returns:
            One result for each target, in their order; what raised is data there.
        """
        self._check_open()
        call = object()
        results: dict[str, RunResult] = {}
        progress = {name: _Progress() for name in self._members}

        async def job(name: str, _: None) -> None:
            state = progress[name]
            state.began = time.perf_counter()
            value: Any = None
            failure: Exception | None = None
            try:
                with metered(state.meter):
                    value = await function(await self._connect(call, self._members[name]))
            except Exception as error:
                failure = error
            results[name] = RunResult(
                target=name,
                value=value,
                error=failure,
                seconds=state.seconds,
                requests=state.meter.requests,
            )

        await self._dispatch(dict.fromkeys(self._members, (None,)), job)
        return [
            results.get(name)
            or RunResult(
                target=name,
                error=self._late(name),
                seconds=progress[name].seconds,
                requests=progress[name].meter.requests,
            )
            for name in self._members
        ]

    # -- how

    def _check_open(self) -> None:
        if self._closed:
            raise InvalidRequestError("the fleet is closed")
        if not self._entered:
            raise InvalidRequestError("enter the fleet first: async with Fleet(...) as fleet")

    async def _dispatch(self, jobs: Any, work: Callable[[str, Any], Awaitable[None]]) -> None:
        """Work off the jobs until all are done, the deadline strikes, or the fleet closes."""
        self._check_open()  # it may have been closed since the call was made
        with CancelScope() as scope:
            self._calls.add(scope)
            try:
                with full_collections_wait(), anyio.move_on_after(self.deadline):
                    await work_off(jobs, work, total=self.limits.total, each=self.limits.per_target)
            finally:
                self._calls.discard(scope)
                if not self._calls:
                    self._idle.set()
        if scope.cancelled_caught:
            raise InvalidRequestError("the fleet was closed during the call")

    async def _connect(self, call: object, member: _Member) -> CloudConnection:
        """Return the member's connection. A failure holds for the rest of the same call."""
        if member.connection is not None:
            return member.connection
        async with member.lock:
            if member.connection is not None:
                return member.connection
            if member.failed is not None and member.failed[0] is call:
                raise member.failed[1]
            info = member.target.connection_info
            try:
                driver = await load_driver_aside(member.target.driver)
                connection = await driver.connect_cloud(info)
            except Exception as error:
                member.failed = (call, error)
                raise
            limits = self.limits
            connection.limiter.configure(
                limits.requests_per_target, rate=limits.rate, burst=limits.burst
            )
            member.connection = connection
            return connection

    async def _read(
        self,
        call: object,
        name: str,
        resource: Resource,
        progress: _Progress,
        send: MemoryObjectSendStream[Batch],
    ) -> list[ScopeReport]:
        """Send all records of a scope, and return its reports."""
        progress.began = time.perf_counter()
        member = self._members[name]
        try:
            with metered(progress.meter):
                connection = await self._connect(call, member)
                pages = connection.pages(resource)
                try:
                    async for page in pages:
                        if page.items:
                            # The driver has just made the page: others first.
                            await anyio.lowlevel.checkpoint()
                            await send.send(_records(member.target, resource, page))
                            progress.count += len(page.items)
                finally:
                    await pages.aclose()
        except PartialListError as error:
            parts = [
                ScopeReport(
                    target=name,
                    region=part.region,
                    zone=part.zone,
                    resource=resource,
                    status=status_of(part.error),
                    error=part.error.info(),
                )
                for part in error.unreachable
            ]
            # An error that names no part is still one.
            return [*parts, self._report(name, resource, progress, None if parts else error)]
        except Exception as error:
            return [self._report(name, resource, progress, self._noted(error, name))]
        return [self._report(name, resource, progress, None)]

    def _noted(self, error: Exception, name: str) -> Exception:
        if not isinstance(error, SpiderError):
            _log.error("unexpected error in target %s", name, exc_info=error)
        return error

    def _late(self, name: str) -> DeadlineExceededError:
        return DeadlineExceededError(
            f"not finished within the fleet's deadline of {self.deadline:g} s",
            driver=self._members[name].target.driver,
        )

    def _report(
        self, name: str, resource: Resource, progress: _Progress, error: BaseException | None
    ) -> ScopeReport:
        place = self._members[name].target.connection_info.region_info
        return ScopeReport(
            target=name,
            region=place.region,
            zone=place.zone,
            resource=resource,
            status=ScopeStatus.OK if error is None else status_of(error),
            count=progress.count,
            seconds=progress.seconds,
            requests=progress.meter.requests,
            error=None if error is None else info_of(error),
        )


def _resources(resources: Iterable[Resource | str]) -> list[Resource]:
    try:
        wanted = [Resource(resource) for resource in resources]
    except ValueError as error:
        known = ", ".join(Resource)
        raise InvalidRequestError(f"{error}; there is: {known}") from None
    return list(dict.fromkeys(wanted)) or list(Resource)


def _records(target: Target, resource: Resource, page: Page[AnyInfo]) -> list[Record]:
    """Return the records of a page: where a thing is, it, its page or its target says."""
    driver, name = target.driver, target.name
    place = target.connection_info.region_info
    region, zone = page.region or place.region, page.zone
    if resource is Resource.VM:
        return [
            Record(
                driver,
                name,
                item.region.region or region,
                item.region.zone or zone,
                resource,
                item.id,
                item.name,
                item,
            )
            for item in page.items
            if isinstance(item, VMInfo)
        ]
    return [
        Record(driver, name, region, zone, resource, item.id, item.name, item)
        for item in page.items
    ]
