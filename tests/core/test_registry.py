"""Finding drivers by name."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from asyncspider import (
    InvalidRequestError,
    NotSupportedError,
    connect,
    list_drivers,
    load_driver,
    registry,
)
from asyncspider_drivers.mock import MockDriver

PLUGIN = {
    "acme_cloud.py": (
        "from asyncspider_drivers.mock import MockDriver\n"
        "class AcmeDriver(MockDriver):\n"
        "    name = 'acme'\n"
    ),
    "acme_cloud-1.0.dist-info/METADATA": (
        "Metadata-Version: 2.1\nName: acme-cloud\nVersion: 1.0\n"
        "Provides-Extra: sdk\n"
        "Requires-Dist: no-such-sdk>=2; extra == 'sdk'\n"
        'Requires-Dist: pytest[x]>=1 ; extra == "sdk"\n'
        "Requires-Dist: not-even-this\n"
    ),
    "acme_cloud-1.0.dist-info/entry_points.txt": (
        "[asyncspider.drivers]\n"
        "acme = acme_cloud:AcmeDriver\n"
        "needs = acme_cloud:AcmeDriver [sdk]\n"
        "typo = acme_cloud:NoSuchDriver\n"
        "lost = no_such_module:Driver\n"
    ),
}


@pytest.fixture
def third_party(tmp_path: Path) -> str:
    """A folder with an installed package that ships drivers."""
    for name, text in PLUGIN.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    return str(tmp_path)


def run(path: str, code: str) -> str:
    code = f"import sys; sys.path.insert(0, {path!r})\nimport asyncspider\n{code}"
    answer = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    return answer.stdout.strip()


def test_the_installed_drivers() -> None:
    drivers = list_drivers()
    assert drivers == sorted(drivers)
    assert {"aws", "mock"} <= set(drivers)


def test_a_driver_is_made_once() -> None:
    assert isinstance(load_driver("mock"), MockDriver)
    assert load_driver("mock") is load_driver("mock")


def test_an_unknown_driver_is_told_with_those_there_are() -> None:
    with pytest.raises(InvalidRequestError, match=r"unknown driver 'nimbus'.*mock"):
        load_driver("nimbus")
    with pytest.raises(InvalidRequestError, match="nimbus"):
        connect("nimbus")


def test_anybody_can_ship_a_driver(third_party: str) -> None:
    code = "print(asyncspider.load_driver('acme').name, 'acme' in asyncspider.list_drivers())"
    assert run(third_party, code) == "acme True"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("needs", ["no-such-sdk", "install acme-cloud[sdk]"]),
        ("typo", ["NoSuchDriver", "broken"]),
        ("lost", ["no_such_module", "not installed"]),
    ],
)
def test_a_driver_that_can_not_be_loaded_says_why(
    third_party: str, name: str, words: list[str]
) -> None:
    message = run(
        third_party,
        f"try: asyncspider.load_driver({name!r})\n"
        "except asyncspider.NotSupportedError as error: print(error)",
    )
    assert all(word in message for word in words), message
    assert "not-even-this" not in message
    assert "pytest" not in message


def test_a_missing_sdk_says_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = registry._entry_points()["aws"]
    entry = EntryPoint(name="fresh", value=real.value, group=real.group)
    object.__setattr__(entry, "dist", real.dist)
    monkeypatch.setattr(registry, "_entry_points", lambda: {"fresh": entry})
    monkeypatch.setattr(registry, "_installed", lambda package: package != "aiobotocore")
    with pytest.raises(NotSupportedError, match=r"aiobotocore.*install asyncspider\[aws\]"):
        load_driver("fresh")


def test_many_who_ask_at_once_make_one_driver(third_party: str) -> None:
    code = """
import threading
import acme_cloud
asking = threading.Semaphore(0)
class Slow(acme_cloud.AcmeDriver):
    made = 0
    def __init__(self):
        Slow.made += 1
        for _ in range(8 if Slow.made == 1 else 0):  # until all of them have come
            asking.acquire(timeout=10)
acme_cloud.AcmeDriver = Slow
def ask():
    asking.release()
    asyncspider.load_driver("acme")
threads = [threading.Thread(target=ask) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(Slow.made)
"""
    assert run(third_party, code) == "1"


async def test_drivers_are_loaded_aside() -> None:
    assert await registry.load_driver_aside("mock") is load_driver("mock")
    with pytest.raises(InvalidRequestError, match="nimbus"):
        await registry.load_driver_aside("nimbus")
