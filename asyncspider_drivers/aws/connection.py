"""A connection to EC2 in one region."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from asyncspider import (
    CloudConnection,
    ConnectionInfo,
    Handler,
    InvalidRequestError,
    NotFoundError,
    ProtocolError,
    RegionInfo,
    Resource,
    SpiderError,
)
from asyncspider.secrets import redact

from . import wire
from .errors import error_of, error_of_exception
from .image import AwsImageHandler
from .key_pair import AwsKeyPairHandler
from .public_ip import AwsPublicIPHandler
from .security import AwsSecurityHandler
from .vm import AwsVMHandler
from .vnetwork import AwsVNetworkHandler
from .vnic import AwsVNicHandler

if TYPE_CHECKING:
    from .session import Account, Service

W = TypeVar("W", bound=wire.Wire)

PAGE_SIZE = 1000
"""Most that EC2 gives in one answer."""


class AwsConnection(CloudConnection):
    """EC2 in one region, for one account."""

    driver_name = "aws"
    handlers: ClassVar[Mapping[Resource, type[Handler[Any]]]] = {
        Resource.IMAGE: AwsImageHandler,
        Resource.VNETWORK: AwsVNetworkHandler,
        Resource.SECURITY: AwsSecurityHandler,
        Resource.KEY_PAIR: AwsKeyPairHandler,
        Resource.VNIC: AwsVNicHandler,
        Resource.PUBLIC_IP: AwsPublicIPHandler,
        Resource.VM: AwsVMHandler,
    }

    def __init__(
        self,
        connection_info: ConnectionInfo,
        region_info: RegionInfo,
        account: Account,
        service: Service,
        secrets: list[str],
    ) -> None:
        super().__init__(connection_info)
        self.region_info = region_info
        self._account = account
        self._service = service
        self._secrets = (*self._secrets, *secrets)
        self._natives = AsyncExitStack()

    async def call(
        self, kind: type[W], operation: str, *, idempotent: bool = True, **parameters: Any
    ) -> W:
        """Make one EC2 call.

        Args:
            kind: What it answers with, as `wire.ANSWERS` says.
            operation: Its name in the EC2 API reference, as ``DescribeVpcs``.
            idempotent: Whether it may be sent again when nobody knows if it arrived.
            parameters: Its parameters, as botocore takes them; None = left out.

        Raises:
            SpiderError: It failed.
        """
        given = self._service.prepare(
            operation, {name: value for name, value in parameters.items() if value is not None}
        )
        return await self.perform(
            operation, lambda: self._send(kind, operation, given), idempotent=idempotent
        )

    async def _send(self, kind: type[W], operation: str, parameters: dict[str, Any]) -> W:
        try:
            return await self._service.call(kind, operation, parameters, self.facts(operation))
        except SpiderError as error:
            error.driver = self.driver_name
            error.region, error.operation = self.region_info.region, operation
            error.message = self.redact(error.message)
            if error.code == "NameResolution":
                self._explain_no_host(error)
            raise
        except Exception as error:
            raise self._typed(error, operation) from error

    def _typed(self, error: Exception, operation: str) -> SpiderError:
        facts = self.facts(operation)
        response = getattr(error, "response", None)  # STS's, when credentials are renewed
        if isinstance(response, dict):
            typed = error_of(response, facts)
        else:
            typed = error_of_exception(error, facts)
        typed.message = redact(typed.message, self._secrets)
        return typed

    def _explain_no_host(self, error: SpiderError) -> None:
        from .session import known_region

        region = self.region_info.region
        if self.connection_info.endpoint_url is None and not known_region(region):
            raise InvalidRequestError(
                f"there seems to be no region {region!r}: {error.message}",
                code=error.code,
                **self.facts(error.operation),
            ) from error

    async def pages_of(
        self, kind: type[W], operation: str, *, paged: bool = True, **parameters: Any
    ) -> AsyncGenerator[W, None]:
        """Yield the answers of a Describe call to the last page.

        Args:
            kind: What it answers with.
            operation: Its name.
            paged: Whether it takes ``MaxResults``; a call that was given ids does not.
            parameters: Its other parameters.

        Raises:
            ProtocolError: EC2 gives the same page again and again.
        """
        token: str | None = None
        size = PAGE_SIZE if paged else None
        while True:
            answer = await self.call(
                kind, operation, MaxResults=size, NextToken=token, **parameters
            )
            yield answer
            following = getattr(answer, "next_token", "")
            if not following:
                return
            if following == token:
                raise ProtocolError(
                    "the list does not end: EC2 gave the same NextToken twice",
                    **self.facts(operation),
                )
            token = following

    async def all_of(
        self, kind: type[W], operation: str, field: str, **parameters: Any
    ) -> list[Any]:
        """Return the items of all pages of a Describe call."""
        return [
            item
            async for answer in self.pages_of(kind, operation, **parameters)
            for item in getattr(answer, field)
        ]

    async def one_of(
        self, kind: type[W], operation: str, field: str, what: str, **parameters: Any
    ) -> Any:
        """Return the only item of a Describe call that was given one id.

        Raises:
            NotFoundError: There is none.
        """
        items = await self.all_of(kind, operation, field, paged=False, **parameters)
        if not items:
            raise NotFoundError(f"there is no {what}", **self.facts(operation))
        return items[0]

    async def _ping(self) -> None:
        await self.call(
            wire.DescribeRegions, "DescribeRegions", RegionNames=[self.region_info.region]
        )

    async def _release(self) -> None:
        await self._service.close()
        await self._natives.aclose()

    async def native_client(self, service: str = "ec2", **kwargs: Any) -> Any:
        """Return aiobotocore's client for any service of AWS, with this connection's credentials.

        It is closed with the connection.

        Args:
            service: Name of the service, as ``"s3"``.
            kwargs: What ``aiobotocore.session.create_client`` takes; region and endpoint are
                this connection's unless given.

        Raises:
            InvalidRequestError: The connection is closed, or there is no such service.
        """
        if self.closed:
            raise InvalidRequestError("the connection is closed", **self.facts("native_client"))
        kwargs.setdefault("region_name", self.region_info.region)
        kwargs.setdefault("endpoint_url", self.connection_info.endpoint_url)
        try:
            client = await self._account.native_client(service, **kwargs)
        except Exception as error:
            raise self._typed(error, "native_client") from error
        self._natives.push_async_callback(client.close)
        return client
