"""Every way in which OpenStack's people log in, and a token's end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any
from urllib.request import Request

import anyio
import anyio.to_thread
import pytest
import pytest_asyncio
from openstack.connection import Connection

from asyncspider import (
    AuthenticationError,
    ConnectionInfo,
    CredentialInfo,
    InvalidRequestError,
    KeyPairReqInfo,
    NotSupportedError,
    Resource,
    UnavailableError,
    connect,
    load_driver,
)
from asyncspider.fleet import expand
from asyncspider_drivers.openstack.connection import OpenStackConnection
from tests.openstack_sandbox import rest
from tests.openstack_sandbox.layout import REGIONS, Layout
from tests.openstack_sandbox.rest import Admin

from .conftest import info, keys

Sdk = Callable[..., Connection]


async def lists_images(**arguments: Any) -> str:
    """Connect, use the connection, and return its region."""
    async with connect("openstack", **arguments) as connection:
        assert await connection.create_image_handler().list_image()
        return connection.region_info.region


# -- clouds.yaml, secure.yaml, OS_*


async def test_a_cloud_of_clouds_yaml(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await lists_images(credential={"cloud": "sandbox-admin-two"}) == "RegionTwo"
    assert await lists_images(credential={"cloud": "sandbox"}) == "RegionOne"  # the first listed
    assert await lists_images(credential={"cloud": "sandbox"}, region="RegionTwo") == "RegionTwo"
    # The one that is named is a default.
    other = {"credential": {"cloud": "sandbox-admin-two"}, "region": "RegionOne"}
    assert await lists_images(**other) == "RegionOne"
    monkeypatch.setenv("OS_CLOUD", "sandbox-admin-two")
    assert await lists_images() == "RegionTwo"


async def test_secure_yaml(
    sandbox: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_part, secret = sandbox.clouds_yaml.read_text(), f"password: {sandbox.password}"
    (tmp_path / "clouds.yaml").write_text(open_part.replace(secret, ""))
    (tmp_path / "secure.yaml").write_text(f"clouds:\n  sandbox:\n    auth:\n      {secret}\n")
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    monkeypatch.setenv("OS_CLIENT_SECURE_FILE", str(tmp_path / "secure.yaml"))
    assert await lists_images(credential={"cloud": "sandbox"}) == "RegionOne"
    with pytest.raises(AuthenticationError, match="lack password"):
        await lists_images(credential={"cloud": "sandbox-admin"})


async def test_variables(sandbox: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in keys(sandbox).items():
        monkeypatch.setenv(f"OS_{key.upper()}", value)
    monkeypatch.setenv("OS_AUTH_URL", sandbox.auth_url)
    monkeypatch.setenv("OS_REGION_NAME", "RegionTwo")
    assert await lists_images() == "RegionTwo"
    assert await lists_images(region="RegionOne") == "RegionOne"


async def test_keys_stand_for_themselves(sandbox: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_USERNAME", "nobody")
    monkeypatch.setenv("OS_CLOUD", "no-such-cloud")
    given = keys(sandbox) | {"auth_url": sandbox.url("keystone")}  # without /v3
    assert await lists_images(credential=given, region="RegionOne") == "RegionOne"


# -- plugins


@pytest_asyncio.fixture
async def application_credential(sdk: Sdk) -> AsyncGenerator[Any, None]:
    identity: Any = sdk().identity

    def make() -> Any:
        return identity.create_application_credential(user=sdk().current_user_id, name="a-c")

    made = await anyio.to_thread.run_sync(make)
    yield made
    await anyio.to_thread.run_sync(
        identity.delete_application_credential, sdk().current_user_id, made
    )


async def test_an_application_credential(
    sandbox: Layout, application_credential: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {
        "application_credential_id": application_credential.id,
        "application_credential_secret": application_credential.secret,
    }
    where = {"endpoint_url": sandbox.auth_url, "region": "RegionOne"}
    assert await lists_images(credential=given, **where) == "RegionOne"
    by_name = {
        "application_credential_name": "a-c",
        "username": "demo",
        "user_domain_id": "default",
        "application_credential_secret": application_credential.secret,
    }
    assert await lists_images(credential=by_name, **where) == "RegionOne"
    with pytest.raises(AuthenticationError) as caught:
        await lists_images(credential=given | {"application_credential_secret": "s3cr3t!"}, **where)
    assert "s3cr3t!" not in str(caught.value)


async def test_a_token(sandbox: Layout, sdk: Sdk) -> None:
    token = await anyio.to_thread.run_sync(lambda: sdk().auth_token)
    given = {"token": token, "project_name": "demo", "project_domain_id": "default"}
    where = {"endpoint_url": sandbox.auth_url, "region": "RegionOne"}
    assert await lists_images(credential=given, **where) == "RegionOne"


# -- projects


@pytest_asyncio.fixture
async def two_projects(sandbox: Layout) -> AsyncGenerator[None, None]:
    """Let the user ``demo`` into the project ``limited`` as well."""

    def role(method: str) -> None:
        admin = Admin(sandbox)
        ids = [
            admin.call("GET", "keystone", f"/v3/{kind}?name={name}")[kind][0]["id"]
            for kind, name in (("projects", "limited"), ("users", "demo"), ("roles", "member"))
        ]
        path = "/v3/projects/{}/users/{}/roles/{}".format(*ids)
        admin.call(method, "keystone", path)

    await anyio.to_thread.run_sync(role, "PUT")
    yield
    await anyio.to_thread.run_sync(role, "DELETE")


@pytest.mark.usefixtures("two_projects")
async def test_projects_of_a_user(sandbox: Layout, sdk: Sdk) -> None:
    def ask() -> list[Any]:
        answer: Any = sdk().identity.get("/auth/projects")
        return answer.json()["projects"]

    theirs = await anyio.to_thread.run_sync(ask)
    driver = load_driver("openstack")
    cloud = ConnectionInfo(credential_info=CredentialInfo(key_values={"cloud": "sandbox"}))
    assert await driver.list_accounts(info(sandbox)) == ["demo", "limited"]
    assert await driver.list_accounts(cloud) == sorted(project["name"] for project in theirs)
    [limited] = [project["id"] for project in theirs if project["name"] == "limited"]
    by_id = driver.for_account(cloud, limited)
    assert await driver.list_accounts(by_id) == sorted(project["id"] for project in theirs)

    targets = await expand("openstack", cloud, "RegionOne", accounts="all")
    assert [target.name for target in targets] == [
        "openstack/demo/RegionOne",
        "openstack/limited/RegionOne",
    ]
    for target in (*targets, *await expand("openstack", cloud, "RegionOne", accounts=limited)):
        connecting = driver.connect_cloud(target.connection_info)
        async with connecting as connection:
            assert isinstance(connection, OpenStackConnection)
            native = await connection.native_client()
            project = await anyio.to_thread.run_sync(getattr, native, "current_project_id")
            assert (project == limited) == ("demo" not in target.name)


async def test_projects_of_an_application_credential(
    sandbox: Layout, sdk: Sdk, application_credential: Any
) -> None:
    given = {
        "application_credential_id": application_credential.id,
        "application_credential_secret": application_credential.secret,
    }
    where = ConnectionInfo(
        credential_info=CredentialInfo(key_values=given), endpoint_url=sandbox.auth_url
    )
    project = await anyio.to_thread.run_sync(lambda: sdk().current_project_id)
    assert await load_driver("openstack").list_accounts(where) == [project]


async def test_a_project_that_is_not_there(sandbox: Layout) -> None:
    driver = load_driver("openstack")
    with pytest.raises(AuthenticationError):
        await driver.connect_cloud(driver.for_account(info(sandbox), "no-such-project"))


# -- regions


async def test_regions_of_the_catalogue(sandbox: Layout) -> None:
    driver = load_driver("openstack")
    found = await driver.list_regions(info(sandbox, region=""))
    assert [region.region for region in found] == list(REGIONS)


async def test_regions_that_clouds_yaml_lists(
    sandbox: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "clouds.yaml"
    text = sandbox.clouds_yaml.read_text().replace("[RegionOne, RegionTwo]", "[RegionTwo]")
    file.write_text(text)
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(file))
    given = ConnectionInfo(credential_info=CredentialInfo(key_values={"cloud": "sandbox"}))
    targets = await expand("openstack", given, "all")
    assert [target.connection_info.region_info.region for target in targets] == ["RegionTwo"]


async def test_a_region_that_is_not_there(sandbox: Layout) -> None:
    for given in ({"cloud": "sandbox"}, {"cloud": "sandbox-admin"}, keys(sandbox)):
        where = None if "cloud" in given else sandbox.auth_url
        with pytest.raises(InvalidRequestError, match=r"RegionOne.*RegionTwo|no region") as caught:
            await lists_images(credential=given, region="Atlantis", endpoint_url=where)
        assert "Atlantis" in str(caught.value)
    with pytest.raises(InvalidRequestError, match="no region was named; it has: RegionOne, Reg"):
        await lists_images(credential=keys(sandbox), endpoint_url=sandbox.auth_url)


# -- tokens


def revoke(sandbox: Layout, token: str) -> None:
    """Revoke a token, as its owner."""
    request = Request(
        f"{sandbox.auth_url}/auth/tokens",
        headers={"X-Auth-Token": token, "X-Subject-Token": token},
        method="DELETE",
    )
    rest.send(request, timeout=30).close()


async def test_a_token_revoked_in_mid_scan(
    sandbox: Layout, ours: OpenStackConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One login for all who wait, and nobody notices."""
    handler = ours.create_key_pair_handler()
    names = [f"revoked-{number}" for number in range(6)]
    for name in names:
        await handler.create_key(KeyPairReqInfo(name=name))
    ours.page_size = 2
    account = ours._account
    logins: list[str] = []
    log_in = account._log_in

    async def counted(*arguments: Any) -> None:
        logins.append("login")
        await log_in(*arguments)

    monkeypatch.setattr(account, "_log_in", counted)
    seen: list[str] = []
    async for page in handler.iter_key().pages():
        if not seen:
            token = account._headers["X-Auth-Token"]
            await anyio.to_thread.run_sync(revoke, sandbox, token)
            # Services believe a token that they know for a while: it must be one they don't.
            account._headers = account._headers | {"X-Auth-Token": f"{token[:-8]}deadbeef"}
        seen += [key.name for key in page.items]
    assert set(names) <= set(seen)
    assert len(logins) == 1
    account._headers = {"X-Auth-Token": "no-token-at-all"}
    async with anyio.create_task_group() as group:
        for resource in Resource:
            group.start_soon(_drain, ours, resource)
            group.start_soon(_drain, ours, resource)
    assert len(logins) == 2
    for name in names:
        await handler.delete_key(name)


