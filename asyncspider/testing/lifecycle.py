"""The contract of each resource's life: made, found, used, in conflict, deleted."""

from __future__ import annotations

from typing import Any

import anyio
import msgspec
import pytest

from ..connection import CloudConnection
from ..errors import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    NotSupportedError,
    SpiderError,
)
from ..fleet import Record
from ..inventory import encode_jsonl
from ..resources import (
    ImageInfo,
    ImageReqInfo,
    KeyPairInfo,
    KeyPairReqInfo,
    PublicIPReqInfo,
    Resource,
    SecurityInfo,
    SecurityReqInfo,
    VMStatus,
    VNetworkReqInfo,
    VNicReqInfo,
)
from ..secrets import Secret
from .connecting import printed
from .hooks import ContractHooks
from .kit import CIDR, RULES, Kit
from .lists import RESOURCES, everything

PUBLIC_KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ7QPPHkLV1cKj1Ff2yGxUj7WsgoWtO6nYBgR9bkqBpE contract"
)


class LifecycleContract(ContractHooks):
    """Tests that make things. Each deletes what it made."""

    def _can_make(self, connection: CloudConnection, *resources: Resource) -> bool:
        return all(
            resource in connection.handlers and resource not in self.not_creatable
            for resource in resources
        )

    # -- what holds for every resource

    @RESOURCES
    async def test_made_found_deleted(
        self, kit: Kit, connection: CloudConnection, resource: Resource
    ) -> None:
        if not self._can_make(connection, resource):
            return
        made = await kit.make(resource)
        assert made.name
        found = await connection.get(resource, made.id)
        assert (found.id, found.name) == (made.id, made.name)
        listed = [item for item in await everything(connection, resource) if item.id == made.id]
        assert listed == [found]
        assert await kit.delete(resource, made.id) is True
        if resource is Resource.VM:
            return  # may be seen as TERMINATED for a while
        with pytest.raises(NotFoundError):
            await connection.get(resource, made.id)
        with pytest.raises(NotFoundError):
            await kit.delete_once(resource, made.id)
        assert made.id not in [item.id for item in await everything(connection, resource)]

    @RESOURCES
    async def test_what_can_not_be_made_says_so(
        self, connection: CloudConnection, resource: Resource
    ) -> None:
        if resource not in connection.handlers or resource not in self.not_creatable:
            return
        kit = Kit(self, connection)
        with pytest.raises(NotSupportedError):
            await kit.create(resource, _request(resource, kit.name("no")))
        with pytest.raises(NotSupportedError):
            await kit.delete_once(resource, self.missing_id(resource))

    @RESOURCES
    async def test_a_second_one_of_the_same_name(
        self, kit: Kit, connection: CloudConnection, resource: Resource
    ) -> None:
        if resource not in self.unique_names or not self._can_make(connection, resource):
            return
        made = await kit.make(resource)
        if resource is Resource.VM:
            request: Any = await self.vm_request(kit, made.name)
        elif resource is Resource.IMAGE:
            request = ImageReqInfo(name=made.name, vm_id=(await kit.vm()).id)
        elif resource is Resource.SECURITY:
            request = SecurityReqInfo(name=made.name, vnetwork_id=made.vnetwork_id)
        else:
            request = _request(resource, made.name)
        with pytest.raises(ConflictError):
            await kit.create(resource, request)
        assert (await connection.get(resource, made.id)).id == made.id

    async def test_many_made_side_by_side(self, kit: Kit, connection: CloudConnection) -> None:
        if not self._can_make(connection, Resource.KEY_PAIR):
            return
        made: list[KeyPairInfo] = []

        async def make() -> None:
            made.append(await kit.create(Resource.KEY_PAIR, KeyPairReqInfo(name=kit.name("key"))))

        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(make)
        ids = {key.id for key in made}
        assert len(ids) == 10
        assert ids <= {key.id for key in await connection.create_key_pair_handler().list_key()}

    # -- networks, groups, keys

    async def test_a_network_has_addresses_and_a_subnet(
        self, kit: Kit, connection: CloudConnection
    ) -> None:
        if not self._can_make(connection, Resource.VNETWORK):
            return
        made = await kit.vnetwork()
        found = await connection.create_vnetwork_handler().get_vnetwork(made.id)
        assert CIDR in [*found.cidr_blocks, *(subnet.cidr_block for subnet in found.subnets)]
        assert found.subnets
        assert all(subnet.id and subnet.cidr_block for subnet in found.subnets)
        assert [subnet.id for subnet in made.subnets] == [subnet.id for subnet in found.subnets]

    async def test_a_network_of_nonsense_is_refused(
        self, kit: Kit, connection: CloudConnection
    ) -> None:
        if not self._can_make(connection, Resource.VNETWORK):
            return
        before = {network.id for network in await everything(connection, Resource.VNETWORK)}
        request = VNetworkReqInfo(name=kit.name("net"), cidr_block="300.1.2.0/16")
        with pytest.raises(InvalidRequestError):
            await kit.create(Resource.VNETWORK, request)
        after = {network.id for network in await everything(connection, Resource.VNETWORK)}
        assert after <= before, "something was left of it"

    async def test_a_group_has_its_rules(self, kit: Kit, connection: CloudConnection) -> None:
        if not self._can_make(connection, Resource.SECURITY, Resource.VNETWORK):
            return
        made = await kit.security()
        found = await connection.create_security_handler().get_security(made.id)
        for info in (made, found):
            missing = [rule for rule in RULES if rule not in info.rules]
            assert not missing

    async def test_a_new_key_shows_its_private_half_once(
        self, kit: Kit, connection: CloudConnection
    ) -> None:
        if not self._can_make(connection, Resource.KEY_PAIR):
            return
        made = await kit.key()
        assert isinstance(made.private_key, Secret)
        text = made.private_key.reveal()
        assert "PRIVATE KEY" in text
        secret_line = text.splitlines()[2 if text.count("\n") > 2 else 1]
        record = Record(
            self.driver_name, "target", "", "", Resource.KEY_PAIR, made.id, made.name, made
        )
        for shown in (printed(made), printed([made]), encode_jsonl([record]).decode()):
            assert secret_line not in shown
            assert text not in shown
        found = await connection.create_key_pair_handler().get_key(made.id)
        assert found.private_key is None
        assert found.fingerprint
        if self.keeps_public_key:
            assert found.public_key.startswith("ssh-")

    async def test_a_public_key_is_imported(self, kit: Kit, connection: CloudConnection) -> None:
        if not self._can_make(connection, Resource.KEY_PAIR):
            return
        request = KeyPairReqInfo(name=kit.name("key"), public_key=PUBLIC_KEY)
        made = await kit.create(Resource.KEY_PAIR, request)
        assert made.private_key is None
        found = await connection.create_key_pair_handler().get_key(made.id)
        if self.keeps_public_key:
            assert found.public_key.split()[:2] == PUBLIC_KEY.split()[:2]

    async def test_what_is_no_public_key_is_refused(
        self, kit: Kit, connection: CloudConnection
    ) -> None:
        if not self._can_make(connection, Resource.KEY_PAIR):
            return
        request = KeyPairReqInfo(name=kit.name("key"), public_key="this is no key")
        with pytest.raises(InvalidRequestError):
            await kit.create(Resource.KEY_PAIR, request)

    # -- interfaces and addresses

    async def test_an_interface_is_where_it_was_asked_for(
        self, kit: Kit, connection: CloudConnection
    ) -> None:
        if not self._can_make(connection, Resource.VNIC, Resource.VNETWORK):
            return
        made = await kit.vnic()
        found = await connection.create_vnic_handler().get_vnic(made.id)
        network, group = await kit.vnetwork(), await kit.security()
        assert found.vnetwork_id == network.id
        assert found.subnetwork_id == network.subnets[0].id
        assert found.security_ids == [group.id]
        assert found.private_ip
        assert found.mac_address == found.mac_address.lower()
        assert found.vm_id == ""

    async def test_an_address_of_nobody(self, kit: Kit, connection: CloudConnection) -> None:
        if not self._can_make(connection, Resource.PUBLIC_IP):
            return
        made = await kit.public_ip()
        found = await connection.create_public_ip_handler().get_public_ip(made.id)
        assert found.public_ip == made.public_ip != ""
        assert (found.vm_id, found.vnic_id, found.private_ip) == ("", "", "")

    async def test_an_address_for_a_vm(self, kit: Kit, connection: CloudConnection) -> None:
        if not self._can_make(connection, Resource.PUBLIC_IP, Resource.VM):
            return
        vm = await kit.vm()
        made = await kit.public_ip(vm_id=vm.id)
        found = await connection.create_public_ip_handler().get_public_ip(made.id)
        assert found.vm_id == made.vm_id == vm.id
        seen = await connection.create_vm_handler().get_vm(vm.id)
        assert seen.public_ip == found.public_ip != ""
        assert found.private_ip == seen.private_ip
        assert await kit.delete(Resource.PUBLIC_IP, made.id) is True
        for _ in range(self.patience):  # a cloud may show it for some seconds more
            after = await connection.create_vm_handler().get_vm(vm.id)
            if after.public_ip != found.public_ip:
                break
            await self.pass_time(connection)
        else:
            pytest.fail(f"{vm.id} still has the address that was released")

    async def test_an_address_for_nobody_is_released_again(
        self, kit: Kit, connection: CloudConnection
    ) -> None:
        if not self._can_make(connection, Resource.PUBLIC_IP):
            return
        before = {ip.id for ip in await everything(connection, Resource.PUBLIC_IP)}
        with pytest.raises(NotFoundError):
            await kit.public_ip(vm_id=self.missing_id(Resource.VM))
        assert {ip.id for ip in await everything(connection, Resource.PUBLIC_IP)} <= before

    # -- VMs

    async def test_the_life_of_a_vm(self, kit: Kit, connection: CloudConnection) -> None:
        if not self._can_make(connection, Resource.VM):
            return
        handler = connection.create_vm_handler()
        name = kit.name("vm")
        request = await self.vm_request(kit, name)
        started = await kit.create(Resource.VM, request)
        assert started.name == name
        assert started.status in (VMStatus.PENDING, VMStatus.RUNNING)
        await kit.reach(started.id, VMStatus.RUNNING)

        vm = await handler.get_vm(started.id)
        assert (vm.id, vm.name, vm.status) == (started.id, name, VMStatus.RUNNING)
        assert vm.native_status
        assert vm.start_time is not None
        assert vm.image_id == request.image_info.id
        assert vm.spec_id == request.spec_id
        if request.vnetwork_info is not None:
            assert vm.vnetwork_id == request.vnetwork_info.id
        if request.key_pair_info is not None and vm.key_pair_id:
            assert vm.key_pair_id == request.key_pair_info.id
        if request.security_info is not None:
            assert request.security_info.id in vm.security_ids
            assert vm.security_id == vm.security_ids[0]
        assert vm.private_ip
        statuses = {status.id: status for status in await handler.list_vm_status()}
        assert statuses[vm.id].status is VMStatus.RUNNING
        assert statuses[vm.id].native_status == vm.native_status

        assert await handler.suspend_vm(vm.id) in (VMStatus.SUSPENDING, VMStatus.SUSPENDED)
        await kit.reach(vm.id, VMStatus.SUSPENDED)
        assert (await handler.get_vm(vm.id)).status is VMStatus.SUSPENDED
        assert await handler.resume_vm(vm.id) in (VMStatus.PENDING, VMStatus.RUNNING)
        await kit.reach(vm.id, VMStatus.RUNNING)
        assert await handler.reboot_vm(vm.id) in (VMStatus.REBOOTING, VMStatus.RUNNING)
        await kit.reach(vm.id, VMStatus.RUNNING)

        assert await handler.terminate_vm(vm.id) in (VMStatus.TERMINATING, VMStatus.TERMINATED)
        await kit.reach(vm.id, VMStatus.TERMINATED)
        left = [item for item in await handler.list_vm() if item.id == vm.id]
        assert all(item.status is VMStatus.TERMINATED for item in left)

    async def test_a_vm_has_the_tags_it_was_given(
        self, kit: Kit, connection: CloudConnection
    ) -> None:
        if not self._can_make(connection, Resource.VM):
            return
        tags = {"purpose": "contract", "round": "1"}
        vm = await kit.vm(tags=tags)
        assert tags.items() <= vm.tags.items()

    async def test_a_vm_with_an_interface_and_an_address_of_its_own(
        self, kit: Kit, connection: CloudConnection
    ) -> None:
        if not self._can_make(connection, Resource.VM, Resource.VNIC, Resource.PUBLIC_IP):
            return
        vnic = await kit.vnic()
        address = await kit.public_ip()
        vm = await kit.vm(vnic_info=vnic, public_ip_info=address)
        assert vm.vnic == vnic.id
        assert vm.private_ip == vnic.private_ip
        attached = await connection.create_vnic_handler().get_vnic(vnic.id)
        assert attached.vm_id == vm.id
        seen = await connection.create_public_ip_handler().get_public_ip(address.id)
        assert seen.vm_id == vm.id

    async def test_an_idempotency_token_starts_one_vm(
        self, kit: Kit, connection: CloudConnection
    ) -> None:
        if not self.has_idempotency or not self._can_make(connection, Resource.VM):
            return
        request = await self.vm_request(kit, kit.name("vm"))
        request = msgspec.structs.replace(request, idempotency_token=kit.name("token"))
        first = await kit.create(Resource.VM, request)
        second = await connection.create_vm_handler().start_vm(request)
        assert second.id == first.id
        names = [vm.name for vm in await connection.create_vm_handler().list_vm()]
        assert names.count(request.name) == 1

    @pytest.mark.parametrize(
        "missing",
        [Resource.IMAGE, Resource.VNETWORK, Resource.SECURITY, Resource.KEY_PAIR],
    )
    async def test_a_vm_of_what_is_not_there(
        self, kit: Kit, connection: CloudConnection, missing: Resource
    ) -> None:
        if not self._can_make(connection, Resource.VM, missing):
            return
        request = await self.vm_request(kit, kit.name("vm"))
        id = self.missing_id(missing)
        match missing:
            case Resource.IMAGE:
                request = msgspec.structs.replace(request, image_info=ImageInfo(id=id))
            case Resource.VNETWORK:
                request = msgspec.structs.replace(
                    request,
                    vnetwork_info=msgspec.structs.replace(await kit.vnetwork(), id=id, subnets=[]),
                    subnetwork_id="",
                )
            case Resource.SECURITY:
                request = msgspec.structs.replace(request, security_info=SecurityInfo(id=id))
            case _:
                request = msgspec.structs.replace(request, key_pair_info=KeyPairInfo(id=id))
        with pytest.raises((NotFoundError, InvalidRequestError)) as caught:
            await kit.create(Resource.VM, request)
        assert caught.value.driver == self.driver_name
        names = [vm.name for vm in await connection.create_vm_handler().list_vm()]
        assert request.name not in names

    async def test_a_vm_of_an_unknown_spec(self, kit: Kit, connection: CloudConnection) -> None:
        if not self._can_make(connection, Resource.VM):
            return
        request = await self.vm_request(kit, kit.name("vm"))
        with pytest.raises((InvalidRequestError, NotFoundError)):
            await kit.create(Resource.VM, msgspec.structs.replace(request, spec_id="no.such-spec"))

    async def test_an_image_of_what_is_not_there(
        self, kit: Kit, connection: CloudConnection
    ) -> None:
        if not self._can_make(connection, Resource.IMAGE):
            return
        request = ImageReqInfo(name=kit.name("image"), vm_id=self.missing_id(Resource.VM))
        with pytest.raises(NotFoundError):
            await kit.create(Resource.IMAGE, request)

    # -- in use

    @pytest.mark.parametrize("resource", [Resource.VNETWORK, Resource.SECURITY, Resource.VNIC])
    async def test_what_a_vm_uses_is_not_deleted(
        self, kit: Kit, connection: CloudConnection, resource: Resource
    ) -> None:
        if not self._can_make(connection, Resource.VM, resource):
            return
        if resource not in self.refuses_delete_in_use:
            return
        if resource is Resource.VNIC:
            used = await kit.vnic()
            vm = await kit.vm(vnic_info=used)
        else:
            vm = await kit.vm()
            used = await kit.make(resource)
        with pytest.raises(ConflictError) as caught:
            await kit.delete_once(resource, used.id)
        assert caught.value.driver == self.driver_name
        assert caught.value.message
        assert (await connection.get(resource, used.id)).id == used.id
        assert (await connection.create_vm_handler().get_vm(vm.id)).status is VMStatus.RUNNING

    async def test_errors_of_a_life_can_be_acted_on(
        self, kit: Kit, connection: CloudConnection
    ) -> None:
        if not self._can_make(connection, Resource.VM):
            return
        vm = await kit.vm()
        handler = connection.create_vm_handler()
        await handler.terminate_vm(vm.id)
        await kit.reach(vm.id, VMStatus.TERMINATED)
        for call in (handler.suspend_vm, handler.resume_vm, handler.reboot_vm):
            with pytest.raises((ConflictError, NotFoundError, InvalidRequestError)) as caught:
                await call(vm.id)
            assert isinstance(caught.value, SpiderError)
            assert not caught.value.retryable


def _request(resource: Resource, name: str) -> Any:
    match resource:
        case Resource.VNETWORK:
            return VNetworkReqInfo(name=name)
        case Resource.SECURITY:
            return SecurityReqInfo(name=name)
        case Resource.KEY_PAIR:
            return KeyPairReqInfo(name=name)
        case Resource.VNIC:
            return VNicReqInfo(name=name)
        case Resource.PUBLIC_IP:
            return PublicIPReqInfo(name=name)
        case _:
            return ImageReqInfo(name=name, vm_id="no-such-thing")
