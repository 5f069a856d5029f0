"""Credentials, regions and endpoints, as AWS's own tools find them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import boto3
import pytest

import asyncspider
from asyncspider import (
    AuthenticationError,
    ConnectionInfo,
    CredentialInfo,
    InvalidRequestError,
    RegionInfo,
    load_driver,
)

from .conftest import KEYS, info


async def region_of(**arguments: Any) -> str:
    async with asyncspider.connect("aws", **arguments) as connection:
        assert await connection.is_connected()
        return connection.region_info.region


def write_config(text: str) -> None:
    Path(os.environ["AWS_CONFIG_FILE"]).write_text(text)


async def test_no_credentials(moto_server: str) -> None:
    with pytest.raises(AuthenticationError, match="no AWS credentials"):
        await asyncspider.connect("aws", region="us-east-1", endpoint_url=moto_server)


async def test_environment(moto_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in KEYS.items():
        monkeypatch.setenv(key.upper(), value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-3")
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_server)
    assert await region_of() == "eu-west-3"


async def test_service_endpoint(moto_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_EC2", moto_server)
    assert await region_of(region="eu-west-1", credential=KEYS) == "eu-west-1"


async def test_profile(moto_server: str) -> None:
    lines = [
        "[profile work]",
        "region = ap-south-1",
        *(f"{key} = {value}" for key, value in KEYS.items()),
    ]
    write_config("\n".join(lines))
    assert await region_of(credential={"profile": "work"}, endpoint_url=moto_server) == "ap-south-1"
    with pytest.raises(InvalidRequestError, match="nowhere"):
        await region_of(credential={"profile": "nowhere"}, endpoint_url=moto_server)


async def test_assumed_role(fresh_moto: str) -> None:
    credential = {
        **KEYS,
        "role_arn": "arn:aws:iam::999988887777:role/reader",
        "external_id": "asyncspider",
    }
    arguments: dict[str, Any] = {"region": "us-east-1", "endpoint_url": fresh_moto}
    async with asyncspider.connect("aws", credential=credential, **arguments) as connection:
        sts = await connection.native_client("sts")
        assert (await sts.get_caller_identity())["Account"] == "999988887777"
        await connection.create_key_pair_handler().create_key(
            asyncspider.KeyPairReqInfo(name="theirs")
        )
        assert len(await connection.create_key_pair_handler().list_key()) == 1
    async with asyncspider.connect("aws", credential=KEYS, **arguments) as connection:
        assert await connection.create_key_pair_handler().list_key() == []


async def test_one_role_is_assumed_once_for_all_regions(fresh_moto: str) -> None:
    from asyncspider_drivers.aws import session

    credential = {**KEYS, "role_arn": "arn:aws:iam::999988887777:role/reader"}
    first = await session.open_account(credential, fresh_moto)
    second = await session.open_account(credential, fresh_moto)
    assert first is second


@pytest.mark.parametrize(
    ("credential", "named"),
    [
        ({"aws_access_key": "x"}, "aws_access_key"),
        ({"aws_access_key_id": "x"}, "aws_secret_access_key"),
        ({"aws_secret_access_key": "x"}, "aws_access_key_id"),
        ({"external_id": "x"}, "role_arn"),
        ({"profile": ""}, "profile"),
        ({**KEYS, "profile": "x"}, "profile"),
    ],
)
def test_wrong_keys_are_named(credential: dict[str, str], named: str) -> None:
    with pytest.raises(InvalidRequestError, match=f"'{named}'"):
        asyncspider.connect("aws", credential=credential)


@pytest.mark.parametrize("region", ["mars-central-1", "us_east_1", "US"])
async def test_no_such_region(region: str, moto_server: str) -> None:
    with pytest.raises(InvalidRequestError, match=region):
        await load_driver("aws").connect_cloud(info(moto_server, region))


async def test_no_region(moto_server: str) -> None:
    with pytest.raises(InvalidRequestError, match="AWS_REGION"):
        await load_driver("aws").connect_cloud(info(moto_server, ""))


async def test_zone_alone_tells_the_region(moto_server: str) -> None:
    assert await region_of(zone="eu-west-1b", credential=KEYS, endpoint_url=moto_server) == (
        "eu-west-1"
    )


async def test_regions_are_those_that_boto3_sees(fresh_moto: str) -> None:
    client = boto3.client("ec2", region_name="us-east-1", endpoint_url=fresh_moto, **KEYS)
    theirs = {
        region["RegionName"]
        for region in client.describe_regions()["Regions"]
        if region["OptInStatus"] != "not-opted-in"
    }
    client.close()
    ours = await load_driver("aws").list_regions(
        ConnectionInfo(credential_info=CredentialInfo(key_values=KEYS), endpoint_url=fresh_moto)
    )
    assert [place.region for place in ours] == sorted(theirs)
    assert all(isinstance(place, RegionInfo) for place in ours)


async def test_native_client(fresh_moto: str) -> None:
    async with load_driver("aws").connect_cloud(info(fresh_moto)) as connection:
        ec2 = await connection.native_client()
        reply = await ec2.describe_vpcs()
        assert [vpc["VpcId"] for vpc in reply["Vpcs"]] == [
            network.id for network in await connection.create_vnetwork_handler().list_vnetwork()
        ]
        with pytest.raises(InvalidRequestError, match="nosuchservice"):
            await connection.native_client("nosuchservice")
    with pytest.raises(InvalidRequestError):
        await connection.native_client()
