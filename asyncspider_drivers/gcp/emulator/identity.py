"""The services beside Compute Engine that hand out tokens and know the projects.

Paths: ``/token`` (OAuth 2, for service accounts), ``/computeMetadata/v1/...`` (the metadata
server of a machine in Google Cloud), ``/v1/projects/-/serviceAccounts/X:generateAccessToken``
(IAM, for impersonation), ``/v3/projects:search`` (Resource Manager).
"""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from .errors import forbidden, unauthenticated
from .query import decode_token, encode_token
from .world import World


class Identity:
    """Hands out tokens that the emulated Compute Engine accepts until they expire.

    Args:
        world: Where they are good.
        lifetime: Seconds until a token expires.
    """

    def __init__(self, world: World, *, lifetime: float = 3600.0) -> None:
        self.world = world
        self.lifetime = lifetime
        self.issued: list[str] = []
        """How each token was asked for: ``jwt-bearer``, ``metadata``, ``impersonate``."""

    def grant(self, how: str) -> str:
        """Return a new token."""
        token = f"ya29.{secrets.token_urlsafe(24)}"
        if self.world.tokens is None:
            self.world.tokens = {}
        self.world.tokens[token] = time.time() + self.lifetime
        self.issued.append(how)
        return token

    def add_routes(self, app: web.Application) -> None:
        """Add the paths to an application."""
        app.router.add_post("/token", self._token)
        app.router.add_get("/computeMetadata/v1/{tail:.*}", self._metadata)
        app.router.add_get("/", self._metadata)
        app.router.add_post("/v1/projects/-/serviceAccounts/{call}", self._impersonate)
        app.router.add_get("/v3/projects:search", self._search)

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        grant, assertion = form.get("grant_type"), str(form.get("assertion", ""))
        if grant == "refresh_token":
            how = "refresh-token"
        elif grant == "urn:ietf:params:oauth:grant-type:jwt-bearer" and assertion.count(".") == 2:
            how = "jwt-bearer"
        else:
            return web.json_response(
                {"error": "invalid_grant", "error_description": "Invalid JWT Signature."},
                status=400,
            )
        return web.json_response(
            {
                "access_token": self.grant(how),
                "expires_in": int(self.lifetime),
                "token_type": "Bearer",
            }
        )

    async def _metadata(self, request: web.Request) -> web.Response:
        headers = {"Metadata-Flavor": "Google"}
        if request.path != "/" and request.headers.get("Metadata-Flavor") != "Google":
            return web.Response(status=403, text="Missing Metadata-Flavor:Google header.")
        path = request.path.removeprefix("/computeMetadata/v1").strip("/")
        email = "default@example.iam.gserviceaccount.com"
        if path.endswith("/token"):
            token = self.grant("metadata")
            return web.json_response(
                {
                    "access_token": token,
                    "expires_in": int(self.lifetime),
                    "token_type": "Bearer",
                },
                headers=headers,
            )
        answers: dict[str, Any] = {
            "": "computeMetadata/\n",
            "project/project-id": next(
                (name for name, project in self.world.projects.items() if not project.public), ""
            ),
            "universe/universe-domain": "googleapis.com",
            "universe/universe_domain": "googleapis.com",
        }
        if path.startswith("instance/service-accounts"):
            return web.json_response(
                {
                    "aliases": ["default"],
                    "email": email,
                    "scopes": ["https://www.googleapis.com/auth/cloud-platform"],
                },
                headers=headers,
            )
        if path not in answers:
            return web.Response(status=404, headers=headers)
        return web.Response(text=answers[path], headers=headers)

    async def _impersonate(self, request: web.Request) -> web.Response:
        self.world.requests.append(f"POST {request.path}")
        check_token(self.world, request)
        account, _, verb = request.match_info["call"].partition(":")
        if verb != "generateAccessToken":
            return web.Response(status=404)
        if account.startswith("denied"):
            error = forbidden(
                "iam.serviceAccounts.getAccessToken", f"projects/-/serviceAccounts/{account}"
            )
            return web.Response(status=403, body=error.encode(), content_type="application/json")
        expires = datetime.fromtimestamp(time.time() + self.lifetime, UTC)
        return web.json_response(
            {
                "accessToken": self.grant("impersonate"),
                "expireTime": expires.isoformat(timespec="seconds").replace("+00:00", "Z"),
            }
        )

    async def _search(self, request: web.Request) -> web.Response:
        self.world.requests.append(f"GET {request.path}")
        check_token(self.world, request)
        if not self.world.may_list_projects:
            raise forbidden("resourcemanager.projects.list", "organizations")
        size = int(request.query.get("pageSize", "500") or 500)
        after = decode_token(request.query["pageToken"]) if request.query.get("pageToken") else ""
        names = sorted(
            name
            for name, project in self.world.projects.items()
            if name > after and not project.public
        )
        body: dict[str, Any] = {
            "projects": [
                {
                    "name": f"projects/{self.world.projects[name].number}",
                    "projectId": name,
                    "state": "ACTIVE",
                    "displayName": name,
                }
                for name in names[:size]
            ]
        }
        if len(names) > size:
            body["nextPageToken"] = encode_token(names[size - 1])
        return web.json_response(body)


def check_token(world: World, request: web.Request) -> None:
    """Check the bearer token of a request.

    Raises:
        ApiError: There is none, or it is unknown or has expired.
    """
    if world.tokens is None:
        return
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise unauthenticated(missing=True)
    if world.tokens.get(token, 0.0) <= time.time():
        raise unauthenticated(missing=False)
