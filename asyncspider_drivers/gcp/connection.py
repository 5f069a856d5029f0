"""A connection to one project of Google Cloud."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any, ClassVar, TypeVar
from urllib.parse import quote, urlsplit
from uuid import UUID, uuid4, uuid5

import anyio
import anyio.to_thread
import msgspec

from asyncspider import (
    CloudConnection,
    ConnectionInfo,
    DeadlineExceededError,
    Handler,
    InvalidRequestError,
    NotFoundError,
    ProtocolError,
    RegionInfo,
    Resource,
    SpiderError,
)
from asyncspider.transport.decoding import decode_in_turn
from asyncspider.transport.limiter import RequestLimiter
from asyncspider.transport.offload import load_module
from asyncspider.transport.session import HttpResponse, HttpSession

from . import wire
from .credentials import Account
from .errors import error_of, error_of_operation
from .image import GcpImageHandler
from .key_pair import GcpKeyPairHandler
from .lists import all_in
from .names import last, region_of
from .public_ip import GcpPublicIPHandler
from .security import GcpSecurityHandler
from .vm import GcpVMHandler
from .vnetwork import GcpVNetworkHandler
from .vnic import GcpVNicHandler

W = TypeVar("W", bound=wire.Wire)

GOOGLE = "https://compute.googleapis.com"
OPERATION_DEADLINE = 600.0
"""Longest wait for an operation, in seconds."""
_OPERATIONS_AT_ONCE = 256
_TOKENS = UUID("5f0c1a3e-6c1b-4f9e-9a53-6f3f0a1d7c11")  # of idempotency tokens that are no UUID


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def api_root(endpoint_url: str | None) -> str:
    """Return the address of the API, whichever way an endpoint was given."""
    root = (endpoint_url or GOOGLE).rstrip("/")
    return root if root.endswith("/compute/v1") else f"{root}/compute/v1"


def is_google(root: str) -> bool:
    """Whether an address is Google's own."""
    host = urlsplit(root).hostname or ""
    return host == "googleapis.com" or host.endswith(".googleapis.com")


def request_id(token: str) -> str:
    """Return a ``requestId``: any token as UUID, a new one for ``""``."""
    if not token:
        return str(uuid4())
    try:
        return str(UUID(token))
    except ValueError:
        return str(uuid5(_TOKENS, token))


def home_of(place: RegionInfo) -> RegionInfo:
    """Return where to make things; of a whole project, what gcloud's variables say."""
    zone = os.environ.get("CLOUDSDK_COMPUTE_ZONE", "")
    region = os.environ.get("CLOUDSDK_COMPUTE_REGION", "") or region_of(zone)
    if place.region or not region:
        return place
    return RegionInfo(region=region, zone=zone if region_of(zone) == region else "")


