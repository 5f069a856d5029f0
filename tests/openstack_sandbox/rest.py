"""A few REST calls as the cloud's administrator, with nothing but the standard library."""

from __future__ import annotations

import json
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from .layout import Layout

send = build_opener(ProxyHandler({})).open
"""``urllib.request.urlopen``, but never through a proxy."""


def answers(url: str) -> bool:
    """Return whether anything at all is answered at an address."""
    try:
        send(url, timeout=10).close()
    except HTTPError:
        return True
    except OSError:
        return False
    return True


class Admin:
    """The account ``admin`` on a sandbox."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._token = ""

    def log_in(self) -> None:
        """Get a token."""
        user = {"name": "admin", "domain": {"id": "default"}, "password": self.layout.password}
        auth = {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": {"name": "admin", "domain": {"id": "default"}}},
        }
        request = Request(
            f"{self.layout.auth_url}/auth/tokens",
            data=json.dumps({"auth": auth}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with send(request, timeout=60) as answer:
            self._token = answer.headers["X-Subject-Token"]

    def call(self, method: str, service: str, path: str, body: Any = None) -> Any:
        """Make one call and return its answer, None for an empty one.

        Args:
            method: HTTP's.
            service: Whose port it is, as ``nova``.
            path: From the root on, as ``/v2.1/flavors``.
            body: JSON, or bytes.
        """
        if not self._token:
            self.log_in()
        raw = isinstance(body, bytes)
        headers = {
            "X-Auth-Token": self._token,
            "Content-Type": "application/octet-stream" if raw else "application/json",
        }
        data = body if raw or body is None else json.dumps(body).encode()
        request = Request(
            f"{self.layout.url(service)}{path}", data=data, headers=headers, method=method
        )
        try:
            with send(request, timeout=120) as answer:
                text = answer.read()
        except HTTPError as error:
            words = error.read().decode(errors="replace")[:500]
            raise OSError(f"{method} {service} {path}: HTTP {error.code} {words}") from error
        return json.loads(text) if text else None
