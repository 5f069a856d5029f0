"""What a scan asks for, holds and calls: guards that no slow machine can upset."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from asyncspider import Fleet, Resource
from asyncspider.fleet import Record, ScopeReport, ScopeStatus
from asyncspider_drivers.aws import mapping as aws_mapping
from asyncspider_drivers.aws import parser
from asyncspider_drivers.aws import wire as aws_wire
from asyncspider_drivers.gcp import wire as gcp_wire
from benchmarks.cloudsim.ec2 import Ec2
from benchmarks.cloudsim.server import Counters, Request
from benchmarks.cloudsim.world import Shape
from benchmarks.running import Clouds

from .conftest import PAGE, REGIONS, VMS, targets

DRIVERS = ("aws", "gcp", "openstack")
ZONES = 3 * REGIONS


async def scanned(
    server: Clouds, driver: str, *resources: Resource, ok: bool = True
) -> tuple[list[Record], list[ScopeReport], Counters]:
    server.reset()
    async with Fleet(targets(server.url, driver)) as fleet:
        result = await fleet.scan(*resources)
    assert result.ok == ok, result.failures
    return result.records, result.scopes, server.counters()


# -- requests


@pytest.mark.parametrize(
    ("driver", "asked"),
    [
        ("aws", {"DescribeInstances": 3 * REGIONS}),
        ("gcp", {"instances.aggregatedList": 1, "zones.list": 1, "instances.list": ZONES}),
        (
            "openstack",
            {
                "keystone.version": 1,
                "keystone.token": 1,
                "compute.versions": REGIONS,
                "network.versions": REGIONS,
                # Nova names a next page whenever one is full; the last one is empty.
                "servers.detail": 4 * REGIONS,
                "ports.list": 3 * REGIONS,
                "floatingips.list": REGIONS,
            },
        ),
    ],
)
async def test_a_list_of_vms_asks_for_its_pages_and_no_more(
    paged: Clouds, driver: str, asked: dict[str, int]
) -> None:
    records, scopes, counted = await scanned(paged, driver, Resource.VM)
    assert counted.requests == asked
    assert len({(record.region, record.id) for record in records}) == REGIONS * VMS
    if driver != "openstack":  # its login is nobody's scope
        assert sum(scope.requests for scope in scopes) == sum(asked.values())


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("resource", list(Resource))
async def test_requests_do_not_grow_with_what_is_found(
    small: Clouds, large: Clouds, driver: str, resource: Resource
) -> None:
    few, _, before = await scanned(small, driver, resource)
    many, _, after = await scanned(large, driver, resource)
    if resource in (Resource.VM, Resource.VNIC):
        assert len(many) == 10 * len(few)
    extra = {name: count - before.requests.get(name, 0) for name, count in after.requests.items()}
    # 600 instances are two pages of Compute Engine: then each zone is read by itself.
    pages = {"zones.list", "instances.list"} if driver == "gcp" else set[str]()
    assert {name for name, count in extra.items() if count} <= pages
    assert sum(extra.values()) <= 1 + ZONES


# -- side by side


@pytest.mark.parametrize(
    ("driver", "operation", "at_once"),
    [
        ("aws", "DescribeInstances", REGIONS),
        ("gcp", "instances.list", ZONES),
        ("openstack", "servers.detail", REGIONS),
    ],
)
async def test_chains_of_pages_are_read_side_by_side(
    slow: Clouds, driver: str, operation: str, at_once: int
) -> None:
    _, _, counted = await scanned(slow, driver, Resource.VM)
    assert counted.peak_by_operation[operation] == at_once


@pytest.mark.parametrize("driver", DRIVERS)
async def test_sockets_are_shared(slow: Clouds, driver: str) -> None:
    _, _, counted = await scanned(slow, driver, *Resource)
    # One for each request that is under way at one time, and some that were closed between.
    assert counted.connections <= counted.peak_in_flight * 1.5


# -- bytes


async def test_a_mask_keeps_most_bytes_away(large: Clouds) -> None:
    _, _, counted = await scanned(large, "gcp", Resource.VM)
    whole = sum(len(item) for item in _whole_instances(large.sizes.vms * REGIONS))
    assert counted.bytes_sent < whole / 2


def _whole_instances(count: int) -> list[bytes]:
    from benchmarks.cloudsim.gce import ComputeEngine

    engine = ComputeEngine(Shape(regions=1, vms=count))
    return [
        item
        for zone in ("us-east-1-a", "us-east-1-b", "us-east-1-c")
        for item in engine._rendered("instances", zone, "", {}, False)
    ]


def test_every_field_that_is_asked_for_is_read() -> None:
    asked = gcp_wire.fields_of(gcp_wire.Listed[gcp_wire.Instance])
    assert "items(" in asked
    assert "nextPageToken" in asked
    assert "serviceAccounts" not in asked


# -- calls and memory


def page_of_instances() -> bytes:
    ec2 = Ec2(Shape(regions=1, vms=200))
    answer = ec2.answer(Request("POST", "/", "", b"Action=DescribeInstances", "us-east-1", ""))
    return b"".join(answer.parts)


def as_vms(page: bytes) -> list[Any]:
    answer = parser.decode(page, "DescribeInstances", aws_wire.DescribeInstances)
    return [
        aws_mapping.vm_info(instance, "us-east-1")
        for reservation in answer.reservation_set
        for instance in reservation.instances_set
    ]


def test_few_python_calls_for_a_vm() -> None:
    page = page_of_instances()
    as_vms(page)  # makes the transformation
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        vms = as_vms(page)
    finally:
        sys.setprofile(None)
    assert len(vms) == 200
    assert calls / len(vms) < 12  # a walk through the elements would take over a hundred


def test_a_page_leaves_only_its_records() -> None:
    page = page_of_instances()
    as_vms(page)
    gc.collect()
    before = sys.getallocatedblocks()
    vms = as_vms(page)
    gc.collect()
    held = sys.getallocatedblocks() - before
    assert held / len(vms) < 60  # the elements alone would be 150
    del vms
    gc.collect()
    assert sys.getallocatedblocks() - before < 200


@pytest.mark.parametrize("driver", DRIVERS)
async def test_streaming_holds_no_more_for_more_pages(
    start: Callable[..., Clouds], driver: str
) -> None:
    """The most blocks held at any page of a list that is told over ten times, and only once."""

    async def most(server: Clouds) -> int:
        highest = 0
        async with Fleet(targets(server.url, driver)) as fleet:
            count = 0
            async for batch in fleet.pages(Resource.VM):
                count += sum(isinstance(item, Record) for item in batch)
                highest = max(highest, sys.getallocatedblocks())
        assert count == server.sizes.total
        return highest

    once, often = (start("--page-size", str(PAGE), "--repeat", n, latency=0) for n in ("1", "10"))
    object.__setattr__(often, "sizes", _told_over(often, 10))
    await most(once)  # imports
    gc.collect()
    base = sys.getallocatedblocks()
    short = await most(once) - base
    gc.collect()
    long = await most(often) - base
    assert long < 3 * short


def _told_over(server: Clouds, repeat: int) -> Any:
    import msgspec

    return msgspec.structs.replace(server.sizes, repeat=repeat)


# -- trouble


@pytest.mark.parametrize("driver", ["aws", "openstack"])
async def test_a_dead_region_costs_its_own_scope_only(
    start: Callable[..., Clouds], driver: str
) -> None:
    server = start("--dead", "us-east-2")
    records, scopes, _ = await scanned(server, driver, Resource.VM, ok=False)
    assert {scope.region: scope.status for scope in scopes} == {
        "us-east-1": ScopeStatus.OK,
        "us-east-2": ScopeStatus.UNREACHABLE,
        "us-west-1": ScopeStatus.OK,
    }
    assert len(records) == 2 * VMS


async def test_a_dead_zone_costs_its_own_scope_only(start: Callable[..., Clouds]) -> None:
    server = start("--dead", "us-east-2-b")
    records, scopes, _ = await scanned(server, "gcp", Resource.VM, ok=False)
    assert [(scope.zone, scope.status) for scope in scopes if not scope.ok] == [
        ("us-east-2-b", ScopeStatus.UNREACHABLE)
    ]
    assert len(records) == REGIONS * VMS - VMS // 3


async def test_throttling_is_lived_through(start: Callable[..., Clouds]) -> None:
    server = start("--page-size", "5", "--rate", "40", "--burst", "4", latency=0)
    records, _, counted = await scanned(server, "aws", Resource.VM, Resource.VNIC)
    assert len(records) == 2 * REGIONS * VMS
    assert counted.requests["DescribeInstances"] >= REGIONS * VMS // 5
