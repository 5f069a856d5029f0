"""Running a scan: finding its targets, streaming its outcomes, counting them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import aclosing
from typing import Protocol

import anyio
from anyio import to_thread

from ..errors import DeadlineExceededError, InvalidRequestError, SpiderError
from ..fleet import Fleet, Limits, Record, ScopeReport, Target, expand
from ..fleet.outcomes import Batch, info_of, status_of
from ..registry import load_driver
from ..resources import Resource
from .exit_codes import ExitCode
from .settings import TargetSettings


class Watcher(Protocol):
    """Sees a scan while it runs."""

    def say(self, what: str) -> None:
        """Show what goes on before there is anything to count."""

    def begin(self, targets: int, scopes: int) -> None:
        """Note how much there is to do."""

    def saw(self, batch: Batch) -> None:
        """Note what arrived."""


class Tally:
    """Counts of a scan by target and resource; holds no record."""

    def __init__(self) -> None:
        self.scopes: dict[str, dict[Resource, list[ScopeReport]]] = {}
        """The reports of each target, in the order in which they came."""
        self.records = 0
        self.requests = 0
        self.ok = 0
        self.failures: list[ScopeReport] = []
        self.seconds = 0.0

    def saw(self, batch: Batch) -> None:
        """Count a batch."""
        for outcome in batch:
            if isinstance(outcome, Record):
                self.records += len(batch)
                return
            self.report(outcome)

    def report(self, report: ScopeReport) -> None:
        """Count a report."""
        self.scopes.setdefault(report.target, {}).setdefault(report.resource, []).append(report)
        self.requests += report.requests
        if report.ok:
            self.ok += 1
        else:
            self.failures.append(report)

    @property
    def exit_code(self) -> ExitCode:
        """What a command that scanned ends with."""
        if not self.failures:
            return ExitCode.OK
        return ExitCode.PARTIAL if self.ok or self.records else ExitCode.NOTHING


async def discover(
    settings: Iterable[TargetSettings], resources: Sequence[Resource]
) -> tuple[list[Target], list[ScopeReport]]:
    """Find the targets of all settings at once.

    Returns:
        The targets, and reports of the scopes that could not be found: a cloud that can't be
        asked for its regions costs only its own.

    Raises:
        InvalidRequestError: A region or account is not there, or no region matches.
        NotSupportedError: A driver's SDK is not installed.
    """
    settings = list(settings)
    found: dict[str, list[Target]] = {}
    failed: list[ScopeReport] = []
    wrong: list[InvalidRequestError] = []
    infos = [target.connection_info() for target in settings]

    async def find(index: int) -> None:
        target = settings[index]
        regions = target.regions
        if regions is None:
            regions = load_driver(target.driver).default_regions
        try:
            targets = await expand(
                target.driver, infos[index], regions, accounts=target.accounts, name=target.label
            )
            if not targets:
                raise InvalidRequestError(f"no region matches {regions!r}", driver=target.driver)
            found[target.label] = targets
        except InvalidRequestError as error:
            wrong.append(error)
        except SpiderError as error:
            failed.extend(
                ScopeReport(
                    target=target.label,
                    resource=resource,
                    status=status_of(error),
                    error=info_of(error),
                )
                for resource in resources
            )

    async with anyio.create_task_group() as group:
        for index in range(len(settings)):
            group.start_soon(find, index)
    if wrong:
        raise wrong[0]
    return [each for target in settings for each in found.get(target.label, [])], failed


async def run_scan(
    targets: Sequence[Target],
    resources: Sequence[Resource],
    *,
    sinks: Sequence[Callable[[Batch], object]],
    watcher: Watcher,
    limits: Limits,
    deadline: float | None = None,
    failed: Sequence[ScopeReport] = (),
) -> Tally:
    """Scan targets and hand every batch to the sinks, which run off the event loop.

    Args:
        targets: What to ask.
        resources: What to list.
        sinks: Each gets every batch, in order.
        watcher: Told of progress.
        limits: How much to do at once.
        deadline: Longest time, in seconds.
        failed: Reports of what has failed already.

    Returns:
        The counts.
    """
    began = time.perf_counter()
    tally = Tally()

    async def hand_on(batch: Batch) -> None:
        tally.saw(batch)
        watcher.saw(batch)
        for sink in sinks:
            # A sink may wait for a slow reader of a pipe; requests in flight must not.
            await to_thread.run_sync(sink, batch)

    watcher.begin(len(targets), len(targets) * len(resources) + len(failed))
    if failed:
        await hand_on(list(failed))
    if targets:
        async with (
            Fleet(targets, limits=limits, deadline=deadline) as fleet,
            aclosing(fleet.pages(*resources)) as pages,
        ):
            async for batch in pages:
                await hand_on(batch)
    tally.seconds = time.perf_counter() - began
    return tally


async def scan_settings(
    settings: Sequence[TargetSettings],
    resources: Sequence[Resource],
    *,
    sinks: Sequence[Callable[[Batch], object]],
    watcher: Watcher,
    limits: Limits,
    deadline: float | None = None,
) -> Tally:
    """Find the targets of `settings`, and scan them, all within `deadline` seconds."""
    began = time.perf_counter()
    watcher.say("finding regions")
    try:
        with anyio.fail_after(deadline):
            targets, failed = await discover(settings, resources)
    except TimeoutError:
        late = DeadlineExceededError(f"no list of regions within {deadline:g} s")
        targets: list[Target] = []
        failed = [
            ScopeReport(
                target=target.label, resource=resource, status=status_of(late), error=late.info()
            )
            for target in settings
            for resource in resources
        ]
    spent = time.perf_counter() - began
    tally = await run_scan(
        targets,
        resources,
        sinks=sinks,
        watcher=watcher,
        limits=limits,
        deadline=None if deadline is None else round(max(deadline - spent, 0.001), 3),
        failed=failed,
    )
    tally.seconds += spent
    return tally
