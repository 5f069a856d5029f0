"""botocore and aiobotocore, fitted to this package.

Credentials, configuration, endpoints, the shapes of requests and their signatures are theirs.
Their clients are not used: one costs 9 ms to make and more than a millisecond for each call,
most of it for hooks, retries and user agents that a driver has no use for.

Nothing outside this module imports either, and this module is imported in a worker thread.
"""

from __future__ import annotations

import asyncio
import os
import re
import threading
import uuid
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, NoReturn, TypeVar
from urllib.parse import urlencode, urlsplit
from weakref import WeakValueDictionary

import anyio
import anyio.to_thread
import botocore.exceptions
import msgspec
from aiobotocore.awsrequest import AioAWSResponse
from aiobotocore.config import AioConfig
from aiobotocore.credentials import (
    AioAssumeRoleCredentialFetcher,
    AioDeferredRefreshableCredentials,
)
from aiobotocore.session import AioSession
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.configprovider import ConfiguredEndpointProvider
from botocore.endpoint_provider import EndpointProvider
from botocore.loaders import JSONFileLoader, Loader
from botocore.model import ServiceModel
from botocore.serialize import create_serializer

from asyncspider import InvalidRequestError, ProtocolError, SpiderError
from asyncspider.transport.decoding import IN_TURN_BYTES, in_turn
from asyncspider.transport.session import (
    DEFAULT_TLS,
    HttpSession,
    HttpStream,
    TLSOptions,
    open_session,
)

from . import wire
from .errors import error_of, error_of_exception
from .parser import SLICE, Reader, decode_error

W = TypeVar("W", bound=wire.Wire)


# -- service descriptions


class _FastFileLoader(JSONFileLoader):
    """Reads botocore's data files with msgspec, several times faster than botocore itself."""

    def _load_file(self, full_path: str, open_method: Any) -> Any:
        if not os.path.isfile(full_path):
            return None
        with open_method(full_path, "rb") as file:
            raw = file.read()
        if os.path.basename(full_path).startswith("service-2.") and len(raw) > 2**20:
            return _only_what_is_used(raw)
        return msgspec.json.decode(raw)


class _ServiceModel(msgspec.Struct):
    version: str = ""
    metadata: dict[str, Any] = {}
    operations: dict[str, msgspec.Raw] = {}
    shapes: dict[str, msgspec.Raw] = {}


_SHAPE = re.compile(rb'"shape"\s*:\s*"([^"]+)"')


def _only_what_is_used(raw: bytes) -> dict[str, Any]:
    """Return EC2's description cut down to what this driver's calls send.

    The whole holds over 800 calls and 4,000 shapes.
    """
    model = msgspec.json.decode(raw, type=_ServiceModel)
    operations: dict[str, Any] = {}
    todo: list[str] = []
    for name in wire.ANSWERS:
        operation = operations[name] = msgspec.json.decode(model.operations[name])
        operation.pop("output", None)
        todo += [operation["input"]["shape"]] if "input" in operation else []
    shapes: dict[str, Any] = {}
    while todo:
        name = todo.pop()
        if name not in shapes:
            text = model.shapes[name]
            shapes[name] = msgspec.json.decode(text)
            todo += [inner.decode() for inner in _SHAPE.findall(bytes(text))]
    return {
        "version": model.version,
        "metadata": model.metadata,
        "operations": operations,
        "shapes": shapes,
    }


class _FastLoader(Loader):
    FILE_LOADER_CLASS = _FastFileLoader

    def list_available_services(self, type_name: str) -> list[str]:
        # botocore looks into each of its 400 folders to answer this.
        return ["ec2", "sso", "sso-oidc", "sts"]


_loading = threading.RLock()


def _loader() -> _FastLoader:
    """Return the process's loader, with what every call to EC2 needs read already."""
    with _loading:  # a cache alone would let every thread that asks meanwhile read it all again
        return _loaded()


@lru_cache(maxsize=1)
def _loaded() -> _FastLoader:
    loader = _FastLoader()
    for name in ("service-2", "endpoint-rule-set-1"):
        loader.load_service_model("ec2", name)
    loader.load_data("partitions")
    return loader


