"""The driver for AWS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

import asyncspider
from asyncspider import (
    CloudDriver,
    ConnectionInfo,
    CredentialInfo,
    InvalidRequestError,
    RegionInfo,
)
from asyncspider.transport.offload import load_module

from . import wire
from .connection import AwsConnection
from .errors import error_of_exception

if TYPE_CHECKING:
    from . import session as session_module

_ASK = "us-east-1"  # where questions about all regions go when no region is named
_NOT_OPTED_IN = "not-opted-in"


class AwsDriver(CloudDriver):
    """Amazon EC2 in every region of the ``aws``, ``aws-cn`` and ``aws-us-gov`` partitions.

    Environment variables and files that AWS's own tools read are read here too, among them
    ``AWS_PROFILE``, ``AWS_REGION``, ``AWS_ENDPOINT_URL`` and ``AWS_ENDPOINT_URL_EC2``,
    ``AWS_CA_BUNDLE`` ("AWS SDKs and Tools Reference Guide").
    """

    name = "aws"
    connection_class = AwsConnection
    credential_keys: ClassVar[Mapping[str, str]] = {
        "aws_access_key_id": "access key id; needs aws_secret_access_key",
        "aws_secret_access_key": "secret access key; needs aws_access_key_id",
        "aws_session_token": "session token of temporary credentials",
        "profile": "profile of AWS's own configuration files",
        "role_arn": "role to assume with the credentials found otherwise",
        "external_id": "external id for that role",
    }

    def get_driver_version(self) -> str:
        """Return the driver's version: the package's own."""
        return asyncspider.__version__

    def check_credential(self, credential_info: CredentialInfo) -> None:
        """Check the names of the keys, and that what belongs together is there."""
        super().check_credential(credential_info)
        given = credential_info.key_values
        for key, needed in (
            ("aws_access_key_id", "aws_secret_access_key"),
            ("aws_secret_access_key", "aws_access_key_id"),
            ("aws_session_token", "aws_access_key_id"),
            ("external_id", "role_arn"),
        ):
            if given.get(key) and not given.get(needed):
                raise InvalidRequestError(
                    f"credential key {needed!r} is missing: {key!r} needs it", driver=self.name
                )
        for key, value in given.items():
            if not value:
                raise InvalidRequestError(f"credential key {key!r} is empty", driver=self.name)
        if given.get("profile") and given.get("aws_access_key_id"):
            raise InvalidRequestError(
                "credential keys 'profile' and 'aws_access_key_id' exclude each other",
                driver=self.name,
            )

    async def _connect(self, connection_info: ConnectionInfo) -> AwsConnection:
        sessions: Any = await load_module("asyncspider_drivers.aws.session")
        transport: Any = await load_module("asyncspider.transport.session")
        account: session_module.Account = await sessions.open_account(
            connection_info.credential_info.key_values, connection_info.endpoint_url
        )
        place = connection_info.region_info
        region = place.region or place.zone.rstrip("abcdef") or account.default_region()
        facts: dict[str, Any] = {"driver": self.name, "region": region, "operation": "connect"}
        if not region:
            raise InvalidRequestError(
                "no region: name one, or set AWS_REGION or a profile's region", **facts
            )
        problem = sessions.region_problem(account, region)
        if problem:
            raise InvalidRequestError(problem, **facts)
        try:
            secrets = await account.secrets()
        except Exception as error:
            raise error_of_exception(error, facts) from error
        where = RegionInfo(region=region, zone=place.zone)
        http = await transport.open_session()
        try:
            service = sessions.Service(account, region, connection_info.endpoint_url, http)
        except Exception as error:
            await http.release()
            raise error_of_exception(error, facts) from error
        return AwsConnection(connection_info, where, account, service, secrets)

    async def list_regions(self, connection_info: ConnectionInfo) -> list[RegionInfo]:
        """List the regions that are switched on for the account (DescribeRegions)."""
        if not connection_info.region_info.region:
            ask = RegionInfo(region=await self._where_to_ask(connection_info))
            connection_info = msgspec.structs.replace(connection_info, region_info=ask)
        async with self.connect_cloud(connection_info) as connection:
            assert isinstance(connection, AwsConnection)
            answer = await connection.call(wire.DescribeRegions, "DescribeRegions")
        return [
            RegionInfo(region=region.region_name)
            for region in sorted(answer.region_info, key=lambda region: region.region_name)
            if region.opt_in_status != _NOT_OPTED_IN
        ]

    async def _where_to_ask(self, connection_info: ConnectionInfo) -> str:
        sessions: Any = await load_module("asyncspider_drivers.aws.session")
        account = await sessions.open_account(
            connection_info.credential_info.key_values, connection_info.endpoint_url
        )
        return account.default_region() or _ASK
