"""Images: AMIs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from typing import TYPE_CHECKING

from asyncspider import (
    ConflictError,
    ImageHandler,
    ImageInfo,
    ImageReqInfo,
    InvalidRequestError,
    NotFoundError,
    Page,
    Paged,
)

from . import wire
from .mapping import image_info, tag_specifications

if TYPE_CHECKING:
    from .connection import AwsConnection  # noqa: F401 - named in a string below


class AwsImageHandler(ImageHandler["AwsConnection"]):
    """Amazon machine images."""

    async def create_image(self, image_req_info: ImageReqInfo) -> ImageInfo:
        """Make an image of an instance (CreateImage); EC2 reboots it for that."""
        request = image_req_info
        if not request.vm_id:
            raise InvalidRequestError(
                "an image is made of a VM: vm_id is missing",
                **self.connection.facts("CreateImage"),
            )
        answer = await self.connection.call(
            wire.CreateImage,
            "CreateImage",
            idempotent=False,
            InstanceId=request.vm_id,
            Name=request.name,
            Description=request.description or None,
            TagSpecifications=tag_specifications("image", request.name),
        )
        return await self.get_image(answer.image_id)

    def iter_image(self, *, owners: Iterable[str] = ()) -> Paged[ImageInfo]:
        """Iterate over the account's own images, or those of other owners.

        Args:
            owners: Account ids, or ``self``, ``amazon``, ``aws-marketplace``.
        """
        whose = list(owners) or ["self"]
        return Paged(lambda: self._pages(whose))

    async def _pages(self, owners: list[str]) -> AsyncGenerator[Page[ImageInfo], None]:
        async for answer in self.connection.pages_of(
            wire.DescribeImages, "DescribeImages", Owners=owners
        ):
            yield Page([image_info(image) for image in answer.images_set])

    async def get_image(self, image_id: str) -> ImageInfo:
        """Return one image, the account's or a public one."""
        return image_info(await self._get(image_id))

    async def _get(self, image_id: str) -> wire.Image:
        return await self.connection.one_of(
            wire.DescribeImages,
            "DescribeImages",
            "images_set",
            f"image {image_id}",
            ImageIds=[image_id],
        )

    async def delete_image(self, image_id: str) -> bool:
        """Deregister an image and delete those of its snapshots that no other image uses."""
        image = await self._get(image_id)
        await self.connection.call(wire.Done, "DeregisterImage", ImageId=image_id)
        for disk in image.block_device_mapping:
            if disk.ebs is not None and disk.ebs.snapshot_id:
                try:
                    await self.connection.call(
                        wire.Done, "DeleteSnapshot", SnapshotId=disk.ebs.snapshot_id
                    )
                except (ConflictError, NotFoundError):
                    continue  # another image uses it, or it has gone before
        return True
