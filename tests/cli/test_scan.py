"""``asyncspider scan`` against mock worlds: exit codes, output, partial failure."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from asyncspider import Record, Resource, ScopeReport, ScopeStatus, VMInfo
from asyncspider.inventory import decode_json, encode_jsonl, read_jsonl

from .conftest import CLEAN, COMMAND, Cli, Here, mock_options


def one_line(text: str) -> str:
    """Return the only complaint on standard error."""
    assert "Traceback" not in text
    [line] = [line for line in text.splitlines() if line.startswith("asyncspider: ")]
    return line


def test_all_ok_is_0_and_counts_everything(cli: Cli) -> None:
    done = cli("scan", *mock_options(regions=3, vms=7), "-o", "out.jsonl")
    assert done.returncode == 0, done.stderr
    assert "written to out.jsonl" in done.stdout
    total = next(line for line in done.stdout.splitlines() if line.startswith("all "))
    assert total.split()[7] == "21"


def test_file_holds_every_record_and_every_report(cli: Cli, tmp_path: Path) -> None:
    cli("scan", *mock_options(regions=3, vms=7), "-o", "out.jsonl")
    outcomes = list(read_jsonl(tmp_path / "out.jsonl"))
    records = [outcome for outcome in outcomes if isinstance(outcome, Record)]
    reports = [outcome for outcome in outcomes if isinstance(outcome, ScopeReport)]
    assert {record.resource for record in records} == set(Resource)
    assert len({(report.target, report.resource) for report in reports}) == 3 * len(Resource)
    assert sum(report.count for report in reports) == len(records)
    assert not list(tmp_path.glob("*.partial"))


def test_json_goes_to_stdout_and_nothing_else_does(cli: Cli) -> None:
    done = cli("scan", *mock_options(regions=2, vms=4), "--json")
    outcomes = [decode_json(line) for line in done.stdout.splitlines()]
    vms = [o.data for o in outcomes if isinstance(o, Record) and isinstance(o.data, VMInfo)]
    assert len(vms) == 8
    assert encode_jsonl(outcomes).decode() == done.stdout
    assert "8 records" not in done.stdout
    assert "records from 14 scopes of 2 targets" in done.stderr


def test_resources_and_regions_can_be_chosen(cli: Cli) -> None:
    done = cli(
        "scan",
        *mock_options(regions="eu-a,eu-b,us-a,us-b"),
        *("--regions", "all,!us-*", "--resource", "vm", "--resource", "public_ip", "--json"),
    )
    outcomes = [decode_json(line) for line in done.stdout.splitlines()]
    scopes = Counter((o.region, str(o.resource)) for o in outcomes if isinstance(o, ScopeReport))
    assert scopes == {
        (region, kind): 1 for region in ("eu-a", "eu-b") for kind in ("vm", "public_ip")
    }


def test_accounts_by_glob_and_by_name(cli: Cli) -> None:
    options = mock_options(regions="a,b", vms=2, accounts="red,blue,black")
    done = cli("scan", *options, "--accounts", "b*", "-r", "vm", "--json")
    assert done.returncode == 0, done.stderr
    outcomes = [decode_json(line) for line in done.stdout.splitlines()]
    found = Counter(o.target for o in outcomes if isinstance(o, Record))
    assert found == {
        f"mock/{account}/{region}": 2 for account in ("blue", "black") for region in ("a", "b")
    }


def test_one_dead_region_costs_only_itself_and_is_3(cli: Cli) -> None:
    done = cli("scan", *mock_options(regions="a,b,c", vms=5, dead="b"), "--json")
    assert done.returncode == 3
    outcomes = [decode_json(line) for line in done.stdout.splitlines()]
    found = Counter(o.region for o in outcomes if isinstance(o, Record) and o.resource == "vm")
    assert found == {"a": 5, "c": 5}
    bad = [o for o in outcomes if isinstance(o, ScopeReport) and not o.ok]
    assert {(o.target, o.status) for o in bad} == {("mock/b", ScopeStatus.UNREACHABLE)}
    assert len(bad) == len(Resource)
    assert "not read in full" in done.stderr


def test_dead_zone_keeps_the_rest_of_its_list(cli: Cli) -> None:
    done = cli("scan", *mock_options(regions="a", vms=6, zones=2, dead_zones="a-b"), "-r", "vm")
    assert done.returncode == 3
    row = next(line for line in done.stdout.splitlines() if line.startswith("mock/a"))
    assert "3, 1 unreachable" in row


def test_nothing_worked_is_1_in_one_line(cli: Cli) -> None:
    done = cli("scan", *mock_options(dead="*"))
    assert done.returncode == 1
    assert "unreachable" in one_line(done.stderr)


def test_denied_everywhere_is_1(cli: Cli) -> None:
    done = cli("scan", *mock_options(regions="a,b", denied="*"), "--regions", "a,b")
    assert done.returncode == 1
    assert "denied" in one_line(done.stderr)


def test_deadline_ends_a_region_that_hangs(cli: Cli, tmp_path: Path) -> None:
    done = cli(
        "scan", *mock_options(regions="a,b", hung="b"), "--deadline", "1.5", "-o", "out.jsonl"
    )
    assert done.returncode == 3
    status = {
        (o.region, o.status)
        for o in read_jsonl(tmp_path / "out.jsonl")
        if isinstance(o, ScopeReport)
    }
    assert status == {("a", ScopeStatus.OK), ("b", ScopeStatus.TIMEOUT)}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--driver", "nowhere"], "unknown driver 'nowhere'; installed: aws, "),
        ([*mock_options(colour="red")], "unknown credential key 'colour'"),
        ([*mock_options(), "--credential", "noequals"], "--credential takes KEY=VALUE"),
        ([*mock_options(vms="many")], "credential key 'vms'"),
        ([*mock_options(), "--regions", "mock-nort-1"], "no region 'mock-nort-1'; there is: mock-"),
        ([*mock_options(), "--regions", "xx-*"], "no region matches 'xx-*'"),
        ([*mock_options(), "--limit-total", "0"], "limit total must be at least 1"),
        ([*mock_options(), "--deadline", "0"], "deadline must be more than 0"),
        ([*mock_options(), "--request-timeout", "-1"], "request_timeout must be more than 0"),
        ([*mock_options(), "--endpoint-url", "ftp://x"], "endpoint_url must look like"),
        ([*mock_options(), "-o", "no/such/dir"], "can't write no/such/dir"),
        ([*mock_options(seed="env:NOT_THERE")], "seed: the environment has no variable"),
        ([*mock_options(seed="file:not-there")], "seed: can't read not-there"),
        ([*mock_options(), "--targets", "x.toml"], "exclude each other"),
        (["--regions", "all"], "--regions needs --driver"),
        ([], "there is no asyncspider.toml here"),
        (["--targets", "x.toml"], "can't read x.toml"),
        (["--driver", "aws", "--credential", "aws_access_key_id=x"], "'aws_secret_access_key'"),
    ],
)
def test_wrong_usage_is_2_in_one_line(here: Here, arguments: list[str], told: str) -> None:
    code, out, errors = here("scan", *arguments)
    assert code == 2, errors
    assert told in one_line(errors)
    assert out == ""


def test_unknown_resource_is_2(here: Here) -> None:
    code, _, errors = here("scan", *mock_options(), "--resource", "disk")
    assert code == 2
    assert "public_ip" in errors
    assert "Traceback" not in errors


def test_unreachable_endpoint_is_1_in_one_line(cli: Cli) -> None:
    keys = ("--credential", "aws_access_key_id=testing")
    secret = ("--credential", "aws_secret_access_key=env:MY_SECRET")
    url = ("--endpoint-url", "http://127.0.0.1:9")  # the discard port: nobody listens
    done = cli("scan", "--driver", "aws", *keys, *secret, *url, MY_SECRET="testing")
    assert done.returncode == 1
    line = one_line(done.stderr)
    assert line == "asyncspider: aws: unreachable: 127.0.0.1:9: connection refused (Connect)"


def test_no_credentials_is_1_in_one_line(cli: Cli, tmp_path: Path) -> None:
    nothing = str(tmp_path / "nothing")
    done = cli(
        *("scan", "--driver", "aws", "--endpoint-url", "http://127.0.0.1:9"),
        AWS_CONFIG_FILE=nothing,
        AWS_SHARED_CREDENTIALS_FILE=nothing,
        HOME=str(tmp_path),
    )
    assert done.returncode == 1, done.stderr
    assert "credential" in one_line(done.stderr)


def test_secret_on_the_command_line_is_warned_of_and_never_shown(cli: Cli) -> None:
    done = cli("-vv", "scan", *mock_options(require_token="hunter2-hunter2", token="wrong-token"))
    assert done.returncode == 1
    assert "others can see require_token, token" in done.stderr
    assert "hunter2" not in done.stdout + done.stderr
    assert "wrong-token" not in done.stdout + done.stderr


def test_secret_from_environment_and_file(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hunter2-hunter2\n")
    options = mock_options(require_token="env:WANTED", token="file:token")
    done = cli("scan", *options, WANTED="hunter2-hunter2")
    assert done.returncode == 0, done.stderr
    assert "others can see" not in done.stderr


def test_piped_output_is_plain(cli: Cli) -> None:
    done = cli("scan", *mock_options(regions="a,b", dead="b"))
    assert "\x1b" not in done.stdout + done.stderr
    assert not set("━│╭") & set(done.stdout + done.stderr)
    assert "mock/b: unreachable" in done.stderr.splitlines()
    assert any(line.startswith("mock/a: image 3; vnetwork") for line in done.stderr.splitlines())
    assert not any(line.endswith(" ") for line in done.stdout.splitlines())


def test_output_file_is_untouched_by_a_failed_start(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "out.jsonl").write_text("before\n")
    done = cli("scan", *mock_options(), "--regions", "nowhere", "-o", "out.jsonl")
    assert done.returncode == 2
    assert (tmp_path / "out.jsonl").read_text() == "before\n"
    assert not list(tmp_path.glob("*.partial"))


def test_ctrl_c_is_130_and_leaves_no_half_file(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "scan", *mock_options(regions="a,b", hung="b"), "-o", "out.jsonl"],
        cwd=tmp_path,
        env=CLEAN,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("mock/a: "):  # one region is done, the other hangs
            break
    process.send_signal(signal.SIGINT)
    rest = process.stderr.read()
    process.stderr.close()
    assert process.wait(30) == 130
    assert rest == "asyncspider: interrupted\n"
    assert list(tmp_path.iterdir()) == []


def test_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "scan", *mock_options(regions=2, vms=20_000), "--json", "-r", "vm"],
        cwd=tmp_path,
        env=CLEAN,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    errors = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(60) == 141
    assert "Traceback" not in errors
    assert "Exception" not in errors


@pytest.mark.skipif(os.name != "posix", reason="terminals of other systems have other interfaces")
def test_on_a_terminal_there_is_a_live_display(tmp_path: Path) -> None:
    import pty

    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "scan", *mock_options(regions="a,b", dead="b", latency=0.05)],
        cwd=tmp_path,
        env=CLEAN | {"TERM": "xterm", "COLUMNS": "100"},
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # how Linux says that the other side is closed
            break
        if not part:
            break
        shown += part
    os.close(ours)
    assert process.wait(60) == 3
    text = shown.decode()
    assert "scanning 2 targets" in text
    assert "scopes · " in text
    assert "✗" in text
    assert "mock/a: image" not in text


@pytest.mark.long
def test_memory_does_not_grow_with_the_inventory(tmp_path: Path) -> None:
    program = (
        "import resource, sys\n"
        "from asyncspider.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit as ended:\n    assert ended.code == 0\n"
        "print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )

    def peak(vms: int) -> int:
        options = [*mock_options(regions=1, vms=vms), "-r", "vm", "-o", "out.jsonl"]
        done = subprocess.run(
            [sys.executable, "-c", program, "scan", *options],
            cwd=tmp_path,
            env=CLEAN,
            capture_output=True,
            text=True,
            check=True,
        )
        return int(done.stdout.rpartition("peak ")[2])

    assert peak(100_000) < 1.25 * peak(2_000)
