"""EC2's error codes, and botocore's exceptions, as typed errors.

Codes: EC2 API reference, "Error codes for the Amazon EC2 API"; STS API reference, "Common
error types".
"""

from __future__ import annotations

import re
from typing import Any

from asyncspider import (
    AuthenticationError,
    ConflictError,
    InvalidRequestError,
    NotEnabledError,
    NotFoundError,
    NotSupportedError,
    PermissionDeniedError,
    ProtocolError,
    QuotaExceededError,
    SpiderError,
    ThrottledError,
    UnavailableError,
)

_CODES: dict[str, type[SpiderError]] = {
    "AccessDenied": PermissionDeniedError,
    "AccessDeniedException": PermissionDeniedError,
    "AuthFailure": AuthenticationError,
    "Blocked": PermissionDeniedError,
    "DependencyViolation": ConflictError,
    "EC2ThrottledException": ThrottledError,
    "ExpiredToken": AuthenticationError,
    "ExpiredTokenException": AuthenticationError,
    "IdempotentParameterMismatch": ConflictError,
    "IncompleteSignature": AuthenticationError,
    "IncorrectInstanceState": ConflictError,
    "IncorrectState": ConflictError,
    "InsufficientInstanceCapacity": UnavailableError,
    "InternalError": UnavailableError,
    "InternalFailure": UnavailableError,
    "InvalidClientTokenId": AuthenticationError,
    "MissingAuthenticationToken": AuthenticationError,
    "OperationNotPermitted": ConflictError,
    "OptInRequired": NotEnabledError,
    "PendingVerification": PermissionDeniedError,
    "RequestExpired": AuthenticationError,
    "RequestLimitExceeded": ThrottledError,
    "RequestThrottled": ThrottledError,
    "RequestThrottledException": ThrottledError,
    "ResourceAlreadyAssociated": ConflictError,
    "ServiceUnavailable": UnavailableError,
    "SignatureDoesNotMatch": AuthenticationError,
    "SlowDown": ThrottledError,
    "Throttling": ThrottledError,
    "ThrottlingException": ThrottledError,
    "TooManyRequestsException": ThrottledError,
    "Unavailable": UnavailableError,
    "UnauthorizedOperation": PermissionDeniedError,
    "UnknownParameter": InvalidRequestError,
    "UnrecognizedClientException": AuthenticationError,
    "Unsupported": NotSupportedError,
    "UnsupportedOperation": NotSupportedError,
}

# Codes come in families that grow with the service, as InvalidVpcID.NotFound.
_FAMILIES: tuple[tuple[re.Pattern[str], type[SpiderError]], ...] = (
    (re.compile(r"\.NotFound$|NotFoundException$|^Invalid.*IDNotFound$"), NotFoundError),
    # What can't be an id can't be there either.
    (re.compile(r"^Invalid\w*I[Dd]\.Malformed$"), NotFoundError),
    (re.compile(r"\.Duplicate$|AlreadyExists|\.InUse$|InUse$|Duplicate"), ConflictError),
    (re.compile(r"AlreadyAssociated|AlreadyAssigned"), ConflictError),
    (re.compile(r"LimitExceeded$|MaxSpotInstanceCountExceeded|TooManyOf"), QuotaExceededError),
)

_HINTS: dict[type[SpiderError], str] = {
    AuthenticationError: "check the access key, the secret key and, for temporary ones, the "
    "session token and its expiry",
    PermissionDeniedError: "the identity's policy must allow this call",
    NotEnabledError: "switch the region or service on for this account first",
}

_STATUSES: dict[int, type[SpiderError]] = {
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    429: ThrottledError,
}


def kind_of(code: str, status: int) -> type[SpiderError]:
    """Return the error class for a code and an HTTP status."""
    known = _CODES.get(code)
    if known is not None:
        return known
    for pattern, kind in _FAMILIES:
        if pattern.search(code):
            return kind
    if status in _STATUSES:
        return _STATUSES[status]
    if status >= 500:
        return UnavailableError
    return InvalidRequestError if code else ProtocolError


def error_of(response: dict[str, Any], facts: dict[str, Any]) -> SpiderError:
    """Return the typed error for what the service answered.

    Args:
        response: ``response`` of a botocore ``ClientError``.
        facts: Driver, region and operation.
    """
    fault = response.get("Error", {})
    metadata = response.get("ResponseMetadata", {})
    status = metadata.get("HTTPStatusCode", 0)
    code = fault.get("Code", "")
    kind = kind_of(code, status)
    message = (fault.get("Message") or "").rstrip(". ") or f"the service answered HTTP {status}"
    hint = _HINTS.get(kind)
    return kind(
        f"{message}; {hint}" if hint else message,
        code=code,
        status=status or None,
        request_id=metadata.get("RequestId", ""),
        retry_after=_seconds(metadata.get("HTTPHeaders", {}).get("retry-after")),
        **facts,
    )


def _seconds(retry_after: str | None) -> float | None:
    try:
        return None if retry_after is None else float(retry_after)
    except ValueError:
        return None  # a date; the usual back-off will do


# By name, so that this table needs no import of botocore.
_EXCEPTIONS: dict[str, tuple[type[SpiderError], str]] = {
    "NoCredentialsError": (AuthenticationError, "no AWS credentials were found"),
    "PartialCredentialsError": (AuthenticationError, ""),
    "CredentialRetrievalError": (AuthenticationError, ""),
    "UnauthorizedSSOTokenError": (AuthenticationError, ""),
    "SSOTokenLoadError": (AuthenticationError, ""),
    "TokenRetrievalError": (AuthenticationError, ""),
    "RefreshWithMFAUnsupportedError": (AuthenticationError, ""),
    "InfiniteLoopConfigError": (InvalidRequestError, ""),
    "ProfileNotFound": (InvalidRequestError, ""),
    "ConfigNotFound": (InvalidRequestError, ""),
    "ConfigParseError": (InvalidRequestError, ""),
    "InvalidConfigError": (InvalidRequestError, ""),
    "NoRegionError": (InvalidRequestError, "no region was named, and AWS's configuration has none"),
    "InvalidRegionError": (InvalidRequestError, ""),
    "ParamValidationError": (InvalidRequestError, ""),
    "MissingParametersError": (InvalidRequestError, ""),
    "UnknownParameterError": (InvalidRequestError, ""),
    "HTTPClientError": (UnavailableError, ""),
    "ConnectionError": (UnavailableError, ""),
    "MetadataRetrievalError": (AuthenticationError, ""),
}


def error_of_exception(error: BaseException, facts: dict[str, Any]) -> SpiderError:
    """Return the typed error for an exception that botocore raised on this side."""
    for parent in type(error).__mro__:
        known = _EXCEPTIONS.get(parent.__name__)
        if known is not None:
            kind, message = known
            text = message or " ".join(str(error).split())
            return kind(text, code=type(error).__name__, **facts)
    return InvalidRequestError(
        " ".join(str(error).split()) or type(error).__name__, code=type(error).__name__, **facts
    )
