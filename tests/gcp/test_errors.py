"""Google's error bodies, as recorded, become typed errors; so does whatever else may come."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import anyio
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
    connect,
)
from asyncspider.transport.retry import RetryPolicy
from asyncspider_drivers.gcp import wire
from asyncspider_drivers.gcp.emulator import RequestFault, World
from asyncspider_drivers.gcp.errors import error_of, error_of_operation

P, Z, R = "demo", "us-central1-a", "us-central1"
FACTS = {"driver": "gcp", "region": "", "operation": "instances.list"}


def body(code: int, reason: str, message: str, domain: str = "global", **extra: Any) -> bytes:
    error = {
        "code": code,
        "message": message,
        "errors": [{"message": message, "domain": domain, "reason": reason}],
        **extra,
    }
    return json.dumps({"error": error}, indent=2).encode()


def info(reason: str) -> dict[str, Any]:
    return {
        "details": [
            {"@type": "type.googleapis.com/google.rpc.Help", "links": []},
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": reason,
                "domain": "googleapis.com",
            },
        ]
    }


RECORDED: list[tuple[bytes, int, type[SpiderError], str, str]] = [
    (
        body(404, "notFound", "The resource 'projects/p/zones/z/instances/i' was not found"),
        404, NotFoundError, "notFound", "zones/z/instances/i",
    ),
    (
        body(409, "alreadyExists", "The resource 'projects/p/global/networks/n' already exists"),
        409, ConflictError, "alreadyExists", "already exists",
    ),
    (
        body(
            400,
            "resourceInUseByAnotherResource",
            "The network resource 'projects/p/global/networks/n' is already being used by "
            "'projects/p/global/firewalls/f'",
        ),
        400, ConflictError, "resourceInUseByAnotherResource", "firewalls/f",
    ),
    (
        body(400, "resourceNotReady", "The resource 'projects/p/zones/z/instances/i' is not ready"),
        400, ConflictError, "resourceNotReady", "not ready",
    ),
    (
        body(
            412,
            "conditionNotMet",
            "Labels fingerprint either invalid or resource labels have changed",
        ),
        412, ConflictError, "conditionNotMet", "fingerprint",
    ),
    (
        body(400, "invalid", "Invalid value for field 'resource.name': 'A'. Must be a match of "
             "regex '(?:[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?)'"),
        400, InvalidRequestError, "invalid", "resource.name",
    ),
    (
        body(400, "invalid", "Invalid value for field 'resource.disks[0].initializeParams."
             "sourceImage': 'global/images/x'. The referenced image resource cannot be found."),
        400, NotFoundError, "invalid", "global/images/x",
    ),
    (
        body(403, "quotaExceeded", "Quota 'STATIC_ADDRESSES' exceeded.  Limit: 8.0 in region r.",
             "usageLimits"),
        403, QuotaExceededError, "quotaExceeded", "STATIC_ADDRESSES",
    ),
    (
        body(403, "rateLimitExceeded", "Rate Limit Exceeded", "usageLimits"),
        403, ThrottledError, "rateLimitExceeded", "Rate Limit",
    ),
    (
        body(429, "rateLimitExceeded", "Quota exceeded for quota metric 'Queries'", "usageLimits",
             status="RESOURCE_EXHAUSTED", **info("RATE_LIMIT_EXCEEDED")),
        429, ThrottledError, "rateLimitExceeded", "Queries",
    ),
    (
        body(403, "forbidden", "Required 'compute.instances.list' permission for 'projects/p'"),
        403, PermissionDeniedError, "forbidden", "compute.instances.list",
    ),
    (
        body(403, "accessNotConfigured", "Compute Engine API has not been used in project 1 "
             "before or it is disabled. Enable it by visiting https://console.developers.google."
             "com/apis/api/compute.googleapis.com/overview?project=1 then retry.", "usageLimits",
             status="PERMISSION_DENIED", **info("SERVICE_DISABLED")),
        403, NotEnabledError, "accessNotConfigured", "Enable it by visiting",
    ),
    (
        body(403, "forbidden", "This API method requires billing to be enabled.",
             status="PERMISSION_DENIED", **info("BILLING_DISABLED")),
        403, NotEnabledError, "forbidden", "billing",
    ),
    (
        body(401, "authError", "Request had invalid authentication credentials. Expected OAuth 2 "
             "access token", status="UNAUTHENTICATED", **info("ACCESS_TOKEN_EXPIRED")),
        401, AuthenticationError, "authError", "gcloud auth",
    ),
    (
        body(503, "backendError", "Internal error. Please try again"),
        503, UnavailableError, "backendError", "try again",
    ),
    (
        body(500, "somethingNew", "It broke"),
        500, UnavailableError, "somethingNew", "broke",
    ),
    (
        b"<html><title>502</title></html>",
        502, UnavailableError, "", "HTTP 502",
    ),
    (b"\xff\xfe", 404, NotFoundError, "", "HTTP 404"),
    (b"", 418, ProtocolError, "", "HTTP 418"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "status", "kind", "code", "words"),
    RECORDED,
    ids=[f"{entry[1]}-{entry[3] or entry[2].__name__}" for entry in RECORDED],
)
def test_recorded_bodies(
    answer: bytes, status: int, kind: type[SpiderError], code: str, words: str
) -> None:
    error = error_of(status, answer, {"Retry-After": "7"}, FACTS)
    assert type(error) is kind
    assert (error.code, error.status, error.retry_after) == (code, status, 7.0)
    assert words in error.message
    assert (error.driver, error.operation) == ("gcp", "instances.list")
    assert error.retryable is (kind in (ThrottledError, UnavailableError))


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("QUOTA_EXCEEDED", 403, QuotaExceededError),
        ("RESOURCE_IN_USE_BY_ANOTHER_RESOURCE", 400, ConflictError),
        ("RESOURCE_NOT_FOUND", 404, NotFoundError),
        ("ZONE_RESOURCE_POOL_EXHAUSTED", 503, UnavailableError),
        ("IP_IN_USE_BY_ANOTHER_RESOURCE", 400, ConflictError),
        ("PERMISSIONS_ERROR", 403, PermissionDeniedError),
        ("A_NEW_ONE", 400, InvalidRequestError),
        ("ANOTHER_NEW_ONE", 503, UnavailableError),
    ],
)
def test_failed_operations(code: str, status: int, kind: type[SpiderError]) -> None:
    operation = wire.Operation(
        name="operation-1",
        status="DONE",
        error=wire.OperationError(errors=(wire.OperationFault(code=code, message="Why."),)),
        http_error_status_code=status,
        http_error_message="BAD",
    )
    error = error_of_operation(operation, FACTS)
    assert error is not None
    assert type(error) is kind
    assert (error.code, error.status, error.request_id) == (code, status, "operation-1")
    assert error.message == "Why"
    assert error_of_operation(wire.Operation(name="fine", status="DONE"), FACTS) is None


# -- on the emulator


async def opened(address: str, project: str = P, **more: Any) -> CloudConnection:
    credential = {"project_id": project, "access_token": "any-token"}
    connection = await connect("gcp", credential=credential, endpoint_url=address, **more)
    connection.retry_policy = RetryPolicy(
        throttled_attempts=2, unavailable_attempts=2, wait_initial=0.01, wait_max=0.02, budget=1.5
    )
    return connection


async def refused(address: str, project: str = P, **more: Any) -> SpiderError:
    connection = await opened(address, project, **more)
    async with connection:
        with pytest.raises(SpiderError) as caught:
            await connection.create_vm_handler().list_vm()
    assert caught.value.driver == "gcp"
    assert caught.value.operation
    return caught.value


async def test_a_project_that_is_not_there(address: str) -> None:
    error = await refused(address, "nowhere")
    assert isinstance(error, NotFoundError)
    assert "projects/nowhere" in error.message


async def test_an_api_that_is_not_enabled(address: str, world: World) -> None:
    world.add_project("off").service_disabled = True
    error = await refused(address, "off")
    assert isinstance(error, NotEnabledError)
    assert "Enable it by visiting" in error.message
    async with await opened(address, "off") as connection:
        assert await connection.is_connected() is False


async def test_a_project_of_somebody_else(address: str, world: World) -> None:
    world.add_project("theirs").denied = True
    error = await refused(address, "theirs")
    assert isinstance(error, PermissionDeniedError)
    assert "compute.instances.list" in error.message


@pytest.mark.parametrize(("place", "word"), [({"region": "mars-1"}, "region"),
                                             ({"zone": "mars-1-a"}, "zone")])  # fmt: skip
async def test_a_place_that_is_not_there(address: str, place: dict[str, str], word: str) -> None:
    error = await refused(address, **place)
    assert isinstance(error, InvalidRequestError)
    assert f"Unknown {word}" in error.message


async def test_a_zone_of_another_region(address: str) -> None:
    with pytest.raises(InvalidRequestError, match="not in region"):
        await opened(address, region="us-east1", zone="us-central1-a")


@pytest.mark.parametrize("status", [403, 429])
async def test_too_many_requests(address: str, world: World, status: int) -> None:
    world.rate_limit, world.rate_limit_status = 0.0, status
    error = await refused(address)
    assert isinstance(error, ThrottledError)
    assert error.status == status
    assert error.retryable
    assert error.retry_after == (1.0 if status == 429 else None)
    world.rate_limit = None


async def test_throttled_requests_are_sent_again(address: str, world: World) -> None:
    throttled = body(403, "rateLimitExceeded", "Rate Limit Exceeded", "usageLimits")
    world.request_faults.append(
        RequestFault(path="aggregated/instances", status=403, body=throttled)
    )
    async with await opened(address) as connection:
        assert await connection.create_vm_handler().list_vm() == []
    assert sum("aggregated/instances" in line for line in world.requests) == 2


NONSENSE: dict[str, tuple[RequestFault, type[SpiderError]]] = {
    "html": (RequestFault(path="aggregated", status=200, body=b"<html>"), ProtocolError),
    "half": (RequestFault(path="aggregated", status=200, body=b'{"items": {"zo'), ProtocolError),
    "other types": (
        RequestFault(path="aggregated", status=200, body=b'{"items": [1]}'),
        ProtocolError,
    ),
    "no text": (
        RequestFault(path="aggregated", status=200, body=b'{"nextPageToken": "\xff\xfe"}'),
        ProtocolError,
    ),
    "hangs up": (RequestFault(path="aggregated", hang_up=True, times=9), UnavailableError),
    "breaks off": (
        RequestFault(path="aggregated", hang_up=True, body=b'{"items"', times=9),
        UnavailableError,
    ),
    "down": (RequestFault(path="aggregated", times=9), UnavailableError),
    "gateway": (
        RequestFault(path="aggregated", status=502, body=b"<html>", times=9),
        UnavailableError,
    ),
}


@pytest.mark.parametrize("case", NONSENSE)
async def test_answers_that_make_no_sense(address: str, world: World, case: str) -> None:
    fault, kind = NONSENSE[case]
    world.request_faults.append(fault)
    error = await refused(address)
    assert type(error) is kind
    assert "instances.aggregatedList" in str(error)
    world.request_faults.clear()


async def test_a_server_that_hangs(address: str, world: World) -> None:
    world.request_faults.append(RequestFault(path="aggregated", delay=30))
    connection = await opened(address)
    async with connection:
        connection.connection_info = msgspec.structs.replace(
            connection.connection_info, request_timeout=0.05
        )
        with pytest.raises(DeadlineExceededError, match="no complete answer within"):
            await connection.create_vm_handler().list_vm()


async def test_the_same_page_again_and_again(address: str, world: World) -> None:
    endless = b'{"items": [{"name": "a"}], "nextPageToken": "again"}'
    world.request_faults.append(
        RequestFault(path="global/images", status=200, body=endless, times=9)
    )
    async with await opened(address) as connection:
        with anyio.fail_after(10), pytest.raises(ProtocolError, match="does not end"):
            await connection.create_image_handler().list_image()
    world.request_faults.clear()


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.create_vm_handler().get_vm("i-0123456789"),
        lambda c: c.create_vm_handler().get_vm("mars-1-a/web"),
        lambda c: c.create_vm_handler().get_vm("us-central1-a/../../x"),
        lambda c: c.create_vm_handler().terminate_vm("us-central1-a/No Such%2F"),
        lambda c: c.create_vnic_handler().get_vnic("us-central1-a/web"),
        lambda c: c.create_public_ip_handler().get_public_ip("eipalloc-1"),
        lambda c: c.create_public_ip_handler().get_public_ip("mars-1/web"),
        lambda c: c.create_image_handler().get_image("a/b/c/d"),
        lambda c: c.create_image_handler().get_image("../networks/default"),
        lambda c: c.create_image_handler().get_image(""),
        lambda c: c.create_vnetwork_handler().get_vnetwork("net?fields=x"),
        lambda c: c.create_vnetwork_handler().get_vnetwork(""),
        lambda c: c.create_vnetwork_handler().delete_vnetwork(".."),
        lambda c: c.create_security_handler().get_security("nope"),
        lambda c: c.create_key_pair_handler().delete_key("nope"),
    ],
)
async def test_ids_that_nothing_can_have(
    address: str, call: Callable[[CloudConnection], Any]
) -> None:
    async with await opened(address) as connection:
        with pytest.raises(NotFoundError) as caught:
            await call(connection)
    assert caught.value.driver == "gcp"
    assert caught.value.operation
