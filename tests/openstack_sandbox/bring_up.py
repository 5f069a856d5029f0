"""Bringing the control plane up and down, step by step."""

from __future__ import annotations

import getpass
import shutil
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from . import configs, install, seed
from .layout import HOST, REGIONS, Layout, is_free
from .processes import Processes, run
from .rest import Admin, answers
from .steps import StepError, say, step, together, until

DATABASES = ("keystone", "glance", "placement", "neutron", "nova_api", "nova", "nova_cell0")
WSGI = {
    # name: module, threads
    "keystone": ("keystone.wsgi.api", 8),
    "placement": ("placement.wsgi.api", 6),
    "neutron": ("neutron.wsgi.api", 8),
    "glance": ("glance.wsgi.api", 4),
    "nova": ("nova.wsgi.osapi_compute", 8),
    "nova-two": ("nova.wsgi.osapi_compute", 2),
}
ALIKE = {"nova-two": "nova"}
STOP_ORDER: tuple[tuple[tuple[str, ...], float], ...] = (
    (("nova-compute", "nova-scheduler", "nova-conductor", *reversed(WSGI)), 4.0),
    (("rabbitmq", "mariadb"), 20.0),
    (("epmd",), 5.0),
)
_MYSQL = Path("/usr/share/mysql")
_SYSTEM_TABLES = (
    "mysql_system_tables.sql",
    "mysql_performance_tables.sql",
    "mysql_system_tables_data.sql",
    "maria_add_gis_sp_bootstrap.sql",
)