def _warm_for_sts() -> None:
    """Read what a client of STS would otherwise read on the event loop."""
    loader = _loader()
    for name in ("service-2", "endpoint-rule-set-1"):
        loader.load_service_model("sts", name)
    for name in ("endpoints", "sdk-default-configuration"):
        loader.load_data(name)


class _Description(NamedTuple):
    model: ServiceModel
    serializer: Any
    endpoints: EndpointProvider


@lru_cache(maxsize=1)
def _ec2() -> _Description:
    """Return what botocore knows of EC2's requests and endpoints."""
    loader = _loader()
    return _Description(
        ServiceModel(loader.load_service_model("ec2", "service-2"), "ec2"),
        create_serializer("ec2"),
        EndpointProvider(
            loader.load_service_model("ec2", "endpoint-rule-set-1"), loader.load_data("partitions")
        ),
    )


# -- HTTP


def _tls(verify: bool | str | None, cert_file: str | None, key_file: str | None) -> TLSOptions:
    if verify in (True, None) and cert_file is None:
        return DEFAULT_TLS
    return TLSOptions(
        verify=verify is not False,
        ca_file=verify if isinstance(verify, str) else None,
        cert_file=cert_file,
        key_file=key_file,
    )


class SharedHttp:
    """What aiobotocore's clients send with: the loop's shared session. One for each client."""

    def __init__(
        self,
        *,
        verify: bool | str | None = True,
        client_cert: str | tuple[str, str] | None = None,
        **_: Any,
    ) -> None:
        cert, key = client_cert if isinstance(client_cert, tuple) else (client_cert, None)
        self._tls = _tls(verify, cert, key)
        self._http: HttpSession | None = None

    async def __aenter__(self) -> SharedHttp:
        self._http = await open_session()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Give the lease on the session back."""
        http, self._http = self._http, None
        if http is not None:
            await http.release()

    async def send(self, request: Any) -> AioAWSResponse:
        """Send a signed request of botocore's."""
        if self._http is None:
            raise InvalidRequestError("the connection is closed", code="ConnectionClosed")
        answer = await self._http.request(
            request.method,
            request.url,
            headers={name: _text(value) for name, value in request.headers.items()},
            body=request.body,
            tls=self._tls,
            url_encoded=True,
        )
        headers = {name.lower(): value for name, value in answer.headers.items()}
        response = AioAWSResponse(request.url, answer.status, headers, None)
        response._content = answer.body
        return response


def _text(value: str | bytes) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else value


# -- an account


