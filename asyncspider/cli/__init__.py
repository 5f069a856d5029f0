"""The command ``asyncspider``."""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command and exit with its code."""
    from .app import run

    run()
