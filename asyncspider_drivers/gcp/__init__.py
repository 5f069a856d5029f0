"""Google Cloud: Compute Engine, over its REST API."""

from __future__ import annotations

from .driver import GcpDriver

__all__ = ["GcpDriver"]
