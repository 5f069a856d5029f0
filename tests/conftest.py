"""Fixtures that all tests share."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.request import Request, urlopen

import anyio
import pytest

from asyncspider_drivers.demo.servers import LocalServer


@pytest.fixture(scope="session")
def moto_server() -> Iterator[str]:
    """The address of a moto server that the whole test run shares; it fails when it can't start."""
    with LocalServer("asyncspider_drivers.demo.moto") as server:
        yield anyio.run(server.ready)


@pytest.fixture
def fresh_moto(moto_server: str) -> str:
    """The same server's address, emptied first."""
    with urlopen(Request(f"{moto_server}/moto-api/reset", method="POST"), timeout=30) as answer:
        assert answer.status == 200
    return moto_server
