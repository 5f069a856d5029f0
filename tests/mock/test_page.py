"""What the mock's page says is true."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import Any

from asyncspider_drivers.mock import MockDriver, WorldConfig
from asyncspider_drivers.mock.region import PUBLIC_OWNER, SPECS, STATUS

PAGE = (Path(__file__).parents[2] / "docs" / "mock.md").read_text()


async def test_its_examples_run() -> None:
    names: dict[str, Any] = {}
    for example in re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE):
        code = compile(example, "mock.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        result = eval(code, names)
        if inspect.iscoroutine(result):
            await result
    assert "result" in names


def test_its_tables_are_complete() -> None:
    rows = [row.split("|") for row in PAGE.splitlines() if row.startswith("| `")]
    words = [set(re.findall(r"`([a-z_]+)`", row[1])) for row in rows]
    settings = set().union(*words) - set(STATUS)
    assert settings == set(WorldConfig.__struct_fields__)
    assert settings | {"token", "world"} == set(MockDriver.credential_keys)
    states = {row[1].split("`")[1]: row[2].strip() for row in rows if len(row) == 4}
    assert states == {native: status.value for native, status in STATUS.items()}
    assert all(f"`{word}`" in PAGE for word in (*SPECS, PUBLIC_OWNER))
