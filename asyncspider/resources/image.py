"""Images: what a VM is started from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from datetime import datetime

import msgspec

from .base import ConnectionT, Handler, Info, Paged


class ImageReqInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an image is made of."""

    name: str
    """Name of the new image."""
    vm_id: str = ""
    """Id of the VM whose boot disk becomes the image."""
    description: str = ""
    """Free text."""


class ImageInfo(Info, frozen=True, kw_only=True, tag="image"):
    """An image."""

    name: str = ""
    """The image's name."""
    id: str
    """What `ImageHandler.get_image` and `VMReqInfo` take."""
    guest_os: str = ""
    """Operating system in the cloud's words, as ``Linux/UNIX``."""
    architecture: str = ""
    """Processor architecture in the cloud's words, as ``x86_64``."""
    status: str = ""
    """The cloud's own word for its state."""
    created_at: datetime | None = None
    """Time of creation, UTC."""
    public: bool = False
    """Whether everybody may use it."""


class ImageHandler(Handler[ConnectionT], ABC):
    """Create, list, get and delete images."""

    @abstractmethod
    async def create_image(self, image_req_info: ImageReqInfo) -> ImageInfo:
        """Make an image of a VM's boot disk; returns when the cloud has accepted it.

        Raises:
            NotFoundError: There is no such VM.
            ConflictError: The name is taken.
        """

    @abstractmethod
    def iter_image(self, *, owners: Iterable[str] = ()) -> Paged[ImageInfo]:
        """Iterate over images page by page; arguments as in `list_image`."""

    async def list_image(self, *, owners: Iterable[str] = ()) -> list[ImageInfo]:
        """List the account's own images, or those of the given owners.

        Args:
            owners: Owners in the cloud's words: an AWS account id or alias, a GCP image project.
        """
        return await self.iter_image(owners=owners).collect()

    @abstractmethod
    async def get_image(self, image_id: str) -> ImageInfo:
        """Return one image; also somebody else's, by its full id.

        Raises:
            NotFoundError: There is none, or it is not visible to this account.
        """

    @abstractmethod
    async def delete_image(self, image_id: str) -> bool:
        """Delete an image, and the snapshots that only it uses where the cloud has them.

        Returns:
            True: this call deleted it.

        Raises:
            NotFoundError: It was not there.
        """