class Account:
    """The credentials of one account, shared by its connections to all regions.

    Args:
        key_values: What `AwsDriver.credential_keys` lists; empty = the default chain.
        endpoint_url: The connection's own, for STS on a test server.
    """

    def __init__(self, key_values: Mapping[str, str], endpoint_url: str | None) -> None:
        self._keys = dict(key_values)
        self._endpoint_url = endpoint_url
        self._lock = anyio.Lock()
        self._ready = False
        self.session = AioSession(profile=self._keys.get("profile"))
        self.session.register_component("data_loader", _loader())
        self.tls = DEFAULT_TLS
        """How EC2 proves who it is."""
        self._configured_url: str | None = None
        self._variants = {"UseFIPS": False, "UseDualStack": False}

    async def open(self) -> None:
        """Read the configuration and find the credentials, once.

        Raises:
            AuthenticationError: There are none.
        """
        async with self._lock:
            if not self._ready:
                await anyio.to_thread.run_sync(self._configure)
                await self._find_credentials()
                self._ready = True

    def _configure(self) -> None:
        value = self.session.get_config_variable
        self.tls = _tls(value("ca_bundle"), None, None)
        self._variants = {
            "UseFIPS": bool(value("use_fips_endpoint")),
            "UseDualStack": bool(value("use_dualstack_endpoint")),
        }
        if not value("ignore_configured_endpoint_urls"):
            self._configured_url = ConfiguredEndpointProvider(
                self.session.full_config, self.session.get_scoped_config(), "ec2"
            ).provide()

    async def _find_credentials(self) -> None:
        keys, session = self._keys, self.session
        if "aws_access_key_id" in keys:
            session.set_credentials(
                keys["aws_access_key_id"],
                keys["aws_secret_access_key"],
                keys.get("aws_session_token"),
            )
        source = await session.get_credentials()
        if source is None:
            raise botocore.exceptions.NoCredentialsError
        if "role_arn" in keys:
            extra = {"ExternalId": keys["external_id"]} if keys.get("external_id") else {}
            await anyio.to_thread.run_sync(_warm_for_sts)
            fetcher = AioAssumeRoleCredentialFetcher(
                client_creator=self._sts,
                source_credentials=source,
                role_arn=keys["role_arn"],
                extra_args=extra,
            )
            assumed = AioDeferredRefreshableCredentials(
                method="assume-role", refresh_using=fetcher.fetch_credentials
            )
            await assumed.get_frozen_credentials()
            session._credentials = assumed

    def _sts(self, service: str, **kwargs: Any) -> Any:
        return self.session.create_client(
            service,
            region_name=self.session.get_config_variable("region") or "us-east-1",
            endpoint_url=self._sts_endpoint(),
            config=AioConfig(http_session_cls=SharedHttp),  # pyright: ignore[reportArgumentType]
            **kwargs,
        )

    def _sts_endpoint(self) -> str | None:
        # A test server stands in for all of AWS, a private endpoint of EC2's does not.
        if self._endpoint_url is None or os.environ.get("AWS_ENDPOINT_URL_STS"):
            return None
        host = urlsplit(self._endpoint_url).hostname or ""
        return None if "amazonaws.com" in host else self._endpoint_url

    def default_region(self) -> str:
        """Return the region that AWS's own configuration names, ``""`` for none."""
        return self.session.get_config_variable("region") or ""

    async def secrets(self) -> list[str]:
        """Return what must not appear in a message."""
        found = await self.frozen_credentials()
        return [text for text in (found.secret_key, found.token) if text]

    async def frozen_credentials(self) -> Any:
        """Return the credentials as they are now; refreshes those that are about to expire."""
        return await (await self.session.get_credentials()).get_frozen_credentials()

    def url(self, region: str, endpoint_url: str | None) -> str:
        """Return where EC2 is in a region, with a slash at the end.

        Args:
            region: Name of the region.
            endpoint_url: What the user says; None = what AWS's configuration or botocore says.
        """
        given = endpoint_url or self._configured_url
        which: dict[str, Any] = {"Endpoint": given} if given else self._variants
        return f"{_ec2().endpoints.resolve_endpoint(Region=region, **which).url.rstrip('/')}/"

    async def native_client(self, service: str, **kwargs: Any) -> Any:
        """Return aiobotocore's own client for any service, as it comes. Close it."""
        session = AioSession(profile=self._keys.get("profile"))
        session._credentials = await self.session.get_credentials()
        context = session.create_client(service, **kwargs)
        return await context.__aenter__()


