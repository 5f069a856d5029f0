"""Records replies of the sandbox: ``python -m tests.openstack.record``, while it runs.

Builds the world of the differential tests, writes what the services answer to this driver's
requests into ``recorded/``, and takes the world away again. Tokens are not recorded.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import openstack
from openstack.connection import Connection

from asyncspider_drivers.openstack import wire
from tests.openstack_live.world import World, build, clear
from tests.openstack_sandbox import layout

RECORDED = Path(__file__).with_name("recorded")
NOWHERE = "00000000-0000-0000-0000-000000000000"
KEPT = (
    "content-type",
    "x-openstack-request-id",
    "x-compute-request-id",
    "openstack-api-version",
    "retry-after",
)


def write(name: str, value: Any) -> None:
    """Write one recording."""
    RECORDED.mkdir(exist_ok=True)
    (RECORDED / f"{name}.json").write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


class Recorder:
    """Asks the services as the driver does."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def ask(
        self, service: str, method: str, path: str, version: str | None = None, body: Any = None
    ) -> Any:
        """Return the raw answer."""
        session: Any = self.connection.session
        return session.request(
            path,
            method,
            json=body,
            endpoint_filter={"service_type": service, "region_name": "RegionOne"},
            microversion=version,
            microversion_service_type="compute",
            raise_exc=False,
            headers={"Accept": "application/json"},
        )

    def keep(self, name: str, service: str, path: str, version: str | None = None) -> None:
        """Record a good answer."""
        answer = self.ask(service, "GET", path, version)
        answer.raise_for_status()
        write(name, answer.json())

    def fault(self, *arguments: Any) -> dict[str, Any]:
        """Return an error's answer."""
        answer = self.ask(*arguments)
        assert answer.status_code >= 400, arguments
        headers = {name: value for name, value in answer.headers.items() if name.lower() in KEPT}
        return {"status": answer.status_code, "headers": headers, "body": answer.text}


def record(connection: Connection, poor: Connection, world: World) -> None:
    """Write all recordings."""
    ask = Recorder(connection)
    for version in ("2.1", "2.46", "2.96"):
        ask.keep(f"servers-{version}", "compute", "/servers/detail", version)
    ask.keep("servers-page", "compute", "/servers/detail?limit=2", "2.46")
    ask.keep("flavors", "compute", "/flavors", "2.46")
    ask.keep("keypairs", "compute", "/os-keypairs", "2.46")
    ask.keep("projects", "identity", "/auth/projects")
    ask.keep("images", "image", "/v2/images")
    ask.keep("images-page", "image", "/v2/images?limit=1")
    for name, kind in (
        ("ports", wire.Port),
        ("floatingips", wire.FloatingIP),
        ("networks", wire.Network),
        ("subnets", wire.Subnet),
        ("security-groups", wire.SecurityGroup),
    ):
        ask.keep(name, "network", f"/v2.0/{name}?{wire.fields_of(kind)}")
    server, limited = world.servers["one"], Recorder(poor)
    new: dict[str, Any] = {"name": "x", "flavorRef": "1", "imageRef": NOWHERE, "networks": "none"}
    external = connection.network.find_network("public")
    assert external is not None
    wrong: Any = connection.session.request(
        f"{connection.config.auth['auth_url']}/auth/tokens",
        "POST",
        json={"auth": {"identity": {"methods": ["password"], "password": {"user": {
            "name": "demo", "domain": {"id": "default"}, "password": "wrong"}}}}},
        authenticated=False,
        raise_exc=False,
    )  # fmt: skip
    write(
        "errors",
        {
            "nova-no-server": ask.fault("compute", "GET", f"/servers/{NOWHERE}", "2.46"),
            "nova-no-image": ask.fault("compute", "POST", "/servers", "2.46", {"server": new}),
            "nova-no-flavor": ask.fault(
                "compute", "POST", "/servers", "2.46", {"server": new | {"flavorRef": "none"}}
            ),
            "nova-nonsense": ask.fault("compute", "POST", "/servers", "2.46", {"server": {}}),
            "nova-wrong-state": ask.fault(
                "compute", "POST", f"/servers/{server}/action", "2.46", {"os-start": None}
            ),
            "nova-microversion": ask.fault("compute", "GET", "/servers", "2.999"),
            "nova-forbidden": ask.fault("compute", "GET", "/servers/detail?all_tenants=1", "2.46"),
            "nova-quota": limited.fault(
                "compute", "POST", "/os-keypairs", "2.46", {"keypair": {"name": "x"}}
            ),
            "neutron-no-port": ask.fault("network", "GET", f"/v2.0/ports/{NOWHERE}"),
            "neutron-in-use": ask.fault(
                "network", "DELETE", f"/v2.0/networks/{world.networks['plain']}"
            ),
            "neutron-quota": limited.fault(
                "network",
                "POST",
                "/v2.0/floatingips",
                None,
                {"floatingip": {"floating_network_id": external.id}},
            ),
            "neutron-nonsense": ask.fault(
                "network", "POST", "/v2.0/subnets", None, {"subnet": {"cidr": "x"}}
            ),
            "glance-no-image": ask.fault("image", "GET", f"/v2/images/{NOWHERE}"),
            "keystone-wrong-password": {
                "status": wrong.status_code,
                "headers": {n: v for n, v in wrong.headers.items() if n.lower() in KEPT},
                "body": wrong.text,
            },
        },
    )


def main() -> int:
    """Record everything."""
    found = layout.find()
    if found is None:
        sys.stderr.write(f"no sandbox in {layout.folder()}\n")
        return 1
    os.environ["OS_CLIENT_CONFIG_FILE"] = str(found.clouds_yaml)
    with (
        openstack.connect(cloud="sandbox", region_name="RegionOne") as connection,
        openstack.connect(cloud="sandbox-limited") as poor,
    ):
        clear(connection)
        record(connection, poor, build(connection))
        clear(connection)
    return 0


if __name__ == "__main__":
    sys.exit(main())
