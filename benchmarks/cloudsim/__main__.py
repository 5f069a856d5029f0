"""Run the simulated clouds until standard input closes, or until interrupted."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
from typing import Annotated

import typer

from .ec2 import Ec2
from .gce import ComputeEngine
from .openstack import OpenStack
from .server import Answer, Request, Server
from .world import Shape


class Clouds:
    """Finds out which cloud a request is for."""

    def __init__(self, shape: Shape, base: str) -> None:
        self.ec2 = Ec2(shape)
        self.compute_engine = ComputeEngine(shape)
        self.openstack = OpenStack(shape, base)
        by_name = {"aws": self.ec2, "gcp": self.compute_engine, "openstack": self.openstack}
        for name in shape.clouds:
            by_name[name].prepare()

    def answer(self, request: Request) -> Answer:
        """Answer one request."""
        if request.region:
            return self.ec2.answer(request)
        if request.path.startswith(("/compute/v1/", "/projects/")):
            return self.compute_engine.answer(request)
        return self.openstack.answer(request)


async def serve(shape: Shape, port: int) -> None:
    """Make all documents, say where they are, and serve them."""
    clouds: list[Clouds] = []
    server = Server(shape, lambda request: clouds[0].answer(request))
    listener = await server.listen(port)
    base = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    clouds.append(Clouds(shape, base))
    # Nothing made so far is ever garbage: looking for some would only cost time.
    gc.collect()
    gc.freeze()
    gc.disable()
    print(base, flush=True)
    if sys.stdin.isatty():
        await asyncio.Event().wait()
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(1024):
        pass


def main(
    regions: Annotated[int, typer.Option(min=1, help="Regions of each cloud.")] = 17,
    vms: Annotated[int, typer.Option(min=0, help="VMs a region.")] = 2000,
    repeat: Annotated[
        int, typer.Option(min=1, help="Tell each list of VMs over again this often.")
    ] = 1,
    page_size: Annotated[
        int, typer.Option(min=0, help="Most items a page; 0 = the cloud's own.")
    ] = 0,
    latency: Annotated[float, typer.Option(min=0, help="Milliseconds before each answer.")] = 0,
    rate: Annotated[float, typer.Option(min=0, help="Requests a second a region; 0 = any.")] = 0,
    burst: Annotated[int, typer.Option(min=1, help="Requests at once before --rate bites.")] = 100,
    dead: Annotated[str, typer.Option(help="Regions or zones that hang up, by comma.")] = "",
    clouds: Annotated[
        str, typer.Option(help="Clouds whose documents are made at the start.")
    ] = "aws,gcp,openstack",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 = a free one.")] = 0,
) -> None:
    """Serve three simulated clouds on 127.0.0.1; the first line says where."""
    unknown = set(filter(None, clouds.split(","))) - {"aws", "gcp", "openstack"}
    if unknown:
        raise typer.BadParameter(f"no cloud {', '.join(sorted(unknown))}; see --help")
    shape = Shape(
        regions=regions,
        vms=vms,
        repeat=repeat,
        page_size=page_size or None,
        latency=latency / 1000,
        rate=rate or None,
        burst=burst,
        dead=frozenset(filter(None, dead.split(","))),
        clouds=frozenset(filter(None, clouds.split(","))),
    )
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(shape, port))


if __name__ == "__main__":
    typer.run(main)
