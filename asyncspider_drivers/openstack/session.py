"""openstacksdk's configuration and keystoneauth1, fitted to this package.

They know every way in which OpenStack's people log in, and they block. So their code runs in a
worker thread, once a token's life, while what it sends goes through the event loop's own HTTP
session: it can be cancelled, and shares sockets and TLS contexts with everything else.

Nothing outside this module imports either, and this module is imported in a worker thread.
"""

from __future__ import annotations

import asyncio
import io
import math
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import datetime
from typing import Any, TypeVar, cast
from weakref import WeakKeyDictionary, WeakValueDictionary

import anyio
import anyio.from_thread
import anyio.to_thread
import msgspec
import requests
import requests.adapters
import urllib3
from keystoneauth1 import exceptions as keystone_errors
from keystoneauth1.access.access import AccessInfo
from keystoneauth1.identity.base import BaseIdentityPlugin
from keystoneauth1.plugin import AUTH_INTERFACE
from keystoneauth1.session import Session
from openstack.config.cloud_region import CloudRegion
from openstack.config.loader import OpenStackConfig
from openstack.connection import Connection
from openstack.exceptions import ConfigException

import asyncspider
from asyncspider import AuthenticationError, InvalidRequestError, NotSupportedError, SpiderError
from asyncspider.transport.session import HttpResponse, HttpSession, TLSOptions

from . import wire
from .errors import error_of_exception
from .paths import is_project_id

R = TypeVar("R")

OURS = frozenset({"all_projects", "external_network"})
"""Credential keys that are this driver's own."""
SERVICES: Mapping[str, tuple[int, int]] = {"compute": (2, 1), "network": (2, 0), "image": (2, 0)}
"""Service types, with the least version of each."""
_EARLY = 30.0
"""A token that ends within this time, in seconds, is not used for another request."""
_PROJECT_KEYS = {"project_id", "project_name", "project_domain_id", "project_domain_name"}
_PROJECT_NAMES = ("project_id", "project_name", "tenant_id", "tenant_name")
_SECRET_WORDS = ("password", "secret", "token", "passcode", "assertion")


# -- what blocks, over what does not


class _Bridge:
    """Carries requests of one worker thread to the event loop.

    Args:
        http: The session that they go through.
        tls: How servers prove who they are.
    """

    def __init__(self, http: HttpSession, tls: TLSOptions) -> None:
        self._http = http
        self._tls = tls
        self._scope = anyio.CancelScope()
        self._ended = False

    async def fetch(self, request: requests.PreparedRequest) -> HttpResponse:
        if self._ended:
            raise InvalidRequestError("given up", code="Cancelled")
        body = request.body
        with anyio.CancelScope() as self._scope:
            return await self._http.request(
                request.method or "GET",
                request.url or "",
                headers={name: _text(value) for name, value in request.headers.items()},
                body=body.encode() if isinstance(body, str) else cast("bytes | None", body),
                tls=self._tls,
            )
        raise InvalidRequestError("given up", code="Cancelled")

    def end(self) -> None:
        """Make the thread come to its end: nothing that it asks for is answered any more."""
        self._ended = True
        self._scope.cancel()


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


_bridge: ContextVar[_Bridge] = ContextVar("_bridge")


