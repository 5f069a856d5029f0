"""The connection contract, and the one way in which a request is made."""

from __future__ import annotations

import asyncio
import importlib
import math
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, ClassVar, Self, TypeVar, cast

from anyio import CancelScope

from .errors import (
    AuthenticationError,
    DeadlineExceededError,
    InvalidRequestError,
    NotSupportedError,
    PermissionDeniedError,
    SpiderError,
    ThrottledError,
    UnavailableError,
)
from .info import ConnectionInfo
from .resources import (
    AnyInfo,
    Handler,
    ImageHandler,
    KeyPairHandler,
    Page,
    Paged,
    PublicIPHandler,
    RegionInfo,
    Resource,
    SecurityHandler,
    VMHandler,
    VNetworkHandler,
    VNicHandler,
)
from .secrets import redact
from .streams import finished
from .transport.limiter import RequestLimiter
from .transport.retry import RetryPolicy, retrying
from .transport.telemetry import report_request

R = TypeVar("R")

# anyio imports its backend at first use, which would be on the event loop.
importlib.import_module("anyio._backends._asyncio")


class CloudConnection(ABC):
    """A connection to one region (or account) of one cloud.

    Handlers are light: make one whenever it is wanted. All of them share the connection's
    limits and its pooled sockets. May be used by many tasks of one event loop at once.
    """

    driver_name: ClassVar[str]
    """Name of the driver, as in its errors."""
    handlers: ClassVar[Mapping[Resource, type[Handler[Any]]]]
    """The handlers that this cloud has: what the driver's capability is read from."""

    def __init__(self, connection_info: ConnectionInfo) -> None:
        self.connection_info = connection_info
        self.region_info: RegionInfo = connection_info.region_info
        self.limiter = RequestLimiter()
        self.retry_policy = RetryPolicy()
        self._in_flight: set[CancelScope] = set()
        self._closed = False
        self._releasing: asyncio.Task[None] | None = None
        self._secrets = tuple(connection_info.credential_info.key_values.values())

    # -- handlers

    def _handler(self, resource: Resource) -> Any:
        try:
            handler = self.handlers[resource]
        except KeyError:
            raise NotSupportedError(
                f"{self.driver_name} has no {resource.value} handler", driver=self.driver_name
            ) from None
        return handler(self)

    def create_image_handler(self) -> ImageHandler[Any]:
        """Return the handler for images. Does no I/O, as all of these.

        Raises:
            NotSupportedError: The driver's capability says that it has none.
        """
        return self._handler(Resource.IMAGE)

    def create_vnetwork_handler(self) -> VNetworkHandler[Any]:
        """Return the handler for networks; see `create_image_handler`."""
        return self._handler(Resource.VNETWORK)

    def create_security_handler(self) -> SecurityHandler[Any]:
        """Return the handler for security groups; see `create_image_handler`."""
        return self._handler(Resource.SECURITY)

    def create_key_pair_handler(self) -> KeyPairHandler[Any]:
        """Return the handler for key pairs; see `create_image_handler`."""
        return self._handler(Resource.KEY_PAIR)

    def create_vnic_handler(self) -> VNicHandler[Any]:
        """Return the handler for network interfaces; see `create_image_handler`."""
        return self._handler(Resource.VNIC)

    def create_public_ip_handler(self) -> PublicIPHandler[Any]:
        """Return the handler for public addresses; see `create_image_handler`."""
        return self._handler(Resource.PUBLIC_IP)

    def create_vm_handler(self) -> VMHandler[Any]:
        """Return the handler for VMs; see `create_image_handler`."""
        return self._handler(Resource.VM)

    def pages(self, resource: Resource) -> AsyncGenerator[Page[AnyInfo], None]:
        """Return the pages of a list of any resource: what bulk readers use.

        Raises:
            NotSupportedError: The driver has no such handler.
        """
        paged = getattr(self._handler(resource), f"iter_{_NOUNS[resource]}")()
        return cast("Paged[AnyInfo]", paged).pages()

    async def get(self, resource: Resource, id: str) -> AnyInfo:
        """Return one thing of any resource by its id.

        Raises:
            NotFoundError: There is none.
        """
        return await getattr(self._handler(resource), f"get_{_NOUNS[resource]}")(id)

    # -- the connection itself

    @abstractmethod
    async def _ping(self) -> None:
        """Make one cheap, authenticated call; raise when it fails."""

    @abstractmethod
    async def _release(self) -> None:
        """Let go of sessions and tasks. Called once, in a task of its own: never cancelled."""

    @abstractmethod
    async def native_client(self, *args: Any, **kwargs: Any) -> Any:
        """Return the cloud's official client, authenticated, for what the interface lacks.

        Raises:
            NotSupportedError: There is none.
        """

    async def is_connected(self) -> bool:
        """Ask the cloud, with a cheap authenticated call, whether this connection works.

        Returns:
            False when the connection is closed, the cloud refuses the credential or can't be
            reached.
        """
        if self._closed:
            return False
        try:
            await self._ping()
        except (
            AuthenticationError,
            PermissionDeniedError,
            UnavailableError,
            DeadlineExceededError,
        ):
            return False
        except InvalidRequestError:
            if self._closed:
                return False
            raise
        return True

    async def close(self) -> None:
        """Close: ends calls that are in flight, and frees what the connection holds.

        May be called again, and from several tasks. Also complete when it is cancelled.
        """
        if self._releasing is None:
            self._closed = True
            for scope in tuple(self._in_flight):
                scope.cancel()
            self._releasing = asyncio.create_task(self._release())
        await finished(self._releasing)
        self._releasing.result()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        where = self.region_info.zone or self.region_info.region
        state = " closed" if self._closed else ""
        return f"<{type(self).__name__} {where}{state}>"

    # -- requests

    async def perform(
        self,
        operation: str,
        send: Callable[[], Awaitable[R]],
        *,
        idempotent: bool = True,
        limiter: RequestLimiter | None = None,
    ) -> R:
        """Make one request: limited, timed, retried, counted, and ended by `close`.

        Args:
            operation: The cloud's name of the call, for errors and telemetry.
            send: Makes one attempt; raises `SpiderError` when it fails.
            idempotent: Whether it may be sent again when nobody knows if it arrived.
            limiter: Which limits it counts against; None = the connection's.

        Raises:
            DeadlineExceededError: No answer within ``request_timeout``.
            InvalidRequestError: The connection is closed, or was closed meanwhile.
            SpiderError: What `send` raised at last.
        """
        if self._closed:
            raise self._closed_error(operation)
        # One scope for `close` and for the deadline of each attempt: they are a third of what a
        # request costs here.
        scope = CancelScope()
        self._in_flight.add(scope)
        try:
            with scope:
                return await retrying(
                    lambda: self._attempt(operation, send, limiter or self.limiter, scope),
                    self.retry_policy,
                    idempotent,
                )
        finally:
            self._in_flight.discard(scope)
        if self._closed:
            raise self._closed_error(operation)
        raise self._late_error(operation) from TimeoutError()

    async def _attempt(
        self,
        operation: str,
        send: Callable[[], Awaitable[R]],
        limiter: RequestLimiter,
        scope: CancelScope,
    ) -> R:
        error: SpiderError | None = None
        async with limiter:
            began = time.perf_counter()
            scope.deadline = (
                asyncio.get_running_loop().time() + self.connection_info.request_timeout
            )
            try:
                result = await send()
            except SpiderError as caught:
                error = caught
                if isinstance(caught, ThrottledError):
                    limiter.throttled(caught.retry_after)
                raise
            except asyncio.CancelledError:
                if scope.cancel_called and not self._closed:
                    error = self._late_error(operation)
                raise
            else:
                limiter.succeeded()
                return result
            finally:
                scope.deadline = math.inf
                report_request(
                    self.driver_name,
                    self.region_info.region,
                    operation,
                    time.perf_counter() - began,
                    error,
                )

    def facts(self, operation: str) -> dict[str, Any]:
        """Return what every error of this connection carries, as keyword arguments."""
        return {
            "driver": self.driver_name,
            "region": self.region_info.region,
            "operation": operation,
        }

    def redact(self, text: str) -> str:
        """Return `text` without any credential of this connection."""
        return redact(text, self._secrets)

    def _late_error(self, operation: str) -> DeadlineExceededError:
        timeout = self.connection_info.request_timeout
        return DeadlineExceededError(
            f"no complete answer within {timeout:g} s", **self.facts(operation)
        )

    def _closed_error(self, operation: str) -> InvalidRequestError:
        return InvalidRequestError(
            "the connection is closed", code="ConnectionClosed", **self.facts(operation)
        )


_NOUNS = {resource: resource.value for resource in Resource} | {Resource.KEY_PAIR: "key"}
