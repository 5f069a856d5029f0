"""What a driver is told and what it tells: capability, credentials, where to connect."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import msgspec

from .errors import InvalidRequestError
from .resources import RegionInfo, Resource
from .secrets import MaskedDict


class DriverCapabilityInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Which handlers a driver has. True only where the handler really works."""

    image_handler: bool = False
    vnetwork_handler: bool = False
    security_handler: bool = False
    key_pair_handler: bool = False
    vnic_handler: bool = False
    public_ip_handler: bool = False
    vm_handler: bool = False

    def __contains__(self, resource: Resource) -> bool:
        return bool(getattr(self, f"{resource.value}_handler"))


class CredentialInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Credentials as key-value pairs; `CloudDriver.credential_keys` documents each driver's.

    Empty = the cloud's own default chain. ``repr`` masks every value.
    """

    key_values: dict[str, str] = {}

    def __post_init__(self) -> None:
        for key, value in self.key_values.items():
            if not isinstance(key, str) or not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise InvalidRequestError(f"credential key {key!r}: keys and values are text")
        msgspec.structs.force_setattr(self, "key_values", MaskedDict(self.key_values))

    def __repr__(self) -> str:
        return f"CredentialInfo(key_values={self.key_values!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("key_values", self.key_values)]


class ConnectionInfo(msgspec.Struct, frozen=True, kw_only=True):
    """All that a driver needs to connect."""

    credential_info: CredentialInfo = CredentialInfo()
    """Credentials; empty = the cloud's own default chain."""
    region_info: RegionInfo = RegionInfo()
    """Where to; empty = the driver's default (GCP: the whole project)."""
    endpoint_url: str | None = None
    """Another server to talk to, as ``http://127.0.0.1:5000``: the root of the EC2 or Compute
    Engine API, Keystone's address for OpenStack. None = the cloud's own."""
    request_timeout: float = 60.0
    """Longest wait for one request from connect to last byte, in seconds."""

    def __post_init__(self) -> None:
        if self.endpoint_url is not None:
            try:
                url = urlsplit(self.endpoint_url)
                valid = url.scheme in ("http", "https") and bool(url.hostname)
                _ = url.port  # raises on a port that is none
            except ValueError:
                url, valid = None, False
            if url is None or not valid:
                raise InvalidRequestError(
                    "endpoint_url must look like http://host:port or https://host"
                )
            if url.password is not None:
                raise InvalidRequestError("endpoint_url must not hold a password")
        if not self.request_timeout > 0:
            raise InvalidRequestError("request_timeout must be more than 0 seconds")
