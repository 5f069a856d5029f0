# pyright: reportMissingImports=false, reportMissingModuleSource=false
"""Serves one WSGI module with gunicorn: ``wsgi.py NAME MODULE PORT THREADS``.

Not gunicorn's own command: the services read ``sys.argv`` when they are imported, and would
stumble over the server's arguments.
"""

import sys
from importlib import import_module
from typing import Any

from gunicorn.app.base import BaseApplication

NAME, MODULE, PORT, THREADS = sys.argv[1:]
SETTINGS = {
    "bind": f"127.0.0.1:{PORT}",
    "workers": 1,
    "worker_class": "gthread",
    "threads": int(THREADS),
    "timeout": 300,
    "graceful_timeout": 1,
    "keepalive": 60,
    "proc_name": f"sandbox-{NAME}",
    "worker_tmp_dir": "/dev/shm",
    # Nova asks Neutron for the ports of many servers in one long line.
    "limit_request_line": 0,
    "limit_request_field_size": 0,
    "control_socket_disable": True,
}


class Server(BaseApplication):
    """The service, loaded in gunicorn's worker."""

    def load_config(self) -> None:
        for name, value in SETTINGS.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Any:
        return import_module(MODULE).application


if __name__ == "__main__":
    del sys.argv[1:]
    Server().run()
