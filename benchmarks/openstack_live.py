"""Our list of servers beside openstacksdk's and Libcloud's, on the real OpenStack of the tests.

::

    python -m tests.openstack_sandbox up
    python -m benchmarks.openstack_live fill --count 300   # minutes: a real Nova makes them
    python -m benchmarks.openstack_live run
    python -m benchmarks.openstack_live clear
    python -m tests.openstack_sandbox down

Each client is a process of its own. CPU and wall time are those of the list alone: the client is
logged in, and has listed once before. Clients take turns; figures are medians of all. ``nova`` is
the bare request for the same servers, without decoding: what Nova's own answer takes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

from tests.openstack_sandbox import layout
from tests.openstack_sandbox.seed import IMAGE

NAME = "bench"
CLOUD, REGION = "sandbox", "RegionOne"


async def measured(count: Callable[[], Awaitable[int]], rounds: int) -> None:
    """List once, then `rounds` times; print what each took as JSON."""
    await count()
    cpu: list[float] = []
    wall: list[float] = []
    servers = 0
    for _ in range(rounds):
        began, used = time.perf_counter(), time.process_time()
        servers = await count()
        cpu.append(time.process_time() - used)
        wall.append(time.perf_counter() - began)
    print(json.dumps({"servers": servers, "cpu": cpu, "wall": wall}))


async def ours(rounds: int) -> None:
    """List all VMs, with ports and floating addresses joined."""
    from asyncspider import connect

    async with connect("openstack", region=REGION, credential={"cloud": CLOUD}) as connection:
        handler = connection.create_vm_handler()

        async def count() -> int:
            return len(await handler.list_vm())

        await measured(count, rounds)


async def ours_unjoined(rounds: int) -> None:
    """List servers as VMs and join nothing, as Libcloud does: the first of our three lists."""
    from asyncspider import connect
    from asyncspider_drivers.openstack import wire
    from asyncspider_drivers.openstack.connection import OpenStackConnection
    from asyncspider_drivers.openstack.mapping import vm_info

    async with connect("openstack", region=REGION, credential={"cloud": CLOUD}) as connection:
        assert isinstance(connection, OpenStackConnection)

        async def count() -> int:
            servers: list[wire.Server] = await connection.all_of(
                wire.Servers, "ListServersDetailed", "compute", "/servers/detail", "servers"
            )
            return len([vm_info(server, REGION) for server in servers])

        await measured(count, rounds)


async def openstacksdk(rounds: int) -> None:
    """List all servers in a thread, as its users do beside asyncio: nothing is joined."""
    import openstack

    with openstack.connect(cloud=CLOUD, region_name=REGION) as connection:

        async def count() -> int:
            return len(await asyncio.to_thread(lambda: list(connection.compute.servers())))

        await measured(count, rounds)


async def openstacksdk_cloud(rounds: int) -> None:
    """List all servers in a thread with addresses joined: openstacksdk's cloud layer."""
    import openstack

    with openstack.connect(cloud=CLOUD, region_name=REGION) as connection:

        async def count() -> int:
            return len(await asyncio.to_thread(connection.list_servers))

        await measured(count, rounds)


async def libcloud(rounds: int) -> None:
    """List all nodes: nothing is joined. No thread, which is a little less than its users pay."""
    driver = _libcloud_driver()

    async def count() -> int:
        return len(driver.list_nodes())

    await measured(count, rounds)


async def libcloud_joined(rounds: int) -> None:
    """List nodes, ports and floating addresses: what it takes to know what ours tells."""
    driver = _libcloud_driver()

    async def count() -> int:
        ports: dict[str, list[Any]] = {}
        for port in driver.ex_list_ports():
            ports.setdefault(port.extra["device_id"], []).append(port)
        addresses = {address.node_id: address for address in driver.ex_list_floating_ips()}
        joined = [
            (node, ports.get(node.id), addresses.get(node.id)) for node in driver.list_nodes()
        ]
        return len(joined)

    await measured(count, rounds)


def _libcloud_driver() -> Any:
    from libcloud.compute.drivers.openstack import OpenStack_2_NodeDriver

    found = _sandbox()
    return OpenStack_2_NodeDriver(
        "demo",
        found.password,
        ex_force_auth_url=found.auth_url.removesuffix("/v3"),
        ex_force_auth_version="3.x_password",
        ex_tenant_name="demo",
        ex_domain_name="Default",
        ex_force_service_region=REGION,
    )


