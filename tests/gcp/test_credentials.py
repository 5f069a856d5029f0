"""Where tokens come from: google-auth's ways, never on the event loop, once for all who wait."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from asyncspider import (
    AuthenticationError,
    CloudConnection,
    CredentialInfo,
    InvalidRequestError,
    SpiderError,
    UnavailableError,
    connect,
    load_driver,
)
from asyncspider_drivers.gcp.emulator import Identity, RequestFault, World

P = "demo"


@pytest.fixture(scope="session")
def private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture
def account(address: str, private_key: str) -> dict[str, str]:
    """A service account's key file."""
    return {
        "type": "service_account",
        "project_id": P,
        "private_key_id": "0123456789abcdef",
        "private_key": private_key,
        "client_email": "robot@demo.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": f"{address}/token",
    }


@pytest.fixture(autouse=True)
def no_credentials_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT",
                 "CLOUDSDK_CORE_PROJECT"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))


@pytest.fixture
def locked(world: World) -> World:
    """A cloud that lets nobody in without a token of its own."""
    world.tokens = {}
    return world


async def networks(connection: CloudConnection) -> list[str]:
    return [one.id for one in await connection.create_vnetwork_handler().list_vnetwork()]


async def test_service_account_as_file_and_as_text(
    address: str, account: dict[str, str], locked: World, identity: Identity, tmp_path: Path
) -> None:
    file = tmp_path / "key.json"
    file.write_text(json.dumps(account))
    for credential in (
        {"credentials_file": str(file)},
        {"credentials_json": json.dumps(account)},
    ):
        async with connect("gcp", credential=credential, endpoint_url=address) as connection:
            assert await networks(connection) == ["default"]
    assert identity.issued == ["jwt-bearer", "jwt-bearer"]


async def test_application_default_credentials(
    address: str,
    account: dict[str, str],
    locked: World,
    identity: Identity,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "adc.json"
    file.write_text(json.dumps(account))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    async with connect("gcp", endpoint_url=address) as connection:
        assert await networks(connection) == ["default"]
    assert identity.issued == ["jwt-bearer"]


MACHINE = """
import asyncio, sys
from asyncspider import connect

async def main():
    async with connect("gcp", endpoint_url=sys.argv[1]) as connection:
        print([one.id for one in await connection.create_vnetwork_handler().list_vnetwork()])

asyncio.run(main())
"""


async def test_a_machine_in_google_cloud(
    address: str, locked: World, identity: Identity, tmp_path: Path
) -> None:
    """In a process of its own: google-auth reads the environment when it is imported."""
    host = address.removeprefix("http://")
    result = await anyio.run_process(
        [sys.executable, "-c", MACHINE, address],
        env={
            "HOME": str(tmp_path),
            "CLOUDSDK_CONFIG": str(tmp_path),
            "GCE_METADATA_HOST": host,
            "GCE_METADATA_IP": host,
        },
        check=False,
    )
    assert result.returncode == 0, result.stderr.decode()
    assert result.stdout.decode().strip() == "['default']"
    assert identity.issued == ["metadata"]


async def test_impersonation(
    address: str,
    account: dict[str, str],
    locked: World,
    identity: Identity,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS", address)
    credential = {
        "credentials_json": json.dumps(account),
        "impersonate_service_account": "reader@demo.iam.gserviceaccount.com",
    }
    async with connect("gcp", credential=credential, endpoint_url=address) as connection:
        assert await networks(connection) == ["default"]
    assert identity.issued == ["jwt-bearer", "impersonate"]
    credential["impersonate_service_account"] = "denied@demo.iam.gserviceaccount.com"
    async with connect("gcp", credential=credential, endpoint_url=address) as connection:
        with pytest.raises(AuthenticationError, match=r"iam\.serviceAccounts\.getAccessToken"):
            await networks(connection)
        assert await connection.is_connected() is False


async def test_one_refresh_for_all_who_wait(
    address: str, account: dict[str, str], locked: World, identity: Identity
) -> None:
    credential = {"credentials_json": json.dumps(account)}
    async with (
        connect("gcp", credential=credential, endpoint_url=address) as first,
        connect("gcp", credential=credential, endpoint_url=address, region="us-east1") as second,
        anyio.create_task_group() as group,
    ):
        for connection in (first, second) * 10:
            group.start_soon(networks, connection)
    assert identity.issued == ["jwt-bearer"]


async def test_a_token_that_is_refused_is_renewed_once(
    address: str, account: dict[str, str], locked: World, identity: Identity
) -> None:
    credential = {"credentials_json": json.dumps(account)}
    async with connect("gcp", credential=credential, endpoint_url=address) as connection:
        await networks(connection)
        locked.tokens = {}  # all are revoked
        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(networks, connection)
        assert identity.issued == ["jwt-bearer"] * 2
        identity.lifetime = -1.0  # what is handed out from now on has expired already
        locked.tokens = {}
        with pytest.raises(AuthenticationError):
            await networks(connection)


async def test_a_given_token_that_expires(address: str, world: World) -> None:
    world.tokens = {"short-lived": time.time() + 60}
    credential = {"project_id": P, "access_token": "short-lived"}
    async with connect("gcp", credential=credential, endpoint_url=address) as connection:
        assert await networks(connection) == ["default"]
        world.tokens = {"short-lived": time.time() - 1}
        with pytest.raises(AuthenticationError, match="has expired") as caught:
            await networks(connection)
        assert "short-lived" not in repr(caught.value)
        assert await connection.is_connected() is False


async def test_a_waiter_that_is_cancelled_ends_nothing_for_the_rest(
    address: str, account: dict[str, str], locked: World, identity: Identity
) -> None:
    locked.request_faults.clear()
    credential = {"credentials_json": json.dumps(account)}
    async with connect("gcp", credential=credential, endpoint_url=address) as connection:
        found: list[list[str]] = []

        async def stay() -> None:
            found.append(await networks(connection))

        async with anyio.create_task_group() as group:
            group.start_soon(stay)
            with anyio.move_on_after(0):
                await networks(connection)
        assert found == [["default"]]


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (lambda a: a.pop("client_email"), AuthenticationError, "can't be used"),
        (lambda a: a.update(private_key="no key"), AuthenticationError, "can't be used"),
        (lambda a: a.pop("type"), InvalidRequestError, "has no 'type'"),
        (lambda a: a.update(type="other"), AuthenticationError, "valid type"),
    ],
)
async def test_documents_that_are_no_credentials(
    address: str,
    account: dict[str, str],
    change: Callable[[dict[str, str]], object],
    kind: type[SpiderError],
    words: str,
) -> None:
    change(account)
    with pytest.raises(kind, match=words) as caught:
        await connect("gcp", credential={"credentials_json": json.dumps(account)})
    assert caught.value.driver == "gcp"
    assert "PRIVATE KEY" not in repr(caught.value)


