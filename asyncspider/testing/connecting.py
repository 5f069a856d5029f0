"""The contract of drivers and connections."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from io import StringIO
from typing import Any

import anyio
import pytest
from rich.console import Console
from rich.pretty import pprint

from ..connection import CloudConnection
from ..driver import CloudDriver
from ..errors import (
    AuthenticationError,
    DeadlineExceededError,
    InvalidRequestError,
    NotSupportedError,
    PermissionDeniedError,
    SpiderError,
    UnavailableError,
)
from ..info import ConnectionInfo, CredentialInfo, DriverCapabilityInfo
from ..registry import list_drivers, load_driver
from ..resources import (
    Handler,
    ImageHandler,
    KeyPairHandler,
    PublicIPHandler,
    Resource,
    SecurityHandler,
    VMHandler,
    VNetworkHandler,
    VNicHandler,
)
from .hooks import ContractHooks, handler_of
from .leftovers import no_leftovers

HANDLERS: dict[Resource, type[Handler[Any]]] = {
    Resource.IMAGE: ImageHandler,
    Resource.VNETWORK: VNetworkHandler,
    Resource.SECURITY: SecurityHandler,
    Resource.KEY_PAIR: KeyPairHandler,
    Resource.VNIC: VNicHandler,
    Resource.PUBLIC_IP: PublicIPHandler,
    Resource.VM: VMHandler,
}


def printed(thing: object) -> str:
    """Return all the ways in which a thing gets printed."""
    console = Console(file=StringIO(), width=200)
    pprint(thing, console=console, expand_all=True)
    console.print(thing)
    assert isinstance(console.file, StringIO)
    return "\n".join([repr(thing), str(thing), f"{thing}", console.file.getvalue()])


class ConnectingContract(ContractHooks):
    """Tests of the driver, of connecting, of closing, and of what is printed."""

    # -- the driver

    async def test_the_driver_is_found_by_its_name(self, driver: CloudDriver) -> None:
        assert self.driver_name in list_drivers()
        assert type(load_driver(self.driver_name)) is type(driver)
        assert driver.name == self.driver_name

    async def test_the_driver_tells_its_version_and_keys(self, driver: CloudDriver) -> None:
        assert driver.get_driver_version()
        assert all(key and line for key, line in driver.credential_keys.items())

    async def test_capability_tells_the_truth(
        self, driver: CloudDriver, connection: CloudConnection
    ) -> None:
        capability = driver.get_driver_capability()
        assert isinstance(capability, DriverCapabilityInfo)
        for resource, kind in HANDLERS.items():
            if resource in capability:
                assert isinstance(handler_of(connection, resource), kind)
            else:
                with pytest.raises(NotSupportedError):
                    handler_of(connection, resource)

    async def test_an_unknown_credential_key_is_named(
        self, driver: CloudDriver, connection_info: ConnectionInfo
    ) -> None:
        credential = CredentialInfo(key_values={"no_such_key": "s3cr3t-value"})
        with pytest.raises(InvalidRequestError, match="no_such_key") as caught:
            driver.connect_cloud(ConnectionInfo(credential_info=credential))
        assert "s3cr3t-value" not in printed(caught.value)

    async def test_a_missing_credential_key_is_named(self, driver: CloudDriver) -> None:
        if self.incomplete_credential is None:
            return  # nothing can be missing
        given, missing = self.incomplete_credential
        info = ConnectionInfo(credential_info=CredentialInfo(key_values=dict(given)))
        with pytest.raises(InvalidRequestError, match=missing):
            await driver.connect_cloud(info)

    async def test_regions_are_listed(
        self, driver: CloudDriver, connection_info: ConnectionInfo
    ) -> None:
        async with no_leftovers():
            regions = await driver.list_regions(connection_info)
        names = [region.region for region in regions]
        assert names
        assert all(names)
        assert len(set(names)) == len(names)
        if self.has_regions and connection_info.region_info.region:
            assert connection_info.region_info.region in names

    # -- connecting and closing

    async def test_async_with_connects_and_closes(
        self, driver: CloudDriver, connection_info: ConnectionInfo
    ) -> None:
        async with no_leftovers():
            async with driver.connect_cloud(connection_info) as connection:
                assert isinstance(connection, CloudConnection)
                assert await connection.is_connected() is True
                assert not connection.closed
            assert connection.closed
            assert await connection.is_connected() is False

    async def test_await_connects_and_close_closes(
        self, driver: CloudDriver, connection_info: ConnectionInfo
    ) -> None:
        async with no_leftovers():
            connection = await driver.connect_cloud(connection_info)
            assert await connection.is_connected() is True
            await connection.close()
            assert connection.closed

    async def test_an_exception_in_the_block_closes_too(
        self, driver: CloudDriver, connection_info: ConnectionInfo
    ) -> None:
        async with no_leftovers():
            connecting = driver.connect_cloud(connection_info)
            connection = await connecting.__aenter__()
            await self._use(connection)
            error = LookupError()
            assert not await connecting.__aexit__(LookupError, error, None)
            assert connection.closed

    async def test_close_may_be_called_again(
        self, driver: CloudDriver, connection_info: ConnectionInfo
    ) -> None:
        async with no_leftovers():
            connection = await driver.connect_cloud(connection_info)
            await self._use(connection)
            async with anyio.create_task_group() as group:
                for _ in range(3):
                    group.start_soon(connection.close)
            await connection.close()

    @pytest.mark.parametrize("turns", [0, 1, 2, 3])
    async def test_a_cancelled_close_is_complete(
        self, driver: CloudDriver, connection_info: ConnectionInfo, turns: int
    ) -> None:
        async with no_leftovers():
            connection = await driver.connect_cloud(connection_info)
            await self._use(connection)
            closing = asyncio.create_task(connection.close())
            await _loop_turns(turns)
            closing.cancel()
            await asyncio.wait([closing])
            if not connection.closed:  # cancelled before it began
                await connection.close()
        with anyio.CancelScope() as scope:
            scope.cancel()
            await connection.close()

    async def test_connections_do_not_share_their_end(
        self, driver: CloudDriver, connection_info: ConnectionInfo
    ) -> None:
        async with no_leftovers(), driver.connect_cloud(connection_info) as first:
            async with driver.connect_cloud(connection_info) as second:
                await self._use(second)
            await self._use(first)

    @pytest.mark.parametrize("turns", [0, 1, 2, 4, 8, 16, 32])
    async def test_connecting_can_be_cancelled(
        self, driver: CloudDriver, connection_info: ConnectionInfo, turns: int
    ) -> None:
        async def connect() -> None:
            async with driver.connect_cloud(connection_info) as connection:
                await self._use(connection)

        async with no_leftovers():
            await _cancelled(connect, turns)
        async with driver.connect_cloud(connection_info) as connection:
            await self._use(connection)

    async def test_use_after_close_is_refused(
        self, driver: CloudDriver, connection_info: ConnectionInfo
    ) -> None:
        connection = await driver.connect_cloud(connection_info)
        handlers = [handler_of(connection, resource) for resource in connection.handlers]
        await connection.close()
        async with no_leftovers():
            for handler in handlers:
                with pytest.raises(InvalidRequestError) as caught:
                    await _list(handler)
                assert caught.value.code == "ConnectionClosed"
                assert caught.value.driver == self.driver_name

    @pytest.mark.parametrize("turns", [0, 1, 2, 4, 8, 16])
    async def test_closing_ends_calls_in_flight(
        self, driver: CloudDriver, connection_info: ConnectionInfo, turns: int
    ) -> None:
        outcomes: list[object] = []

        async def use(connection: CloudConnection, resource: Resource) -> None:
            try:
                outcomes.append(await _list(handler_of(connection, resource)))
            except SpiderError as error:
                outcomes.append(error)

        async with no_leftovers():
            connection = await driver.connect_cloud(connection_info)
            async with anyio.create_task_group() as group:
                for resource in connection.handlers:
                    group.start_soon(use, connection, resource)
                    group.start_soon(use, connection, resource)
                await _loop_turns(turns)
                await connection.close()
        assert len(outcomes) == 2 * len(connection.handlers)
        for outcome in outcomes:
            if isinstance(outcome, SpiderError):
                assert isinstance(outcome, InvalidRequestError)
                assert outcome.code == "ConnectionClosed"

    # -- who is let in

    async def test_refused_credentials(
        self, driver: CloudDriver, bad_connection_info: ConnectionInfo
    ) -> None:
        async with no_leftovers():
            try:
                connection = await driver.connect_cloud(bad_connection_info)
            except AuthenticationError:
                return
            async with connection:
                assert await connection.is_connected() is False
                with pytest.raises((AuthenticationError, PermissionDeniedError)) as caught:
                    await self._use(connection)
        assert caught.value.driver == self.driver_name
        assert not caught.value.retryable

    async def test_a_place_where_nobody_answers(
        self, driver: CloudDriver, unreachable_info: ConnectionInfo
    ) -> None:
        refused = (UnavailableError, DeadlineExceededError)
        async with no_leftovers():
            try:
                connection = await driver.connect_cloud(unreachable_info)
            except refused:
                return
            async with connection:
                assert await connection.is_connected() is False
                with pytest.raises(refused) as caught:
                    await self._use(connection)
        assert caught.value.retryable
        assert caught.value.driver == self.driver_name

    # -- what is printed

    async def test_credentials_are_never_printed(
        self, driver: CloudDriver, connection_info: ConnectionInfo
    ) -> None:
        fake = self.fake_credential(driver)
        info = ConnectionInfo(credential_info=fake)
        for thing in (fake, info, [info], {"info": info}, fake.key_values):
            text = printed(thing)
            assert "s3cr3t" not in text
            assert all(key in text for key in driver.credential_keys)

    async def test_errors_and_logs_hold_no_secret(
        self,
        driver: CloudDriver,
        connection_info: ConnectionInfo,
        bad_connection_info: ConnectionInfo,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        caplog.set_level(logging.DEBUG, logger="asyncspider")
        caplog.set_level(logging.DEBUG, logger="asyncspider_drivers")
        texts: list[str] = []
        for info in (connection_info, bad_connection_info):
            try:
                async with driver.connect_cloud(info) as connection:
                    texts.append(printed(connection))
                    for resource in connection.handlers:
                        texts.append(printed(handler_of(connection, resource)))
                        missing = self.missing_id(resource)
                        await connection.get(resource, missing)
            except SpiderError as error:
                texts += [printed(error), printed(error.info()), printed(error.__dict__)]
        assert len(texts) > 2
        texts += [record.getMessage() for record in caplog.records]
        texts += [printed(record.__dict__) for record in caplog.records]
        for info in (connection_info, bad_connection_info):
            for key, value in info.credential_info.key_values.items():
                if key in self.secret_keys:
                    assert not [text for text in texts if value in text], f"{key} was printed"

    # -- helpers

    async def _use(self, connection: CloudConnection) -> None:
        """Make a real request: list something short."""
        shortest = min(connection.handlers, key=list(HANDLERS).index)
        for resource in (Resource.KEY_PAIR, Resource.VNETWORK, shortest):
            if resource in connection.handlers:
                await _list(handler_of(connection, resource))
                return


async def _list(handler: Any) -> list[Any]:
    [method] = [
        name
        for name in ("list_image", "list_vnetwork", "list_security", "list_key", "list_vnic",
                     "list_public_ip", "list_vm")
        if hasattr(handler, name)
    ]  # fmt: skip
    return await getattr(handler, method)()


async def _loop_turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def _cancelled(function: Callable[[], Any], turns: int) -> None:
    """Run a coroutine function for some turns of the loop, then cancel it."""
    task = asyncio.create_task(function())
    await _loop_turns(turns)
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()
