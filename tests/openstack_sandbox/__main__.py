"""The command: ``python -m tests.openstack_sandbox up|down|status``."""

from __future__ import annotations

import argparse
import sys

from . import layout
from .bring_up import Sandbox
from .steps import StepError, say

ABOUT = """\
A real OpenStack control plane on 127.0.0.1: Keystone, Glance, Placement, Neutron and Nova with
a hypervisor that only pretends. Needs root when MariaDB or RabbitMQ must be installed first.

OPENSTACK_SANDBOX_DIR     folder for everything; default: asyncspider-openstack in the temp folder
OPENSTACK_SANDBOX_PORT    first of nine ports; default: the first free place from 21500 on
OPENSTACK_SANDBOX_PYTHON  interpreter for the services (3.11 or 3.12); default: this one
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.openstack_sandbox",
        description=ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="start it; what is there already is used")
    down = commands.add_parser("down", help="stop it")
    down.add_argument("--purge", action="store_true", help="forget the data too")
    commands.add_parser("status", help="say what runs")
    given = parser.parse_args(argv)
    if given.command == "up":
        try:
            Sandbox(layout.make()).up()
        except StepError as failure:
            say(failure.report())
            say("what was started still runs; 'down' stops it")
            return 1
        return 0
    found = layout.find()
    if found is None:
        say(f"there is no sandbox in {layout.folder()}")
        return 1 if given.command == "status" else 0
    if given.command == "status":
        return 0 if Sandbox(found).status() else 1
    Sandbox(found).down(purge=given.purge)
    return 0


if __name__ == "__main__":
    sys.exit(main())
