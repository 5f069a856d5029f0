"""Which regions and accounts a fleet looks at."""

from __future__ import annotations

import pytest

from asyncspider import (
    AuthenticationError,
    CloudDriver,
    ConnectionInfo,
    CredentialInfo,
    InvalidRequestError,
    NotSupportedError,
    UnavailableError,
    expand,
    registry,
)
from asyncspider.fleet import select
from asyncspider.testing import no_leftovers
from asyncspider_drivers.mock import MockDriver, World, named_world

NAMES = ["eu-west-1", "eu-west-2", "us-east-1", "us-gov-east-1", "us-gov-west-1"]


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ("all", [0, 1, 2, 3, 4]),
        ("eu-*", [0, 1]),
        ("us-east-1,eu-west-2", [1, 2]),
        ("all,!us-gov-*", [0, 1, 2]),
        ("!us-gov-*", [0, 1, 2]),
        (" eu-* , !eu-west-2 ", [0]),
        (["us-*", "!*-west-*"], [2, 3]),
        ("*-1", [0, 2, 3, 4]),
        ("eu-west-[12]", [0, 1]),
        ("eu-*,!eu-*", []),
        ("mars-*", []),
    ],
)
def test_names_globs_and_excludes(patterns: str | list[str], expected: list[int]) -> None:
    assert select(NAMES, patterns, what="region") == [NAMES[index] for index in expected]


def test_a_name_that_is_not_there_is_told_with_those_like_it() -> None:
    with pytest.raises(InvalidRequestError, match=r"no region 'eu-west-9'.*eu-west-1"):
        select(NAMES, "eu-west-9", what="region")
    with pytest.raises(InvalidRequestError, match="there is: none"):
        select([], "x", what="region")


@pytest.mark.parametrize("patterns", ["", " , ", []])
def test_nothing_named_is_a_mistake(patterns: str | list[str]) -> None:
    with pytest.raises(InvalidRequestError, match="'all' means all"):
        select(NAMES, patterns, what="region")


def info(**values: str) -> ConnectionInfo:
    return ConnectionInfo(credential_info=CredentialInfo(key_values=values))


async def test_one_target_for_each_region() -> None:
    targets = await expand("mock", info(regions="a,b,c", not_enabled="c"), "all,!b")
    assert [(target.name, target.connection_info.region_info.region) for target in targets] == [
        ("mock/a", "a")
    ]
    assert targets[0].driver == "mock"
    assert (
        targets[0].connection_info.credential_info
        == info(regions="a,b,c", not_enabled="c").credential_info
    )


async def test_targets_have_a_name_of_choice() -> None:
    [target] = await expand("mock", info(regions="a"), name="production")
    assert target.name == "production/a"


async def test_no_expansion_by_region_asks_nobody() -> None:
    with named_world("quiet", World()) as credential:
        world_info = info(**credential)
        [target] = await expand("mock", world_info, "")
    assert (target.name, target.connection_info) == ("mock", world_info)


async def test_accounts_and_regions_multiply() -> None:
    where = info(accounts="prod-1,prod-2,test", regions="a,b")
    targets = await expand("mock", where, "all", accounts="prod-*")
    assert [target.name for target in targets] == [
        "mock/prod-1/a", "mock/prod-1/b", "mock/prod-2/a", "mock/prod-2/b",
    ]  # fmt: skip
    keys = targets[0].connection_info.credential_info.key_values
    assert keys["account"] == "prod-1"
    [target] = await expand("mock", where, "", accounts=["test"])
    assert target.name == "mock/test"


async def test_accounts_of_a_cloud_that_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    class Plain(MockDriver):
        list_accounts = CloudDriver.list_accounts
        for_account = CloudDriver.for_account

    monkeypatch.setitem(registry._loaded, "plain", Plain())
    for accounts in ("all", "one"):
        with pytest.raises(NotSupportedError, match="account"):
            await expand("plain", info(), "", accounts=accounts)


@pytest.mark.parametrize(
    ("driver", "values", "regions", "accounts"),
    [
        ("nimbus", {}, "all", ""),
        ("mock", {"no_such_key": "x"}, "all", ""),
        ("mock", {"regions": "a"}, "b", ""),
        ("mock", {"accounts": "x"}, "all", "y-*,z"),
    ],
)
async def test_mistakes_are_told(
    driver: str, values: dict[str, str], regions: str, accounts: str
) -> None:
    with pytest.raises(InvalidRequestError):
        await expand(driver, info(**values), regions, accounts=accounts)


async def test_failures_of_many_accounts_are_one_plain_error() -> None:
    accounts = tuple(f"account-{number}" for number in range(5))
    world = World(accounts=accounts)
    world.fail("list_accounts", UnavailableError("down", retryable=False))
    with named_world("w", world) as credential:
        async with no_leftovers():
            with pytest.raises(UnavailableError):
                await expand("mock", info(**credential), accounts="all")
    with pytest.raises(AuthenticationError):
        await expand(
            "mock", info(accounts=",".join(accounts), require_token="x"), accounts=accounts
        )
