"""Key pairs: who may log in to a VM."""

from __future__ import annotations

from abc import ABC, abstractmethod

import msgspec

from ..secrets import Secret
from .base import ConnectionT, Handler, Info, Paged


class KeyPairReqInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What key to make or import."""

    name: str
    """Name of the key."""
    public_key: str | None = None
    """OpenSSH public key to import; None = make a new pair."""


class KeyPairInfo(Info, frozen=True, kw_only=True, tag="key_pair"):
    """A key pair as the cloud knows it."""

    name: str = ""
    """The key's name."""
    id: str
    """What `KeyPairHandler.get_key` takes; equals ``VMInfo.key_pair_id``."""
    fingerprint: str = ""
    """Fingerprint as the cloud computes it."""
    public_key: str = ""
    """OpenSSH public key."""
    private_key: Secret | None = None
    """The private key, only in what `create_key` returns for a pair made there."""


class KeyPairHandler(Handler[ConnectionT], ABC):
    """Create, list, get and delete key pairs."""

    @abstractmethod
    async def create_key(self, key_pair_req_info: KeyPairReqInfo) -> KeyPairInfo:
        """Make a key pair, or import the public key that is given.

        Raises:
            ConflictError: The name is taken.
            InvalidRequestError: The public key is refused.
        """

    @abstractmethod
    def iter_key(self) -> Paged[KeyPairInfo]:
        """Iterate over the keys page by page."""

    async def list_key(self) -> list[KeyPairInfo]:
        """List all keys."""
        return await self.iter_key().collect()

    @abstractmethod
    async def get_key(self, key_pair_id: str) -> KeyPairInfo:
        """Return one key.

        Raises:
            NotFoundError: There is none.
        """

    @abstractmethod
    async def delete_key(self, key_pair_id: str) -> bool:
        """Delete a key; machines that have it keep it.

        Returns:
            True: this call deleted it.

        Raises:
            NotFoundError: It was not there.
        """
