"""A server that says what a real OpenStack said, and can misbehave."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from .replay import Replay


def pytest_configure(config: pytest.Config) -> None:
    # openstacksdk warns of its own insides.
    config.addinivalue_line("filterwarnings", "ignore:Support for InfluxDB")
    config.addinivalue_line("filterwarnings", "ignore::PendingDeprecationWarning:openstack")


@pytest.fixture(autouse=True)
def no_outside_openstack(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    """Keep this machine's own OpenStack configuration out of the tests."""
    for name in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", f"{tmp_path}/no-clouds.yaml")


@pytest_asyncio.fixture
async def cloud() -> AsyncGenerator[Replay, None]:
    """A replaying cloud on a free port."""
    async with Replay() as replay:
        yield replay
