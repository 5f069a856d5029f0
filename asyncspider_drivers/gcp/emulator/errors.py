"""Error answers, with bodies as Google sends them."""

from __future__ import annotations

from typing import Any

from msgspec import json

_COMPUTE = "compute.googleapis.com"
_NAME_PATTERN = "(?:[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?)"
_EXPECTED = (
    "Expected OAuth 2 access token, login cookie or other valid authentication credential. "
    "See https://developers.google.com/identity/sign-in/web/devconsole-project."
)


class ApiError(Exception):
    """A request that is refused.

    Args:
        status: HTTP status code.
        reason: Google's word, as ``notFound``.
        message: What it says.
        domain: ``global``, or ``usageLimits`` for limits and APIs that are off.
        item: More fields of the first entry of ``errors``.
        extra: More fields of ``error``.
        headers: More HTTP headers.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        *,
        domain: str = "global",
        item: dict[str, Any] | None = None,
        extra: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}
        first = {"message": message, "domain": domain, "reason": reason, **(item or {})}
        self.body = {
            "error": {"code": status, "message": message, "errors": [first], **(extra or {})}
        }

    def encode(self) -> bytes:
        """Return the body as JSON."""
        return json.format(json.encode(self.body), indent=2)


def not_found(path: str) -> ApiError:
    """`path` as ``projects/p/zones/z/instances/i``."""
    return ApiError(404, "notFound", f"The resource '{path}' was not found")


def already_exists(path: str) -> ApiError:
    """A name that is taken."""
    return ApiError(409, "alreadyExists", f"The resource '{path}' already exists")


def invalid(field: str, value: Any, why: str) -> ApiError:
    """A field that is refused, as ``resource.name``."""
    return ApiError(400, "invalid", f"Invalid value for field '{field}': '{value}'. {why}")


def invalid_name(field: str, value: Any) -> ApiError:
    """A name that Compute Engine refuses."""
    return invalid(field, value, f"Must be a match of regex '{_NAME_PATTERN}'")


def required(field: str) -> ApiError:
    """A field that is missing."""
    return ApiError(400, "required", f"Required field '{field}' not specified")


def in_use(what: str, path: str, user: str) -> ApiError:
    """A delete of what something else needs."""
    return ApiError(
        400,
        "resourceInUseByAnotherResource",
        f"The {what} resource '{path}' is already being used by '{user}'",
    )


def not_ready(path: str) -> ApiError:
    """A call that the state of the resource does not allow."""
    return ApiError(400, "resourceNotReady", f"The resource '{path}' is not ready")


def condition_not_met(message: str) -> ApiError:
    """A stale fingerprint."""
    return ApiError(
        412, "conditionNotMet", message, item={"location": "If-Match", "locationType": "header"}
    )


def forbidden(permission: str, path: str) -> ApiError:
    """An account that may not."""
    return ApiError(403, "forbidden", f"Required '{permission}' permission for '{path}'")


def quota_exceeded(metric: str, limit: int, where: str) -> ApiError:
    """`where` as ``globally`` or ``in region us-east1``."""
    message = f"Quota '{metric}' exceeded.  Limit: {float(limit)} {where}."
    return ApiError(403, "quotaExceeded", message, domain="usageLimits")


def rate_limited(project_number: str, *, status: int = 403, retry_after: int = 0) -> ApiError:
    """Too many requests. Compute Engine answers 403, other parts of Google Cloud 429."""
    message = (
        "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute' of service "
        f"'{_COMPUTE}' for consumer 'project_number:{project_number}'."
    )
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "RATE_LIMIT_EXCEEDED",
        "domain": "googleapis.com",
        "metadata": {"consumer": f"projects/{project_number}", "service": _COMPUTE},
    }
    word = "RESOURCE_EXHAUSTED" if status == 429 else "PERMISSION_DENIED"
    return ApiError(
        status,
        "rateLimitExceeded",
        message,
        domain="usageLimits",
        extra={"status": word, "details": [info]},
        headers={"Retry-After": str(retry_after)} if retry_after else None,
    )


def service_disabled(project_number: str) -> ApiError:
    """A project in which the Compute Engine API was never switched on."""
    url = (
        f"https://console.developers.google.com/apis/api/{_COMPUTE}/overview"
        f"?project={project_number}"
    )
    message = (
        f"Compute Engine API has not been used in project {project_number} before or it is "
        f"disabled. Enable it by visiting {url} then retry. If you enabled this API recently, "
        "wait a few minutes for the action to propagate to our systems and retry."
    )
    details = [
        {
            "@type": "type.googleapis.com/google.rpc.Help",
            "links": [{"description": "Google developers console API activation", "url": url}],
        },
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "SERVICE_DISABLED",
            "domain": "googleapis.com",
            "metadata": {"consumer": f"projects/{project_number}", "service": _COMPUTE},
        },
    ]
    return ApiError(
        403,
        "accessNotConfigured",
        message,
        domain="usageLimits",
        item={"extendedHelp": "https://console.developers.google.com"},
        extra={"status": "PERMISSION_DENIED", "details": details},
    )


def unauthenticated(*, missing: bool) -> ApiError:
    """No token, or one that is unknown or has expired."""
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "CREDENTIALS_MISSING" if missing else "ACCESS_TOKEN_EXPIRED",
        "domain": "googleapis.com",
        "metadata": {"service": _COMPUTE},
    }
    if missing:
        message, word, reason = "is missing required authentication credential", "Login", "required"
    else:
        message, word, reason = "had invalid authentication credentials", "Invalid", "authError"
    return ApiError(
        401,
        reason,
        f"Request {message}. {_EXPECTED}",
        item={
            "message": "Login Required." if word == "Login" else "Invalid Credentials",
            "location": "Authorization",
            "locationType": "header",
        },
        extra={"status": "UNAUTHENTICATED", "details": [info]},
        headers={"WWW-Authenticate": 'Bearer realm="https://accounts.google.com/"'},
    )


def backend_error(
    message: str = "Internal error. Please try again or contact support.",
) -> ApiError:
    """A part of the cloud that is down."""
    return ApiError(503, "backendError", message)
