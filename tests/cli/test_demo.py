"""``asyncspider demo``, all of it."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from asyncspider import Record, ScopeReport, VMInfo, VMStatus
from asyncspider.inventory import read_jsonl
from asyncspider_drivers.demo import clouds

from .conftest import CLEAN, COMMAND, Cli, Here


def _children(pid: int) -> list[int]:
    """Return the processes that a process has started and that still are."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in path.read_text().split()]


@pytest.mark.long
def test_demo(cli: Cli, tmp_path: Path) -> None:
    # Configuration of the person's own must not matter.
    broken = {"AWS_PROFILE": "nowhere", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    done = cli("demo", "--vms", "4", **broken)
    assert done.returncode == 0, done.stdout + done.stderr
    outcomes = list(read_jsonl(tmp_path / "inventory.jsonl"))
    assert all(outcome.ok for outcome in outcomes if isinstance(outcome, ScopeReport))
    records = [outcome for outcome in outcomes if isinstance(outcome, Record)]
    aws = [record for record in records if record.driver == "aws"]
    assert len({record.region for record in aws}) >= 5
    for region in {record.region for record in aws}:
        vms = [r.data for r in aws if r.region == region and isinstance(r.data, VMInfo)]
        assert sorted(vm.status for vm in vms) == [VMStatus.RUNNING] * 3 + [VMStatus.SUSPENDED]
        kinds = {record.resource for record in aws if record.region == region}
        assert len(kinds) == 7
    assert "mock" in {record.driver for record in records}
    assert "some of the VMs" in done.stdout
    assert "the demo took" in done.stdout
    assert f"{len(records):,} records" in done.stdout


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGKILL])
def test_demo_that_is_ended_leaves_no_server(tmp_path: Path, signal_number: int) -> None:
    process = subprocess.Popen(
        [*COMMAND, "demo"], cwd=tmp_path, env=CLEAN, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("filling"):
            break
    servers = _children(process.pid)
    assert servers
    process.send_signal(signal_number)
    process.stderr.read()
    process.stderr.close()
    code = process.wait(30)
    assert code == (130 if signal_number == signal.SIGINT else -signal.SIGKILL)
    for server in servers:
        _wait_until_gone(server)
    assert not (tmp_path / "inventory.jsonl").exists()


def _wait_until_gone(pid: int) -> None:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    import select

    with os.fdopen(descriptor):
        readable, _, _ = select.select([descriptor], [], [], 30)
    assert readable, f"process {pid} outlived the demo"


def test_demo_without_its_extra_says_so(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clouds, "find_spec", lambda name: None)
    code, _, errors = here("demo")
    assert code == 2
    assert "install asyncspider[demo]" in errors