class GcpConnection(CloudConnection):
    """Compute Engine in one project: a zone, a region, or (region ``""``) all of it."""

    driver_name = "gcp"
    handlers: ClassVar[Mapping[Resource, type[Handler[Any]]]] = {
        Resource.IMAGE: GcpImageHandler,
        Resource.VNETWORK: GcpVNetworkHandler,
        Resource.SECURITY: GcpSecurityHandler,
        Resource.KEY_PAIR: GcpKeyPairHandler,
        Resource.VNIC: GcpVNicHandler,
        Resource.PUBLIC_IP: GcpPublicIPHandler,
        Resource.VM: GcpVMHandler,
    }

    def __init__(
        self,
        connection_info: ConnectionInfo,
        region_info: RegionInfo,
        project: str,
        account: Account,
        session: HttpSession,
    ) -> None:
        super().__init__(connection_info)
        self.region_info = region_info
        self.project = project
        self.root = api_root(connection_info.endpoint_url)
        self.home = home_of(region_info)
        """Where things are made: of a whole project, the region and zone that gcloud's variables
        name."""
        self.metadata_lock = anyio.Lock()
        self._account = account
        self._session = session
        self._base = f"{self.root}/projects/{quote(project, safe='')}"
        self._zones: dict[str, list[str]] = {}
        # A request that waits for an operation does nothing for minutes: it must not take the
        # place of one that works.
        self._waiting = RequestLimiter(_OPERATIONS_AT_ONCE)
        self._natives: list[Any] = []

    # -- requests

    async def read(self, kind: type[W], path: str, operation: str, **params: str) -> W:
        """Ask for something, and for no more of it than `kind` holds.

        Args:
            kind: What is answered.
            path: Path below the project, as ``zones/z/instances``; or ``projects/...``.
            operation: Name of the call in the reference, as ``instances.list``.
            params: More query parameters.

        Raises:
            SpiderError: It failed.
        """
        params["fields"] = wire.fields_of(kind)
        return await self.perform(
            operation, lambda: self._send(kind, "GET", path, operation, params)
        )

    async def read_one(
        self, kind: type[W], path: str, operation: str, what: str, **params: str
    ) -> W:
        """Ask for one thing by its id.

        Raises:
            NotFoundError: There is none, or nothing can have such an id.
        """
        try:
            return await self.read(kind, path, operation, **params)
        except InvalidRequestError as error:
            raise self._not_there(error, what) from error

    async def write(
        self,
        method: str,
        path: str,
        operation: str,
        body: bytes | None = None,
        *,
        what: str = "",
        token: str = "",
        **params: str,
    ) -> wire.Operation:
        """Change something; returns when Google has accepted that.

        Args:
            method: HTTP method.
            path: Path below the project.
            operation: Name of the call in the reference, as ``instances.insert``.
            body: JSON.
            what: What the path names, when an id that nothing can have means "not there".
            token: The same token twice does it once; ``""`` = a new one.
            params: More query parameters.

        Raises:
            SpiderError: It was refused, or has failed already.
        """
        params |= {"requestId": request_id(token), "fields": wire.fields_of(wire.Operation)}
        try:
            answer = await self.perform(
                operation,
                lambda: self._send(wire.Operation, method, path, operation, params, body),
            )
        except InvalidRequestError as error:
            if what and not self.closed:
                raise self._not_there(error, what) from error
            raise
        self._check(answer, operation)
        return answer

    async def finish(
        self,
        started: wire.Operation,
        path: str,
        operation: str,
        *,
        deadline: float = OPERATION_DEADLINE,
    ) -> None:
        """Wait until an operation has ended (``operations.wait``, which answers after 2 minutes).

        Args:
            started: What `write` returned.
            path: What it was given: says in which scope the operation runs.
            operation: Name of the call that started it, for errors.
            deadline: Longest wait, in seconds.

        Raises:
            DeadlineExceededError: It has not ended; it goes on, under the name in ``request_id``.
            SpiderError: It failed.
        """
        wait = f"{_scope_of(path)}/operations/{started.name}/wait"
        current, pause = started, 0.05
        with anyio.move_on_after(deadline):
            while current.status != "DONE":
                began = anyio.current_time()
                try:
                    current = await self.perform(
                        "operations.wait",
                        lambda: self._send(
                            wire.Operation,
                            "POST",
                            wait,
                            "operations.wait",
                            {"fields": wire.fields_of(wire.Operation)},
                        ),
                        limiter=self._waiting,
                    )
                except DeadlineExceededError:
                    continue  # one request is not the operation: ask again
                if current.status != "DONE" and anyio.current_time() - began < pause:
                    await anyio.sleep(pause)  # a server that does not really wait
                    pause = min(2.0, pause * 2)
        if current.status != "DONE":
            raise DeadlineExceededError(
                f"not finished after {deadline:g} s; it goes on as operation {started.name}",
                request_id=started.name,
                **self.facts(operation),
            )
        self._check(current, operation)

    async def succeeded(self, started: wire.Operation, path: str, operation: str) -> bool:
        """Wait until an operation has ended; return whether it did what it was to do.

        Raises:
            SpiderError: It can't be known.
        """
        try:
            await self.finish(started, path, operation)
        except DeadlineExceededError:
            raise
        except SpiderError as error:
            if error.request_id != started.name:
                raise  # not the operation failed, but asking for it
            return False
        return True

    async def change(
        self,
        method: str,
        path: str,
        operation: str,
        body: bytes | None = None,
        *,
        what: str = "",
        token: str = "",
        **params: str,
    ) -> None:
        """Change something and wait until that is done; see `write` and `finish`."""
        started = await self.write(method, path, operation, body, what=what, token=token, **params)
        await self.finish(started, path, operation)

    async def operation_of(self, started: wire.Operation, path: str) -> wire.Operation:
        """Return the state of an operation now (``operations.get``)."""
        return await self.read(
            wire.Operation, f"{_scope_of(path)}/operations/{started.name}", "operations.get"
        )

    def _check(self, operation: wire.Operation, name: str) -> None:
        error = error_of_operation(operation, self.facts(name))
        if error is not None:
            error.message = self.redact(error.message)
            raise error

    def _not_there(self, error: InvalidRequestError, what: str) -> SpiderError:
        if error.status != 400 or error.code != "invalid":
            return error
        return NotFoundError(
            f"there is no {what}: {error.message}",
            code=error.code,
            status=error.status,
            **self.facts(error.operation),
        )

    async def _send(
        self,
        kind: type[W],
        method: str,
        path: str,
        operation: str,
        params: Mapping[str, str],
        body: bytes | None = None,
    ) -> W:
        base = self.root if path.startswith("projects/") else self._base
        url = f"{base}/{path}" if path else base
        try:
            response = await self.send_raw(
                method, f"{url}?prettyPrint=false&{_query(params)}", body
            )
            if response.status >= 400:
                raise error_of(response.status, response.body, response.headers, {})
            try:
                return await decode_in_turn(_decoder(kind), response.body)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise ProtocolError(
                    f"the answer could not be understood: {error}", status=response.status
                ) from error
        except SpiderError as error:
            error.driver, error.operation = self.driver_name, operation
            error.region = self.region_info.region
            error.message = self.redact(error.message)
            raise

    async def send_raw(self, method: str, url: str, body: bytes | None = None) -> HttpResponse:
        """Make one request to any of Google's APIs; a token that is refused is renewed once."""
        token = await self._account.token()
        response = await self._with_token(token, method, url, body)
        if response.status == 401:
            token = await self._account.renew(token)
            response = await self._with_token(token, method, url, body)
        return response

    async def _with_token(
        self, token: str, method: str, url: str, body: bytes | None
    ) -> HttpResponse:
        headers = {"Authorization": f"Bearer {token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        return await self._session.request(
            method, url, headers=headers, body=body, url_encoded=True
        )

    def redact(self, text: str) -> str:
        """Return `text` without any credential of this connection."""
        return self._account.redact(text)

    # -- places

    async def zones_of(self, region: str) -> list[str]:
        """Return the names of a region's zones.

        Raises:
            InvalidRequestError: There is no such region.
        """
        if region not in self._zones:
            found = await self.read(wire.Region, f"regions/{quote(region, safe='')}", "regions.get")
            self._zones[region] = sorted(map(last, found.zones))
        return self._zones[region]

    async def zones(self) -> list[wire.Place]:
        """Return all zones."""
        return await all_in(self, "zones", wire.Place, "zones.list")

    async def regions(self) -> list[wire.Place]:
        """Return all regions."""
        return await all_in(self, "regions", wire.Place, "regions.list")

    # -- the connection itself

    async def _ping(self) -> None:
        await self.read(wire.ProjectName, "", "projects.get")

    async def _release(self) -> None:
        await self._session.release()
        natives, self._natives = self._natives, []
        for client in natives:
            await anyio.to_thread.run_sync(client.transport.close)

    async def native_client(self, client: str | type = "InstancesClient", **kwargs: Any) -> Any:
        """Return one of Google's own clients, with this connection's credentials and address.

        It blocks: call its methods in a thread. It is closed with the connection. The first call
        imports ``google.cloud.compute_v1``, which takes a second or more (in a worker thread).

        Args:
            client: A client class of ``google.cloud.compute_v1``, or its name.
            kwargs: What its constructor takes.

        Raises:
            InvalidRequestError: The connection is closed, or there is no such client.
        """
        if self.closed:
            raise InvalidRequestError("the connection is closed", **self.facts("native_client"))
        await self._account.token()
        compute: Any = await load_module("google.cloud.compute_v1")
        kind = getattr(compute, client, None) if isinstance(client, str) else client
        if kind is None or not hasattr(kind, "get_transport_class"):
            raise InvalidRequestError(
                f"google.cloud.compute_v1 has no client {client!r}", **self.facts("native_client")
            )

        def make() -> list[Any]:
            common: dict[str, Any] = {"credentials": self._account.google_credentials(), **kwargs}
            if self.connection_info.endpoint_url is not None:
                address = self.root.removesuffix("/compute/v1")
                common.setdefault("client_options", {"api_endpoint": address})
            made = [kind(**common)]
            # By itself a client follows its operations at Google's address, whatever it is given.
            services = getattr(made[0].transport, "_extended_operations_services", None)
            if services is not None and "client_options" in common:
                for level in ("Zone", "Region", "Global"):
                    follower = getattr(compute, f"{level}OperationsClient")(**common)
                    services[f"{level.lower()}_operations"] = follower
                    made.append(follower)
            return made

        made = await anyio.to_thread.run_sync(make)
        self._natives += made
        return made[0]


def _query(params: Mapping[str, str]) -> str:
    return "&".join(f"{name}={_quoted(value)}" for name, value in params.items())


@lru_cache(maxsize=256)
def _quoted(value: str) -> str:
    return quote(value, safe="/*(),:")


def _scope_of(path: str) -> str:
    level, _, rest = path.partition("/")
    return f"{level}/{rest.partition('/')[0]}" if level in ("zones", "regions") else "global"
