"""Finding drivers. Anybody can ship one: an entry point in the group ``asyncspider.drivers``."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, PackageNotFoundError, distribution, entry_points

from anyio import to_thread

from .connection import CloudConnection
from .driver import CloudDriver, Connecting
from .errors import InvalidRequestError, NotSupportedError
from .info import ConnectionInfo, CredentialInfo
from .resources import RegionInfo

GROUP = "asyncspider.drivers"
_loaded: dict[str, CloudDriver] = {}
_loading = threading.RLock()


@cache
def _entry_points() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def list_drivers() -> list[str]:
    """Return the names of all installed drivers, sorted. Loads none of them."""
    return sorted(_entry_points())


def missing_packages(name: str) -> tuple[list[str], str]:
    """Return the packages that a driver needs and that are not installed, without loading it.

    Args:
        name: Name of a driver of `list_drivers`.

    Returns:
        Their names, and what to install instead, as ``asyncspider[aws]``; ``""`` when the driver
        names no extra.
    """
    entry = _entry_points()[name]
    if not entry.extras or entry.dist is None:
        return [], ""
    [extra, *_] = entry.extras
    # Metadata lines read: aiobotocore>=3.0; extra == "aws". What has more conditions is left
    # to the import itself.
    wanted = re.compile(rf"""([\w.-]+)[^;]*;\s*extra\s*==\s*["']{re.escape(extra)}["']\s*""")
    found = [match[1] for line in entry.dist.requires or () if (match := wanted.fullmatch(line))]
    return [package for package in found if not _installed(package)], f"{entry.dist.name}[{extra}]"


def _installed(package: str) -> bool:
    try:
        distribution(package)
    except PackageNotFoundError:
        return False
    return True


def load_driver(name: str) -> CloudDriver:
    """Return the driver of that name.

    Raises:
        InvalidRequestError: No installed package has such a driver.
        NotSupportedError: The cloud's SDK is not installed, and the message says which extra has
            it; or the driver can't be imported.
    """
    # One thread looks through what is installed; hundreds of targets may ask at the same time.
    with _loading:
        return _loaded.get(name) or _loaded.setdefault(name, _load(name))


def _load(name: str) -> CloudDriver:
    entry = _entry_points().get(name)
    if entry is None:
        known = ", ".join(list_drivers()) or "none"
        raise InvalidRequestError(f"unknown driver {name!r}; installed: {known}", driver=name)
    missing, extra = missing_packages(name)
    try:
        if missing:
            raise ModuleNotFoundError(name=", ".join(missing))
        driver = entry.load()
    except ModuleNotFoundError as error:
        hint = f"; install {extra}" if extra else ""
        raise NotSupportedError(
            f"driver {name!r} needs {error.name}, which is not installed{hint}", driver=name
        ) from error
    except (ImportError, AttributeError) as error:
        raise NotSupportedError(f"driver {name!r} is broken: {error}", driver=name) from error
    return driver()


async def load_driver_aside(name: str) -> CloudDriver:
    """Return the same as `load_driver`; a driver's import does not hold up the event loop."""
    return _loaded.get(name) or await to_thread.run_sync(load_driver, name)


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
