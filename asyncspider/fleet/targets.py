"""What a fleet looks at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import partial

import msgspec
from anyio import CapacityLimiter

from ..driver import CloudDriver
from ..errors import InvalidRequestError
from ..info import ConnectionInfo
from ..registry import load_driver_aside
from ..resources import RegionInfo
from ..streams import gathered


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One connection's worth of a cloud: an account in a region."""

    name: str
    """Unique in its fleet; stands in every record and report."""
    driver: str
    """Name of the driver."""
    connection_info: ConnectionInfo = ConnectionInfo()
    """How to connect."""


def select(names: Sequence[str], patterns: str | Iterable[str], *, what: str) -> list[str]:
    """Return the names that match, in their own order.

    Args:
        names: What there is.
        patterns: Names, globs as ``eu-*``, and excludes as ``!us-gov-*``; one comma-separated
            text or several. ``all`` is all, and so is nothing but excludes.
        what: The word for one of them, for messages.

    Raises:
        InvalidRequestError: A plain name that is not there; the message says what is.
    """
    if isinstance(patterns, str):
        patterns = patterns.split(",")
    wanted = [pattern.strip() for pattern in patterns if pattern.strip()]
    excludes = [pattern[1:] for pattern in wanted if pattern.startswith("!")]
    includes = [pattern for pattern in wanted if not pattern.startswith("!")]
    if not includes and excludes:
        includes = ["all"]
    if not includes:
        raise InvalidRequestError(f"no {what} was named; 'all' means all")
    for pattern in includes:
        if pattern != "all" and pattern not in names and not set(pattern) & set("*?["):
            near = get_close_matches(pattern, names, n=3) or list(names[:8])
            raise InvalidRequestError(
                f"no {what} {pattern!r}; there is: {', '.join(near) or 'none'}"
            )
    return [
        name
        for name in names
        if any(pattern == "all" or fnmatchcase(name, pattern) for pattern in includes)
        and not any(fnmatchcase(name, pattern) for pattern in excludes)
    ]


async def expand(
    driver: str,
    connection_info: ConnectionInfo = ConnectionInfo(),  # noqa: B008 - frozen
    regions: str | Iterable[str] = "all",
    *,
    accounts: str | Iterable[str] = (),
    name: str = "",
) -> list[Target]:
    """Make one target for each region, and each account, that matches.

    Args:
        driver: Name of the driver.
        connection_info: How to connect; its region is where the question is asked.
        regions: ``"all"``, names, globs, and excludes that begin with ``!``: several, or one
            comma-separated text. ``""`` = no expansion by region: one target for the whole
            account, for clouds whose lists can span all regions.
        accounts: The same for accounts (projects), where the credentials reach several; plain
            names are taken as they are, globs and ``"all"`` ask the cloud.
        name: First part of each target's name; ``""`` = the driver's name.

    Raises:
        InvalidRequestError: A region or account is not there.
        SpiderError: The cloud could not be asked.
    """
    cloud = await load_driver_aside(driver)
    cloud.check_credential(connection_info.credential_info)
    prefix = name or driver
    infos = await _accounts(cloud, connection_info, accounts)
    if regions == "":
        return [_target(prefix, account, "", driver, info) for account, info in infos]
    patterns = regions.split(",") if isinstance(regions, str) else list(regions)
    found: list[list[RegionInfo]] = [[] for _ in infos]
    limiter = CapacityLimiter(16)

    async def ask(index: int) -> None:
        async with limiter:
            found[index] = await cloud.list_regions(infos[index][1])

    await gathered(*(partial(ask, index) for index in range(len(infos))))
    targets: list[Target] = []
    for (account, info), places in zip(infos, found, strict=True):
        for region in select([place.region for place in places], patterns, what="region"):
            place = msgspec.structs.replace(info, region_info=RegionInfo(region=region))
            targets.append(_target(prefix, account, region, driver, place))
    return targets


def _target(prefix: str, account: str, region: str, driver: str, info: ConnectionInfo) -> Target:
    name = "/".join(filter(None, (prefix, account, region)))
    return Target(name=name, driver=driver, connection_info=info)


async def _accounts(
    cloud: CloudDriver, info: ConnectionInfo, accounts: str | Iterable[str]
) -> list[tuple[str, ConnectionInfo]]:
    wanted = [
        pattern.strip()
        for pattern in (accounts.split(",") if isinstance(accounts, str) else accounts)
        if pattern.strip()
    ]
    if not wanted:
        return [("", info)]
    if any(pattern == "all" or set(pattern) & set("*?[!") for pattern in wanted):
        wanted = select(await cloud.list_accounts(info), wanted, what="account")
    return [(account, cloud.for_account(info, account)) for account in dict.fromkeys(wanted)]