async def _drain(connection: OpenStackConnection, resource: Resource) -> None:
    async for _ in connection.pages(resource):
        pass


async def test_one_login_for_all_regions() -> None:
    async with (
        connect("openstack", credential={"cloud": "sandbox"}, region="RegionOne") as one,
        connect("openstack", credential={"cloud": "sandbox"}, region="RegionTwo") as two,
    ):
        assert isinstance(one, OpenStackConnection)
        assert isinstance(two, OpenStackConnection)
        assert one._account is two._account
        native = await one.native_client()
        token = await anyio.to_thread.run_sync(lambda: native.auth_token)
        assert token == one._account._headers["X-Auth-Token"]


# -- who is refused


async def test_wrong_password(sandbox: Layout) -> None:
    with pytest.raises(AuthenticationError) as caught:
        await lists_images(
            credential=keys(sandbox, password="wr0ng-p4ss"), endpoint_url=sandbox.auth_url
        )
    error = caught.value
    assert (error.driver, error.operation, error.status) == ("openstack", "Authenticate", 401)
    assert error.request_id.startswith("req-")
    assert "wr0ng-p4ss" not in repr(error)
    assert not error.retryable


async def test_no_project(sandbox: Layout) -> None:
    """Keystone lets such a user in, but shows no catalogue."""
    given = keys(sandbox)
    del given["project_name"], given["project_domain_id"]
    with pytest.raises(AuthenticationError, match="name a project"):
        await lists_images(credential=given, endpoint_url=sandbox.auth_url, region="RegionOne")
    with pytest.raises(AuthenticationError):
        await lists_images(
            credential=keys(sandbox, project_name="no-such-project"), endpoint_url=sandbox.auth_url
        )


