"""What the README and the pages say is true: code runs, tables are right, links lead somewhere."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from asyncspider import Resource, load_driver
from asyncspider.cli.settings import read_settings

from .conftest import CLEAN, Here

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
RUNNABLE = [ROOT / "docs" / name for name in ("fleet.md", "errors.md")]


def blocks(path: Path, language: str) -> list[str]:
    """Return the code blocks of a page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", path.read_text(), re.DOTALL | re.MULTILINE)


def between(text: str, name: str) -> str:
    """Return what stands between two markers."""
    found = re.search(rf"<!-- {name}:start -->\n(.*)<!-- {name}:end -->", text, re.DOTALL)
    assert found, name
    return found[1]


def driver_table() -> str:
    """Return the README's table of our drivers."""
    rows = ["| driver | " + " | ".join(Resource) + " | install |", "|---" * 9 + "|"]
    ours = [
        e for e in entry_points(group="asyncspider.drivers") if e.value.startswith("asyncspider_")
    ]
    for entry in sorted(ours, key=lambda entry: entry.name):
        capability = load_driver(entry.name).get_driver_capability()
        cells = ["yes" if resource in capability else "no" for resource in Resource]
        package = f"asyncspider[{entry.extras[0]}]" if entry.extras else "asyncspider"
        rows.append(f"| `{entry.name}` | {' | '.join(cells)} | `{package}` |")
    return "\n".join(rows) + "\n"


def test_driver_table_is_true() -> None:
    assert between((ROOT / "README.md").read_text(), "drivers") == driver_table()


def test_readme_program_runs(tmp_path: Path) -> None:
    [program] = blocks(ROOT / "README.md", "python")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path,
        env=CLEAN,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "RUNNING" in done.stdout
    assert "ScopeReport(target='mock/mock-east-1'" in done.stdout
    assert "mock-south" not in done.stdout


@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: page.name)
async def test_examples_of_pages_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    examples = blocks(page, "python")
    assert examples
    for example in examples:
        code = compile(example, page.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        result = eval(code, names)
        if inspect.iscoroutine(result):
            await result


def test_example_target_file_is_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [text] = blocks(ROOT / "docs" / "command-line.md", "toml")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LAB_KEY", "testing")
    (tmp_path / ".lab-secret").write_text("testing\n")
    path = tmp_path / "asyncspider.toml"
    path.write_text(text)
    settings = read_settings(path)
    assert [target.label for target in settings.target] == ["prod", "lab"]
    lab = settings.target[1].connection_info().credential_info.key_values
    assert lab == {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}


def test_every_option_of_scan_is_on_its_page(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    page = (ROOT / "docs" / "command-line.md").read_text()
    _, shown, _ = here("scan", "--help")
    options = set(re.findall(r"--[a-z-]+", shown)) - {"--help"}
    assert len(options) > 10
    assert [option for option in sorted(options) if option not in page] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if "://" not in link:
            assert (page.parent / link).exists(), link


def test_index_leads_to_every_page() -> None:
    index = (ROOT / "docs" / "index.md").read_text()
    pages = [page.name for page in PAGES if page.parent.name == "docs" and page.name != "index.md"]
    assert [page for page in pages if f"({page})" not in index] == []
