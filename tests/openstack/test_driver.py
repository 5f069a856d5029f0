"""The whole driver, against a server that replays and misbehaves."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from asyncspider import (
    AuthenticationError,
    ConflictError,
    ConnectionInfo,
    CredentialInfo,
    DeadlineExceededError,
    InvalidRequestError,
    KeyPairReqInfo,
    NotFoundError,
    NotSupportedError,
    ProtocolError,
    PublicIPReqInfo,
    RegionInfo,
    Resource,
    SpiderError,
    ThrottledError,
    UnavailableError,
    VMStatus,
    connect,
    load_driver,
)
from asyncspider.testing import no_leftovers
from asyncspider.transport.retry import RetryPolicy
from asyncspider_drivers.openstack.connection import OpenStackConnection

from .replay import PASSWORD, REGIONS, Replay, recorded

NOWHERE = "00000000-0000-0000-0000-000000000000"


async def everything(connection: OpenStackConnection, resource: Resource) -> list[Any]:
    return [item async for page in connection.pages(resource) for item in page.items]


# -- lists


async def test_all_that_was_recorded(cloud: Replay) -> None:
    async with no_leftovers(), cloud.connect() as connection:
        counts = {resource: len(await everything(connection, resource)) for resource in Resource}
    assert counts == {
        Resource.IMAGE: len(recorded("images")["images"]),
        Resource.VNETWORK: len(recorded("networks")["networks"]),
        Resource.SECURITY: len(recorded("security-groups")["security_groups"]),
        Resource.KEY_PAIR: len(recorded("keypairs")["keypairs"]),
        Resource.VNIC: len(recorded("ports")["ports"]),
        Resource.PUBLIC_IP: len(recorded("floatingips")["floatingips"]),
        Resource.VM: len(recorded("servers-2.46")["servers"]),
    }


@pytest.mark.parametrize("resource", list(Resource))
async def test_never_one_request_for_each_item(cloud: Replay, resource: Resource) -> None:
    joined = {
        Resource.VM: {"compute/v2.1/servers/detail", "network/v2.0/ports",
                      "network/v2.0/floatingips"},
        Resource.VNIC: {"network/v2.0/ports", "network/v2.0/floatingips"},
        Resource.PUBLIC_IP: {"network/v2.0/ports", "network/v2.0/floatingips"},
        Resource.VNETWORK: {"network/v2.0/networks", "network/v2.0/subnets"},
        Resource.IMAGE: {"image/v2/images"},
        Resource.KEY_PAIR: {"compute/v2.1/os-keypairs"},
        Resource.SECURITY: {"network/v2.0/security-groups"},
    }  # fmt: skip
    async with cloud.connect() as connection:
        await everything(connection, resource)  # also finds the services
        cloud.requests.clear()
        assert await everything(connection, resource)
    assert cloud.requests == {f"GET /{path}": 1 for path in joined[resource]}


@pytest.mark.parametrize("resource", list(Resource))
@pytest.mark.parametrize("links", ["", "http://elsewhere.invalid:9"])
async def test_pages_to_the_end(cloud: Replay, resource: Resource, links: str) -> None:
    """Links with another host, as behind a proxy, are followed on the catalogue's endpoint."""
    async with cloud.connect() as connection:
        expected = await everything(connection, resource)
        cloud.page, cloud.links = 2, links
        pages = [page async for page in connection.pages(resource)]
        assert [item for page in pages for item in page.items] == expected
        assert len(pages) == -(-len(expected) // 2)


async def test_a_list_without_end(cloud: Replay) -> None:
    async def same_again(request: web.Request) -> web.Response | None:
        if not request.path.endswith("/os-keypairs"):
            return None
        next_page = {"rel": "next", "href": f"{cloud.url}{request.path_qs}"}
        return web.json_response({"keypairs": [], "keypairs_links": [next_page]})

    cloud.misbehave = same_again
    async with cloud.connect() as connection:
        with pytest.raises(ProtocolError, match="does not end"):
            await connection.create_key_pair_handler().list_key()


async def test_replies_are_asked_for_compressed(cloud: Replay) -> None:
    async with cloud.connect() as connection:
        await connection.create_vm_handler().list_vm()
    assert all("gzip" in headers["Accept-Encoding"] for headers in cloud.headers)


async def test_a_zone(cloud: Replay) -> None:
    servers = recorded("servers-2.46")["servers"]
    zones = {server["OS-EXT-AZ:availability_zone"] for server in servers} - {""}
    for zone in zones | {"elsewhere"}:
        async with cloud.connect(
            region_info=RegionInfo(region="RegionOne", zone=zone)
        ) as connection:
            handler = connection.create_vm_handler()
            vms = await handler.list_vm()
            assert {vm.region.zone for vm in vms} == ({zone} & zones)
            assert [vm.id for vm in vms] == [state.id for state in await handler.list_vm_status()]


# -- microversions


@pytest.mark.parametrize(
    ("oldest", "newest", "spoken"),
    [("2.1", "2.1", "2.1"), ("2.1", "2.30", "2.30"), ("2.1", "2.104", "2.46"),
     ("2.47", "2.96", "2.47"), ("2.90", "2.110", "2.90"), ("", "", "2.1")],
)  # fmt: skip
async def test_microversions(oldest: str, newest: str, spoken: str) -> None:
    async with Replay(oldest=oldest, newest=newest) as cloud, cloud.connect() as connection:
        vms = await connection.create_vm_handler().list_vm()
        assert {vm.spec_id for vm in vms} == {"1", "2"}
        nova = [headers for headers in cloud.headers if "X-OpenStack-Nova-API-Version" in headers]
        assert {headers["OpenStack-API-Version"] for headers in nova} == {f"compute {spoken}"}
        flavors = cloud.requests["GET /compute/v2.1/flavors"]
        assert flavors == (1 if connection.microversion >= (2, 47) else 0)


async def test_a_nova_of_the_future() -> None:
    async with Replay(oldest="2.200", newest="2.210") as cloud, cloud.connect() as connection:
        with pytest.raises(NotSupportedError, match=r"2\.200"):
            await connection.create_vm_handler().list_vm()


async def test_a_nova_that_makes_no_keys() -> None:
    async with Replay(oldest="2.92", newest="2.96") as cloud, cloud.connect() as connection:
        with pytest.raises(NotSupportedError, match="public key"):
            await connection.create_key_pair_handler().create_key(KeyPairReqInfo(name="k"))


# -- tokens


async def test_one_login_for_all_regions_and_services(cloud: Replay) -> None:
    driver = load_driver("openstack")
    connections = [await driver.connect_cloud(cloud.info(region)) for region in REGIONS * 3]
    async with anyio.create_task_group() as group:
        for connection in connections:
            assert isinstance(connection, OpenStackConnection)
            group.start_soon(everything, connection, Resource.VM)
    assert cloud.requests["login"] == 1
    for connection in connections:
        await connection.close()


async def test_a_token_that_ends_in_mid_scan(cloud: Replay) -> None:
    """All waiters get one new login, and every item comes once."""
    async with cloud.connect() as connection:
        expected = await everything(connection, Resource.VM)
        cloud.page = 2
        seen: list[Any] = []
        async for page in connection.pages(Resource.VM):
            if len(seen) == 4:
                cloud.token = "another"
            seen += page.items
        assert seen == expected
        assert cloud.requests["login"] == 2
        cloud.token = "another"
        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(everything, connection, Resource.VNIC)
        assert cloud.requests["login"] == 3


async def test_a_token_about_to_end_is_renewed_first(cloud: Replay) -> None:
    cloud.lives = timedelta(seconds=5)
    async with cloud.connect() as connection:
        for _ in range(2):
            before = cloud.requests["login"]
            await connection.create_key_pair_handler().list_key()
            assert cloud.requests["login"] > before


async def test_a_service_that_always_says_401(cloud: Replay) -> None:
    async def refuse(request: web.Request) -> web.Response | None:
        return web.json_response({}, status=401) if request.path.endswith("/images") else None

    cloud.misbehave = refuse
    async with cloud.connect() as connection:
        with pytest.raises(AuthenticationError):
            await connection.create_image_handler().list_image()
        assert cloud.requests["login"] == 2


async def test_wrong_password(cloud: Replay) -> None:
    async with no_leftovers():
        with pytest.raises(AuthenticationError) as caught:
            await load_driver("openstack").connect_cloud(cloud.info(password="wr0ng-s3cr3t"))
    assert caught.value.request_id.startswith("req-")
    assert "wr0ng-s3cr3t" not in repr(caught.value) + str(caught.value.info())


async def test_no_project(cloud: Replay) -> None:
    keys = {"username": "demo", "password": PASSWORD, "user_domain_id": "default"}
    info = msgspec.structs.replace(cloud.info(), credential_info=CredentialInfo(key_values=keys))
    with pytest.raises(AuthenticationError, match="name a project"):
        await load_driver("openstack").connect_cloud(info)


# -- services that are down, or odd


async def test_a_service_that_the_catalogue_lacks(cloud: Replay) -> None:
    cloud.missing = {"network"}
    async with cloud.connect() as connection:
        assert await connection.create_image_handler().list_image()
        with pytest.raises(NotSupportedError, match=r"no service 'network'.*RegionOne"):
            await connection.create_vnetwork_handler().list_vnetwork()


async def test_connected_to_what_there_is(cloud: Replay) -> None:
    cloud.missing = {"compute", "network"}
    async with cloud.connect() as connection:
        assert await connection.is_connected() is True


async def test_a_region_that_the_catalogue_lacks(cloud: Replay) -> None:
    with pytest.raises(InvalidRequestError, match=r"'Atlantis'; it has: RegionOne, RegionTwo"):
        await load_driver("openstack").connect_cloud(cloud.info("Atlantis"))
    with pytest.raises(InvalidRequestError, match="no region was named"):
        await load_driver("openstack").connect_cloud(cloud.info(""))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("<html>Welcome to the proxy</html>", ProtocolError),
        ('{"keypairs": [{"keypair": {"name": "a"', ProtocolError),
        ('{"something": "else"}', ProtocolError),
        ('{"keypairs": [{"keypair": {"name": 7}}]}', ProtocolError),
    ],
)
async def test_answers_that_make_no_sense(
    cloud: Replay, text: str, kind: type[SpiderError]
) -> None:
    async def odd(request: web.Request) -> web.Response | None:
        return web.Response(text=text) if request.path.endswith("/os-keypairs") else None

    cloud.misbehave = odd
    async with cloud.connect() as connection:
        with pytest.raises(kind) as caught:
            await connection.create_key_pair_handler().list_key()
    assert caught.value.operation == "ListKeypairs"


