"""A cloud full of differences, made with openstacksdk: what the differential tests look at."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from openstack.connection import Connection

from tests.openstack_sandbox.seed import EXTERNAL_NETWORK, IMAGE

PREFIX = "world-"
STATES: dict[str, tuple[str, str]] = {
    # name: what is asked of the running server, the status that it leads to
    "pause": ("pause_server", "PAUSED"),
    "suspend": ("suspend_server", "SUSPENDED"),
    "stop": ("stop_server", "SHUTOFF"),
    "shelve": ("shelve_server", "SHELVED_OFFLOADED"),
    "rescue": ("rescue_server", "RESCUE"),
    "resize": ("resize_server", "VERIFY_RESIZE"),
    "lock": ("lock_server", "ACTIVE"),
}


@dataclass
class World:
    """What was made, by name."""

    servers: dict[str, str] = field(default_factory=dict)
    networks: dict[str, str] = field(default_factory=dict)
    subnets: dict[str, str] = field(default_factory=dict)


def wait(what: str, look: Callable[[], Any], seconds: float = 90) -> Any:
    """Look until it is so."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.2)


def reach(sdk: Connection, server_id: str, status: str) -> None:
    """Wait until a server has a status and nothing more to do."""

    def reached() -> bool:
        server: Any = sdk.compute.get_server(server_id)
        assert server.status == status or server.status != "ERROR", server.fault
        return server.status == status and server.task_state is None

    wait(f"{server_id} {status}", reached)


def build(sdk: Connection) -> World:
    """Make networks, groups, keys, ports, addresses and servers; wait until all is there."""
    world = World()
    image: Any = next(image for image in sdk.image.images() if image.name == IMAGE)
    external: Any = sdk.network.find_network(EXTERNAL_NETWORK)
    for name, cidrs in (
        ("plain", [(4, "10.61.0.0/24")]),
        ("second", [(4, "10.62.0.0/24"), (4, "10.62.1.0/24")]),
        ("dual", [(4, "10.63.0.0/24"), (6, "fd00:63::/64")]),
        ("six", [(6, "fd00:64::/64")]),
        ("empty", []),
    ):
        network: Any = sdk.network.create_network(name=PREFIX + name)
        world.networks[name] = network.id
        for number, (version, cidr) in enumerate(cidrs):
            extra = {}
            if version == 6:
                extra = {"ipv6_address_mode": "slaac", "ipv6_ra_mode": "slaac"}
            subnet: Any = sdk.network.create_subnet(
                name=f"{PREFIX}{name}-{number}",
                network_id=network.id,
                ip_version=version,
                cidr=cidr,
                **extra,
            )
            world.subnets[f"{name}-{number}"] = subnet.id
    router: Any = sdk.network.create_router(
        name=PREFIX + "router", external_gateway_info={"network_id": external.id}
    )
    for subnet_name in ("plain-0", "dual-0"):
        sdk.network.add_interface_to_router(router, world.subnets[subnet_name])
    group: Any = sdk.network.create_security_group(name=PREFIX + "group", description="Ünïcode ✓")
    other: Any = sdk.network.create_security_group(name=PREFIX + "group")  # names may repeat
    for rule in (
        {"direction": "ingress", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22},
        {"direction": "ingress", "protocol": "udp", "remote_ip_prefix": "10.0.0.0/8",
         "port_range_min": 5000, "port_range_max": 6000},
        {"direction": "ingress", "protocol": "icmp", "port_range_min": 8, "port_range_max": 0},
        {"direction": "egress", "ethertype": "IPv6", "protocol": "tcp"},
        {"direction": "ingress", "remote_group_id": other.id},
        {"direction": "ingress", "protocol": "112"},
    ):  # fmt: skip
        sdk.network.create_security_group_rule(security_group_id=group.id, **rule)
    sdk.compute.create_keypair(name=PREFIX + "key with space")
    free: Any = sdk.network.create_port(network_id=world.networks["plain"], name=PREFIX + "free")
    sdk.network.create_port(network_id=world.networks["empty"], name=PREFIX + "no-address")
    sdk.network.create_ip(floating_network_id=external.id, description=PREFIX + "free")
    sdk.network.create_ip(
        floating_network_id=external.id, description=PREFIX + "on-port", port_id=free.id
    )

    def server(name: str, networks: Any, flavor: str = "1", **more: Any) -> None:
        made: Any = sdk.compute.create_server(
            name=PREFIX + name,
            image_id=image.id,
            flavor_id=flavor,
            networks=networks,
            **more,
        )
        world.servers[name] = made.id

    def on(*names: str) -> list[dict[str, str]]:
        return [{"uuid": world.networks[name]} for name in names]

    server(
        "one",
        on("plain"),
        key_name=PREFIX + "key with space",
        metadata={"role": "web", "Ort": "Köln"},
    )
    server("two", on("second", "plain"), security_groups=[{"name": group.id}, {"name": other.id}])
    server("dual", on("dual"), security_groups=[{"name": group.id}])
    server("six", on("six"))
    server("none", "none")
    server("floating", on("plain"))
    server("tagged", "none", flavor="2", tags=["blue", "green"])
    server("broken", "none", metadata={"sandbox_fail": "spawn"})
    for name in STATES:
        server(name, "none")
    for name, id in world.servers.items():
        if name == "broken":
            wait("broken", lambda id=id: sdk.compute.get_server(id).status == "ERROR")
        else:
            reach(sdk, id, "ACTIVE")
    for name, (action, _) in STATES.items():
        arguments = ("2",) if name == "resize" else ()
        getattr(sdk.compute, action)(world.servers[name], *arguments)
    port: Any = next(iter(sdk.network.ports(device_id=world.servers["floating"])))
    sdk.network.create_ip(
        floating_network_id=external.id, description=PREFIX + "on-server", port_id=port.id
    )
    for name, (_, status) in STATES.items():
        reach(sdk, world.servers[name], status)
    wait(
        "floating address in the server's addresses",
        lambda: "floating" in str(sdk.compute.get_server(world.servers["floating"]).addresses),
    )
    return world


def clear(sdk: Connection) -> None:
    """Delete everything that `build` made, also what an earlier run left."""

    def ours(items: Any) -> list[Any]:
        return [item for item in items if (item.name or "").startswith(PREFIX)]

    compute = sdk.compute
    network: Any = sdk.network
    for server in ours(compute.servers()):
        if server.status == "RESCUE":
            compute.unrescue_server(server)
            reach(sdk, server.id, "ACTIVE")
        compute.unlock_server(server)
        compute.delete_server(server, ignore_missing=True)
    wait("servers gone", lambda: not ours(compute.servers()))
    for address in network.ips():
        if (address.description or "").startswith(PREFIX):
            network.delete_ip(address)
    for router in ours(network.routers()):
        for port in network.ports(device_id=router.id):
            if port.device_owner == "network:router_interface":
                network.remove_interface_from_router(router, None, port.id)
        network.delete_router(router)
    for port in ours(network.ports()):
        network.delete_port(port)
    for each in ours(network.networks()):
        network.delete_network(each)
    for each in ours(network.security_groups()):
        for rule in network.security_group_rules(security_group_id=each.id):
            network.delete_security_group_rule(rule)
    for each in ours(network.security_groups()):
        network.delete_security_group(each)
    for each in ours(compute.keypairs()):
        compute.delete_keypair(each)
    for each in ours(sdk.image.images()):
        sdk.image.delete_image(each)
