"""Figures as a table, a chart and a file."""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from xml.sax.saxutils import escape

import msgspec

from .clients import PRODUCTS
from .running import Run, Sizes

CLOUDS = {"aws": "AWS (EC2)", "gcp": "Google Cloud (Compute Engine)", "openstack": "OpenStack"}
Table = dict[str, dict[str, list[Run]]]
"""Runs by cloud and client."""


class Report(msgspec.Struct, kw_only=True):
    """All that one session of benchmarks found out."""

    date: str
    """Day, UTC."""
    machine: str
    """The machine in words."""
    command: str
    """What was run."""
    sizes: Sizes
    """What there was to list."""
    scans: Table = {}
    """Scans of all VMs."""
    cold: Table = {}
    """Starts of a process, up to its first record."""
    goals: list[tuple[str, str, str]] = []
    """Other questions: what, figure, goal."""


def today() -> str:
    """Return the day."""
    return datetime.now(UTC).strftime("%Y-%m-%d")


def machine() -> str:
    """Return the machine in words."""
    import os

    model = platform.processor() or platform.machine()
    memory = ""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
        kib = int(Path("/proc/meminfo").read_text().split()[1])
        memory = f", {kib / 2**20:.0f} GiB of memory"
    except (OSError, ValueError, IndexError):
        pass
    return (
        f"{os.cpu_count()} cores ({model}){memory}, {platform.system()}, "
        f"Python {platform.python_version()}"
    )


def middle(runs: Iterable[Run], what: Callable[[Run], float]) -> float:
    """Return the median of a figure."""
    return median(map(what, runs))


def ratio(table: dict[str, list[Run]], client: str, what: Callable[[Run], float]) -> float:
    """Return a client's figure as a multiple of ours, medians."""
    return middle(table[client], what) / middle(table["ours"], what)


