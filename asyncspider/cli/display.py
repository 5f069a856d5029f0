"""What people see: progress, tables, one-line errors."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ..errors import ErrorInfo
from ..fleet import Record, ScopeReport
from ..fleet.outcomes import Batch
from ..resources import Resource
from .scan import Tally

MOST_ROWS = 40
"""Targets in a summary; the rest of those that are ok share a row."""
_ROOM_FOR_WORDS = 160
MOST_FAILURES = 20
"""Failures in a summary that are shown in full."""


def console(stream: TextIO) -> Console:
    """Return a console: colours and the terminal's width on a terminal, else plain wide lines."""
    if stream.isatty():
        return Console(file=stream, highlight=False)
    return Console(file=stream, highlight=False, width=10_000, no_color=True)


def complain(message: str) -> None:
    """Write one line to standard error."""
    line = " ".join(message.split())
    console(sys.stderr).print(f"[bold red]asyncspider:[/] {escape(line)}", soft_wrap=True)


def table(*columns: str, title: str = "", plain: bool) -> Table:
    """Return an empty table; a plain one has no lines, only columns."""
    result = Table(
        title=title or None,
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        padding=(0, 2 if plain else 1, 0, 0),
        header_style="" if plain else "bold cyan",
    )
    for column in columns:
        result.add_column(column, overflow="fold")
    return result


def narrow(out: Console) -> bool:
    """Return whether columns that are only nice to have should be left out."""
    return out.width < 100


def show(out: Console, what: Table | str) -> None:
    """Print a table or a line; in plain output without the blanks that pad a table."""
    if out.is_terminal or isinstance(what, str):
        out.print(what, soft_wrap=isinstance(what, str))
        return
    with out.capture() as captured:
        out.print(what)
    for line in captured.get().splitlines():
        out.file.write(line.rstrip() + "\n")


class LiveProgress:
    """A bar on a terminal that shows how far a scan is."""

    def __init__(self, out: Console) -> None:
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("scopes · {task.fields[records]:,} records · {task.fields[failed]} failed"),
            TimeElapsedColumn(),
            console=out,
            transient=True,
        )
        self._task = self._progress.add_task("", total=None, records=0, failed=0)
        self._records = self._failed = self._done = 0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def say(self, what: str) -> None:
        """Show what goes on before there is anything to count."""
        self._progress.update(self._task, description=what)

    def begin(self, targets: int, scopes: int) -> None:
        """Note how much there is to do."""
        self._progress.update(
            self._task, total=scopes, description=f"scanning {_plural(targets, 'target')}"
        )

    def saw(self, batch: Batch) -> None:
        """Note what arrived."""
        if batch and isinstance(batch[0], Record):
            self._records += len(batch)
        else:
            reports = _reports(batch)
            self._done += len({(report.target, report.resource) for report in reports})
            self._failed += sum(not report.ok for report in reports)
        self._progress.update(
            self._task, completed=self._done, records=self._records, failed=self._failed
        )


