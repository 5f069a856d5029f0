"""Ids here, and what Compute Engine calls the same: URLs, scopes and paths. Pure functions."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from asyncspider import NotFoundError

_URL = re.compile(
    r"(?:https?://[^/]+/compute/[^/]+/)?projects/(?P<project>[^/]+)/"
    r"(?:global|regions/(?P<region>[^/]+)|zones/(?P<zone>[^/]+))/"
    r"(?P<collection>[^/]+)/(?P<name>[^/]+)"
)

GLOBAL = "global"
"""Scope, and `Record.region`, of what is in no region."""


@lru_cache(maxsize=4096)
def last(url: str) -> str:
    """Return the name at the end of a URL."""
    return url.rpartition("/")[2]


def region_of(zone: str) -> str:
    """Return the region of a zone."""
    return zone.rpartition("-")[0]


@lru_cache(maxsize=4096)
def network_id(url: str, project: str) -> str:
    """Return the id of a network: its name, or ``projects/p/global/networks/n`` of another's."""
    match = _URL.fullmatch(url)
    if match is None or match["project"] == project:
        return last(url)
    return f"projects/{match['project']}/global/networks/{match['name']}"


@lru_cache(maxsize=4096)
def subnetwork_id(url: str, project: str) -> str:
    """Return the id of a subnetwork: ``region/name``, a path for another project's."""
    match = _URL.fullmatch(url)
    if match is None:
        return last(url)
    if match["project"] == project:
        return f"{match['region']}/{match['name']}"
    return f"projects/{match['project']}/regions/{match['region']}/subnetworks/{match['name']}"


def resource_path(url: str) -> str:
    """Return the path of a URL, from ``projects/`` on."""
    return url[url.index("projects/") :] if "projects/" in url else url


def instance_id(url: str) -> str:
    """Return the id of an instance, ``zone/name``; ``""`` for the URL of anything else."""
    match = _URL.fullmatch(url)
    if match is None or match["collection"] != "instances":
        return ""
    return f"{match['zone']}/{match['name']}"


def image_id(url: str, project: str) -> str:
    """Return the id of an image: its name, or ``owner/name`` of another project's."""
    match = _URL.fullmatch(url)
    if match is None or match["project"] == project:
        return last(url)
    return f"{match['project']}/{match['name']}"


def image_path(facts: dict[str, Any], image_id: str, project: str) -> str:
    """Return the path of an image by any id that names one.

    ``name``, ``owner/name``, ``owner/family/name``, ``projects/p/global/images/name``,
    ``projects/p/global/images/family/name``, or a URL.

    Raises:
        NotFoundError: Nothing can have such an id.
    """
    found = re.search(r"projects/([^/]+)/global/images/(.+)", image_id)
    if found is not None:
        owner, rest = found[1], found[2]
    elif "/" in image_id:
        owner, _, rest = image_id.partition("/")
    else:
        owner, rest = project, image_id
    name = rest.removeprefix("family/")
    if owner in _NO_NAMES or name in _NO_NAMES or "/" in name:
        raise NotFoundError(
            f"there is no image {image_id!r}: ids look like name or project/name", **facts
        )
    return f"projects/{quote(owner, safe='')}/global/images/{quote(rest)}"


_NO_NAMES = ("", ".", "..")  # a path would lead elsewhere


def segment(facts: dict[str, Any], what: str, name: str) -> str:
    """Return a name as part of a path.

    Raises:
        NotFoundError: Nothing can have that name.
    """
    if name in _NO_NAMES:
        raise NotFoundError(f"there is no {what} {name!r}", **facts)
    return quote(name, safe="")


def split_id(facts: dict[str, Any], what: str, id: str, *parts: str) -> list[str]:
    """Return the parts of an id, as ``zone/name``.

    Args:
        facts: Driver, region and operation, for the error.
        what: What it is an id of.
        id: The id.
        parts: What its parts are called.

    Raises:
        NotFoundError: It has not that many, so nothing can have it.
    """
    found = id.split("/")
    if len(found) != len(parts) or any(part in _NO_NAMES for part in found):
        raise NotFoundError(f"there is no {what} {id!r}: ids look like {'/'.join(parts)}", **facts)
    return found
