"""Ids: in paths, and told from names."""

from __future__ import annotations

from urllib.parse import quote

from asyncspider import InvalidRequestError


def segment(id: str) -> str:
    """Return an id as one segment of a path.

    Raises:
        InvalidRequestError: It is empty or dots, and would name something else.
    """
    if not id or id in (".", ".."):
        raise InvalidRequestError(f"not an id: {id!r}", driver="openstack")
    return quote(id, safe="")


def is_project_id(text: str) -> bool:
    """Return whether a text is the id of a project, as Keystone makes them, and no name."""
    return len(text) == 32 and not text.strip("0123456789abcdef")
