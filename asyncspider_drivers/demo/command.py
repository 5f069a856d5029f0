"""``asyncspider demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where the records go.")
    ] = Path("inventory.jsonl"),
    vms: Annotated[
        int, typer.Option(min=1, max=200, metavar="N", help="VMs in each region of each cloud.")
    ] = 12,
) -> None:
    """Start emulated clouds on this machine, fill them, and scan them all.

    Needs no account and no network, and looks at no cloud configuration of yours.
    """
    from .show import run_demo  # imported when it runs: help is quick

    raise typer.Exit(run_demo(output, vms))