async def test_half_an_answer(cloud: Replay) -> None:
    async def half(request: web.Request) -> web.StreamResponse | None:
        if not request.path.endswith("/os-keypairs"):
            return None
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'{"keypairs": [')
        assert request.transport is not None
        request.transport.close()
        return response

    cloud.misbehave = half
    async with cloud.connect() as connection:
        with pytest.raises(UnavailableError):
            await connection.create_key_pair_handler().list_key()


async def test_a_service_that_hangs(cloud: Replay) -> None:
    async def hang(request: web.Request) -> web.Response | None:
        if request.path.endswith("/os-keypairs"):
            await asyncio.Event().wait()
        return None

    async with cloud.connect(request_timeout=5) as connection:
        assert await connection.is_connected()
        cloud.misbehave = hang
        connection.connection_info = msgspec.structs.replace(
            connection.connection_info, request_timeout=0.2
        )
        with pytest.raises(DeadlineExceededError):
            await connection.create_key_pair_handler().list_key()


async def test_a_keystone_that_hangs(cloud: Replay) -> None:
    """Cancelled or out of time, nothing is left: no thread, no socket, no task."""

    arrived = asyncio.Event()

    async def hang(request: web.Request) -> web.Response | None:
        if "identity" in request.path:
            arrived.set()
            await asyncio.Event().wait()
        return None

    cloud.misbehave = hang
    async with no_leftovers():
        info = msgspec.structs.replace(cloud.info(), request_timeout=0.3)
        with pytest.raises(DeadlineExceededError):
            await load_driver("openstack").connect_cloud(info)
    async with no_leftovers():
        with pytest.raises(DeadlineExceededError):
            await load_driver("openstack").list_regions(info)
    async with no_leftovers():
        arrived.clear()
        opening = asyncio.ensure_future(load_driver("openstack")._open(cloud.info()))
        with anyio.fail_after(10):
            await arrived.wait()
        opening.cancel()
        await asyncio.wait([opening])
        assert opening.cancelled()


