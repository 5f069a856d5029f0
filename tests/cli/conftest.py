"""Running the real command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from asyncspider.cli import main

COMMAND = (sys.executable, "-m", "asyncspider.cli")
Cli = Callable[..., subprocess.CompletedProcess[str]]

# requests asks for PySocks, and silences what urllib3 says to that; while another thread is in
# warnings.catch_warnings(), it does not.
WARNINGS = "error,ignore:SOCKS support in urllib3"

# A shell that runs the tests in the background has them ignore it, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

CLEAN = {
    key: value
    for key, value in os.environ.items()
    if not key.startswith(("AWS_", "OS_", "GOOGLE_")) and key not in ("COLUMNS", "FORCE_COLOR")
} | {"PYTHONWARNINGS": WARNINGS, "AWS_EC2_METADATA_DISABLED": "true"}
"""An environment without any cloud of the person who runs the tests."""


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Run ``asyncspider ARGUMENTS`` in an empty directory, its output piped."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=tmp_path,
            env=CLEAN | environment,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


Here = Callable[..., tuple[int, str, str]]


@pytest.fixture
def here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Here:
    """Run the command in this process, which is quicker: its exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ.keys() - CLEAN.keys():
        monkeypatch.delenv(name)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["asyncspider", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, out, err

    return run


def mock_options(**settings: object) -> list[str]:
    """Return the options that scan a mock world of these settings."""
    options = ["--driver", "mock"]
    for key, value in settings.items():
        options += ["--credential", f"{key}={value}"]
    return options