class _LoopAdapter(requests.adapters.HTTPAdapter):
    """Sends what keystoneauth asks for through the event loop that waits for it."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Any:
        bridge = _bridge.get(None)
        if bridge is None:  # a plugin that works in a thread of its own
            return super().send(request, *args, **kwargs)
        answer = anyio.from_thread.run(bridge.fetch, request)
        headers = {
            name: value
            for name, value in answer.headers.items()
            if name.lower() not in ("content-encoding", "content-length", "transfer-encoding")
        }
        raw = urllib3.HTTPResponse(
            io.BytesIO(answer.body), headers, answer.status, preload_content=False
        )
        return self.build_response(request, raw)


async def _in_thread(call: Callable[[], R], bridge: _Bridge) -> R:
    """Run blocking code of keystoneauth; when cancelled, its thread has ended too."""

    def work() -> R:
        _bridge.set(bridge)
        return call()

    task = asyncio.ensure_future(anyio.to_thread.run_sync(work))
    try:
        return await asyncio.shield(task)
    finally:
        if not task.done():
            bridge.end()
            with anyio.CancelScope(shield=True):
                await asyncio.wait([task])
            if not task.cancelled():
                task.exception()  # looked at, or asyncio would complain that nobody did


# -- accounts


class Endpoint(msgspec.Struct, frozen=True):
    """Where a service is, and which microversions it speaks."""

    url: str
    """Root of its API, without a slash at the end."""
    oldest: tuple[int, int] | None = None
    """Least microversion, None where it has none."""
    newest: tuple[int, int] | None = None
    """Greatest microversion."""


class Account:
    """One login, shared by all connections that an event loop has with it.

    Args:
        config: openstacksdk's configuration.
        cloud: Name of the cloud in it, None = what the environment says.
        arguments: What was given beside it.
    """

    def __init__(
        self, config: OpenStackConfig, cloud: str | None, arguments: dict[str, Any]
    ) -> None:
        self._config = config
        self._cloud = cloud
        self._arguments = arguments
        self._default_region = _take_region(config, cloud)
        self._configuring = threading.Lock()
        self._lock = anyio.Lock()
        self._auth: Any = None
        self._auth_options: Any = None
        self._headers: dict[str, str] = {}
        self._good_until = math.inf

    def region(self, name: str) -> CloudRegion:
        """Return a region's configuration. Blocks: may read files.

        Raises:
            InvalidRequestError: The configuration lacks the cloud or the region.
            AuthenticationError: It has no or incomplete credentials.
        """
        # One thread at a time: hundreds may come at once, and each would look for all plugins.
        with self._configuring:
            return self._configured(name or self._default_region)

    def _configured(self, name: str) -> CloudRegion:
        given: dict[str, Any] = {"region_name": name} if name else {}
        try:
            region = self._config.get_one(self._cloud, **self._arguments, **given)
        except ConfigException as error:
            raise self._no_such(error) from error
        except keystone_errors.NoMatchingPlugin as error:
            raise InvalidRequestError(f"there is no auth_type {error.name!r}") from error
        except keystone_errors.MissingRequiredOptions as error:
            missing = ", ".join(option.dest for option in error.options)
            if self._cloud is None and self._config.default_cloud in (None, "defaults"):
                raise AuthenticationError(
                    "no OpenStack credentials were found: give credential keys, set OS_CLOUD or "
                    "OS_AUTH_URL and its companions, or write a clouds.yaml",
                    code=type(error).__name__,
                ) from error
            raise AuthenticationError(
                f"credentials lack {missing}", code=type(error).__name__
            ) from error
        options = region.get_auth_args()
        if self._auth is None:
            self._auth, self._auth_options = region.get_auth(), options
        elif options == self._auth_options:
            region._auth = self._auth  # one token for all regions
        session = region.get_session()
        for scheme in ("http://", "https://"):
            session.session.mount(scheme, _LoopAdapter())
        return region

    def _no_such(self, error: ConfigException) -> InvalidRequestError:
        names = self._config.get_cloud_names()
        if self._cloud is not None and self._cloud not in names:
            where = self._config.config_filename or "no clouds.yaml was found"
            known = ", ".join(sorted(names)) or "none"
            return InvalidRequestError(
                f"there is no cloud {self._cloud!r} in clouds.yaml ({where}); it has: {known}",
                code="ConfigException",
            )
        return InvalidRequestError(" ".join(str(error).split()), code="ConfigException")

    async def run(self, region: CloudRegion, http: HttpSession, call: Callable[[], R]) -> R:
        """Run blocking code of keystoneauth that sends requests.

        Raises:
            SpiderError: Whatever it raised, typed; without driver, region and operation.
        """
        try:
            return await _in_thread(call, _Bridge(http, tls_options(region)))
        except SpiderError:
            raise
        except Exception as error:
            raise error_of_exception(error, {}) from error

    async def headers(self, region: CloudRegion, http: HttpSession) -> dict[str, str]:
        """Return the headers that prove who asks; logs in when there are none yet.

        Raises:
            AuthenticationError: Keystone refuses the credentials.
            UnavailableError: It can't be reached.
        """
        if not self._usable():
            async with self._lock:
                if not self._usable():
                    await self._log_in(region, http)
        return self._headers

    async def renew(
        self, region: CloudRegion, http: HttpSession, refused: dict[str, str]
    ) -> dict[str, str]:
        """Return other headers than those that a service refused, logging in once for all."""
        async with self._lock:
            if self._headers is refused:
                self._auth.invalidate()
                await self._log_in(region, http)
        return self._headers

    def _usable(self) -> bool:
        return bool(self._headers) and time.time() < self._good_until

    async def _log_in(self, region: CloudRegion, http: HttpSession) -> None:
        def log_in() -> tuple[dict[str, str], datetime | None]:
            session = region.get_session()
            if not isinstance(self._auth, BaseIdentityPlugin):
                return dict(session.get_auth_headers(self._auth) or {}), None
            access = self._auth.get_access(session)
            if not access.service_catalog.catalog:
                raise AuthenticationError(
                    "Keystone lets this user in, but for no project: name a project that the "
                    "user has a role in",
                    code="EmptyCatalog",
                )
            return {"X-Auth-Token": access.auth_token or ""}, access.expires

        headers, expires = await self.run(region, http, log_in)
        self._headers = headers
        self._good_until = math.inf if expires is None else expires.timestamp() - _EARLY


def _take_region(config: OpenStackConfig, cloud: str | None) -> str:
    """Take the one region that a cloud names out of its configuration, and return it.

    It is a default; openstacksdk would refuse all others, as it rightly does with a list.
    """
    entry = config.cloud_config["clouds"].get(cloud or config.default_cloud)
    if not isinstance(entry, dict) or "regions" in entry:
        return ""
    for key in ("region_name", "region-name"):
        if isinstance(entry.get(key), str) and "," not in entry[key]:
            return entry.pop(key)
    return ""


def tls_options(region: CloudRegion) -> TLSOptions:
    """Return how servers of a cloud prove who they are, as its configuration says."""
    verify, cert = region.get_requests_verify_args()
    cert_file, key_file = cert if isinstance(cert, tuple) else (cert, None)
    return TLSOptions(
        verify=bool(verify),
        ca_file=verify if isinstance(verify, str) else None,
        cert_file=cert_file,
        key_file=key_file,
    )


_accounts: WeakKeyDictionary[
    asyncio.AbstractEventLoop, WeakValueDictionary[tuple[Any, ...], Account]
] = WeakKeyDictionary()


async def open_account(key_values: Mapping[str, str], endpoint_url: str | None) -> Account:
    """Return the account that these credentials are of; one for all who use it at once."""
    known = _accounts.setdefault(asyncio.get_running_loop(), WeakValueDictionary())
    environment = tuple(sorted(item for item in os.environ.items() if item[0].startswith("OS_")))
    options = {key: value for key, value in key_values.items() if key not in OURS}
    key = (tuple(sorted(options.items())), endpoint_url, environment)
    account = known.get(key)
    if account is None:
        account = await anyio.to_thread.run_sync(_configure, options, endpoint_url)
        account = known.setdefault(key, account)
    return account


def _configure(options: dict[str, str], endpoint_url: str | None) -> Account:
    cloud = options.pop("cloud", None)
    # Keys of an account stand for themselves; nothing of the environment is mixed in. A project
    # alone is another one of who was found.
    found = cloud is not None or not options.keys() - _PROJECT_KEYS
    other_project = bool({"project_id", "project_name"} & options.keys())
    arguments: dict[str, Any] = {}
    for key in ("auth_type", "interface", "cacert", "cert", "key"):
        if key in options:
            arguments[key] = options.pop(key)
    if not found and "auth_type" not in arguments:
        if "application_credential_secret" in options:
            arguments["auth_type"] = "v3applicationcredential"
        elif "token" in options:
            arguments["auth_type"] = "token"
    if endpoint_url is not None:
        options["auth_url"] = endpoint_url
    if options:
        arguments["auth"] = options
    try:
        config = OpenStackConfig(
            load_yaml_config=found,
            load_envvars=found,
            app_name="asyncspider",
            app_version=asyncspider.__version__,
        )
    except ConfigException as error:
        raise InvalidRequestError(" ".join(str(error).split()), code="ConfigException") from error
    except Exception as error:
        raise InvalidRequestError(
            f"clouds.yaml can't be read: {' '.join(str(error).split())}", code=type(error).__name__
        ) from error
    if found and other_project:
        _forget_project(config, cloud)
    return Account(config, cloud, arguments)


def _forget_project(config: OpenStackConfig, cloud: str | None) -> None:
    """Take the project out of a cloud's configuration: an id there would hide a name given."""
    entry = config.cloud_config["clouds"].get(cloud or config.default_cloud)
    for place in (entry, entry.get("auth") if isinstance(entry, dict) else None):
        if isinstance(place, dict):
            for key in list(place):
                if key.replace("-", "_") in _PROJECT_NAMES:
                    del place[key]


