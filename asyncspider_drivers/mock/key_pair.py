"""Key pairs of the mock cloud: of the right form, but made of random bytes. They open nothing."""

from __future__ import annotations

from base64 import b64encode
from functools import partial
from secrets import token_bytes
from typing import TYPE_CHECKING

from msgspec.structs import replace

from asyncspider import (
    InvalidRequestError,
    KeyPairHandler,
    KeyPairInfo,
    KeyPairReqInfo,
    Paged,
    Secret,
)

from .paging import Answer, paged
from .region import Region, check_name, fingerprint, openssh_public_key

if TYPE_CHECKING:
    from .connection import MockConnection  # noqa: F401 - named in a string below


class MockKeyPairHandler(KeyPairHandler["MockConnection"]):
    """Key pairs."""

    async def create_key(self, key_pair_req_info: KeyPairReqInfo) -> KeyPairInfo:
        """Make a key pair or import a public key; names are unique.

        Raises:
            ConflictError: The name is taken.
            InvalidRequestError: It is no OpenSSH public key.
        """
        return await self.connection.call(_create_key, key_pair_req_info)

    def iter_key(self) -> Paged[KeyPairInfo]:
        """Iterate over the keys page by page."""
        return Paged(partial(paged, self.connection, _list_key))

    async def get_key(self, key_pair_id: str) -> KeyPairInfo:
        """Return one key."""
        return await self.connection.call(_get_key, key_pair_id)

    async def delete_key(self, key_pair_id: str) -> bool:
        """Delete a key."""
        return await self.connection.call(_delete_key, key_pair_id)


def _create_key(region: Region, req: KeyPairReqInfo) -> KeyPairInfo:
    check_name(region.keys, req.name)
    public_key, private_key = req.public_key, None
    if public_key is None:
        public_key = openssh_public_key(token_bytes(32), req.name)
        body = b64encode(token_bytes(210)).decode()
        private_key = Secret(
            f"-----BEGIN OPENSSH PRIVATE KEY-----\n{body}\n-----END OPENSSH PRIVATE KEY-----\n"
        )
    try:
        print_ = fingerprint(public_key)
    except (ValueError, IndexError) as error:
        raise InvalidRequestError("this is no OpenSSH public key", code="InvalidKey") from error
    kept = region.keys.add(
        KeyPairInfo(
            id=region.keys.new_id(), name=req.name, public_key=public_key, fingerprint=print_
        )
    )
    return replace(kept, private_key=private_key)


def _list_key(region: Region, start: int) -> Answer[KeyPairInfo]:
    return region.keys.page(start, region.config.page_size)


def _get_key(region: Region, key_pair_id: str) -> KeyPairInfo:
    return region.keys.get(key_pair_id)


def _delete_key(region: Region, key_pair_id: str) -> bool:
    region.keys.remove(key_pair_id)
    return True