async def test_too_many_requests(cloud: Replay) -> None:
    refused = 0

    async def refuse(request: web.Request) -> web.Response | None:
        nonlocal refused
        if request.path.endswith("/os-keypairs") and refused < 3:
            refused += 1
            return web.json_response({}, status=429, headers={"Retry-After": "0"})
        return None

    cloud.misbehave = refuse
    async with cloud.connect() as connection:
        assert await connection.create_key_pair_handler().list_key()
    assert refused == 3
    refused = -1000
    async with cloud.connect() as connection:
        connection.retry_policy = RetryPolicy(budget=0.5)
        with pytest.raises(ThrottledError):
            await connection.create_key_pair_handler().list_key()


@pytest.mark.parametrize("resource", list(Resource))
async def test_ids_that_are_none(cloud: Replay, resource: Resource) -> None:
    async with cloud.connect() as connection:
        for id in ("", ".", ".."):
            with pytest.raises(InvalidRequestError):
                await connection.get(resource, id)
        with pytest.raises(NotFoundError):
            await connection.get(resource, NOWHERE)


# -- busy servers


async def test_a_busy_server_is_asked_again(cloud: Replay) -> None:
    asked: list[str] = []
    fault = {"conflictingRequest": {"code": 409, "message": "Cannot 'stop' instance x while it "
             "is in task_state rebooting"}}  # fmt: skip
    server = {"id": "x", "status": "ACTIVE", "OS-EXT-STS:task_state": "powering-off"}

    async def nova(request: web.Request) -> web.Response | None:
        if request.path.endswith("/action"):
            asked.append(next(iter(await request.json())))
            if len(asked) < 3:
                return web.json_response(fault, status=409)
            return web.Response(status=202)
        if "/servers/x" in request.path:
            return web.json_response({"server": server})
        return None

    cloud.misbehave = nova
    async with cloud.connect() as connection:
        assert await connection.create_vm_handler().suspend_vm("x") is VMStatus.SUSPENDING
    assert asked == ["os-stop"] * 3


