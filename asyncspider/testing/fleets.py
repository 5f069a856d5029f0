"""The contract of a driver inside a fleet."""

from __future__ import annotations

from ..connection import CloudConnection
from ..driver import CloudDriver
from ..fleet import Fleet, Record, ScopeReport, ScopeStatus, Target, expand
from ..info import ConnectionInfo
from ..inventory import decode_json, encode_jsonl
from ..resources import Resource
from .hooks import ContractHooks
from .kit import Kit
from .leftovers import no_leftovers
from .lists import by_id, everything

LOST = {ScopeStatus.DENIED, ScopeStatus.UNREACHABLE, ScopeStatus.TIMEOUT, ScopeStatus.THROTTLED}


class FleetContract(ContractHooks):
    """Tests of a fleet with this driver in it."""

    def _target(self, name: str, info: ConnectionInfo) -> Target:
        return Target(name=name, driver=self.driver_name, connection_info=info)

    async def test_a_fleet_sees_what_the_lists_show(
        self, kit: Kit, connection: CloudConnection, connection_info: ConnectionInfo
    ) -> None:
        for resource in (Resource.VNETWORK, Resource.KEY_PAIR):
            if resource in connection.handlers and resource not in self.not_creatable:
                await kit.make(resource)
        expected = {
            resource: [item.id for item in by_id(await everything(connection, resource))]
            for resource in connection.handlers
        }
        here = self._target("here", connection_info)
        async with no_leftovers(sockets=False), Fleet([here]) as fleet:
            result = await fleet.scan()
        assert len(result.scopes) == len(Resource)
        for scope in result.scopes:
            records = result.of(scope.resource)
            if scope.resource in connection.handlers:
                assert scope.status is ScopeStatus.OK, scope
                assert sorted(record.id for record in records) == expected[scope.resource]
                assert scope.requests >= 1
            else:
                assert scope.status is ScopeStatus.UNSUPPORTED
            assert scope.count == len(records)
        for record in result.records:
            assert (record.driver, record.target) == (self.driver_name, "here")
            assert (record.id, record.name) == (record.data.id, record.data.name)
            if self.has_regions and connection_info.region_info.region:
                assert record.region

    async def test_records_survive_their_file(self, connection_info: ConnectionInfo) -> None:
        async with Fleet([self._target("here", connection_info)]) as fleet:
            outcomes = [outcome async for outcome in fleet.list()]
        lines = encode_jsonl(outcomes).splitlines()
        assert [decode_json(line) for line in lines] == outcomes

    async def test_a_lost_target_hides_nobody_else(
        self,
        connection: CloudConnection,
        connection_info: ConnectionInfo,
        bad_connection_info: ConnectionInfo,
        unreachable_info: ConnectionInfo,
    ) -> None:
        targets = [
            self._target("lost", unreachable_info),
            self._target("here", connection_info),
            self._target("refused", bad_connection_info),
        ]
        [resource, *_] = connection.handlers
        expected = by_id(await everything(connection, resource))
        async with no_leftovers(sockets=False), Fleet(targets) as fleet:
            result = await fleet.scan(resource)
        status = {scope.target: scope.status for scope in result.scopes}
        assert status["here"] is ScopeStatus.OK
        assert status["refused"] is ScopeStatus.DENIED
        assert status["lost"] in LOST
        assert by_id([record.data for record in result.records]) == expected
        for scope in result.failures:
            assert scope.error is not None
            assert scope.error.message

    async def test_refs_lead_back(
        self, kit: Kit, connection: CloudConnection, connection_info: ConnectionInfo
    ) -> None:
        [resource, *_] = (
            r for r in (Resource.KEY_PAIR, Resource.VNETWORK, *connection.handlers)
            if r in connection.handlers
        )  # fmt: skip
        if resource not in self.not_creatable:
            await kit.make(resource)
        missing = self.missing_id(resource)
        async with Fleet([self._target("here", connection_info)]) as fleet:
            records = (await fleet.scan(resource)).records[:3]
            again = await fleet.get(resource, [record.ref for record in records])
            assert by_id([r.data for r in again.records]) == by_id([r.data for r in records])
            bare = await fleet.get(resource, [*(record.id for record in records), missing])
        assert by_id([r.data for r in bare.records]) == by_id([r.data for r in records])
        assert bare.missing == [missing]
        assert bare.ok

    async def test_a_fleet_can_be_left_early(self, connection_info: ConnectionInfo) -> None:
        targets = [self._target(f"t{number}", connection_info) for number in range(5)]
        async with no_leftovers(sockets=False), Fleet(targets) as fleet:
            async for _ in fleet.list():
                break
        async with Fleet(targets) as fleet:
            result = await fleet.scan()
        assert not [
            scope for scope in result.failures if scope.status is not ScopeStatus.UNSUPPORTED
        ]

    async def test_a_function_runs_on_each_connection(
        self, connection_info: ConnectionInfo
    ) -> None:
        targets = [self._target(f"t{number}", connection_info) for number in range(3)]
        async with Fleet(targets) as fleet:
            results = await fleet.run(lambda connection: connection.is_connected())
        assert [(result.target, result.value) for result in results] == [
            ("t0", True), ("t1", True), ("t2", True),
        ]  # fmt: skip

    async def test_targets_of_all_regions(
        self, driver: CloudDriver, connection_info: ConnectionInfo
    ) -> None:
        regions = await driver.list_regions(connection_info)
        targets = await expand(self.driver_name, connection_info, "all")
        assert [target.connection_info.region_info.region for target in targets] == [
            region.region for region in regions
        ]
        assert len({target.name for target in targets}) == len(targets)
        first = regions[0].region
        assert len(await expand(self.driver_name, connection_info, ["all", f"!{first}"])) == (
            len(regions) - 1
        )

    async def test_outcomes_are_records_and_reports(self, connection_info: ConnectionInfo) -> None:
        async with Fleet([self._target("here", connection_info)]) as fleet:
            kinds = {type(outcome) async for outcome in fleet.list()}
        assert kinds <= {Record, ScopeReport}
        assert ScopeReport in kinds
