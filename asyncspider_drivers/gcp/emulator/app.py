"""The HTTP side: paths, parameters, lists and errors of the Compute Engine API."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from msgspec import DecodeError, json

from . import resources
from .errors import (
    ApiError,
    backend_error,
    forbidden,
    invalid,
    not_found,
    rate_limited,
    service_disabled,
)
from .identity import Identity, check_token
from .query import (
    Predicate,
    decode_token,
    encode_token,
    page_size,
    parse_fields,
    parse_filter,
    project,
)
from .resources import COLLECTIONS, MACHINE_TYPES
from .world import URL_BASE, Project, World, check_body, check_request_id

_WORLD = web.AppKey("world", World)
_READ_ONLY = ("zones", "regions")


def create_app(world: World, *, identity: Identity | None = None) -> web.Application:
    """Return the emulator as an aiohttp application."""
    app = web.Application(client_max_size=2**24, middlewares=[_errors])
    app[_WORLD] = world
    (identity or Identity(world)).add_routes(app)
    for prefix in ("/compute/v1/projects/{path:.*}", "/projects/{path:.*}"):
        app.router.add_route("*", prefix, _serve)
    return app


@asynccontextmanager
async def serve(
    world: World | None = None, *, port: int = 0, identity: Identity | None = None
) -> AsyncGenerator[str, None]:
    """Serve a world on 127.0.0.1 and yield the address, as ``http://127.0.0.1:41234``."""
    runner = web.AppRunner(
        create_app(world or World(), identity=identity),
        access_log=None,
        handler_cancellation=True,  # a request that waits must not hold up the end
        shutdown_timeout=0.0,
    )
    await runner.setup()
    listening = socket.socket()
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        await web.SockSite(runner, listening).start()
        host, number = runner.addresses[0][:2]
        yield f"http://{host}:{number}"
    finally:
        # What was accepted already must become a connection, or nobody would close it; and
        # asyncio makes none for a server that is closed.
        if listening.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(listening)
        for _ in range(3):
            await asyncio.sleep(0)
        open_now = list(runner.server.connections) if runner.server is not None else []
        transports = [one.transport for one in open_now if one.transport is not None]
        await runner.cleanup()
        for transport in transports:
            transport.abort()  # one whose client reads no more would never end by itself
        listening.close()
        await asyncio.sleep(0)


@web.middleware
async def _errors(request: web.Request, handler: Any) -> web.StreamResponse:
    try:
        return await handler(request)
    except ApiError as error:
        return web.Response(
            status=error.status,
            body=error.encode(),
            headers=error.headers,
            content_type="application/json",
            charset="UTF-8",
        )


async def _serve(request: web.Request) -> web.StreamResponse:
    world = request.app[_WORLD]
    line = f"{request.method} {request.path_qs}"
    world.requests.append(line)
    if world.latency:
        await asyncio.sleep(world.latency)
    fault = world.take_request_fault(line)
    if fault is not None:
        if fault.delay:
            await asyncio.sleep(fault.delay)
        if fault.hang_up:
            return await _hang_up(request, fault.body)
        if fault.error is not None:
            raise fault.error
        if fault.body or fault.status != 503:
            return web.Response(status=fault.status, body=fault.body, headers=fault.headers)
        raise backend_error()
    world.settle()
    check_token(world, request)
    body = b""
    if request.method in ("POST", "PATCH", "PUT"):
        body = await request.read()
    answer = await _dispatch(world, request, body)
    query = request.query
    if query.get("fields"):
        answer = project(answer, parse_fields(query["fields"]))
    data = json.encode(answer)
    if query.get("prettyPrint", "true") != "false":
        data = json.format(data, indent=2)  # what Google does unless it is told not to
    return web.Response(body=data, content_type="application/json", charset="UTF-8")


