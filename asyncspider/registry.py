"""Finding drivers. Anybody can ship one: an entry point in the group ``asyncspider.drivers``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from .connection import CloudConnection
from .driver import CloudDriver, Connecting, ConnectionInfo, CredentialInfo
from .errors import InvalidRequestError, NotSupportedError
from .resources import RegionInfo

GROUP = "asyncspider.drivers"


@cache
def _entry_points() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def list_drivers() -> list[str]:
    """Return the names of all installed drivers, sorted. Loads none of them."""
    return sorted(_entry_points())


@cache
def load_driver(name: str) -> CloudDriver:
    """Return the driver of that name.

    Raises:
        InvalidRequestError: No installed package has such a driver.
        NotSupportedError: The cloud's SDK is not installed; the message says which extra has it.
    """
    entry = _entry_points().get(name)
    if entry is None:
        known = ", ".join(list_drivers()) or "none"
        raise InvalidRequestError(f"unknown driver {name!r}; installed: {known}", driver=name)
    try:
        driver = entry.load()
    except ModuleNotFoundError as error:
        extra = f"; install asyncspider[{entry.extras[0]}]" if entry.extras else ""
        raise NotSupportedError(
            f"driver {name!r} needs the module {error.name!r}, which is not installed{extra}",
            driver=name,
        ) from error
    return driver()


def connect(
    driver: str,
    *,
    region: str = "",
    zone: str = "",
    credential: CredentialInfo | Mapping[str, str] | None = None,
    endpoint_url: str | None = None,
) -> Connecting[CloudConnection]:
    """Load a driver and connect: ``async with`` the result, or ``await`` it and close it.

    Args:
        driver: Name of the driver.
        region: Name of the region, ``""`` = the driver's default.
        zone: Name of the zone, ``""`` = any.
        credential: A `CredentialInfo` or a mapping of its keys; None = the cloud's default chain.
        endpoint_url: Another server to talk to; see `ConnectionInfo`.

    Raises:
        InvalidRequestError: Unknown driver, or an unknown or missing credential key.
        NotSupportedError: The cloud's SDK is not installed.
    """
    if not isinstance(credential, CredentialInfo):
        credential = CredentialInfo(key_values=dict(credential or {}))
    return load_driver(driver).connect_cloud(
        ConnectionInfo(
            credential_info=credential,
            region_info=RegionInfo(region=region, zone=zone),
            endpoint_url=endpoint_url,
        )
    )
