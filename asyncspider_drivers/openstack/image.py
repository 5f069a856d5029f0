"""Images: Glance."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from asyncspider import ImageHandler, ImageInfo, ImageReqInfo, InvalidRequestError, Page, Paged

from . import wire
from .mapping import image_info
from .paths import segment

if TYPE_CHECKING:
    from .connection import OpenStackConnection  # noqa: F401 - named in a string below


class OpenStackImageHandler(ImageHandler["OpenStackConnection"]):
    """Glance's images."""

    async def create_image(self, image_req_info: ImageReqInfo) -> ImageInfo:
        """Make an image of a server (createImage); it is ``queued`` at first.

        A server that is busy with another task is asked again until it is not.
        """
        from .vm import OpenStackVMHandler

        request = image_req_info
        connection = self.connection
        if not request.vm_id:
            raise InvalidRequestError(
                "an image is made of a VM: vm_id is missing", **connection.facts("CreateImage")
            )
        metadata = {"description": request.description} if request.description else {}
        image_id = await OpenStackVMHandler(connection).snapshot(
            request.vm_id, request.name, metadata
        )
        return await self.get_image(image_id)

    def iter_image(self, *, owners: Iterable[str] = ()) -> Paged[ImageInfo]:
        """Iterate over all images that the project can see, or those of the given projects.

        Args:
            owners: Ids of projects.
        """
        projects = tuple(owners)
        return Paged(lambda: self._pages(projects))

    async def _pages(self, projects: tuple[str, ...]) -> AsyncGenerator[Page[ImageInfo], None]:
        for query in [urlencode({"owner": project}) for project in projects] or [""]:
            async for answer in self.connection.pages_of(
                wire.Images, "ListImages", "image", "/images", query
            ):
                yield Page([image_info(image) for image in answer.images])

    async def get_image(self, image_id: str) -> ImageInfo:
        """Return one image."""
        path = f"/images/{segment(image_id)}"
        image = await self.connection.call(wire.Image, "ShowImage", "image", "GET", path)
        return image_info(image)

    async def delete_image(self, image_id: str) -> bool:
        """Delete an image."""
        path = f"/images/{segment(image_id)}"
        await self.connection.call(wire.Nothing, "DeleteImage", "image", "DELETE", path)
        return True