async def _hang_up(request: web.Request, body: bytes) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": str(len(body) + 100)})
    if body:
        await response.prepare(request)
        await response.write(body)
    if request.transport is not None:
        request.transport.close()
    return response


def _project_of(world: World, project_id: str) -> Project:
    found = world.projects.get(project_id)
    if found is None:
        raise not_found(f"projects/{project_id}")
    if not world.within_rate(project_id):
        status = world.rate_limit_status
        raise rate_limited(found.number, status=status, retry_after=1 if status == 429 else 0)
    if found.service_disabled:
        raise service_disabled(found.number)
    return found


async def _dispatch(world: World, request: web.Request, raw: bytes) -> Any:
    parts = [part for part in request.match_info["path"].split("/") if part]
    if not parts:
        raise ApiError(404, "notFound", "Not Found")
    owner = _project_of(world, parts[0])
    verb, rest = request.method, parts[1:]
    if owner.denied:
        noun = COLLECTIONS[rest[-1]].noun + "s" if rest and rest[-1] in COLLECTIONS else "projects"
        raise forbidden(f"compute.{noun}.{'list' if rest else 'get'}", f"projects/{owner.id}")
    if owner.public and not (verb == "GET" and rest[:2] == ["global", "images"]):
        raise forbidden("compute.instances.list", f"projects/{owner.id}")
    match (verb, *rest):
        case ("GET",):
            return resources.describe_project(owner)
        case ("POST", "setCommonInstanceMetadata"):
            return _write(request, owner, lambda: resources.set_common_metadata(owner, _json(raw)))
        case ("GET", "zones" | "regions" as what):
            return _list(request, owner, f"projects/{owner.id}/{what}", _places(owner, what))
        case ("GET", "zones", zone):
            _check_place(owner, f"zones/{zone}")
            return resources.describe_zone(owner, zone)
        case ("GET", "regions", region):
            _check_place(owner, f"regions/{region}")
            return resources.describe_region(owner, region)
        case ("GET", "aggregated", collection):
            return _aggregated(request, owner, collection)
        case (_, "global", *tail):
            return await _in_scope(request, owner, "global", tail, raw)
        case (_, "zones" | "regions" as level, place, *tail):
            scope = f"{level}/{place}"
            _check_place(owner, scope)
            if place in world.dead_zones:
                raise backend_error()
            return await _in_scope(request, owner, scope, tail, raw)
        case _:
            raise ApiError(404, "notFound", "Not Found")


def _check_place(owner: Project, scope: str) -> None:
    level, _, place = scope.partition("/")
    if place not in (owner.world.zones if level == "zones" else owner.world.regions):
        raise invalid(level[:-1], place, f"Unknown {level[:-1]}.")


async def _in_scope(
    request: web.Request, owner: Project, scope: str, tail: list[str], raw: bytes
) -> Any:
    world, verb, query = owner.world, request.method, request.query
    match (verb, *tail):
        case ("GET", "operations"):
            return _stored(request, owner, scope, "operations")
        case ("GET", "operations", name):
            return owner.find(scope, "operations", name)
        case ("DELETE", "operations", name):
            owner.find(scope, "operations", name)
            owner.store("operations", scope).pop(name)
            return {}
        case ("POST", "operations", name, "wait"):
            return await _wait(world, owner.find(scope, "operations", name))
        case ("GET", "machineTypes") if scope.startswith("zones/"):
            zone = scope.partition("/")[2]
            kinds = [(k, resources.describe_machine_type(owner, zone, k)) for k in MACHINE_TYPES]
            return _list(request, owner, f"projects/{owner.id}/{scope}/machineTypes", iter(kinds))
        case ("GET", "machineTypes", name) if scope.startswith("zones/"):
            return resources.describe_machine_type(owner, scope.partition("/")[2], name)
        case ("GET", "images", "family", family):
            image = resources.newest_of_family(owner, family)
            if image is None:
                raise not_found(owner.path(scope, "images/family", family))
            return image
        case (_, collection, *names) if (
            collection in COLLECTIONS and scope.partition("/")[0] in COLLECTIONS[collection].levels
        ):
            kind = COLLECTIONS[collection]
            match (verb, *names):
                case ("GET",):
                    return _stored(request, owner, scope, collection)
                case ("GET", name):
                    return owner.find(scope, collection, name)
                case ("POST",) if kind.insert is not None:
                    insert = kind.insert
                    return _write(request, owner, lambda: insert(owner, scope, _json(raw), query))
                case ("DELETE", name) if kind.delete is not None:
                    delete = kind.delete
                    return _write(request, owner, lambda: delete(owner, scope, name))
                case ("PATCH" | "PUT", name) if kind.patch is not None:
                    patch = kind.patch
                    return _write(request, owner, lambda: patch(owner, scope, name, _json(raw)))
                case ("POST", name, action) if action in kind.actions:
                    act = kind.actions[action]
                    return _write(
                        request, owner, lambda: act(owner, scope, name, _json(raw), query)
                    )
                case _:
                    pass
    raise ApiError(404, "notFound", "Not Found")


