"""The moto server (an emulated AWS) as a child: ``python -m asyncspider_drivers.demo.moto``."""

from __future__ import annotations

import logging

from .servers import serve_until_orphaned


def main() -> None:
    """Serve on a free port of 127.0.0.1 until standard input ends."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else a line for each request
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    serve_until_orphaned(f"http://{host}:{port}")


if __name__ == "__main__":
    main()
