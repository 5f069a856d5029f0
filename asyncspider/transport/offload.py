"""What would hold up the event loop, done beside it."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

import anyio.to_thread


async def load_module(name: str) -> ModuleType:
    """Import a module in a worker thread: a cloud's SDK takes a tenth of a second to several.

    Raises:
        ModuleNotFoundError: It is not installed.
    """
    module = sys.modules.get(name)
    # A module that another thread is still importing is listed already, half made.
    spec = getattr(module, "__spec__", None)
    if module is not None and not getattr(spec, "_initializing", False):
        return module
    return await anyio.to_thread.run_sync(import_module, name)
