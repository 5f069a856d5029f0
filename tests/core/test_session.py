"""The shared HTTP session against real servers that misbehave."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
from pathlib import Path
from urllib.request import getproxies

import anyio
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from asyncspider import (
    InvalidRequestError,
    ProtocolError,
    SpiderError,
    UnavailableError,
)
from asyncspider.testing import no_leftovers
from asyncspider.testing.kit import closed_port
from asyncspider.transport.session import TLSOptions, open_session, proxy_for, session

from . import servers
from .servers import Answer, serving


async def ask(url: str, **settings: object) -> bytes:
    async with session() as lease:
        return (await lease.request("GET", url, **settings)).body  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (servers.hang_up, UnavailableError, "Disconnected"),
        (servers.reset, UnavailableError, ""),
        (servers.half, UnavailableError, "Incomplete"),
        (servers.broken_chunks, (UnavailableError, ProtocolError), ""),
        (servers.broken_gzip, (UnavailableError, ProtocolError), ""),
        (servers.no_http, ProtocolError, ""),
        (servers.huge_header, ProtocolError, ""),
    ],
)
async def test_a_server_that_misbehaves_is_a_typed_error(
    answer: Answer, kind: type[SpiderError] | tuple[type[SpiderError], ...], code: str
) -> None:
    async with no_leftovers(), serving(answer) as server:
        with pytest.raises(kind) as caught:
            await ask(server.url)
    error = caught.value
    assert error.message.startswith("127.0.0.1:")
    assert code in error.code
    assert error.__cause__ is not None
    assert error.retryable is isinstance(error, UnavailableError)


@pytest.mark.parametrize("answer", [servers.never, servers.half_and_hang])
async def test_a_server_that_hangs_is_left_at_the_deadline(answer: Answer) -> None:
    async with no_leftovers(), serving(answer) as server, session() as lease:
        with anyio.move_on_after(0.05) as scope:
            await lease.request("GET", server.url)
        assert scope.cancelled_caught


async def test_a_port_where_nobody_listens() -> None:
    async with no_leftovers():
        with pytest.raises(UnavailableError) as caught:
            await ask(f"http://127.0.0.1:{closed_port()}")
    assert caught.value.code == "Connect"
    assert caught.value.retryable


async def test_a_host_that_does_not_exist() -> None:
    with pytest.raises(UnavailableError) as caught:
        await ask("http://no-such-host.invalid/")
    assert caught.value.code == "NameResolution"


@pytest.mark.parametrize("url", ["http://[::1/", "nonsense", "gopher://127.0.0.1/"])
async def test_what_is_no_address(url: str) -> None:
    with pytest.raises((InvalidRequestError, ProtocolError)):
        await ask(url)


async def test_no_password_of_an_address_is_told() -> None:
    with pytest.raises(UnavailableError) as caught:
        await ask(f"http://user:hunter2hunter2@127.0.0.1:{closed_port()}/")
    assert "hunter2" not in str(caught.value)


async def test_redirects_are_not_followed() -> None:
    async with serving(servers.redirect) as server, session() as lease:
        answer = await lease.request("GET", server.url)
    assert answer.status == 302
    assert answer.headers["location"] == "http://127.0.0.1:1/"


async def test_leases_of_a_loop_share_sockets_and_the_last_one_closes_them() -> None:
    async with no_leftovers(), serving(servers.fine) as server:
        first, second = await open_session(), await open_session()
        for lease in (first, second, first):
            assert (await lease.request("GET", server.url)).body == b"fine"
        assert server.accepted == 1
        await first.release()
        await first.release()
        assert (await second.request("GET", server.url)).body == b"fine"
        assert server.accepted == 1
        with pytest.raises(InvalidRequestError) as caught:
            await first.request("GET", server.url)
        assert caught.value.code == "ConnectionClosed"
        await second.release()
        async with session() as third:
            assert (await third.request("GET", server.url)).body == b"fine"
        assert server.accepted == 2


def test_each_loop_has_its_own_session() -> None:
    async def main() -> int:
        async with serving(servers.fine) as server:
            assert await ask(server.url) == b"fine"
            return server.accepted

    for _ in range(3):
        assert asyncio.run(main()) == 1


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 8, 13])
async def test_a_request_can_be_cancelled_anywhere(turns: int) -> None:
    async with no_leftovers(), serving(servers.fine) as server, session() as lease:
        asking = asyncio.create_task(lease.request("GET", server.url))
        for _ in range(turns):
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait([asking])
        assert (await lease.request("GET", server.url)).body == b"fine"


async def test_releasing_ends_requests_of_nobody_else() -> None:
    async with no_leftovers(), serving(servers.fine) as server, session() as lease:
        async with anyio.create_task_group() as group:

            async def use() -> None:
                assert await ask(server.url) == b"fine"

            for _ in range(20):
                group.start_soon(use)
        assert (await lease.request("GET", server.url)).status == 200


async def test_the_user_agent_says_who_asks() -> None:
    async with serving(servers.fine) as server:
        await ask(server.url)
    assert b"User-Agent: asyncspider/" in server.requests[0]


# -- TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that nobody has signed, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True, key_cert_sign=True, crl_sign=True,
                content_commitment=False, key_encipherment=False, data_encipherment=False,
                key_agreement=False, encipher_only=False, decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("tls")
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return folder / "cert.pem", folder / "key.pem"


def server_context(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    return context


async def test_an_untrusted_certificate_is_refused(certificate: tuple[Path, Path]) -> None:
    async with no_leftovers(), serving(servers.fine, server_context(certificate)) as server:
        with pytest.raises(UnavailableError, match="certificate") as caught:
            await ask(server.url)
        assert server.requests == []
    assert caught.value.code == "TLS"
    assert not caught.value.retryable


async def test_a_certificate_can_be_trusted_by_file(certificate: tuple[Path, Path]) -> None:
    async with no_leftovers(), serving(servers.fine, server_context(certificate)) as server:
        tls = TLSOptions(ca_file=str(certificate[0]))
        assert await ask(server.url, tls=tls) == b"fine"


async def test_verification_is_off_only_when_asked(certificate: tuple[Path, Path]) -> None:
    async with no_leftovers(), serving(servers.fine, server_context(certificate)) as server:
        assert await ask(server.url, tls=TLSOptions(verify=False)) == b"fine"
        with pytest.raises(UnavailableError):
            await ask(server.url)


async def test_a_certificate_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "none.pem").write_text("this is no certificate")
    for name in ("none.pem", "not-there.pem"):
        tls = TLSOptions(ca_file=str(tmp_path / name))
        with pytest.raises(InvalidRequestError, match=name):
            await ask("https://127.0.0.1:1", tls=tls)


async def test_plain_http_on_a_tls_port() -> None:
    greeting = b"HTTP/1.1 400 Bad Request\r\n\r\n"
    async with no_leftovers(), serving(servers.fine, greeting=greeting) as server:
        with pytest.raises(UnavailableError) as caught:
            await ask(server.url.replace("http:", "https:"))
    assert caught.value.code in ("TLS", "Connect")


# -- proxies


def test_the_environment_names_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    assert proxy_for("https://ec2.example/", getproxies()) is None
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:3128")
    monkeypatch.setenv("no_proxy", "127.0.0.1,.internal")
    proxies = getproxies()
    assert proxy_for("https://ec2.example/", proxies) == "http://127.0.0.1:3128"
    assert proxy_for("http://ec2.example/", proxies) is None
    assert proxy_for("https://127.0.0.1:5000/", proxies) is None
    assert proxy_for("https://host.internal/", proxies) is None


async def test_requests_go_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(servers.fine) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "")
        assert await ask("http://cloud.invalid/list") == b"fine"
    assert proxy.requests[0].startswith(b"GET http://cloud.invalid/list HTTP/1.1")
