"""Access tokens, by google-auth where it is needed, and never on the event loop."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from json import JSONDecodeError, loads
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

import anyio
import anyio.to_thread

from asyncspider import AuthenticationError, InvalidRequestError, SpiderError, UnavailableError
from asyncspider.secrets import redact

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_PROJECT_VARIABLES = ("GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT")
_ENVIRONMENT = ("GOOGLE_APPLICATION_CREDENTIALS", "GCE_METADATA_HOST", "CLOUDSDK_CONFIG", "HOME")
_HOW = (
    "set GOOGLE_APPLICATION_CREDENTIALS, run `gcloud auth application-default login`, "
    "or give credentials_file, credentials_json or access_token"
)
_SECRET_KEYS = ("private_key", "private_key_id", "client_secret", "refresh_token")


class Account:
    """Who asks, and the token to ask with: shared by all connections with one credential.

    Args:
        token: A given access token, ``""`` = `credentials` make them.
        credentials: google-auth's object.
        project_id: The project that they name, ``""`` = none.
        secrets: Values that must not be printed.
    """

    def __init__(
        self,
        *,
        token: str = "",
        credentials: Any = None,
        project_id: str = "",
        secrets: Iterable[str] = (),
    ) -> None:
        self.project_id = project_id
        self._secrets = tuple(secrets)
        self._given = token
        self._credentials = credentials
        self._request: Any = None
        self._refresh: asyncio.Task[None] | None = None
        self._waiting = 0

    async def token(self) -> str:
        """Return a token that is good now, as far as is known.

        Raises:
            AuthenticationError: No token can be had.
            UnavailableError: The server that hands them out can't be reached.
        """
        if self._given:
            return self._given
        if not self._credentials.valid:
            await self._renew()
        return self._credentials.token

    async def renew(self, refused: str) -> str:
        """Return another token than one that was refused.

        Raises:
            AuthenticationError: There is no other.
        """
        if self._given:
            raise AuthenticationError(
                "the access token was refused: it is wrong or has expired; get a new one, as with "
                "`gcloud auth print-access-token`",
                code="authError",
                status=401,
            )
        if self._credentials.token == refused:
            await self._renew()
        return self._credentials.token

    async def _renew(self) -> None:
        """Refresh in a worker thread, once for all who wait.

        The refresh is a task of its own: a waiter that is cancelled must not end it for the rest,
        and the last one that is must not leave it behind.
        """
        task = self._refresh
        if task is None or task.done() or task.cancelling():
            task = self._refresh = asyncio.create_task(
                anyio.to_thread.run_sync(self._refresh_now, abandon_on_cancel=True)
            )
        self._waiting += 1
        try:
            await asyncio.wait([task])
        finally:
            self._waiting -= 1
            if not self._waiting and not task.done():
                task.cancel()
        error = task.exception()
        if error is not None:
            raise _typed(error) from error

    def _refresh_now(self) -> None:
        if self._request is None:
            from google.auth.transport.requests import Request

            self._request = Request()
        self._credentials.refresh(self._request)

    def redact(self, text: str) -> str:
        """Return `text` without any secret of this account."""
        current = self._credentials.token if self._credentials is not None else self._given
        return redact(text, (*self._secrets, current or ""))

    def google_credentials(self) -> Any:
        """Return google-auth's object, for Google's own clients. Imports; not on the event loop."""
        if self._credentials is not None:
            return self._credentials
        from google.oauth2.credentials import Credentials

        return Credentials(self._given)  # pyright: ignore[reportAbstractUsage, reportCallIssue]


_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, WeakValueDictionary[bytes, Account]] = (
    WeakKeyDictionary()
)


async def open_account(keys: Mapping[str, str]) -> Account:
    """Return the account for a credential, the same object while it is in use.

    Raises:
        AuthenticationError: There are no credentials, or they can't be read.
        InvalidRequestError: A file or document is not what it should be.
    """
    if token := keys.get("access_token"):
        return Account(token=token, project_id=_project_of_environment(), secrets=[token])
    known = _by_loop.setdefault(asyncio.get_running_loop(), WeakValueDictionary())
    identity = [keys.get(name, "") for name in ("credentials_file", "credentials_json")]
    identity += [keys.get("impersonate_service_account", "")]
    identity += [os.environ.get(name, "") for name in _ENVIRONMENT]
    digest = hashlib.sha256("\0".join(identity).encode()).digest()
    account = known.get(digest)
    if account is None:
        account = await anyio.to_thread.run_sync(_load, dict(keys), abandon_on_cancel=True)
        account = known.setdefault(digest, account)
    return account


def _load(keys: dict[str, str]) -> Account:
    secrets: list[str] = []
    try:
        if "credentials_file" in keys or "credentials_json" in keys:
            document = _document(keys)
            secrets = [keys.get("credentials_json", ""), *_secrets_of(document)]
            credentials, project = _credentials_of(document)
        else:
            credentials, project = _default()
        if target := keys.get("impersonate_service_account"):
            credentials = _impersonated(credentials, target)
    except SpiderError:
        raise
    except Exception as error:
        raise _typed(error) from error
    return Account(
        credentials=credentials,
        project_id=project or _project_of_environment(),
        secrets=[secret for secret in secrets if secret],
    )


def _project_of_environment() -> str:
    return next((os.environ[name] for name in _PROJECT_VARIABLES if os.environ.get(name)), "")


def _document(keys: dict[str, str]) -> dict[str, Any]:
    path = keys.get("credentials_file")
    if path is not None:
        try:
            text = Path(path).expanduser().read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise AuthenticationError(f"can't read credentials_file {path!r}: {error}") from error
        what = f"credentials_file {path!r}"
    else:
        text, what = keys["credentials_json"], "credentials_json"
    try:
        document = loads(text)
    except JSONDecodeError:
        # Its text may hold a key, so it is not quoted, nor kept as the cause.
        raise InvalidRequestError(f"{what} is no JSON") from None
    if not isinstance(document, dict) or "type" not in document:
        raise InvalidRequestError(f"{what} is no credential of Google's: it has no 'type'")
    return document


def _secrets_of(document: dict[str, Any]) -> list[str]:
    return [str(document[key]) for key in _SECRET_KEYS if document.get(key)]


def _credentials_of(document: dict[str, Any]) -> tuple[Any, str]:
    if document["type"] == "service_account":
        from google.oauth2.service_account import Credentials

        credentials = Credentials.from_service_account_info(document, scopes=[SCOPE])
        return credentials, str(document.get("project_id", ""))
    import warnings

    from google.auth import load_credentials_from_dict

    with warnings.catch_warnings():
        # It warns of documents from strangers; this one is the user's own.
        warnings.simplefilter("ignore", DeprecationWarning)
        credentials, project = load_credentials_from_dict(document, scopes=[SCOPE])
    return credentials, project or ""


def _default() -> tuple[Any, str]:
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError

    try:
        credentials, project = google.auth.default(scopes=[SCOPE])
    except DefaultCredentialsError as error:
        raise AuthenticationError(f"no usable credentials: {_HOW}", code="NoCredentials") from error
    return credentials, project or ""


def _impersonated(source: Any, target: str) -> Any:
    from google.auth.impersonated_credentials import Credentials

    root = os.environ.get("CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS", "").rstrip("/")
    override = f"{root}/v1/projects/-/serviceAccounts/{target}:generateAccessToken"
    return Credentials(
        source_credentials=source,
        target_principal=target,
        target_scopes=[SCOPE],
        iam_endpoint_override=override if root else None,
    )


def _words(error: BaseException) -> str:
    """Return what an exception says; google-auth keeps the server's answer beside its own words."""
    said = [str(part) for part in error.args[:1]] or [type(error).__name__]
    for part in error.args[1:2]:
        with suppress(JSONDecodeError, TypeError, KeyError):
            said.append(loads(part)["error"]["message"])
    return ": ".join(said)


def _typed(error: BaseException) -> SpiderError:
    """Return the typed error for an exception of google-auth."""
    from google.auth import exceptions

    text = _words(error)
    match error:
        case SpiderError():
            return error
        case exceptions.TransportError():
            return UnavailableError(
                f"the server that hands out tokens can't be reached: {text}", code="TokenServer"
            )
        case exceptions.RefreshError():
            return AuthenticationError(
                f"Google gave no access token: {text}; {_HOW}",
                code="RefreshError",
                retryable=error.retryable,
            )
        case exceptions.GoogleAuthError() | ValueError():
            return AuthenticationError(f"the credentials can't be used: {text}", code="Malformed")
        case _:
            return AuthenticationError(f"the credentials can't be used: {type(error).__name__}")
