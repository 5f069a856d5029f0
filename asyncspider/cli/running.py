"""What all commands do around their work."""

from __future__ import annotations

import asyncio
import os
import sys
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
    """Run a coroutine to its end.

    Ctrl-C cancels it, lets it clean up, and ends the command; so does a reader of our output
    that goes away, as ``head`` does.
    """
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        complain("interrupted")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    except BrokenPipeError:
        # Python flushes the stream again at exit, and would complain then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(ExitCode.PIPE_CLOSED) from None


def open_writer(path: Path | str) -> JsonLinesWriter:
    """Open a file for outcomes.

    Raises:
        InvalidRequestError: It can't be written.
    """
    try:
        return JsonLinesWriter(path)
    except OSError as error:
        raise InvalidRequestError(f"can't write {path}: {error.strerror}") from error
