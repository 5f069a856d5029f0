"""What importing the package costs, counted in modules."""

from __future__ import annotations

import subprocess
import sys

import pytest

CLOUDS = ("boto3", "botocore", "aiobotocore", "google", "openstack", "keystoneauth1", "lxml")
HEAVY = (*CLOUDS, "aiohttp", "rich", "typer", "pytest", "hypothesis", "stamina", "moto")


def loaded(code: str) -> set[str]:
    """Return the modules that a fresh interpreter has loaded after running some code."""
    code += "\nimport sys; print(*sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    return set(answer.stdout.split())


def top(modules: set[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


def test_importing_the_package_loads_no_cloud_and_nothing_heavy() -> None:
    modules = loaded("import asyncspider")
    assert not top(modules) & set(HEAVY)
    assert "asyncspider_drivers" not in modules
    assert "asyncio" not in modules
    assert len(modules - loaded("import msgspec")) < 60


def test_a_scan_of_one_cloud_loads_no_other() -> None:
    modules = loaded(
        "import asyncio\n"
        "from asyncspider import Fleet, expand\n"
        "async def main():\n"
        "    async with Fleet(await expand('mock')) as fleet:\n"
        "        assert (await fleet.scan()).ok\n"
        "asyncio.run(main())"
    )
    assert "asyncspider_drivers.mock" in modules
    assert not top(modules) & set(CLOUDS)
    assert not {module for module in modules if module.startswith("asyncspider_drivers.")} & {
        "asyncspider_drivers.aws", "asyncspider_drivers.gcp", "asyncspider_drivers.openstack",
    }  # fmt: skip


def test_listing_drivers_loads_none() -> None:
    modules = loaded("import asyncspider; assert 'aws' in asyncspider.list_drivers()")
    assert not [module for module in modules if module.startswith("asyncspider_drivers")]


def test_every_public_name_is_there() -> None:
    modules = loaded(
        "import asyncspider\nfor name in asyncspider.__all__: getattr(asyncspider, name)"
    )
    assert not top(modules) & set(CLOUDS)


def test_an_unknown_name_is_an_attribute_error() -> None:
    import asyncspider

    with pytest.raises(AttributeError, match="no_such_name"):
        asyncspider.no_such_name  # noqa: B018
    assert set(asyncspider.__all__) <= set(dir(asyncspider))
