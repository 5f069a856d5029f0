"""What the author of a driver tells the contract suite about a cloud."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any, ClassVar

import anyio
import msgspec
import pytest
import pytest_asyncio

from ..connection import CloudConnection
from ..driver import CloudDriver
from ..info import ConnectionInfo, CredentialInfo
from ..registry import load_driver
from ..resources import Handler, ImageInfo, Resource, VMReqInfo
from .kit import Kit, closed_port


class ContractHooks:
    """Hooks and fixtures of `DriverContract`; override what differs in your cloud.

    The class attributes and the fixture ``connection_info`` without a default must be given.
    A fixture is overridden by one of the same name in your class, and may use your own ones.
    """

    pytestmark = pytest.mark.asyncio

    driver_name: ClassVar[str]
    """The driver's name in its entry point."""
    spec_id: ClassVar[str]
    """An instance type or flavor that is there."""
    missing_ids: ClassVar[Mapping[Resource, str]] = {}
    """For each resource an id of the right form that nothing has; ``"no-such-thing"`` where a
    resource is not named here."""
    not_creatable: ClassVar[frozenset[Resource]] = frozenset()
    """Resources whose create and delete raise NotSupportedError in this cloud."""
    unique_names: ClassVar[frozenset[Resource]] = frozenset()
    """Resources of which a second one of the same name is refused."""
    refuses_delete_in_use: ClassVar[frozenset[Resource]] = frozenset(
        {Resource.VNETWORK, Resource.SECURITY, Resource.VNIC}
    )
    """Resources that can't be deleted while a VM uses them."""
    has_idempotency: ClassVar[bool] = True
    """Whether the same ``VMReqInfo.idempotency_token`` twice starts one VM."""
    keeps_public_key: ClassVar[bool] = True
    """Whether a key's public half can be read again."""
    has_regions: ClassVar[bool] = True
    """Whether the region of ``connection_info`` is one of `CloudDriver.list_regions`."""
    secret_keys: ClassVar[frozenset[str]] = frozenset()
    """The credential keys whose values are secret: all but names and addresses."""
    incomplete_credential: ClassVar[tuple[Mapping[str, str], str] | None] = None
    """Credential keys of which one is missing, and the name of that one; None when no key needs
    another."""
    known_gaps: ClassVar[Mapping[str, str]] = {}
    """Tests that can't pass on the emulator that is tested on, with the reason: a test's name,
    with its parameter in brackets where only that one fails. They are expected to fail: one that
    passes is a failure, so the list stays true."""
    cleans_up: ClassVar[bool] = True
    """Whether a test deletes what it made; False for an emulator that is thrown away, and keeps
    what a real cloud lets go."""
    patience: ClassVar[int] = 500
    """How often to look, with `pass_time` between, before a wait is given up."""

    @pytest.fixture
    def connection_info(self) -> ConnectionInfo:
        """How to reach the cloud that is tested on. Must be overridden."""
        raise NotImplementedError("override the fixture connection_info")

    @pytest.fixture
    def bad_connection_info(self, connection_info: ConnectionInfo) -> ConnectionInfo:
        """The same place with credentials that it refuses. Must be overridden."""
        raise NotImplementedError("override the fixture bad_connection_info")

    @pytest.fixture
    def unreachable_info(self, connection_info: ConnectionInfo) -> ConnectionInfo:
        """Credentials for a place where nobody answers: a closed port, unless overridden."""
        return msgspec.structs.replace(
            connection_info, endpoint_url=f"http://127.0.0.1:{closed_port()}"
        )

    @pytest.fixture(autouse=True)
    def expect_known_gap(self, request: pytest.FixtureRequest) -> None:
        """Mark the tests of `known_gaps`."""
        name: str = request.node.name  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
        reason = self.known_gaps.get(name) or self.known_gaps.get(name.partition("[")[0])
        if reason:
            request.applymarker(pytest.mark.xfail(reason=reason, strict=True))

    @pytest.fixture
    def driver(self) -> CloudDriver:
        """The driver that is tested."""
        return load_driver(self.driver_name)

    @pytest_asyncio.fixture
    async def connection(
        self, driver: CloudDriver, connection_info: ConnectionInfo
    ) -> AsyncGenerator[CloudConnection, None]:
        """A connection, closed after the test."""
        async with driver.connect_cloud(connection_info) as connection:
            yield connection

    @pytest_asyncio.fixture
    async def kit(self, connection: CloudConnection) -> AsyncGenerator[Kit, None]:
        """What makes things in the cloud, and deletes them after the test."""
        kit = Kit(self, connection)
        try:
            yield kit
        finally:
            if self.cleans_up:
                await kit.delete_all()

    async def image_id(self, connection: CloudConnection) -> str:
        """Return the id of an image that a VM can be started from. Must be overridden."""
        raise NotImplementedError("override image_id")

    async def pass_time(self, connection: CloudConnection) -> None:
        """Let the cloud make progress: sleeps a little, unless overridden."""
        await anyio.sleep(0.02)

    async def fill_pages(self, connection: CloudConnection) -> tuple[Resource, int]:
        """Make a list that takes several answers; return its resource and least count.

        What it makes is left to the author to remove, where that matters. Unless overridden, it
        makes nothing, and names a list that is read as it is.
        """
        return next(
            resource for resource in reversed(Resource) if resource in connection.handlers
        ), 0

    async def vm_request(self, kit: Kit, name: str) -> VMReqInfo:
        """Return a request for a VM in the kit's network, with its group and key."""
        network = await kit.vnetwork()
        return VMReqInfo(
            name=name,
            image_info=ImageInfo(id=await self.image_id(kit.connection)),
            spec_id=self.spec_id,
            vnetwork_info=network,
            subnetwork_id=network.subnets[0].id,
            security_info=await kit.security(),
            key_pair_info=await kit.key(),
        )

    # -- for the tests

    def missing_id(self, resource: Resource) -> str:
        """Return an id that nothing has."""
        return self.missing_ids.get(resource, "no-such-thing")

    def fake_credential(self, driver: CloudDriver) -> CredentialInfo:
        """Return a credential of which every value can be found in a text."""
        return CredentialInfo(key_values={key: f"s3cr3t-{key}" for key in driver.credential_keys})


def handler_of(connection: CloudConnection, resource: Resource) -> Handler[Any]:
    """Return the handler of a resource."""
    return getattr(connection, f"create_{resource}_handler")()
