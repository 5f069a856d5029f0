"""Images."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable
from typing import TYPE_CHECKING, Any

from asyncspider import (
    ImageHandler,
    ImageInfo,
    ImageReqInfo,
    InvalidRequestError,
    Page,
    Paged,
)
from asyncspider.resources.merge import merge_pages
from asyncspider.transport.offload import load_module

from . import wire
from .lists import pages_in
from .mapping import image_info
from .names import GLOBAL, image_path, segment
from .vm import instance_path

if TYPE_CHECKING:
    from .connection import GcpConnection  # noqa: F401 - named in a string below


class GcpImageHandler(ImageHandler["GcpConnection"]):
    """Images of the project, and of others by their project: ``debian-cloud``."""

    async def create_image(self, image_req_info: ImageReqInfo) -> ImageInfo:
        """Make an image of a VM's boot disk, also while it runs (``forceCreate``).

        What is in the machine's memory only is not in the image: stop it first where that matters.
        """
        request, connection = image_req_info, self.connection
        if not request.vm_id:
            raise InvalidRequestError(
                "name the VM to make an image of: vm_id", **connection.facts("images.insert")
            )
        machine = await connection.read_one(
            wire.InstanceDisks,
            instance_path(connection, request.vm_id),
            "instances.get",
            f"VM {request.vm_id!r}",
        )
        source = next((disk.source for disk in machine.disks if disk.boot), "")
        if not source:
            raise InvalidRequestError(
                f"VM {request.vm_id!r} has no boot disk of its own",
                **connection.facts("images.insert"),
            )
        bodies: Any = await load_module("asyncspider_drivers.gcp.bodies")
        await connection.write(
            "POST",
            "global/images",
            "images.insert",
            bodies.image(request.name, source, request.description),
            forceCreate="true",
        )
        return await self.get_image(request.name)

    def iter_image(self, *, owners: Iterable[str] = ()) -> Paged[ImageInfo]:
        """Iterate over the project's images, or those of the projects in `owners`."""
        wanted = [owners] if isinstance(owners, str) else list(dict.fromkeys(owners))
        return Paged(lambda: self._pages(wanted or [self.connection.project]))

    def _pages(self, owners: list[str]) -> AsyncGenerator[Page[ImageInfo], None]:
        def source(owner: str) -> Callable[[], AsyncGenerator[Page[ImageInfo], None]]:
            return lambda: self._pages_of(owner)

        if len(owners) == 1:
            return self._pages_of(owners[0])
        return merge_pages(map(source, owners))

    async def _pages_of(self, owner: str) -> AsyncGenerator[Page[ImageInfo], None]:
        project = self.connection.project
        facts = self.connection.facts("images.list")
        path = f"projects/{segment(facts, 'project', owner)}/global/images"
        async for images in pages_in(self.connection, path, wire.Image, "images.list"):
            yield Page([image_info(image, owner, project) for image in images], GLOBAL)

    async def get_image(self, image_id: str) -> ImageInfo:
        """Return one image: ``name``, ``project/name``, or ``project/family/name``."""
        connection = self.connection
        path = image_path(connection.facts("images.get"), image_id, connection.project)
        image = await connection.read_one(wire.Image, path, "images.get", f"image {image_id!r}")
        return image_info(image, path.split("/")[1], connection.project)

    async def delete_image(self, image_id: str) -> bool:
        """Delete an image of the project, and wait until it is gone."""
        facts = self.connection.facts("images.delete")
        await self.connection.change(
            "DELETE",
            f"global/images/{segment(facts, 'image', image_id)}",
            "images.delete",
            what=f"image {image_id!r} of this project",
        )
        return True