def _json(raw: bytes) -> dict[str, Any]:
    if not raw:
        return {}
    try:
        return check_body(json.decode(raw))
    except DecodeError:
        raise ApiError(400, "parseError", "Parse Error") from None


def _write(request: web.Request, owner: Project, act: Any) -> dict[str, Any]:
    """Do what is asked, once for each request id."""
    request_id = request.query.get("requestId")
    if not request_id:
        return act()
    check_request_id(request_id)
    key = f"{request.method} {request.path} {request_id}"
    if key not in owner.seen:
        owner.seen[key] = act()
    return owner.seen[key]


async def _wait(world: World, operation: dict[str, Any]) -> dict[str, Any]:
    end = time.monotonic() + world.wait_limit
    while operation["status"] != "DONE":
        left = end - time.monotonic()
        if left <= 0:
            break
        change = world.next_change
        await asyncio.sleep(min(left, 1.0 if change is None else change))
        world.settle()
    return operation


# -- lists


def _places(owner: Project, what: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if what == "zones":
        return ((zone, resources.describe_zone(owner, zone)) for zone in owner.world.zones)
    return ((name, resources.describe_region(owner, name)) for name in owner.world.regions)


def _list_kind(collection: str, aggregated: bool = False) -> str:
    single = {"machineTypes": "machineType", "operations": "operation"}.get(collection)
    if single is None:
        single = COLLECTIONS[collection].noun if collection in COLLECTIONS else collection[:-1]
    return f"compute#{single}{'Aggregated' if aggregated else ''}List"


def _predicate(request: web.Request) -> Predicate | None:
    text = request.query.get("filter")
    return parse_filter(text) if text else None


def _page(
    entries: Iterator[tuple[str, dict[str, Any]]], predicate: Predicate | None, size: int
) -> tuple[list[tuple[str, dict[str, Any]]], bool]:
    """Return up to `size` entries that pass, and whether there are more."""
    page: list[tuple[str, dict[str, Any]]] = []
    for key, item in entries:
        if predicate is not None and not predicate(item):
            continue
        if len(page) == size:
            return page, True
        page.append((key, item))
    return page, False


def _list(
    request: web.Request,
    owner: Project,
    path: str,
    entries: Iterator[tuple[str, dict[str, Any]]],
) -> dict[str, Any]:
    """Answer a list that is small and made on the spot."""
    token = request.query.get("pageToken")
    after = decode_token(token) if token else ""
    rest = ((key, item) for key, item in sorted(entries) if key > after)
    return _answer(request, path, rest)


def _stored(request: web.Request, owner: Project, scope: str, collection: str) -> dict[str, Any]:
    token = request.query.get("pageToken")
    entries = owner.store(collection, scope).after(decode_token(token) if token else "")
    return _answer(request, f"projects/{owner.id}/{scope}/{collection}", entries)


def _answer(
    request: web.Request, path: str, entries: Iterator[tuple[str, dict[str, Any]]]
) -> dict[str, Any]:
    order = request.query.get("orderBy", "name")
    if order not in ("name", "creationTimestamp desc"):
        raise invalid("orderBy", order, "Sorting is only supported by name or creation time.")
    if order != "name":
        entries = iter(
            sorted(entries, key=lambda entry: entry[1]["creationTimestamp"], reverse=True)
        )
    size = page_size(request.query.get("maxResults"))
    page, more = _page(entries, _predicate(request), size)
    answer: dict[str, Any] = {
        "kind": _list_kind(path.rpartition("/")[2]),
        "id": path,
        "selfLink": URL_BASE + path,
    }
    if page:
        answer["items"] = [item for _, item in page]
    if more:
        answer["nextPageToken"] = encode_token(page[-1][0])
    return answer


def _scopes(owner: Project, collection: str) -> list[str]:
    if collection == "machineTypes":
        levels: tuple[str, ...] = ("zones",)
    elif collection in COLLECTIONS and COLLECTIONS[collection].aggregated:
        levels = COLLECTIONS[collection].levels
    else:
        raise ApiError(404, "notFound", "Not Found")
    scopes = ["global"] if "global" in levels else []
    if "regions" in levels:
        scopes += [f"regions/{region}" for region in owner.world.regions]
    if "zones" in levels:
        scopes += [f"zones/{zone}" for zone in owner.world.zones]
    return scopes


def _aggregated(request: web.Request, owner: Project, collection: str) -> dict[str, Any]:
    """Answer a list over all scopes: one sequential chain of pages, scope by scope."""
    query, world = request.query, owner.world
    scopes = _scopes(owner, collection)
    dead = [scope for scope in scopes if scope.partition("/")[2] in world.dead_zones]
    if dead and query.get("returnPartialSuccess", "").lower() != "true":
        raise backend_error()
    token = query.get("pageToken")
    at, _, after = decode_token(token).partition(" ") if token else ("", "", "")

    def entries() -> Iterator[tuple[str, dict[str, Any]]]:
        for scope in scopes:
            if scope < at or scope in dead:
                continue
            name = after if scope == at else ""
            if collection == "machineTypes":
                zone = scope.partition("/")[2]
                for kind in sorted(MACHINE_TYPES):
                    if kind > name:
                        yield scope, resources.describe_machine_type(owner, zone, kind)
            else:
                for _, item in owner.store(collection, scope).after(name):
                    yield scope, item

    page, more = _page(entries(), _predicate(request), page_size(query.get("maxResults")))
    found: dict[str, list[dict[str, Any]]] = {}
    for scope, item in page:
        found.setdefault(scope, []).append(item)
    items: dict[str, Any] = {}
    for scope in scopes:
        if scope in found:
            items[scope] = {collection: found[scope]}
        elif scope in dead:
            items[scope] = {"warning": _warning("UNREACHABLE", scope, "is unreachable")}
        else:
            items[scope] = {"warning": _warning("NO_RESULTS_ON_PAGE", scope, "")}
    path = f"projects/{owner.id}/aggregated/{collection}"
    answer: dict[str, Any] = {
        "kind": _list_kind(collection, aggregated=True),
        "id": path,
        "items": items,
        "selfLink": URL_BASE + path,
    }
    if more:
        scope, item = page[-1]
        answer["nextPageToken"] = encode_token(f"{scope} {item['name']}")
    if dead:
        answer["unreachables"] = dead
    return answer


def _warning(code: str, scope: str, what: str) -> dict[str, Any]:
    return {
        "code": code,
        "message": (
            f"The scope '{scope}' {what}."
            if what
            else f"There are no results for scope '{scope}' on this page."
        ),
        "data": [{"key": "scope", "value": scope}],
    }
