"""Fixtures for AWS: our driver and boto3 on the same moto server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

from asyncspider import ConnectionInfo, CredentialInfo, RegionInfo

KEYS = {"aws_access_key_id": "AKIATESTTESTTESTTEST", "aws_secret_access_key": "wJalrXUtnFEMIsecret"}


@pytest.fixture(autouse=True)
def no_outside_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Keep this machine's own AWS configuration, and the metadata service, out of the tests."""
    import os

    for name in [name for name in os.environ if name.startswith(("AWS_", "BOTO"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


def info(endpoint_url: str, region: str = "us-east-1", **credential: str) -> ConnectionInfo:
    """Return how to connect to a test server."""
    return ConnectionInfo(
        credential_info=CredentialInfo(key_values=credential or KEYS),
        region_info=RegionInfo(region=region),
        endpoint_url=endpoint_url,
        request_timeout=30,
    )


@pytest.fixture
def boto(fresh_moto: str) -> Iterator[Callable[[str], Any]]:
    """Return boto3 EC2 clients by region, on the emptied server."""
    clients: list[Any] = []

    def client(region: str = "us-east-1") -> Any:
        made = boto3.client("ec2", region_name=region, endpoint_url=fresh_moto, **KEYS)
        clients.append(made)
        return made

    yield client
    for made in clients:
        made.close()