# -- what a region has


class _Catalogue:
    """Where a token's catalogue has its services, found by one look through it.

    keystoneauth goes through all of it for each question, which for hundreds of regions is
    hundreds of times too often.
    """

    def __init__(self, access: AccessInfo) -> None:
        self._urls: dict[tuple[str, str, str], set[tuple[str, str]]] = {}
        self._regions: dict[tuple[str, str], set[str]] = {}
        for service in access.service_catalog.catalog:
            kind, name = service.get("type", ""), service.get("name", "")
            for endpoint in service.get("endpoints", ()):
                interface = endpoint.get("interface", "")
                region = endpoint.get("region") or endpoint.get("region_id") or ""
                if not interface or not endpoint.get("url"):
                    continue  # a catalogue of Keystone's version 2
                urls = self._urls.setdefault((kind, interface, region), set())
                urls.add((name, endpoint["url"]))
                if region:
                    self._regions.setdefault((kind, interface), set()).add(region)

    def regions(self, kind: str, interface: str) -> set[str]:
        """Return the regions that have a service."""
        return self._regions.get((kind, interface), set())

    def url(self, kind: str, interface: str, region: str | None, name: str | None) -> str | None:
        """Return where a service is, None if that is not plain to see."""
        found = [
            url
            for known, url in self._urls.get((kind, interface, region or ""), ())
            if name in (None, known)
        ]
        return found[0] if len(found) == 1 else None