class Service:
    """EC2 in one region, for one account.

    Args:
        account: Who asks.
        region: Name of the region.
        endpoint_url: Where to ask, None = where EC2 is.
        http: The session to ask through; released by `close`.
    """

    def __init__(
        self, account: Account, region: str, endpoint_url: str | None, http: HttpSession
    ) -> None:
        self._account = account
        self._region = region
        self._url = account.url(region, endpoint_url)
        self._http = http

    async def close(self) -> None:
        """Let go of the HTTP session."""
        await self._http.release()

    def prepare(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters of a call with the idempotency tokens that EC2 takes."""
        tokens: Any = _ec2().model.operation_model(operation).idempotent_members
        return {name: str(uuid.uuid4()) for name in tokens} | dict(parameters)

    async def call(
        self, kind: type[W], operation: str, parameters: dict[str, Any], facts: dict[str, Any]
    ) -> W:
        """Make one attempt at a call.

        Args:
            kind: What it answers with.
            operation: Its name.
            parameters: Its parameters, as botocore takes them.
            facts: What an error carries.

        Raises:
            SpiderError: EC2 refused it, or can't be reached or understood.
            BotoCoreError: A parameter is wrong, or the credentials can't be refreshed.
        """
        description = _ec2()
        request = description.serializer.serialize_to_request(
            parameters, description.model.operation_model(operation)
        )
        body = urlencode(request["body"]).encode()
        signed = AWSRequest("POST", self._url, headers=request["headers"], data=body)
        credentials = await self._account.frozen_credentials()
        SigV4Auth(credentials, "ec2", self._region).add_auth(signed)
        async with self._http.stream(
            "POST",
            self._url,
            headers=dict(signed.headers.items()),
            body=body,
            tls=self._account.tls,
            url_encoded=True,
        ) as answer:
            if answer.status >= 300:
                await _fail(answer, facts)
            try:
                return await _read(answer, operation, kind)
            except ProtocolError as error:
                error.status = error.status or answer.status
                error.request_id = answer.headers.get("x-amzn-requestid", "")
                raise


async def _read(answer: HttpStream, operation: str, kind: type[W]) -> W:
    reader = Reader(operation, kind)
    fed = 0
    while chunk := await answer.chunk():
        fed += len(chunk)
        if fed <= IN_TURN_BYTES:
            reader.feed(chunk)
            continue
        for start in range(0, len(chunk), SLICE):
            async with in_turn(fed):
                reader.feed(chunk[start : start + SLICE])
    return reader.close()


async def _fail(answer: HttpStream, facts: dict[str, Any]) -> NoReturn:
    code, message, request_id = decode_error(await answer.read())
    raised = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {
            "HTTPStatusCode": answer.status,
            "HTTPHeaders": {name.lower(): value for name, value in answer.headers.items()},
            "RequestId": request_id,
        },
    }
    raise error_of(raised, facts) from botocore.exceptions.ClientError(raised, facts["operation"])


_accounts: WeakValueDictionary[tuple[Any, ...], Account] = WeakValueDictionary()


def _account(
    key: tuple[Any, ...], key_values: Mapping[str, str], endpoint_url: str | None
) -> Account:
    with _loading:  # hundreds of regions may ask for the same one at once
        account = _accounts.get(key)
        if account is None:
            account = _accounts[key] = Account(key_values, endpoint_url)
        return account


async def open_account(key_values: Mapping[str, str], endpoint_url: str | None) -> Account:
    """Return the account of these credentials, ready to use; one for all its connections.

    Raises:
        AuthenticationError: There are no credentials, or the role can't be assumed.
        InvalidRequestError: AWS's configuration lacks the profile, or is broken.
    """
    await anyio.to_thread.run_sync(_ec2)
    environment = tuple(sorted(item for item in os.environ.items() if item[0].startswith("AWS_")))
    loop = id(asyncio.get_running_loop())
    key = (loop, tuple(sorted(key_values.items())), endpoint_url, environment)
    facts = {"driver": "aws", "operation": "credentials"}
    try:
        account = _accounts.get(key)
        if account is None:
            account = await anyio.to_thread.run_sync(_account, key, key_values, endpoint_url)
        await account.open()
    except SpiderError as error:
        error.driver = error.driver or "aws"
        raise
    except botocore.exceptions.ClientError as error:
        facts["operation"] = error.operation_name
        raise error_of(error.response, facts) from error
    except botocore.exceptions.BotoCoreError as error:
        raise error_of_exception(error, facts) from error
    return account


def region_problem(account: Account, region: str) -> str:
    """Return what is wrong with a region's name, ``""`` for nothing that is known here.

    New regions appear before a release that lists them, so a name that only looks like one
    passes.
    """
    partitions = _loader().load_data("partitions")["partitions"]
    names: Iterable[str] = [name for part in partitions for name in part["regions"]]
    if region in names or any(re.match(part["regionRegex"], region) for part in partitions):
        return ""
    from difflib import get_close_matches

    near = get_close_matches(region, list(names), n=3)
    return f"AWS has no region {region!r}" + (f"; near: {', '.join(near)}" if near else "")


def known_region(region: str) -> bool:
    """Return whether botocore lists this region."""
    partitions = _loader().load_data("partitions")["partitions"]
    return any(region in part["regions"] for part in partitions)
