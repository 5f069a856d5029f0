"""The contract of lists: complete, paged, shared by many tasks, and left at any time."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import msgspec
import pytest

from ..connection import CloudConnection
from ..errors import NotFoundError
from ..resources import (
    ImageInfo,
    KeyPairInfo,
    Page,
    Paged,
    PublicIPInfo,
    Resource,
    SecurityInfo,
    VMInfo,
    VMStatus,
    VNetworkInfo,
    VNicInfo,
)
from ..secrets import Secret
from .hooks import ContractHooks, handler_of
from .kit import Kit
from .leftovers import no_leftovers

NOUNS = {resource: resource.value for resource in Resource} | {Resource.KEY_PAIR: "key"}
INFOS: dict[Resource, type[Any]] = {
    Resource.IMAGE: ImageInfo,
    Resource.VNETWORK: VNetworkInfo,
    Resource.SECURITY: SecurityInfo,
    Resource.KEY_PAIR: KeyPairInfo,
    Resource.VNIC: VNicInfo,
    Resource.PUBLIC_IP: PublicIPInfo,
    Resource.VM: VMInfo,
}
RESOURCES = pytest.mark.parametrize("resource", list(Resource))


def iterate(connection: CloudConnection, resource: Resource) -> Paged[Any]:
    """Return a fresh iteration over a resource."""
    return getattr(handler_of(connection, resource), f"iter_{NOUNS[resource]}")()


async def everything(connection: CloudConnection, resource: Resource) -> list[Any]:
    """Return what ``list_*`` returns."""
    return await getattr(handler_of(connection, resource), f"list_{NOUNS[resource]}")()


def by_id(items: list[Any]) -> list[Any]:
    """Return items in the order of their ids: clouds promise none."""
    return sorted(items, key=lambda item: item.id)


class ListContract(ContractHooks):
    """Tests of lists and of single things that are not there."""

    @RESOURCES
    async def test_list_iteration_and_pages_agree(
        self, connection: CloudConnection, resource: Resource
    ) -> None:
        if resource not in connection.handlers:
            return
        listed = await everything(connection, resource)
        assert all(type(item) is INFOS[resource] for item in listed)
        ids = [item.id for item in listed]
        assert all(ids)
        assert len(set(ids)) == len(ids), "the same thing twice"
        iterated = [item async for item in iterate(connection, resource)]
        assert by_id(iterated) == by_id(listed)
        pages = [page async for page in connection.pages(resource)]
        assert all(isinstance(page, Page) for page in pages)
        assert by_id([item for page in pages for item in page.items]) == by_id(listed)

    @RESOURCES
    async def test_listed_structs_have_the_documented_types(
        self, kit: Kit, connection: CloudConnection, resource: Resource
    ) -> None:
        if resource not in connection.handlers:
            return
        if resource not in self.not_creatable:
            await kit.make(resource)
        listed = await everything(connection, resource)
        for item in listed:
            plain = msgspec.to_builtins(item, enc_hook=str)
            again = msgspec.convert(
                plain, INFOS[resource], dec_hook=lambda kind, value: kind(value)
            )
            assert again.id == item.id
        if resource is Resource.VM:
            for vm in listed:
                assert isinstance(vm.guest_user_pwd, Secret)
                assert vm.native_status
                assert vm.status in VMStatus
                assert vm.start_time is None or vm.start_time.utcoffset() is not None

    @RESOURCES
    async def test_what_is_not_there_is_not_found(
        self, connection: CloudConnection, resource: Resource
    ) -> None:
        if resource not in connection.handlers:
            return
        handler, missing = handler_of(connection, resource), self.missing_id(resource)
        calls = [f"get_{NOUNS[resource]}"]
        if resource is Resource.VM:
            calls += ["get_vm_status", "suspend_vm", "resume_vm", "reboot_vm", "terminate_vm"]
        elif resource not in self.not_creatable:
            calls.append(f"delete_{NOUNS[resource]}")
        for call in calls:
            with pytest.raises(NotFoundError) as caught:
                await getattr(handler, call)(missing)
            assert caught.value.driver == self.driver_name, call
            assert caught.value.operation, call
            assert caught.value.message, call
            assert not caught.value.retryable, call

    async def test_a_list_of_many_pages_is_complete(self, connection: CloudConnection) -> None:
        resource, least = await self.fill_pages(connection)
        pages = [page async for page in connection.pages(resource)]
        items = [item for page in pages for item in page.items]
        assert len({item.id for item in items}) == len(items) >= least
        if least:
            assert len(pages) > 1
        assert by_id(await everything(connection, resource)) == by_id(items)

    async def test_many_tasks_may_use_one_connection(self, connection: CloudConnection) -> None:
        resource, _ = await self.fill_pages(connection)
        expected = by_id(await everything(connection, resource))
        answers: list[list[Any]] = []

        async def ask() -> None:
            answers.append(by_id(await everything(connection, resource)))

        async with no_leftovers(sockets=False), anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(ask)
        assert answers == [expected] * 20

    @pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 8, 13, 21, 34])
    async def test_a_list_can_be_cancelled_anywhere(
        self, connection: CloudConnection, turns: int
    ) -> None:
        resource, _ = await self.fill_pages(connection)
        expected = by_id(await everything(connection, resource))
        async with no_leftovers(sockets=False):
            reading = asyncio.create_task(everything(connection, resource))
            for _ in range(turns):
                await asyncio.sleep(0)
            reading.cancel()
            await asyncio.wait([reading])
            if not reading.cancelled():
                assert by_id(reading.result()) == expected
        assert by_id(await everything(connection, resource)) == expected

    async def test_a_deadline_ends_a_list(self, connection: CloudConnection) -> None:
        resource, _ = await self.fill_pages(connection)
        async with no_leftovers(sockets=False):
            with anyio.CancelScope() as scope:
                async for _ in iterate(connection, resource):
                    scope.cancel()
        async with no_leftovers(sockets=False):
            with anyio.move_on_after(0):
                await everything(connection, resource)
        assert await connection.is_connected()

    async def test_an_iteration_can_be_left(self, connection: CloudConnection) -> None:
        resource, least = await self.fill_pages(connection)
        async with no_leftovers(sockets=False):
            items = iterate(connection, resource)
            async for _ in items:
                break
            await items.aclose()
            await items.aclose()
        async with no_leftovers(sockets=False):
            async for _ in iterate(connection, resource):
                break  # and nobody closes it
        assert len(await everything(connection, resource)) >= least

    async def test_closing_ends_an_iteration(self, connection: CloudConnection) -> None:
        resource, least = await self.fill_pages(connection)
        ended: BaseException | None = None
        seen = 0
        try:
            async for _ in connection.pages(resource):
                seen += 1
                await connection.close()
        except Exception as error:
            ended = error
        if least:
            assert getattr(ended, "code", "") == "ConnectionClosed"
        assert seen <= 2  # one more may have been on its way