async def test_no_such_cloud(sandbox: Layout) -> None:
    with pytest.raises(InvalidRequestError, match=r"no cloud 'nimbus'.*sandbox-admin") as caught:
        await lists_images(credential={"cloud": "nimbus"})
    assert str(sandbox.clouds_yaml) in str(caught.value)


async def test_no_credentials_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("OS_CLIENT_CONFIG_FILE")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AuthenticationError, match="OS_CLOUD"):
        await lists_images()


async def test_a_clouds_yaml_that_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "clouds.yaml"
    file.write_text("clouds: [unclosed\n")
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(file))
    with pytest.raises(InvalidRequestError, match=r"clouds\.yaml"):
        await lists_images(credential={"cloud": "sandbox"})


async def test_a_service_that_the_catalogue_lacks(sandbox: Layout) -> None:
    """A region that has Glance alone."""
    admin = Admin(sandbox)
    services = admin.call("GET", "keystone", "/v3/services?type=image")["services"]
    region = {"region": {"id": "RegionBare"}}
    admin.call("POST", "keystone", "/v3/regions", region)
    endpoint = {
        "service_id": services[0]["id"],
        "region_id": "RegionBare",
        "interface": "public",
        "url": sandbox.url("glance"),
    }
    made = admin.call("POST", "keystone", "/v3/endpoints", {"endpoint": endpoint})
    try:
        given = keys(sandbox)
        where = {"endpoint_url": sandbox.auth_url, "region": "RegionBare"}
        async with connect("openstack", credential=given, **where) as bare:
            assert await bare.create_image_handler().list_image()
            with pytest.raises(NotSupportedError, match="no service 'compute'") as caught:
                await bare.create_vm_handler().list_vm()
            assert caught.value.code == "EndpointNotFound"
    finally:
        admin.call("DELETE", "keystone", f"/v3/endpoints/{made['endpoint']['id']}")
        admin.call("DELETE", "keystone", "/v3/regions/RegionBare")


async def test_an_endpoint_that_is_down(sandbox: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_COMPUTE_ENDPOINT_OVERRIDE", "http://127.0.0.1:9/v2.1")
    for key, value in keys(sandbox).items():
        monkeypatch.setenv(f"OS_{key.upper()}", value)
    monkeypatch.setenv("OS_AUTH_URL", sandbox.auth_url)
    async with connect("openstack", region="RegionOne") as connection:
        assert await connection.create_vnetwork_handler().list_vnetwork()
        with pytest.raises(UnavailableError) as caught:
            await connection.create_vm_handler().list_vm()
        assert caught.value.retryable
        assert caught.value.driver == "openstack"
        assert await connection.is_connected() is False


# -- the escape hatch


async def test_native_client(ours: OpenStackConnection) -> None:
    native = await ours.native_client()
    assert isinstance(native, Connection)
    flavors: Any = await anyio.to_thread.run_sync(lambda: list(native.compute.flavors()))
    assert {flavor.name for flavor in flavors} >= {"m1.tiny", "m1.small"}
    assert native.config.region_name == "RegionOne"
    await ours.close()
    with pytest.raises(InvalidRequestError) as caught:
        await ours.native_client()
    assert caught.value.code == "ConnectionClosed"
