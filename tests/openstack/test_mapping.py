"""Recorded replies as what users get, and every state."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from asyncspider import ImageInfo, SecurityRule, VMInfo, VMStatus
from asyncspider_drivers.openstack import mapping, wire

from .replay import raw, recorded


def joins(flavors: bool = False) -> mapping.Joins:
    ports = msgspec.json.decode(raw("ports"), type=wire.Ports).ports
    floating = msgspec.json.decode(raw("floatingips"), type=wire.FloatingIPs).floatingips
    names = msgspec.json.decode(raw("flavors"), type=wire.Flavors).flavors
    return mapping.Joins(
        mapping.ports_by_vm(ports),
        mapping.floating_by_port(floating),
        {flavor.name: flavor.id for flavor in names} if flavors else {},
    )


def vms(version: str) -> dict[str, VMInfo]:
    servers = msgspec.json.decode(raw(f"servers-{version}"), type=wire.Servers).servers
    known = joins(flavors=version == "2.96")
    infos = [mapping.vm_info(server, "RegionOne", known) for server in servers]
    return {vm.name.removeprefix("world-"): vm for vm in infos}


def test_three_novas_say_the_same() -> None:
    old, usual, new = vms("2.1"), vms("2.46"), vms("2.96")
    assert usual == new
    for name, vm in old.items():
        same = msgspec.structs.replace(vm, additional_info=usual[name].additional_info)
        assert same == usual[name]


def test_addresses_of_every_kind() -> None:
    known = vms("2.46")
    assert (known["none"].private_ip, known["none"].vnic, known["none"].security_ids) == (
        "",
        "",
        [],
    )
    assert known["one"].private_ip.startswith("10.61.0.")
    assert known["one"].public_ip == ""
    assert known["two"].private_ip.startswith("10.62.")
    assert len(known["two"].security_ids) == 2
    assert known["dual"].private_ip.startswith("10.63.0.")
    assert known["six"].private_ip.startswith("fd00:64:")
    assert known["floating"].public_ip.startswith("172.24.")
    for vm in known.values():
        assert (
            bool(vm.vnic) == bool(vm.private_ip) == bool(vm.subnetwork_id) == bool(vm.vnetwork_id)
        )
        assert vm.spec_id in ("1", "2")
        assert vm.image_id
        assert vm.start_time is not None
        assert vm.start_time.tzinfo is UTC


def test_a_floating_address_that_nova_does_not_show_yet() -> None:
    answer = recorded("servers-2.46")
    [plain] = [server for server in answer["servers"] if server["name"] == "world-floating"]
    for addresses in plain["addresses"].values():
        addresses[:] = [each for each in addresses if each["OS-EXT-IPS:type"] == "fixed"]
    server = msgspec.convert(plain, wire.Server)
    assert mapping.vm_info(server, "").public_ip == ""
    expected = vms("2.46")["floating"].public_ip
    assert mapping.vm_info(server, "", joins()).public_ip == expected


def test_what_nova_does_not_tell_is_empty() -> None:
    vm = mapping.vm_info(wire.Server(id="i", status="ACTIVE"), "")
    assert vm == VMInfo(id="i", status=VMStatus.RUNNING, native_status="ACTIVE")
    for image in (None, ""):
        plain = {"id": "i", "status": "BUILD", "image": image, "flavor": None}
        assert mapping.vm_info(msgspec.convert(plain, wire.Server), "").image_id == ""
    volumes = {"id": "i", "status": "ACTIVE", "os-extended-volumes:volumes_attached": [{"id": "v"}]}
    info = mapping.vm_info(msgspec.convert(volumes, wire.Server), "")
    assert info.additional_info == "volumes: v"


@pytest.mark.parametrize(("native", "status"), sorted(mapping.VM_STATUS.items()))
def test_states(native: str, status: VMStatus) -> None:
    assert mapping.vm_status(wire.ServerState(id="i", status=native)) is status


@pytest.mark.parametrize(
    ("native", "task", "status"),
    [
        ("ACTIVE", "powering-off", VMStatus.SUSPENDING),
        ("ACTIVE", "suspending", VMStatus.SUSPENDING),
        ("ACTIVE", "pausing", VMStatus.SUSPENDING),
        ("SHUTOFF", "powering-on", VMStatus.PENDING),
        ("SUSPENDED", "resuming", VMStatus.PENDING),
        ("PAUSED", "unpausing", VMStatus.PENDING),
        ("ACTIVE", "deleting", VMStatus.TERMINATING),
        ("REBOOT", "rebooting", VMStatus.REBOOTING),
        ("ACTIVE", "image_snapshot", VMStatus.RUNNING),
        ("ERROR", "deleting", VMStatus.FAILED),
        ("BUILD", "spawning", VMStatus.PENDING),
    ],
)
def test_tasks(native: str, task: str, status: VMStatus) -> None:
    assert mapping.vm_status(wire.ServerState(id="i", status=native, task=task)) is status


def test_a_state_that_no_table_knows(caplog: pytest.LogCaptureFixture) -> None:
    server = wire.Server(id="i", status="LEVITATING")
    vm, *_ = [mapping.vm_info(server, "") for _ in range(3)]
    assert (vm.status, vm.native_status) == (VMStatus.FAILED, "LEVITATING")
    assert "LEVITATING" in vm.additional_info
    assert len([r for r in caplog.records if "LEVITATING" in r.getMessage()]) == 1


def test_a_fault() -> None:
    broken = vms("2.46")["broken"]
    assert broken.status is VMStatus.FAILED
    assert "its metadata asked for it" in broken.additional_info


def test_an_image() -> None:
    images = msgspec.json.decode(raw("images"), type=wire.Images).images
    [cirros] = [image for image in images if image.name == "cirros"]
    info = mapping.image_info(cirros)
    assert info == ImageInfo(
        name="cirros",
        id=cirros.id,
        guest_os="cirros",
        architecture="x86_64",
        status="active",
        created_at=info.created_at,
        public=True,
    )
    assert isinstance(info.created_at, datetime)
    assert mapping.image_info(wire.Image(id="i", name=None)).name == ""


def test_rules() -> None:
    groups = msgspec.json.decode(raw("security-groups"), type=wire.SecurityGroups).security_groups
    [group] = [g for g in groups if g.name == "world-group" and len(g.security_group_rules) > 2]
    info = mapping.security_info(group)
    assert info.description == "Ünïcode ✓"
    assert SecurityRule(
        direction="inbound", protocol="tcp", from_port=22, to_port=22, cidr="0.0.0.0/0"
    ) in info.rules  # fmt: skip
    assert SecurityRule(direction="outbound", protocol="tcp", cidr="::/0") in info.rules
    assert SecurityRule(
        direction="inbound", protocol="icmp", from_port=8, to_port=0, cidr="0.0.0.0/0"
    ) in info.rules  # fmt: skip
    assert len([rule for rule in info.rules if rule.group and not rule.cidr]) == 1


@pytest.mark.parametrize(
    ("rule", "body"),
    [
        (
            SecurityRule(direction="inbound", protocol="all"),
            {"protocol": None, "ethertype": "IPv4", "direction": "ingress"},
        ),
        (
            SecurityRule(direction="outbound", protocol="tcp", from_port=80, cidr="::/0"),
            {"port_range_min": 80, "port_range_max": 65535, "ethertype": "IPv6"},
        ),
        (
            SecurityRule(direction="inbound", protocol="udp", to_port=99, group="g"),
            {"port_range_min": 1, "port_range_max": 99, "remote_group_id": "g",
             "remote_ip_prefix": None},
        ),
        (
            SecurityRule(direction="inbound", protocol="icmp", from_port=8),
            {"port_range_min": 8, "port_range_max": None},
        ),
    ],
)  # fmt: skip
def test_rules_as_neutron_takes_them(rule: SecurityRule, body: dict[str, Any]) -> None:
    made = mapping.security_rule_body("id", rule)
    assert body.items() <= made.items()


def test_ports_of_others_are_no_vms() -> None:
    ports = msgspec.json.decode(raw("ports"), type=wire.Ports).ports
    infos = [mapping.vnic_info(port, None) for port in ports]
    servers = {server["id"] for server in recorded("servers-2.46")["servers"]}
    assert {info.vm_id for info in infos} - {""} <= servers
    routers = [port for port in ports if port.device_owner.startswith("network:")]
    assert routers
    assert all(mapping.vnic_info(port, None).vm_id == "" for port in routers)
