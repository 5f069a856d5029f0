"""The fan-out over mock worlds."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import aclosing

import anyio
import pytest

from asyncspider import (
    AuthenticationError,
    CloudConnection,
    ConnectionInfo,
    CredentialInfo,
    DeadlineExceededError,
    Fleet,
    InvalidRequestError,
    Limits,
    NotFoundError,
    NotSupportedError,
    PartialListError,
    PermissionDeniedError,
    ProtocolError,
    QuotaExceededError,
    Ref,
    RegionInfo,
    Resource,
    ScopeReport,
    ScopeStatus,
    Secret,
    SpiderError,
    Target,
    ThrottledError,
    UnavailableError,
    expand,
    load_driver,
)
from asyncspider.fleet.outcomes import status_of
from asyncspider.fleet.schedule import work_off
from asyncspider.testing import no_leftovers
from asyncspider_drivers.mock import Clock, World, named_world

from .virtual import run_virtually

load_driver("mock")  # a virtual loop knows no threads


def targets_of(world: World, name: str = "w", token: str = "") -> list[Target]:
    values = {"world": name} | ({"token": token} if token else {})
    return [
        Target(
            name=f"mock/{region}",
            driver="mock",
            connection_info=ConnectionInfo(
                credential_info=CredentialInfo(key_values=values),
                region_info=RegionInfo(region=region),
            ),
        )
        for region in world.regions
    ]


@pytest.fixture
def world() -> Iterator[World]:
    world = World(regions=("a", "b", "c"), vms=25, page_size=10, clock=Clock(running=False))
    with named_world("w", world):
        yield world


# -- list and scan


async def test_a_scan_finds_everything_and_reports_each_scope(world: World) -> None:
    async with no_leftovers(), Fleet(targets_of(world)) as fleet:
        result = await fleet.scan()
    assert result.ok
    assert result.failures == []
    assert {(scope.target, scope.resource) for scope in result.scopes} == {
        (f"mock/{region}", resource) for region in "abc" for resource in Resource
    }
    assert len(result.scopes) == 21
    assert len(result.of(Resource.VM)) == 75
    assert len({(record.target, record.id) for record in result.records}) == len(result.records)
    for record in result.records:
        assert record.target == f"mock/{record.region}"
        assert record.zone.startswith(record.region) or record.resource not in ("vm", "vnic")
    for scope in result.scopes:
        assert scope.ok
        assert scope.region == scope.target[-1]
        assert scope.seconds > 0
        assert scope.count == len(
            [r for r in result.of(scope.resource) if r.target == scope.target]
        )
        assert scope.requests == max(1, -(-scope.count // 10))


async def test_records_come_before_the_report_of_their_scope(world: World) -> None:
    done: set[tuple[str, Resource]] = set()
    async with Fleet(targets_of(world)) as fleet:
        async for outcome in fleet.list("vm", Resource.VNIC, "vm"):
            scope = (outcome.target, outcome.resource)
            assert scope not in done
            if isinstance(outcome, ScopeReport):
                done.add(scope)
    assert len(done) == 6


async def test_pages_are_batches_of_one_scope(world: World) -> None:
    async with Fleet(targets_of(world)) as fleet:
        async for batch in fleet.pages(Resource.VM):
            assert len({(outcome.target, type(outcome)) for outcome in batch}) == 1
            assert len(batch) <= 10


async def test_a_target_without_a_region_tells_where_its_things_are(world: World) -> None:
    info = ConnectionInfo(credential_info=CredentialInfo(key_values={"world": "w"}))
    target = Target(name="anywhere", driver="mock", connection_info=info)
    async with Fleet([target]) as fleet:
        result = await fleet.scan(Resource.VM)
    assert {record.region for record in result.records} == {"a"}
    assert {record.zone for record in result.records} == {"a-a", "a-b"}


async def test_failures_are_data_and_cost_only_their_own_scope() -> None:
    world = World(
        regions=("fine", "denied", "off", "dead", "also-fine"),
        denied=("denied",),
        not_enabled=("off",),
        dead=("dead",),
        vms=5,
    )
    targets = [
        *targets_of_unmade(world),
        Target(name="nobody", driver="no-such-driver"),
        Target(
            name="nowhere",
            driver="mock",
            connection_info=ConnectionInfo(
                credential_info=CredentialInfo(key_values={"world": "failing"}),
                region_info=RegionInfo(region="atlantis"),
            ),
        ),
    ]
    with named_world("failing", world):
        async with no_leftovers(), Fleet(targets) as fleet:
            result = await fleet.scan(Resource.VM, Resource.KEY_PAIR)
    assert {scope.target: scope.status for scope in result.scopes} == {
        "mock/fine": ScopeStatus.OK,
        "mock/also-fine": ScopeStatus.OK,
        "mock/denied": ScopeStatus.DENIED,
        "mock/off": ScopeStatus.NOT_ENABLED,
        "mock/dead": ScopeStatus.UNREACHABLE,
        "nobody": ScopeStatus.FAILED,
        "nowhere": ScopeStatus.FAILED,
    }
    assert len(result.records) == 2 * (5 + 3)
    errors = {scope.target: scope.error for scope in result.failures}
    assert all(error is not None and error.message for error in errors.values())
    assert "no-such-driver" in str(errors["nobody"])
    assert "atlantis" in str(errors["nowhere"])


def targets_of_unmade(world: World) -> list[Target]:
    return targets_of(world, "failing")


async def test_a_wrong_token_is_denied() -> None:
    world = World(regions=("a",), require_token=Secret("the-right-token"))
    with named_world("w", world):
        async with Fleet(targets_of(world, token="the-wrong-token")) as fleet:
            result = await fleet.scan(Resource.VM)
        assert [scope.status for scope in result.scopes] == [ScopeStatus.DENIED]
        assert "the-wrong-token" not in repr(result)
        async with Fleet(targets_of(world, token="the-right-token")) as fleet:
            assert (await fleet.scan(Resource.VM)).ok


async def test_a_page_that_fails_keeps_those_before_it(world: World) -> None:
    async with Fleet(targets_of(world)[:1]) as fleet:
        outcomes = fleet.list(Resource.VM)
        seen = [await anext(outcomes)]
        world.fail("list_vm", ProtocolError("not XML"))
        seen += [outcome async for outcome in outcomes]
    report = seen.pop()
    assert isinstance(report, ScopeReport)
    assert report.status is ScopeStatus.FAILED
    assert 10 <= report.count == len(seen) < 25
    assert report.error is not None
    assert report.error.error == "ProtocolError"


async def test_a_partial_list_is_one_more_scope_for_each_part() -> None:
    world = World(regions=("a",), zones=4, vms=40, dead_zones=("a-b", "a-d"))
    with named_world("w", world):
        async with Fleet(targets_of(world)) as fleet:
            result = await fleet.scan(Resource.VM, Resource.KEY_PAIR)
    assert len(result.of(Resource.VM)) == 20
    scopes = [scope for scope in result.scopes if scope.resource is Resource.VM]
    assert [(scope.zone, scope.status, scope.count) for scope in scopes] == [
        ("a-b", ScopeStatus.UNREACHABLE, 0),
        ("a-d", ScopeStatus.UNREACHABLE, 0),
        ("", ScopeStatus.OK, 20),
    ]
    assert not result.ok
    assert {record.zone for record in result.of(Resource.VM)} == {"a-a", "a-c"}


async def test_an_unexpected_error_is_reported_and_logged(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.region("b").keys.page = None  # type: ignore[method-assign]  # a bug, so to say
    async with Fleet(targets_of(world)) as fleet:
        result = await fleet.scan(Resource.KEY_PAIR)
    assert [scope.target for scope in result.failures] == ["mock/b"]
    assert result.failures[0].status is ScopeStatus.FAILED
    assert result.failures[0].error is not None
    assert result.failures[0].error.error == "TypeError"
    assert "mock/b" in caplog.text


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (AuthenticationError(), "denied"),
        (PermissionDeniedError(), "denied"),
        (UnavailableError(), "unreachable"),
        (ThrottledError(), "throttled"),
        (DeadlineExceededError(), "timeout"),
        (NotSupportedError(), "unsupported"),
        (ProtocolError(), "failed"),
        (QuotaExceededError(), "failed"),
        (PartialListError(), "failed"),
        (SpiderError(), "failed"),
        (KeyError(), "failed"),
    ],
)
def test_the_status_of_an_error(error: Exception, status: str) -> None:
    assert status_of(error) == status


# -- bounds


@pytest.mark.parametrize(("total", "each"), [(1, 7), (5, 2), (100, 1), (100, 7)])
def test_concurrency_is_bounded(total: int, each: int) -> None:
    async def main() -> World:
        world = World(regions=12, vms=25, page_size=10, latency=1.0)
        with named_world("w", world):
            limits = Limits(total=total, per_target=each)
            async with Fleet(targets_of(world), limits=limits) as fleet:
                assert (await fleet.scan()).ok
        return world

    world = run_virtually(main())
    assert world.traffic.peak == min(total, 12 * each)
    most = max(world.traffic_of(region).peak for region in world.regions)
    assert most == (each if total == 100 else 1), "breadth first: one of each while there are more"


def test_requests_of_a_target_are_bounded() -> None:
    async def main() -> World:
        world = World(regions=2, latency=1.0)
        with named_world("w", world):
            async with Fleet(targets_of(world), limits=Limits(requests_per_target=3)) as fleet:
                assert (await fleet.scan()).ok
        return world

    world = run_virtually(main())
    assert world.traffic.peak == 6


def test_the_rate_of_a_target_is_bounded() -> None:
    async def main() -> float:
        world = World(regions=2)
        with named_world("w", world):
            async with Fleet(targets_of(world), limits=Limits(rate=2, burst=1)) as fleet:
                assert (await fleet.scan()).ok
        return asyncio.get_running_loop().time()

    assert run_virtually(main()) == pytest.approx(3.0)  # seven requests, one each half second


def test_a_slow_target_does_not_hold_up_the_others() -> None:
    async def main() -> dict[str, float]:
        world = World(regions=("slow", *"abcdefghij"), hung=("slow",), latency=1.0)
        ends: dict[str, float] = {}
        with named_world("w", world):
            limits = Limits(total=8, per_target=7)
            async with Fleet(targets_of(world), limits=limits, deadline=100) as fleet:
                async for outcome in fleet.list():
                    if isinstance(outcome, ScopeReport) and outcome.ok:
                        ends[outcome.target] = asyncio.get_running_loop().time()
        return ends

    ends = run_virtually(main())
    assert len(ends) == 10
    # Seven of eight workers hang in the end, but every target had its turns before.
    assert max(ends.values()) < 60


async def test_work_goes_breadth_first() -> None:
    order: list[tuple[str, int]] = []

    async def work(name: str, job: int) -> None:
        order.append((name, job))
        await asyncio.sleep(0)

    await work_off({"a": range(3), "b": range(2), "c": range(1)}, work, total=1, each=3)
    assert order == [("a", 0), ("b", 0), ("c", 0), ("a", 1), ("b", 1), ("a", 2)]


@pytest.mark.parametrize(
    "limits", [{"total": 0}, {"per_target": -1}, {"rate": 0.0}, {"burst": 0}, {"rate": -1.0}]
)
def test_impossible_limits_are_refused(limits: dict[str, float]) -> None:
    with pytest.raises(InvalidRequestError, match=next(iter(limits))):
        Limits(**limits)  # pyright: ignore[reportArgumentType]


# -- the deadline


def test_what_is_not_finished_by_the_deadline_is_a_timeout() -> None:
    async def main() -> None:
        world = World(regions=("quick", "hung"), hung=("hung",), latency=1.0, vms=5)
        with named_world("w", world):
            async with no_leftovers(), Fleet(targets_of(world), deadline=10) as fleet:
                result = await fleet.scan()
                assert asyncio.get_running_loop().time() == 10
        assert Counter(scope.status for scope in result.scopes) == {"ok": 7, "timeout": 7}
        for scope in result.failures:
            assert scope.target == "mock/hung"
            assert scope.seconds >= 0
            assert scope.requests == 1
            assert scope.error is not None
            assert "10 s" in scope.error.message

    run_virtually(main())


def test_scopes_that_never_began_are_timeouts_too() -> None:
    async def main() -> None:
        world = World(regions=5, hung=("*",))
        with named_world("w", world):
            async with Fleet(targets_of(world), limits=Limits(total=2), deadline=3) as fleet:
                result = await fleet.scan()
        assert len(result.scopes) == 35
        assert {scope.status for scope in result.scopes} == {ScopeStatus.TIMEOUT}
        assert sum(scope.requests for scope in result.scopes) == 2

    run_virtually(main())


def test_records_of_a_scope_that_was_cut_off_are_counted() -> None:
    async def main() -> None:
        world = World(regions=("a",), vms=100, page_size=10, latency=1.0)
        with named_world("w", world):
            async with Fleet(targets_of(world), deadline=4.5) as fleet:
                result = await fleet.scan(Resource.VM)
        [scope] = result.scopes
        assert scope.status is ScopeStatus.TIMEOUT
        assert scope.count == len(result.records) == 40

    run_virtually(main())


@pytest.mark.parametrize("pause", [0.0, 0.3, 1.0, 7.0])
def test_there_is_one_report_for_each_scope_however_slow_the_reader(pause: float) -> None:
    async def main() -> None:
        world = World(regions=8, vms=30, page_size=10, latency=1.0)
        counts: Counter[tuple[str, Resource]] = Counter()
        reports: list[ScopeReport] = []
        with named_world("w", world):
            async with Fleet(targets_of(world), deadline=2.0) as fleet:
                async for batch in fleet.pages():
                    for outcome in batch:
                        if isinstance(outcome, ScopeReport):
                            reports.append(outcome)
                        else:
                            counts[outcome.target, outcome.resource] += 1
                    await anyio.sleep(pause)
        assert len(reports) == len({(r.target, r.resource) for r in reports}) == 56
        for report in reports:
            assert report.count == counts[report.target, report.resource]

    run_virtually(main())


@pytest.mark.parametrize("deadline", [0, -1, float("nan")])
def test_an_impossible_deadline_is_refused(deadline: float) -> None:
    with pytest.raises(InvalidRequestError, match="deadline"):
        Fleet([], deadline=deadline)


# -- leaving and closing


async def test_leaving_early_leaves_nothing() -> None:
    world = World(regions=20, vms=1000, page_size=10)
    with named_world("w", world):
        async with no_leftovers(), Fleet(targets_of(world)) as fleet:
            async for _ in fleet.list():
                break
        assert world.traffic.in_flight == 0
        assert world.traffic.requests < 500
        async with no_leftovers(), Fleet(targets_of(world)) as fleet:
            async with aclosing(fleet.list(Resource.VM)) as outcomes:
                async for _ in outcomes:
                    break
            assert asyncio.all_tasks() == {asyncio.current_task()}, "closed means ended"
            assert len((await fleet.scan(Resource.KEY_PAIR)).records) == 60


async def test_a_slow_reader_holds_the_clouds_back() -> None:
    world = World(regions=4, vms=10_000, page_size=10)
    with named_world("w", world):
        async with Fleet(targets_of(world)) as fleet, aclosing(fleet.list(Resource.VM)) as outcomes:
            await anext(outcomes)
            await anyio.wait_all_tasks_blocked()
            assert world.traffic.requests < 50


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 8, 13, 21, 34, 55])
async def test_a_scan_can_be_cancelled_anywhere(world: World, turns: int) -> None:
    async with no_leftovers(), Fleet(targets_of(world)) as fleet:
        scanning = asyncio.create_task(fleet.scan())
        for _ in range(turns):
            await asyncio.sleep(0)
        scanning.cancel()
        await asyncio.wait([scanning])
        assert scanning.cancelled()
        assert world.traffic.in_flight == 0
        assert (await fleet.scan()).ok


@pytest.mark.parametrize("turns", [1, 2, 3, 5, 8, 13, 21])
async def test_closing_in_mid_call_ends_it_with_a_typed_error(turns: int) -> None:
    world = World(regions=10, hung=("*",))
    with named_world("w", world):
        async with no_leftovers():
            fleet = Fleet(targets_of(world))
            async with fleet:
                calls = [
                    asyncio.create_task(fleet.scan()),
                    asyncio.create_task(fleet.get(Resource.VM, ["x"])),
                    asyncio.create_task(fleet.run(CloudConnection.is_connected)),
                ]
                for _ in range(turns):
                    await asyncio.sleep(0)
                await fleet.close()
                await fleet.close()
                await asyncio.wait(calls)
                for call in calls:
                    with pytest.raises(InvalidRequestError, match="closed"):
                        call.result()
        assert world.traffic.in_flight == 0


async def test_closing_in_the_loops_body_ends_the_loop(world: World) -> None:
    async with no_leftovers(), Fleet(targets_of(world)) as fleet:
        seen = 0
        outcomes = fleet.list()
        async for _ in outcomes:
            seen += 1
            if seen == 3:
                await fleet.close()
                break
        with pytest.raises(InvalidRequestError, match="closed"):
            _ = [outcome async for outcome in outcomes]
        await outcomes.aclose()


async def test_a_fleet_is_entered_before_it_is_used_and_only_once(world: World) -> None:
    fleet = Fleet(targets_of(world))
    with pytest.raises(InvalidRequestError, match="enter"):
        await fleet.scan()
    async with fleet:
        with pytest.raises(InvalidRequestError, match="once"):
            await fleet.__aenter__()
    with pytest.raises(InvalidRequestError, match="closed"):
        await fleet.scan()
    with pytest.raises(InvalidRequestError, match="closed"):
        await fleet.get(Resource.VM, ["x"])
    with pytest.raises(InvalidRequestError, match="closed"):
        await fleet.run(CloudConnection.is_connected)


def test_two_targets_of_one_name_are_refused() -> None:
    with pytest.raises(InvalidRequestError, match="'twin'"):
        Fleet([Target(name="twin", driver="mock"), Target(name="twin", driver="aws")])


async def test_an_unknown_resource_is_told_with_those_there_are(world: World) -> None:
    async with Fleet(targets_of(world)) as fleet:
        with pytest.raises(InvalidRequestError, match=r"volume.*public_ip"):
            await fleet.scan("volume")


async def test_a_fleet_of_nothing() -> None:
    async with Fleet([]) as fleet:
        result = await fleet.scan()
        assert (result.records, result.scopes) == ([], [])
        assert (await fleet.get(Resource.VM, ["x"])).missing == ["x"]
        assert await fleet.run(CloudConnection.is_connected) == []


async def test_connections_are_made_once_and_kept(world: World) -> None:
    connections: list[CloudConnection] = []

    async def note(connection: CloudConnection) -> None:
        connections.append(connection)

    async with Fleet(targets_of(world)) as fleet:
        await fleet.scan()
        await fleet.run(note)
        await fleet.run(note)
        assert len(set(connections)) == 3
        assert not any(connection.closed for connection in connections)
    assert all(connection.closed for connection in connections)


# -- get


async def test_bare_ids_are_asked_for_everywhere(world: World) -> None:
    ids = [world.region(name).vms.id_of(7) for name in "ab"]
    async with Fleet(targets_of(world)) as fleet:
        result = await fleet.get(Resource.VM, [*ids, "vm-nowhere"])
    assert sorted((record.region, record.id) for record in result.records) == [
        ("a", ids[0]),
        ("b", ids[1]),
    ]
    assert result.missing == ["vm-nowhere"]
    assert result.ok
    assert {scope.target: scope.count for scope in result.scopes} == {
        "mock/a": 1, "mock/b": 1, "mock/c": 0,
    }  # fmt: skip
    assert sum(scope.requests for scope in result.scopes) == 9


async def test_refs_are_asked_for_in_their_own_target(world: World) -> None:
    async with Fleet(targets_of(world)) as fleet:
        records = (await fleet.scan(Resource.VM)).records
        before = world.traffic.requests
        wanted = records[:3] + records[-3:]
        result = await fleet.get(Resource.VM, [record.ref for record in wanted])
        assert world.traffic.requests - before == 6
    assert {record.ref for record in result.records} == {record.ref for record in wanted}
    assert result.missing == []


async def test_an_id_asked_for_twice_is_found_once(world: World) -> None:
    id = world.region("a").vms.id_of(0)
    async with Fleet(targets_of(world)) as fleet:
        ref = Ref("mock/a", Resource.VM, id)
        result = await fleet.get(Resource.VM, [id, ref, id, ref])
    assert [record.id for record in result.records] == [id]


async def test_what_could_not_be_asked_is_no_proof_of_absence() -> None:
    world = World(regions=("a", "b"), denied=("b",))
    with named_world("w", world):
        async with Fleet(targets_of(world)) as fleet:
            result = await fleet.get("vm", ["vm-1"])
    assert result.missing == ["vm-1"]
    assert not result.ok
    assert [scope.target for scope in result.failures] == ["mock/b"]


@pytest.mark.parametrize(
    "ref",
    [Ref("elsewhere", Resource.VM, "x"), Ref("mock/a", Resource.IMAGE, "x")],
)
async def test_a_ref_of_something_else_is_refused(world: World, ref: Ref) -> None:
    async with Fleet(targets_of(world)) as fleet:
        with pytest.raises(InvalidRequestError, match=ref.target):
            await fleet.get(Resource.VM, [ref])


def test_a_get_has_a_deadline() -> None:
    async def main() -> None:
        world = World(regions=("a", "hung"), hung=("hung",), latency=1.0)
        with named_world("w", world):
            async with Fleet(targets_of(world), deadline=5) as fleet:
                result = await fleet.get(Resource.VM, [world.region("a").vms.id_of(0), "vm-x"])
        assert len(result.records) == 1
        assert {scope.target: scope.status for scope in result.scopes} == {
            "mock/a": ScopeStatus.OK,
            "mock/hung": ScopeStatus.TIMEOUT,
        }

    run_virtually(main())


# -- run


async def test_a_function_runs_on_every_target_in_their_order(world: World) -> None:
    async def count(connection: CloudConnection) -> int:
        return len(await connection.create_vm_handler().list_vm())

    async with Fleet(targets_of(world)) as fleet:
        results = await fleet.run(count)
    assert [(result.target, result.value) for result in results] == [
        ("mock/a", 25), ("mock/b", 25), ("mock/c", 25),
    ]  # fmt: skip
    assert all(result.ok and result.requests == 3 for result in results)


async def test_what_a_function_raises_is_data() -> None:
    world = World(regions=("a", "b", "dead"), dead=("dead",))

    async def fetch(connection: CloudConnection) -> None:
        if connection.region_info.region == "a":
            raise LookupError("a bug of the user's")
        await connection.create_vm_handler().get_vm("vm-x")

    with named_world("w", world):
        async with Fleet(targets_of(world)) as fleet:
            results = await fleet.run(fetch)
    assert [type(result.error) for result in results] == [
        LookupError,
        NotFoundError,
        UnavailableError,
    ]
    assert not any(result.ok for result in results)


def test_a_run_has_a_deadline() -> None:
    async def main() -> None:
        world = World(regions=3, latency=1.0)

        async def wait(connection: CloudConnection) -> str:
            if connection.region_info.region == world.regions[1]:
                await anyio.sleep_forever()
            return "done"

        with named_world("w", world):
            async with Fleet(targets_of(world), deadline=2) as fleet:
                results = await fleet.run(wait)
        assert [result.value for result in results] == ["done", None, "done"]
        assert isinstance(results[1].error, DeadlineExceededError)
        assert results[1].seconds >= 0

    run_virtually(main())


# -- many


async def test_two_thousand_targets() -> None:
    world = World(regions=2000, vms=3)
    with named_world("w", world):
        async with no_leftovers(), Fleet(targets_of(world)) as fleet:
            result = await fleet.scan(Resource.VM, Resource.VNIC)
    assert result.ok
    assert len(result.scopes) == 4000
    assert len(result.records) == 12_000
    assert world.traffic.peak <= 64


async def test_many_accounts_and_regions() -> None:
    info = ConnectionInfo(
        credential_info=CredentialInfo(
            key_values={"accounts": "one,two,three", "regions": "r1,r2", "vms": "4"}
        )
    )
    targets = await expand("mock", info, "all", accounts="all")
    async with Fleet(targets) as fleet:
        result = await fleet.scan(Resource.VM)
    assert len(result.records) == len({record.id for record in result.records}) == 24
