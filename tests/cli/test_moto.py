"""A scan of an AWS that somebody else filled."""

from __future__ import annotations

import contextlib
import re
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest

from asyncspider import Record, Resource, ScopeReport, ScopeStatus
from asyncspider.inventory import read_jsonl

from .conftest import Cli

pytestmark = pytest.mark.long
REGIONS = (
    *("us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "sa-east-1"),
    *("eu-west-1", "eu-west-2", "eu-west-3", "eu-central-1", "eu-north-1"),
    *("ap-northeast-1", "ap-northeast-2", "ap-northeast-3"),
    *("ap-south-1", "ap-southeast-1", "ap-southeast-2"),
)
DEAD = "eu-west-2"
KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}


def _fill(url: str, region: str) -> None:
    ec2: Any = boto3.client("ec2", region_name=region, endpoint_url=url, **KEYS)
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.1.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc)["GroupId"]
    ec2.create_key_pair(KeyName="mine")
    ec2.create_network_interface(SubnetId=subnet, Groups=[group])
    ec2.allocate_address(Domain="vpc")
    image = ec2.describe_images(ImageIds=["ami-12c6146b"])["Images"][0]["ImageId"]
    vms = ec2.run_instances(ImageId=image, MinCount=2, MaxCount=2, SubnetId=subnet)["Instances"]
    ec2.create_image(InstanceId=vms[0]["InstanceId"], Name="golden")


def _ids(url: str, region: str) -> dict[Resource, set[str]]:
    """Return what boto3 finds."""
    ec2: Any = boto3.client("ec2", region_name=region, endpoint_url=url, **KEYS)
    reservations = ec2.describe_instances()["Reservations"]
    return {
        Resource.VM: {vm["InstanceId"] for some in reservations for vm in some["Instances"]},
        Resource.IMAGE: {i["ImageId"] for i in ec2.describe_images(Owners=["self"])["Images"]},
        Resource.VNETWORK: {vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"]},
        Resource.SECURITY: {
            group["GroupId"] for group in ec2.describe_security_groups()["SecurityGroups"]
        },
        Resource.KEY_PAIR: {key["KeyName"] for key in ec2.describe_key_pairs()["KeyPairs"]},
        Resource.VNIC: {
            nic["NetworkInterfaceId"]
            for nic in ec2.describe_network_interfaces()["NetworkInterfaces"]
        },
        Resource.PUBLIC_IP: {
            address["AllocationId"] for address in ec2.describe_addresses()["Addresses"]
        },
    }


@contextlib.contextmanager
def without_region(url: str, region: str) -> Iterator[str]:
    """A door to the server at `url` that hangs up on every request signed for `region`."""
    server = urlsplit(url).netloc

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if re.search(rf"/{region}/ec2/", self.headers["Authorization"]):
                self.close_connection = True
                return
            with contextlib.closing(HTTPConnection(server)) as connection:
                connection.request("POST", self.path, body, dict(self.headers))
                answer = connection.getresponse()
                content = answer.read()
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.headers["Content-Type"])
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    door = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    thread = threading.Thread(target=door.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{door.server_port}"
    finally:
        door.shutdown()
        thread.join()
        door.server_close()


@pytest.fixture
def filled(fresh_moto: str) -> str:
    """The address of a moto server with things in 17 regions."""
    for region in REGIONS:
        _fill(fresh_moto, region)
    return fresh_moto


def _found(path: Path) -> tuple[dict[str, dict[Resource, set[str]]], list[ScopeReport]]:
    found: dict[str, dict[Resource, set[str]]] = defaultdict(
        lambda: {resource: set() for resource in Resource}
    )
    reports: list[ScopeReport] = []
    for outcome in read_jsonl(path):
        if isinstance(outcome, Record):
            found[outcome.region][outcome.resource].add(outcome.id)
        else:
            reports.append(outcome)
    return found, reports


def _scan(cli: Cli, url: str) -> Any:
    return cli(
        *("scan", "--driver", "aws", "--regions", ",".join(REGIONS), "--endpoint-url", url),
        *("-o", "inventory.jsonl"),
        AWS_ACCESS_KEY_ID="testing",
        AWS_SECRET_ACCESS_KEY="testing",
    )


def test_17_regions_agree_with_boto3_and_a_dead_one_costs_only_itself(
    cli: Cli, tmp_path: Path, filled: str
) -> None:
    expected = {region: _ids(filled, region) for region in REGIONS}
    done = _scan(cli, filled)
    assert done.returncode == 0, done.stdout + done.stderr
    found, reports = _found(tmp_path / "inventory.jsonl")
    assert found == expected
    assert len(reports) == len(REGIONS) * len(Resource)

    with without_region(filled, DEAD) as door:
        done = _scan(cli, door)
    assert done.returncode == 3, done.stdout + done.stderr
    found, reports = _found(tmp_path / "inventory.jsonl")
    assert found == {region: ids for region, ids in expected.items() if region != DEAD}
    assert Counter((report.region, report.status) for report in reports if not report.ok) == {
        (DEAD, ScopeStatus.UNREACHABLE): len(Resource)
    }


def test_regions_by_glob_and_exclude(cli: Cli, fresh_moto: str) -> None:
    done = cli(
        *("scan", "--driver", "aws", "--regions", "all,!us-*,!ap-*", "--resource", "vm"),
        *("--resource", "public_ip", "--endpoint-url", fresh_moto),
        *("--credential", "aws_access_key_id=testing"),
        *("--credential", "aws_secret_access_key=env:HIDDEN"),
        HIDDEN="testing",
    )
    assert done.returncode == 0, done.stderr
    targets = {line.split()[0] for line in done.stdout.splitlines() if line.startswith("aws/")}
    assert {"aws/eu-west-1", "aws/sa-east-1"} <= targets
    assert not {target for target in targets if target.startswith(("aws/us-", "aws/ap-"))}