async def nova(rounds: int) -> None:
    """Ask for the same bytes, and throw them away."""
    import openstack

    with openstack.connect(cloud=CLOUD, region_name=REGION) as connection:
        headers = {"X-Auth-Token": connection.auth_token, "OpenStack-API-Version": "compute 2.46"}
        url = f"{_sandbox().url('nova')}/v2.1/servers/detail?limit=1000"
    send = build_opener(ProxyHandler({})).open

    async def count() -> int:
        with send(Request(url, headers=headers), timeout=120) as answer:
            return answer.read().count(b'"accessIPv4"')

    await measured(count, rounds)


CLIENTS = {
    client.__name__: client
    for client in (
        nova,
        ours,
        ours_unjoined,
        libcloud,
        libcloud_joined,
        openstacksdk,
        openstacksdk_cloud,
    )
}


def _sandbox() -> layout.Layout:
    found = layout.find()
    if found is None:
        raise SystemExit("no sandbox: python -m tests.openstack_sandbox up")
    return found


def fill(count: int) -> None:
    """Make servers with a port each, until there are `count`."""
    import openstack

    with openstack.connect(cloud=CLOUD, region_name=REGION) as connection:
        compute: Any = connection.compute
        network: Any = connection.network.find_network(NAME)
        if network is None:
            network = connection.network.create_network(name=NAME)
            connection.network.create_subnet(
                network_id=network.id, name=NAME, ip_version=4, cidr="10.90.0.0/16"
            )
        image: Any = next(i for i in connection.image.images() if i.name == IMAGE)
        have = len(list(compute.servers(details=False, name=NAME)))
        while have < count:
            more = min(20, count - have)
            compute.create_server(
                name=NAME,
                image_id=image.id,
                flavor_id="1",
                networks=[{"uuid": network.id}],
                metadata={"role": "web", "team": "bench"},
                min_count=more,
                max_count=more,
            )
            have += more
            while list(compute.servers(details=False, name=NAME, status="BUILD")):
                time.sleep(1)
            print(f"{have} servers", flush=True)


def clear() -> None:
    """Delete what `fill` made."""
    import openstack

    with openstack.connect(cloud=CLOUD, region_name=REGION) as connection:
        compute: Any = connection.compute
        for server in compute.servers(details=False, name=NAME):
            compute.delete_server(server)
        while list(compute.servers(details=False, name=NAME)):
            time.sleep(1)
        network: Any = connection.network.find_network(NAME)
        if network is not None:
            connection.network.delete_network(network)


def run(names: list[str], turns: int, rounds: int) -> None:
    """Measure clients in turn and print a table."""
    figures: dict[str, dict[str, Any]] = {}
    for _ in range(turns):
        for name in names:
            done = subprocess.run(
                [sys.executable, "-m", __spec__.name, "client", name, "--rounds", str(rounds)],
                stdout=subprocess.PIPE,
                check=True,
                text=True,
            )
            found = json.loads(done.stdout.splitlines()[-1])
            so_far = figures.setdefault(name, {"cpu": [], "wall": []})
            so_far["servers"] = found["servers"]
            for what in ("cpu", "wall"):
                so_far[what] += found[what]
    mine = statistics.median(figures["ours"]["cpu"]) if "ours" in figures else 1.0
    print(f"{'client':20} servers  CPU ms  µs/server  times ours  wall ms")
    for name, each in figures.items():
        cpu, wall = (statistics.median(each[what]) for what in ("cpu", "wall"))
        servers = each["servers"]
        print(
            f"{name:20} {servers:7}  {cpu * 1e3:6.1f}  {cpu / servers * 1e6:9.1f}"
            f"  {cpu / mine:10.1f}  {wall * 1e3:7.0f}"
        )


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("command", choices=["fill", "run", "clear", "client"])
    parser.add_argument("client", nargs="?", choices=sorted(CLIENTS))
    parser.add_argument("--count", type=int, default=300, help="servers to make")
    parser.add_argument("--rounds", type=int, default=3, help="lists in each turn")
    parser.add_argument("--turns", type=int, default=3, help="turns of each client")
    parser.add_argument("--only", choices=sorted(CLIENTS), action="append", help="this client")
    given = parser.parse_args()
    os.environ["OS_CLIENT_CONFIG_FILE"] = str(_sandbox().clouds_yaml)
    match given.command:
        case "fill":
            fill(given.count)
        case "clear":
            clear()
        case "client":
            asyncio.run(CLIENTS[given.client](given.rounds))
        case _:
            run(given.only or list(CLIENTS), given.turns, given.rounds)


if __name__ == "__main__":
    main()