async def test_a_locked_server_is_not_asked_again(cloud: Replay) -> None:
    asked = 0
    fault = {"conflictingRequest": {"code": 409, "message": "Instance x is locked"}}

    async def nova(request: web.Request) -> web.Response | None:
        nonlocal asked
        if request.path.endswith("/action"):
            asked += 1
            return web.json_response(fault, status=409)
        if "/servers/x" in request.path:
            return web.json_response({"server": {"id": "x", "status": "ACTIVE"}})
        return None

    cloud.misbehave = nova
    async with cloud.connect() as connection:
        with pytest.raises(ConflictError, match="is locked"):
            await connection.create_vm_handler().reboot_vm("x")
    assert asked == 1


# -- external networks


async def test_a_name_that_is_not_unique(cloud: Replay) -> None:
    twins = [{"id": f"id-{n}", "name": "public", "router:external": True} for n in (1, 2)]

    async def neutron(request: web.Request) -> web.Response | None:
        if request.path.endswith("/networks"):
            return web.json_response({"networks": twins})
        if request.path.endswith("/floatingips") and request.method == "POST":
            wanted = (await request.json())["floatingip"]["floating_network_id"]
            return web.json_response({"floatingip": {"id": "f", "description": wanted}})
        return None

    cloud.misbehave = neutron
    request = PublicIPReqInfo(name="x")
    for given in ({}, {"external_network": "public"}):
        info = cloud.info(**given)
        async with load_driver("openstack").connect_cloud(info) as connection:
            with pytest.raises(InvalidRequestError, match=r"external_network.*id-1.*id-2"):
                await connection.create_public_ip_handler().create_public_ip(request)
    async with load_driver("openstack").connect_cloud(
        cloud.info(external_network="id-2")
    ) as connection:
        made = await connection.create_public_ip_handler().create_public_ip(request)
        assert made.name == "id-2"
    async with load_driver("openstack").connect_cloud(
        cloud.info(external_network="none")
    ) as connection:
        with pytest.raises(InvalidRequestError, match="no external network 'none'"):
            await connection.create_public_ip_handler().create_public_ip(request)


# -- TLS


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A file with a key and a certificate for 127.0.0.1 that nobody knows."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "server.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file