_catalogues: WeakKeyDictionary[AccessInfo, _Catalogue] = WeakKeyDictionary()


def _catalogue(region: CloudRegion) -> _Catalogue | None:
    """Return the catalogue of the token that is there, None where the plugin has none."""
    auth = region.get_auth()
    if not isinstance(auth, BaseIdentityPlugin):
        return None
    access = auth.get_access(region.get_session())
    found = _catalogues.get(access)
    if found is None:
        found = _catalogues[access] = _Catalogue(access)
    return found


def _interfaces(configured: str | list[str] | None) -> list[str]:
    """Return the interfaces that will do, the best one first."""
    names = [configured] if isinstance(configured, str) else configured or ["public"]
    return [name.removesuffix("URL") for name in names]


def regions_of(region: CloudRegion) -> list[str]:
    """Return the regions in the catalogue, sorted. Blocks. None without a catalogue."""
    catalogue = _catalogue(region)
    if catalogue is None:
        return []
    names: set[str] = set()
    for service in SERVICES:
        kind = region.get_service_type(service) or service
        for interface in _interfaces(region.get_interface()):
            names |= catalogue.regions(kind, interface)
    return sorted(names)


def projects_of(region: CloudRegion) -> list[str]:
    """Return the projects that a user has a role in, sorted; see `list_accounts`. Blocks."""
    auth, session = region.get_auth(), region.get_session()
    if not isinstance(auth, BaseIdentityPlugin):
        raise NotSupportedError("this auth_type has no list of projects")
    access = auth.get_access(session)
    if getattr(access, "application_credential_id", None):
        return [access.project_id or ""]
    answer = session.get(
        "/auth/projects",
        headers={"Accept": "application/json"},
        endpoint_filter={
            "service_type": "identity",
            "interface": AUTH_INTERFACE,
            "min_version": (3, 0),
            "max_version": (3, "latest"),
        },
    )
    found = msgspec.json.decode(answer.content, type=wire.Projects).projects
    given = region.get_auth_args()
    by_name = given.get("project_name") and not given.get("project_id")
    return sorted(
        project.name
        if by_name
        and project.name
        and project.domain_id == access.project_domain_id
        and not is_project_id(project.name)
        else project.id
        for project in found
        if project.enabled
    )


