"""Waiting for a VM's state."""

from __future__ import annotations

import asyncio

import pytest

from asyncspider import (
    ConflictError,
    ConnectionInfo,
    DeadlineExceededError,
    ImageInfo,
    NotFoundError,
    VMReqInfo,
    VMStatus,
    wait_for_vm,
)
from asyncspider_drivers.mock import MockDriver, World

from .virtual import LoopClock, run_virtually


def test_waits() -> None:
    async def main() -> None:
        world = World(vms=0, transition=10.0, clock=LoopClock())
        loop = asyncio.get_running_loop()
        async with MockDriver(world).connect_cloud(ConnectionInfo()) as connection:
            images = await connection.create_image_handler().list_image()
            handler = connection.create_vm_handler()
            request = VMReqInfo(
                name="x", image_info=ImageInfo(id=images[0].id), spec_id="mock.small"
            )
            vm = await handler.start_vm(request)
            with pytest.raises(DeadlineExceededError, match=f"{vm.id} is PENDING after 4 s"):
                await wait_for_vm(handler, vm.id, deadline=4)
            assert await wait_for_vm(handler, vm.id) is VMStatus.RUNNING
            assert 10 <= loop.time() < 12
            await handler.terminate_vm(vm.id)
            with pytest.raises(ConflictError, match="will not become RUNNING"):
                await wait_for_vm(handler, vm.id)
            assert await wait_for_vm(handler, vm.id, VMStatus.TERMINATED) is VMStatus.TERMINATED
            await asyncio.sleep(60)
            assert await wait_for_vm(handler, vm.id, VMStatus.TERMINATED) is VMStatus.TERMINATED
            with pytest.raises(NotFoundError):
                await wait_for_vm(handler, vm.id, VMStatus.SUSPENDED)

    run_virtually(main())
