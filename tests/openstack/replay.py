"""A small HTTP server with Keystone's login, and recorded replies of the other services."""

from __future__ import annotations

import json
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import msgspec
from aiohttp import web

from asyncspider import Connecting, ConnectionInfo, CredentialInfo, RegionInfo, load_driver
from asyncspider_drivers.openstack.connection import OpenStackConnection

RECORDED = Path(__file__).with_name("recorded")
PASSWORD = "s3cr3t-passw0rd"
REGIONS = ("RegionOne", "RegionTwo")

Misbehave = Callable[[web.Request], Awaitable[web.StreamResponse | None]]


def recorded(name: str) -> Any:
    """Return a recording."""
    return json.loads((RECORDED / f"{name}.json").read_text())


def raw(name: str) -> bytes:
    """Return a recording as bytes."""
    return (RECORDED / f"{name}.json").read_bytes()


class Replay:
    """One cloud of two regions; an async context manager.

    Args:
        newest: Nova's newest microversion.
        oldest: Its oldest.
        tls: How to prove who it is; None = plain HTTP.
    """

    def __init__(
        self, *, newest: str = "2.96", oldest: str = "2.1", tls: ssl.SSLContext | None = None
    ) -> None:
        self.newest, self.oldest = newest, oldest
        self.requests: Counter[str] = Counter()
        """How often each path was asked for, logins as ``login``."""
        self.headers: list[dict[str, str]] = []
        """Headers of all requests but Keystone's."""
        self.token = "token-1"
        self.lives = timedelta(hours=1)
        """How long a token lives."""
        self.page: int | None = None
        """Items in a page; None = all in one."""
        self.links = ""
        """Host that the services name in their links; ``""`` = their own."""
        self.scopes: list[Any] = []
        """What was asked to be logged in to."""
        self.projects: list[dict[str, Any]] = recorded("projects")["projects"]
        """Projects that the user has a role in."""
        self.missing: set[str] = set()
        """Service types that the catalogue lacks."""
        self.misbehave: Misbehave | None = None
        """What is asked before anything is answered."""
        self._tls = tls

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._runner.cleanup()

    def info(self, region: str = "RegionOne", **changes: str) -> ConnectionInfo:
        """Return how to connect."""
        keys = {
            "username": "demo",
            "password": PASSWORD,
            "project_name": "demo",
            "user_domain_id": "default",
            "project_domain_id": "default",
        }
        return ConnectionInfo(
            credential_info=CredentialInfo(key_values=keys | changes),
            region_info=RegionInfo(region=region),
            endpoint_url=f"{self.url}/identity/v3",
            request_timeout=20,
        )

    def connect(self, **changes: Any) -> Connecting[OpenStackConnection]:
        """Connect to it."""
        info = msgspec.structs.replace(self.info(), **changes)
        made: Any = load_driver("openstack").connect_cloud(info)
        return made

    # -- answering

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if self.misbehave is not None:
            odd = await self.misbehave(request)
            if odd is not None:
                return odd
        path = request.path
        if path.startswith("/identity"):
            return await self._keystone(request, path.removeprefix("/identity"))
        self.requests[f"{request.method} {path}"] += 1
        self.headers.append(dict(request.headers))
        service, _, below = path.removeprefix("/").partition("/")
        if below.strip("/") in ("v2.1", "v2.0", "v2", ""):
            return self._version(service)
        if request.headers.get("X-Auth-Token") != self.token:
            return web.json_response({"error": {"code": 401, "title": "Unauthorized"}}, status=401)
        return self._list(request, below.partition("/")[2])

    async def _keystone(self, request: web.Request, path: str) -> web.Response:
        if path.rstrip("/") in ("", "/v3") and request.method == "GET":
            about = {"id": "v3.14", "status": "stable", "links": [
                {"rel": "self", "href": f"{self.url}/identity/v3"}]}  # fmt: skip
            return web.json_response({"version": about})
        if path == "/v3/auth/projects":
            self.requests["projects"] += 1
            if request.headers.get("X-Auth-Token") != self.token:
                return web.json_response({"error": {"code": 401}}, status=401)
            return web.json_response(recorded("projects") | {"projects": self.projects})
        self.requests["login"] += 1
        auth = (await request.json())["auth"]
        self.scopes.append(auth.get("scope"))
        given = auth["identity"]["password"]["user"]["password"]
        if given != PASSWORD:
            fault = recorded("errors")["keystone-wrong-password"]
            return web.Response(
                status=fault["status"], headers=fault["headers"], text=fault["body"]
            )
        self.token = f"token-{self.requests['login']}"
        ends = datetime.now(UTC) + self.lives
        body: dict[str, Any] = {
            "methods": ["password"],
            "user": {"id": "u", "name": "demo", "domain": {"id": "default", "name": "Default"}},
            "expires_at": ends.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "issued_at": "2026-01-01T00:00:00.000000Z",
        }
        if "scope" in auth:
            body["project"] = {"id": "p", "name": "demo", "domain": {"id": "default"}}
            body["catalog"] = [
                {"type": kind, "name": kind, "id": kind, "endpoints": [
                    {"interface": "public", "region": region, "region_id": region,
                     "id": f"{kind}-{region}", "url": f"{self.url}/{kind}{tail}"}
                    for region in REGIONS]}
                for kind, tail in (("compute", "/v2.1"), ("network", ""), ("image", ""))
                if kind not in self.missing
            ]  # fmt: skip
        return web.json_response(
            {"token": body}, status=201, headers={"X-Subject-Token": self.token}
        )

    def _version(self, service: str) -> web.Response:
        id = {"compute": "v2.1", "network": "v2.0", "image": "v2.9"}[service]
        path = "v2" if service == "image" else id
        about = {
            "id": id,
            "status": "CURRENT",
            "version": self.newest if service == "compute" else "",
            "min_version": self.oldest if service == "compute" else "",
            "links": [{"rel": "self", "href": f"{self.url}/{service}/{path}/"}],
        }
        return web.json_response({"versions": [about]})

    def _list(self, request: web.Request, path: str) -> web.Response:
        name = {"servers/detail": "servers", "os-keypairs": "keypairs"}.get(path, path)
        file = name
        if name == "servers":
            version = request.headers.get("OpenStack-API-Version", "compute 2.1").split()[1]
            minor = int(version.split(".")[1])
            file = f"servers-{'2.1' if minor < 26 else '2.46' if minor < 47 else '2.96'}"
        if not (RECORDED / f"{file}.json").exists():
            fault = recorded("errors")["nova-no-server"]
            return web.Response(
                status=fault["status"], headers=fault["headers"], text=fault["body"]
            )
        answer: dict[str, Any] = recorded(file)
        field = name.replace("-", "_")
        if self.page is not None:
            items: list[Any] = answer[field]
            begin = int(request.query.get("marker", 0))
            answer = dict[str, Any]({field: items[begin : begin + self.page]})
            if begin + self.page < len(items):
                host = self.links or self.url
                href = f"{host}{request.path}?limit={self.page}&marker={begin + self.page}"
                if name == "images":
                    answer["next"] = href.removeprefix(host)
                else:
                    answer[f"{field}_links"] = [{"rel": "next", "href": href}]
        response = web.json_response(answer)
        response.enable_compression()
        return response
