"""What all commands do around their work."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import typer

from ..errors import InvalidRequestError
from ..inventory import JsonLinesWriter
from .display import complain
from .exit_codes import ExitCode

T = TypeVar("T")


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end. Ctrl-C cancels it, lets it clean up, and ends the command."""
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        complain("interrupted")
        raise typer.Exit(ExitCode.INTERRUPTED) from None


def open_writer(path: Path | str) -> JsonLinesWriter:
    """Open a file for outcomes.

    Raises:
        InvalidRequestError: It can't be written.
    """
    try:
        return JsonLinesWriter(path)
    except OSError as error:
        raise InvalidRequestError(f"can't write {path}: {error.strerror}") from error
