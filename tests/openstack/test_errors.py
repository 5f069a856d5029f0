"""Recorded faults, and nonsense, as typed errors."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncspider import (
    AuthenticationError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    NotSupportedError,
    PermissionDeniedError,
    ProtocolError,
    QuotaExceededError,
    SpiderError,
    ThrottledError,
    UnavailableError,
)
from asyncspider_drivers.openstack.errors import error_of

from .replay import recorded

FACTS: dict[str, Any] = {"driver": "openstack", "region": "r", "operation": "o"}


@pytest.mark.parametrize(
    ("name", "kind", "code", "words"),
    [
        ("nova-no-server", NotFoundError, "itemNotFound", "could not be found"),
        ("nova-no-image", NotFoundError, "badRequest", "Can not find requested image"),
        ("nova-no-flavor", NotFoundError, "badRequest", "Flavor none could not be found"),
        ("nova-nonsense", InvalidRequestError, "badRequest", "'name' is a required property"),
        ("nova-wrong-state", ConflictError, "conflictingRequest", "vm_state active"),
        ("nova-microversion", NotSupportedError, "computeFault", "maximum is"),
        ("nova-forbidden", PermissionDeniedError, "forbidden", "role"),
        ("nova-quota", QuotaExceededError, "forbidden", "too many key pairs"),
        ("neutron-no-port", NotFoundError, "PortNotFound", "could not be found"),
        ("neutron-in-use", ConflictError, "NetworkInUse", "still in use"),
        ("neutron-quota", QuotaExceededError, "OverQuota", "floatingip"),
        ("neutron-nonsense", InvalidRequestError, "HTTPBadRequest", "ip_version"),
        ("glance-no-image", NotFoundError, "Not Found", "No image found"),
        ("keystone-wrong-password", AuthenticationError, "Unauthorized", "check user, password"),
    ],
)
def test_recorded(name: str, kind: type[SpiderError], code: str, words: str) -> None:
    fault = recorded("errors")[name]
    error = error_of(fault["status"], fault["headers"], fault["body"].encode(), FACTS)
    assert type(error) is kind
    assert (error.code, error.status) == (code, fault["status"])
    assert words in error.message
    assert error.request_id.startswith("req-")
    assert "<br" not in error.message
    assert not error.retryable


@pytest.mark.parametrize(
    ("status", "headers", "kind", "retryable"),
    [
        (401, {}, AuthenticationError, False),
        (403, {}, PermissionDeniedError, False),
        (404, {}, NotFoundError, False),
        (413, {}, QuotaExceededError, False),
        (413, {"Retry-After": "3"}, ThrottledError, True),
        (429, {"Retry-After": "7"}, ThrottledError, True),
        (429, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, ThrottledError, True),
        (500, {}, UnavailableError, True),
        (503, {"Retry-After": "2"}, UnavailableError, True),
        (504, {}, UnavailableError, True),
        (302, {}, ProtocolError, False),
        (418, {}, InvalidRequestError, False),
    ],
)
def test_statuses(
    status: int, headers: dict[str, str], kind: type[SpiderError], retryable: bool
) -> None:
    page = b"<html><head><title>x</title></head><body><h1>No  luck</h1> today</body></html>"
    error = error_of(status, headers, page, FACTS)
    assert type(error) is kind
    assert error.retryable is retryable
    assert error.message.startswith("No luck today")
    if headers.get("Retry-After", "").isdigit():
        assert error.retry_after == float(headers["Retry-After"])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["message", "code", "error", "errors", "title", "type", "detail", "x"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=10,
)


@given(st.integers(300, 599), st.binary(max_size=200) | json_values.map(lambda v: repr(v).encode()))
def test_no_body_is_too_odd(status: int, body: bytes) -> None:
    error = error_of(status, {}, body, FACTS)
    assert isinstance(error, SpiderError)
    assert error.message
    assert error.status == status


@given(st.integers(300, 599), json_values)
def test_no_json_is_too_odd(status: int, value: Any) -> None:

    error = error_of(status, {}, msgspec.json.encode(value), FACTS)
    assert isinstance(error, SpiderError)
    assert isinstance(error.code, str)
    assert error.message
