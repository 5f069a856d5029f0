"""The control plane that runs, and clients of it: ours and openstacksdk."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any

import openstack
import pytest
import pytest_asyncio
from openstack.connection import Connection

from asyncspider import CloudConnection, ConnectionInfo, CredentialInfo, RegionInfo, connect
from asyncspider_drivers.openstack.connection import OpenStackConnection
from tests.openstack_sandbox import layout
from tests.openstack_sandbox.layout import Layout


def pytest_configure(config: pytest.Config) -> None:
    # openstacksdk warns of its own insides.
    config.addinivalue_line("filterwarnings", "ignore:Support for InfluxDB")
    config.addinivalue_line("filterwarnings", "ignore::PendingDeprecationWarning:openstack")


@pytest.fixture(scope="session")
def sandbox() -> Layout:
    """The control plane; it must run."""
    found = layout.find()
    if found is None:
        pytest.fail(
            f"no sandbox in {layout.folder()}: 'nox -s openstack' starts it, runs these tests and "
            "stops it; 'python -m tests.openstack_sandbox up' only starts it"
        )
    return found


@pytest.fixture(autouse=True)
def only_the_sandbox(sandbox: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep this machine's own OpenStack configuration out of the tests."""
    for name in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(sandbox.clouds_yaml))
    monkeypatch.chdir(sandbox.root / "run")


def keys(sandbox: Layout, user: str = "demo", **changes: str) -> dict[str, str]:
    """Return credential keys of a user."""
    return {
        "username": user,
        "password": sandbox.password,
        "project_name": user,
        "user_domain_id": "default",
        "project_domain_id": "default",
        **changes,
    }


def info(
    sandbox: Layout, user: str = "demo", region: str = "RegionOne", **changes: str
) -> ConnectionInfo:
    """Return how to connect as a user."""
    return ConnectionInfo(
        credential_info=CredentialInfo(key_values=keys(sandbox, user, **changes)),
        region_info=RegionInfo(region=region),
        endpoint_url=sandbox.auth_url,
        request_timeout=60,
    )


@pytest_asyncio.fixture
async def ours() -> AsyncGenerator[OpenStackConnection, None]:
    """Our connection as the user ``demo``."""
    async with connect("openstack", region="RegionOne", credential={"cloud": "sandbox"}) as made:
        assert isinstance(made, OpenStackConnection)
        yield made


@pytest_asyncio.fixture
async def administrator() -> AsyncGenerator[CloudConnection, None]:
    """Our connection as an administrator who sees all projects."""
    credential = {"cloud": "sandbox-admin", "all_projects": "true"}
    async with connect("openstack", credential=credential) as made:
        yield made


@pytest.fixture(scope="session")
def sdk(sandbox: Layout) -> Iterator[Callable[..., Connection]]:
    """Return openstacksdk's connections by cloud and region."""
    made: dict[tuple[str, str], Any] = {}

    def connection(cloud: str = "sandbox", region: str = "RegionOne") -> Connection:
        if (cloud, region) not in made:
            os.environ["OS_CLIENT_CONFIG_FILE"] = str(sandbox.clouds_yaml)
            made[cloud, region] = openstack.connect(cloud=cloud, region_name=region)
        return made[cloud, region]

    yield connection
    for each in made.values():
        each.close()