class Sandbox:
    """A control plane in one folder.

    Args:
        layout: Where it is.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.processes = Processes(layout)
        self.admin = Admin(layout)

    # -- up

    def up(self) -> None:
        """Install what is missing, make what is missing, start what does not run.

        Raises:
            StepError: A step failed; it tells which one.
        """
        began = time.monotonic()
        layout = self.layout
        for folder in (layout.etc, layout.log, layout.run, layout.data):
            folder.mkdir(parents=True, exist_ok=True)
        with step("free ports"):
            self._check_ports()
        together(self._stores, self._services_installed)
        with step("configuration"):
            configs.write_all(layout)
            configs.write_clouds_yaml(layout)
        with step("MariaDB answers"):
            self._wait("mariadb", layout.mysql_socket.is_socket)
        self._once("databases", self._make_databases)
        with step("RabbitMQ answers"):
            self._wait("rabbitmq", lambda: _listens(layout.ports["rabbitmq"]))
        self._start_services()
        say(f"{time.monotonic() - began:6.1f} s  in all")
        say(f"ready: export OS_CLIENT_CONFIG_FILE={layout.clouds_yaml}")

    def _check_ports(self) -> None:
        for name, port in self.layout.ports.items():
            owner = {"erlang": "rabbitmq"}.get(name, name)
            if not self.processes.alive(owner) and not is_free(port):
                raise StepError(
                    "free ports",
                    f"port {port} of {name} is in use; 'down --purge' forgets the ports, and "
                    "OPENSTACK_SANDBOX_PORT says where to begin",
                )

    def _stores(self) -> None:
        with step("Debian packages"):
            install.packages(self.layout)
        self._once("MariaDB's own tables", self._bootstrap_mariadb)
        with step("MariaDB and RabbitMQ started"):
            self._start_mariadb()
            self._start_rabbitmq()

    def _services_installed(self) -> None:
        with step("services from PyPI"):
            install.venv(self.layout)

    def _once(self, name: str, make: Callable[[], None]) -> None:
        """Do what is to be done once in the life of the data."""
        done = self.layout.data / f".{name.replace(' ', '-')}"
        if done.exists():
            return
        with step(name):
            make()
        done.touch()

    def _wait(self, name: str, look: Callable[[], bool], *, seconds: float = 120) -> None:
        until(
            name,
            look,
            seconds=seconds,
            log=self.processes.log(name),
            alive=lambda: self.processes.alive(name),
        )

    # -- database and messages

    def _mariadb(self, *more: str) -> list[str]:
        data, layout = self.layout.data, self.layout
        (data / "mysql-tmp").mkdir(exist_ok=True)
        return [
            shutil.which("mariadbd") or "/usr/sbin/mariadbd",
            "--no-defaults",
            f"--user={getpass.getuser()}",
            f"--datadir={data / 'mysql'}",
            f"--tmpdir={data / 'mysql-tmp'}",
            f"--socket={layout.mysql_socket}",
            "--skip-log-bin",
            "--innodb-log-file-size=64M",
            *more,
        ]

    def _bootstrap_mariadb(self) -> None:
        # The package with the server alone lacks what its installer script calls.
        data = self.layout.data / "mysql"
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir()
        tables = "\n".join((_MYSQL / name).read_text() for name in _SYSTEM_TABLES)
        text = (
            "CREATE DATABASE mysql;\nUSE mysql;\nSET @skip_auth_anonymous=1;\n"
            f"SET @auth_root_socket=NULL;\n{tables}"
        )
        log = self.layout.log / "mariadb-bootstrap.log"
        run("MariaDB's own tables", self._mariadb("--bootstrap"), log, text=text)

    def _start_mariadb(self) -> None:
        first = self.layout.etc / "first.sql"
        user = "'openstack'@'localhost'"
        first.write_text(
            "\n".join(
                [
                    *(f"CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb3;"
                      for name in DATABASES),
                    f"CREATE USER IF NOT EXISTS {user} IDENTIFIED BY '{self.layout.password}';",
                    f"GRANT ALL ON *.* TO {user};",
                    "",
                ]
            )
        )  # fmt: skip
        self.processes.start(
            "mariadb",
            self._mariadb(
                "--skip-networking",
                f"--init-file={first}",
                # Nothing here needs to survive a power cut.
                "--innodb-flush-log-at-trx-commit=0",
                "--innodb-doublewrite=0",
                "--innodb-buffer-pool-size=128M",
                "--max-connections=500",
                "--skip-name-resolve",
            ),
        )

    def _start_rabbitmq(self) -> None:
        layout, ports = self.layout, self.layout.ports
        base = layout.data / "rabbitmq"
        base.mkdir(exist_ok=True)
        config = layout.etc / "rabbitmq.conf"
        config.write_text(
            f"listeners.tcp.1 = {HOST}:{ports['rabbitmq']}\n"
            "default_user = openstack\n"
            f"default_pass = {layout.password}\n"
            "vm_memory_high_watermark.absolute = 1GB\n"
            "log.console = true\nlog.file = false\n"
        )
        plugins = layout.etc / "rabbitmq-plugins"
        plugins.write_text("[].")
        erlang = {
            "HOME": base,
            "ERL_EPMD_ADDRESS": HOST,
            "ERL_EPMD_PORT": ports["epmd"],
            "RABBITMQ_NODENAME": "sandbox@localhost",
            "RABBITMQ_NODE_PORT": ports["rabbitmq"],
            "RABBITMQ_DIST_PORT": ports["erlang"],
            "RABBITMQ_BASE": base,
            "RABBITMQ_MNESIA_BASE": base,
            "RABBITMQ_LOG_BASE": layout.log,
            "RABBITMQ_CONFIG_FILE": config,
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_ENABLED_PLUGINS_FILE": plugins,
            "RABBITMQ_PID_FILE": layout.run / "rabbitmq.id",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}"
            " +sbwt none +sbwtdcpu none +sbwtdio none",
        }
        environment = {name: str(value) for name, value in erlang.items()}
        self.processes.start("epmd", ["epmd"], environment)
        self._wait("epmd", lambda: _listens(ports["epmd"]), seconds=20)
        self.processes.start("rabbitmq", [install.RABBITMQ], environment)

    # -- databases

    def _manage(self, service: str, *words: str | Path, config: str | None = None) -> None:
        layout = self.layout
        files = configs.NEUTRON_FILES if service == "neutron" else (config or f"{service}.conf",)
        program = "neutron-db-manage" if service == "neutron" else f"{service}-manage"
        argv: list[str | Path] = [layout.venv / "bin" / program]
        for file in files:
            argv += ["--config-file", layout.etc / service / file]
        log = layout.log / f"database-{service}.log"
        run(f"databases: {service}", [*argv, *words], log, environment=self._environment())

    def _make_databases(self) -> None:
        together(self._neutron_database, self._nova_databases, self._keystone_database,
                 self._small_databases)  # fmt: skip

    def _keystone_database(self) -> None:
        self._manage("keystone", "db_sync")
        user = ["--keystone-user", getpass.getuser(), "--keystone-group", _group()]
        self._manage("keystone", "fernet_setup", *user)
        self._manage("keystone", "credential_setup", *user)
        urls: list[str] = []
        for interface in ("admin", "internal", "public"):
            urls += [f"--bootstrap-{interface}-url", self.layout.auth_url]
        self._manage(
            "keystone",
            "bootstrap",
            "--bootstrap-password",
            self.layout.password,
            "--bootstrap-region-id",
            REGIONS[0],
            *urls,
        )

    def _small_databases(self) -> None:
        self._manage("glance", "db_sync", config="glance-api.conf")
        self._manage("placement", "db", "sync")

    def _neutron_database(self) -> None:
        self._manage("neutron", "upgrade", "heads")

    def _nova_databases(self) -> None:
        cell0 = configs.database(self.layout, "nova_cell0")["connection"]
        self._manage("nova", "api_db", "sync")
        self._manage("nova", "cell_v2", "map_cell0", "--database_connection", cell0)
        self._manage("nova", "db", "sync")
        self._manage("nova", "cell_v2", "create_cell", "--name", "cell1")

    # -- services

    def _environment(self) -> dict[str, str]:
        return {"PYTHONPATH": str(self.layout.lib), "PYTHONWARNINGS": "ignore"}

    def _start_wsgi(self, name: str) -> None:
        etc = self.layout.etc
        module, threads = WSGI[name]
        service = ALIKE.get(name, name).upper()
        environment = self._environment() | {f"OS_{service}_CONFIG_DIR": str(etc / name)}
        if name == "neutron":
            environment["OS_NEUTRON_CONFIG_FILES"] = ";".join(configs.NEUTRON_FILES)
        argv = [self.layout.python, self.layout.lib / "wsgi.py", name, module]
        port = str(self.layout.ports[name])
        self.processes.start(name, [*argv, port, str(threads)], environment)

    def _start_nova(self, name: str, config: str) -> None:
        files = ["--config-file", self.layout.etc / "nova" / config]
        argv = [self.layout.venv / "bin" / name, *files]
        self.processes.start(name, argv, self._environment())

    def _wait_http(self, *names: str) -> None:
        paths = {"keystone": "/v3"}
        for name in names:
            url = self.layout.url(name) + paths.get(name, "/")
            with step(f"{name} answers"):
                self._wait(name, lambda url=url: answers(url))

    def _start_services(self) -> None:
        since = datetime.now(UTC).replace(microsecond=0)
        for name in ("keystone", "placement", "neutron", "glance"):
            self._start_wsgi(name)
        self._wait_http("keystone")
        self._start_wsgi("nova")
        self._once("catalogue and accounts", lambda: seed.catalogue(self.layout, self.admin))
        # These log in while they start, and end where their account is missing.
        self._start_nova("nova-conductor", "nova.conf")
        self._start_nova("nova-scheduler", "nova.conf")
        self._wait_http("placement", "glance", "neutron", "nova")
        # A nova-compute that meets no conductor waits ten seconds.
        with step("nova-conductor reports"):
            self._wait("nova-conductor", lambda: self._reports("nova-conductor", since))
        self._start_nova("nova-compute", "compute.conf")
        self._start_wsgi("nova-two")
        self._once("flavors, image, external network", lambda: seed.things(self.admin))
        for name in ("nova-scheduler", "nova-compute"):
            with step(f"{name} reports"):
                self._wait(name, lambda name=name: self._reports(name, since))
        with step("compute host known to the scheduler"):
            self._wait("nova-compute", self._host_is_mapped)
        self._wait_http("nova-two")

    def _reports(self, binary: str, since: datetime) -> bool:
        try:
            found = self.admin.call("GET", "nova", f"/v2.1/os-services?binary={binary}")
        except OSError:
            return False
        return any(
            service["state"] == "up"
            and (
                not service["updated_at"]
                or datetime.fromisoformat(service["updated_at"]).replace(tzinfo=UTC) >= since
            )
            for service in found["services"]
        )

    def _host_is_mapped(self) -> bool:
        return bool(self.admin.call("GET", "nova", "/v2.1/os-hypervisors")["hypervisors"])

    # -- down

    def down(self, *, purge: bool = False) -> None:
        """Stop what `up` started.

        Args:
            purge: Forget the data, the configuration and the ports too; the services' virtual
                environment stays.
        """
        for names, seconds in STOP_ORDER:
            self.processes.stop(names, seconds)
        if purge:
            layout = self.layout
            for folder in (layout.data, layout.etc, layout.log, layout.run, layout.lib):
                shutil.rmtree(folder, ignore_errors=True)
            layout.clouds_yaml.unlink(missing_ok=True)
            (layout.root / "ports.json").unlink(missing_ok=True)

    def status(self) -> bool:
        """Say what runs; return whether all does."""
        everything = [name for names, _ in reversed(STOP_ORDER) for name in names]
        for name in everything:
            pid = self.processes.pid(name)
            port = self.layout.ports.get(name)
            where = f"{HOST}:{port}" if port else ""
            say(f"{name:16} {f'runs as {pid}' if pid else 'does not run':18} {where}")
        return all(map(self.processes.alive, everything))


def _listens(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


def _group() -> str:
    import grp
    import os

    return grp.getgrgid(os.getgid()).gr_name
