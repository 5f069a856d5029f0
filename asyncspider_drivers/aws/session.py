"""aiobotocore, fitted to this package: loaded lazily, one HTTP session, structs for answers.

Nothing outside this module imports botocore, and this module is imported in a worker thread.
"""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

import aiobotocore.parsers
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
from anyio.lowlevel import RunVar
from botocore.loaders import JSONFileLoader, Loader

from asyncspider import InvalidRequestError, ProtocolError, SpiderError
from asyncspider.transport.session import DEFAULT_TLS, HttpSession, TLSOptions, open_session

from . import parser, wire
from .errors import error_of, error_of_exception

OFF_LOOP_BYTES = 64 * 1024
"""Bodies longer than this are parsed in a worker thread: 64 KiB take about a millisecond."""


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
    """Return EC2's description cut down to this driver's calls.

    The whole holds over 800 calls and 4,000 shapes, of which a client makes methods one by one.
    """
    model = msgspec.json.decode(raw, type=_ServiceModel)
    operations = {name: model.operations[name] for name in wire.ANSWERS}
    shapes: dict[str, Any] = {}
    todo = [name for text in operations.values() for name in _SHAPE.findall(bytes(text))]
    while todo:
        name = todo.pop().decode()
        if name not in shapes:
            text = model.shapes[name]
            shapes[name] = msgspec.json.decode(text)
            todo += _SHAPE.findall(bytes(text))
    return {
        "version": model.version,
        "metadata": model.metadata,
        "operations": {name: msgspec.json.decode(text) for name, text in operations.items()},
        "shapes": shapes,
    }


class _FastLoader(Loader):
    FILE_LOADER_CLASS = _FastFileLoader

    def list_available_services(self, type_name: str) -> list[str]:
        # botocore looks into each of its 400 folders to answer this.
        return ["ec2", "sso", "sso-oidc", "sts"]


_loading = threading.Lock()


def _loader() -> _FastLoader:
    """Return the process's loader, with what every EC2 client needs read already."""
    with _loading:  # a cache alone would let every thread that asks meanwhile read it all again
        return _loaded()


@lru_cache(maxsize=1)
def _loaded() -> _FastLoader:
    loader = _FastLoader()
    for name in ("service-2", "endpoint-rule-set-1"):
        loader.load_service_model("ec2", name)
    for name in ("endpoints", "partitions", "sdk-default-configuration"):
        loader.load_data(name)
    return loader


# -- HTTP


class SharedHttp:
    """What botocore sends with: the loop's shared session. One for each client."""

    def __init__(
        self,
        *,
        verify: bool | str | None = True,
        client_cert: str | tuple[str, str] | None = None,
        **_: Any,
    ) -> None:
        cert, key = client_cert if isinstance(client_cert, tuple) else (client_cert, None)
        if verify is True or verify is None:
            self._tls = DEFAULT_TLS if cert is None else TLSOptions(cert_file=cert, key_file=key)
        else:
            self._tls = TLSOptions(
                verify=bool(verify),
                ca_file=verify if isinstance(verify, str) else None,
                cert_file=cert,
                key_file=key,
            )
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


# -- answers


_limiter: RunVar[anyio.CapacityLimiter] = RunVar("asyncspider_aws_decoders")


def _decoders() -> anyio.CapacityLimiter:
    """Return what bounds the threads that decode: more than cores only cost memory."""
    try:
        return _limiter.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(min(4, os.cpu_count() or 1))
        _limiter.set(limiter)
        return limiter


class _StructParser:
    """A response parser that gives `Answer` as a struct of `wire`."""

    async def parse(self, response: dict[str, Any], shape: Any) -> dict[str, Any]:
        status, body, headers = response["status_code"], response["body"], response["headers"]
        metadata = {"HTTPStatusCode": status, "HTTPHeaders": headers, "RequestId": ""}
        if status >= 300:
            code, message, metadata["RequestId"] = parser.decode_error(body)
            return {"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}
        operation = response["context"]["operation_name"]
        kind = wire.ANSWERS[operation]
        try:
            if len(body) > OFF_LOOP_BYTES:
                answer = await anyio.to_thread.run_sync(
                    parser.decode, body, operation, kind, limiter=_decoders()
                )
            else:
                answer = parser.decode(body, operation, kind)
        except ProtocolError as error:
            error.status = status
            error.request_id = headers.get("x-amzn-requestid", "")
            raise
        return {"Answer": answer, "ResponseMetadata": metadata}


class _ParserFactory(aiobotocore.parsers.AioResponseParserFactory):
    def create_parser(self, protocol_name: str) -> Any:
        if protocol_name == "ec2":
            return _StructParser()
        return super().create_parser(protocol_name)


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
        self.session.register_component("response_parser_factory", _ParserFactory())

    async def open(self) -> None:
        """Find the credentials, once.

        Raises:
            AuthenticationError: There are none.
        """
        async with self._lock:
            if not self._ready:
                await self._find_credentials()
                self._ready = True

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
        found = await (await self.session.get_credentials()).get_frozen_credentials()
        return [text for text in (found.secret_key, found.token) if text]

    async def client(self, region: str, endpoint_url: str | None) -> Any:
        """Return an EC2 client that answers with structs. Close it."""
        config = AioConfig(
            http_session_cls=SharedHttp,  # pyright: ignore[reportArgumentType]
            retries={"mode": "standard", "total_max_attempts": 1},  # the connection retries
            ignore_configured_endpoint_urls=False,
        )
        # Each takes some milliseconds; the lock lets others run in between.
        async with self._lock:
            return await self.session.create_client(
                "ec2", region_name=region, endpoint_url=endpoint_url, config=config
            ).__aenter__()

    async def native_client(self, service: str, **kwargs: Any) -> Any:
        """Return aiobotocore's own client for any service, as it comes. Close it."""
        session = AioSession(profile=self._keys.get("profile"))
        session._credentials = await self.session.get_credentials()
        context = session.create_client(service, **kwargs)
        return await context.__aenter__()


_accounts: WeakValueDictionary[tuple[Any, ...], Account] = WeakValueDictionary()


async def open_account(key_values: Mapping[str, str], endpoint_url: str | None) -> Account:
    """Return the account of these credentials, ready to use; one for all its connections.

    Raises:
        AuthenticationError: There are no credentials, or the role can't be assumed.
        InvalidRequestError: AWS's configuration lacks the profile, or is broken.
    """
    await anyio.to_thread.run_sync(_loader)
    environment = tuple(sorted(item for item in os.environ.items() if item[0].startswith("AWS_")))
    loop = id(asyncio.get_running_loop())
    key = (loop, tuple(sorted(key_values.items())), endpoint_url, environment)
    facts = {"driver": "aws", "operation": "credentials"}
    try:
        account = _accounts.get(key)
        if account is None:
            account = _accounts[key] = Account(key_values, endpoint_url)
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
