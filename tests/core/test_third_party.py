"""The page on writing a driver: its files are a driver, and pass the contract suite."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "writing-a-driver.md"

WITHOUT = ["-p", "no:cacheprovider", "-p", "no:hypothesispytest"]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder with the files of the page, installed as far as importing goes."""
    for name, text in re.findall(r"```\w+\n# (\S+)\n(.*?)```", PAGE.read_text(), re.DOTALL):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    [entry] = re.findall(r'^acme = "(.*)"$', (tmp_path / "pyproject.toml").read_text(), re.M)
    info = tmp_path / "acme_cloud-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-cloud\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[asyncspider.drivers]\nacme = {entry}\n")
    return tmp_path


def run_suite(package: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *WITHOUT, *arguments],
        cwd=package,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.stdout + done.stderr


def test_the_driver_of_the_page_passes(package: Path) -> None:
    last = run_suite(package).strip().splitlines()[-1]
    assert re.fullmatch(r"\d{3} passed in .*", last), last


@pytest.mark.parametrize(
    ("file", "good", "bad", "test"),
    [
        ("key_pair.py", "after = answer.next", "after = ''", "many_pages"),
        ("connection.py", "    404: NotFoundError,\n", "", "not_there"),
        ("connection.py", "await self._session.release()", "pass", "async_with"),
        ("connection.py", "self.redact(told.message)", "self._token", "hold_no_secret"),
        ("connection.py", "await self.perform(operation, send, idempotent=idempotent)",
         "await send()", "fleet_sees"),
    ],
)  # fmt: skip
def test_the_suite_finds_what_is_wrong(
    package: Path, file: str, good: str, bad: str, test: str
) -> None:
    path = package / "acme_cloud" / file
    text = path.read_text()
    assert good in text
    path.write_text(text.replace(good, bad))
    output = run_suite(package, "-k", test, "-x", "-o", "faulthandler_timeout=20")
    assert re.search(r"^\d+ failed", output.strip().splitlines()[-1]), output
