"""The wire structs against EC2's own service description, which botocore ships."""

from __future__ import annotations

import types
import typing
from datetime import datetime
from typing import Any

import botocore.session
import msgspec
import pytest

from asyncspider_drivers.aws import wire

MODEL = botocore.session.get_session().get_service_model("ec2")
KINDS: dict[Any, tuple[str, ...]] = {
    str: ("string",),
    int: ("integer", "long"),
    bool: ("boolean",),
    # CreationDate of an image is described as text; it holds a time.
    datetime: ("timestamp", "string"),
}


def check(kind: Any, shape: Any, path: str) -> int:
    """Check a field's type against its shape, and what is inside; return how many were seen."""
    if isinstance(kind, types.UnionType):
        [kind] = [part for part in typing.get_args(kind) if part is not types.NoneType]
    if typing.get_origin(kind) is list:
        assert shape.type_name == "list", path
        return check(typing.get_args(kind)[0], shape.member, f"{path}[]")
    if kind in KINDS:
        assert shape.type_name in KINDS[kind], f"{path} is a {shape.type_name}"
        return 1
    assert shape.type_name == "structure", path
    return check_struct(kind, [shape], path)


def check_struct(kind: type[msgspec.Struct], shapes: list[Any], path: str) -> int:
    members = {
        member.serialization.get("name", name): member
        for shape in shapes
        for name, member in shape.members.items()
    }
    seen = 0
    for field in msgspec.structs.fields(kind):
        assert field.encode_name in members, f"{path}: EC2 has no {field.encode_name}"
        seen += check(field.type, members[field.encode_name], f"{path}.{field.encode_name}")
    return seen


@pytest.mark.parametrize("operation", sorted(wire.ANSWERS))
def test_every_field_is_in_the_service_description(operation: str) -> None:
    kind = wire.ANSWERS[operation]
    fields = msgspec.structs.fields(kind)
    shape = MODEL.operation_model(operation).output_shape
    if not fields:
        return
    assert shape is not None
    allowed = [shape]
    if operation == "ImportKeyPair":
        # One struct serves both ways to get a key; only the other has material.
        allowed.append(MODEL.operation_model("CreateKeyPair").output_shape)
    assert check_struct(kind, allowed, operation) > 0
