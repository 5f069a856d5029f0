"""Key pairs: Nova's os-keypairs."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from asyncspider import KeyPairHandler, KeyPairInfo, KeyPairReqInfo, NotSupportedError, Page, Paged

from . import wire
from .mapping import key_pair_info
from .paths import segment

if TYPE_CHECKING:
    from .connection import OpenStackConnection  # noqa: F401 - named in a string below

_GENERATES_UNTIL = (2, 91)
"""Nova's last microversion that makes key pairs (Compute API, "Import (or create) Keypair")."""
_PAGES_SINCE = (2, 35)


class OpenStackKeyPairHandler(KeyPairHandler["OpenStackConnection"]):
    """The user's key pairs; a key's id is its name."""

    async def create_key(self, key_pair_req_info: KeyPairReqInfo) -> KeyPairInfo:
        """Import a public key, or let Nova make a pair."""
        request = key_pair_req_info
        connection = self.connection
        await connection.endpoint("compute")
        if request.public_key is None and connection.microversion > _GENERATES_UNTIL:
            raise NotSupportedError(
                "this Nova makes no key pairs any more: give a public key",
                **connection.facts("CreateKeypair"),
            )
        keypair: dict[str, Any] = {"name": request.name}
        if request.public_key is not None:
            keypair["public_key"] = request.public_key
        made = await connection.call(
            wire.OneKeyPair,
            "CreateKeypair",
            "compute",
            "POST",
            "/os-keypairs",
            body={"keypair": keypair},
        )
        return key_pair_info(made.keypair)

    def iter_key(self) -> Paged[KeyPairInfo]:
        """Iterate over the user's key pairs."""
        return Paged(self._pages)

    async def _pages(self) -> AsyncGenerator[Page[KeyPairInfo], None]:
        connection = self.connection
        await connection.endpoint("compute")
        if connection.microversion < _PAGES_SINCE:
            answer = await connection.call(
                wire.KeyPairs, "ListKeypairs", "compute", "GET", "/os-keypairs"
            )
            yield Page([key_pair_info(each.keypair) for each in answer.keypairs])
            return
        async for answer in connection.pages_of(
            wire.KeyPairs, "ListKeypairs", "compute", "/os-keypairs"
        ):
            yield Page([key_pair_info(each.keypair) for each in answer.keypairs])

    async def get_key(self, key_pair_id: str) -> KeyPairInfo:
        """Return one key pair."""
        path = f"/os-keypairs/{segment(key_pair_id)}"
        found = await self.connection.call(
            wire.OneKeyPair, "ShowKeypairDetails", "compute", "GET", path
        )
        return key_pair_info(found.keypair)

    async def delete_key(self, key_pair_id: str) -> bool:
        """Delete a key pair."""
        path = f"/os-keypairs/{segment(key_pair_id)}"
        await self.connection.call(wire.Nothing, "DeleteKeypair", "compute", "DELETE", path)
        return True