def configured_regions(region: CloudRegion) -> list[str]:
    """Return the regions that clouds.yaml lists for a cloud, none where it lists none."""
    config = region._openstack_config
    if config is None or region.name not in config.get_cloud_names():
        return []
    regions = config.cloud_config["clouds"][region.name].get("regions") or []
    return [entry["name"] if isinstance(entry, dict) else str(entry) for entry in regions]


def endpoint_of(region: CloudRegion, service: str) -> Endpoint | None:
    """Return where a service is, by the catalogue or the configuration, and what it speaks.

    Blocks: asks the service for its versions. None when there is no such service.
    """
    kind = region.get_service_type(service) or service
    interface = region.get_interface(service)
    place, name = region.get_region_name(service), region.get_service_name(service)
    override = region.get_endpoint(service)
    catalogue = _catalogue(region) if override is None else None
    if catalogue is not None:
        urls = (catalogue.url(kind, one, place, name) for one in _interfaces(interface))
        override = next(filter(None, urls), None)
    try:
        data = region.get_session().get_endpoint_data(
            service_type=kind,
            service_name=name,
            interface=interface or "public",
            region_name=place,
            endpoint_override=override,
            min_version=SERVICES[service],
            max_version=(SERVICES[service][0], "latest"),
        )
    except keystone_errors.EndpointNotFound:
        return None
    if data is None or not data.url:
        return None
    return Endpoint(
        data.url.rstrip("/"),
        cast("tuple[int, int] | None", data.min_microversion),
        cast("tuple[int, int] | None", data.max_microversion),
    )


def secrets_of(region: CloudRegion) -> list[str]:
    """Return what must not be shown of a region's credentials."""
    return [
        str(value)
        for key, value in region.get_auth_args().items()
        if value and any(word in key for word in _SECRET_WORDS)
    ]


def native_connection(region: CloudRegion, **kwargs: Any) -> Connection:
    """Return openstacksdk's connection to a region, with the token that is there already."""
    verify, cert = region.get_requests_verify_args()
    session = Session(
        auth=region.get_auth(),
        verify=True if verify is None else verify,
        cert=cert,
        timeout=region.config.get("api_timeout"),
        app_name="asyncspider",
        app_version=asyncspider.__version__,
    )
    return Connection(config=_with_session(region, session), **kwargs)


def _with_session(region: CloudRegion, session: Session) -> CloudRegion:
    # Its own copy: the region's session is bound to this loop, and the caller uses threads.
    copy = CloudRegion(
        name=region.name,
        region_name=region._region_name,
        config=region.config,
        auth_plugin=region.get_auth(),
        openstack_config=region._openstack_config,
    )
    copy._keystone_session = session
    return copy


__all__ = [
    "Account",
    "Endpoint",
    "configured_regions",
    "endpoint_of",
    "native_connection",
    "open_account",
    "projects_of",
    "regions_of",
    "secrets_of",
    "tls_options",
]
