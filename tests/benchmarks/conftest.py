"""Simulated clouds for tests that count."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from asyncspider import ConnectionInfo, CredentialInfo, RegionInfo, Target
from benchmarks.cloudsim.world import PROJECT, region_names
from benchmarks.running import Clouds, Sizes

REGIONS, VMS, PAGE = 3, 60, 20
"""Each region has so many VMs, three pages of them; each zone one page."""

_KEYS = {
    "aws": {"aws_access_key_id": "bench", "aws_secret_access_key": "bench"},
    "gcp": {"project_id": PROJECT, "access_token": "bench"},
    "openstack": {
        "username": "bench",
        "password": "bench",
        "project_name": "bench",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    },
}


def pytest_configure(config: pytest.Config) -> None:
    """Let openstacksdk's notes on its own future pass."""
    config.addinivalue_line("filterwarnings", "ignore:Support for InfluxDB")
    config.addinivalue_line("filterwarnings", "ignore::PendingDeprecationWarning:openstack")


def targets(url: str, driver: str, regions: int = REGIONS) -> list[Target]:
    """Return a target for each region; one for the whole project on Compute Engine."""
    names = ("",) if driver == "gcp" else region_names(regions)
    endpoint = f"{url}/identity/v3" if driver == "openstack" else url
    return [
        Target(
            name=f"{driver}/{name}",
            driver=driver,
            connection_info=ConnectionInfo(
                credential_info=CredentialInfo(key_values=_KEYS[driver]),
                region_info=RegionInfo(region=name),
                endpoint_url=endpoint,
            ),
        )
        for name in names
    ]


@pytest.fixture(scope="module")
def start() -> Iterator[Callable[..., Clouds]]:
    """Start simulated clouds with any options; they stop with the module."""
    running: list[Clouds] = []

    def run(*options: str, vms: int = VMS, latency: float = 20) -> Clouds:
        sizes = Sizes(regions=REGIONS, vms=vms, latency=latency)
        running.append(Clouds(sizes, "", *options))
        return running[-1]

    yield run
    for server in running:
        server.__exit__(None, None, None)


@pytest.fixture(scope="module")
def paged(start: Callable[..., Clouds]) -> Clouds:
    """Clouds whose pages are short."""
    return start("--page-size", str(PAGE))


@pytest.fixture(scope="module")
def slow(start: Callable[..., Clouds]) -> Clouds:
    """The same, slow enough that whoever could be asked at one time is."""
    return start("--page-size", str(PAGE), latency=300)


@pytest.fixture(scope="module")
def small(start: Callable[..., Clouds]) -> Clouds:
    """Clouds that fit on one page."""
    return start()


@pytest.fixture(scope="module")
def large(start: Callable[..., Clouds]) -> Clouds:
    """Clouds with ten times as many VMs, on pages of the usual size."""
    return start(vms=10 * VMS)
