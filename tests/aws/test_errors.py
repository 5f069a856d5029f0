"""Servers that misbehave: each becomes its typed error, with words that help."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from asyncspider import (
    AuthenticationError,
    CloudConnection,
    ConflictError,
    DeadlineExceededError,
    InvalidRequestError,
    NotEnabledError,
    NotFoundError,
    PermissionDeniedError,
    ProtocolError,
    QuotaExceededError,
    SpiderError,
    ThrottledError,
    UnavailableError,
    load_driver,
)
from asyncspider.transport.retry import RetryPolicy
from asyncspider_drivers.aws.errors import kind_of

from .conftest import KEYS, info

QUICK = RetryPolicy(throttled_attempts=3, wait_initial=0.001, wait_max=0.002)


@asynccontextmanager
async def server(
    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[tuple[str, list[int]]]:
    """Run a TCP server; yields its address and a list that grows by one for each connection."""
    seen: list[int] = []
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(1)
        writers.append(writer)
        try:
            await answer(reader, writer)
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}", seen
    finally:
        listening.close()
        for writer in writers:
            writer.transport.abort()


def replies(status: str, body: bytes, *headers: str) -> Any:
    """Return a server's behaviour: read a request, answer the same each time."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        )
        await reader.readexactly(length)
        lines = [f"HTTP/1.1 {status}", "Connection: close", *headers]
        if not any(line.startswith("Content-Length") for line in headers):
            lines.append(f"Content-Length: {len(body)}")
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await writer.drain()

    return answer


def fault(code: str, message: str = "Something is wrong.") -> bytes:
    return (
        f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error>"
        f"</Errors><RequestID>req-1</RequestID></Response>"
    ).encode()


@asynccontextmanager
async def connected(url: str, **changes: Any) -> AsyncIterator[CloudConnection]:
    connection_info = msgspec.structs.replace(info(url), **changes)
    async with load_driver("aws").connect_cloud(connection_info) as connection:
        connection.retry_policy = QUICK
        yield connection


async def failure(url: str, **changes: Any) -> SpiderError:
    async with connected(url, **changes) as connection:
        with pytest.raises(SpiderError) as caught:
            await connection.create_vm_handler().list_vm()
    error = caught.value
    assert (error.driver, error.region, error.operation) == (
        "aws",
        "us-east-1",
        "DescribeInstances",
    )
    assert error.message
    assert KEYS["aws_secret_access_key"] not in str(error)
    return error


async def test_refused() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        error = await failure(f"http://127.0.0.1:{port}")
    assert type(error) is UnavailableError
    assert error.retryable
    assert f"127.0.0.1:{port}" in error.message
    assert error.__cause__ is not None


async def test_hangs() -> None:
    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with server(never) as (url, seen):
        error = await failure(url, request_timeout=0.3)
    assert type(error) is DeadlineExceededError
    assert error.retryable
    assert len(seen) == 1


async def test_resets() -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.transport.abort()

    async with server(reset) as (url, seen):
        error = await failure(url)
    assert type(error) is UnavailableError
    assert len(seen) >= QUICK.unavailable_attempts


async def test_half_an_answer() -> None:
    half = replies("200 OK", b"<DescribeInstancesResponse>", "Content-Length: 500")
    async with server(half) as (url, _):
        error = await failure(url)
    assert type(error) is UnavailableError
    assert error.code == "Incomplete"


async def test_half_a_document() -> None:
    async with server(replies("200 OK", b"<DescribeInstancesResponse><reserv")) as (url, seen):
        error = await failure(url)
    assert type(error) is ProtocolError
    assert not error.retryable
    assert len(seen) == 1


@pytest.mark.parametrize("status", ["200 OK", "404 Not Found"])
async def test_html(status: str) -> None:
    page = b"<html><body><p>It works!<br></body></html>"
    async with server(replies(status, page, "Content-Type: text/html")) as (url, _):
        error = await failure(url)
    assert type(error) is (ProtocolError if status.startswith("200") else NotFoundError)


