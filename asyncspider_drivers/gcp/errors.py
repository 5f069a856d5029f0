"""Google's error bodies, and operations that failed, as typed errors.

Reasons: Compute Engine REST reference, "Troubleshooting API errors"; operation codes:
"Handling API responses".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from asyncspider import (
    AuthenticationError,
    ConflictError,
    InvalidRequestError,
    NotEnabledError,
    NotFoundError,
    PermissionDeniedError,
    ProtocolError,
    QuotaExceededError,
    SpiderError,
    ThrottledError,
    UnavailableError,
)

from . import wire

_REASONS: dict[str, type[SpiderError]] = {
    "ACCESS_TOKEN_EXPIRED": AuthenticationError,
    "BILLING_DISABLED": NotEnabledError,
    "RATE_LIMIT_EXCEEDED": ThrottledError,
    "SERVICE_DISABLED": NotEnabledError,
    "accessNotConfigured": NotEnabledError,
    "alreadyExists": ConflictError,
    "authError": AuthenticationError,
    "backendError": UnavailableError,
    "conditionNotMet": ConflictError,
    "dailyLimitExceeded": QuotaExceededError,
    "forbidden": PermissionDeniedError,
    "insufficientPermissions": PermissionDeniedError,
    "internalError": UnavailableError,
    "invalidResourceUsage": ConflictError,
    "limitExceeded": QuotaExceededError,
    "notFound": NotFoundError,
    "quotaExceeded": QuotaExceededError,
    "rateLimitExceeded": ThrottledError,
    "resourceInUseByAnotherResource": ConflictError,
    "resourceNotReady": ConflictError,
    "userRateLimitExceeded": ThrottledError,
}

_OPERATION_CODES: dict[str, type[SpiderError]] = {
    "INTERNAL_ERROR": UnavailableError,
    "INVALID_FIELD_VALUE": InvalidRequestError,
    "INVALID_USAGE": InvalidRequestError,
    "IP_IN_USE_BY_ANOTHER_RESOURCE": ConflictError,
    "PERMISSIONS_ERROR": PermissionDeniedError,
    "QUOTA_EXCEEDED": QuotaExceededError,
    "RATE_LIMIT_EXCEEDED": ThrottledError,
    "RESOURCE_ALREADY_EXISTS": ConflictError,
    "RESOURCE_IN_USE": ConflictError,
    "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE": ConflictError,
    "RESOURCE_NOT_FOUND": NotFoundError,
    "RESOURCE_NOT_READY": ConflictError,
    "RESOURCE_POOL_EXHAUSTED": UnavailableError,
    "ZONE_RESOURCE_POOL_EXHAUSTED": UnavailableError,
    "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS": UnavailableError,
}

_STATUSES: dict[int, type[SpiderError]] = {
    400: InvalidRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    412: ConflictError,
    429: ThrottledError,
}

_HINTS: dict[type[SpiderError], str] = {
    AuthenticationError: "check the credentials; "
    "`gcloud auth application-default login` makes new default ones",
    PermissionDeniedError: "the account needs a role that allows it, or the project has another id",
}

# A body that refers to what is not there is just "invalid" to Google.
_DANGLING = re.compile(r"The referenced \w+ resource cannot be found")

_decoder = msgspec.json.Decoder(wire.Refusal)


def kind_of(reason: str, status: int) -> type[SpiderError]:
    """Return the error class for a reason and an HTTP status."""
    known = _REASONS.get(reason) or _STATUSES.get(status)
    if known is not None:
        return known
    return UnavailableError if status >= 500 else ProtocolError


def error_of(
    status: int, body: bytes, headers: Mapping[str, str], facts: dict[str, Any]
) -> SpiderError:
    """Return the typed error for an answer with an error status.

    Args:
        status: HTTP status code.
        body: The answer; anything.
        headers: Its headers.
        facts: Driver, region and operation.
    """
    retry_after = _seconds(headers.get("Retry-After"))
    try:
        fault = _decoder.decode(body).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        kind = UnavailableError if status >= 500 else _STATUSES.get(status, ProtocolError)
        return kind(
            f"the server answered HTTP {status} with what is no error of Google's API",
            status=status,
            retry_after=retry_after,
            **facts,
        )
    reason = fault.errors[0].reason if fault.errors else ""
    # The newer reasons are more exact where both are there.
    exact = next((item.reason for item in fault.details if item.reason in _REASONS), "")
    kind = kind_of(exact or reason, status)
    if reason == "invalid" and _DANGLING.search(fault.message):
        kind = NotFoundError
    message = fault.message.rstrip(". ") or f"the server answered HTTP {status}"
    hint = _HINTS.get(kind)
    return kind(
        f"{message}; {hint}" if hint else message,
        code=reason or exact or fault.status,
        status=status,
        retry_after=retry_after,
        **facts,
    )


def error_of_operation(operation: wire.Operation, facts: dict[str, Any]) -> SpiderError | None:
    """Return the typed error of an operation, None when it has none.

    Its ``request_id`` is the operation's name.
    """
    faults = operation.error.errors if operation.error is not None else []
    if not faults and not operation.http_error_status_code:
        return None
    code = faults[0].code if faults else ""
    kind = _OPERATION_CODES.get(code) or kind_of("", operation.http_error_status_code)
    message = "; ".join(fault.message.rstrip(". ") for fault in faults if fault.message)
    return kind(
        message or operation.http_error_message or "the operation failed",
        code=code,
        status=operation.http_error_status_code or None,
        request_id=operation.name,
        **facts,
    )


def _seconds(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None  # a date, which Google does not send
