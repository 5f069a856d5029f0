"""The driver for Google Cloud."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlencode

import msgspec

import asyncspider
from asyncspider import (
    CloudDriver,
    ConnectionInfo,
    CredentialInfo,
    InvalidRequestError,
    NotFoundError,
    ProtocolError,
    RegionInfo,
    SpiderError,
)
from asyncspider.transport.session import open_session

from . import wire
from .connection import GcpConnection, is_google
from .credentials import open_account
from .errors import error_of
from .names import region_of

_MANAGER = "https://cloudresourcemanager.googleapis.com"
_SOURCES = ("credentials_file", "credentials_json", "access_token")
_projects = msgspec.json.Decoder(wire.ManagedProjects)


class GcpDriver(CloudDriver):
    """Compute Engine. Region ``""`` is the whole project, which is also the cheapest to list.

    Read from the environment, as Google's own tools do: ``GOOGLE_APPLICATION_CREDENTIALS``,
    ``GOOGLE_CLOUD_PROJECT``, ``CLOUDSDK_CORE_PROJECT``, and for servers other than Google's
    ``CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE``, ``..._CLOUDRESOURCEMANAGER`` and
    ``..._IAMCREDENTIALS``.
    """

    name = "gcp"
    connection_class = GcpConnection
    default_regions = ""
    credential_keys: ClassVar[Mapping[str, str]] = {
        "project_id": "project; default: the one that the credentials name",
        "credentials_file": "path of a credentials file, as a service account's key",
        "credentials_json": "the same as text",
        "access_token": "an access token, used as it is until it expires",
        "impersonate_service_account": "e-mail of the service account to act as",
    }

    def get_driver_version(self) -> str:
        """Return the driver's version: the package's own."""
        return asyncspider.__version__

    def check_credential(self, credential_info: CredentialInfo) -> None:
        """Check the names of the keys, and that they don't contradict each other."""
        super().check_credential(credential_info)
        given = credential_info.key_values
        for key, value in given.items():
            if not value:
                raise InvalidRequestError(f"credential key {key!r} is empty", driver=self.name)
        sources = [key for key in _SOURCES if key in given]
        if len(sources) > 1:
            names = " and ".join(repr(key) for key in sources)
            raise InvalidRequestError(
                f"credential keys {names} exclude each other", driver=self.name
            )
        if "access_token" in given and "impersonate_service_account" in given:
            raise InvalidRequestError(
                "credential keys 'access_token' and 'impersonate_service_account' exclude each "
                "other: a token is somebody's already",
                driver=self.name,
            )

    async def _connect(self, connection_info: ConnectionInfo) -> GcpConnection:
        return await self._open_project(connection_info, project_needed=True)

    async def _open_project(
        self, connection_info: ConnectionInfo, *, project_needed: bool
    ) -> GcpConnection:
        facts: dict[str, Any] = {"driver": self.name, "operation": "connect"}
        place = _place(connection_info.region_info, facts)
        facts["region"] = place.region
        endpoint = connection_info.endpoint_url or os.environ.get(
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE"
        )
        if endpoint != connection_info.endpoint_url:
            connection_info = msgspec.structs.replace(connection_info, endpoint_url=endpoint)
        keys = connection_info.credential_info.key_values
        try:
            account = await open_account(keys)
        except SpiderError as error:
            error.driver, error.region, error.operation = self.name, place.region, "connect"
            raise
        project = keys.get("project_id") or account.project_id
        if not project and project_needed:
            raise InvalidRequestError(
                "no project: the credentials name none; give project_id or set "
                "GOOGLE_CLOUD_PROJECT",
                **facts,
            )
        session = await open_session()
        return GcpConnection(connection_info, place, project, account, session)

    async def list_regions(self, connection_info: ConnectionInfo) -> list[RegionInfo]:
        """List the regions that the project has (``regions.list``)."""
        async with self.connect_cloud(connection_info) as connection:
            assert isinstance(connection, GcpConnection)
            regions = await connection.regions()
        return [RegionInfo(region=region.name) for region in regions]

    async def list_accounts(self, connection_info: ConnectionInfo) -> list[str]:
        """List the ids of the active projects that the account may see.

        Resource Manager, ``projects.search``; needs ``resourcemanager.projects.get`` on them.

        Raises:
            PermissionDeniedError: The account may not ask, or the API is not enabled.
        """
        self.check_credential(connection_info.credential_info)
        connection = await self._open_project(connection_info, project_needed=False)
        async with connection:
            names: list[str] = []
            token = ""
            while True:
                page = await _search(connection, token)
                names += [one.project_id for one in page.projects if one.state == "ACTIVE"]
                if not page.next_page_token:
                    return sorted(names)
                if page.next_page_token == token:
                    raise ProtocolError(
                        "the list does not end: Google gave the same page token twice",
                        **connection.facts("projects.search"),
                    )
                token = page.next_page_token

    def for_account(self, connection_info: ConnectionInfo, account: str) -> ConnectionInfo:
        """Return `connection_info` with another ``project_id``."""
        keys = {**connection_info.credential_info.key_values, "project_id": account}
        return msgspec.structs.replace(
            connection_info, credential_info=CredentialInfo(key_values=keys)
        )


def _place(given: RegionInfo, facts: dict[str, Any]) -> RegionInfo:
    """Return where to connect to; a zone alone names its region too."""
    if not given.zone:
        return given
    region = region_of(given.zone)
    if not region or given.region not in ("", region):
        raise InvalidRequestError(
            f"zone {given.zone!r} is not in region {given.region!r}"
            if region
            else f"{given.zone!r} is no zone",
            **facts,
        )
    return RegionInfo(region=region, zone=given.zone)


async def _search(connection: GcpConnection, token: str) -> wire.ManagedProjects:
    operation = "projects.search"
    root = os.environ.get("CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDRESOURCEMANAGER")
    if not root:
        own = connection.root.removesuffix("/compute/v1")
        root = _MANAGER if is_google(own) else own
    query = {"query": "state:ACTIVE", "pageSize": "500"} | ({"pageToken": token} if token else {})
    url = f"{root.rstrip('/')}/v3/projects:search?{urlencode(query)}"

    async def send() -> wire.ManagedProjects:
        try:
            answer = await connection.send_raw("GET", url)
            if answer.status >= 400:
                raise error_of(answer.status, answer.body, answer.headers, {})
            return _projects.decode(answer.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ProtocolError(
                f"the answer could not be understood: {error}", **connection.facts(operation)
            ) from error
        except SpiderError as error:
            error.driver, error.operation = connection.driver_name, operation
            error.message = connection.redact(error.message)
            raise

    try:
        return await connection.perform(operation, send)
    except NotFoundError as error:
        raise InvalidRequestError(
            f"{root} has no list of projects: name them instead", **connection.facts(operation)
        ) from error
