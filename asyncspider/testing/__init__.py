"""The contract suite: one body of tests that every driver passes.

Subclass `DriverContract` in a test module of your driver, override its hooks, and run pytest.
It needs ``pytest`` and ``pytest-asyncio``, which the extra ``asyncspider[testing]`` installs;
nothing else of this package imports them. ``docs/writing-a-driver.md`` has an example.
"""

from __future__ import annotations

import pytest

# Before they are imported, so that their asserts tell what they compared.
pytest.register_assert_rewrite(
    *(
        f"{__name__}.{module}"
        for module in ("hooks", "kit", "leftovers", "connecting", "lists", "lifecycle", "fleets")
    )
)

from .connecting import ConnectingContract  # noqa: E402
from .fleets import FleetContract  # noqa: E402
from .hooks import ContractHooks  # noqa: E402
from .kit import Kit  # noqa: E402
from .leftovers import no_leftovers  # noqa: E402
from .lifecycle import LifecycleContract  # noqa: E402
from .lists import ListContract  # noqa: E402


class DriverContract(ConnectingContract, ListContract, LifecycleContract, FleetContract):
    """All tests of the contract. Subclass it as ``class TestMyCloud(DriverContract)``."""


__all__ = ["ContractHooks", "DriverContract", "Kit", "no_leftovers"]