class PlainProgress:
    """A line for each target that is done, for a pipe or a log file."""

    def __init__(self, out: Console, resources: int) -> None:
        self._out = out
        self._resources = resources
        self._seen: defaultdict[str, dict[Resource, list[ScopeReport]]] = defaultdict(dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._seen.clear()

    def say(self, what: str) -> None:
        """Show what goes on before there is anything to count."""
        show(self._out, what)

    def begin(self, targets: int, scopes: int) -> None:
        """Note how much there is to do."""
        if targets:
            show(self._out, f"scanning {_plural(targets, 'target')}, {_plural(scopes, 'scope')}")

    def saw(self, batch: Batch) -> None:
        """Note what arrived."""
        for report in _reports(batch):
            self._seen[report.target].setdefault(report.resource, []).append(report)
        for target in {report.target: None for report in _reports(batch)}:
            if len(self._seen[target]) == self._resources:
                cells = {
                    resource: _cell(reports)
                    for resource, reports in _ordered(self._seen.pop(target))
                }
                [first, *others] = set(cells.values())
                same = len(cells) > 1 and not others and not first[0].isdigit()
                told = [f"{resource} {cell}" for resource, cell in cells.items()]
                show(self._out, f"{target}: {first if same else '; '.join(told)}")


def progress(resources: int) -> LiveProgress | PlainProgress:
    """Return the progress display that suits standard error."""
    out = console(sys.stderr)
    return LiveProgress(out) if out.is_terminal else PlainProgress(out, resources)


def summary(out: Console, tally: Tally, resources: Sequence[Resource]) -> None:
    """Print the counts by target and resource, and what failed."""
    extra = ("seconds",) if narrow(out) else ("seconds", "requests")
    grid = table("target", *resources, *extra, plain=not out.is_terminal)
    for column in grid.columns[1:]:
        column.justify = "right"
    bad = {report.target for report in tally.failures}
    rows = sorted(tally.scopes)
    shown = rows
    if len(rows) > MOST_ROWS:
        shown = [name for name in rows if name in bad][:MOST_ROWS]
        shown = sorted(shown + [n for n in rows if n not in bad][: MOST_ROWS - len(shown)])
    for name in shown:
        _add_row(grid, name, [tally.scopes[name]], resources, out)
    rest = sorted(set(rows) - set(shown))
    if rest:
        label = f"{len(rest):,} more"
        _add_row(grid, label, [tally.scopes[name] for name in rest], resources, out)
    if len(rows) > 1:
        _add_row(grid, "all", list(tally.scopes.values()), resources, out, style="bold")
    show(out, grid)
    _failures(out, tally)
    scopes = sum(len(by_resource) for by_resource in tally.scopes.values())
    show(
        out,
        f"{_plural(tally.records, 'record')} from {_plural(scopes, 'scope')} of "
        f"{_plural(len(rows), 'target')} in {tally.seconds:.1f} s, "
        f"{_plural(tally.requests, 'request')}"
        + (f"; {_plural(len(tally.failures), 'failure')}" if tally.failures else ""),
    )


def _add_row(
    grid: Table,
    name: str,
    targets: Sequence[Mapping[Resource, list[ScopeReport]]],
    resources: Sequence[Resource],
    out: Console,
    *,
    style: str = "",
) -> None:
    reports = [
        [report for target in targets for report in target.get(resource, ())]
        for resource in resources
    ]
    every = [report for some in reports for report in some]
    cells = [
        escape(name),
        *(_cell(some, out=out) for some in reports),
        # Scopes of one target run side by side: the longest is how long the target took.
        f"{max((report.seconds for report in every), default=0.0):.1f}",
        f"{sum(report.requests for report in every):,}",
    ]
    grid.add_row(*cells[: len(grid.columns)], style=style)


def _cell(reports: Sequence[ScopeReport], *, out: Console | None = None) -> str:
    """Return a count, and the words for what is missing from it: a cross where room is short."""
    if not reports:
        return "-"
    count = sum(report.count for report in reports)
    bad = Counter(str(report.status) for report in reports if not report.ok)
    if not bad:
        return f"{count:,}"
    whole = len(reports) == sum(bad.values()) and not count
    if whole and len(bad) == 1:
        words = next(iter(bad))
    else:
        words = ", ".join(f"{n} {status}" for status, n in bad.items())
    if out is None or not out.is_terminal:
        return words if whole else f"{count:,}, {words}"
    if out.width < _ROOM_FOR_WORDS:
        return "[red]✗[/]" if whole else f"{count:,} [red]✗[/]"
    return f"[red]{words}[/]" if whole else f"{count:,}, [red]{words}[/]"


def _failures(out: Console, tally: Tally) -> None:
    """Print each failure once, with the resources that it cost."""
    same: dict[tuple[str, str, str, str, str], list[str]] = {}
    for report in tally.failures:
        place = report.zone or report.region
        key = (report.target, place, str(report.status), *_error_text(report.error))
        same.setdefault(key, []).append(str(report.resource))
    if not same:
        return
    show(out, "")
    show(out, "[bold red]not read in full[/]" if out.is_terminal else "not read in full")
    grid = table(plain=not out.is_terminal)
    grid.show_header = False
    for key, resources in list(same.items())[:MOST_FAILURES]:
        target, place, status, code, message = key
        where = target if not place or place in target else f"{target} {place}"
        told = f"{message} ({code})" if code else message
        what = "everything" if len(resources) == len(Resource) else ", ".join(resources)
        grid.add_row(escape(where), what, status, escape(told))
    show(out, grid)
    if len(same) > MOST_FAILURES:
        show(out, f"and {len(same) - MOST_FAILURES:,} more")
    show(out, "")


def _error_text(error: ErrorInfo | None) -> tuple[str, str]:
    if error is None:
        return "", ""
    return error.code, " ".join(error.message.split()) or error.error


def _ordered(
    by_resource: Mapping[Resource, list[ScopeReport]],
) -> list[tuple[Resource, list[ScopeReport]]]:
    return [(resource, by_resource[resource]) for resource in Resource if resource in by_resource]


def _plural(count: int, word: str) -> str:
    return f"{count:,} {word}" + ("" if count == 1 else "s")


def _reports(batch: Batch) -> list[ScopeReport]:
    return [outcome for outcome in batch if isinstance(outcome, ScopeReport)]
