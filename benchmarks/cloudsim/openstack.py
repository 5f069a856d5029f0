"""Keystone, Nova, Neutron and Glance: discovery, one token for all, and lists."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode

from .server import Answer, Request
from .world import (
    Machine,
    Shape,
    has_data_disk,
    has_public_ip,
    is_stopped,
    machines,
    spans,
    uuid,
)

_TOKEN = "gAAAAABbench"
_TENANT = "6f70656e737461636b2062656e636821"
_USER = "75736572206f66207468652062656e63"
_NOVA_TOP = "2.96"
_NOVA_PAGE = 1000
_SINCE = {
    "locked": 9, "description": 19, "host_status": 16, "tags": 26, "trusted_image_certificates": 63,
    "server_groups": 71, "locked_reason": 73, "OS-EXT-SRV-ATTR:hostname": 90,
    "pinned_availability_zone": 96,
}  # fmt: skip
"""Fields of a server by the microversion that brought them."""


def _server(public: bool, data_disk: bool, stopped: bool) -> dict[str, Any]:
    addresses = [
        {
            "version": 4,
            "addr": "%(ip)s",
            "OS-EXT-IPS:type": "fixed",
            "OS-EXT-IPS-MAC:mac_addr": "fa:16:%(mac)s",
        }
    ]
    if public:
        addresses.append(addresses[0] | {"addr": "%(public)s", "OS-EXT-IPS:type": "floating"})
    volumes = [{"id": "%(uw)s", "delete_on_termination": False}] if data_disk else []
    return {
        "id": "%(us)s",
        "name": "%(name)s",
        "status": "SHUTOFF" if stopped else "ACTIVE",
        "tenant_id": _TENANT,
        "user_id": _USER,
        "metadata": {"role": "%(role)s", "team": "%(team)s", "env": "production"},
        "hostId": "%(h56n)s",
        "image": {
            "id": "0a1b2c3d-0000-4000-a000-00000000000%(fewtypes)s",
            "links": [
                {
                    "rel": "bookmark",
                    "href": "@base@/@region@/compute/images/0a1b2c3d-0000-4000-a000-"
                    "00000000000%(fewtypes)s",
                }
            ],
        },
        "flavor": {},
        "created": "%(day)sT%(clock)sZ",
        "updated": "%(day)sT%(clock)sZ",
        "addresses": {"main": addresses},
        "accessIPv4": "",
        "accessIPv6": "",
        "links": [
            {"rel": "self", "href": "@base@/@region@/compute/v2.1/servers/%(us)s"},
            {"rel": "bookmark", "href": "@base@/@region@/compute/servers/%(us)s"},
        ],
        "OS-DCF:diskConfig": "MANUAL",
        "progress": 0,
        "OS-EXT-AZ:availability_zone": "nova",
        "config_drive": "",
        "key_name": "key-%(fewtypes)s",
        "OS-SRV-USG:launched_at": "%(day)sT%(clock)s.000000",
        "OS-SRV-USG:terminated_at": None,
        "security_groups": [{"name": "%(role)s"}, {"name": "default"}],
        "OS-EXT-STS:task_state": None,
        "OS-EXT-STS:vm_state": "stopped" if stopped else "active",
        "OS-EXT-STS:power_state": 4 if stopped else 1,
        "os-extended-volumes:volumes_attached": volumes,
        "locked": False,
        "locked_reason": None,
        "description": None,
        "tags": ["%(role)s", "production"],
        "host_status": "UP",
        "trusted_image_certificates": None,
        "server_groups": [],
        "OS-EXT-SRV-ATTR:hostname": "%(name)s",
        "pinned_availability_zone": None,
    }


def _flavor(minor: int) -> dict[str, Any]:
    if minor >= 47:
        return {
            "vcpus": 2,
            "ram": 4096,
            "disk": 40,
            "ephemeral": 0,
            "swap": 0,
            "original_name": "m1.type%(fewtypes)s",
            "extra_specs": {"hw:cpu_policy": "shared"},
        }
    href = "@base@/@region@/compute/flavors/%(fewtypes)s"
    return {"id": "%(fewtypes)s", "links": [{"rel": "bookmark", "href": href}]}


def _port() -> dict[str, Any]:
    return {
        "id": "%(up)s",
        "name": "",
        "network_id": "11111111-0000-4000-a000-000000000001",
        "tenant_id": _TENANT,
        "mac_address": "fa:16:%(mac)s",
        "admin_state_up": True,
        "status": "ACTIVE",
        "device_id": "%(us)s",
        "device_owner": "compute:nova",
        "fixed_ips": [
            {"subnet_id": "22222222-0000-4000-a000-000000000001", "ip_address": "%(ip)s"}
        ],
        "project_id": _TENANT,
        "security_groups": [
            "33333333-0000-4000-a000-00000000000%(fewtypes)s",
            "33333333-0000-4000-a000-000000000000",
        ],
        "binding:vnic_type": "normal",
        "allowed_address_pairs": [],
        "extra_dhcp_opts": [],
        "description": "",
        "port_security_enabled": True,
        "qos_policy_id": None,
        "qos_network_policy_id": None,
        "dns_name": "%(name)s",
        "dns_assignment": [
            {"ip_address": "%(ip)s", "hostname": "%(name)s", "fqdn": "%(name)s.cloud.example."}
        ],
        "tags": [],
        "created_at": "%(day)sT%(clock)sZ",
        "updated_at": "%(day)sT%(clock)sZ",
        "revision_number": 4,
    }


def _floating_ip() -> dict[str, Any]:
    return {
        "id": "%(uf)s",
        "tenant_id": _TENANT,
        "floating_ip_address": "%(public)s",
        "floating_network_id": "11111111-0000-4000-a000-00000000ffff",
        "router_id": "44444444-0000-4000-a000-000000000001",
        "port_id": "%(up)s",
        "fixed_ip_address": "%(ip)s",
        "status": "ACTIVE",
        "project_id": _TENANT,
        "description": "",
        "port_details": {
            "name": "",
            "network_id": "11111111-0000-4000-a000-000000000001",
            "mac_address": "fa:16:%(mac)s",
            "admin_state_up": True,
            "status": "ACTIVE",
            "device_id": "%(us)s",
            "device_owner": "compute:nova",
        },
        "dns_domain": "",
        "dns_name": "",
        "port_forwardings": [],
        "tags": [],
        "created_at": "%(day)sT%(clock)sZ",
        "updated_at": "%(day)sT%(clock)sZ",
        "revision_number": 2,
    }


def _documents(base: str) -> dict[str, tuple[str, list[dict[str, Any]]]]:
    """Return the small lists: path to the name of the list and its documents."""

    def owned(**fields: Any) -> dict[str, Any]:
        return {"tenant_id": _TENANT, "project_id": _TENANT, "description": "", "tags": []} | fields

    def network(n: int, external: bool) -> dict[str, Any]:
        return owned(
            id=f"11111111-0000-4000-a000-00000000{'ffff' if external else f'{n:04d}'}",
            name="public" if external else f"net-{n}",
            admin_state_up=True, mtu=1450, status="ACTIVE", shared=external,
            subnets=[f"22222222-0000-4000-a000-{n:012d}"], availability_zones=["nova"],
            availability_zone_hints=[], ipv4_address_scope=None, ipv6_address_scope=None,
            port_security_enabled=True, qos_policy_id=None, is_default=False,
            created_at="2026-01-01T00:00:00Z", updated_at="2026-01-01T00:00:00Z",
            revision_number=2, **{"router:external": external},
        )  # fmt: skip

    def subnet(n: int) -> dict[str, Any]:
        return owned(
            id=f"22222222-0000-4000-a000-{n:012d}", name=f"subnet-{n}",
            network_id=f"11111111-0000-4000-a000-{n:012d}", ip_version=4, cidr=f"10.{n}.0.0/16",
            gateway_ip=f"10.{n}.0.1", enable_dhcp=True, dns_nameservers=["10.0.0.2"],
            allocation_pools=[{"start": f"10.{n}.0.2", "end": f"10.{n}.255.254"}],
            host_routes=[], ipv6_address_mode=None, ipv6_ra_mode=None, service_types=[],
            subnetpool_id=None, created_at="2026-01-01T00:00:00Z",
            updated_at="2026-01-01T00:00:00Z", revision_number=0,
        )  # fmt: skip

    def rule(group: str, n: int, direction: str) -> dict[str, Any]:
        return owned(
            id=f"55555555-0000-4000-a000-{n:012d}", security_group_id=group, ethertype="IPv4",
            direction=direction, protocol="tcp", port_range_min=22, port_range_max=22,
            remote_ip_prefix="10.0.0.0/8", remote_address_group_id=None, remote_group_id=None,
            normalized_cidr="10.0.0.0/8", standard_attr_id=n, belongs_to_default_sg=False,
            created_at="2026-01-01T00:00:00Z", updated_at="2026-01-01T00:00:00Z",
            revision_number=0,
        )  # fmt: skip

    def group(n: int) -> dict[str, Any]:
        id = f"33333333-0000-4000-a000-{n:012d}"
        rules = [rule(id, n * 8 + m, "ingress" if m % 2 else "egress") for m in range(6)]
        names = ("default", "web", "api", "db", "cache", "worker", "build", "proxy")
        return owned(
            id=id, name=names[n] if n < 8 else f"extra-{n}", security_group_rules=rules,
            stateful=True, shared=False, created_at="2026-01-01T00:00:00Z",
            updated_at="2026-01-01T00:00:00Z", revision_number=7,
        )  # fmt: skip

    def image(n: int) -> dict[str, Any]:
        id = f"0a1b2c3d-0000-4000-a000-{n:012d}"
        return {
            "id": id, "name": f"golden-{n}", "status": "active", "visibility": "public",
            "disk_format": "qcow2", "container_format": "bare", "size": 500_000_000,
            "virtual_size": None, "checksum": f"{n:032x}", "os_hash_algo": "sha512",
            "os_hash_value": f"{n:0128x}", "os_hidden": False, "owner": _TENANT,
            "min_disk": 10, "min_ram": 0, "protected": False, "tags": [], "os_distro": "debian",
            "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
            "self": f"/v2/images/{id}", "file": f"/v2/images/{id}/file",
            "schema": "/v2/schemas/image",
        }  # fmt: skip

    def flavor(n: int) -> dict[str, Any]:
        return {
            "id": str(n), "name": f"m1.type{n}", "ram": 4096, "disk": 40, "swap": 0, "vcpus": 2,
            "OS-FLV-EXT-DATA:ephemeral": 0, "OS-FLV-DISABLED:disabled": False,
            "os-flavor-access:is_public": True, "rxtx_factor": 1.0, "description": None,
            "extra_specs": {"hw:cpu_policy": "shared"},
            "links": [{"rel": "self", "href": f"{base}/flavors/{n}"}],
        }  # fmt: skip

    def keypair(n: int) -> dict[str, Any]:
        return {
            "keypair": {
                "name": f"key-{n}", "type": "ssh", "fingerprint": f"1e:2c:9b:56:79:4b:45:{n:02d}",
                "public_key": f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{n:030d} key-{n}",
            }
        }  # fmt: skip

    return {
        "network/v2.0/networks": ("networks", [network(n, n == 0) for n in range(5)]),
        "network/v2.0/subnets": ("subnets", [subnet(n) for n in range(5)]),
        "network/v2.0/security-groups": ("security_groups", [group(n) for n in range(50)]),
        "network/v2.0/routers": ("routers", []),
        "network/v2.0/extensions": ("extensions", []),
        "image/v2/images": ("images", [image(n) for n in range(20)]),
        "compute/v2.1/flavors/detail": ("flavors", [flavor(n) for n in range(5)]),
        "compute/v2.1/os-keypairs": ("keypairs", [keypair(n) for n in range(20)]),
    }


_TEMPLATED: dict[str, tuple[str, Callable[[], dict[str, Any]], Callable[[int], bool]]] = {
    "network/v2.0/ports": ("ports", _port, lambda index: True),
    "network/v2.0/floatingips": ("floatingips", _floating_ip, has_public_ip),
}


class OpenStack:
    """Answers requests to all four services; paths begin with the region, Keystone's don't."""

    def __init__(self, shape: Shape, base: str) -> None:
        self._shape = shape
        self._base = base
        self._index = {name: number for number, name in enumerate(shape.names)}
        self._servers: dict[tuple[int, int], list[bytes]] = {}
        self._positions: dict[int, dict[str, int]] = {}
        self._items: dict[tuple[str, int, tuple[str, ...]], list[bytes]] = {}

    def prepare(self) -> None:
        """Make what every scan asks for, for newest and oldest clients."""
        for region in range(self._shape.regions):
            self._region_servers(region, 96)

    def answer(self, request: Request) -> Answer:
        """Answer one request."""
        path = request.path.strip("/")
        first, _, rest = path.partition("/")
        if first == "identity":
            return self._identity(request, rest)
        region = self._index.get(first)
        if region is None:
            return _error("unknown", first, 404, f"no {request.path}")
        asked = parse_qsl(request.query)
        match rest:
            case "compute/v2.1/servers/detail":
                return self._list_servers(request, region, dict(asked))
            case "network/v2.0/ports" | "network/v2.0/floatingips":
                return self._list_templated(rest, region, asked)
            case "compute" | "compute/v2.1" | "network" | "network/v2.0" | "image" | "image/v2":
                return self._discovery(first, *rest.split("/"))
            case _:
                return self._list_small(first, rest, asked)

    # -- Keystone

    def _identity(self, request: Request, rest: str) -> Answer:
        base = self._base
        version = {
            "id": "v3.14",
            "status": "stable",
            "updated": "2020-04-07T00:00:00Z",
            "links": [{"rel": "self", "href": f"{base}/identity/v3/"}],
            "media-types": [
                {
                    "base": "application/json",
                    "type": "application/vnd.openstack.identity-v3+json",
                }
            ],
        }
        if rest == "":
            return _json("keystone.versions", "", {"versions": {"values": [version]}}, 300)
        if rest == "v3":
            return _json("keystone.version", "", {"version": version})
        if rest == "v3/auth/tokens":
            status = 201 if request.method == "POST" else 200
            answer = _json("keystone.token", "", self._token(), status)
            return answer._replace(headers=(("X-Subject-Token", _TOKEN),))
        if rest == "v3/auth/catalog":
            return _json("keystone.catalog", "", {"catalog": self._token()["token"]["catalog"]})
        if rest == "v3/regions":
            regions = [
                {"id": name, "description": "", "parent_region_id": None, "links": {}}
                for name in self._shape.names
            ]
            return _json("keystone.regions", "", {"regions": regions, "links": {"next": None}})
        return _error("keystone.unknown", "", 404, f"no {request.path}")

    def _token(self) -> dict[str, Any]:
        paths = {
            "identity": ("keystone", lambda region: "/identity"),
            "compute": ("nova", lambda region: f"/{region}/compute/v2.1"),
            "network": ("neutron", lambda region: f"/{region}/network"),
            "image": ("glance", lambda region: f"/{region}/image"),
        }
        domain = {"id": "default", "name": "Default"}
        return {
            "token": {
                "methods": ["password"],
                "user": {"domain": domain, "id": _USER, "name": "bench"},
                "audit_ids": ["3T2dc1CGQxyJsHdDu1xkcw"],
                "expires_at": "2099-01-01T00:00:00.000000Z",
                "issued_at": "2026-01-01T00:00:00.000000Z",
                "project": {"domain": domain, "id": _TENANT, "name": "bench"},
                "is_domain": False,
                "roles": [{"id": "51cc68287d524c759f47c811e6463340", "name": "member"}],
                "catalog": [
                    {
                        "type": kind,
                        "name": name,
                        "id": f"{kind}-service",
                        "endpoints": [
                            {
                                "id": f"{kind}-{region}",
                                "interface": "public",
                                "region_id": region,
                                "region": region,
                                "url": self._base + path(region),
                            }
                            for region in self._shape.names
                        ],
                    }
                    for kind, (name, path) in paths.items()
                ],
            }
        }  # fmt: skip

    # -- discovery

    def _discovery(self, region: str, service: str, version: str = "") -> Answer:
        base = f"{self._base}/{region}/{service}"
        operation = f"{service}.versions"
        if service == "compute":
            known = {
                "id": "v2.1",
                "status": "CURRENT",
                "version": _NOVA_TOP,
                "min_version": "2.1",
                "updated": "2013-07-23T11:33:21Z",
                "links": [{"rel": "self", "href": f"{base}/v2.1/"}],
            }
            if version:
                return _json(operation, region, {"version": known})
            return _json(operation, region, {"versions": [known]})
        if service == "network":
            if version:
                return _json(operation, region, {"resources": []})
            links = [{"rel": "self", "href": f"{base}/v2.0/"}]
            known = {"id": "v2.0", "status": "CURRENT", "links": links}
            return _json(operation, region, {"versions": [known]})
        links = [{"rel": "self", "href": f"{base}/v2/"}]
        known = [{"id": "v2.17", "status": "CURRENT", "links": links}]
        known += [{"id": f"v2.{n}", "status": "SUPPORTED", "links": links} for n in (16, 9, 0)]
        return _json(operation, region, {"versions": known}, 200 if version else 300)

    # -- lists

    def _list_servers(self, request: Request, region: int, asked: dict[str, str]) -> Answer:
        operation = "servers.detail"
        name = self._shape.names[region]
        minor = _minor(request.version)
        items = self._region_servers(region, minor)
        total = len(items) * self._shape.repeat
        start = 0
        marker, _, lap = asked.get("marker", "").partition("+")
        if marker:
            position = self._positions[region].get(marker)
            if position is None:
                return _error(operation, name, 400, f"marker [{marker}] not found")
            start = int(lap or 0) * len(items) + position + 1
        limit = asked.get("limit")
        size = self._shape.page(limit, _NOVA_PAGE)
        count = min(size, total - start)
        links = ""
        # Nova tells of a next page when this one is full, also when nothing follows.
        if count and count == size:
            last = start + count - 1
            index = last % len(items)
            # A list told over again needs to know the lap; a plain one has plain ids.
            more = f"+{last // len(items)}" if self._shape.repeat > 1 else ""
            query = urlencode(asked | {"marker": uuid(region, index, ord("s")) + more})
            href = f"{self._base}/{name}/compute/v2.1/servers/detail?{query}"
            links = f', "servers_links": [{{"rel": "next", "href": "{href}"}}]'
        body = b", ".join(item for part in spans(start, count, len(items)) for item in items[part])
        version = f"2.{minor}"
        return Answer(
            operation,
            name,
            (b'{"servers": [', body, f"]{links}}}".encode()),
            headers=(
                ("OpenStack-API-Version", f"compute {version}"),
                ("X-OpenStack-Nova-API-Version", version),
                ("Vary", "OpenStack-API-Version"),
                ("x-openstack-request-id", "req-00000000-0000-4000-a000-000000000000"),
            ),
        )

    def _region_servers(self, region: int, minor: int) -> list[bytes]:
        key = region, minor
        if key not in self._servers:
            name = self._shape.names[region]
            templates: dict[tuple[bool, bool, bool], str] = {}
            for index in range(60):
                kind = has_public_ip(index), has_data_disk(index), is_stopped(index)
                document = _server(*kind) | {"flavor": _flavor(minor)}
                document = {
                    field: value
                    for field, value in document.items()
                    if minor >= _SINCE.get(field, 1)
                }
                text = json.dumps(document)
                templates[kind] = text.replace("@base@", self._base).replace("@region@", name)
            vms = list(machines(self._shape, region))
            self._servers[key] = [
                (
                    templates[
                        has_public_ip(vm.index), has_data_disk(vm.index), is_stopped(vm.index)
                    ]
                    % vm
                ).encode()
                for vm in vms
            ]
            self._positions[region] = {str(vm["us"]): vm.index for vm in vms}
        return self._servers[key]

    def _list_templated(self, path: str, region: int, asked: list[tuple[str, str]]) -> Answer:
        name, template, wanted = _TEMPLATED[path]
        fields = tuple(value for key, value in asked if key == "fields")
        options = dict(asked)
        key = path, region, fields
        if key not in self._items:
            document = template()
            if fields:
                document = {field: document[field] for field in fields if field in document}
            text = json.dumps(document)
            self._items[key] = [
                (text % vm).encode() for vm in self._vms(region) if wanted(vm.index)
            ]
        items = self._items[key]
        start = 0
        if "marker" in options:
            letter = "p" if name == "ports" else "f"
            ids = [str(vm[f"u{letter}"]) for vm in self._vms(region) if wanted(vm.index)]
            start = ids.index(options["marker"]) + 1
        # Neutron puts everything on one page unless it is asked for less.
        count = min(self._shape.page(options.get("limit"), len(items) or 1), len(items) - start)
        links = ""
        if "limit" in options and start + count < len(items):
            letter = "p" if name == "ports" else "f"
            vms = [vm for vm in self._vms(region) if wanted(vm.index)]
            last = str(vms[start + count - 1][f"u{letter}"])
            query = urlencode([(k, v) for k, v in asked if k != "marker"] + [("marker", last)])
            href = f"{self._base}/{self._shape.names[region]}/{path}?{query}"
            links = f', "{name}_links": [{{"rel": "next", "href": "{href}"}}]'
        body = b", ".join(items[start : start + count])
        return Answer(
            f"{name}.list",
            self._shape.names[region],
            (f'{{"{name}": ['.encode(), body, f"]{links}}}".encode()),
        )

    def _vms(self, region: int) -> list[Machine]:
        return list(machines(self._shape, region))

    def _list_small(self, region: str, path: str, asked: list[tuple[str, str]]) -> Answer:
        found = _documents(f"{self._base}/{region}/compute").get(path)
        if found is None:
            return _error("unknown", region, 404, f"no {path}")
        name, documents = found
        fields = [value for key, value in asked if key == "fields"]
        if fields:
            documents = [
                {f: document[f] for f in fields if f in document} for document in documents
            ]
        external = dict(asked).get("router:external")
        if external is not None:
            wanted = external.lower() in ("true", "1")
            documents = [d for d in documents if d["router:external"] == wanted]
        marker = dict(asked).get("marker")
        if marker is not None:  # all fit on the first page
            documents = []
        return _json(f"{name}.list", region, {name: documents})


def _minor(header: str) -> int:
    """Return the minor version asked for, as ``compute 2.96`` or ``2.96``; none = 2.1."""
    text = header.rpartition(" ")[2]
    if text == "latest":
        text = _NOVA_TOP
    return int(text.partition(".")[2] or 1) if text else 1


def _json(operation: str, scope: str, document: Any, status: int = 200) -> Answer:
    return Answer(operation, scope, (json.dumps(document).encode(),), status)


def _error(operation: str, scope: str, status: int, message: str) -> Answer:
    kind = {400: "badRequest", 404: "itemNotFound"}[status]
    return _json(operation, scope, {kind: {"code": status, "message": message}}, status)
