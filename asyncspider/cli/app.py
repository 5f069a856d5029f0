"""The commands and their options. What they do is imported when they run: help is quick."""

from __future__ import annotations

import logging
import sys
from contextlib import ExitStack
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import __version__
from ..errors import InvalidRequestError, NotSupportedError, SpiderError
from ..resources import Resource
from .exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..fleet.outcomes import Batch
    from .scan import Tally
    from .settings import Settings

COMMANDS = "asyncspider.commands"
"""Entry-point group of more commands: each a function with typer's annotations."""

app = typer.Typer(
    name="asyncspider",
    help="One asynchronous interface to many clouds.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

CredentialOption = Annotated[
    list[str] | None,
    typer.Option(
        "--credential",
        metavar="KEY=VALUE",
        help="A credential key of the driver; repeat for more. Write secrets as [b]env:NAME[/] or "
        "[b]file:PATH[/]: others can see a command line. None = the cloud's default chain.",
    ),
]
EndpointOption = Annotated[
    str | None,
    typer.Option("--endpoint-url", metavar="URL", help="Another server to talk to."),
]
TimeoutOption = Annotated[
    float | None,
    typer.Option(
        "--request-timeout", metavar="SECONDS", help="Longest wait for one request. [dim]60[/]"
    ),
]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"asyncspider {__version__}")
        raise typer.Exit


