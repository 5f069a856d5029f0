"""One HTTP session for all connections of an event loop.

Sockets and TLS contexts are what connecting costs most, so every connection of a loop shares
them. The session opens with the first lease and closes with the last, and leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any, Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass
from weakref import WeakKeyDictionary

import aiohttp
import anyio.to_thread
import msgspec
from yarl import URL

from ..errors import (
    DeadlineExceededError,
    InvalidRequestError,
    ProtocolError,
    SpiderError,
    UnavailableError,
)

CONNECT_TIMEOUT = 10.0
"""Longest wait for a TCP or TLS handshake, in seconds."""
READ_AHEAD = 2**17
"""Bytes of an answer that are read ahead of who parses it while it arrives, as many others do."""
READ_WHOLE = 2**20
"""The same for who wants all of it anyway: fewer stops."""


class TLSOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a server proves who it is."""

    verify: bool = True
    """Whether its certificate is checked. Only ever False because a user's own configuration
    says so."""
    ca_file: str | None = None
    """File or folder of trusted certificates; None = the system's."""
    cert_file: str | None = None
    """Client certificate, PEM."""
    key_file: str | None = None
    """Its key, None = in `cert_file`."""


DEFAULT_TLS = TLSOptions()


class HttpResponse(msgspec.Struct, frozen=True):
    """A complete answer."""

    status: int
    """HTTP status code."""
    headers: Mapping[str, str]
    """Headers; names compare without case."""
    body: bytes
    """The body, decompressed."""


@lru_cache(maxsize=64)
def _build_tls_context(options: TLSOptions) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if options.ca_file is not None:
        from pathlib import Path

        folder = Path(options.ca_file).is_dir()
        context.load_verify_locations(**{"capath" if folder else "cafile": options.ca_file})
    if not options.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if options.cert_file is not None:
        context.load_cert_chain(options.cert_file, options.key_file)
    return context


class HttpStream:
    """A request whose answer is read while it arrives; see `HttpSession.stream`."""

    __slots__ = ("_response", "_sent", "_url", "headers", "status")

    def __init__(self, sent: Awaitable[aiohttp.ClientResponse], url: str) -> None:
        self._sent = sent
        self._url = url

    async def __aenter__(self) -> Self:
        with http_errors(self._url):
            self._response = await self._sent
        self.status = self._response.status
        """HTTP status code."""
        self.headers: Mapping[str, str] = self._response.headers
        """Headers; names compare without case."""
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self._response.__aexit__(*error)

    async def read(self) -> bytes:
        """Return all of the body that was not read yet, decompressed."""
        with http_errors(self._url):
            return await self._response.read()

    async def chunk(self) -> bytes:
        """Return what of the body has arrived, at least a byte; ``b""`` at its end."""
        with http_errors(self._url):
            return await self._response.content.readany()


class _Shared:
    """The session of one event loop, with a count of its users."""

    def __init__(self) -> None:
        self.users = 0
        self.proxies: Mapping[str, str] = {}
        self.session: aiohttp.ClientSession | None = None
        self.tls: dict[TLSOptions, ssl.SSLContext] = {}


_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, _Shared] = WeakKeyDictionary()


class HttpSession:
    """A lease on the loop's shared session. Release it when done; see `open_session`."""

    def __init__(self, shared: _Shared) -> None:
        self._shared: _Shared | None = shared

    async def release(self) -> None:
        """Give the lease back; the last one closes the sockets. Safe to call again."""
        shared, self._shared = self._shared, None
        if shared is None:
            return
        shared.users -= 1
        if shared.users == 0 and shared.session is not None:
            session, shared.session = shared.session, None
            await session.close()

    @property
    def client(self) -> aiohttp.ClientSession:
        """The session itself, for a caller that streams.

        Raises:
            InvalidRequestError: The lease was given back.
        """
        if self._shared is None or self._shared.session is None:
            raise InvalidRequestError("the connection is closed", code="ConnectionClosed")
        return self._shared.session

    async def tls_context(self, options: TLSOptions = DEFAULT_TLS) -> ssl.SSLContext:
        """Return the context for these options, built once a process and off the event loop.

        Raises:
            InvalidRequestError: A certificate file is not there or is none.
        """
        assert self._shared is not None
        context = self._shared.tls.get(options)
        if context is None:
            try:
                context = await anyio.to_thread.run_sync(_build_tls_context, options)
            except OSError as error:
                files = ", ".join(f for f in (options.ca_file, options.cert_file) if f)
                raise InvalidRequestError(f"can't use certificates of {files}: {error}") from error
            self._shared.tls[options] = context
        return context

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
        tls: TLSOptions = DEFAULT_TLS,
        url_encoded: bool = False,
    ) -> HttpResponse:
        """Make one request and read the whole answer. Redirects are not followed.

        With `url_encoded` the address is sent as it is, as one that was signed must be. The
        caller sets the deadline. A status of 400 or more is an answer like any other.

        Raises:
            UnavailableError: The server can't be reached, or hangs up.
            DeadlineExceededError: It does not even take the connection.
            ProtocolError: What it says is no HTTP.
        """
        with http_errors(url):
            response = await self._send(
                method, url, headers, params, body, tls, url_encoded, READ_WHOLE
            )
            # Read to its end, or closed by what keeps it from that: there is no more to let go of.
            return HttpResponse(response.status, response.headers, await response.read())

    def stream(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
        tls: TLSOptions = DEFAULT_TLS,
        url_encoded: bool = False,
        read_ahead: int = READ_AHEAD,
    ) -> HttpStream:
        """Make one request: ``async with session.stream(…) as answer`` reads while it arrives.

        Arguments as for `request`. Of the body about `read_ahead` bytes are read before they
        are asked for. One that is not read to its end costs the connection.

        Raises:
            SpiderError: As for `request`; reading the body may raise the same.
        """
        return HttpStream(
            self._send(method, url, headers, params, body, tls, url_encoded, read_ahead), url
        )

    async def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        params: Mapping[str, str] | None,
        body: bytes | None,
        tls: TLSOptions,
        url_encoded: bool,
        read_ahead: int,
    ) -> aiohttp.ClientResponse:
        return await self.client.request(
            method,
            URL(url, encoded=True) if url_encoded else url,
            headers=headers,
            params=params,
            data=body,
            ssl=await self.tls_context(tls) if url.startswith("https") else True,
            proxy=proxy_for(url, self._shared.proxies) if self._shared else None,
            allow_redirects=False,
            read_bufsize=read_ahead,
        )


