"""Just enough HTTP/1.1 to hand out prepared answers: a web framework would be the bottleneck."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

import msgspec

from .world import Shape

_SCOPE = re.compile(rb"Credential=[^/]+/\d+/([^/]+)/")


class Request(NamedTuple):
    """What a client asked; everything that an answer may depend on, and nothing else."""

    method: str
    path: str
    query: str
    body: bytes
    region: str
    """Region of the AWS signature, ``""`` without one."""
    version: str
    """OpenStack's microversion header, ``""`` without one."""

    def parameters(self) -> dict[str, str]:
        """Return the query and form parameters; the last of a name counts."""
        form = self.body.decode() if self.region else ""
        return dict(parse_qsl(f"{self.query}&{form}", keep_blank_values=True))


class Answer(NamedTuple):
    """A prepared answer."""

    operation: str
    """Name for the counters."""
    scope: str
    """Region or zone that it belongs to: dead and throttled ones are told by it."""
    parts: tuple[bytes, ...]
    """The body; big parts are shared between answers."""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    kind: str = "application/json"


class Counters(msgspec.Struct):
    """What was asked since the last reset."""

    requests: dict[str, int] = {}
    """Requests by operation."""
    connections: int = 0
    """Sockets accepted."""
    bytes_sent: int = 0
    """Bodies only."""
    peak_in_flight: int = 0
    """Most requests that waited for their answer at one time."""
    peak_by_operation: dict[str, int] = {}
    """The same by operation."""
    cpu_seconds: float = 0.0
    """CPU time of this process, user and system."""
    seconds: float = 0.0
    """Time since the reset."""


class Server:
    """Takes connections; `answer` is asked once for each different request."""

    def __init__(self, shape: Shape, answer: Callable[[Request], Answer]) -> None:
        self.shape = shape
        self._answer = answer
        self._prepared: dict[Request, tuple[Answer, bytes]] = {}
        self._tokens: dict[str, tuple[float, float]] = {}
        self.reset()

    def reset(self) -> None:
        """Begin to count anew."""
        self.requests: dict[str, int] = defaultdict(int)
        self.in_flight: dict[str, int] = defaultdict(int)
        self.peaks: dict[str, int] = defaultdict(int)
        self.total = self.peak = self.bytes = self.connections = 0
        self._began = time.perf_counter(), time.process_time()

    def counters(self) -> Counters:
        """Return what was counted."""
        return Counters(
            requests=dict(self.requests),
            connections=self.connections,
            bytes_sent=self.bytes,
            peak_in_flight=self.peak,
            peak_by_operation=dict(self.peaks),
            cpu_seconds=time.process_time() - self._began[1],
            seconds=time.perf_counter() - self._began[0],
        )

    async def listen(self, port: int = 0) -> asyncio.Server:
        """Listen on 127.0.0.1."""
        loop = asyncio.get_running_loop()
        return await loop.create_server(lambda: _Connection(self), "127.0.0.1", port, backlog=2048)

    def prepared(self, request: Request) -> tuple[Answer, bytes]:
        """Return the answer and its head."""
        found = self._prepared.get(request)
        if found is None:
            answer = self._answer(request)
            found = self._prepared[request] = answer, head_of(answer)
        return found

    def may(self, scope: str) -> bool:
        """Take a token of the scope's bucket; whether there was one."""
        rate, burst = self.shape.rate, self.shape.burst
        if rate is None or not scope:
            return True
        now = time.monotonic()
        tokens, filled = self._tokens.get(scope, (float(burst), now))
        tokens = min(float(burst), tokens + (now - filled) * rate)
        allowed = tokens >= 1
        self._tokens[scope] = tokens - allowed, now
        return allowed