class _StderrHandler(logging.StreamHandler[Any]):
    """Writes to whatever standard error is now: a live display stands in for it meanwhile."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


@app.callback()
def options(
    verbose: Annotated[
        int, typer.Option("--verbose", "-v", count=True, help="Log more; -vv logs everything.")
    ] = 0,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """One asynchronous interface to many clouds."""
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    handler = _StderrHandler()
    if not verbose:
        # Each retry is a warning there; what comes of it stands in the reports.
        logging.getLogger("stamina").setLevel(logging.ERROR)
    logging.basicConfig(
        level=level, handlers=[handler], format="%(levelname)s %(name)s: %(message)s"
    )


@app.command()
def drivers() -> None:
    """Show the installed drivers and what each can do."""
    from ..registry import list_drivers, load_driver
    from .display import console, show, table

    out = console(sys.stdout)
    grid = table("driver", *Resource, "version", plain=not out.is_terminal)
    notes: list[str] = []
    for name in list_drivers():
        try:
            driver = load_driver(name)
        except NotSupportedError as error:
            grid.add_row(name, *("?" for _ in Resource), "")
            notes.append(error.message)
            continue
        capability = driver.get_driver_capability()
        grid.add_row(
            name,
            *("yes" if resource in capability else "no" for resource in Resource),
            driver.get_driver_version(),
        )
    show(out, grid)
    for note in notes:
        show(out, note.replace("[", "\\["))


@app.command()
def regions(
    driver: Annotated[str, typer.Argument(help="Name of the driver.", show_default=False)],
    credential: CredentialOption = None,
    endpoint_url: EndpointOption = None,
    request_timeout: TimeoutOption = None,
) -> None:
    """List the regions that an account can use, one a line."""
    from ..registry import load_driver
    from .running import run_async
    from .settings import target_from_options

    target = target_from_options(
        driver,
        regions=None,
        accounts=None,
        credential=credential or (),
        endpoint_url=endpoint_url,
        request_timeout=request_timeout,
    )
    info = target.connection_info()
    for region in run_async(load_driver(driver).list_regions(info)):
        typer.echo(region.region)


@app.command()
def scan(
    targets: Annotated[
        Path | None,
        typer.Option(
            "--targets",
            "-f",
            metavar="FILE",
            help="File that says what to scan. [dim]asyncspider.toml, unless --driver is given[/]",
            rich_help_panel="What",
        ),
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            "--target",
            metavar="NAME",
            help="Only this target of the file; repeat for more.",
            rich_help_panel="What",
        ),
    ] = None,
    driver: Annotated[
        str | None,
        typer.Option(
            "--driver",
            metavar="NAME",
            help="Scan with this driver instead of a file.",
            rich_help_panel="What",
        ),
    ] = None,
    regions: Annotated[
        str | None,
        typer.Option(
            "--regions",
            metavar="LIST",
            help="Comma-separated names, globs and ! excludes, as 'all,!us-gov-*'. "
            "'' = one target for the whole account, where the cloud can.",
            rich_help_panel="What",
        ),
    ] = None,
    accounts: Annotated[
        str | None,
        typer.Option(
            "--accounts",
            metavar="LIST",
            help="The same for accounts (projects), where credentials reach several.",
            rich_help_panel="What",
        ),
    ] = None,
    resource: Annotated[
        list[Resource] | None,
        typer.Option(
            "--resource",
            "-r",
            metavar="KIND",
            help=f"{', '.join(Resource)}; repeat for more. [dim]all seven[/]",
            rich_help_panel="What",
        ),
    ] = None,
    credential: CredentialOption = None,
    endpoint_url: EndpointOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write records and reports to this file, as JSON Lines.",
            rich_help_panel="Output",
        ),
    ] = None,
    json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Write them to standard output; the summary then goes to standard error.",
            rich_help_panel="Output",
        ),
    ] = False,
    deadline: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", help="Longest time for the whole scan.", rich_help_panel="Limits"
        ),
    ] = None,
    request_timeout: TimeoutOption = None,
    limit_total: Annotated[
        int | None,
        typer.Option(metavar="N", help="Scopes worked on at once.", rich_help_panel="Limits"),
    ] = None,
    limit_per_target: Annotated[
        int | None,
        typer.Option(metavar="N", help="Of these, of one target.", rich_help_panel="Limits"),
    ] = None,
    limit_requests: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Requests in flight for each target.", rich_help_panel="Limits"
        ),
    ] = None,
    limit_rate: Annotated[
        float | None,
        typer.Option(
            metavar="N", help="Requests a second to each target.", rich_help_panel="Limits"
        ),
    ] = None,
    limit_burst: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Requests at once before the rate bites.", rich_help_panel="Limits"
        ),
    ] = None,
) -> None:
    """List what many regions, accounts and clouds hold, all at once.

    Exit codes: 0 everything was read, 1 nothing was, 2 wrong usage, 3 a part is missing.
    """
    import msgspec

    from .settings import (
        DEFAULT_FILE,
        Settings,
        read_settings,
        target_from_options,
        visible_secrets,
        with_limits,
    )

    if driver is not None:
        if targets is not None or target:
            raise InvalidRequestError("--driver and a target file exclude each other")
        one = target_from_options(
            driver,
            regions=regions,
            accounts=accounts,
            credential=credential or (),
            endpoint_url=endpoint_url,
            request_timeout=request_timeout,
        )
        if keys := visible_secrets(one):
            _complain(f"others can see {', '.join(keys)} on the command line; env:NAME hides it")
        settings = Settings(target=[one])
    else:
        for name, value in (
            ("--regions", regions),
            ("--accounts", accounts),
            ("--credential", credential),
            ("--endpoint-url", endpoint_url),
            ("--request-timeout", request_timeout),
        ):
            if value is not None:
                raise InvalidRequestError(f"{name} needs --driver; a target file has its own")
        if targets is None and not DEFAULT_FILE.exists():
            raise InvalidRequestError(
                f"what to scan? there is no {DEFAULT_FILE} here; give --driver or --targets FILE"
            )
        settings = read_settings(targets or DEFAULT_FILE)
        settings = _only(settings, target or [])
    settings = msgspec.structs.replace(
        settings,
        resources=resource or settings.resources or list(Resource),
        deadline=settings.deadline if deadline is None else deadline,
        output=str(output) if output is not None else settings.output,
        limits=with_limits(
            settings.limits,
            {
                "total": limit_total,
                "per_target": limit_per_target,
                "requests_per_target": limit_requests,
                "rate": limit_rate,
                "burst": limit_burst,
            },
        ),
    )
    raise typer.Exit(_scan(settings, json=json))


def _only(settings: Settings, names: list[str]) -> Settings:
    """Return the settings with only the targets of these names; none = all."""
    import msgspec

    labels = [target.label for target in settings.target]
    for name in names:
        if name not in labels:
            raise InvalidRequestError(f"no target {name!r}; there is: {', '.join(labels)}")
    kept = [target for target in settings.target if not names or target.label in names]
    return msgspec.structs.replace(settings, target=kept)


def _scan(settings: Settings, *, json: bool) -> int:
    from ..inventory import encode_jsonl
    from .display import console, progress, summary
    from .running import open_writer, run_async
    from .scan import scan_settings

    if settings.deadline is not None and not settings.deadline > 0:
        raise InvalidRequestError("deadline must be more than 0 seconds")
    resources = list(dict.fromkeys(settings.resources))
    sinks: list[Callable[[Batch], object]] = []
    with ExitStack() as stack:
        if settings.output is not None:
            sinks.append(stack.enter_context(open_writer(settings.output)).write)
        if json:
            raw = sys.stdout.buffer

            def to_stdout(batch: Batch) -> None:
                raw.write(encode_jsonl(batch))
                raw.flush()

            sinks.append(to_stdout)
        with progress(len(resources)) as watcher:
            tally = run_async(
                scan_settings(
                    settings.target,
                    resources,
                    sinks=sinks,
                    watcher=watcher,
                    limits=settings.limits,
                    deadline=settings.deadline,
                )
            )
    if tally.exit_code == ExitCode.NOTHING:
        _complain_of(tally)
    else:
        out = console(sys.stderr if json else sys.stdout)
        summary(out, tally, resources)
        if settings.output is not None:
            out.print(f"written to {settings.output}", soft_wrap=True, markup=False)
    return tally.exit_code


def _complain_of(tally: Tally) -> None:
    """Write one line for each different failure of a scan that read nothing."""
    told: dict[tuple[str, str], list[str]] = {}
    for report in tally.failures:
        error = report.error
        if error is not None:
            code = f" ({error.code})" if error.code else ""
            told.setdefault((str(report.status), f"{error.message}{code}"), []).append(
                report.target
            )
    for (status, message), targets in told.items():
        names = list(dict.fromkeys(targets))
        where = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more targets"
        _complain(f"{where}: {status}: {message}")


# -- how commands run


def _complain(message: str) -> None:
    from .display import complain

    complain(message)


@cache
def _add_commands() -> None:
    for entry in sorted(entry_points(group=COMMANDS), key=lambda entry: entry.name):
        try:
            command = entry.load()
        except (ImportError, AttributeError) as error:
            _complain(f"command {entry.name!r} is broken: {error}")
        else:
            app.command(entry.name)(command)


def run() -> None:
    """Run the command line: every failure that has a name is one line, never a traceback."""
    try:
        _add_commands()
        app()
    except (InvalidRequestError, NotSupportedError) as error:
        _complain(str(error))
        sys.exit(ExitCode.USAGE)
    except SpiderError as error:
        _complain(str(error))
        sys.exit(ExitCode.NOTHING)
