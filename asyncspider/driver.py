"""The driver contract: what a cloud can do, and how to connect to it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Generator, Mapping
from types import TracebackType
from typing import Any, ClassVar, Generic, TypeVar

from anyio import fail_after

from .connection import CloudConnection
from .errors import DeadlineExceededError, InvalidRequestError, NotSupportedError
from .info import ConnectionInfo, CredentialInfo, DriverCapabilityInfo
from .resources import RegionInfo

ConnT = TypeVar("ConnT", bound=CloudConnection, covariant=True)


class Connecting(Generic[ConnT]):
    """A connection about to be made: ``async with`` it, or ``await`` it and close the result."""

    __slots__ = ("_connection", "_open")

    def __init__(self, open_connection: Callable[[], Awaitable[ConnT]]) -> None:
        self._open = open_connection
        self._connection: CloudConnection | None = None

    def __await__(self) -> Generator[Any, None, ConnT]:
        return self._open().__await__()

    async def __aenter__(self) -> ConnT:
        connection = await self._open()
        self._connection = connection
        return connection

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


class CloudDriver(ABC):
    """Entry to one cloud. Making one does no I/O; neither does anything here but coroutines."""

    name: ClassVar[str]
    """The driver's name in the entry-point group ``asyncspider.drivers``."""
    credential_keys: ClassVar[Mapping[str, str]]
    """Every key that `CredentialInfo` may hold, with a line of explanation."""
    connection_class: ClassVar[type[CloudConnection]]
    """What `connect_cloud` gives."""
    default_regions: ClassVar[str] = "all"
    """What a scan covers unless told otherwise: ``"all"`` = one target for each region; ``""`` =
    one for the whole account, for clouds whose lists can span all regions."""

    @abstractmethod
    def get_driver_version(self) -> str:
        """Return the driver's version."""

    def get_driver_capability(self) -> DriverCapabilityInfo:
        """Return which handlers work."""
        return DriverCapabilityInfo(
            **{f"{resource.value}_handler": True for resource in self.connection_class.handlers}
        )

    def connect_cloud(self, connection_info: ConnectionInfo) -> Connecting[CloudConnection]:
        """Connect: ``async with driver.connect_cloud(info) as conn``, or ``await`` it.

        Raises:
            InvalidRequestError: A credential key is unknown or missing; at once.
            AuthenticationError: There are no credentials; when awaited.
            DeadlineExceededError: It takes longer than ``request_timeout``; when awaited.
        """
        self.check_credential(connection_info.credential_info)
        return Connecting(lambda: self._open(connection_info))

    async def _open(self, connection_info: ConnectionInfo) -> CloudConnection:
        timeout = connection_info.request_timeout
        try:
            with fail_after(timeout):
                return await self._connect(connection_info)
        except TimeoutError as error:
            raise DeadlineExceededError(
                f"no connection within {timeout:g} s",
                driver=self.name,
                region=connection_info.region_info.region,
                operation="connect",
            ) from error

    @abstractmethod
    async def _connect(self, connection_info: ConnectionInfo) -> CloudConnection:
        """Make the connection; `connection_info` has been checked."""

    def check_credential(self, credential_info: CredentialInfo) -> None:
        """Check the names of the keys.

        Raises:
            InvalidRequestError: A key is unknown, or one is missing beside the others; named.
        """
        for key in credential_info.key_values:
            if key not in self.credential_keys:
                known = ", ".join(self.credential_keys) or "none"
                raise InvalidRequestError(
                    f"unknown credential key {key!r}; {self.name} knows: {known}", driver=self.name
                )

    @abstractmethod
    async def list_regions(self, connection_info: ConnectionInfo) -> list[RegionInfo]:
        """List the regions that this account can use.

        Raises:
            AuthenticationError: The credentials are refused.
            PermissionDeniedError: The account may not ask.
        """

    async def list_accounts(self, connection_info: ConnectionInfo) -> list[str]:
        """List the accounts (projects) that these credentials reach, where the cloud tells.

        Raises:
            NotSupportedError: The cloud has no such list.
        """
        raise NotSupportedError(f"{self.name} has no list of accounts", driver=self.name)

    def for_account(self, connection_info: ConnectionInfo, account: str) -> ConnectionInfo:
        """Return `connection_info` pointed at another account (project) of the same credentials.

        Raises:
            NotSupportedError: The cloud's credentials belong to one account.
        """
        raise NotSupportedError(
            f"credentials of {self.name} belong to one account; make one target for each",
            driver=self.name,
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.get_driver_version()}>"