def markdown(report: Report) -> str:
    """Return the tables."""
    sizes = report.sizes
    lines = [
        f"{sizes.regions} regions with {sizes.vms:,} VMs each, {sizes.latency:g} ms before each "
        f"answer; medians of {rounds(report)} rounds, run alternately. {report.date}, on "
        f"{report.machine}. Command: `{report.command}`.",
        "",
        "| | CPU s | CPU a VM, µs | wall s | memory MB | requests | CPU, ours = 1 "
        "| wall, ours = 1 |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for cloud, table in report.scans.items():
        lines.append(f"| **{CLOUDS[cloud]}** | | | | | | | |")
        for client, runs in table.items():
            cpu = middle(runs, lambda run: run.cpu)
            cells = [
                PRODUCTS[client],
                f"{cpu:.2f}",
                f"{cpu / max(1, runs[0].vms) * 1e6:.0f}",
                f"{middle(runs, lambda run: run.wall):.2f}",
                f"{middle(runs, lambda run: run.rss) / 1e6:.0f}",
                f"{middle(runs, lambda run: run.requests):.0f}",
                *_ratios(table, client),
            ]
            lines.append(f"| {' | '.join(cells)} |")
    busy = [r.server_busy for t in report.scans.values() for runs in t.values() for r in runs]
    if busy:
        lines += [
            "",
            f"The server was busy for {max(busy):.0%} of a scan's time at most, in the median run "
            f"for {median(busy):.0%}: nobody waited for it.",
        ]
    if report.cold:
        lines += [
            "",
            "From the start of the process to the first record:",
            "",
            "| | CPU s | wall s | memory MB | CPU, ours = 1 | wall, ours = 1 |",
            "|---|---:|---:|---:|---:|---:|",
        ]
        for cloud, table in report.cold.items():
            lines.append(f"| **{CLOUDS[cloud]}** | | | | | |")
            for client, runs in table.items():
                cells = [
                    PRODUCTS[client],
                    f"{middle(runs, lambda run: run.cpu):.2f}",
                    f"{middle(runs, lambda run: run.wall):.2f}",
                    f"{middle(runs, lambda run: run.rss) / 1e6:.0f}",
                    *_ratios(table, client),
                ]
                lines.append(f"| {' | '.join(cells)} |")
    if report.goals:
        lines += ["", "| asyncspider | figure | goal |", "|---|---:|---|"]
        lines += [f"| {what} | {figure} | {goal} |" for what, figure, goal in report.goals]
    return "\n".join(lines) + "\n"


def rounds(report: Report) -> int:
    """Return how many rounds there were."""
    return max((len(runs) for table in report.scans.values() for runs in table.values()), default=0)


def _ratios(table: dict[str, list[Run]], client: str) -> tuple[str, str]:
    if "ours" not in table:
        return "", ""
    cpu, wall = (ratio(table, client, what) for what in (lambda r: r.cpu, lambda r: r.wall))
    return f"{cpu:.2g}" if cpu < 10 else f"{cpu:.0f}", f"{wall:.2g}" if wall < 10 else f"{wall:.0f}"


# -- the chart

_WIDTH, _LEFT, _RIGHT, _BAR, _GAP = 760, 250, 70, 18, 6
_COLOURS = {"ours": "#1a7f4b", "floor": "#9aa5ad"}
_RIVAL = "#c2703d"


def chart(report: Report) -> str:
    """Return an SVG: CPU time for 1,000 VMs, on a logarithmic scale as it spans three decades."""
    figures = {
        cloud: {
            client: middle(runs, lambda run: run.cpu / max(1, run.vms) * 1e6)
            for client, runs in table.items()
        }
        for cloud, table in report.scans.items()
    }
    values = [value for table in figures.values() for value in table.values()]
    if not values:
        return ""
    low = 10 ** math.floor(math.log10(min(values)))
    high = 10 ** math.ceil(math.log10(max(values)))
    room = _WIDTH - _LEFT - _RIGHT

    def x(value: float) -> float:
        return _LEFT + room * math.log(value / low) / math.log(high / low)

    body: list[str] = []
    y = 52
    for cloud, table in figures.items():
        body.append(f'<text x="12" y="{y + 14}" class="h">{escape(CLOUDS[cloud])}</text>')
        y += 24
        for client, value in sorted(table.items(), key=lambda item: -item[1]):
            colour = _COLOURS.get(client, _RIVAL)
            weight = ' font-weight="bold"' if client == "ours" else ""
            body += [
                f'<text x="{_LEFT - 8}" y="{y + 13}" text-anchor="end"{weight}>'
                f"{escape(PRODUCTS[client])}</text>",
                f'<rect x="{_LEFT}" y="{y}" width="{max(2, x(value) - _LEFT):.1f}" '
                f'height="{_BAR}" fill="{colour}"/>',
                f'<text x="{x(value) + 6:.1f}" y="{y + 13}"{weight}>{_short(value)}</text>',
            ]
            y += _BAR + _GAP
        y += 12
    grid: list[str] = []
    tick = low
    while tick <= high:
        grid.append(
            f'<line x1="{x(tick):.1f}" y1="44" x2="{x(tick):.1f}" y2="{y}" stroke="#d8dde0"/>'
            f'<text x="{x(tick):.1f}" y="{y + 16}" text-anchor="middle" class="s">'
            f"{_short(tick)}</text>"
        )
        tick *= 10
    sizes = report.sizes
    title = "CPU time to list 1,000 VMs (logarithmic)"
    note = (
        f"{sizes.regions} regions, {sizes.vms:,} VMs each, {sizes.latency:g} ms latency; "
        f"medians of {rounds(report)} rounds, {report.date}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y + 28}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="13" fill="#1d2529">'
        f"<title>{title}</title><style>.h{{font-weight:bold;font-size:14px}}"
        f".s{{font-size:11px;fill:#5b6870}}</style>"
        f'<rect width="100%" height="100%" fill="#ffffff"/>'
        f'<text x="12" y="22" font-size="16" font-weight="bold">{title}</text>'
        f'<text x="12" y="39" class="s">{escape(note)}</text>'
        f"{''.join(grid)}{''.join(body)}</svg>\n"
    )


def _short(microseconds: float) -> str:
    """Return a time for 1,000 VMs; microseconds for one are milliseconds for 1,000."""
    if microseconds >= 1000:
        return f"{microseconds / 1000:.3g} s"
    return f"{microseconds:.3g} ms"


# -- files


def write(report: Report, folder: Path) -> list[Path]:
    """Write JSON, Markdown and SVG; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / name for name in ("results.json", "results.md", "results.svg")]
    files[0].write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1))
    files[1].write_text(markdown(report))
    files[2].write_text(chart(report))
    return files


def read(file: Path) -> Report:
    """Return a report written before."""
    return msgspec.json.decode(file.read_bytes(), type=Report)


def between(file: Path, start: str, end: str, text: str) -> None:
    """Put `text` between two marks in a file.

    Raises:
        ValueError: A mark is missing.
    """
    old = file.read_text()
    before, mark, rest = old.partition(start)
    _, other, after = rest.partition(end)
    if not mark or not other:
        raise ValueError(f"{file.name} lacks {start} or {end}")
    file.write_text(f"{before}{start}\n{text.strip()}\n{end}{after}")