def head_of(answer: Answer) -> bytes:
    """Return status line and headers."""
    lines = [
        f"HTTP/1.1 {answer.status} {'OK' if answer.status < 400 else 'Error'}",
        f"Content-Type: {answer.kind}",
        f"Content-Length: {sum(map(len, answer.parts))}",
        *(f"{name}: {value}" for name, value in answer.headers),
    ]
    return "\r\n".join((*lines, "\r\n")).encode()


class _Connection(asyncio.Protocol):
    def __init__(self, server: Server) -> None:
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        sock: socket.socket = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * 2**20)
        self._server.connections += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        while True:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            start, *lines = bytes(buffer[:end]).split(b"\r\n")
            headers: dict[bytes, bytes] = {}
            for line in lines:
                name, _, value = line.partition(b":")
                headers[name.strip().lower()] = value.strip()
            total = end + 4 + int(headers.get(b"content-length", 0))
            if len(buffer) < total:
                return
            body = bytes(buffer[end + 4 : total])
            del buffer[:total]
            self._take(start, headers, body)

    def _take(self, start: bytes, headers: dict[bytes, bytes], body: bytes) -> None:
        method, target, _ = start.decode("latin-1").split(" ", 2)
        path, _, query = target.partition("?")
        if path == "/_stats":
            self._send_now(msgspec.json.encode(self._server.counters()))
            return
        if path == "/_reset":
            self._server.reset()
            self._send_now(b"{}")
            return
        signed = _SCOPE.search(headers.get(b"authorization", b""))
        request = Request(
            method,
            unquote(path),
            query,
            body if body and signed else b"",
            signed.group(1).decode() if signed else "",
            (
                headers.get(b"openstack-api-version")
                or headers.get(b"x-openstack-nova-api-version", b"")
            ).decode(),
        )
        server = self._server
        answer, head = server.prepared(request)
        if not server.may(answer.scope):
            answer = refusal(request, answer)
            head = head_of(answer)
        operation = answer.operation
        server.requests[operation] += 1
        server.total += 1
        server.in_flight[operation] += 1
        server.peak = max(server.peak, server.total)
        server.peaks[operation] = max(server.peaks[operation], server.in_flight[operation])
        if server.shape.latency:
            self._loop.call_later(server.shape.latency, self._send, answer, head)
        else:
            self._send(answer, head)

    def _send(self, answer: Answer, head: bytes) -> None:
        server = self._server
        server.total -= 1
        server.in_flight[answer.operation] -= 1
        transport = self._transport
        if transport is None:
            return
        if answer.scope in server.shape.dead:
            transport.abort()
            return
        first, *rest = answer.parts or (b"",)
        # Small ones in one packet; big ones without copying them.
        transport.write(head + first if len(first) < 65536 else head)
        if len(first) >= 65536:
            transport.write(first)
        for part in rest:
            transport.write(part)
        server.bytes += sum(map(len, answer.parts))

    def _send_now(self, body: bytes) -> None:
        assert self._transport is not None
        self._transport.write(head_of(Answer("", "", (body,))) + body)


def refusal(request: Request, answer: Answer) -> Answer:
    """Return "too many requests" in the words of the cloud that was asked."""
    if request.region:
        body = (
            b"<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>Request limit "
            b"exceeded.</Message></Error></Errors><RequestID>00000000-0000-0000-0000-000000000503"
            b"</RequestID></Response>"
        )
        return answer._replace(parts=(body,), status=503, kind="text/xml;charset=UTF-8", headers=())
    if request.path.startswith("/compute/v1/"):
        reason = {"reason": "rateLimitExceeded", "domain": "usageLimits", "message": "Too many"}
        error = {"error": {"code": 403, "message": "Rate Limit Exceeded", "errors": [reason]}}
        return answer._replace(parts=(msgspec.json.encode(error),), status=403, headers=())
    error = {"overLimit": {"code": 429, "message": "This request was rate-limited."}}
    return answer._replace(
        parts=(msgspec.json.encode(error),), status=429, headers=(("Retry-After", "1"),)
    )
