"""The one way in which a request is made: timed, counted, ended by close."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import pytest

from asyncspider import (
    ConnectionInfo,
    CredentialInfo,
    DeadlineExceededError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    SpiderError,
    ThrottledError,
    UnavailableError,
    connect,
)
from asyncspider.transport.telemetry import Meter, RequestEvent, add_listener, metered
from asyncspider_drivers.mock import MockConnection, MockDriver, World

from .virtual import LoopClock, run_virtually


async def connected(world: World | None = None, **settings: Any) -> MockConnection:
    connection = await MockDriver(world or World()).connect_cloud(ConnectionInfo(**settings))
    assert isinstance(connection, MockConnection)
    return connection


def test_a_request_that_hangs_ends_with_its_timeout() -> None:
    async def main() -> None:
        world = World(regions=("hung",), hung=("hung",))
        async with await connected(world, request_timeout=7.0) as connection:
            with pytest.raises(DeadlineExceededError, match="7 s") as caught:
                await connection.create_vm_handler().list_vm()
            assert asyncio.get_running_loop().time() == 7
        error = caught.value
        assert (error.driver, error.region, error.operation) == ("mock", "hung", "list_vm")
        assert error.retryable
        assert world.traffic.in_flight == 0

    run_virtually(main())


def test_the_time_of_waiting_for_a_slot_is_not_the_requests() -> None:
    async def main() -> None:
        async with await connected(World(latency=5), request_timeout=6.0) as connection:
            connection.limiter.configure(1)
            async with anyio.create_task_group() as group:
                for _ in range(4):
                    group.start_soon(connection.create_key_pair_handler().list_key)
            assert asyncio.get_running_loop().time() == 20

    run_virtually(main())


def test_throttling_is_waited_out_and_lowers_the_bound() -> None:
    async def main() -> None:
        world = World(rate=2, burst=4, clock=LoopClock())
        async with await connected(world) as connection:
            async with anyio.create_task_group() as group:
                for _ in range(20):
                    group.start_soon(connection.create_key_pair_handler().list_key)
            assert 8 <= asyncio.get_running_loop().time() < 30
            assert connection.limiter.concurrency < 32

    run_virtually(main())


async def test_each_attempt_is_counted_and_told() -> None:
    world = World()
    world.fail("list_key", ThrottledError("slow", retry_after=0.0), times=2)
    events: list[RequestEvent] = []
    remove = add_listener(events.append)
    try:
        async with await connected(world) as connection:
            with metered(Meter()) as meter:
                await connection.create_key_pair_handler().list_key()
                with pytest.raises(NotFoundError):
                    await connection.create_key_pair_handler().get_key("nothing")
        async with await connected(world) as connection:
            seen = len(events)
            await connection.create_key_pair_handler().list_key()  # counts for nobody
            del events[seen:]
    finally:
        remove()
    assert meter.requests == len(events) == 4
    assert [event.operation for event in events] == ["list_key"] * 3 + ["get_key"]
    assert [type(event.error) for event in events] == [
        ThrottledError, ThrottledError, type(None), NotFoundError,
    ]  # fmt: skip
    assert {(event.driver, event.region) for event in events} == {("mock", "mock-north-1")}


async def test_a_listener_that_fails_spoils_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def fail(event: RequestEvent) -> None:
        raise ZeroDivisionError

    remove = add_listener(fail)
    try:
        async with await connected() as connection:
            assert await connection.create_key_pair_handler().list_key()
    finally:
        remove()
    assert "listener" in caplog.text


async def test_tasks_are_metered_apart() -> None:
    meters = [Meter(), Meter()]
    async with await connected(World(vms=25, page_size=10)) as connection:

        async def list_times(meter: Meter, times: int) -> None:
            with metered(meter):
                for _ in range(times):
                    await connection.create_vm_handler().list_vm()

        async with anyio.create_task_group() as group:
            group.start_soon(list_times, meters[0], 1)
            group.start_soon(list_times, meters[1], 4)
    assert [meter.requests for meter in meters] == [3, 12]


async def test_closing_ends_a_hung_request_with_a_typed_error() -> None:
    world = World(regions=("hung",), hung=("hung",))
    connection = await connected(world)
    failures: list[SpiderError] = []

    async def ask() -> None:
        try:
            await connection.create_vm_handler().list_vm()
        except SpiderError as error:
            failures.append(error)

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        assert world.traffic.in_flight == 5
        await connection.close()
    assert [(type(error), error.code) for error in failures] == [
        (InvalidRequestError, "ConnectionClosed")
    ] * 5
    assert world.traffic.in_flight == 0
    assert repr(connection) == "<MockConnection hung closed>"


@pytest.mark.parametrize("native", [True, False])
async def test_a_close_that_is_cancelled_again_and_again_is_complete(native: bool) -> None:
    released: list[str] = []

    class Slow(MockConnection):
        async def _release(self) -> None:
            released.append("begun")
            for _ in range(10):
                await asyncio.sleep(0)
            released.append("ended")

    connection = Slow(ConnectionInfo(), World())
    if native:
        closing = asyncio.create_task(connection.close())
        for _ in range(4):
            await asyncio.sleep(0)
            closing.cancel()
        await asyncio.wait([closing])
        assert closing.cancelled()
    else:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await connection.close()
    assert released == ["begun", "ended"]
    await connection.close()
    assert released == ["begun", "ended"]


async def test_a_second_closer_waits_for_the_first() -> None:
    gate = anyio.Event()

    class Slow(MockConnection):
        async def _release(self) -> None:
            await gate.wait()

    connection = Slow(ConnectionInfo(), World())
    first, second = (asyncio.create_task(connection.close()) for _ in range(2))
    await anyio.wait_all_tasks_blocked()
    assert not first.done()
    assert not second.done()
    gate.set()
    await first
    await second


@pytest.mark.parametrize(
    ("error", "connected_"),
    [
        (UnavailableError("down", retryable=False), False),
        (PermissionDeniedError("no"), False),
        (DeadlineExceededError("late"), False),
    ],
)
async def test_is_connected_answers_false(error: SpiderError, connected_: bool) -> None:
    world = World()
    world.fail("ping", error)
    async with await connected(world) as connection:
        assert await connection.is_connected() is connected_
        assert await connection.is_connected() is True


async def test_is_connected_does_not_hide_a_mistake() -> None:
    world = World()
    world.fail("ping", InvalidRequestError("a bug"))
    async with await connected(world) as connection:
        with pytest.raises(InvalidRequestError, match="a bug"):
            await connection.is_connected()


def test_connecting_has_a_deadline() -> None:
    class Slow(MockDriver):
        async def _connect(self, connection_info: ConnectionInfo) -> MockConnection:
            await anyio.sleep(100)
            raise AssertionError

    async def main() -> None:
        with pytest.raises(DeadlineExceededError, match="no connection within 3 s"):
            await Slow().connect_cloud(ConnectionInfo(request_timeout=3))

    run_virtually(main())


@pytest.mark.parametrize(
    "url",
    ["127.0.0.1:80", "ftp://127.0.0.1", "http://", "http://host:port", "http://u:secret@host", ""],
)
def test_an_endpoint_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequestError, match="endpoint_url") as caught:
        ConnectionInfo(endpoint_url=url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_a_timeout_that_is_none_is_refused(timeout: float) -> None:
    with pytest.raises(InvalidRequestError, match="request_timeout"):
        ConnectionInfo(request_timeout=timeout)


async def test_connect_takes_a_mapping_or_a_credential_info() -> None:
    values = {"regions": "this,that", "vms": "3"}
    for credential in (values, CredentialInfo(key_values=values)):
        async with connect("mock", region="that", credential=credential) as connection:
            assert connection.region_info.region == "that"
            assert len(await connection.create_vm_handler().list_vm()) == 3
