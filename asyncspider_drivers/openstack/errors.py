"""What OpenStack's services answer, and keystoneauth's exceptions, as typed errors.

Compute API guide, "Faults"; Networking API v2.0, "Faults"; Identity API v3, "Errors".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

import msgspec

from asyncspider import (
    AuthenticationError,
    ConflictError,
    DeadlineExceededError,
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

_STATUSES: dict[int, type[SpiderError]] = {
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    405: NotSupportedError,
    406: NotSupportedError,
    409: ConflictError,
    410: NotFoundError,
    413: QuotaExceededError,
    429: ThrottledError,
}
_CODES: dict[str, type[SpiderError]] = {
    "OverQuota": QuotaExceededError,
    "InvalidQuotaValue": QuotaExceededError,
    "IpAddressGenerationFailure": QuotaExceededError,
    "ExternalIpAddressExhausted": QuotaExceededError,
    "NoMoreNetworksAvailable": QuotaExceededError,
}
_QUOTA = re.compile(r"quota (exceeded|limit)|over quota|exceeds? .*quota|too many", re.I)
# Nova answers 400 for what a new server refers to and is not there.
_MISSING = re.compile(
    r"could not be found|can ?not find|not found|does not exist|invalid key_name", re.I
)
_HINTS: dict[type[SpiderError], str] = {
    AuthenticationError: "check user, password, project and their domains, or the application "
    "credential",
    PermissionDeniedError: "the account needs a role that the service's policy allows this for",
    QuotaExceededError: "free something, or ask the cloud's administrator for more",
}
_REQUEST_IDS = ("x-openstack-request-id", "x-compute-request-id")


def error_of(
    status: int, headers: Mapping[str, str], body: bytes, facts: dict[str, Any]
) -> SpiderError:
    """Return the typed error for an answer.

    Args:
        status: HTTP status, 300 or more.
        headers: The answer's headers.
        body: The answer's body: JSON, or HTML of something before the service.
        facts: Driver, region and operation.
    """
    code, message = _fault(body)
    message = " ".join(_TAGS.sub(" ", message).split())
    retry_after = _seconds(headers.get("Retry-After"))
    kind = _kind(status, code, message, throttles=retry_after is not None)
    message = message.rstrip(". ") or f"the service answered HTTP {status}"
    hint = _HINTS.get(kind)
    return kind(
        f"{message}; {hint}" if hint else message,
        code=code,
        status=status,
        request_id=next((headers[name] for name in _REQUEST_IDS if name in headers), ""),
        retry_after=retry_after,
        **facts,
    )


def _kind(status: int, code: str, message: str, *, throttles: bool) -> type[SpiderError]:
    if code in _CODES:
        return _CODES[code]
    if status == 413 and throttles:
        return ThrottledError  # Nova's own limit of requests, before 2015
    if status == 403 and _QUOTA.search(message):
        return QuotaExceededError
    if status == 400 and _MISSING.search(message):
        return NotFoundError
    if status in _STATUSES:
        return _STATUSES[status]
    if status >= 500:
        return UnavailableError
    return InvalidRequestError if status >= 400 else ProtocolError


def _fault(body: bytes) -> tuple[str, str]:
    """Return the cloud's own word and its message, in any of the services' forms."""
    try:
        found: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "", _words(body)
    if not isinstance(found, dict) or not found:
        return "", ""
    fault = cast("dict[str, Any]", found)
    errors = fault.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        first = cast("dict[str, Any]", errors[0])  # Placement, and the API working group's form
        return str(first.get("code") or first.get("title") or ""), str(first.get("detail") or "")
    key, value = next(iter(fault.items()))
    if isinstance(value, dict):
        detail = cast("dict[str, Any]", value)
        # Keystone's "error" has a title, Neutron's "NeutronError" a type, Nova's key is the word.
        code = detail.get("type") or detail.get("title") or key
        return str(code), str(detail.get("message") or detail.get("detail") or "")
    if isinstance(value, str) and key in ("message", "error", "faultstring"):
        return str(fault.get("title") or fault.get("faultcode") or ""), value
    if "message" in fault:
        return str(fault.get("title") or ""), str(fault["message"])
    return str(key), str(value)


_TAGS = re.compile(r"<(head|script|style)\b.*?</\1\s*>|<[^>]*>", re.I | re.S)


def _words(body: bytes) -> str:
    """Return the text of a body that is no JSON, shortened."""
    text = " ".join(_TAGS.sub(" ", body[:4096].decode(errors="replace")).split())
    return text if len(text) <= 200 else f"{text[:200]}..."


def _seconds(retry_after: str | None) -> float | None:
    try:
        return None if retry_after is None else float(retry_after)
    except ValueError:
        return None  # a date; the usual back-off will do


# By name, so that this table needs no import of keystoneauth. The first match of the class's
# ancestors counts.
_EXCEPTIONS: dict[str, type[SpiderError]] = {
    "Unauthorized": AuthenticationError,
    "Forbidden": PermissionDeniedError,
    "NotFound": NotFoundError,
    "Conflict": ConflictError,
    "TooManyRequests": ThrottledError,
    "RequestEntityTooLarge": ThrottledError,
    "HttpServerError": UnavailableError,
    "HttpError": InvalidRequestError,
    "SSLError": UnavailableError,
    "ConnectTimeout": DeadlineExceededError,
    "ConnectFailure": UnavailableError,
    "UnknownConnectionError": UnavailableError,
    "RetriableConnectionFailure": UnavailableError,
    "ConnectionError": UnavailableError,
    "DiscoveryFailure": ProtocolError,
    "DecodeError": ProtocolError,
    "UnicodeDecodeError": ProtocolError,
    "InvalidResponse": ProtocolError,
    "EmptyCatalog": NotSupportedError,
    "EndpointNotFound": NotSupportedError,
    "MissingAuthPlugin": AuthenticationError,
    "MissingRequiredOptions": AuthenticationError,
    "AuthPluginException": AuthenticationError,
    "AuthorizationFailure": AuthenticationError,
    "ConfigException": InvalidRequestError,
}


def error_of_exception(error: BaseException, facts: dict[str, Any]) -> SpiderError:
    """Return the typed error for what keystoneauth or openstacksdk raised on this side."""
    if isinstance(error, SpiderError):
        return error
    cause = error.__cause__ or error.__context__
    if isinstance(cause, SpiderError):
        return cause  # an answer that never came: the transport said why
    message = " ".join(str(error).split()) or type(error).__name__
    for parent in type(error).__mro__:
        kind = _EXCEPTIONS.get(parent.__name__)
        if kind is None:
            continue
        if parent.__name__ == "DiscoveryFailure":
            message = f"no OpenStack answers there: {message}"
        hint = _HINTS.get(kind)
        status = getattr(error, "http_status", None)
        return kind(
            f"{message.rstrip('. ')}; {hint}" if hint else message,
            code=type(error).__name__,
            status=status if isinstance(status, int) else None,
            request_id=getattr(error, "request_id", None) or "",
            **facts,
        )
    if type(error) is Exception and message.endswith("required attribute"):
        # How keystoneauth's plugins call for what nobody gave.
        return AuthenticationError(
            f"credentials lack {message.split()[0]}", code="MissingRequiredOptions", **facts
        )
    return InvalidRequestError(message, code=type(error).__name__, **facts)
