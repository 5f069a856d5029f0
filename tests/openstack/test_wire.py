"""Recorded replies, decoded."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from asyncspider_drivers.openstack import wire

from .replay import raw, recorded

ANSWERS: list[tuple[str, type[wire.Wire], str]] = [
    ("servers-2.1", wire.Servers, "servers"),
    ("servers-2.46", wire.Servers, "servers"),
    ("servers-2.96", wire.Servers, "servers"),
    ("servers-page", wire.Servers, "servers"),
    ("servers-2.46", wire.ServerStates, "servers"),
    ("flavors", wire.Flavors, "flavors"),
    ("keypairs", wire.KeyPairs, "keypairs"),
    ("images", wire.Images, "images"),
    ("ports", wire.Ports, "ports"),
    ("floatingips", wire.FloatingIPs, "floatingips"),
    ("networks", wire.Networks, "networks"),
    ("subnets", wire.Subnets, "subnets"),
    ("security-groups", wire.SecurityGroups, "security_groups"),
]
# What this control plane never says: volumes need Cinder, private keys a create.
UNSEEN = {
    ("Server", "root_device"),  # for administrators only
    ("Server", "volumes"),
    ("KeyPair", "private_key"),
    ("Image", "os_type"),
    ("Image", "os_version"),
    ("SecurityGroupRule", "remote_address_group_id"),
}


@pytest.mark.parametrize(("name", "kind", "field"), ANSWERS)
def test_a_reply_decodes_to_the_last_item(name: str, kind: type[wire.Wire], field: str) -> None:
    decoded = msgspec.json.decode(raw(name), type=kind)
    items = getattr(decoded, field)
    assert len(items) == len(recorded(name)[field]) > 0


def values(kind: type[wire.Wire], item: Any, plain: dict[str, Any]) -> None:
    """Check that each field of a struct is what the reply says."""
    for field in msgspec.structs.fields(kind):
        if field.encode_name in plain and not isinstance(plain[field.encode_name], dict | list):
            value, said = getattr(item, field.name), plain[field.encode_name]
            if hasattr(value, "isoformat"):
                value, said = value.isoformat()[:19], said[:19]
            assert value == said, field.name


@pytest.mark.parametrize(("name", "kind", "field"), ANSWERS)
def test_fields_are_what_the_reply_says(name: str, kind: type[wire.Wire], field: str) -> None:
    decoded = getattr(msgspec.json.decode(raw(name), type=kind), field)
    for item, plain in zip(decoded, recorded(name)[field], strict=True):
        if kind is wire.KeyPairs:
            item, plain = item.keypair, plain["keypair"]
        values(type(item), item, plain)


def test_every_field_that_is_read_is_sent() -> None:
    """A name that no reply has is a slip of the pen."""
    sent: dict[str, set[str]] = {}
    read: dict[str, type[wire.Wire]] = {}

    def visit(item: Any, plain: Any) -> None:
        if isinstance(item, wire.Wire):
            read[type(item).__name__] = type(item)
            sent.setdefault(type(item).__name__, set()).update(plain)
            for field in msgspec.structs.fields(type(item)):
                if field.encode_name in plain:
                    visit(getattr(item, field.name), plain[field.encode_name])
        elif isinstance(item, list):
            for each, other in zip(item, plain, strict=True):
                visit(each, other)
        elif isinstance(item, dict):
            for key, each in item.items():
                visit(each, plain[key])

    for name, kind, _ in ANSWERS:
        visit(msgspec.json.decode(raw(name), type=kind), recorded(name))
    missing = {
        (name, field.name)
        for name, kind in read.items()
        for field in msgspec.structs.fields(kind)
        if field.encode_name not in sent[name] and not field.name.endswith(("_links", "next"))
    }
    assert missing <= UNSEEN, missing - UNSEEN


def test_neutron_is_asked_for_what_is_read() -> None:
    query = wire.fields_of(wire.Network)
    assert "fields=router:external" in query
    assert query.count("fields=") == len(msgspec.structs.fields(wire.Network))
