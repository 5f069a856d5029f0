"""The clouds of the demo: each starts, is filled, gives its targets, and stops."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import ExitStack
from importlib.util import find_spec
from types import TracebackType
from typing import Self

import anyio
import msgspec

from asyncspider import (
    ConnectionInfo,
    CredentialInfo,
    NotSupportedError,
    RegionInfo,
    Target,
    expand,
)
from asyncspider.registry import load_driver
from asyncspider.streams import first_error

from .fill import fill
from .servers import LocalServer


class DemoCloud(ABC):
    """A cloud of the demo, a context manager: leaving it leaves nothing behind."""

    title: str
    """What it is, in a few words."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Start whatever it needs; must be quick."""
        return self

    @abstractmethod
    async def targets(self, vms: int) -> list[Target]:
        """Fill it with `vms` VMs in each region and what belongs to them.

        Returns:
            What to scan.
        """

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()


class MotoAws(DemoCloud):
    """AWS, emulated by moto's server."""

    title = "AWS (moto's server) in 6 regions"
    regions = ("us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-northeast-1", "sa-east-1")

    def __enter__(self) -> Self:
        if find_spec("moto") is None or find_spec("flask") is None:
            raise NotSupportedError(
                "the demo needs moto's server, which is not installed; install asyncspider[demo]"
            )
        load_driver("aws")
        _forget_aws_environment()
        self._server = self._stack.enter_context(LocalServer("asyncspider_drivers.demo.moto"))
        return self

    async def targets(self, vms: int) -> list[Target]:
        """Fill each region at the same time."""
        info = ConnectionInfo(
            # Moto takes any; these are the placeholders of its own documentation.
            credential_info=CredentialInfo(
                key_values={"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
            ),
            endpoint_url=await self._server.ready(),
        )
        targets = await expand("aws", info, self.regions)
        async with load_driver("aws").connect_cloud(targets[0].connection_info) as connection:
            images = connection.create_image_handler().iter_image(owners=["amazon"])
            image = await anext(aiter(images))
            await images.aclose()

        async def fill_one(target: Target) -> None:
            async with load_driver("aws").connect_cloud(target.connection_info) as connection:
                await fill(
                    connection, prefix="demo", vms=vms, image_id=image.id, spec_id="t3.micro"
                )

        async with anyio.create_task_group() as group:
            for target in targets:
                group.start_soon(fill_one, target)
        return targets


class EmulatedGcp(DemoCloud):
    """Google Cloud, emulated: one project, listed as a whole."""

    title = "Google Cloud (our emulator) in 3 regions"

    def __enter__(self) -> Self:
        load_driver("gcp")
        self._server = self._stack.enter_context(
            LocalServer("asyncspider_drivers.demo.compute_engine")
        )
        return self

    async def targets(self, vms: int) -> list[Target]:
        """Fill each region at the same time; one target covers them all."""
        info = ConnectionInfo(
            # A token of no account: the driver looks for no other credentials then.
            credential_info=CredentialInfo(
                key_values={"project_id": "demo", "access_token": "testing-no-account"}
            ),
            endpoint_url=await self._server.ready(),
        )
        driver = load_driver("gcp")
        places = await driver.list_regions(info)
        async with driver.connect_cloud(info) as connection:
            images = await connection.create_image_handler().list_image(owners=["debian-cloud"])

        async def fill_one(place: RegionInfo) -> None:
            there = msgspec.structs.replace(info, region_info=place)
            async with driver.connect_cloud(there) as connection:
                await fill(
                    connection,
                    prefix=f"demo-{place.region}",  # networks and images span all regions
                    vms=vms,
                    image_id=images[0].id,
                    spec_id="e2-small",
                )

        async with anyio.create_task_group() as group:
            for place in places:
                group.start_soon(fill_one, place)
        return await expand("gcp", info, driver.default_regions)


class Mock(DemoCloud):
    """The mock cloud, which comes with its VMs."""

    title = "a mock cloud in 4 regions"

    async def targets(self, vms: int) -> list[Target]:
        """Seed it."""
        settings = {"regions": "4", "vms": str(25 * vms), "page_size": "100", "latency": "0.05"}
        return await expand(
            "mock", ConnectionInfo(credential_info=CredentialInfo(key_values=settings))
        )


def _forget_aws_environment() -> None:
    """Make sure that nothing of the user's own AWS accounts is looked at in this process."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"


CLOUDS: tuple[Callable[[], DemoCloud], ...] = (MotoAws, EmulatedGcp, Mock)
"""All of them; one more is a class here and its name in this line."""


async def fill_all(
    clouds: list[DemoCloud], vms: int, told: Callable[[DemoCloud], None]
) -> list[Target]:
    """Fill all clouds at the same time.

    Raises:
        SpiderError: One could not be filled.
    """
    found: dict[int, list[Target]] = {}

    async def one(index: int) -> None:
        found[index] = await clouds[index].targets(vms)
        told(clouds[index])

    try:
        async with anyio.create_task_group() as group:
            for index in range(len(clouds)):
                group.start_soon(one, index)
    except BaseExceptionGroup as errors:
        raise first_error(errors) from None
    return [target for index in sorted(found) for target in found[index]]
