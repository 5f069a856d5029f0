"""The other commands, and what a person sees first."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

import asyncspider
from asyncspider import NotSupportedError, list_drivers, load_driver, registry
from asyncspider.cli import app

from .conftest import CLEAN, Here, mock_options

_SDKS = ("aiohttp", "botocore", "aiobotocore", "boto3", "google", "openstack", "keystoneauth1")


def test_version(here: Here) -> None:
    assert here("--version")[:2] == (0, f"asyncspider {asyncspider.__version__}\n")


@pytest.mark.parametrize("command", [[], ["scan"], ["regions"], ["drivers"], ["demo"]])
def test_help_loads_neither_http_nor_a_cloud(command: list[str]) -> None:
    program = (
        "import sys; sys.argv = ['asyncspider', *sys.argv[1:], '--help']\n"
        "from asyncspider.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit as ended:\n    assert not ended.code, ended\n"
        f"loaded = [name for name in {_SDKS} if name in sys.modules]\n"
        "assert not loaded, loaded\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *command], env=CLEAN, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Usage: asyncspider" in done.stdout


def test_drivers_shows_what_each_can_do(here: Here) -> None:
    code, out, _ = here("drivers")
    assert code == 0
    header, *rows = [line.split() for line in out.splitlines()]
    assert [row[0] for row in rows] == list_drivers()
    for row in rows:
        capability = load_driver(row[0]).get_driver_capability()
        for resource in asyncspider.Resource:
            shown = row[header.index(resource)]
            assert (shown == "yes") is (resource in capability)


def test_driver_without_its_sdk_says_what_to_install(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    def installed(package: str) -> bool:
        return package != "aiobotocore"

    monkeypatch.setattr(registry, "_installed", installed)
    monkeypatch.setattr(registry, "_loaded", {})
    with pytest.raises(NotSupportedError, match=r"needs aiobotocore.*asyncspider\[aws\]"):
        load_driver("aws")
    code, out, _ = here("drivers")
    assert code == 0
    told = "driver 'aws' needs aiobotocore, which is not installed; install asyncspider[aws]"
    assert told in out.splitlines()
    code, _, errors = here("scan", "--driver", "aws")
    assert code == 2
    assert "install asyncspider[aws]" in errors


def test_regions_one_a_line(here: Here) -> None:
    code, out, _ = here("regions", *mock_options(regions="a,b,c", not_enabled="b")[1:])
    assert (code, out.splitlines()) == (0, ["a", "c"])


def test_regions_that_cannot_be_had_are_1(here: Here) -> None:
    code, out, errors = here("regions", *mock_options(dead="*")[1:])
    assert (code, out) == (1, "")
    assert errors.startswith("asyncspider: mock")
    assert errors.count("\n") == 1


def test_broken_command_of_another_package_breaks_only_itself(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(*, group: str) -> list[EntryPoint]:
        return [EntryPoint("broken", "no_such_module:command", group)]

    monkeypatch.setattr(app, "entry_points", found)
    app._add_commands.cache_clear()
    code, out, errors = here("regions", "mock")
    assert (code, errors) == (
        0,
        "asyncspider: command 'broken' is broken: No module named 'no_such_module'\n",
    )
    assert out.startswith("mock-north-1\n")
