"""Where the sandbox lives, and which ports it has."""

from __future__ import annotations

import json
import os
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
FIRST_PORT = 21500
PORTS = (
    "keystone",
    "glance",
    "placement",
    "neutron",
    "nova",
    "nova-two",
    "rabbitmq",
    "erlang",
    "epmd",
)
REGIONS = ("RegionOne", "RegionTwo")
PAGE_OF_TWO = 7
"""Most servers in one answer of RegionTwo's Nova."""
LINKS_OF_TWO = "http://nova.behind-a-proxy.invalid"
"""Host that RegionTwo's Nova names in its links, as one behind a proxy does."""


@dataclass(frozen=True)
class Layout:
    """The folder of a sandbox. Ports are kept in it, as the catalogue holds them too."""

    root: Path
    ports: dict[str, int]
    password: str = "sandbox-s3cr3t"

    @property
    def venv(self) -> Path:
        """Virtual environment of the services."""
        return self.root / "venv"

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.venv / "bin" / "python"

    @property
    def etc(self) -> Path:
        """Configuration files."""
        return self.root / "etc"

    @property
    def lib(self) -> Path:
        """Our modules that run inside the services."""
        return self.root / "lib"

    @property
    def data(self) -> Path:
        """Databases, images, state."""
        return self.root / "data"

    @property
    def log(self) -> Path:
        """One file for each process and each step."""
        return self.root / "log"

    @property
    def run(self) -> Path:
        """Files with process ids."""
        return self.root / "run"

    @property
    def clouds_yaml(self) -> Path:
        """What ``OS_CLIENT_CONFIG_FILE`` is to name."""
        return self.root / "clouds.yaml"

    @property
    def mysql_socket(self) -> Path:
        """MariaDB listens on this only."""
        return self.run / "mariadb.sock"

    def url(self, service: str) -> str:
        """Return the address of a service."""
        return f"http://{HOST}:{self.ports[service]}"

    @property
    def auth_url(self) -> str:
        """Keystone's address."""
        return f"{self.url('keystone')}/v3"


def folder() -> Path:
    """Return the sandbox's folder: ``OPENSTACK_SANDBOX_DIR``, or one below the temp folder."""
    given = os.environ.get("OPENSTACK_SANDBOX_DIR")
    return Path(given) if given else Path(tempfile.gettempdir()) / "asyncspider-openstack"


def find() -> Layout | None:
    """Return the layout of the sandbox that is there, None when none is."""
    root = folder()
    try:
        return Layout(root, json.loads((root / "ports.json").read_text()))
    except FileNotFoundError:
        return None


def make() -> Layout:
    """Return the sandbox's layout; a new one gets ports that are free now.

    They follow each other from ``OPENSTACK_SANDBOX_PORT`` on, or from the first free place.
    """
    found = find()
    if found is not None:
        return found
    given = os.environ.get("OPENSTACK_SANDBOX_PORT")
    first = int(given) if given else FIRST_PORT
    while not given and not all(is_free(first + n) for n in range(len(PORTS))):
        first += len(PORTS)
        if first > 32000:
            raise OSError("no free ports")
    made = Layout(folder(), {name: first + n for n, name in enumerate(PORTS)})
    made.root.mkdir(parents=True, exist_ok=True)
    made.root.chmod(0o700)
    (made.root / "ports.json").write_text(json.dumps(made.ports))
    return made


def is_free(port: int) -> bool:
    """Return whether nobody listens on a port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True
