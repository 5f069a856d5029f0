"""What the sandbox needs of Debian and of PyPI."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from .layout import Layout
from .processes import run
from .steps import StepError

RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
SERVICES = Path(__file__).with_name("services.txt")
PYTHONS = ((3, 11), (3, 12))
"""Versions on which the services were tried."""
_POLICY = Path("/usr/sbin/policy-rc.d")


def missing_packages() -> list[str]:
    """Return the Debian packages that are not there."""
    needed: list[str] = []
    if shutil.which("mariadbd") is None and not Path("/usr/sbin/mariadbd").exists():
        needed.append("mariadb-server-core")
    if not RABBITMQ.exists():
        needed.append("rabbitmq-server")
    return needed


def packages(layout: Layout) -> None:
    """Install the Debian packages that are missing.

    Raises:
        StepError: They can't be installed.
    """
    name = "Debian packages"
    needed = missing_packages()
    if not needed:
        return
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise StepError(name, f"needs root and apt-get to install {', '.join(needed)}")
    log = layout.log / "apt.log"
    # Debian starts what it installs, unless this file says no.
    policy = not _POLICY.exists()
    if policy:
        _POLICY.write_text("#!/bin/sh\nexit 101\n")
        _POLICY.chmod(0o755)
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    options = ["-q", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"]
    try:
        run(name, ["apt-get", "update", "-q"], log, environment=quiet)
        run(name, ["apt-get", "install", *options, *needed], log, environment=quiet)
    finally:
        if policy:
            _POLICY.unlink()


def _interpreter(step: str) -> str:
    """Return a Python that the services run on: the one named, this one, or one on the path."""
    given = os.environ.get("OPENSTACK_SANDBOX_PYTHON")
    if given:
        return given
    if sys.version_info[:2] in PYTHONS:
        return sys.executable
    for major, minor in reversed(PYTHONS):
        found = shutil.which(f"python{major}.{minor}")
        if found is not None:
            return found
    raise StepError(
        step,
        "the services need Python 3.11 or 3.12, and neither is there; "
        "OPENSTACK_SANDBOX_PYTHON may name one",
    )


def venv(layout: Layout) -> None:
    """Make the virtual environment of the services, from the pinned versions.

    Raises:
        StepError: There is no fitting Python, or a package can't be installed.
    """
    name = "services from PyPI"
    done = layout.venv / "made-of.txt"
    if done.exists() and done.read_bytes() == SERVICES.read_bytes():
        return
    interpreter = _interpreter(name)
    log = layout.log / "pip.log"
    uv = shutil.which("uv")
    if uv is not None:
        run(name, [uv, "venv", "--clear", "--python", interpreter, layout.venv], log)
        pip = [uv, "pip", "install", "--python", layout.python]
    else:
        run(name, [interpreter, "-m", "venv", "--clear", layout.venv], log)
        pip = [layout.python, "-m", "pip", "install", "--disable-pip-version-check"]
    run(name, [*pip, "-r", SERVICES], log)
    # The services' own tests are half of all their code, and nobody imports them.
    compiling = [layout.python, "-m", "compileall", "-q", "-j", "0", "-x", "/tests?/"]
    run(name, [*compiling, layout.venv / "lib"], layout.log / "compile.log")
    done.write_bytes(SERVICES.read_bytes())
