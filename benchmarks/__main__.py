"""``python -m benchmarks``: rivals and ours, side by side in one session."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markdown import Markdown
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from . import goals
from .clients import CLIENTS
from .report import Report, between, chart, machine, markdown, read, today, write
from .running import ROOT, ClientFailedError, Clouds, Sizes

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
console = Console()
FOLDER = Path("benchmarks/results")
Step = tuple[str, Callable[[], None]]

Names = Annotated[
    list[str] | None,
    typer.Option("--cloud", help="Only this cloud: aws, gcp or openstack; may be repeated."),
]
Only = Annotated[
    list[str] | None,
    typer.Option("--client", help="Only this client, beside ours; may be repeated."),
]


@app.command()
def run(
    cloud: Names = None,
    client: Only = None,
    regions: Annotated[int, typer.Option(min=1, help="Regions of each cloud.")] = 17,
    vms: Annotated[int, typer.Option(min=1, help="VMs a region.")] = 2000,
    latency: Annotated[float, typer.Option(min=0, help="Milliseconds before an answer.")] = 50,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; figures are medians.")] = 3,
    more: Annotated[
        bool, typer.Option("--extras/--no-extras", help="Cold starts, memory, and the other goals.")
    ] = True,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = FOLDER,
) -> None:
    """Run rivals and ours alternately; print and write what they took."""
    clouds = _known(cloud, list(CLIENTS), "cloud")
    known = sorted({name for names in CLIENTS.values() for name in names})
    wanted = set(_known(client, known, "client")) | {"ours", "floor"}
    report = Report(
        date=today(),
        machine=machine(),
        command="python -m benchmarks " + " ".join(sys.argv[1:]),
        sizes=Sizes(regions=regions, vms=vms, latency=latency),
    )
    with _progress() as progress:
        for name in clouds:
            clients = [one for one in CLIENTS[name] if one in wanted]
            _side_by_side(report, name, clients, rounds, more, progress)
            write(report, out)  # what is known is kept, whatever happens to the rest
        if more:
            _questions(report, clouds, progress)
    console.print(Markdown(markdown(report)))
    for file in write(report, out):
        console.print(f"written: {file}")


def _side_by_side(
    report: Report, cloud: str, clients: list[str], rounds: int, more: bool, progress: Progress
) -> None:
    scans = report.scans[cloud] = {name: [] for name in clients}
    task = progress.add_task(f"{cloud}: server", total=(rounds + 1) * len(clients))
    with Clouds(report.sizes, cloud) as server:
        # The first round makes pages, byte code and caches; it does not count.
        for turn in range(rounds + 1):
            for name in clients:
                progress.update(task, description=f"{cloud}: {name}")
                if turn == 0:
                    server.run(f"{cloud}_{name}", first=True)
                else:
                    scans[name].append(server.run(f"{cloud}_{name}"))
                progress.advance(task)
        if more:
            _cold(report, server, cloud, clients, rounds, progress)


def _cold(
    report: Report, server: Clouds, cloud: str, clients: list[str], rounds: int, progress: Progress
) -> None:
    cold = report.cold[cloud] = {name: [] for name in clients if name != "floor"}
    task = progress.add_task(f"{cloud}: cold", total=rounds * len(cold))
    for _ in range(rounds):
        for name, runs in cold.items():
            progress.update(task, description=f"{cloud}: cold start, {name}")
            runs.append(server.run(f"{cloud}_{name}", first=True))
            progress.advance(task)


def _questions(report: Report, clouds: list[str], progress: Progress) -> None:
    steps = goals.steps(clouds)
    task = progress.add_task("goals", total=len(steps))
    with tempfile.TemporaryDirectory() as folder:
        for what, goal, answer in steps:
            progress.update(task, description=what[:40])
            report.goals.append((what, answer(Path(folder)), goal))
            progress.advance(task)


@app.command()
def extras(
    cloud: Names = None,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of cold starts.")] = 3,
    out: Annotated[Path, typer.Option(help="Folder with results to add to.")] = FOLDER,
) -> None:
    """Add cold starts and the other goals to results that are there."""
    clouds = _known(cloud, list(CLIENTS), "cloud")
    report = read(out / "results.json")
    report.cold, report.goals = {}, []
    with _progress() as progress:
        for name in clouds:
            with Clouds(Sizes(regions=report.sizes.regions, vms=200), name) as server:
                _cold(report, server, name, list(CLIENTS[name]), rounds, progress)
        _questions(report, clouds, progress)
    console.print(Markdown(markdown(report)))
    write(report, out)


@app.command()
def publish(
    out: Annotated[Path, typer.Option(help="Folder with the results.")] = FOLDER,
    also: Annotated[
        list[Path] | None, typer.Option(help="Folder with more results, as of another size.")
    ] = None,
) -> None:
    """Put results into benchmarks/README.md, README.md and docs/benchmarks.svg."""
    report = read(out / "results.json")
    (ROOT / "docs").mkdir(exist_ok=True)
    (ROOT / "docs" / "benchmarks.svg").write_text(chart(report))
    start, end = "<!-- bench:start -->", "<!-- bench:end -->"
    others = [markdown(read(folder / "results.json")) for folder in also or ()]
    tables = "\n".join([markdown(report), *others])
    between(ROOT / "benchmarks" / "README.md", start, end, tables)
    report.cold, report.goals = {}, []
    picture = "![CPU time to list 1,000 VMs](docs/benchmarks.svg)\n\n"
    more = "\n[How it is measured, more figures, what is left](benchmarks/README.md).\n"
    between(ROOT / "README.md", start, end, picture + markdown(report) + more)


def _known(given: list[str] | None, known: list[str], what: str) -> list[str]:
    for name in given or ():
        if name not in known:
            raise typer.BadParameter(f"no {what} {name!r}; there is: {', '.join(known)}")
    return [name for name in known if not given or name in given]


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description:40}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )


if __name__ == "__main__":
    try:
        app()
    except ClientFailedError as error:
        sys.exit(str(error))
