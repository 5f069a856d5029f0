"""Every failure, as one small tree of exceptions.

A driver never lets an exception of a cloud's SDK, of the HTTP library or of a parser out: each
becomes one of these, with the original as ``__cause__``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "AuthenticationError",
    "ConflictError",
    "DeadlineExceededError",
    "ErrorInfo",
    "InvalidRequestError",
    "NotEnabledError",
    "NotFoundError",
    "NotSupportedError",
    "PartialListError",
    "PermissionDeniedError",
    "ProtocolError",
    "QuotaExceededError",
    "SpiderError",
    "ThrottledError",
    "UnavailableError",
    "Unreachable",
]


class ErrorInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A `SpiderError` as plain data, for reports and files."""

    error: str
    """Name of the exception's class, as ``"ThrottledError"``."""
    message: str = ""
    """What happened, in words. Holds no secret."""
    code: str = ""
    """The cloud's own word for it, ``""`` when the cloud said nothing."""
    status: int | None = None
    """HTTP status code, None when there was no HTTP answer."""
    operation: str = ""
    """The cloud's call that failed, as ``"DescribeInstances"``."""
    request_id: str = ""
    """The id by which the cloud's support finds this request."""
    retryable: bool = False
    """Whether the same call may work later, unchanged."""

    def __str__(self) -> str:
        return f"{self.error}: {self.message}" if self.message else self.error


class SpiderError(Exception):
    """Root of all errors that this package raises on purpose.

    Args:
        message: What happened and, where it helps, what to do about it. No secrets.
        driver: Name of the driver, as ``"aws"``.
        region: Region in which it happened, ``""`` when the call had none.
        operation: The cloud's call that failed, as ``"DescribeInstances"``.
        code: The cloud's own word: EC2's ``Code``, Google's ``reason``, Nova's fault key.
        request_id: The cloud's id of the request.
        status: HTTP status code, or None without an HTTP answer.
        retryable: Whether the same call may work later; each class has its default.
        retry_after: Seconds that the cloud asked to wait, or None.
    """

    default_retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str = "",
        *,
        driver: str = "",
        region: str = "",
        operation: str = "",
        code: str = "",
        request_id: str = "",
        status: int | None = None,
        retryable: bool | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.driver = driver
        self.region = region
        self.operation = operation
        self.code = code
        self.request_id = request_id
        self.status = status
        self.retryable = self.default_retryable if retryable is None else retryable
        self.retry_after = retry_after

    def __str__(self) -> str:
        where = " ".join(word for word in (self.driver, self.region, self.operation) if word)
        facts = [self.code] if self.code else []
        if self.status is not None:
            facts.append(f"HTTP {self.status}")
        if self.request_id:
            facts.append(f"request {self.request_id}")
        text = f"{where}: {self.message}" if where else self.message
        return f"{text} ({', '.join(facts)})" if facts else text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def info(self) -> ErrorInfo:
        """Return this error as plain data."""
        return ErrorInfo(
            error=type(self).__name__,
            message=self.message,
            code=self.code,
            status=self.status,
            operation=self.operation,
            request_id=self.request_id,
            retryable=self.retryable,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions with keyword-only arguments can't be rebuilt from ``args`` alone.
        return (_rebuild, (type(self), self.args, self.__dict__.copy()))


def _rebuild(cls: type[SpiderError], args: tuple[Any, ...], state: dict[str, Any]) -> SpiderError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class AuthenticationError(SpiderError):
    """The cloud does not know who asks: no, wrong or expired credentials."""


class PermissionDeniedError(SpiderError):
    """The cloud knows who asks and refuses this call."""


class NotEnabledError(PermissionDeniedError):
    """The account has not switched on this region or API."""


class NotFoundError(SpiderError):
    """The thing asked for is not there."""


class ConflictError(SpiderError):
    """It exists already, or is in use, or is in a state that forbids the call."""


class InvalidRequestError(SpiderError):
    """The request itself is wrong; sending it again can't help."""


class QuotaExceededError(SpiderError):
    """The account's quota does not allow one more."""


class ThrottledError(SpiderError):
    """Too many requests; later it will work."""

    default_retryable = True


class UnavailableError(SpiderError):
    """The cloud can't be reached or is broken: 5xx, connection refused or reset, no address."""

    default_retryable = True


class DeadlineExceededError(SpiderError):
    """No complete answer came within the time allowed."""

    default_retryable = True


class NotSupportedError(SpiderError):
    """Something that the cloud or its driver can't do."""


class ProtocolError(SpiderError):
    """An answer came and could not be understood."""


class Unreachable(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a cloud that a list could not read."""

    region: str = ""
    """Name of the region, ``""`` where the part is no single region."""
    zone: str = ""
    """Name of the zone, ``""`` when the whole region is concerned."""
    error: SpiderError
    """Why it could not be read."""


class PartialListError(SpiderError):
    """A list was answered in part only.

    Raised after everything that could be read was handed out.

    Args:
        message: What is missing.
        items: All that could be read (``list_*`` fills it in; an iterator has handed it out).
        unreachable: One entry for each part that could not be read.
    """

    def __init__(
        self,
        message: str = "",
        *,
        items: Sequence[Any] = (),
        unreachable: Sequence[Unreachable] = (),
        **facts: Any,
    ) -> None:
        super().__init__(message, **facts)
        self.items: list[Any] = list(items)
        self.unreachable: list[Unreachable] = list(unreachable)