async def test_files_that_are_no_credentials(tmp_path: Path) -> None:
    with pytest.raises(AuthenticationError, match=r"missing\.json"):
        await connect("gcp", credential={"credentials_file": str(tmp_path / "missing.json")})
    broken = tmp_path / "broken.json"
    broken.write_text('{"private_key": "s3cr3t')
    with pytest.raises(InvalidRequestError, match="no JSON") as caught:
        await connect("gcp", credential={"credentials_file": str(broken)})
    assert "s3cr3t" not in repr(caught.value)
    assert caught.value.__cause__ is None


async def test_no_credentials_at_all() -> None:
    with pytest.raises(AuthenticationError, match="gcloud auth application-default login"):
        await connect("gcp", credential={"project_id": P})


async def test_no_project(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    with pytest.raises(InvalidRequestError, match="no project"):
        await connect("gcp", credential={"access_token": "any-token"})
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", P)
    async with connect(
        "gcp", credential={"access_token": "any-token"}, endpoint_url=address
    ) as connection:
        assert await networks(connection) == ["default"]


async def test_a_token_server_that_is_away(address: str, account: dict[str, str]) -> None:
    account["token_uri"] = "http://127.0.0.1:9/token"
    credential = {"credentials_json": json.dumps(account)}
    async with connect("gcp", credential=credential, endpoint_url=address) as connection:
        connection.retry_policy = type(connection.retry_policy)(unavailable_attempts=1)
        with pytest.raises(UnavailableError, match="hands out tokens"):
            await networks(connection)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"project": "x"}, "unknown credential key 'project'"),
        ({"project_id": ""}, "'project_id' is empty"),
        ({"access_token": "t0ken", "credentials_file": "f"}, "exclude each other"),
        ({"access_token": "t0ken", "impersonate_service_account": "a@b"}, "exclude each other"),
    ],
)
def test_keys_that_contradict_each_other(keys: dict[str, str], words: str) -> None:
    driver = load_driver("gcp")
    with pytest.raises(InvalidRequestError, match=words) as caught:
        driver.check_credential(CredentialInfo(key_values=keys))
    assert "t0ken" not in repr(caught.value)


async def test_the_environment_names_another_server(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE", f"{address}/compute/v1/")
    async with connect(
        "gcp", credential={"project_id": P, "access_token": "any-token"}
    ) as connection:
        assert await networks(connection) == ["default"]


async def test_native_clients(address: str, world: World) -> None:
    from google.cloud import compute_v1

    world.tokens = {"good-token": time.time() + 60}
    credential = {"project_id": P, "access_token": "good-token"}
    async with connect("gcp", credential=credential, endpoint_url=address) as connection:
        client = await connection.native_client()
        assert isinstance(client, compute_v1.InstancesClient)
        zones = await connection.native_client(compute_v1.ZonesClient)
        found = await anyio.to_thread.run_sync(lambda: list(zones.list(project=P)))
        assert [zone.name for zone in found] == sorted(world.zones)
        with pytest.raises(InvalidRequestError, match="no client"):
            await connection.native_client("NoSuchClient")
    with pytest.raises(InvalidRequestError, match="closed"):
        await connection.native_client()


async def test_secrets_of_an_account_are_not_quoted(
    address: str, account: dict[str, str], locked: World, private_key: str
) -> None:
    said: Any = {
        "error": {
            "code": 400,
            "message": f"odd: {account['private_key_id']} {private_key}",
            "errors": [{"reason": "invalid"}],
        }
    }
    locked.request_faults.append(
        RequestFault(path="global/networks", status=400, body=json.dumps(said).encode(), times=9)
    )
    credential = {"credentials_json": json.dumps(account)}
    async with connect("gcp", credential=credential, endpoint_url=address) as connection:
        with pytest.raises(InvalidRequestError, match="odd") as caught:
            await networks(connection)
    assert "PRIVATE KEY" not in repr(caught.value)
    assert account["private_key_id"] not in repr(caught.value)
