"""The mock cloud: in memory, no network, seeded, and turned by its own clock.

The reference implementation of every contract, the embedded default, and what applications
test themselves with. ``docs/mock.md`` says how.
"""

from __future__ import annotations

from .connection import MockConnection
from .driver import MockDriver
from .world import Clock, Traffic, World, WorldConfig, named_world

__all__ = [
    "Clock",
    "MockConnection",
    "MockDriver",
    "Traffic",
    "World",
    "WorldConfig",
    "named_world",
]
