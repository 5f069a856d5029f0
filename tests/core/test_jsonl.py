"""Outcomes as JSON Lines: out and in, loss-free."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncspider import (
    ErrorInfo,
    ImageInfo,
    InvalidRequestError,
    KeyPairInfo,
    PublicIPInfo,
    Record,
    RegionInfo,
    Resource,
    ScopeReport,
    ScopeStatus,
    Secret,
    SecurityInfo,
    SecurityRule,
    SubnetInfo,
    VMInfo,
    VMStatus,
    VNetworkInfo,
    VNicInfo,
)
from asyncspider.inventory import JsonLinesWriter, decode_json, encode_jsonl, read_jsonl

# A lone surrogate is no text that any cloud could send: JSON is UTF-8.
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ids = text
numbers = st.none() | st.integers(-1, 65535)
times = st.none() | st.datetimes(timezones=st.just(UTC))
texts = st.lists(text, max_size=3)
tags = st.dictionaries(text, text, max_size=3)

rules = st.builds(
    SecurityRule,
    direction=st.sampled_from(["inbound", "outbound"]),
    protocol=text,
    from_port=numbers,
    to_port=numbers,
    cidr=text,
    group=text,
)
subnets = st.builds(SubnetInfo, id=ids, name=text, cidr_block=text, zone=text)
regions = st.builds(RegionInfo, region=text, zone=text)
FIELDS: dict[Resource, tuple[type[Any], dict[str, Any]]] = {
    Resource.IMAGE: (ImageInfo, {
        "guest_os": text, "architecture": text, "status": text, "created_at": times,
        "public": st.booleans(),
    }),
    Resource.VNETWORK: (VNetworkInfo, {
        "cidr_blocks": texts, "subnets": st.lists(subnets, max_size=2),
        "is_default": st.booleans(), "status": text,
    }),
    Resource.SECURITY: (SecurityInfo, {
        "description": text, "vnetwork_id": text, "rules": st.lists(rules, max_size=2),
    }),
    Resource.KEY_PAIR: (KeyPairInfo, {
        "fingerprint": text, "public_key": text, "private_key": st.none(),
    }),
    Resource.VNIC: (VNicInfo, {
        "vm_id": text, "vnetwork_id": text, "subnetwork_id": text, "mac_address": text,
        "private_ip": text, "public_ip": text, "security_ids": texts, "status": text,
    }),
    Resource.PUBLIC_IP: (PublicIPInfo, {
        "public_ip": text, "vm_id": text, "vnic_id": text, "private_ip": text, "status": text,
    }),
    Resource.VM: (VMInfo, {
        "start_time": times, "region": regions, "image_id": text, "spec_id": text,
        "vnetwork_id": text, "subnetwork_id": text, "security_id": text, "vnic": text,
        "public_ip": text, "public_dns": text, "private_ip": text, "private_dns": text,
        "key_pair_id": text, "guest_user_id": text, "guest_user_pwd": st.just(Secret()),
        "guest_boot_disk": text, "guest_block_disk": text, "additional_info": text,
        "status": st.sampled_from(VMStatus), "native_status": text, "security_ids": texts,
        "tags": tags,
    }),
}  # fmt: skip
INFOS = {
    resource: st.builds(kind, id=ids, name=text, **fields)
    for resource, (kind, fields) in FIELDS.items()
}
records = st.sampled_from(Resource).flatmap(
    lambda resource: INFOS[resource].flatmap(
        lambda data: st.builds(
            Record,
            driver=text,
            target=text,
            region=text,
            zone=text,
            resource=st.just(resource),
            id=st.just(data.id),
            name=st.just(data.name),
            data=st.just(data),
        )
    )
)
errors = st.builds(
    ErrorInfo,
    error=text,
    message=text,
    code=text,
    status=st.none() | st.integers(100, 599),
    operation=text,
    request_id=text,
    retryable=st.booleans(),
)
reports = st.builds(
    ScopeReport,
    target=text,
    region=text,
    zone=text,
    resource=st.sampled_from(Resource),
    status=st.sampled_from(ScopeStatus),
    count=st.integers(0, 10**6),
    seconds=st.floats(0, 1e6),
    requests=st.integers(0, 10**6),
    error=st.none() | errors,
)


@settings(max_examples=300, deadline=None)
@given(outcomes=st.lists(records | reports, max_size=5))
def test_outcomes_survive(outcomes: list[Record | ScopeReport]) -> None:
    lines = encode_jsonl(outcomes).split(b"\n")
    assert lines.pop() == b""
    assert len(lines) == len(outcomes), "one line each"
    assert [decode_json(line) for line in lines] == outcomes


@pytest.mark.parametrize("resource", list(Resource))
def test_every_field_is_among_them(resource: Resource) -> None:
    kind, fields = FIELDS[resource]
    assert set(kind.__struct_fields__) == {"id", "name", *fields}


def record(**changes: object) -> Record:
    vm = VMInfo(id="i-1", name="web", guest_user_pwd=Secret("hunter2"), tags={"a": "b"})
    plain = Record("mock", "t", "r", "z", Resource.VM, "i-1", "web", vm)
    return msgspec.structs.replace(plain, **changes)


def test_secrets_are_masked_and_stay_unknown() -> None:
    key = KeyPairInfo(id="k", private_key=Secret("-----BEGIN"))
    both = [record(), record(resource=Resource.KEY_PAIR, id="k", name="", data=key)]
    lines = encode_jsonl(both)
    assert b"hunter2" not in lines
    assert b"BEGIN" not in lines
    for line in lines.splitlines():
        again = decode_json(line)
        assert isinstance(again, Record)
        match again.data:
            case VMInfo(guest_user_pwd=secret) | KeyPairInfo(private_key=secret):
                assert not secret
            case _:
                raise AssertionError(again.data)


def test_the_line_is_plain_json_with_a_tag() -> None:
    [line] = encode_jsonl([record()]).splitlines()
    plain = msgspec.json.decode(line)
    assert plain["type"] == "record"
    assert plain["resource"] == "vm"
    assert plain["data"]["type"] == "vm"
    assert plain["data"]["tags"] == {"a": "b"}


def test_a_file_out_and_in(tmp_path: Path) -> None:
    path = tmp_path / "inventory.jsonl"
    outcomes = [record(id=f"i-{number}") for number in range(100)]
    with JsonLinesWriter(path) as writer:
        writer.write(outcomes[:60])
        assert not path.exists(), "nobody sees half of it"
        writer.write(outcomes[60:])
    assert writer.bytes_written == path.stat().st_size
    assert [again.id for again in read_jsonl(path) if isinstance(again, Record)] == [
        outcome.id for outcome in outcomes
    ]
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_left_with_an_error_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "inventory.jsonl"
    path.write_bytes(b"what was there before")

    def fail() -> None:
        with JsonLinesWriter(path) as writer:
            writer.write([record()])
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert path.read_bytes() == b"what was there before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "bad",
    [b"{", b"[]", b'"text"', b'{"type":"nothing"}', b'{"type":"record"}', b"\xff\xfe", b"null",
     b'{"type":"scope","target":"t","resource":"vm","status":"splendid"}'],
)  # fmt: skip
def test_a_bad_line_is_told_with_file_and_number(tmp_path: Path, bad: bytes) -> None:
    path = tmp_path / "broken.jsonl"
    path.write_bytes(encode_jsonl([record(), record()]) + b"\n" + bad + b"\n")
    outcomes = read_jsonl(path)
    next(outcomes)
    next(outcomes)
    with pytest.raises(InvalidRequestError, match=r"broken\.jsonl, line 4"):
        next(outcomes)


def test_a_newer_files_extra_fields_do_no_harm() -> None:
    [line] = encode_jsonl([record()]).splitlines()
    plain = msgspec.json.decode(line)
    plain["from_the_future"] = 1
    plain["data"]["from_the_future"] = [1, 2]
    assert decode_json(msgspec.json.encode(plain)) == decode_json(line)
