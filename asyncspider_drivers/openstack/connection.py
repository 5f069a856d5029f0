"""A connection to one region of one OpenStack cloud."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from urllib.parse import urlencode, urlsplit

import anyio
import anyio.to_thread
import msgspec

from asyncspider import (
    CloudConnection,
    ConnectionInfo,
    Handler,
    InvalidRequestError,
    NotSupportedError,
    ProtocolError,
    RegionInfo,
    Resource,
    SpiderError,
    UnavailableError,
)
from asyncspider.transport.decoding import decode_in_turn

from . import wire
from .errors import error_of
from .image import OpenStackImageHandler
from .key_pair import OpenStackKeyPairHandler
from .public_ip import OpenStackPublicIPHandler
from .security import OpenStackSecurityHandler
from .vm import OpenStackVMHandler
from .vnetwork import OpenStackVNetworkHandler
from .vnic import OpenStackVNicHandler

if TYPE_CHECKING:
    from openstack.config.cloud_region import CloudRegion
    from openstack.connection import Connection

    from asyncspider.transport.session import HttpResponse, HttpSession, TLSOptions

    from .session import Account, Endpoint

W = TypeVar("W", bound=wire.Wire)

PAGE_SIZE = 1000
"""Most that a page is asked to hold: the services' own limit, unless a cloud sets another."""
MICROVERSION: tuple[int, int] = (2, 46)
"""The last microversion of Nova that names a server's flavor by its id, and makes key pairs."""
NEWEST_MICROVERSION: tuple[int, int] = (2, 96)
"""The newest one that this driver was tried with."""

_PINGS: tuple[tuple[type[wire.Wire], str, str, str], ...] = (
    (wire.Flavors, "ListFlavors", "compute", "/flavors"),
    (wire.Networks, "ListNetworks", "network", "/networks"),
    (wire.Images, "ListImages", "image", "/images"),
)
_OLDEST_MICROVERSION: tuple[int, int] = (2, 1)


