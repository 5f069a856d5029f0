"""Key pairs."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from asyncspider import KeyPairHandler, KeyPairInfo, KeyPairReqInfo, Page, Paged

from . import wire
from .mapping import key_pair_info, new_key_pair_info

if TYPE_CHECKING:
    from .connection import AwsConnection  # noqa: F401 - named in a string below


class AwsKeyPairHandler(KeyPairHandler["AwsConnection"]):
    """Key pairs; their id here is their name."""

    async def create_key(self, key_pair_req_info: KeyPairReqInfo) -> KeyPairInfo:
        """Make a key pair (CreateKeyPair, RSA), or import one (ImportKeyPair)."""
        request = key_pair_req_info
        if request.public_key is None:
            made = await self.connection.call(
                wire.CreateKeyPair, "CreateKeyPair", idempotent=False, KeyName=request.name
            )
            return new_key_pair_info(made, "")
        imported = await self.connection.call(
            wire.CreateKeyPair,
            "ImportKeyPair",
            idempotent=False,
            KeyName=request.name,
            PublicKeyMaterial=request.public_key.encode(),
        )
        return new_key_pair_info(imported, request.public_key.strip())

    def iter_key(self) -> Paged[KeyPairInfo]:
        """Iterate over the key pairs, with their public keys (DescribeKeyPairs, one answer)."""
        return Paged(self._pages)

    async def _pages(self) -> AsyncGenerator[Page[KeyPairInfo], None]:
        answer = await self.connection.call(
            wire.DescribeKeyPairs, "DescribeKeyPairs", IncludePublicKey=True
        )
        yield Page([key_pair_info(key) for key in answer.key_set])

    async def get_key(self, key_pair_id: str) -> KeyPairInfo:
        """Return one key pair."""
        key = await self.connection.one_of(
            wire.DescribeKeyPairs,
            "DescribeKeyPairs",
            "key_set",
            f"key pair {key_pair_id}",
            KeyNames=[key_pair_id],
            IncludePublicKey=True,
        )
        return key_pair_info(key)

    async def delete_key(self, key_pair_id: str) -> bool:
        """Delete a key pair. EC2 calls it a success also when there was none, so it looks first."""
        await self.get_key(key_pair_id)
        await self.connection.call(wire.Done, "DeleteKeyPair", KeyName=key_pair_id)
        return True
