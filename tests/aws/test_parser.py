"""XML to structs: what fits, and what must become a typed error."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, get_args, get_origin
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import msgspec
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


# -- against another reader of XML


def expected(body: bytes) -> wire.DescribeInstances:
    """Return what the document says by the standard library's parser, element by element."""
    return as_struct(ElementTree.fromstring(body), wire.DescribeInstances)


def as_struct(element: ElementTree.Element, kind: Any) -> Any:
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        types = [part for part in get_args(field.type) if part is not type(None)]
        for child in element:
            if child.tag.rpartition("}")[2] != field.encode_name:
                continue
            text = child.text or ""
            if get_origin(field.type) is list:
                values[field.name] = [as_struct(item, types[0]) for item in child]
            elif field.type is str:
                values[field.name] = text
            elif int in types:
                values[field.name] = int(text) if text else None
            elif datetime in types:
                values[field.name] = datetime.fromisoformat(text) if text else None
            else:
                values[field.name] = as_struct(child, types[0] if types else field.type)
    return kind(**values)


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]), max_size=12)
forms = st.sampled_from(["plain", "cdata", "numbers", "comment", "attribute"])


def element(name: str, text: str, form: str) -> str:
    """Write an element in one of the ways in which XML can say the same."""
    match form:
        case "cdata" if "]]>" not in text:
            return f"<{name}><![CDATA[{text}]]></{name}>"
        case "numbers":
            return f"<{name}>{''.join(f'&#{ord(character)};' for character in text)}</{name} >"
        case "comment":
            half = len(text) // 2
            inside = f"{escape(text[:half])}<!-- </{name}> & <b> -->{escape(text[half:])}"
            return f"<{name}>{inside}</{name}>"
        case "attribute":
            return f"<{name} a='1>0' b = \"x\">{escape(text)}</{name}>"
        case _:
            return f"<{name}>{escape(text)}</{name}>" if text else f"<{name}/>"


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    gap = draw(st.sampled_from(["", "\n    ", "<!-- gap -->", "<unknown><item>1</item></unknown>"]))

    def some(name: str) -> str:
        return element(name, draw(texts), draw(forms))

    def instance() -> str:
        tags = "".join(
            f"{gap}<item>{gap}{some('key')}{gap}{some('value')}</item>"
            for _ in range(draw(st.integers(0, 3)))
        )
        parts = [
            some("instanceId"),
            f"<tagSet>{tags}{gap}</tagSet>",
            f"<instanceState>{some('code')}{some('name')}</instanceState>",
            f"<unknown><instanceId>no</instanceId>{some('name')}<deep><er/></deep></unknown>",
            "<launchTime>2018-05-08T16:46:19.000Z</launchTime>",
            f"<placement>{some('availabilityZone')}</placement>",
        ]
        return gap.join(draw(st.permutations(parts)))

    items = [f"<item>{instance()}</item>" for _ in range(draw(st.integers(0, 3)))]
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<!-- first -->'
        '<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
        f"{gap}<reservationSet><item><instancesSet>{gap.join(items)}</instancesSet></item>"
        f"</reservationSet>{gap}{some('nextToken')}</DescribeInstancesResponse>\n<!-- last -->"
    ).encode()


@given(documents(), st.lists(st.integers(1, 200), max_size=20))
def test_what_another_parser_reads_wherever_it_is_cut(body: bytes, cuts: list[int]) -> None:
    reader = parser.Reader("DescribeInstances", wire.DescribeInstances)
    rest = body
    for cut in cuts:
        reader.feed(rest[:cut])
        rest = rest[cut:]
    reader.feed(rest)
    assert reader.close() == expected(body)


def test_a_document_byte_by_byte() -> None:
    reader = parser.Reader("DescribeInstances", wire.DescribeInstances)
    for at in range(len(INSTANCES)):
        reader.feed(memoryview(INSTANCES)[at : at + 1])
    assert reader.close() == decode(INSTANCES) == expected(INSTANCES)


def test_lines_end_as_xml_says() -> None:
    answer = decode(INSTANCES.replace(b"\n", b"\r\n").replace(b"my_keypair", b"a\r\nb&#13;c\rd"))
    assert answer.reservation_set[0].instances_set[0].key_name == "a\nb\rc\nd"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"<a><b></a></b>", "'b' is closed by"),
        (b"<DescribeInstancesResponse><x></y></DescribeInstancesResponse>", "'x' is closed by"),
        (INSTANCES + b"<more/>", "after its end"),
        (INSTANCES + b"more", "outside"),
        (b"more" + INSTANCES, "outside"),
        (INSTANCES.replace(b"my_keypair", b"&nbsp;"), "stands for nothing"),
        (INSTANCES.replace(b"my_keypair", b"a & b"), "stands for nothing"),
        (INSTANCES.replace(b"my_keypair", b"&#xD800;"), "stands for nothing"),
        (INSTANCES.replace(b"my_keypair", b"&#99999999999999999999999;"), "stands for nothing"),
        (INSTANCES.replace(b"my_keypair", b"<b c=1/>"), "is no tag"),
        (INSTANCES.replace(b"my_keypair", b"<"), "is no tag"),
        (INSTANCES.replace(b"UTF-8", b"ISO-8859-1"), "UTF-8"),
        (INSTANCES[:-1], "closed by"),
        (INSTANCES.removesuffix(b"</DescribeInstancesResponse>"), "breaks off"),
        (INSTANCES + b"<!-- ", "is no tag"),
        (INSTANCES.replace(b"my_keypair", b"\xff"), "can't be read"),
    ],
)
def test_what_is_not_well_formed(body: bytes, why: str) -> None:
    if body.startswith(b"<a>"):
        body = b"<DescribeInstancesResponse>" + body + b"</DescribeInstancesResponse>"
    for _ in range(2):  # what was refused once is not remembered as good
        with pytest.raises(ProtocolError, match=why):
            decode(body)
    assert decode(INSTANCES).next_token == "more"


def test_what_is_remembered_has_a_bound() -> None:
    names = [f"a{number}" for number in range(30_000)]
    body = "".join(f"<{name}>{name}</{name}>" for name in names)
    document = f"<DescribeVpcsResponse>{body}</DescribeVpcsResponse>".encode()
    assert parser.decode(document, "DescribeVpcs", wire.DescribeVpcs) == wire.DescribeVpcs()
    plan = parser._plan("DescribeVpcsResponse", wire.DescribeVpcs)
    try:
        assert plan._room == 0
    finally:
        parser._plan.cache_clear()


def test_error_documents() -> None:
    body = b"""<?xml version="1.0"?><Response><Errors><Error><Code>AuthFailure</Code>
    <Message>No.</Message></Error></Errors><RequestID>ea966190</RequestID></Response>"""
    assert parser.decode_error(body) == ("AuthFailure", "No.", "ea966190")
    assert parser.decode_error(b"<html>oops") == ("", "", "")
