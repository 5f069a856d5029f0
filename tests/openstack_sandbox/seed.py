"""What a fresh cloud is given: two regions, accounts, flavors, an image, an external network."""

from __future__ import annotations

from typing import Any

from .layout import REGIONS, Layout
from .rest import Admin

SERVICE_USERS = ("glance", "placement", "neutron", "nova")
PROJECTS = ("demo", "limited")
FLAVORS = (("1", "m1.tiny", 512, 1, 1), ("2", "m1.small", 2048, 1, 20))
IMAGE = "cirros"
EXTERNAL_NETWORK = "public"


def catalogue(layout: Layout, admin: Admin) -> None:
    """Make regions, endpoints, and the accounts of services and users."""
    call = admin.call
    regions = {region["id"] for region in call("GET", "keystone", "/v3/regions")["regions"]}
    for region in REGIONS:
        if region not in regions:
            call("POST", "keystone", "/v3/regions", {"region": {"id": region}})
    known = {
        service["type"]: service["id"]
        for service in call("GET", "keystone", "/v3/services")["services"]
    }
    there = {
        (endpoint["service_id"], endpoint["region_id"], endpoint["interface"])
        for endpoint in call("GET", "keystone", "/v3/endpoints")["endpoints"]
    }
    for kind, name, tail in (
        ("identity", "keystone", "/v3"),
        ("image", "glance", ""),
        ("placement", "placement", ""),
        ("network", "neutron", ""),
        ("compute", "nova", "/v2.1"),
    ):
        if kind not in known:
            service = {"type": kind, "name": name}
            made = call("POST", "keystone", "/v3/services", {"service": service})
            known[kind] = made["service"]["id"]
        for region in REGIONS:
            port = "nova-two" if name == "nova" and region == REGIONS[1] else name
            for interface in ("public", "internal", "admin"):
                if (known[kind], region, interface) not in there:
                    endpoint = {
                        "service_id": known[kind],
                        "region_id": region,
                        "interface": interface,
                        "url": layout.url(port) + tail,
                    }
                    call("POST", "keystone", "/v3/endpoints", {"endpoint": endpoint})
    roles = _by_name(admin, "roles")
    for name in ("admin", "member", "reader", "service"):
        if name not in roles:
            made = call("POST", "keystone", "/v3/roles", {"role": {"name": name}})
            roles[name] = made["role"]["id"]
    users, projects = _by_name(admin, "users"), _by_name(admin, "projects")
    wanted = [(name, "service", ("admin", "service")) for name in SERVICE_USERS]
    wanted += [(name, name, ("member", "reader")) for name in PROJECTS]
    for user, project, granted in wanted:
        if project not in projects:
            body = {"project": {"name": project, "domain_id": "default"}}
            projects[project] = call("POST", "keystone", "/v3/projects", body)["project"]["id"]
        if user not in users:
            about = {"name": user, "password": layout.password, "domain_id": "default"}
            made = call("POST", "keystone", "/v3/users", {"user": about})
            users[user] = made["user"]["id"]
        for role in granted:
            path = f"/v3/projects/{projects[project]}/users/{users[user]}/roles/{roles[role]}"
            call("PUT", "keystone", path)


def _by_name(admin: Admin, kind: str) -> dict[str, str]:
    items: list[dict[str, Any]] = admin.call("GET", "keystone", f"/v3/{kind}")[kind]
    return {item["name"]: item["id"] for item in items}


def things(admin: Admin) -> None:
    """Make flavors, an image, an external network, and quotas for the project ``limited``."""
    call = admin.call
    flavors = {flavor["name"] for flavor in call("GET", "nova", "/v2.1/flavors")["flavors"]}
    for id, name, ram, vcpus, disk in FLAVORS:
        if name not in flavors:
            flavor = {"id": id, "name": name, "ram": ram, "vcpus": vcpus, "disk": disk}
            call("POST", "nova", "/v2.1/flavors", {"flavor": flavor})
    images = call("GET", "glance", f"/v2/images?name={IMAGE}")["images"]
    if not images:
        image = {
            "name": IMAGE,
            "disk_format": "raw",
            "container_format": "bare",
            "visibility": "public",
            "os_distro": "cirros",
            "architecture": "x86_64",
        }
        made = call("POST", "glance", "/v2/images", image)
        call("PUT", "glance", f"/v2/images/{made['id']}/file", bytes(65536))
    networks = call("GET", "neutron", f"/v2.0/networks?name={EXTERNAL_NETWORK}")["networks"]
    if not networks:
        network = {
            "name": EXTERNAL_NETWORK,
            "router:external": True,
            "provider:network_type": "flat",
            "provider:physical_network": "public",
        }
        made = call("POST", "neutron", "/v2.0/networks", {"network": network})
        subnet = {
            "name": "public",
            "network_id": made["network"]["id"],
            "ip_version": 4,
            "cidr": "172.24.0.0/20",
            "enable_dhcp": False,
        }
        call("POST", "neutron", "/v2.0/subnets", {"subnet": subnet})
    limited = _by_name(admin, "projects")["limited"]
    quota = {"quota_set": {"instances": 0, "key_pairs": 0}}
    call("PUT", "nova", f"/v2.1/os-quota-sets/{limited}", quota)
    quota = {"quota": {"floatingip": 0, "network": 0}}
    call("PUT", "neutron", f"/v2.0/quotas/{limited}", quota)
