"""Images of the mock cloud."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from asyncspider import (
    ImageHandler,
    ImageInfo,
    ImageReqInfo,
    InvalidRequestError,
    Paged,
    PermissionDeniedError,
)

from .paging import Answer, paged
from .region import PUBLIC_OWNER, Region, check_name

if TYPE_CHECKING:
    from .connection import MockConnection  # noqa: F401 - named in a string below


class MockImageHandler(ImageHandler["MockConnection"]):
    """Images. Owners are ``self`` and ``mock-public``; others have none."""

    async def create_image(self, image_req_info: ImageReqInfo) -> ImageInfo:
        """Make an image of a VM; names are unique.

        Raises:
            NotFoundError: There is no such VM.
            ConflictError: The name is taken.
            InvalidRequestError: No VM is named, or the name is empty.
        """
        return await self.connection.call(_create_image, image_req_info)

    def iter_image(self, *, owners: Iterable[str] = ()) -> Paged[ImageInfo]:
        """Iterate over one's own images, or those of the owners."""
        wanted = frozenset(owners) or {"self"}

        def list_image(region: Region, start: int) -> Answer[ImageInfo]:
            rows, more = region.images.page(start, region.config.page_size)
            return [row for row in rows if owner_of(row) in wanted], more

        return Paged(partial(paged, self.connection, list_image))

    async def get_image(self, image_id: str) -> ImageInfo:
        """Return one image."""
        return await self.connection.call(_get_image, image_id)

    async def delete_image(self, image_id: str) -> bool:
        """Delete an image; machines that were started from it stay.

        Raises:
            NotFoundError: It was not there.
            PermissionDeniedError: It is somebody else's.
        """
        return await self.connection.call(_delete_image, image_id)


def owner_of(image: ImageInfo) -> str:
    """Return the owner of an image."""
    return PUBLIC_OWNER if image.public else "self"


def _create_image(region: Region, req: ImageReqInfo) -> ImageInfo:
    if not req.vm_id:
        raise InvalidRequestError("an image is made of a VM: vm_id is missing")
    source = region.images.find(region.vms.get(req.vm_id).image_id)
    check_name(region.images, req.name)
    return region.images.add(
        ImageInfo(
            id=region.images.new_id(),
            name=req.name,
            guest_os=source.guest_os if source else "",
            architecture="x86_64",
            status="available",
            created_at=region.epoch + timedelta(seconds=region.now),
        )
    )


def _get_image(region: Region, image_id: str) -> ImageInfo:
    return region.images.get(image_id)


def _delete_image(region: Region, image_id: str) -> bool:
    if region.images.get(image_id).public:
        raise PermissionDeniedError(f"{image_id} is not yours", code="AccessDenied", status=403)
    region.images.remove(image_id)
    return True
