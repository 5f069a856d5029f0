"""The walls of the house: who may know of whom."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import asyncspider

ROOT = Path(asyncspider.__file__).parents[1]
SDKS = {"boto3", "botocore", "aiobotocore", "google", "openstack", "keystoneauth1", "lxml", "moto"}
DRIVERS = "asyncspider_drivers"


def _imports(file: Path) -> Iterator[str]:
    """Yield the full name of every module that a file imports, wherever in it."""
    package = file.relative_to(ROOT).with_suffix("").parts
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: -node.level] if node.level else ()
            yield ".".join((*base, *((node.module,) if node.module else ())))


def _files(package: str) -> list[Path]:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    return files


def test_asyncspider_knows_no_cloud() -> None:
    known = {
        (str(file.relative_to(ROOT)), name)
        for file in _files("asyncspider")
        for name in _imports(file)
        if name.split(".")[0] in SDKS | {DRIVERS}
    }
    assert known == set()


def test_clouds_do_not_know_each_other() -> None:
    folders = [path.parent.name for path in (ROOT / DRIVERS).glob("*/driver.py")]
    assert {"aws", "mock"} <= set(folders)
    for folder in folders:
        others = {f"{DRIVERS}.{other}" for other in (*folders, "demo") if other != folder}
        for file in _files(f"{DRIVERS}/{folder}"):
            if "emulator" in file.parts:
                continue
            wrong = [name for name in _imports(file) if ".".join(name.split(".")[:2]) in others]
            assert not wrong, f"{file} imports {wrong}"


def test_wire_and_mapping_do_no_io() -> None:
    for file in [*ROOT.glob(f"{DRIVERS}/*/wire.py"), *ROOT.glob(f"{DRIVERS}/*/mapping.py")]:
        tree = ast.parse(file.read_text())
        assert not any(
            isinstance(node, ast.AsyncFunctionDef | ast.Await) for node in ast.walk(tree)
        )
        roots = {name.split(".")[0] for name in _imports(file)}
        assert not roots & {"aiohttp", "socket", "anyio", "asyncio", "os", "pathlib"}, file


def test_importing_asyncspider_loads_no_cloud() -> None:
    names = sorted(SDKS | {DRIVERS, "aiohttp", "stamina"})
    program = (
        "import sys, asyncspider\n"
        "asyncspider.list_drivers()\n"
        f"print([name for name in {names} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("driver", ["mock"])
def test_using_one_driver_loads_no_other_sdk(driver: str) -> None:
    program = (
        "import asyncio, sys, asyncspider\n"
        "async def main():\n"
        f"    async with asyncspider.connect({driver!r}) as conn:\n"
        "        await conn.create_vm_handler().list_vm()\n"
        "asyncio.run(main())\n"
        f"print([name for name in {sorted(SDKS)} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
