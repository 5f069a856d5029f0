"""XML to structs: what fits, and what must become a typed error."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncspider import ProtocolError, VMStatus
from asyncspider_drivers.aws import mapping, parser, wire

INSTANCES = b"""<?xml version="1.0" encoding="UTF-8"?>
<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
  <requestId>8f7724cf-496f-496e-8fe3-example</requestId>
  <reservationSet>
    <item>
      <reservationId>r-1234567890abcdef0</reservationId>
      <instancesSet>
        <item>
          <instanceId>i-1234567890abcdef0</instanceId>
          <imageId>ami-bff32ccc</imageId>
          <instanceState><code>16</code><name>running</name></instanceState>
          <privateDnsName>ip-192-168-1-88.eu-west-1.compute.internal</privateDnsName>
          <dnsName/>
          <keyName>my_keypair</keyName>
          <instanceType>t2.micro</instanceType>
          <launchTime>2018-05-08T16:46:19.000Z</launchTime>
          <placement><availabilityZone>eu-west-1c</availabilityZone></placement>
          <vpcId>vpc-11112222</vpcId>
          <subnetId>subnet-56f5f633</subnetId>
          <privateIpAddress>192.168.1.88</privateIpAddress>
          <rootDeviceName>/dev/xvda</rootDeviceName>
          <blockDeviceMapping>
            <item><deviceName>/dev/xvda</deviceName><ebs><volumeId>vol-1</volumeId></ebs></item>
            <item><deviceName>/dev/sdb</deviceName></item>
            <item><deviceName>/dev/sdc</deviceName></item>
          </blockDeviceMapping>
          <networkInterfaceSet>
            <item>
              <networkInterfaceId>eni-second</networkInterfaceId>
              <attachment><deviceIndex>1</deviceIndex></attachment>
            </item>
            <item>
              <networkInterfaceId>eni-first</networkInterfaceId>
              <attachment><deviceIndex>0</deviceIndex></attachment>
            </item>
          </networkInterfaceSet>
          <groupSet>
            <item><groupId>sg-e4076980</groupId></item>
            <item><groupId>sg-2</groupId></item>
          </groupSet>
          <tagSet>
            <item><key>Name</key><value>Server &amp; one</value></item>
            <item><key>empty</key><value/></item>
          </tagSet>
          <somethingNew><deep>er</deep></somethingNew>
        </item>
      </instancesSet>
    </item>
  </reservationSet>
  <nextToken>more</nextToken>
</DescribeInstancesResponse>"""


def decode(body: bytes) -> wire.DescribeInstances:
    return parser.decode(body, "DescribeInstances", wire.DescribeInstances)


def test_an_instance_becomes_a_vm() -> None:
    answer = decode(INSTANCES)
    assert answer.next_token == "more"
    vm = mapping.vm_info(answer.reservation_set[0].instances_set[0], "eu-west-1")
    assert vm.id == "i-1234567890abcdef0"
    assert vm.name == "Server & one"
    assert vm.tags == {"Name": "Server & one", "empty": ""}
    assert vm.start_time == datetime(2018, 5, 8, 16, 46, 19, tzinfo=UTC)
    assert (vm.region.region, vm.region.zone) == ("eu-west-1", "eu-west-1c")
    assert (vm.status, vm.native_status) == (VMStatus.RUNNING, "running")
    assert vm.vnic == "eni-first"
    assert (vm.guest_boot_disk, vm.guest_block_disk) == ("/dev/xvda", "/dev/sdb,/dev/sdc")
    assert (vm.security_id, vm.security_ids) == ("sg-e4076980", ["sg-e4076980", "sg-2"])
    assert (vm.public_ip, vm.public_dns) == ("", "")
    assert vm.additional_info == ""


def test_an_empty_answer() -> None:
    answer = decode(b"<DescribeInstancesResponse><reservationSet/></DescribeInstancesResponse>")
    assert answer == wire.DescribeInstances()


def test_a_state_that_no_table_knows(caplog: pytest.LogCaptureFixture) -> None:
    instance = wire.Instance(instance_id="i-1", instance_state=wire.State("hovering"))
    vm = mapping.vm_info(instance, "eu-west-1")
    mapping.vm_info(instance, "eu-west-1")
    assert (vm.status, vm.native_status) == (VMStatus.FAILED, "hovering")
    assert "hovering" in vm.additional_info
    assert len([record for record in caplog.records if "hovering" in record.message]) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"<html><body><h1>503 Service Unavailable</h1></body></html>",
        b"<html><p>not closed",
        b'{"json": true}',
        b"\x00\xff\xfe",
        INSTANCES[: len(INSTANCES) // 2],
        b"<DescribeVpcsResponse/>",
        INSTANCES.replace(b"2018-05-08T16:46:19.000Z", b"yesterday"),
        INSTANCES.replace(b"<deviceIndex>1</deviceIndex>", b"<deviceIndex>one</deviceIndex>"),
    ],
)
def test_what_is_no_answer(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(body)


def test_a_document_type_is_refused() -> None:
    bomb = b"""<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY f SYSTEM "file:///etc/passwd">]>
    <DescribeInstancesResponse><nextToken>&f;</nextToken></DescribeInstancesResponse>"""
    with pytest.raises(ProtocolError, match="document type"):
        decode(bomb)


@pytest.mark.parametrize(
    "text", ['"', "\\", '\\"', "a\nb", "\t", "\u00e9 \U0001f600", "\U0001fffe", "],[", "{}", "\x7f"]
)
def test_text_of_any_kind_comes_through(text: str) -> None:
    answer = decode(INSTANCES.replace(b"my_keypair", text.encode()))
    [instance] = answer.reservation_set[0].instances_set
    assert instance.key_name == text
    assert instance.instance_type == "t2.micro"


def test_white_space_alone_is_text_too() -> None:
    answer = decode(INSTANCES.replace(b"my_keypair", b"  "))
    assert answer.reservation_set[0].instances_set[0].key_name == "  "


@given(st.integers(0, len(INSTANCES)), st.integers(0, len(INSTANCES)), st.binary(max_size=8))
def test_damaged_documents_are_read_or_refused(start: int, end: int, patch: bytes) -> None:
    first, last = sorted((start, end))
    damaged = INSTANCES[:first] + patch + INSTANCES[last:]
    try:
        answer = decode(damaged)
    except ProtocolError:
        return
    for reservation in answer.reservation_set:
        for instance in reservation.instances_set:
            mapping.vm_info(instance, "eu-west-1")


def test_error_documents() -> None:
    body = b"""<?xml version="1.0"?><Response><Errors><Error><Code>AuthFailure</Code>
    <Message>No.</Message></Error></Errors><RequestID>ea966190</RequestID></Response>"""
    assert parser.decode_error(body) == ("AuthFailure", "No.", "ea966190")
    assert parser.decode_error(b"<html>oops") == ("", "", "")
