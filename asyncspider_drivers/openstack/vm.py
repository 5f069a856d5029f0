"""VMs: Nova's servers."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

import anyio
import msgspec
from anyio import CancelScope

from asyncspider import (
    ConflictError,
    DeadlineExceededError,
    InvalidRequestError,
    NotFoundError,
    Page,
    Paged,
    Secret,
    VMHandler,
    VMInfo,
    VMReqInfo,
    VMStatus,
    VMStatusInfo,
)
from asyncspider.streams import gathered
from asyncspider.transport.decoding import mapped

from . import wire
from .mapping import (
    Joins,
    floating_by_port,
    ports_by_vm,
    vm_info,
    vm_status,
    vm_status_info,
)
from .paths import segment
from .public_ip import OpenStackPublicIPHandler
from .vnic import OpenStackVNicHandler

if TYPE_CHECKING:
    from .connection import OpenStackConnection  # noqa: F401 - named in a string below

R = TypeVar("R")
S = TypeVar("S", bound=wire.ServerState)

PORT_MARK = "made by asyncspider for its VM"
"""Description of ports that `terminate_vm` deletes: Nova keeps those that it did not make."""
_RESUME: dict[str, Any] = {
    "PAUSED": {"unpause": None},
    "SHELVED": {"unshelve": None},
    "SHELVED_OFFLOADED": {"unshelve": None},
    "SUSPENDED": {"resume": None},
}
"""What starts a server again, by its status; all others: ``os-start``."""
_FLAVOR_BY_NAME_SINCE = (2, 47)
_IMAGE_ID_SINCE = (2, 45)
_NO_NETWORK_SINCE = (2, 37)
_WAIT = 0.1
_LONGEST_WAIT = 2.0


class OpenStackVMHandler(VMHandler["OpenStackConnection"]):
    """Servers. Nova has no idempotency token: the same one twice starts two."""

    # -- starting

    async def start_vm(self, vm_req_info: VMReqInfo) -> VMInfo:
        """Create a server.

        A port is made for it first where Nova can't do what is asked: for a certain subnet of a
        network that has several, and for a public address. It goes with the server.
        """
        request = vm_req_info
        connection = self.connection
        groups = list(
            dict.fromkeys(
                group.id
                for group in (request.security_info, *request.security_infos)
                if group is not None
            )
        )
        async with AsyncExitStack() as undo:
            networks = await self._networks(request, groups, undo)
            server: dict[str, Any] = {
                "name": request.name,
                "imageRef": request.image_info.id,
                "flavorRef": request.spec_id,
                "networks": networks,
                "metadata": request.tags,
            }
            if groups and isinstance(networks, list) and "port" not in networks[0]:
                server["security_groups"] = [{"name": group} for group in groups]
            if request.key_pair_info is not None:
                server["key_name"] = request.key_pair_info.id
            if request.user_data:
                server["user_data"] = base64.b64encode(request.user_data.encode()).decode()
            zone = connection.region_info.zone
            if zone:
                server["availability_zone"] = zone
            if networks == "none" and connection.microversion < _NO_NETWORK_SINCE:
                del server["networks"]
            made = await self._create(server)
            undo.pop_all()
        try:
            found = await self.get_vm(made.id)
        except NotFoundError:  # already deleted by somebody else
            found = VMInfo(id=made.id, name=request.name, status=VMStatus.TERMINATED)
        return msgspec.structs.replace(found, guest_user_pwd=Secret(made.admin_password))

    async def _create(self, server: dict[str, Any]) -> wire.NewServer:
        async def create() -> wire.NewServer:
            answer = await self.connection.call(
                wire.CreatedServer,
                "CreateServer",
                "compute",
                "POST",
                "/servers",
                body={"server": server},
            )
            return answer.server

        try:
            return await create()
        except NotFoundError as error:
            # People know flavors by name, too.
            flavors = {name: id for id, name in await self._flavors()}
            named = server["flavorRef"]
            if named not in flavors or named not in error.message:
                raise
            server["flavorRef"] = flavors[named]
            return await create()

    async def _flavors(self) -> list[tuple[str, str]]:
        flavors: list[wire.Flavor] = await self.connection.all_of(
            wire.Flavors, "ListFlavors", "compute", "/flavors", "flavors"
        )
        return [(flavor.id, flavor.name) for flavor in flavors]

    async def _networks(
        self, request: VMReqInfo, groups: list[str], undo: AsyncExitStack
    ) -> list[dict[str, str]] | str:
        """Return what Nova takes as ``networks``."""
        await self.connection.endpoint("compute")
        port_id = request.vnic_info.id if request.vnic_info is not None else ""
        network_id = request.vnetwork_info.id if request.vnetwork_info is not None else ""
        if not port_id and not network_id and not request.subnetwork_id:
            network = await self.connection.only_network("CreateServer")
            if network is None:
                return "none"
            network_id = network.id
        subnet_id = "" if port_id else request.subnetwork_id
        if subnet_id:
            subnet = await self._subnet(subnet_id, network_id)
            network_id = subnet.network_id
            if await self._is_only(subnet):
                subnet_id = ""  # Nova will take it anyway
        if not port_id and (subnet_id or request.public_ip_info is not None):
            vnics = OpenStackVNicHandler(self.connection)
            port = await vnics.make(
                request.name,
                network_id=network_id,
                subnet_id=subnet_id,
                security_ids=groups,
                description=PORT_MARK,
            )
            port_id = port.id
            undo.push_async_callback(self._remove_port, port_id)
        if request.public_ip_info is not None:
            addresses = OpenStackPublicIPHandler(self.connection)
            await addresses.associate(request.public_ip_info.id, port_id)
        return [{"port": port_id}] if port_id else [{"uuid": network_id}]

    async def _subnet(self, subnet_id: str, network_id: str) -> wire.Subnet:
        subnet = await OpenStackVNicHandler(self.connection).subnet(subnet_id)
        if network_id and subnet.network_id != network_id:
            raise InvalidRequestError(
                f"subnet {subnet_id} is not of network {network_id}, but of {subnet.network_id}",
                **self.connection.facts("CreateServer"),
            )
        return subnet

    async def _is_only(self, subnet: wire.Subnet) -> bool:
        others: list[wire.Subnet] = await self.connection.all_of(
            wire.Subnets,
            "ListSubnets",
            "network",
            "/subnets",
            "subnets",
            f"network_id={subnet.network_id}",
        )
        return all(other.id == subnet.id for other in others)

    async def _remove_port(self, port_id: str) -> None:
        with CancelScope(shield=True):
            await OpenStackVNicHandler(self.connection).remove(port_id)

    # -- power

    async def suspend_vm(self, vm_id: str) -> VMStatus:
        """Stop a server (os-stop)."""
        return await self._act(vm_id, "StopServer", {"os-stop": None})

    async def resume_vm(self, vm_id: str) -> VMStatus:
        """Start a server that is stopped, suspended, paused or shelved, as each of them needs.

        While it is still on its way there, it is waited for.
        """

        async def resume() -> VMStatus:
            server = await self._state(vm_id)
            if server.task is not None:
                raise self._busy(vm_id, server.task)
            action = _RESUME.get(server.status, {"os-start": None})
            return await self._post(vm_id, "StartServer", action)

        return await self._when_free(vm_id, "StartServer", resume)

    async def reboot_vm(self, vm_id: str) -> VMStatus:
        """Reboot a server, gracefully where its hypervisor can (``SOFT``)."""
        return await self._act(vm_id, "RebootServer", {"reboot": {"type": "SOFT"}})

    async def terminate_vm(self, vm_id: str) -> VMStatus:
        """Delete a server, and the port that `start_vm` made for it, if it made one.

        Neutron lets go of such a port only when the server is gone: then that is waited for.

        Raises:
            DeadlineExceededError: The server is still there after ``request_timeout``.
        """
        connection = self.connection
        path = f"/servers/{segment(vm_id)}"
        ports: list[wire.Port] = await connection.ports(device_id=vm_id)

        async def delete() -> None:
            await connection.call(wire.Nothing, "DeleteServer", "compute", "DELETE", path)

        await self._when_free(vm_id, "DeleteServer", delete)
        marked = [port.id for port in ports if port.description == PORT_MARK]
        if marked:
            await self._gone(vm_id)
        for port_id in marked:
            with suppress(NotFoundError):
                await OpenStackVNicHandler(connection).remove(port_id)
        try:
            return await self.get_vm_status(vm_id)
        except NotFoundError:
            return VMStatus.TERMINATED

    async def _gone(self, vm_id: str) -> None:
        timeout = self.connection.connection_info.request_timeout
        pause = _WAIT
        with anyio.move_on_after(timeout):
            while True:
                try:
                    await self._state(vm_id)
                except NotFoundError:
                    return
                await anyio.sleep(pause)
                pause = min(_LONGEST_WAIT, pause * 2)
        raise DeadlineExceededError(
            f"VM {vm_id} is being deleted, but still there after {timeout:g} s; its port is left",
            **self.connection.facts("DeleteServer"),
        )

    async def snapshot(self, vm_id: str, name: str, metadata: dict[str, str]) -> str:
        """Make an image of a server (createImage) and return the image's id."""

        async def create() -> str:
            before = {image.id for image in await self._named(name)} if by_name else set[str]()
            answer = await self.connection.call(
                wire.CreatedImage,
                "CreateImage",
                "compute",
                "POST",
                f"/servers/{segment(vm_id)}/action",
                body={"createImage": {"name": name, "metadata": metadata}},
            )
            if answer.image_id:
                return answer.image_id
            [made] = [image for image in await self._named(name) if image.id not in before]
            return made.id

        await self.connection.endpoint("compute")
        # Before, Nova told it in a header only; its name finds it as well.
        by_name = self.connection.microversion < _IMAGE_ID_SINCE
        return await self._when_free(vm_id, "CreateImage", create)

    async def _named(self, name: str) -> list[wire.Image]:
        return await self.connection.all_of(
            wire.Images, "ListImages", "image", "/images", "images", urlencode({"name": name})
        )

    async def _act(self, vm_id: str, operation: str, action: dict[str, Any]) -> VMStatus:
        return await self._when_free(vm_id, operation, lambda: self._post(vm_id, operation, action))

    async def _post(self, vm_id: str, operation: str, action: dict[str, Any]) -> VMStatus:
        path = f"/servers/{segment(vm_id)}/action"
        await self.connection.call(wire.Nothing, operation, "compute", "POST", path, body=action)
        return await self.get_vm_status(vm_id)

    async def _when_free(self, vm_id: str, operation: str, act: Callable[[], Awaitable[R]]) -> R:
        """Do something to a server, again and again while Nova says that it is busy.

        Nova refuses with 409 while another task runs (``task_state``), which is a matter of
        seconds; a state that forbids the call is a 409 too, and is not waited for.
        """
        timeout = self.connection.connection_info.request_timeout
        pause = _WAIT
        busy: ConflictError | None = None
        with anyio.move_on_after(timeout):
            while True:
                try:
                    return await act()
                except ConflictError as error:
                    if "task_state" not in error.message:
                        server = await self._state(vm_id)
                        if server.task is None:
                            raise
                    busy = error
                await anyio.sleep(pause)
                pause = min(_LONGEST_WAIT, pause * 2)
        assert busy is not None or timeout > 0
        raise DeadlineExceededError(
            f"VM {vm_id} is still busy after {timeout:g} s"
            + (f": {busy.message}" if busy is not None else ""),
            **self.connection.facts(operation),
        ) from busy

    def _busy(self, vm_id: str, task: str) -> ConflictError:
        return ConflictError(
            f"VM {vm_id} is in task_state {task}", **self.connection.facts("StartServer")
        )

    # -- states

    def iter_vm_status(self) -> Paged[VMStatusInfo]:
        """Iterate over states; Nova has no shorter list that tells them."""
        return Paged(self._status_pages)

    async def _status_pages(self) -> AsyncGenerator[Page[VMStatusInfo], None]:
        async for answer in self.connection.pages_of(
            wire.ServerStates, "ListServersDetailed", "compute", "/servers/detail", self._query()
        ):
            yield Page([vm_status_info(server) for server in self._here(answer.servers)])

    async def get_vm_status(self, vm_id: str) -> VMStatus:
        """Return the state of one server."""
        return vm_status(await self._state(vm_id))

    async def _state(self, vm_id: str) -> wire.ServerState:
        path = f"/servers/{segment(vm_id)}"
        found = await self.connection.call(
            wire.OneServerState, "ShowServerDetails", "compute", "GET", path
        )
        return found.server

    # -- lists

    def iter_vm(self) -> Paged[VMInfo]:
        """Iterate over servers, joined with one list each of ports and floating IPs.

        A Nova of microversion 2.47 and later only tells a flavor's name: then with one list of
        flavors, too.
        """
        return Paged(self._pages)

    def _here(self, servers: list[S]) -> list[S]:
        """Return those in the connection's zone; only administrators may let Nova filter by it."""
        zone = self.connection.region_info.zone
        return [server for server in servers if server.zone == zone] if zone else servers

    def _query(self) -> str:
        return "all_tenants=1" if self.connection.all_projects else ""

    async def _pages(self) -> AsyncGenerator[Page[VMInfo], None]:
        connection = self.connection
        region = connection.region_info.region
        pages = connection.pages_of(
            wire.Servers, "ListServersDetailed", "compute", "/servers/detail", self._query()
        )
        try:
            answer, ports, floating, *flavors = await gathered(
                lambda: anext(pages),
                lambda: connection.ports(*wire.VM_PORT),
                lambda: connection.floating_ips(*wire.VM_FLOATING_IP),
                *await self._flavor_lists(),
            )
            joins = Joins(ports_by_vm(ports), floating_by_port(floating), *flavors)
            while answer is not None:
                servers = self._here(answer.servers)
                yield Page(await mapped(lambda server: vm_info(server, region, joins), servers))
                answer = await anext(pages, None)
        finally:
            await pages.aclose()

    async def _flavor_lists(self) -> list[Callable[[], Awaitable[dict[str, str]]]]:
        """Return the call that finds flavors' ids by name, where Nova names no ids."""
        await self.connection.endpoint("compute")
        if self.connection.microversion < _FLAVOR_BY_NAME_SINCE:
            return []
        return [self._flavors_by_name]

    async def _flavors_by_name(self) -> dict[str, str]:
        return {name: id for id, name in await self._flavors()}

    async def get_vm(self, vm_id: str) -> VMInfo:
        """Return one server."""
        path = f"/servers/{segment(vm_id)}"
        found, ports, *flavors = await gathered(
            lambda: self.connection.call(
                wire.OneServer, "ShowServerDetails", "compute", "GET", path
            ),
            lambda: self.connection.ports(device_id=vm_id),
            *await self._flavor_lists(),
        )
        region = self.connection.region_info.region
        joins = Joins(ports_by_vm(ports), {}, *flavors)
        info = vm_info(found.server, region, joins)
        if info.public_ip or not ports:
            return info
        # Nova shows a new floating address late.
        query = urlencode([("port_id", port.id) for port in ports])
        floating = await self.connection.floating_ips(query=query)
        if not floating:
            return info
        joins = Joins(joins.ports, floating_by_port(floating), *flavors)
        return vm_info(found.server, region, joins)
