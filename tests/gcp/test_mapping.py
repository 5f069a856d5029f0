"""Pure functions: what no server was needed for, and what no server should send."""

from __future__ import annotations

import contextlib
import logging
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asyncspider import NotFoundError, VMStatus
from asyncspider_drivers.gcp import wire
from asyncspider_drivers.gcp.connection import api_root, is_google
from asyncspider_drivers.gcp.mapping import (
    check_public_key,
    fingerprint,
    groups_of,
    image_info,
    public_ip_info,
    scope_of,
    security_info,
    ssh_keys,
    vm_infos,
    vnic_infos,
)
from asyncspider_drivers.gcp.names import image_path, network_id, split_id, subnetwork_id

BASE = "https://www.googleapis.com/compute/v1/projects"
ZONE = scope_of("zones/us-east1-c")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)
TEXT = st.text(max_size=40)
INSTANCES = st.fixed_dictionaries(
    {"name": TEXT},
    optional={
        "status": TEXT,
        "machineType": TEXT,
        "hostname": TEXT,
        "creationTimestamp": st.datetimes(timezones=st.timezones()).map(
            lambda moment: moment.replace(microsecond=0).isoformat()
        ).filter(lambda text: len(text) == 25),
        "labels": st.dictionaries(TEXT, TEXT, max_size=3),
        "tags": st.fixed_dictionaries({}, optional={"items": st.lists(TEXT, max_size=3)}),
        "disks": st.lists(
            st.fixed_dictionaries({}, optional={"deviceName": TEXT, "boot": st.booleans()}),
            max_size=3,
        ),
        "networkInterfaces": st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "network": TEXT,
                    "subnetwork": TEXT,
                    "accessConfigs": st.just([{}]) | st.just([]),
                },
            ),
            max_size=2,
        ),
        "metadata": st.fixed_dictionaries(
            {},
            optional={
                "items": st.lists(
                    st.fixed_dictionaries(
                        {"key": st.sampled_from(["ssh-keys", "asyncspider-image", "x"])},
                        optional={"value": TEXT | st.integers()},
                    ),
                    max_size=3,
                )
            },
        ),
    },
)  # fmt: skip


@given(st.lists(INSTANCES, max_size=3))
def test_any_instance_that_fits_is_mapped(instances: list[dict[str, Any]]) -> None:
    body = msgspec.json.encode({"items": instances})
    items = msgspec.json.decode(body, type=wire.Listed[wire.Instance]).items
    infos = vm_infos(items, ZONE, "p")
    assert [info.name for info in infos] == [one["name"] for one in instances]
    assert all(info.id == f"us-east1-c/{info.name}" for info in infos)
    nics = msgspec.json.decode(body, type=wire.Listed[wire.InstanceNics]).items
    assert len(vnic_infos(nics, ZONE, "p")) == sum(
        len(one.get("networkInterfaces", [])) for one in instances
    )


@given(JSON)
def test_whatever_comes_is_decoded_or_refused(value: object) -> None:
    body = msgspec.json.encode(value)
    for kind in (
        wire.Listed[wire.Instance],
        wire.Aggregated[wire.ScopedInstances[wire.Instance]],
        wire.Refusal,
        wire.Operation,
        wire.Project,
    ):
        with contextlib.suppress(msgspec.DecodeError):
            msgspec.json.decode(body, type=kind)


@given(st.text())
@example("user:ssh-ed25519 caf\u00e9")
def test_any_text_of_keys_is_read(text: str) -> None:
    keys = ssh_keys(text)
    assert len({key.id for key in keys}) == len(keys)
    for key in keys:
        assert key.line in text.splitlines()
        assert fingerprint(key.public_key) == "" or key.public_key


def test_a_state_that_no_table_knows(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    machine = wire.Instance(name="odd", status="HIBERNATING", status_message="asleep")
    for _ in range(2):
        [info] = vm_infos([machine], ZONE, "p")
        assert (info.status, info.native_status) == (VMStatus.FAILED, "HIBERNATING")
        assert "HIBERNATING" in info.additional_info
        assert "asleep" in info.additional_info
    assert len([record for record in caplog.records if "HIBERNATING" in record.message]) == 1


def test_what_is_not_told_is_empty() -> None:
    [info] = vm_infos([wire.Instance(name="bare")], ZONE, "p")
    assert (info.start_time, info.vnetwork_id, info.vnic, info.tags) == (None, "", "", {})
    image = image_info(wire.Image(name="i"), "p", "p")
    assert (image.guest_os, image.created_at, image.public) == ("", None, False)
    address = public_ip_info(wire.Address(name="a"), "global", None)
    assert (address.id, address.vm_id) == ("global/a", "")


def test_things_of_another_project() -> None:
    network = f"{BASE}/host/global/networks/shared"
    subnetwork = f"{BASE}/host/regions/us-east1/subnetworks/part"
    assert network_id(network, "host") == "shared"
    assert network_id(network, "guest") == "projects/host/global/networks/shared"
    assert subnetwork_id(subnetwork, "host") == "us-east1/part"
    assert subnetwork_id(subnetwork, "guest") == ("projects/host/regions/us-east1/subnetworks/part")
    firewall = wire.Firewall(name="f", network=network, target_tags=("web",))
    [group] = groups_of([firewall], "guest").values()
    assert security_info(group).id == "projects/host/global/networks/shared/web"


@pytest.mark.parametrize(
    ("id", "path"),
    [
        ("mine", "projects/p/global/images/mine"),
        ("debian-cloud/deb-12", "projects/debian-cloud/global/images/deb-12"),
        ("debian-cloud/family/deb", "projects/debian-cloud/global/images/family/deb"),
        ("projects/d/global/images/i", "projects/d/global/images/i"),
        (f"{BASE}/d/global/images/family/f", "projects/d/global/images/family/f"),
    ],
)
def test_ids_of_images(id: str, path: str) -> None:
    assert image_path({}, id, "p") == path


@pytest.mark.parametrize("id", ["", "a/", "/a", "a/b/c", "..", "a/..", "a/family/", "x/family/.."])
def test_ids_of_no_image(id: str) -> None:
    with pytest.raises(NotFoundError):
        image_path({}, id, "p")


@pytest.mark.parametrize("id", ["", "a", "a/", "/a", "a/b/c", "../a", "a/."])
def test_ids_of_no_machine(id: str) -> None:
    with pytest.raises(NotFoundError, match="zone/name"):
        split_id({}, "VM", id, "zone", "name")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ssh-ed25519",
        "ssh-ed25519 !!!!",
        "ssh-ed25519 caf\u00e9",
        "ssh-ed25519 AAAA",
        "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIJ6Z8sBqYzU0YCJvL6uG0w3VdqL9y1gkU2jFq2cQn1bT",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ6Z8\nroot:ssh-ed25519 AAAA",
    ],
)
def test_what_is_no_public_key(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(not one line|its second word|what it holds)"):
        check_public_key(text)


def test_addresses_of_the_api() -> None:
    assert api_root(None) == "https://compute.googleapis.com/compute/v1"
    assert api_root("http://127.0.0.1:1/") == "http://127.0.0.1:1/compute/v1"
    assert api_root("http://127.0.0.1:1/compute/v1/") == "http://127.0.0.1:1/compute/v1"
    assert is_google("https://compute.googleapis.com/compute/v1")
    assert not is_google("https://googleapis.com.example.com")