async def test_not_http() -> None:
    async def banner(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        await writer.drain()
        await reader.read(100)

    async with server(banner) as (url, _):
        error = await failure(url)
    assert type(error) is ProtocolError


async def test_throttled_for_good() -> None:
    busy = replies("503 Service Unavailable", fault("RequestLimitExceeded"))
    async with server(busy) as (url, seen):
        error = await failure(url)
    assert type(error) is ThrottledError
    assert (error.code, error.status, error.request_id) == ("RequestLimitExceeded", 503, "req-1")
    assert error.retryable
    assert len(seen) == QUICK.throttled_attempts


async def test_throttled_once() -> None:
    answers = iter(
        [
            replies("503 Service Unavailable", fault("RequestLimitExceeded")),
            replies("200 OK", b"<DescribeInstancesResponse/>"),
        ]
    )

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await next(answers)(reader, writer)

    async with server(answer) as (url, _), connected(url) as connection:
        assert await connection.create_vm_handler().list_vm() == []


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        ("403 Forbidden", "UnauthorizedOperation", PermissionDeniedError),
        ("401 Unauthorized", "AuthFailure", AuthenticationError),
        ("400 Bad Request", "RequestExpired", AuthenticationError),
        ("400 Bad Request", "ExpiredToken", AuthenticationError),
        ("400 Bad Request", "OptInRequired", NotEnabledError),
        ("500 Internal Server Error", "InternalError", UnavailableError),
        ("503 Service Unavailable", "Unavailable", UnavailableError),
    ],
)
async def test_typed(status: str, code: str, kind: type[SpiderError]) -> None:
    async with server(replies(status, fault(code))) as (url, _):
        error = await failure(url)
        async with connected(url) as connection:
            assert not await connection.is_connected()
    assert type(error) is kind
    assert error.code == code
    assert error.status == int(status.split()[0])
    assert error.__cause__ is not None


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("InvalidVpcID.NotFound", NotFoundError),
        ("InvalidInstanceID.Malformed", NotFoundError),
        ("InvalidGroup.Duplicate", ConflictError),
        ("InvalidKeyPair.Duplicate", ConflictError),
        ("InvalidNetworkInterface.InUse", ConflictError),
        ("DependencyViolation", ConflictError),
        ("VcpuLimitExceeded", QuotaExceededError),
        ("AddressLimitExceeded", QuotaExceededError),
        ("RequestLimitExceeded", ThrottledError),
        ("InvalidParameterValue", InvalidRequestError),
    ],
)
def test_codes(code: str, kind: type[SpiderError]) -> None:
    assert kind_of(code, 400) is kind


async def test_secrets_that_the_service_quotes_are_masked() -> None:
    quoting = fault(
        "SignatureDoesNotMatch", f"canonical request was {KEYS['aws_secret_access_key']}"
    )
    async with server(replies("403 Forbidden", quoting)) as (url, _):
        error = await failure(url)
    assert "***" in error.message


async def test_the_same_page_for_ever() -> None:
    page = b"<DescribeInstancesResponse><nextToken>again</nextToken></DescribeInstancesResponse>"
    async with server(replies("200 OK", page)) as (url, seen):
        error = await failure(url)
    assert type(error) is ProtocolError
    assert len(seen) == 2


async def test_an_empty_page_with_a_token_is_not_the_end() -> None:
    def page(inside: bytes) -> Any:
        return replies(
            "200 OK", b"<DescribeInstancesResponse>" + inside + b"</DescribeInstancesResponse>"
        )

    item = (
        b"<reservationSet><item><instancesSet><item><instanceId>i-1</instanceId>"
        b"</item></instancesSet></item></reservationSet>"
    )
    answers = iter([page(b"<nextToken>a</nextToken>"), page(item)])

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await next(answers)(reader, writer)

    async with server(answer) as (url, _), connected(url) as connection:
        vms = await connection.create_vm_handler().list_vm()
    assert [vm.id for vm in vms] == ["i-1"]
