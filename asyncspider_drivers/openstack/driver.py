"""The driver for OpenStack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import anyio
import msgspec

import asyncspider
from asyncspider import (
    CloudDriver,
    ConnectionInfo,
    CredentialInfo,
    InvalidRequestError,
    NotSupportedError,
    RegionInfo,
    SpiderError,
)
from asyncspider.transport.offload import load_module

from .connection import OpenStackConnection
from .paths import is_project_id

if TYPE_CHECKING:
    from .session import Account

_OF_ACCOUNTS = ("username", "user_id", "password", "token", "application_credential_id",
                "application_credential_name", "application_credential_secret",
                "auth_url")  # fmt: skip
"""Keys that say who somebody is; without any of them, OpenStack's own files and variables do."""


class OpenStackDriver(CloudDriver):
    """OpenStack clouds, from Nova's microversion 2.1 on.

    Credentials are looked for as OpenStack's own tools do: ``clouds.yaml`` and ``secure.yaml``,
    ``OS_CLOUD`` and the other ``OS_*`` variables, with all of keystoneauth's plugins
    (openstacksdk user guide, "Configuring OpenStack SDK Applications").
    """

    name = "openstack"
    connection_class = OpenStackConnection
    credential_keys: ClassVar[Mapping[str, str]] = {
        "cloud": "name of a cloud in clouds.yaml; of an account only the project beside it",
        "auth_url": "Keystone's address, unless endpoint_url gives it",
        "username": "name of the user; needs password",
        "user_id": "id of the user, in place of its name and domain",
        "password": "the user's password",
        "project_name": "name of the project",
        "project_id": "id of the project, in place of its name and domain",
        "user_domain_name": "name of the user's domain",
        "user_domain_id": "id of the user's domain",
        "project_domain_name": "name of the project's domain",
        "project_domain_id": "id of the project's domain",
        "application_credential_id": "id of an application credential; needs its secret",
        "application_credential_name": "its name, together with the user",
        "application_credential_secret": "its secret",
        "token": "a token that is there already",
        "auth_type": "keystoneauth plugin, when it can't be told from the other keys",
        "interface": "public (the default), internal or admin endpoints",
        "cacert": "file of the certificate authorities to trust",
        "cert": "client certificate",
        "key": "the client certificate's key",
        "all_projects": "true: servers of all projects, which only an administrator may see",
        "external_network": "name or id of the network of public addresses, if there are several",
    }

    def get_driver_version(self) -> str:
        """Return the driver's version: the package's own."""
        return asyncspider.__version__

    def check_credential(self, credential_info: CredentialInfo) -> None:
        """Check the names of the keys, and that what belongs together is there."""
        super().check_credential(credential_info)
        given = credential_info.key_values
        for key, value in given.items():
            if not value:
                raise InvalidRequestError(f"credential key {key!r} is empty", driver=self.name)
        if "all_projects" in given and given["all_projects"].lower() not in ("true", "false"):
            raise InvalidRequestError(
                "credential key 'all_projects' is true or false", driver=self.name
            )
        if "cloud" in given:
            for key in _OF_ACCOUNTS:
                if key in given:
                    raise InvalidRequestError(
                        f"credential keys 'cloud' and {key!r} exclude each other", driver=self.name
                    )
            return
        for key, needed in (
            ("application_credential_id", "application_credential_secret"),
            ("application_credential_name", "application_credential_secret"),
            ("key", "cert"),
        ):
            if key in given and needed not in given:
                raise self._missing(needed, key)
        if "auth_type" in given:
            return  # each plugin has rules of its own
        for key in ("username", "user_id"):
            if key in given and not {"password", "application_credential_secret"} & given.keys():
                raise self._missing("password", key)
        if "password" in given and not {"username", "user_id"} & given.keys():
            raise self._missing("username", "password")

    def _missing(self, needed: str, key: str) -> InvalidRequestError:
        return InvalidRequestError(
            f"credential key {needed!r} is missing: {key!r} needs it", driver=self.name
        )

    async def _connect(self, connection_info: ConnectionInfo) -> OpenStackConnection:
        connection = await self._prepared(connection_info, connection_info.region_info.region)
        try:
            await connection.log_in()
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _prepared(
        self, connection_info: ConnectionInfo, region_name: str
    ) -> OpenStackConnection:
        """Return a connection that has not logged in yet."""
        sessions: Any = await load_module("asyncspider_drivers.openstack.session")
        transport: Any = await load_module("asyncspider.transport.session")
        given = connection_info.credential_info.key_values
        if (
            connection_info.endpoint_url is None
            and "auth_url" not in given
            and any(key in given for key in _OF_ACCOUNTS)
        ):
            raise InvalidRequestError(
                "credential key 'auth_url' is missing, and there is no endpoint_url: Keystone's "
                "address must be known",
                driver=self.name,
            )
        try:
            account: Account = await sessions.open_account(given, connection_info.endpoint_url)
            region = await anyio.to_thread.run_sync(account.region, region_name)
        except SpiderError as error:
            error.driver, error.operation = self.name, "connect"
            error.region = region_name
            raise
        http = await transport.open_session()
        return OpenStackConnection(
            connection_info,
            account,
            region,
            http,
            sessions.tls_options(region),
            sessions.secrets_of(region),
        )

    async def list_regions(self, connection_info: ConnectionInfo) -> list[RegionInfo]:
        """List the regions of the catalogue that have Nova, Neutron or Glance.

        Where clouds.yaml lists regions for the cloud, only those of them.
        """
        connection = await self._prepared(connection_info, "")
        async with connection:
            return [RegionInfo(region=name) for name in await connection.regions()]

    async def list_accounts(self, connection_info: ConnectionInfo) -> list[str]:
        """List the projects that the user has a role in, sorted.

        By name, where the credentials name their project too; those of other domains by id, and
        all where the credentials have their project's id. Identity API v3, "Get available
        project scopes".
        """
        self.check_credential(connection_info.credential_info)
        connection = await self._prepared(connection_info, connection_info.region_info.region)
        async with connection:
            return await connection.projects()

    def for_account(self, connection_info: ConnectionInfo, account: str) -> ConnectionInfo:
        """Return `connection_info` with another project: its id, or its name.

        A name is one of the domain of the project that the credentials name.

        Raises:
            NotSupportedError: An application credential belongs to one project.
        """
        keys = dict(connection_info.credential_info.key_values)
        if "application_credential_secret" in keys:
            raise NotSupportedError(
                "an application credential belongs to one project; make one target for each",
                driver=self.name,
            )
        for key in ("project_id", "project_name"):
            keys.pop(key, None)
        keys["project_id" if is_project_id(account) else "project_name"] = account
        return msgspec.structs.replace(
            connection_info, credential_info=CredentialInfo(key_values=keys)
        )