class OpenStackConnection(CloudConnection):
    """Nova, Neutron and Glance of one region, in one project."""

    driver_name = "openstack"
    handlers: ClassVar[Mapping[Resource, type[Handler[Any]]]] = {
        Resource.IMAGE: OpenStackImageHandler,
        Resource.VNETWORK: OpenStackVNetworkHandler,
        Resource.SECURITY: OpenStackSecurityHandler,
        Resource.KEY_PAIR: OpenStackKeyPairHandler,
        Resource.VNIC: OpenStackVNicHandler,
        Resource.PUBLIC_IP: OpenStackPublicIPHandler,
        Resource.VM: OpenStackVMHandler,
    }

    def __init__(
        self,
        connection_info: ConnectionInfo,
        account: Account,
        region: CloudRegion,
        http: HttpSession,
        tls: TLSOptions,
        secrets: list[str],
    ) -> None:
        super().__init__(connection_info)
        name = region.region_name or connection_info.region_info.region
        self.region_info = RegionInfo(region=name, zone=connection_info.region_info.zone)
        self._account = account
        self._region = region
        self._http = http
        self._tls = tls
        # Names of users and projects may be shown; they help to find a mistake.
        self._secrets = tuple(secrets)
        self._endpoints: dict[str, Endpoint] = {}
        self._microversion = ""
        self._lock = anyio.Lock()
        self._natives: list[Connection] = []
        given = connection_info.credential_info.key_values
        self.all_projects = given.get("all_projects", "").lower() == "true"
        """Whether servers of all projects are listed, for an administrator."""
        self.external_network = given.get("external_network", "")
        """Name or id of the network of public addresses; ``""`` = the only one there is."""
        self.page_size = PAGE_SIZE
        """Items that a page is asked to hold."""

    # -- logging in

    async def log_in(self) -> None:
        """Get a token, and check that the region is one of the catalogue's.

        Raises:
            AuthenticationError: Keystone refuses the credentials.
            InvalidRequestError: There is no such region, or several and none was named.
            UnavailableError: Keystone can't be reached.
        """
        name = self.region_info.region
        regions = await self._catalogued()
        if not regions or name in regions:
            return
        if not name and len(regions) == 1:
            self.region_info = msgspec.structs.replace(self.region_info, region=regions[0])
            return
        known = ", ".join(regions)
        problem = f"the catalogue has no region {name!r}" if name else "no region was named"
        raise InvalidRequestError(f"{problem}; it has: {known}", **self.facts("Authenticate"))

    async def _authenticate(self) -> None:
        try:
            await self._account.headers(self._region, self._http)
        except SpiderError as error:
            raise self._placed(error, "Authenticate") from error.__cause__

    async def regions(self) -> list[str]:
        """Return the regions of the catalogue; of them those that clouds.yaml lists, if it does."""
        from .session import configured_regions

        regions = await self._catalogued()
        listed = configured_regions(self._region)
        return [region for region in regions if not listed or region in listed]

    async def _catalogued(self) -> list[str]:
        from .session import regions_of

        return await self._logged_in("Authenticate", regions_of)

    async def projects(self) -> list[str]:
        """Return the projects that the user has a role in: names, or ids; see `list_accounts`."""
        from .session import projects_of

        return await self._logged_in("ListAvailableProjects", projects_of)

    async def _logged_in(
        self, operation: str, call: Callable[[CloudRegion], list[str]]
    ) -> list[str]:
        """Ask keystoneauth something that takes a token."""

        async def ask() -> list[str]:
            await self._authenticate()
            try:
                return await self._account.run(self._region, self._http, lambda: call(self._region))
            except SpiderError as error:
                raise self._placed(error, operation) from error.__cause__

        return await self.perform(operation, ask)

    def _placed(self, error: SpiderError, operation: str) -> SpiderError:
        error.driver = self.driver_name
        error.region, error.operation = self.region_info.region, operation
        error.message = self.redact(error.message)
        return error

    # -- where services are

    async def endpoint(self, service: str) -> Endpoint:
        """Return where a service of this region is; asks it for its versions once.

        Raises:
            NotSupportedError: The catalogue lacks it.
        """
        known = self._endpoints.get(service)
        if known is not None:
            return known
        operation = f"Discover {service}"
        async with self._lock:
            known = self._endpoints.get(service)
            if known is None:
                known = await self.perform(operation, lambda: self._discover(service, operation))
                self._endpoints[service] = known
                if service == "compute":
                    self._microversion = self._negotiated(known)
        return known

    async def _discover(self, service: str, operation: str) -> Endpoint:
        from .session import endpoint_of

        try:
            found = await self._account.run(
                self._region, self._http, lambda: endpoint_of(self._region, service)
            )
        except SpiderError as error:
            raise self._placed(error, operation) from error.__cause__
        if found is None:
            raise NotSupportedError(
                f"the catalogue has no service {service!r} in region "
                f"{self.region_info.region!r}, or not for this interface",
                code="EndpointNotFound",
                **self.facts(operation),
            )
        return found

    def _negotiated(self, endpoint: Endpoint) -> str:
        oldest = endpoint.oldest or _OLDEST_MICROVERSION
        newest = endpoint.newest or _OLDEST_MICROVERSION
        wanted = self._region.get_default_microversion("compute")
        if wanted:
            return str(wanted)
        version = max(oldest, min(newest, MICROVERSION))
        if version > NEWEST_MICROVERSION:
            raise NotSupportedError(
                f"this Nova speaks microversion {_dotted(oldest)} and later, "
                f"this driver up to {_dotted(NEWEST_MICROVERSION)}",
                **self.facts("Discover compute"),
            )
        return _dotted(version)

    @property
    def microversion(self) -> tuple[int, int]:
        """The microversion that Nova is spoken to in, once it was asked for anything."""
        major, _, minor = self._microversion.partition(".")
        return int(major or 2), int(minor or 1)

    # -- requests

    async def call(
        self,
        kind: type[W],
        operation: str,
        service: str,
        method: str,
        path: str,
        *,
        query: str = "",
        body: Any = None,
        idempotent: bool | None = None,
    ) -> W:
        """Make one call.

        Args:
            kind: What it answers with.
            operation: Its name in the service's API reference, as ``ShowServerDetails``.
            service: ``compute``, ``network`` or ``image``.
            method: HTTP's.
            path: Below the service's endpoint, encoded.
            query: The query, encoded.
            body: What is sent as JSON; None = nothing.
            idempotent: Whether it may be sent again when nobody knows if it arrived; None = all
                but POST may.

        Raises:
            SpiderError: It failed.
        """
        if self.closed:
            raise self._closed_error(operation)
        endpoint = await self.endpoint(service)
        url = f"{endpoint.url}{path}?{query}" if query else f"{endpoint.url}{path}"
        data = None if body is None else msgspec.json.encode(body)
        extra: dict[str, str] = {} if data is None else {"Content-Type": "application/json"}
        if service == "compute":
            # Both: the second is all that a Nova before 2.27 knows.
            extra["OpenStack-API-Version"] = f"compute {self._microversion}"
            extra["X-OpenStack-Nova-API-Version"] = self._microversion

        async def send() -> W:
            response = await self._send(operation, method, url, extra, data)
            return await self._decoded(kind, operation, response)

        if idempotent is None:
            idempotent = method != "POST"
        return await self.perform(operation, send, idempotent=idempotent)

    async def _send(
        self, operation: str, method: str, url: str, extra: dict[str, str], body: bytes | None
    ) -> HttpResponse:
        account, region, http = self._account, self._region, self._http
        try:
            proof = await account.headers(region, http)
            for last in (False, True):
                response = await http.request(
                    method,
                    url,
                    headers={"Accept": "application/json", **proof, **extra},
                    body=body,
                    tls=self._tls,
                    url_encoded=True,
                )
                if response.status != 401 or last:
                    break
                proof = await account.renew(region, http, proof)
        except SpiderError as error:
            raise self._placed(error, operation) from error.__cause__
        if response.status >= 300:
            error = error_of(
                response.status, response.headers, response.body, self.facts(operation)
            )
            error.message = self.redact(error.message)
            raise error
        return response

    async def _decoded(self, kind: type[W], operation: str, response: HttpResponse) -> W:
        if kind is wire.Nothing or not response.body:
            return kind()
        try:
            # What is joined comes first: servers that wait for it take twice the memory as objects.
            return await decode_in_turn(_decoder(kind), response.body, kind is not wire.Servers)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            what = response.headers.get("Content-Type", "no content type")
            raise ProtocolError(
                f"the answer can't be understood: {error} ({what})",
                status=response.status,
                request_id=response.headers.get("x-openstack-request-id", ""),
                **self.facts(operation),
            ) from error

    async def pages_of(
        self, kind: type[W], operation: str, service: str, path: str, query: str = ""
    ) -> AsyncGenerator[W, None]:
        """Yield the answers of a list to the last page.

        Raises:
            ProtocolError: The service gives the same page again and again.
        """
        limit = f"limit={self.page_size}"
        query = f"{query}&{limit}" if query else limit
        while True:
            answer = await self.call(kind, operation, service, "GET", path, query=query)
            yield answer
            following = _next_query(answer)
            if following is None:
                return
            if following == query:
                raise ProtocolError(
                    "the list does not end: its next page is the same again",
                    **self.facts(operation),
                )
            query = following

    async def all_of(
        self, kind: type[W], operation: str, service: str, path: str, field: str, query: str = ""
    ) -> list[Any]:
        """Return the items of all pages of a list."""
        return [
            item
            async for answer in self.pages_of(kind, operation, service, path, query)
            for item in getattr(answer, field)
        ]

    async def ports(self, *fields: str, **filters: str) -> list[wire.Port]:
        """Return the ports that Neutron shows, or those that a filter lets pass.

        Args:
            fields: What of them is wanted; none = all that `wire.Port` has.
            filters: Neutron's own.
        """
        query = f"{wire.fields_of(wire.Port, fields)}&{urlencode(filters)}".rstrip("&")
        return await self.all_of(wire.Ports, "ListPorts", "network", "/ports", "ports", query)

    async def floating_ips(self, *fields: str, query: str = "") -> list[wire.FloatingIP]:
        """Return the floating addresses that Neutron shows; arguments as in `ports`."""
        query = f"{wire.fields_of(wire.FloatingIP, fields)}&{query}".rstrip("&")
        return await self.all_of(
            wire.FloatingIPs, "ListFloatingIPs", "network", "/floatingips", "floatingips", query
        )

    async def only_network(self, operation: str) -> wire.Network | None:
        """Return the network that is used when none is named, None when the project has none.

        Raises:
            InvalidRequestError: There are several.
        """
        networks: list[wire.Network] = await self.all_of(
            wire.Networks,
            "ListNetworks",
            "network",
            "/networks",
            "networks",
            f"{wire.fields_of(wire.Network)}&router:external=false",
        )
        if len(networks) > 1:
            names = ", ".join(f"{network.name} ({network.id})" for network in networks[:5])
            raise InvalidRequestError(
                f"there are {len(networks)} networks, so one must be named: {names}",
                **self.facts(operation),
            )
        return networks[0] if networks else None

    async def public_network(self, operation: str) -> wire.Network | None:
        """Return the external network, of which public addresses are; None when there is none.

        Raises:
            InvalidRequestError: There are several, or the one that was named is not there.
        """
        networks: list[wire.Network] = await self.all_of(
            wire.Networks,
            "ListNetworks",
            "network",
            "/networks",
            "networks",
            f"{wire.fields_of(wire.Network)}&router:external=true",
        )
        wanted = self.external_network
        if wanted:
            fitting = [network for network in networks if wanted in (network.id, network.name)]
        else:
            fitting = [network for network in networks if network.is_default] or networks
        if len(fitting) == 1:
            return fitting[0]
        if not networks and not wanted:
            return None
        names = ", ".join(f"{network.name} ({network.id})" for network in fitting or networks)
        problem = (
            f"there is no external network {wanted!r}; there are: {names or 'none'}"
            if not fitting
            else f"several external networks fit, so the credential key 'external_network' must "
            f"name one by its id: {names}"
        )
        raise InvalidRequestError(problem, **self.facts(operation))

    # -- the connection itself

    async def _ping(self) -> None:
        for kind, operation, service, path in _PINGS:
            try:
                await self.call(kind, operation, service, "GET", path, query="limit=1")
            except NotSupportedError:
                continue  # not in this region
            return
        raise UnavailableError("there is no service in this region", **self.facts("ListFlavors"))

    async def _release(self) -> None:
        natives, self._natives = self._natives, []
        for native in natives:
            await anyio.to_thread.run_sync(native.close)
        await self._http.release()

    async def native_client(self, **kwargs: Any) -> Connection:
        """Return openstacksdk's ``Connection`` to the same region, with the same token.

        It blocks, as openstacksdk does: use it in a worker thread. It is closed with this
        connection.

        Args:
            kwargs: What ``openstack.connection.Connection`` takes beside a configuration.

        Raises:
            InvalidRequestError: The connection is closed.
        """
        from .session import native_connection

        if self.closed:
            raise self._closed_error("native_client")
        await self.perform("Authenticate", self._authenticate)
        native = await anyio.to_thread.run_sync(lambda: native_connection(self._region, **kwargs))
        self._natives.append(native)
        return native


_decoders: dict[type[wire.Wire], msgspec.json.Decoder[Any]] = {}


def _decoder(kind: type[W]) -> msgspec.json.Decoder[W]:
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind)
    return decoder


def _dotted(version: tuple[int, ...]) -> str:
    return f"{version[0]}.{version[1]}"


def _next_query(answer: wire.Wire) -> str | None:
    """Return the query of the next page.

    Of a link only the query is taken: behind a proxy, a service may know itself by another host
    and path than the catalogue does.
    """
    if isinstance(answer, wire.Images):
        return urlsplit(answer.next).query or None
    for field in answer.__struct_fields__:
        if field.endswith("_links"):
            for link in getattr(answer, field):
                if link.rel == "next":
                    return urlsplit(link.href).query or None
    return None