async def test_an_unknown_ca(certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    async with Replay(tls=context) as cloud:
        with pytest.raises(UnavailableError, match="certificate") as caught:
            await load_driver("openstack").connect_cloud(cloud.info())
        assert (caught.value.code, caught.value.retryable) == ("TLS", False)
        info = cloud.info(cacert=str(certificate))
        async with load_driver("openstack").connect_cloud(info) as connection:
            assert await connection.create_image_handler().list_image()
        with pytest.raises(InvalidRequestError, match="no-such-file"):
            await load_driver("openstack").connect_cloud(cloud.info(cacert="/no-such-file"))


async def test_a_clouds_yaml_with_its_own_ca_and_without_any(
    certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    async with Replay(tls=context) as cloud:
        auth = {
            "auth_url": f"{cloud.url}/identity",
            "username": "demo",
            "password": PASSWORD,
            "project_name": "demo",
            "user_domain_id": "default",
            "project_domain_id": "default",
        }
        clouds = {
            "own": {"auth": auth, "region_name": "RegionTwo", "cacert": str(certificate)},
            "trusting": {"auth": auth, "region_name": "RegionOne", "verify": False},
            "plain": {"auth": auth, "region_name": "RegionOne"},
        }
        file = tmp_path / "clouds.yaml"
        file.write_text(json.dumps({"clouds": clouds}))
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(file))
        for name, region in (("own", "RegionTwo"), ("trusting", "RegionOne")):
            async with connect("openstack", credential={"cloud": name}) as connection:
                assert connection.region_info.region == region
                assert await connection.create_image_handler().list_image()
        with pytest.raises(UnavailableError, match="certificate"):
            await connect("openstack", credential={"cloud": "plain"})


# -- credential keys


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"usrname": "x"}, "usrname"),
        ({"username": ""}, "username"),
        ({"username": "x"}, "'password' is missing"),
        ({"password": "xxxxxxxx"}, "'username' is missing"),
        ({"application_credential_id": "x"}, "'application_credential_secret' is missing"),
        ({"cloud": "x", "username": "y"}, "exclude each other"),
        ({"cloud": "x", "project_name": "y", "password": "xxxxxxxx"}, "exclude each other"),
        ({"all_projects": "maybe"}, "true or false"),
        ({"key": "k.pem"}, "'cert' is missing"),
    ],
)
def test_credential_keys(keys: dict[str, str], words: str) -> None:
    info = ConnectionInfo(credential_info=CredentialInfo(key_values=keys))
    with pytest.raises(InvalidRequestError, match=words) as caught:
        load_driver("openstack").connect_cloud(info)
    assert "xxxxxxxx" not in str(caught.value)


async def test_no_auth_url() -> None:
    keys = {"username": "x", "password": "yyyyyyyy", "project_name": "z"}
    with pytest.raises(InvalidRequestError, match="auth_url"):
        await connect("openstack", credential=keys, region="RegionOne")


async def test_no_such_plugin(cloud: Replay) -> None:
    with pytest.raises(InvalidRequestError, match="no auth_type 'telepathy'"):
        await load_driver("openstack").connect_cloud(cloud.info(auth_type="telepathy"))


async def test_nobody_is_keystone(cloud: Replay) -> None:
    async def page(request: web.Request) -> web.Response:
        return web.Response(text="<html>It works!</html>", content_type="text/html")

    cloud.misbehave = page
    with pytest.raises((ProtocolError, AuthenticationError, InvalidRequestError)) as caught:
        await load_driver("openstack").connect_cloud(cloud.info())
    assert caught.value.driver == "openstack"


async def test_regions(cloud: Replay) -> None:
    found = await load_driver("openstack").list_regions(cloud.info(""))
    assert [region.region for region in found] == list(REGIONS)


# -- accounts


ID = "0123456789abcdef0123456789abcdef"


