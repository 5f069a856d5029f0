"""States that a cloud calls by words of its own."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from .vm import VMStatus

_log = logging.getLogger("asyncspider.resources")
_told: set[tuple[str, str]] = set()


def status_of_native(driver: str, table: Mapping[str, VMStatus], native: str) -> VMStatus:
    """Return the common word for a native state; FAILED for one that the table lacks.

    The first time that a word is not known, it is logged. A driver keeps the word itself in
    ``native_status``, and in ``additional_info`` with `unknown_state`.
    """
    status = table.get(native)
    if status is not None:
        return status
    if (driver, native) not in _told:
        _told.add((driver, native))
        _log.warning("%s reports a VM state that is not known: %r; shown as FAILED", driver, native)
    return VMStatus.FAILED


def unknown_state(table: Mapping[str, VMStatus], native: str) -> str:
    """Return the ``additional_info`` for a state that the table lacks, ``""`` for a known one."""
    return "" if native in table else f"unknown state: {native}"
