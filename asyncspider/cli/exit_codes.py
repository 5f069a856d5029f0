"""What the command ends with."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes; the last two are 128 and a signal's number, as shells have it."""

    OK = 0
    """Every scope was read in full."""
    NOTHING = 1
    """Nothing could be read."""
    USAGE = 2
    """An option, the target file or the installation is wrong; nothing was asked."""
    PARTIAL = 3
    """Some scopes were read, others not."""
    INTERRUPTED = 130
    """Ctrl-C."""
    PIPE_CLOSED = 141
    """The reader of standard output went away."""