async def test_projects_by_name_where_that_is_clear(cloud: Replay) -> None:
    [demo] = cloud.projects
    cloud.projects = [
        demo | {"domain_id": "default"},
        demo | {"id": "2" * 32, "name": "another", "domain_id": "default"},
        demo | {"id": "3" * 32, "name": "foreign", "domain_id": "elsewhere"},
        demo | {"id": "4" * 32, "name": ID, "domain_id": "default"},
        demo | {"id": "5" * 32, "name": "closed", "domain_id": "default", "enabled": False},
        {"id": "6" * 32, "domain_id": "default"},
    ]
    driver = load_driver("openstack")
    async with no_leftovers():
        found = await driver.list_accounts(cloud.info())
    assert found == ["3" * 32, "4" * 32, "6" * 32, "another", "demo"]
    by_id = {key: value for key, value in cloud.info().credential_info.key_values.items()
             if key not in ("project_name", "project_domain_id")} | {"project_id": ID}  # fmt: skip
    info = msgspec.structs.replace(cloud.info(), credential_info=CredentialInfo(key_values=by_id))
    assert await driver.list_accounts(info) == sorted([demo["id"], *(d * 32 for d in "2346")])


async def test_a_list_of_projects_that_makes_no_sense(cloud: Replay) -> None:
    async def nonsense(request: web.Request) -> web.Response | None:
        return web.Response(text="[1, 2") if request.path.endswith("/auth/projects") else None

    cloud.misbehave = nonsense
    with pytest.raises(ProtocolError) as caught:
        await load_driver("openstack").list_accounts(cloud.info())
    assert caught.value.operation == "ListAvailableProjects"


async def test_a_keystone_that_is_away_for_a_moment(cloud: Replay) -> None:
    async def away(request: web.Request) -> web.Response | None:
        if not request.path.endswith("/auth/projects"):
            return None
        cloud.misbehave = None
        return web.Response(status=503)

    cloud.misbehave = away
    async with no_leftovers():
        assert await load_driver("openstack").list_accounts(cloud.info()) == [
            cloud.projects[0]["name"]
        ]
    assert cloud.requests["projects"] == 1


async def test_a_keystone_that_never_tells_projects(cloud: Replay) -> None:
    async def hang(request: web.Request) -> web.Response | None:
        if request.path.endswith("/auth/projects"):
            await anyio.sleep_forever()
        return None

    cloud.misbehave = hang
    impatient = msgspec.structs.replace(cloud.info(), request_timeout=0.3)
    async with no_leftovers():
        with pytest.raises(DeadlineExceededError):
            await load_driver("openstack").list_accounts(impatient)


async def scopes_of(cloud: Replay, info: ConnectionInfo, *accounts: str) -> list[Any]:
    """Return what is logged in to for accounts, after what `info` itself names."""
    driver = load_driver("openstack")
    cloud.scopes.clear()
    for account in accounts:
        async with driver.connect_cloud(driver.for_account(info, account)):
            pass
    return [scope["project"] for scope in cloud.scopes]


BOTH = [{"id": ID}, {"name": "other", "domain": {"id": "default"}}]


async def test_another_project(cloud: Replay) -> None:
    assert await scopes_of(cloud, cloud.info(), ID, "other") == BOTH


@pytest.mark.parametrize("project", ["project_name: demo", f"project_id: {'f' * 32}"])
async def test_another_project_of_clouds_yaml(
    cloud: Replay, project: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "clouds.yaml").write_text(
        f"""
clouds:
  one:
    region_name: RegionOne
    auth:
      auth_url: {cloud.url}/identity/v3
      username: demo
      password: {PASSWORD}
      user_domain_id: default
      project_domain_id: default
      {project}
"""
    )
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    info = ConnectionInfo(credential_info=CredentialInfo(key_values={"cloud": "one"}))
    assert await scopes_of(cloud, info, ID, "other") == BOTH
    monkeypatch.setenv("OS_CLOUD", "one")
    assert await scopes_of(cloud, ConnectionInfo(), ID, "other") == BOTH


async def test_another_project_of_variables(cloud: Replay, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in cloud.info().credential_info.key_values.items():
        monkeypatch.setenv(f"OS_{key.upper()}", value)
    monkeypatch.setenv("OS_AUTH_URL", f"{cloud.url}/identity/v3")
    info = ConnectionInfo(region_info=RegionInfo(region="RegionOne"))
    assert await scopes_of(cloud, info, ID, "other") == BOTH


def test_an_application_credential_has_one_project() -> None:
    keys = {"application_credential_id": "i", "application_credential_secret": "s3cr3t-s3cr3t"}
    info = ConnectionInfo(credential_info=CredentialInfo(key_values=keys))
    with pytest.raises(NotSupportedError, match="one project"):
        load_driver("openstack").for_account(info, "other")