async def open_session() -> HttpSession:
    """Take a lease on the running loop's shared session."""
    loop = asyncio.get_running_loop()
    shared = _by_loop.get(loop)
    if shared is None:
        shared = _by_loop[loop] = _Shared()
    if shared.session is None:
        # Looked up once: going through the whole environment takes as long as a small decode.
        shared.proxies = getproxies()
        shared.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=60, keepalive_timeout=30),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT),
            read_bufsize=READ_AHEAD,
            headers={"User-Agent": _user_agent()},
            skip_auto_headers=("Content-Type",),
        )
    shared.users += 1
    return HttpSession(shared)


@asynccontextmanager
async def session() -> AsyncGenerator[HttpSession, None]:
    """Lease the loop's shared session for a block of code."""
    lease = await open_session()
    try:
        yield lease
    finally:
        with anyio.CancelScope(shield=True):
            await lease.release()


@lru_cache(maxsize=1)
def _user_agent() -> str:
    from .. import __version__

    return f"asyncspider/{__version__}"


def proxy_for(url: str, proxies: Mapping[str, str]) -> str | None:
    """Return which of the proxies that the environment names is for `url`, None for none."""
    if not proxies:
        return None
    parts = urlsplit(url)
    if not parts.hostname or proxy_bypass(parts.netloc):
        return None
    return proxies.get(parts.scheme) or proxies.get("all")


class http_errors:  # noqa: N801 - reads as the verb it is: ``with http_errors(url):``
    """Turn the HTTP library's exceptions into this package's.

    Its own class rather than a generator: it stands around every request.
    """

    __slots__ = ("_url",)

    def __init__(self, url: str) -> None:
        self._url = url

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if error is None or not isinstance(
            error, (aiohttp.ClientError, TimeoutError, OSError, ValueError)
        ):
            return
        raise translate(error, self._url) from error


def translate(error: BaseException, url: str) -> SpiderError:
    """Return the typed error for an exception of aiohttp or of a socket."""
    try:
        host = urlsplit(url).netloc.rpartition("@")[2] or url
    except ValueError:
        return InvalidRequestError("not an address: its host is no host")
    match error:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return UnavailableError(
                f"{host}: TLS failed, the certificate is not trusted or not of this host: {error}",
                code="TLS",
                retryable=False,
            )
        case aiohttp.ClientConnectorDNSError():
            return UnavailableError(f"{host}: no such host", code="NameResolution")
        case aiohttp.ConnectionTimeoutError():
            return UnavailableError(
                f"{host}: no connection within {CONNECT_TIMEOUT:g} s", code="ConnectTimeout"
            )
        case aiohttp.ServerTimeoutError() | TimeoutError():
            return DeadlineExceededError(f"{host}: no answer in time")
        case aiohttp.ClientConnectorError():
            # asyncio writes "Connect call failed" and the address there; the number says why.
            number = error.os_error.errno
            reason = os.strerror(number).lower() if number else "connection failed"
            return UnavailableError(f"{host}: {reason}", code="Connect")
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
            return InvalidRequestError(f"not an address: {host}")
        case aiohttp.ClientResponseError():
            return ProtocolError(f"{host}: the answer is no HTTP: {error.message}")
        case aiohttp.ClientPayloadError():
            return UnavailableError(f"{host}: the answer broke off", code="Incomplete")
        case aiohttp.ServerDisconnectedError():
            return UnavailableError(f"{host}: the server hung up", code="Disconnected")
        case aiohttp.ClientError() | OSError():
            return UnavailableError(f"{host}: {error}", code=type(error).__name__)
        case _:
            return ProtocolError(f"{host}: {error}")
